/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the shell keeps the laws: acknowledged is durable, one effective result, nothing that comes
 * over the socket harms, a full disk ends it in good order. Method: the real coordinator in a child
 * process over loopback with a real store; the test is its worker and its client, message by
 * message. Kills are real. */
#include "tests/support/folder.h"
#include "tests/unit/coordinator/peer.h"

enum { EXAMPLES = 3 };

#define TEXT(S) ((char *)(uintptr_t)(S))

static char kinds[3][16] = { "pretrain", "search", "collect" };
static char steps[3][16] = { "train", "labels", "keep" };

/* Job I of the plan but for its inputs. */
static void fill_job(Drover__PlanJob *job, uint32_t i, uint32_t retries)
{
    static struct digest keys[3];
    static uint32_t zero, needs[3] = { 0, 0, 1 };
    static Drover__Param param, *params = &param;

    drover__param__init(&param);
    param.name = TEXT("simulations");
    param.value_case = DROVER__PARAM__VALUE_I;
    param.i = 50;
    drover__plan_job__init(job);
    keys[i] = digest_of(kinds[i], strlen(kinds[i]));
    job->key = wire_bytes(&keys[i]);
    job->kind = kinds[i];
    job->step = steps[i];
    job->numeric_class = TEXT("packed-1");
    job->runs = &zero;
    job->n_runs = 1;
    job->needs = &needs[i];
    job->n_needs = i > 0;
    job->params = &params;
    job->n_params = 1;
    job->retries = retries;
    job->families = &zero;
    job->n_families = i > 0;
}

static void fill_jobs(Drover__PlanJob *job, uint32_t retries)
{
    static Drover__Input model, results, *search_inputs = &model, *collect_inputs = &results;
    static uint64_t family_examples = EXAMPLES;

    for (uint32_t i = 0; i < 3; i++)
        fill_job(&job[i], i, retries);
    drover__input__init(&model);
    model.name = model.output = TEXT("model");
    model.source = DROVER__INPUT__SOURCE__OUTPUT;
    drover__input__init(&results);
    results.name = TEXT("results");
    results.source = DROVER__INPUT__SOURCE__RESULTS;
    job[1].inputs = &search_inputs;
    job[2].inputs = &collect_inputs;
    job[1].n_inputs = job[2].n_inputs = 1;
    job[1].end = EXAMPLES;
    job[2].family_examples = &family_examples;
    job[2].n_family_examples = 1;
}

/* A plan: "train" makes a model; "labels" searches EXAMPLES examples with it; "keep" collects them.
 */
static void submit_plan(struct peer *p, uint32_t retries)
{
    Drover__Submit submit = DROVER__SUBMIT__INIT;
    Drover__Plan plan = DROVER__PLAN__INIT;
    Drover__PlanRun run = DROVER__PLAN_RUN__INIT, *runs = &run;
    Drover__Family family = DROVER__FAMILY__INIT, *families = &family;
    Drover__PlanJob job[3], *jobs[3] = { &job[0], &job[1], &job[2] };
    Drover__StepFamily step = DROVER__STEP_FAMILY__INIT, *step_families = &step;
    struct digest d = digest_of("x", 1);

    plan.name = TEXT("test");
    plan.revision = run.digest = family.key = wire_bytes(&d);
    step.step = steps[1];
    step.examples = EXAMPLES;
    run.families = &step_families;
    run.n_families = 1;
    family.kind = kinds[1];
    family.task = TEXT("math");
    family.level = 1;
    family.split = TEXT("train");
    fill_jobs(job, retries);
    plan.runs = &runs;
    plan.families = &families;
    plan.jobs = jobs;
    plan.n_runs = plan.n_families = 1;
    plan.n_jobs = 3;
    submit.plan = &plan;
    peer_send(p, DROVER__ENVELOPE__BODY_SUBMIT, &submit);
}

static Drover__ExperimentStatus *status(struct peer *client)
{
    Drover__StatusRequest m = DROVER__STATUS_REQUEST__INIT;
    Drover__Status *s;

    m.workers = true;
    peer_send(client, DROVER__ENVELOPE__BODY_STATUS_REQUEST, &m);
    s = peer_take(client, DROVER__ENVELOPE__BODY_STATUS)->status;
    assert_int_equal(s->n_experiments, 1);
    return s->experiments[0];
}

struct world {
    struct coordinator c;
    struct peer client, worker;
    char blobs[TRANSPORT_ENDPOINT_MAX];
    Drover__Lease *lease; /* the one that the worker holds */
};

static void welcome(struct world *w)
{
    Drover__Welcome *m = peer_take(&w->worker, DROVER__ENVELOPE__BODY_WELCOME)->welcome;

    (void)snprintf(w->blobs, sizeof(w->blobs), "%s", m->blob_endpoint);
}

static void next_lease(struct world *w)
{
    lease_cleanup(&w->lease);
    w->lease = peer_lease(&w->worker);
}

/* Coordinator, client, worker; the plan submitted; the worker holds the lease of "train". */
static void begin(struct world *w, uint32_t retries)
{
    Drover__Envelope *m;

    coordinator_start(&w->c);
    peer_open(&w->client, w->c.endpoint);
    submit_plan(&w->client, retries);
    m = peer_take(&w->client, DROVER__ENVELOPE__BODY_SUBMITTED);
    assert_int_equal(m->request, 77);
    assert_int_equal(m->submitted->jobs, 3);
    assert_int_equal(m->submitted->added, 3);
    peer_open(&w->worker, w->c.endpoint);
    peer_hello(&w->worker, 1, NULL);
    welcome(w);
    next_lease(w);
    assert_string_equal(w->lease->kind, "pretrain");
    assert_int_equal(w->lease->n_params, 1);
    assert_int_equal(w->lease->params[0]->i, 50);
}

/* Done with "train": the worker holds the lease of "labels". */
static void train(struct world *w)
{
    struct digest model = put_blob(w->blobs, "model");

    peer_result(&w->worker, w->lease, DROVER__OUTCOME__OUTCOME_DONE, "model", &model);
    assert_int_equal(peer_ack(&w->worker), 0);
    next_lease(w);
    assert_string_equal(w->lease->kind, "search");
    assert_int_equal(w->lease->n_inputs, 1);
    assert_memory_equal(w->lease->inputs[0]->digest.data, model.b, DIGEST_BYTES);
    assert_int_equal(w->lease->inputs[0]->size, 5);
}

static int set_up(void **state)
{
    static struct world w;

    w = (struct world){ .lease = NULL };
    coordinator_init(&w.c);
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    if (w->client.loop)
        peer_close(&w->client);
    if (w->worker.loop)
        peer_close(&w->worker);
    lease_cleanup(&w->lease);
    if (w->c.pid > 0)
        (void)coordinator_end(&w->c, SIGKILL);
    return folder_remove(w->c.folder);
}

static void plan_runs_from_submit_to_finished(void **state)
{
    struct world *w = *state;
    struct digest labels;
    Drover__ExperimentStatus *e;

    begin(w, 0);
    train(w);
    for (uint64_t i = 0; i < EXAMPLES; i++) {
        peer_example(&w->worker, w->lease, i, i == 0);
        assert_int_equal(peer_ack(&w->worker), 0);
    }
    e = status(&w->client);
    assert_int_equal(e->n_steps, 3);
    assert_int_equal(e->steps[1]->running, 1);
    assert_int_equal(e->steps[1]->units_done, EXAMPLES);
    assert_false(e->finished);
    peer_result(&w->worker, w->lease, DROVER__OUTCOME__OUTCOME_DONE, NULL, NULL);
    assert_int_equal(peer_ack(&w->worker), 0);
    next_lease(w);
    assert_string_equal(w->lease->kind, "collect");
    assert_int_equal(w->lease->inputs[0]->digest.len, DIGEST_BYTES);
    labels = put_blob(w->blobs, "labels");
    peer_result(&w->worker, w->lease, DROVER__OUTCOME__OUTCOME_DONE, "labels", &labels);
    assert_int_equal(peer_ack(&w->worker), 0);
    assert_true(status(&w->client)->finished);
    submit_plan(&w->client, 0);
    assert_int_equal(peer_take(&w->client, DROVER__ENVELOPE__BODY_SUBMITTED)->submitted->cached, 3);
    assert_int_equal(coordinator_end(&w->c, SIGTERM), 0);
}

static void results_blob_holds_every_row_in_order(void **state)
{
    struct world *w = *state;
    Drover__BlobGet get = DROVER__BLOB_GET__INIT;
    Drover__BlobChunk *chunk;
    struct peer p;
    char *lines = NULL;

    begin(w, 0);
    train(w);
    for (uint64_t i = EXAMPLES; i-- > 0;) {
        peer_example(&w->worker, w->lease, i, true);
        assert_int_equal(peer_ack(&w->worker), 0);
    }
    peer_result(&w->worker, w->lease, DROVER__OUTCOME__OUTCOME_DONE, NULL, NULL);
    assert_int_equal(peer_ack(&w->worker), 0);
    next_lease(w);
    peer_open(&p, w->blobs);
    get.digest = w->lease->inputs[0]->digest;
    get.length = 1 << 20;
    peer_send(&p, DROVER__ENVELOPE__BODY_BLOB_GET, &get);
    chunk = peer_take(&p, DROVER__ENVELOPE__BODY_BLOB_CHUNK)->blob_chunk;
    assert_int_equal(chunk->data.len, w->lease->inputs[0]->size);
    lines = strndup((char *)chunk->data.data, chunk->data.len);
    for (int i = 0; i < EXAMPLES; i++) {
        char id[32];

        (void)snprintf(id, sizeof(id), "\"index\":%d,", i);
        assert_non_null(strstr(lines, id));
    }
    assert_non_null(strstr(lines, "\"routing\":\"1201\""));
    free(lines);
    peer_close(&p);
}

static void acked_example_survives_kill_and_is_not_asked_again(void **state)
{
    struct world *w = *state;

    begin(w, 0);
    train(w);
    peer_example(&w->worker, w->lease, 1, true);
    assert_int_equal(peer_ack(&w->worker), 0);
    assert_int_equal(coordinator_end(&w->c, SIGKILL), -SIGKILL);
    w->c.reattach_ms = 1;
    coordinator_start(&w->c);
    peer_close(&w->worker);
    peer_open(&w->worker, w->c.endpoint);
    peer_hello(&w->worker, 2, NULL); /* another worker */
    welcome(w);
    next_lease(w);
    assert_string_equal(w->lease->kind, "search");
    assert_int_equal(w->lease->n_finished, 1);
    assert_int_equal(w->lease->finished[0], 1001);
}

static void running_worker_comes_back_after_kill_and_keeps_its_work(void **state)
{
    struct world *w = *state;
    Drover__Held held = DROVER__HELD__INIT;
    Drover__Welcome *m;

    begin(w, 0);
    train(w);
    peer_renew(&w->worker, w->lease);
    assert_int_equal(coordinator_end(&w->c, SIGKILL), -SIGKILL);
    coordinator_start(&w->c);
    held.attempt = w->lease->attempt;
    held.epoch = w->lease->epoch;
    /* The old connection reconnects by itself; what is sent before is lost or comes as from a
     * stranger. */
    while (w->worker.disconnects == 0)
        (void)peer_next(&w->worker, 10);
    peer_hello(&w->worker, 1, &held);
    m = peer_take(&w->worker, DROVER__ENVELOPE__BODY_WELCOME)->welcome;
    assert_int_equal(m->incarnation, 2);
    assert_int_equal(m->n_keep, 1);
    assert_int_equal(m->keep[0]->attempt, w->lease->attempt);
    assert_int_equal(m->n_drop, 0);
    for (uint64_t i = 0; i < EXAMPLES; i++) {
        peer_example(&w->worker, w->lease, i, true);
        assert_int_equal(peer_ack(&w->worker), 0);
    }
    peer_result(&w->worker, w->lease, DROVER__OUTCOME__OUTCOME_DONE, NULL, NULL);
    assert_int_equal(peer_ack(&w->worker), 0);
    next_lease(w);
    assert_string_equal(w->lease->kind, "collect");
}

static void result_of_an_expired_lease_is_stale(void **state)
{
    struct world *w = *state;
    struct peer other;
    Drover__Lease *again CLEANUP(lease_cleanup) = NULL;

    w->c.lease_ms = 3000; /* long enough for train() on a slow computer */
    begin(w, 0);
    train(w);
    clock_sleep_ms(3500); /* the other one would lose its place too if it waited here in silence */
    peer_open(&other, w->c.endpoint);
    peer_hello(&other, 2, NULL);
    (void)peer_take(&other, DROVER__ENVELOPE__BODY_WELCOME);
    again = peer_lease(&other);
    assert_int_equal(again->job, w->lease->job);
    assert_true(again->attempt != w->lease->attempt);
    assert_true(again->epoch > w->lease->epoch);
    peer_example(&w->worker, w->lease, 0, true);
    /* The old worker is unknown by now: it is told to say Hello again. */
    assert_int_equal(peer_take(&w->worker, DROVER__ENVELOPE__BODY_REFUSE)->refuse->code, ERR_STALE);
    peer_close(&other);
}

static void unfinished_shard_is_no_result(void **state)
{
    struct world *w = *state;
    Drover__Lease *again CLEANUP(lease_cleanup) = NULL;

    begin(w, 1);
    train(w);
    peer_example(&w->worker, w->lease, 0, true);
    assert_int_equal(peer_ack(&w->worker), 0);
    peer_result(&w->worker, w->lease, DROVER__OUTCOME__OUTCOME_DONE, NULL, NULL);
    assert_int_equal(peer_ack(&w->worker), 0);
    again = peer_lease(&w->worker);
    assert_int_equal(again->job, w->lease->job);
    assert_int_equal(again->n_finished, 1);
}

static void result_without_its_blob_is_no_result(void **state)
{
    struct world *w = *state;
    struct digest nowhere = digest_of("never sent", 10);
    Drover__ExperimentStatus *e;

    begin(w, 0);
    peer_result(&w->worker, w->lease, DROVER__OUTCOME__OUTCOME_DONE, "model", &nowhere);
    assert_int_equal(peer_ack(&w->worker), 0);
    e = status(&w->client);
    assert_true(e->finished);
    assert_int_equal(e->steps[0]->failed, 1);
    assert_int_equal(e->steps[1]->skipped, 1);
    assert_int_equal(e->n_failures, 1);
}

static void failed_job_is_tried_again_and_then_fails(void **state)
{
    struct world *w = *state;
    uint64_t job;

    begin(w, 1);
    job = w->lease->job;
    peer_result(&w->worker, w->lease, DROVER__OUTCOME__OUTCOME_OOM, NULL, NULL);
    assert_int_equal(peer_ack(&w->worker), 0);
    next_lease(w);
    assert_int_equal(w->lease->job, job);
    peer_result(&w->worker, w->lease, DROVER__OUTCOME__OUTCOME_FAILED, NULL, NULL);
    assert_int_equal(peer_ack(&w->worker), 0);
    assert_non_null(strstr(status(&w->client)->failures[0], "as the test says"));
    assert_true(status(&w->client)->finished);
}

static void cancel_reaches_the_worker_and_the_store(void **state)
{
    struct world *w = *state;
    Drover__CancelRequest m = DROVER__CANCEL_REQUEST__INIT;

    begin(w, 0);
    m.experiment = TEXT("tset");
    peer_send(&w->client, DROVER__ENVELOPE__BODY_CANCEL_REQUEST, &m);
    assert_int_equal(peer_take(&w->client, DROVER__ENVELOPE__BODY_REFUSE)->refuse->code,
                     ERR_NOT_FOUND);
    m.experiment = TEXT("test");
    peer_send(&w->client, DROVER__ENVELOPE__BODY_CANCEL_REQUEST, &m);
    assert_int_equal(peer_take(&w->client, DROVER__ENVELOPE__BODY_CANCELLED)->cancelled->jobs, 3);
    assert_int_equal(peer_take(&w->worker, DROVER__ENVELOPE__BODY_CANCEL)->cancel->attempt,
                     w->lease->attempt);
    peer_result(&w->worker, w->lease, DROVER__OUTCOME__OUTCOME_CANCELLED, NULL, NULL);
    assert_int_equal(peer_ack(&w->worker), 0);
    assert_true(status(&w->client)->finished);
    assert_null(peer_next(&w->worker, 100));
}

static void bad_messages_are_refused_and_harm_nothing(void **state)
{
    struct world *w = *state;
    static const char garbage[] = "\xff\xff\xff not protobuf";
    static const uint8_t newer[] = { 0x08, 0x07, 0x6a, 0x00 };
    Drover__Welcome wrong = DROVER__WELCOME__INIT;
    Drover__Refuse *r;
    struct err err = { 0 };

    begin(w, 0);
    assert_int_equal(transport_send(w->client.t, 0, garbage, sizeof(garbage), &err), 0);
    r = peer_take(&w->client, DROVER__ENVELOPE__BODY_REFUSE)->refuse;
    assert_int_equal(r->code, ERR_PROTO);
    assert_int_equal(transport_send(w->client.t, 0, newer, sizeof(newer), &err), 0);
    r = peer_take(&w->client, DROVER__ENVELOPE__BODY_REFUSE)->refuse;
    assert_int_equal(r->code, ERR_VERSION);
    assert_int_equal(r->protocol, WIRE_PROTOCOL);
    peer_send(&w->client, DROVER__ENVELOPE__BODY_WELCOME, &wrong);
    assert_int_equal(peer_take(&w->client, DROVER__ENVELOPE__BODY_REFUSE)->refuse->code, ERR_PROTO);
    train(w);
}

static void full_disk_acks_nothing_and_loses_nothing(void **state)
{
    struct world *w = *state;
    Drover__Held held = DROVER__HELD__INIT;
    uint64_t acked = 0;

    begin(w, 0);
    train(w);
    peer_renew(&w->worker, w->lease);
    assert_int_equal(coordinator_end(&w->c, SIGTERM), 0);
    w->c.file_max = 600 * 1024;
    coordinator_start(&w->c);
    peer_close(&w->worker);
    peer_open(&w->worker, w->c.endpoint);
    held.attempt = w->lease->attempt;
    held.epoch = w->lease->epoch;
    peer_hello(&w->worker, 1, &held);
    assert_int_equal(peer_take(&w->worker, DROVER__ENVELOPE__BODY_WELCOME)->welcome->n_keep, 1);
    /* The same results again and again: repeats are counted, so every one writes. */
    while (coordinator_lives(&w->c) && acked < 100000) {
        Drover__Envelope *m;

        peer_example(&w->worker, w->lease, acked % EXAMPLES, true);
        m = peer_next(&w->worker, 200);
        acked += m && m->body_case == DROVER__ENVELOPE__BODY_ACK && m->ack->code == 0;
    }
    assert_int_equal(coordinator_wait(&w->c), 1);
    assert_true(acked > 0);
    w->c.file_max = 0;
    coordinator_start(&w->c);
    peer_close(&w->worker);
    peer_open(&w->worker, w->c.endpoint);
    peer_hello(&w->worker, 1, &held);
    assert_int_equal(peer_take(&w->worker, DROVER__ENVELOPE__BODY_WELCOME)->welcome->n_keep, 1);
    peer_close(&w->client);
    peer_open(&w->client, w->c.endpoint);
    assert_int_equal(status(&w->client)->steps[1]->units_done, MIN(acked, (uint64_t)EXAMPLES));
}

static void second_coordinator_on_the_same_store_names_the_first(void **state)
{
    struct world *w = *state;
    struct coordinator second;
    struct buf log CLEANUP(buf_release) = { 0 };
    struct err err = { 0 };
    char pid[32];

    coordinator_start(&w->c);
    second = w->c;
    (void)snprintf(second.listen, sizeof(second.listen), "tcp://127.0.0.1:*");
    (void)snprintf(second.log, sizeof(second.log), "%s/log2", w->c.folder);
    coordinator_spawn(&second);
    assert_int_equal(coordinator_wait(&second), 1);
    assert_int_equal(buf_read_file(&log, second.log, 100000, &err), 0);
    (void)snprintf(pid, sizeof(pid), "%d", (int)w->c.pid);
    assert_non_null(strstr(buf_str(&log), pid));
    assert_non_null(strstr(buf_str(&log), w->c.endpoint));
    assert_int_equal(coordinator_end(&w->c, SIGTERM), 0);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(plan_runs_from_submit_to_finished),
        TEST(results_blob_holds_every_row_in_order),
        TEST(acked_example_survives_kill_and_is_not_asked_again),
        TEST(running_worker_comes_back_after_kill_and_keeps_its_work),
        TEST(result_of_an_expired_lease_is_stale),
        TEST(unfinished_shard_is_no_result),
        TEST(result_without_its_blob_is_no_result),
        TEST(failed_job_is_tried_again_and_then_fails),
        TEST(cancel_reaches_the_worker_and_the_store),
        TEST(bad_messages_are_refused_and_harm_nothing),
        TEST(full_disk_acks_nothing_and_loses_nothing),
        TEST(second_coordinator_on_the_same_store_names_the_first),
    };

    if (coordinator_asked(argc, argv))
        return coordinator_main(argv);
    cmocka_set_test_filter(getenv("TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
