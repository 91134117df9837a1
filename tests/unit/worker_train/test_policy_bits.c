/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a policy step's bits depend on nothing but (conf, batches), and its log-probabilities are
 * those of the policy that samples. Method: two epochs on each of two batches, repeated over
 * threads, memory plans and kernel levels; log-probabilities against the sweep's logits, alone and
 * in company. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka needs those before it */
#include <cmocka.h>

#include "tests/unit/worker_train/policy_batch.h"
#include "worker/model/sweep.h"

enum { TRAINED_STEPS = 4 };

/* Weights behind two epochs on each of some batches, and what the last step reported; free(). */
static float *trained(const struct train_conf *c, struct pool *pool, const struct kernels *kern,
                      struct policy_report *ret, size_t *ret_floats)
{
    struct trainer *t = trainer_or_fail(c, pool, kern);
    double old[ROWS_MAX];
    float *all;

    for (size_t i = 0; i < TRAINED_STEPS; i++) {
        struct err err = { 0 };
        struct policy p;
        struct batch b;

        draw_batch(&b, i / 2, LOSS_SEQUENCE);
        if (trainer_logprobs(t, &b.b, 0.9, b.reference, NULL, &err) < 0)
            fail_msg("%s", err.text);
        for (size_t r = 0; r < b.start[SEQUENCES]; r++)
            b.reference[r] -= 0.25;
        p = policy_of(&b, 0.9, 0.05);
        p.old = i % 2 ? old : NULL;
        p.logprob = old; /* of the first epoch, read by the second; then in place */
        p.conf.rate = 5e-3;
        if (trainer_policy_step(t, &b.b, &p, ret, &err) < 0)
            fail_msg("%s", err.text);
        assert_true(i % 2 ? ret->kl_old > 0 : ret->kl_old == 0);
    }
    *ret_floats = trainer_weights(t)->floats_len;
    all = mem_dup(trainer_weights(t)->all, *ret_floats * sizeof(float));
    trainer_free(t);
    return all;
}

static void bits_do_not_depend_on_threads_or_memory(void **state)
{
    static const enum train_gemm gemm[] = { TRAIN_GEMM_OPENBLAS, TRAIN_GEMM_PACKED };
    struct pool *pool[] = { NULL, pool_new(1), pool_new(2), pool_new(3) };

    (void)state;
    for (size_t g = 0; g < ARRAY_LEN(gemm); g++) {
        struct train_conf c = small_conf(true, gemm[g]);
        struct policy_report first, then;
        size_t floats;
        float *want = trained(&c, NULL, NULL, &first, &floats);

        for (size_t i = 0; i < 2 * ARRAY_LEN(pool); i++) {
            float *got;

            c.memory = i % 2 ? TRAIN_MEMORY_SMALL : TRAIN_MEMORY_FAST;
            got = trained(&c, pool[i / 2], NULL, &then, &floats);
            assert_memory_equal(got, want, floats * sizeof(float));
            assert_memory_equal(&then, &first, sizeof(first));
            free(got);
        }
        free(want);
    }
    for (size_t i = 1; i < ARRAY_LEN(pool); i++)
        pool_free(pool[i]);
}

static void packed_bits_are_equal_on_every_kernel_level(void **state)
{
    struct train_conf c = small_conf(false, TRAIN_GEMM_PACKED);
    struct policy_report first, then;
    size_t floats;
    float *want = trained(&c, NULL, kernels_at(KERNELS_GENERIC), &first, &floats);

    (void)state;
    for (int level = KERNELS_GENERIC + 1; level < KERNELS_LEVELS; level++) {
        const struct kernels *k = kernels_at((enum kernels_level)level);
        float *got;

        if (!k)
            continue;
        got = trained(&c, NULL, k, &then, &floats);
        assert_memory_equal(got, want, floats * sizeof(float));
        assert_memory_equal(&then, &first, sizeof(first));
        free(got);
    }
    free(want);
}

/* ------------------------------------------------------------------------------------------- */

/* What sampling would say of the tokens: the sweep's logits, the softmax in double. */
static void log_probabilities_are_those_of_the_sweep(void **state)
{
    static const uint8_t routing[LAYERS] = { 1, 1 };
    struct train_conf c = small_conf(true, TRAIN_GEMM_PACKED);
    struct trainer *t = trainer_or_fail(&c, NULL, NULL);
    struct sweep *sweep = sweep_new(trainer_model(t), NULL);
    double got[ROWS_MAX], entropy[ROWS_MAX];
    float logits[16 * VOCAB];
    struct err err = { 0 };
    struct batch b;

    (void)state;
    draw_batch(&b, 60, LOSS_TOKEN);
    assert_int_equal(trainer_logprobs(t, &b.b, 0.7, got, entropy, &err), 0);
    for (size_t s = 0; s < SEQUENCES; s++) {
        size_t first = b.start[s], rows = b.start[s + 1] - first;
        struct sweep_seq q = {
            .tokens = b.tokens + first, .rows = rows, .routing = routing, .logits = logits
        };

        assert_int_equal(sweep_run(sweep, &q, 1, NULL, &err), 0);
        for (size_t i = 0; i < rows; i++) {
            double total = 0, mean = 0, l;

            if (b.target[first + i] == TRAIN_NO_TARGET) {
                assert_true(got[first + i] == 0 && entropy[first + i] == 0);
                continue;
            }
            for (size_t v = 0; v < VOCAB; v++) {
                total += exp((double)logits[i * VOCAB + v] / 0.7);
                mean += exp((double)logits[i * VOCAB + v] / 0.7) * (double)logits[i * VOCAB + v];
            }
            l = (double)logits[i * VOCAB + b.target[first + i]] / 0.7 - log(total);
            assert_true(fabs(got[first + i] - l) < 2e-6 * (1 + fabs(l)));
            assert_true(fabs(entropy[first + i] - (log(total) - mean / 0.7 / total)) < 1e-5);
        }
    }
    sweep_free(sweep);
    trainer_free(t);
}

/* A vocabulary so large that the head takes a micro-batch of all sequences in pieces, while one per
 * sequence needs none. */
static void pieces_of_the_head_give_the_loss_of_the_whole(void **state)
{
    struct train_conf c = small_conf(true, TRAIN_GEMM_PACKED);
    struct policy_report report[2];
    double logprob[2][ROWS_MAX];
    float *grad[2], largest = 0;
    struct batch b;
    size_t floats = 0;

    (void)state;
    c.model.vocab = 400000;
    c.model.dim = 8;
    c.model.heads = c.model.kv_heads = 1;
    c.model.layers = 1;
    c.micro_batches = 1;
    draw_batch(&b, 64, LOSS_SEQUENCE);
    for (size_t i = 0; i < b.start[SEQUENCES]; i++) {
        b.old[i] = -13.0 + 0.01 * (double)i; /* about uniform: log(400000) = 12.9 */
        b.reference[i] = -13.0;
        if (b.target[i] != TRAIN_NO_TARGET)
            b.target[i] = (uint32_t)(i * 3001);
    }
    for (size_t k = 0; k < 2; k++) {
        struct policy p = policy_of(&b, 4, 0.1);
        struct trainer *t;
        struct err err = { 0 };

        c.micro_batches = k == 0 ? 1 : SEQUENCES;
        t = trainer_or_fail(&c, NULL, NULL);
        floats = trainer_weights(t)->floats_len;
        grad[k] = mem_calloc(floats, sizeof(float));
        p.logprob = logprob[k];
        assert_int_equal(trainer_policy_gradient(t, &b.b, &p, &report[k], grad[k], &err), 0);
        trainer_free(t);
    }
    assert_true(report[0].targets * c.model.vocab > (size_t)1 << 24);
    assert_memory_equal(logprob[0], logprob[1], b.start[SEQUENCES] * sizeof(double));
    assert_true(fabs(report[0].loss - report[1].loss) < 1e-12);
    for (size_t i = 0; i < floats; i++)
        largest = fmaxf(largest, fabsf(grad[1][i]));
    assert_true(largest > 1e-3f);
    for (size_t i = 0; i < floats; i++)
        assert_true(fabsf(grad[0][i] - grad[1][i]) < 1e-5f * largest);
    free(grad[0]);
    free(grad[1]);
}

/* So that an old policy's numbers may come from any batch: then the ratio is exactly 1. */
static void log_probabilities_do_not_depend_on_the_batch(void **state)
{
    struct train_conf c = small_conf(true, TRAIN_GEMM_OPENBLAS);
    struct trainer *t = trainer_or_fail(&c, NULL, NULL);
    double together[ROWS_MAX], alone[ROWS_MAX];
    struct policy_report report;
    struct err err = { 0 };
    struct policy p;
    struct batch b;

    (void)state;
    draw_batch(&b, 61, LOSS_TOKEN);
    assert_int_equal(trainer_logprobs(t, &b.b, 1.3, together, NULL, &err), 0);
    for (size_t s = 0; s < SEQUENCES; s++) {
        size_t start[2] = { 0, b.start[s + 1] - b.start[s] };
        struct train_batch one = { .tokens = b.tokens + b.start[s],
                                   .target = b.target + b.start[s],
                                   .start = start,
                                   .sequences = 1 };

        assert_int_equal(trainer_logprobs(t, &one, 1.3, alone + b.start[s], NULL, &err), 0);
    }
    assert_memory_equal(alone, together, b.start[SEQUENCES] * sizeof(double));
    memcpy(b.old, together, sizeof(together));
    memcpy(b.reference, together, sizeof(together));
    p = policy_of(&b, 1.3, 0.1);
    assert_int_equal(trainer_policy_gradient(t, &b.b, &p, &report, NULL, &err), 0);
    assert_true(report.ratio == 1 && report.ratio_max == 1 && report.kl_old == 0);
    assert_true(report.kl_reference == 0 && report.clipped == 0);
    trainer_free(t);
}

static void a_frozen_trainer_gives_the_same_log_probabilities(void **state)
{
    struct train_conf c = small_conf(true, TRAIN_GEMM_PACKED);
    struct trainer *t = trainer_or_fail(&c, NULL, NULL), *frozen;
    double want[ROWS_MAX], got[ROWS_MAX];
    struct err err = { 0 };
    struct batch b;

    (void)state;
    c.frozen = true;
    frozen = trainer_or_fail(&c, NULL, NULL);
    draw_batch(&b, 62, LOSS_TOKEN);
    assert_int_equal(trainer_logprobs(t, &b.b, 1, want, NULL, &err), 0);
    assert_int_equal(trainer_logprobs(frozen, &b.b, 1, got, NULL, &err), 0);
    assert_memory_equal(got, want, b.start[SEQUENCES] * sizeof(double));
    trainer_free(frozen);
    trainer_free(t);
}

/* One state, two actions: the mean reward rises, and steps go on from supervised ones. */
static void rewarded_tokens_become_probable(void **state)
{
    struct train_conf c = small_conf(true, TRAIN_GEMM_PACKED);
    struct trainer *t = trainer_or_fail(&c, NULL, NULL);
    double first[ROWS_MAX], last[ROWS_MAX];
    struct policy_report report;
    struct err err = { 0 };
    struct policy p;
    struct batch b;

    (void)state;
    draw_batch(&b, 63, LOSS_TOKEN);
    for (size_t s = 0; s < SEQUENCES; s++)
        for (size_t i = b.start[s]; i < b.start[s + 1]; i++) {
            b.tokens[i] = (uint32_t)s; /* no two sequences see the same */
            b.advantage[i] = s % 2 ? 1 : -1;
        }
    p = policy_of(&b, 1, 0);
    p.old = p.reference = NULL;
    p.conf.rate = 2e-3;
    assert_int_equal(trainer_logprobs(t, &b.b, 1, first, NULL, &err), 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(trainer_policy_step(t, &b.b, &p, &report, &err), 0);
    assert_true(report.rate == 2e-3);
    assert_int_equal(trainer_steps(t), 5);
    assert_int_equal(trainer_logprobs(t, &b.b, 1, last, NULL, &err), 0);
    for (size_t s = 0; s < SEQUENCES; s++) {
        double moved = 0;

        for (size_t i = b.start[s]; i < b.start[s + 1]; i++)
            moved += last[i] - first[i];
        assert_true(s % 2 ? moved > 0 : moved < 0);
    }
    p.conf.rate = 0;
    assert_int_equal(trainer_policy_step(t, &b.b, &p, &report, &err), 0);
    assert_true(report.rate == train_rate(&c, 5));
    trainer_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_do_not_depend_on_threads_or_memory),
        cmocka_unit_test(packed_bits_are_equal_on_every_kernel_level),
        cmocka_unit_test(log_probabilities_are_those_of_the_sweep),
        cmocka_unit_test(pieces_of_the_head_give_the_loss_of_the_whole),
        cmocka_unit_test(log_probabilities_do_not_depend_on_the_batch),
        cmocka_unit_test(a_frozen_trainer_gives_the_same_log_probabilities),
        cmocka_unit_test(rewarded_tokens_become_probable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
