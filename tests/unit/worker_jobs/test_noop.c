/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: noop's model and metrics are a function of its parameters, seed and input model, never of
 * the time it takes; they are smooth enough to choose by; it stops when asked. Method: fake
 * services; golden numbers. */
#include "tests/support/fake_job.h"

#include "common/base/clock.h"

struct outcome {
    uint8_t model[64];
    double reward, loss; /* last */
    size_t metrics;
};

struct setting {
    const char *schedule, *input;
    double gamma;
    double weights[3];
    int64_t stage, sleep_ms;
    uint64_t seed;
};

static const struct setting usual = { "cosine", "model", 0.9, { 1, 2, 3 }, 1, 0, 7 };

static void run(const struct setting *t, struct outcome *ret)
{
    struct fake_job f;

    *ret = (struct outcome){ .reward = -1 };
    fake_job_init(&f, KIND_NOOP);
    f.lease.seed = t->seed;
    fake_job_text(&f, "schedule", t->schedule);
    fake_job_real(&f, "gamma", t->gamma);
    fake_job_int(&f, "stage", t->stage);
    fake_job_int(&f, "sleep_ms", t->sleep_ms);
    fake_job_int(&f, "points", 5);
    fake_job_reals(&f, "weights", t->weights, 3);
    fake_job_input(&f, "model", t->input);
    fake_job_run_or_fail(&f);
    assert_int_equal(f.job.outputs_len, 1);
    assert_string_equal(f.job.output[0].name, "model");
    assert_int_equal(f.bytes.len, sizeof(ret->model));
    memcpy(ret->model, f.bytes.data, sizeof(ret->model));
    for (size_t i = 0; i < f.metrics_len; i++) {
        assert_int_equal(f.metric[i].step, i / 2 + 1);
        if (strcmp(f.metric[i].name, "reward") == 0)
            ret->reward = f.metric[i].value;
        else
            ret->loss = f.metric[i].value;
    }
    ret->metrics = f.metrics_len;
    assert_int_equal(atomic_load(&f.progress.done), 5);
    assert_int_equal(atomic_load(&f.progress.total), 5);
    fake_job_release(&f);
}

static void time_spent_changes_no_bit(void **state)
{
    struct setting slow = usual;
    struct outcome a, b;

    (void)state;
    slow.sleep_ms = 30;
    run(&usual, &a);
    run(&slow, &b);
    assert_memory_equal(&a, &b, sizeof(a));
    assert_int_equal(a.metrics, 10);
}

static void everything_that_is_given_enters_the_result(void **state)
{
    struct setting other[6] = { usual, usual, usual, usual, usual, usual };
    struct outcome a, b;

    (void)state;
    other[0].schedule = "linear";
    other[1].gamma = 0.91;
    other[2].weights[2] = 4;
    other[3].stage = 2;
    other[4].seed = 8;
    other[5].input = "another model";
    run(&usual, &a);
    for (size_t i = 0; i < ARRAY_LEN(other); i++) {
        run(&other[i], &b);
        assert_memory_not_equal(a.model, b.model, sizeof(a.model));
        assert_true(a.reward != b.reward && a.loss != b.loss);
    }
}

/* The noise of a seed is at most 0.01 up or down. */
static void reward_rises_with_the_stages_and_tells_good_parameters_from_bad(void **state)
{
    struct setting good = usual, bad = usual;
    struct outcome a, b;

    (void)state;
    good.gamma = 0.7;
    bad.gamma = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        good.seed = bad.seed = seed;
        run(&good, &a);
        run(&bad, &b);
        assert_true(a.reward > b.reward + 0.05 && a.loss < b.loss - 0.05);
    }
    bad = good;
    bad.stage = 0;
    run(&bad, &b);
    assert_true(a.reward > b.reward + 0.05 && a.loss < b.loss - 0.05);
}

static void bits_never_change(void **state)
{
    struct outcome a;
    struct digest d;
    char hex[DIGEST_HEX];

    (void)state;
    run(&usual, &a);
    d = digest_of(a.model, sizeof(a.model));
    assert_string_equal(digest_hex(&d, hex),
                        "fc582195c41190c11f383fef63f81ca11a314b9780017db02b3600881e07a246");
    assert_true(a.reward == 0x1.8884e6bf43292p-1);
    assert_true(a.loss == 0x1.67140d4edb1ddp-3);
}

static void stops_within_a_slice_when_asked(void **state)
{
    struct fake_job f;
    struct err err = { 0 };

    (void)state;
    fake_job_init(&f, KIND_NOOP);
    fake_job_int(&f, "sleep_ms", 3600000);
    atomic_store(&f.progress.stop, true);
    assert_int_equal(fake_job_run(&f, &err), ERR_CANCELLED);
    assert_non_null(strstr(err.text, "point 0 of 8"));
    assert_int_equal(f.job.outputs_len, 0);
    fake_job_release(&f);
}

static void no_points_still_give_a_model(void **state)
{
    struct fake_job f;

    (void)state;
    fake_job_init(&f, KIND_NOOP);
    fake_job_int(&f, "points", 0);
    fake_job_run_or_fail(&f);
    assert_int_equal(f.metrics_len, 0);
    assert_int_equal(f.bytes.len, 64);
    fake_job_release(&f);
}

static void asked_for_nothing_it_makes_nothing(void **state)
{
    struct fake_job f;
    struct err err = { 0 };

    (void)state;
    fake_job_init(&f, KIND_NOOP);
    fake_job_int(&f, "number", 77);
    assert_false(job_makes_nothing(&f.job));
    fake_job_text(&f, "makes", "nothing");
    assert_true(job_makes_nothing(&f.job));
    fake_job_run_or_fail(&f);
    assert_int_equal(f.metrics_len, 0);
    assert_int_equal(f.bytes.len, 0);
    assert_int_equal(f.job.outputs_len, 0);
    atomic_store(&f.progress.stop, true);
    assert_int_equal(fake_job_run(&f, &err), ERR_CANCELLED);
    fake_job_release(&f);
}

static void number_enters_the_result(void **state)
{
    struct fake_job f[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        fake_job_init(&f[i], KIND_NOOP);
        fake_job_int(&f[i], "number", i);
        fake_job_run_or_fail(&f[i]);
    }
    assert_memory_not_equal(f[0].bytes.data, f[1].bytes.data, 64);
    fake_job_release(&f[0]);
    fake_job_release(&f[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_spent_changes_no_bit),
        cmocka_unit_test(everything_that_is_given_enters_the_result),
        cmocka_unit_test(reward_rises_with_the_stages_and_tells_good_parameters_from_bad),
        cmocka_unit_test(bits_never_change),
        cmocka_unit_test(stops_within_a_slice_when_asked),
        cmocka_unit_test(no_points_still_give_a_model),
        cmocka_unit_test(asked_for_nothing_it_makes_nothing),
        cmocka_unit_test(number_enters_the_result),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
