/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: pretrain's model is a function of its parameters and seed, whatever the threads; it reports
 * metrics, stops when asked, and saves a model that opens. Method: a tiny model, a few steps,
 * behind fake services; files compared byte for byte. */
#include "tests/support/fake_job.h"

#include "common/tasks/task.h"
#include "worker/jobs/problems.h"
#include "worker/model/model.h"
#include "worker/tokenizer/tokenizer.h"

static void start(struct fake_job *f, int64_t steps)
{
    static const char *const tasks[] = { "math", "logic" };
    static const int64_t levels[] = { 1, 2 };

    fake_job_init(f, KIND_PRETRAIN);
    fake_job_texts(f, "tasks", tasks, 2);
    fake_job_ints(f, "levels", levels, 2);
    fake_job_int(f, "layers", 2);
    fake_job_int(f, "dim", 16);
    fake_job_int(f, "heads", 2);
    fake_job_int(f, "hidden", 16);
    fake_job_int(f, "batch", 16);
    fake_job_int(f, "warmup", 2);
    fake_job_int(f, "steps", steps);
    fake_job_text(f, "gemm", "packed");
}

/* SKIP and REPEAT from step 6 of 12 on. */
static void train_deep(double skip, double repeat, uint64_t seed, size_t threads, struct buf *out)
{
    struct fake_job f;

    start(&f, 12);
    fake_job_real(&f, "layer_skip", skip);
    fake_job_real(&f, "layer_repeat", repeat);
    fake_job_real(&f, "depth_start", 0.5);
    f.lease.seed = seed;
    f.job.pool = pool_new(threads);
    fake_job_run_or_fail(&f);
    assert_int_equal(f.job.outputs_len, 1);
    assert_string_equal(f.job.output[0].name, "model");
    fake_model_read(f.folder, out);
    pool_free(f.job.pool);
    fake_job_release(&f);
}

static void train(uint64_t seed, size_t threads, struct buf *out)
{
    train_deep(0, 0, seed, threads, out);
}

static void model_is_a_function_of_parameters_and_seed(void **state)
{
    struct buf one CLEANUP(buf_release) = { 0 }, two CLEANUP(buf_release) = { 0 };
    struct buf three CLEANUP(buf_release) = { 0 }, other CLEANUP(buf_release) = { 0 };

    (void)state;
    train(1, 1, &one);
    train(1, 2, &two);
    train(1, 3, &three);
    train(2, 1, &other);
    assert_int_equal(one.len, two.len);
    assert_memory_equal(one.data, two.data, one.len);
    assert_int_equal(one.len, three.len);
    assert_memory_equal(one.data, three.data, one.len);
    assert_int_equal(one.len, other.len);
    assert_memory_not_equal(one.data, other.data, one.len);
}

static void skipped_and_repeated_layers_change_the_model_but_threads_do_not(void **state)
{
    static const double skip[] = { 0.3, 0, 0.2 }, repeat[] = { 0, 0.3, 0.2 };
    struct buf plain CLEANUP(buf_release) = { 0 };

    (void)state;
    train(1, 1, &plain);
    for (size_t i = 0; i < ARRAY_LEN(skip); i++) {
        struct buf one CLEANUP(buf_release) = { 0 }, two CLEANUP(buf_release) = { 0 };

        train_deep(skip[i], repeat[i], 1, 1, &one);
        train_deep(skip[i], repeat[i], 1, 3, &two);
        assert_int_equal(one.len, two.len);
        assert_memory_equal(one.data, two.data, one.len);
        assert_int_equal(one.len, plain.len);
        assert_memory_not_equal(one.data, plain.data, one.len);
    }
}

static void layers_are_a_metric_where_they_vary(void **state)
{
    struct fake_job f;
    size_t points = 0;

    (void)state;
    start(&f, 40);
    fake_job_real(&f, "layer_repeat", 1);
    fake_job_real(&f, "depth_start", 0.5);
    fake_job_run_or_fail(&f);
    for (size_t i = 0; i < f.metrics_len; i++)
        if (strcmp(f.metric[i].name, "layers") == 0) {
            assert_true(f.metric[i].value == (f.metric[i].step == 20 ? 2 : 4));
            points++;
        }
    assert_int_equal(points, 2);
    fake_job_release(&f);
}

static void saved_model_opens_with_its_tokenizer(void **state)
{
    struct fake_job f;
    struct model *m = NULL;
    struct err err = { 0 };

    (void)state;
    start(&f, 3);
    fake_job_run_or_fail(&f);
    assert_int_equal(model_open(&m, f.folder, NULL, NULL, &err), 0);
    assert_non_null(m->tok);
    assert_int_equal(m->conf.layers, 2);
    assert_int_equal(m->conf.dim, 16);
    assert_int_equal(m->conf.kv_heads, 2);
    assert_int_equal(m->conf.vocab, tokenizer_vocab(m->tok));
    model_free(m);
    fake_job_release(&f);
}

static void metrics_come_every_twenty_steps_and_at_the_end(void **state)
{
    static const uint64_t at[] = { 20, 40, 50 };
    struct fake_job f;
    size_t losses = 0;

    (void)state;
    start(&f, 50);
    fake_job_run_or_fail(&f);
    for (size_t i = 0; i < f.metrics_len; i++) {
        if (strcmp(f.metric[i].name, "loss") == 0) {
            assert_true(losses < ARRAY_LEN(at) && f.metric[i].step == at[losses]);
            losses++;
        }
        if (strcmp(f.metric[i].name, "accuracy") == 0)
            assert_true(f.metric[i].value >= 0 && f.metric[i].value <= 1);
    }
    assert_int_equal(losses, ARRAY_LEN(at));
    assert_int_equal(atomic_load(&f.progress.done), 50);
    assert_int_equal(atomic_load(&f.progress.total), 50);
    assert_true(atomic_load(&f.progress.counter) >= 50);
    fake_job_release(&f);
}

static void stopped_training_says_so_and_makes_nothing(void **state)
{
    struct fake_job f;
    struct err err = { 0 };

    (void)state;
    start(&f, 50);
    atomic_store(&f.progress.stop, true);
    assert_int_equal(fake_job_run(&f, &err), ERR_CANCELLED);
    assert_int_equal(f.job.outputs_len, 0);
    fake_job_release(&f);
}

/* The metrics of F, those of steps up to TO only, as text; the first FROM come from another
 * attempt. */
static void tell_metrics(const struct fake_job *f, uint64_t to, struct buf *out)
{
    for (size_t i = 0; i < f->metrics_len; i++)
        if (f->metric[i].step <= to)
            buf_printf(out, "%s %d %a\n", f->metric[i].name, (int)f->metric[i].step,
                       f->metric[i].value);
}

/* Stopped when step STOP reports, with or without time to save; then another attempt goes on from
 * what is left. Returns the step of it. */
static uint64_t kill_and_go_on(uint64_t stop, bool drain, double every_s, struct buf *model,
                               struct buf *metrics)
{
    uint64_t from;
    struct fake_job one, two;
    struct err err = { 0 };

    start(&one, 50);
    fake_job_real(&one, "layer_skip", 0.2);
    fake_job_real(&one, "checkpoint_s", every_s);
    one.stop_at_step = stop;
    one.drain = drain;
    assert_int_equal(fake_job_run(&one, &err), ERR_CANCELLED);
    from = one.checkpoint_step;
    tell_metrics(&one, from, metrics);

    start(&two, 50);
    fake_job_real(&two, "layer_skip", 0.2);
    snprintf(two.checkpoint, sizeof(two.checkpoint), "%s", one.checkpoint);
    two.checkpoint_step = one.checkpoint_step;
    fake_job_run_or_fail(&two);
    tell_metrics(&two, 50, metrics);
    fake_model_read(two.folder, model);
    fake_job_release(&one);
    fake_job_release(&two);
    return from;
}

static void attempt_that_goes_on_makes_the_same_model_and_metrics(void **state)
{
    struct buf plain CLEANUP(buf_release) = { 0 }, curve CLEANUP(buf_release) = { 0 };
    struct fake_job f;

    (void)state;
    start(&f, 50);
    fake_job_real(&f, "layer_skip", 0.2);
    fake_job_run_or_fail(&f);
    fake_model_read(f.folder, &plain);
    tell_metrics(&f, 50, &curve);
    fake_job_release(&f);
    for (int way = 0; way < 3; way++) {
        struct buf model CLEANUP(buf_release) = { 0 }, metrics CLEANUP(buf_release) = { 0 };

        /* Drained at a point of the metrics; saved every millisecond, then cancelled; not even
         * once. */
        uint64_t from = kill_and_go_on(20, way == 0, way == 1 ? 0.001 : 60, &model, &metrics);
        assert_true(way == 0 ? from == 20 : way == 1 ? from > 0 && from <= 20 : from == 0);
        assert_int_equal(plain.len, model.len);
        assert_memory_equal(plain.data, model.data, plain.len);
        assert_string_equal(buf_str(&curve), buf_str(&metrics));
    }
}

/* A step between two points: the sums of the unfinished interval are in the checkpoint. */
static void stop_between_two_points_loses_no_part_of_a_mean(void **state)
{
    struct buf plain CLEANUP(buf_release) = { 0 }, resumed CLEANUP(buf_release) = { 0 };
    struct fake_job one, two;
    struct err err = { 0 };

    (void)state;
    start(&one, 40);
    fake_job_run_or_fail(&one);
    tell_metrics(&one, 40, &plain);
    fake_job_release(&one);
    start(&one, 40);
    fake_job_real(&one, "checkpoint_s", 0.001);
    fake_job_run_or_fail(&one);
    assert_true(one.checkpoint_step > 20 && one.checkpoint_step < 40);
    tell_metrics(&one, 39, &resumed);
    start(&two, 40);
    snprintf(two.checkpoint, sizeof(two.checkpoint), "%s", one.checkpoint);
    two.checkpoint_step = one.checkpoint_step;
    assert_int_equal(fake_job_run(&two, &err), 0);
    tell_metrics(&two, 40, &resumed);
    assert_string_equal(buf_str(&plain), buf_str(&resumed));
    fake_job_release(&one);
    fake_job_release(&two);
}

static void checkpoint_that_is_none_means_the_start(void **state)
{
    static const char *const bytes[] = { "", "rubbish", "drover checkpoint\npretrain 9\n",
                                         "drover checkpoint\npretrain 1\n\3\0\0\0\0\0\0\0abc" };
    static const size_t len[] = { 0, 7, 29, 40 };
    struct buf plain CLEANUP(buf_release) = { 0 };
    struct fake_job f;
    struct err err = { 0 };

    (void)state;
    start(&f, 10);
    fake_job_run_or_fail(&f);
    fake_model_read(f.folder, &plain);
    fake_job_release(&f);
    for (size_t i = 0; i < ARRAY_LEN(bytes); i++) {
        struct buf model CLEANUP(buf_release) = { 0 };

        start(&f, 10);
        snprintf(f.checkpoint, sizeof(f.checkpoint), "%s/bad", f.scratch);
        assert_int_equal(buf_write_file(f.checkpoint, bytes[i], len[i], &err), 0);
        f.checkpoint_step = 5;
        fake_job_run_or_fail(&f);
        fake_model_read(f.folder, &model);
        assert_memory_equal(plain.data, model.data, plain.len);
        assert_int_equal(f.metric[0].step, 10);
        fake_job_release(&f);
    }
}

static void unknown_tasks_and_files_are_refused(void **state)
{
    static const char *const tasks[] = { "arc_easy" };
    struct fake_job f;
    struct err err = { 0 };

    (void)state;
    start(&f, 5);
    fake_job_texts(&f, "tasks", tasks, 1);
    assert_int_equal(fake_job_run(&f, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "arc_easy"));
    fake_job_release(&f);
}

static void levels_open_one_after_the_other(void **state)
{
    struct problems_conf c = { .levels_len = 3, .ramp = 0.3, .steps = 100 };

    (void)state;
    assert_int_equal(problems_open_levels(&c, 0), 1);
    assert_int_equal(problems_open_levels(&c, 9), 1);
    assert_int_equal(problems_open_levels(&c, 10), 2);
    assert_int_equal(problems_open_levels(&c, 20), 3);
    assert_int_equal(problems_open_levels(&c, 99), 3);
    c.ramp = 0;
    assert_int_equal(problems_open_levels(&c, 0), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(model_is_a_function_of_parameters_and_seed),
        cmocka_unit_test(skipped_and_repeated_layers_change_the_model_but_threads_do_not),
        cmocka_unit_test(layers_are_a_metric_where_they_vary),
        cmocka_unit_test(saved_model_opens_with_its_tokenizer),
        cmocka_unit_test(metrics_come_every_twenty_steps_and_at_the_end),
        cmocka_unit_test(stopped_training_says_so_and_makes_nothing),
        cmocka_unit_test(attempt_that_goes_on_makes_the_same_model_and_metrics),
        cmocka_unit_test(stop_between_two_points_loses_no_part_of_a_mean),
        cmocka_unit_test(checkpoint_that_is_none_means_the_start),
        cmocka_unit_test(unknown_tasks_and_files_are_refused),
        cmocka_unit_test(levels_open_one_after_the_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
