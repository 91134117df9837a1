/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a whole worker keeps the protocol: what it computes it sends until it is acked, whatever
 * becomes of the coordinator; one example at a time; orderly ends. Method: worker_run in a thread,
 * real job kinds on a tiny model, and a coordinator that the test plays message by message over a
 * socket in the test's folder. */
#include "tests/unit/worker/rig.h"

/* EVERY_S: between checkpoints. FROM: what the lease goes on from, or NULL. */
static void lease_training_from(uint64_t attempt, int64_t steps, double every_s,
                                const Drover__Checkpoint *from)
{
    struct leasing l;
    begin_lease(&l, attempt, "pretrain", "packed-1");
    l.inputs = &l.input;
    drover__input__init(&l.input);
    if (from != NULL) {
        l.input.name = (char *)(uintptr_t) "checkpoint";
        l.input.source = DROVER__INPUT__SOURCE__CHECKPOINT;
        l.input.digest = from->digest;
        l.input.size = from->size;
        l.m.inputs = &l.inputs;
        l.m.n_inputs = 1;
        l.m.checkpoint_step = from->step;
    }
    Drover__Param *every = add_param(&l, "checkpoint_s");
    every->value_case = DROVER__PARAM__VALUE_R;
    every->r = every_s;
    Drover__Param *p = add_param(&l, "tasks");
    drover__text_list__init(&l.texts);
    l.text = (char *)(uintptr_t) "math";
    l.texts.v = &l.text;
    l.texts.n_v = 1;
    p->value_case = DROVER__PARAM__VALUE_TEXTS;
    p->texts = &l.texts;
    p = add_param(&l, "gemm");
    p->value_case = DROVER__PARAM__VALUE_S;
    p->s = (char *)(uintptr_t) "packed";
    add_int(&l, "layers", 2);
    add_int(&l, "dim", 16);
    add_int(&l, "hidden", 16);
    add_int(&l, "batch", 8);
    add_int(&l, "steps", steps);
    send_lease(&l);
}

static void lease_training(uint64_t attempt, int64_t steps)
{
    lease_training_from(attempt, steps, 0, NULL);
}

static void lease_evaluation(uint64_t attempt, const Drover__Output *model)
{
    struct leasing l;
    begin_lease(&l, attempt, "evaluate", "packed-1");
    Drover__Param *p = add_param(&l, "task");
    p->value_case = DROVER__PARAM__VALUE_S;
    p->s = (char *)(uintptr_t) "math";
    add_int(&l, "level", 1);
    add_int(&l, "examples", 3);
    l.m.end = 3;
    l.inputs = &l.input;
    drover__input__init(&l.input);
    l.input.name = (char *)(uintptr_t) "model";
    l.input.digest = model->digest;
    l.input.size = model->size;
    l.input.folder = model->folder;
    l.m.inputs = &l.inputs;
    l.m.n_inputs = 1;
    send_lease(&l);
}

/* A trained model at the fake; the envelope holds it. */
static Drover__Envelope *train(void)
{
    lease_training(1, 2);
    Drover__Envelope *e = expect_result(1, DROVER__OUTCOME__OUTCOME_DONE);
    ack(e->job_result->seq, 0);
    assert_int_equal(e->job_result->n_outputs, 1);
    return e;
}

static void hello_tells_slots_and_classes_and_credits_follow(void **state)
{
    (void)state;
    Drover__Envelope *e = fake_expect(&r.fake, DROVER__ENVELOPE__BODY_HELLO);
    assert_int_equal(e->hello->slots, 1);
    assert_int_equal(e->hello->incarnation, 0);
    assert_int_equal(e->hello->worker.len, WIRE_WORKER_BYTES);
    assert_string_equal(e->hello->classes[0], "packed-1");
    assert_non_null(strstr(e->hello->environment, "kernels"));
    assert_int_equal(e->hello->cores, 1);
    assert_int_equal(e->hello->queue, 0);
    assert_int_equal(e->hello->memory_mib, 2048);
    assert_int_equal(e->hello->n_labels, 2);
    assert_string_equal(e->hello->labels[1], "gpu");
    wire_free(e);
    welcome(1, NULL);
    e = fake_next(&r.fake, FAKE_WAIT_MS);
    assert_int_equal(e->body_case, DROVER__ENVELOPE__BODY_CREDITS);
    assert_int_equal(e->credits->total, 1);
    wire_free(e);
    wire_free(fake_expect(&r.fake, DROVER__ENVELOPE__BODY_HEARTBEAT));
    leave();
}

static void result_outlives_the_coordinator_until_it_is_acked(void **state)
{
    (void)state;
    greet();
    lease_training(7, 2);
    Drover__Envelope *e = expect_result(7, DROVER__OUTCOME__OUTCOME_DONE);
    struct digest model = wire_digest(e->job_result->outputs[0]->digest);
    assert_true(e->job_result->outputs[0]->folder);
    assert_non_null(fake_find(&r.fake, &model)); /* put before the result */
    assert_non_null(strstr(e->job_result->log, "event=job_begun"));
    assert_string_equal(e->job_result->environment, ""); /* that of the Hello */
    assert_int_equal(e->job_result->job, 1);
    assert_true(e->job_result->wall_us > 0);
    assert_true(e->job_result->n_metrics > 0);
    wire_free(e);

    fake_close(&r.fake); /* no ack */
    fake_open(&r.fake, r.endpoint);
    e = fake_expect(&r.fake, DROVER__ENVELOPE__BODY_HELLO);
    assert_int_equal(e->hello->incarnation, 1);
    assert_int_equal(e->hello->n_held, 1);
    assert_int_equal(e->hello->held[0]->attempt, 7);
    assert_true(e->hello->held[0]->finished);
    assert_true(e->hello->n_blobs > 0);
    welcome(2, e->hello->held[0]);
    wire_free(e);
    e = expect_result(7, DROVER__OUTCOME__OUTCOME_DONE);
    struct digest again = wire_digest(e->job_result->outputs[0]->digest);
    assert_true(digest_equal(&model, &again));
    finish(e);
    leave();
}

static void next_example_begins_after_the_ack_of_the_one_before(void **state)
{
    (void)state;
    greet();
    Drover__Envelope *model = train(), *e;
    r.fake.gets = 0;
    lease_evaluation(2, model->job_result->outputs[0]);
    uint64_t ids[3] = { 0 };
    for (int i = 0; i < 3; i++) {
        e = fake_expect(&r.fake, DROVER__ENVELOPE__BODY_EXAMPLE_RESULT);
        assert_int_equal(e->example_result->attempt, 2);
        assert_non_null(e->example_result->score);
        ids[i] = e->example_result->example->id;
        uint64_t seq = e->example_result->seq;
        wire_free(e);
        e = fake_next(&r.fake, 50);
        if (e != NULL)
            assert_int_not_equal(e->body_case, DROVER__ENVELOPE__BODY_EXAMPLE_RESULT);
        wire_free(e);
        ack(seq, 0);
    }
    assert_true(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
    e = expect_result(2, DROVER__OUTCOME__OUTCOME_DONE);
    assert_int_equal(e->job_result->examples_done, 3);
    finish(e);
    assert_int_equal(r.fake.gets, 0); /* its own output was in the cache */
    wire_free(model);
    leave();
}

static void waiting_example_is_sent_again_to_the_next_coordinator(void **state)
{
    (void)state;
    greet();
    Drover__Envelope *model = train(), *e;
    lease_evaluation(2, model->job_result->outputs[0]);
    e = fake_expect(&r.fake, DROVER__ENVELOPE__BODY_EXAMPLE_RESULT);
    uint64_t id = e->example_result->example->id;
    wire_free(e);
    fake_close(&r.fake);
    fake_open(&r.fake, r.endpoint);
    e = fake_expect(&r.fake, DROVER__ENVELOPE__BODY_HELLO);
    assert_int_equal(e->hello->n_held, 1);
    assert_false(e->hello->held[0]->finished);
    welcome(2, e->hello->held[0]);
    wire_free(e);
    for (int i = 0; i < 3; i++) {
        e = fake_expect(&r.fake, DROVER__ENVELOPE__BODY_EXAMPLE_RESULT);
        if (i == 0)
            assert_true(e->example_result->example->id == id);
        ack(e->example_result->seq, 0);
        wire_free(e);
    }
    finish(expect_result(2, DROVER__OUTCOME__OUTCOME_DONE));
    wire_free(model);
    leave();
}

static void stale_example_ends_its_job_without_a_result(void **state)
{
    (void)state;
    greet();
    Drover__Envelope *model = train(), *e;
    lease_evaluation(2, model->job_result->outputs[0]);
    e = fake_expect(&r.fake, DROVER__ENVELOPE__BODY_EXAMPLE_RESULT);
    ack(e->example_result->seq, ERR_STALE);
    wire_free(e);
    wire_free(model);
    leave(); /* nothing but the goodbye comes */
}

/* The number of the next example, which must be one of ATTEMPT. */
static uint64_t next_example(uint64_t attempt)
{
    Drover__Envelope *e = fake_expect(&r.fake, DROVER__ENVELOPE__BODY_EXAMPLE_RESULT);
    assert_int_equal(e->example_result->attempt, attempt);
    uint64_t seq = e->example_result->seq;
    wire_free(e);
    return seq;
}

static void two_slots_wait_each_for_its_own_ack(void **state)
{
    (void)state;
    greet();
    Drover__Envelope *model = train();
    lease_evaluation(2, model->job_result->outputs[0]);
    uint64_t first = next_example(2); /* waits all the while */
    lease_evaluation(3, model->job_result->outputs[0]);
    for (int i = 0; i < 3; i++)
        ack(next_example(3), 0);
    finish(expect_result(3, DROVER__OUTCOME__OUTCOME_DONE));
    ack(first, 0);
    for (int i = 1; i < 3; i++)
        ack(next_example(2), 0);
    finish(expect_result(2, DROVER__OUTCOME__OUTCOME_DONE));
    wire_free(model);
    leave();
}

static void lease_without_a_free_slot_comes_back_and_cancel_stops_the_other(void **state)
{
    (void)state;
    Drover__Cancel cancel = DROVER__CANCEL__INIT;
    greet();
    lease_training(1, 1000000);
    lease_training(2, 1);
    finish(expect_result(2, DROVER__OUTCOME__OUTCOME_PREEMPTED));
    wire_free(fake_expect(&r.fake, DROVER__ENVELOPE__BODY_RENEW)); /* it works */
    cancel.attempt = 1;
    cancel.epoch = 1;
    fake_send(&r.fake, r.fake.peer, DROVER__ENVELOPE__BODY_CANCEL, &cancel, 0);
    finish(expect_result(1, DROVER__OUTCOME__OUTCOME_CANCELLED));
    leave();
}

static void renewal_brings_the_metrics_of_a_running_job(void **state)
{
    (void)state;
    size_t metrics = 0;
    greet();
    lease_training(1, 1000000);
    while (metrics == 0) {
        Drover__Envelope *e = fake_expect(&r.fake, DROVER__ENVELOPE__BODY_RENEW);
        assert_int_equal(e->renew->n_held, 1);
        assert_int_equal(e->renew->held[0]->attempt, 1);
        metrics = e->renew->n_metrics;
        wire_free(e);
    }
    close_parent();
    Drover__Envelope *e = expect_result(1, DROVER__OUTCOME__OUTCOME_PREEMPTED);
    assert_true(e->job_result->n_metrics >= metrics);
    finish(e);
    leave();
}

/* The metrics named LOSS among N of LIST; the first's step in *RET_FIRST. */
static size_t count_losses(Drover__Metric **list, size_t n, uint64_t *ret_first)
{
    size_t found = 0;

    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i]->name, "loss") == 0 && found++ == 0)
            *ret_first = list[i]->step;
    return found;
}

static void checkpoint_waits_for_its_ack_and_is_uploaded_again_when_it_went(void **state)
{
    (void)state;
    uint64_t first = 0;
    greet();
    lease_training_from(1, 1000000, 0.001, NULL);
    Drover__Envelope *e = fake_expect(&r.fake, DROVER__ENVELOPE__BODY_CHECKPOINT);
    struct digest d = wire_digest(e->checkpoint->digest);
    uint64_t step = e->checkpoint->step;
    assert_int_equal(e->checkpoint->attempt, 1);
    assert_true(fake_find(&r.fake, &d) != NULL &&
                fake_find(&r.fake, &d)->bytes.len == e->checkpoint->size);
    assert_int_equal(count_losses(e->checkpoint->metrics, e->checkpoint->n_metrics, &first),
                     step / 20);
    buf_clear(&fake_find(&r.fake, &d)->bytes); /* thrown away: what is said next is NOT_FOUND */
    ack(e->checkpoint->seq, ERR_NOT_FOUND);
    wire_free(e);
    e = fake_expect(&r.fake, DROVER__ENVELOPE__BODY_CHECKPOINT);
    assert_int_equal(e->checkpoint->step, step); /* the same once more */
    assert_true(fake_find(&r.fake, &d)->bytes.len == e->checkpoint->size);
    ack(e->checkpoint->seq, 0);
    wire_free(e);
    e = fake_expect(&r.fake, DROVER__ENVELOPE__BODY_CHECKPOINT);
    assert_true(e->checkpoint->step > step);
    if (count_losses(e->checkpoint->metrics, e->checkpoint->n_metrics, &first) > 0)
        assert_true(first > step); /* what went with the acked one does not come again */
    ack(e->checkpoint->seq, ERR_CANCELLED);
    wire_free(e);
    finish(expect_result(1, DROVER__OUTCOME__OUTCOME_CANCELLED));
    leave();
}

static void drained_training_saves_first_and_the_next_attempt_goes_on(void **state)
{
    (void)state;
    uint64_t first = 0;
    greet();
    lease_training_from(1, 1000000, 0.001, NULL);
    Drover__Envelope *saved = fake_expect(&r.fake, DROVER__ENVELOPE__BODY_CHECKPOINT), *e;
    ack(saved->checkpoint->seq, ERR_CANCELLED);
    finish(expect_result(1, DROVER__OUTCOME__OUTCOME_CANCELLED));
    uint64_t step = saved->checkpoint->step;
    lease_training_from(2, (int64_t)step + 20, 1000, saved->checkpoint);
    e = expect_result(2, DROVER__OUTCOME__OUTCOME_DONE);
    assert_true(count_losses(e->job_result->metrics, e->job_result->n_metrics, &first) >= 1);
    assert_true(first > step);
    finish(e);
    lease_training_from(3, 1000000, 1000, saved->checkpoint);
    wire_free(fake_expect(&r.fake, DROVER__ENVELOPE__BODY_RENEW)); /* it runs */
    close_parent();
    e = fake_expect(&r.fake, DROVER__ENVELOPE__BODY_CHECKPOINT); /* though it is told to stop */
    ack(e->checkpoint->seq, 0);
    wire_free(e);
    finish(expect_result(3, DROVER__OUTCOME__OUTCOME_PREEMPTED));
    leave(); /* what is closed already stays so */
    wire_free(saved);
}

static void torn_checkpoint_means_the_start(void **state)
{
    (void)state;
    uint64_t first = 0;
    uint8_t nowhere[DIGEST_BYTES] = { 7 };
    Drover__Checkpoint from = DROVER__CHECKPOINT__INIT;
    greet();
    from.digest = (ProtobufCBinaryData){ .len = sizeof(nowhere), .data = nowhere };
    from.size = from.step = 30;
    lease_training_from(1, 40, 1000, &from); /* nobody has these bytes */
    Drover__Envelope *e = expect_result(1, DROVER__OUTCOME__OUTCOME_DONE);
    assert_int_equal(count_losses(e->job_result->metrics, e->job_result->n_metrics, &first), 2);
    assert_int_equal(first, 20);
    finish(e);
    leave();
}

static void drained_job_goes_back_preempted(void **state)
{
    (void)state;
    greet();
    lease_training(1, 1000000);
    wire_free(fake_expect(&r.fake, DROVER__ENVELOPE__BODY_RENEW));
    close_parent();
    finish(expect_result(1, DROVER__OUTCOME__OUTCOME_PREEMPTED));
    leave();
}

static void unknown_kind_and_class_fail_with_a_reason(void **state)
{
    (void)state;
    struct leasing l;
    greet();
    begin_lease(&l, 1, "divination", "packed-1");
    send_lease(&l);
    Drover__Envelope *e = expect_result(1, DROVER__OUTCOME__OUTCOME_FAILED);
    assert_non_null(strstr(e->job_result->text, "divination"));
    finish(e);
    begin_lease(&l, 2, "collect", "abacus-1");
    send_lease(&l);
    e = expect_result(2, DROVER__OUTCOME__OUTCOME_FAILED);
    assert_non_null(strstr(e->job_result->text, "abacus-1"));
    finish(e);
    begin_lease(&l, 3, "collect", "packed-1");
    add_int(&l, "keeep", 1);
    send_lease(&l);
    e = expect_result(3, DROVER__OUTCOME__OUTCOME_FAILED);
    assert_non_null(strstr(e->job_result->text, "keeep"));
    finish(e);
    leave();
}

static void refusal_for_the_protocol_ends_the_worker(void **state)
{
    (void)state;
    wire_free(fake_expect(&r.fake, DROVER__ENVELOPE__BODY_HELLO));
    fake_refuse(&r.fake, r.fake.peer, ERR_VERSION, 0);
    assert_int_equal(pthread_join(r.thread, NULL), 0);
    assert_int_equal(r.rc, ERR_VERSION);
    assert_non_null(strstr(r.err.text, "protocol"));
}

#define WITH_RIG(F) cmocka_unit_test_setup_teardown(F, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RIG(hello_tells_slots_and_classes_and_credits_follow),
        WITH_RIG(result_outlives_the_coordinator_until_it_is_acked),
        WITH_RIG(next_example_begins_after_the_ack_of_the_one_before),
        WITH_RIG(waiting_example_is_sent_again_to_the_next_coordinator),
        WITH_RIG(stale_example_ends_its_job_without_a_result),
        cmocka_unit_test_setup_teardown(two_slots_wait_each_for_its_own_ack, setup_two, teardown),
        WITH_RIG(lease_without_a_free_slot_comes_back_and_cancel_stops_the_other),
        WITH_RIG(renewal_brings_the_metrics_of_a_running_job),
        WITH_RIG(drained_job_goes_back_preempted),
        WITH_RIG(checkpoint_waits_for_its_ack_and_is_uploaded_again_when_it_went),
        WITH_RIG(drained_training_saves_first_and_the_next_attempt_goes_on),
        WITH_RIG(torn_checkpoint_means_the_start),
        WITH_RIG(unknown_kind_and_class_fail_with_a_reason),
        WITH_RIG(refusal_for_the_protocol_ends_the_worker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
