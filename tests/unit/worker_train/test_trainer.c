/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the trainer's gradient is the derivative of the loss, its weights' bits do not depend on
 * threads, pools or (packed) kernel levels, and it learns. Method: central differences of a naive
 * double twin (tests/support/train_twin.c) over elements of every tensor, planted wrong gradients
 * for the checker itself, repeated runs compared by memcmp; all of it also with sequences that skip
 * and repeat layers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/worker_train/gradients.h"

/* GEMM's gradient against SLOPES, whose weights and batch it has. */
static void check_gemm(const struct slopes *slopes, enum train_gemm gemm)
{
    struct train_conf c = *slopes->conf;
    struct trainer *t;
    float *grad = mem_calloc(slopes->layout->floats_len, sizeof(float));
    struct train_report report;
    struct err err = { 0 };
    char where[128];
    double error;

    c.gemm = gemm;
    t = trainer_or_fail(&c, NULL, NULL);
    assert_memory_equal(trainer_weights(t)->all, slopes->layout->all,
                        slopes->layout->floats_len * sizeof(float));
    assert_int_equal(trainer_gradient(t, slopes->batch, &report, grad, &err), 0);
    error = gradient_error(slopes, grad, where);
    print_message("largest gradient error %.2g at %s\n", error, where);
    assert_true(error < GRADIENT_LIMIT);
    assert_true(fabs(train_twin_loss(&c.model, slopes->layout, slopes->all, slopes->batch) -
                     report.loss) < 1e-5);
    free(grad);
    trainer_free(t);
}

/* With both ways to multiply matrices, with a tied head and a head of its own. */
static void check_gradients(bool times)
{
    for (int tied = 0; tied < 2; tied++) {
        struct train_conf c = small_conf(tied, TRAIN_GEMM_PACKED);
        struct trainer *t = trainer_or_fail(&c, NULL, NULL);
        struct slopes slopes;
        struct batch b;

        draw_batch(&b, 1);
        if (times)
            draw_times(&b, 1);
        slopes = slopes_of(&c, t, &b.b);
        check_gemm(&slopes, TRAIN_GEMM_PACKED);
        check_gemm(&slopes, TRAIN_GEMM_OPENBLAS);
        slopes_release(&slopes);
        trainer_free(t);
    }
}

static void gradient_is_the_derivative_of_the_loss(void **state)
{
    (void)state;
    check_gradients(false);
}

static void gradient_through_skipped_and_repeated_layers_is_the_derivative(void **state)
{
    (void)state;
    check_gradients(true);
}

/* One planted error per tensor: its gradient doubled, and its gradient zero. */
struct plant {
    struct check check;
    float *grad;
    double least;
    float factor;
};

static int plant_tensor(const struct model_tensor *t, void *arg)
{
    struct plant *p = arg;
    size_t size = t->rows * t->cols;
    float *keep;

    if (size == 0) /* a tied head */
        return 0;
    keep = mem_dup(p->grad + t->offset, size * sizeof(float));

    for (size_t i = 0; i < size; i++)
        p->grad[t->offset + i] *= p->factor;
    p->check.worst = 0;
    (void)check_tensor(t, &p->check);
    p->least = MIN(p->least, p->check.worst);
    memcpy(p->grad + t->offset, keep, size * sizeof(float));
    free(keep);
    return 0;
}

static void planted_wrong_gradients_are_caught(void **state)
{
    static const float factor[] = { 0.0f, 1.01f, -1.0f };
    struct train_conf c = small_conf(true, TRAIN_GEMM_PACKED);
    struct trainer *t = trainer_or_fail(&c, NULL, NULL);
    const struct model_weights *w = trainer_weights(t);
    float *grad = mem_calloc(w->floats_len, sizeof(float));
    struct train_report report;
    struct slopes slopes;
    struct err err = { 0 };
    struct batch b;

    (void)state;
    draw_batch(&b, 2);
    slopes = slopes_of(&c, t, &b.b);
    assert_int_equal(trainer_gradient(t, &b.b, &report, grad, &err), 0);
    for (size_t i = 0; i < ARRAY_LEN(factor); i++) {
        struct plant p = { .check = { .slopes = &slopes, .grad = grad },
                           .grad = grad,
                           .least = 1e9,
                           .factor = factor[i] };

        (void)model_each_tensor(&c.model, plant_tensor, &p);
        assert_true(p.least > 10 * GRADIENT_LIMIT);
    }
    slopes_release(&slopes);
    free(grad);
    trainer_free(t);
}

/* ------------------------------------------------------------------------------------------- */

enum { TRAINED_STEPS = 6 };

/* Weights after TRAINED_STEPS steps; free() them. */
static float *trained(const struct train_conf *c, struct pool *pool, struct pool *then,
                      const struct kernels *kern, bool times, size_t *ret_floats)
{
    struct trainer *t = trainer_or_fail(c, pool, kern);
    float *all;

    for (size_t i = 0; i < TRAINED_STEPS; i++) {
        struct train_report report;
        struct err err = { 0 };
        struct batch b;

        if (i == TRAINED_STEPS / 2)
            trainer_set_pool(t, then);
        draw_batch(&b, i);
        if (times)
            draw_times(&b, i);
        if (trainer_step(t, &b.b, &report, &err) < 0)
            fail_msg("%s", err.text);
    }
    assert_int_equal(trainer_steps(t), TRAINED_STEPS);
    *ret_floats = trainer_weights(t)->floats_len;
    all = mem_dup(trainer_weights(t)->all, *ret_floats * sizeof(float));
    trainer_free(t);
    return all;
}

static void bits_do_not_depend_on_threads_or_pools(void **state)
{
    static const enum train_gemm gemm[] = { TRAIN_GEMM_OPENBLAS, TRAIN_GEMM_PACKED };
    struct pool *pool[] = { NULL, pool_new(1), pool_new(2), pool_new(3) };

    (void)state;
    for (size_t g = 0; g < 2 * ARRAY_LEN(gemm); g++) {
        struct train_conf c = small_conf(true, gemm[g / 2]);
        size_t floats;
        float *want = trained(&c, NULL, NULL, NULL, g % 2, &floats);

        for (size_t i = 1; i < ARRAY_LEN(pool); i++) {
            float *got = trained(&c, pool[i], pool[ARRAY_LEN(pool) - i], NULL, g % 2, &floats);

            assert_memory_equal(got, want, floats * sizeof(float));
            free(got);
        }
        free(want);
    }
    for (size_t i = 1; i < ARRAY_LEN(pool); i++)
        pool_free(pool[i]);
}

static void check_kernel_levels(bool times)
{
    struct train_conf c = small_conf(false, TRAIN_GEMM_PACKED);
    size_t floats;
    float *want = trained(&c, NULL, NULL, kernels_at(KERNELS_GENERIC), times, &floats);

    for (int level = KERNELS_GENERIC + 1; level < KERNELS_LEVELS; level++) {
        const struct kernels *k = kernels_at((enum kernels_level)level);
        float *got;

        if (!k)
            continue;
        got = trained(&c, NULL, NULL, k, times, &floats);
        assert_memory_equal(got, want, floats * sizeof(float));
        free(got);
    }
    free(want);
}

static void packed_bits_are_equal_on_every_kernel_level(void **state)
{
    (void)state;
    check_kernel_levels(false);
    check_kernel_levels(true);
}

static void every_layer_once_is_the_same_loss_as_no_times(void **state)
{
    struct train_conf c = small_conf(true, TRAIN_GEMM_PACKED);
    struct trainer *t = trainer_or_fail(&c, NULL, NULL);
    size_t floats = trainer_weights(t)->floats_len;
    float *want = mem_calloc(floats, sizeof(float)), *got = mem_calloc(floats, sizeof(float));
    struct train_report plain, once;
    struct err err = { 0 };
    struct batch b;

    (void)state;
    draw_batch(&b, 5);
    assert_int_equal(trainer_gradient(t, &b.b, &plain, want, &err), 0);
    memset(b.times, 1, sizeof(b.times));
    b.b.times = b.times;
    assert_int_equal(trainer_gradient(t, &b.b, &once, got, &err), 0);
    assert_true(plain.loss == once.loss);
    for (size_t i = 0; i < floats; i++)
        assert_true(fabsf(got[i] - want[i]) < 1e-6f);
    free(want);
    free(got);
    trainer_free(t);
}

static void seed_and_micro_batches_are_part_of_the_result(void **state)
{
    struct train_conf c = small_conf(true, TRAIN_GEMM_PACKED), other = c;
    size_t floats;
    float *want = trained(&c, NULL, NULL, NULL, false, &floats), *got;

    (void)state;
    other.seed = 2;
    got = trained(&other, NULL, NULL, NULL, false, &floats);
    assert_memory_not_equal(got, want, floats * sizeof(float));
    free(got);
    other = c;
    other.micro_batches = 40; /* more than sequences: some are empty */
    got = trained(&other, NULL, NULL, NULL, false, &floats);
    for (size_t i = 0; i < floats; i++) /* equal up to the rounding of another order of summing */
        assert_true(fabsf(got[i] - want[i]) < 5e-3f);
    free(got);
    free(want);
}

static void small_model_learns_a_tiny_set_by_heart(void **state)
{
    struct train_conf c = small_conf(true, TRAIN_GEMM_OPENBLAS);
    struct trainer *t = trainer_or_fail(&c, NULL, NULL);
    struct train_report report = { 0 };
    struct err err = { 0 };
    struct batch b;
    double first = 0;

    (void)state;
    draw_batch(&b, 77);
    for (size_t s = 0; s < SEQUENCES;
         s++) /* prefixes may repeat between sequences: only ends count */
        for (size_t i = b.start[s]; i + 1 < b.start[s + 1]; i++)
            b.target[i] = TRAIN_NO_TARGET;
    for (size_t s = 0; s < SEQUENCES; s++)
        b.tokens[b.start[s]] = (uint32_t)s;
    for (size_t i = 0; i < c.steps; i++) {
        assert_int_equal(trainer_step(t, &b.b, &report, &err), 0);
        if (i == 0)
            first = report.loss;
    }
    assert_true(first > 1.5);
    assert_true(report.loss < 0.05);
    assert_int_equal(report.correct, SEQUENCES);
    trainer_free(t);
}

static void training_that_leaves_the_finite_numbers_is_diverged(void **state)
{
    struct train_conf c = small_conf(true, TRAIN_GEMM_PACKED);
    struct trainer *t = trainer_or_fail(&c, NULL, NULL);
    size_t floats = trainer_weights(t)->floats_len;
    float *bad = mem_dup(trainer_weights(t)->all, floats * sizeof(float));
    struct train_report report;
    struct err err = { 0 };
    struct batch b;

    (void)state;
    draw_batch(&b, 3);
    bad[floats / 2] = NAN;
    trainer_set_weights(t, bad);
    assert_int_equal(trainer_step(t, &b.b, &report, &err), ERR_DIVERGED);
    assert_int_equal(err.code, ERR_DIVERGED);
    assert_int_equal(trainer_steps(t), 0);
    assert_memory_equal(trainer_weights(t)->all, bad, floats * sizeof(float));
    free(bad);
    trainer_free(t);
}

static void bad_batches_are_refused_with_a_reason(void **state)
{
    struct train_conf c = small_conf(true, TRAIN_GEMM_PACKED);
    struct trainer *t = trainer_or_fail(&c, NULL, NULL);
    struct train_report report;
    struct err err = { 0 };
    struct batch b;
    uint32_t long_tokens[17] = { 0 }, long_target[17] = { 0 };
    size_t long_start[2] = { 0, 17 };
    struct train_batch too_long = {
        .tokens = long_tokens, .target = long_target, .start = long_start, .sequences = 1
    };

    (void)state;
    assert_int_equal(trainer_step(t, &too_long, &report, &err), ERR_LIMIT);
    draw_batch(&b, 4);
    b.tokens[3] = 16;
    assert_int_equal(trainer_step(t, &b.b, &report, &err), ERR_INVALID);
    draw_batch(&b, 4);
    memset(b.target, 0xff, sizeof(b.target));
    assert_int_equal(trainer_step(t, &b.b, &report, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "without targets"));
    draw_batch(&b, 4);
    b.b.sequences = 0;
    assert_int_equal(trainer_step(t, &b.b, &report, &err), ERR_INVALID);
    draw_batch(&b, 4);
    draw_times(&b, 4);
    b.times[7] = 3;
    assert_int_equal(trainer_step(t, &b.b, &report, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "sequence 2 goes 3 times through layer 1"));
    assert_int_equal(trainer_steps(t), 0);
    trainer_free(t);
}

static void bad_configurations_name_the_field(void **state)
{
    struct train_conf c = small_conf(true, TRAIN_GEMM_PACKED);
    struct trainer *t = NULL;
    struct err err = { 0 };

    (void)state;
    c.warmup = c.steps + 1;
    assert_int_equal(trainer_new(&t, &c, NULL, NULL, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "warmup"));
    c = small_conf(true, TRAIN_GEMM_PACKED);
    c.learning_rate = NAN;
    assert_int_equal(trainer_new(&t, &c, NULL, NULL, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "learning_rate"));
    c = small_conf(true, TRAIN_GEMM_PACKED);
    c.model.heads = 5;
    assert_int_equal(trainer_new(&t, &c, NULL, NULL, &err), ERR_INVALID);
    c = small_conf(true, TRAIN_GEMM_PACKED); /* smaller than 1: angles grow */
    c.model.rope_scaling = (struct rope_scaling){ .kind = ROPE_LINEAR, .factor = 0.5f };
    assert_int_equal(trainer_new(&t, &c, NULL, NULL, &err), ERR_INVALID);
    assert_null(t);
}

static void rate_warms_up_and_follows_a_cosine(void **state)
{
    struct train_conf c = train_conf_default();

    (void)state;
    c.steps = 1000;
    c.warmup = 100;
    c.learning_rate = 1.0;
    c.final_rate = 0.1;
    assert_true(train_rate(&c, 0) == 0.01);
    assert_true(train_rate(&c, 99) == 1.0);
    for (uint64_t s = 100; s < 1000; s++) {
        double want = 0.1 + 0.9 * 0.5 * (1 + cos(M_PI * (double)(s - 100) / 900.0));

        assert_true(fabs(train_rate(&c, s) - want) < 1e-10);
        assert_true(train_rate(&c, s + 1) < train_rate(&c, s));
    }
    assert_true(train_rate(&c, 1000) == 0.1 && train_rate(&c, 5000) == 0.1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradient_is_the_derivative_of_the_loss),
        cmocka_unit_test(gradient_through_skipped_and_repeated_layers_is_the_derivative),
        cmocka_unit_test(planted_wrong_gradients_are_caught),
        cmocka_unit_test(bits_do_not_depend_on_threads_or_pools),
        cmocka_unit_test(packed_bits_are_equal_on_every_kernel_level),
        cmocka_unit_test(every_layer_once_is_the_same_loss_as_no_times),
        cmocka_unit_test(seed_and_micro_batches_are_part_of_the_result),
        cmocka_unit_test(small_model_learns_a_tiny_set_by_heart),
        cmocka_unit_test(training_that_leaves_the_finite_numbers_is_diverged),
        cmocka_unit_test(bad_batches_are_refused_with_a_reason),
        cmocka_unit_test(bad_configurations_name_the_field),
        cmocka_unit_test(rate_warms_up_and_follows_a_cosine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
