/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a policy step's loss is GRPO's clipped objective with k3, and its gradient the derivative
 * of it. Method: the loss written once more with libm over log-probabilities of the double twin
 * (tests/support/train_twin.c), central differences of that along elements of every tensor, ratios
 * placed on both sides of both clips; numbers that are no numbers. */
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

/* What the report should say, from log-probabilities NOW; written apart from the trainer's. */
static struct policy_report twin_report(const struct batch *b, const struct policy *p,
                                        const double *now)
{
    struct policy_report want = { 0 };
    const struct policy_conf *c = &p->conf;

    for (size_t i = 0; i < b->start[SEQUENCES]; i++) {
        double r, a = p->advantage[i], bounded, d;

        if (b->target[i] == TRAIN_NO_TARGET)
            continue;
        r = p->old ? exp(now[i] - p->old[i]) : 1;
        bounded = fmin(fmax(r, 1 - c->clip_low), 1 + c->clip_high);
        want.surrogate -= p->weight[i] * fmin(r * a, bounded * a);
        d = p->reference ? p->reference[i] - now[i] : 0;
        want.loss += p->weight[i] * c->kl * (exp(d) - d - 1);
        want.kl_reference += exp(d) - d - 1;
        want.kl_old += r - 1 - log(r);
        want.ratio += r;
        want.ratio_max = fmax(want.ratio_max, r);
        want.clipped += bounded * a < r * a;
        want.clipped_low += bounded * a < r * a && r < 1;
        want.clipped_high += bounded * a < r * a && r > 1;
        want.logprob += now[i];
        want.entropy += b->entropy[i];
        want.targets++;
    }
    want.loss += want.surrogate;
    return want;
}

static void assert_near(const char *what, double got, double want)
{
    if (!(fabs(got - want) < 2e-5 * (1 + fabs(want))))
        fail_msg("%s: %.9g instead of %.9g", what, got, want);
}

static void compare(const struct policy_report *got, const struct policy_report *want)
{
    double n = (double)want->targets;

    assert_int_equal(got->targets, want->targets);
    assert_near("loss", got->loss, want->loss);
    assert_near("surrogate", got->surrogate, want->surrogate);
    assert_near("ratio", got->ratio, want->ratio / n);
    assert_near("ratio_max", got->ratio_max, want->ratio_max);
    assert_near("clipped", got->clipped, want->clipped / n);
    assert_near("clipped_low", got->clipped_low, want->clipped_low / n);
    assert_near("clipped_high", got->clipped_high, want->clipped_high / n);
    assert_near("kl_old", got->kl_old, want->kl_old / n);
    assert_near("kl_reference", got->kl_reference, want->kl_reference / n);
    assert_near("entropy", got->entropy, want->entropy / n);
    assert_near("logprob", got->logprob, want->logprob / n);
}

static void loss_and_statistics_agree_with_the_double_twin(void **state)
{
    static const double temperature[] = { 1, 0.7, 1.5 }, kl[] = { 0, 0.3 };
    struct train_conf c = small_conf(true, TRAIN_GEMM_PACKED);
    struct trainer *t = trainer_or_fail(&c, NULL, NULL);
    struct batch b;

    (void)state;
    for (int i = 0; i < 3 * 2 * LOSS_NORMS; i++) {
        struct policy_report got, want;
        struct err err = { 0 };
        struct policy p;

        draw_batch(&b, (uint64_t)i, (enum loss_norm)(i / 6));
        draw_policies(&b, t, temperature[i % 3]);
        p = policy_of(&b, temperature[i % 3], kl[i / 3 % 2]);
        assert_int_equal(trainer_policy_gradient(t, &b.b, &p, &got, NULL, &err), 0);
        want = twin_report(&b, &p, b.now);
        assert_true(want.clipped_low > 0 && want.clipped_high > 0); /* both sides are met */
        assert_true(want.clipped < (double)want.targets / 2);
        compare(&got, &want);
        p.old = NULL;
        assert_int_equal(trainer_policy_gradient(t, &b.b, &p, &got, NULL, &err), 0);
        want = twin_report(&b, &p, b.now);
        compare(&got, &want);
        assert_true(got.ratio == 1 && got.clipped == 0 && got.kl_old == 0);
        p.reference = NULL;
        p.conf.kl = 0;
        assert_int_equal(trainer_policy_gradient(t, &b.b, &p, &got, NULL, &err), 0);
        assert_true(got.kl_reference == 0 && got.loss == got.surrogate);
    }
    trainer_free(t);
}

/* ------------------------------------------------------------------------------------------- */

struct check {
    const struct train_conf *conf;
    const struct model_weights *layout;
    struct batch *batch;
    const struct policy *policy;
    const float *grad;
    double *all, worst;
};

static double twin_loss(struct check *k)
{
    double now[ROWS_MAX] = { 0 };

    train_twin_logprobs(&k->conf->model, k->layout, k->all, &k->batch->b,
                        k->policy->conf.temperature, now, k->batch->entropy);
    return twin_report(k->batch, k->policy, now).loss;
}

static int check_tensor(const struct model_tensor *tensor, void *arg)
{
    static const double step[] = { -2, -1, 1, 2 };
    struct check *k = arg;
    size_t size = tensor->rows * tensor->cols, stride = MAX(size / 17, (size_t)1);
    const double h = 2e-4;
    double error = 0, largest = 0;

    for (size_t i = 0; i < size; i += stride) {
        double *x = &k->all[tensor->offset + i], keep = *x, f[4], want;

        for (size_t j = 0; j < 4; j++) {
            *x = keep + step[j] * h;
            f[j] = twin_loss(k);
        }
        *x = keep;
        want = (f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * h);
        largest = fmax(largest, fabs(want));
        error = fmax(error, fabs(want - (double)k->grad[tensor->offset + i]));
    }
    k->worst = fmax(k->worst, error / (largest + 1e-6));
    return 0;
}

/* Largest error over all tensors, relative to each tensor's largest derivative. */
static double gradient_error(struct trainer *t, struct batch *b, const struct policy *p,
                             const struct policy *judged)
{
    const struct model_weights *w = trainer_weights(t);
    float *grad = mem_calloc(w->floats_len, sizeof(float));
    struct check k = { .conf = trainer_conf(t),
                       .layout = w,
                       .batch = b,
                       .policy = judged,
                       .grad = grad,
                       .all = weights_as_double(t) };
    struct policy_report report;
    struct err err = { 0 };

    if (trainer_policy_gradient(t, &b->b, p, &report, grad, &err) < 0)
        fail_msg("%s", err.text);
    (void)model_each_tensor(&k.conf->model, check_tensor, &k);
    free(k.all);
    free(grad);
    return k.worst;
}

/* Measured: 3e-6. */
#define GRADIENT_LIMIT 1e-4

static void gradient_is_the_derivative_of_the_loss(void **state)
{
    static const struct {
        bool tied;
        enum train_gemm gemm;
        enum train_memory memory;
        double temperature, kl;
        enum loss_norm norm;
    } way[] = {
        { true, TRAIN_GEMM_PACKED, TRAIN_MEMORY_FAST, 1, 0, LOSS_SEQUENCE },
        { false, TRAIN_GEMM_OPENBLAS, TRAIN_MEMORY_FAST, 0.7, 0.3, LOSS_TOKEN },
        { true, TRAIN_GEMM_PACKED, TRAIN_MEMORY_SMALL, 1.5, 0.3, LOSS_CONSTANT },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(way); i++) {
        struct train_conf c = small_conf(way[i].tied, way[i].gemm);
        struct trainer *t;
        struct batch b;
        struct policy p;
        double error;

        c.memory = way[i].memory;
        t = trainer_or_fail(&c, NULL, NULL);
        draw_batch(&b, 40 + i, way[i].norm);
        draw_policies(&b, t, way[i].temperature);
        p = policy_of(&b, way[i].temperature, way[i].kl);
        error = gradient_error(t, &b, &p, &p);
        print_message("largest gradient error %.2g\n", error);
        assert_true(error < GRADIENT_LIMIT);
        trainer_free(t);
    }
}

/* The judge is not blind: another clip, temperature, KL weight or one advantage are told apart. */
static void gradient_of_another_loss_is_caught(void **state)
{
    struct train_conf c = small_conf(true, TRAIN_GEMM_PACKED);
    struct trainer *t = trainer_or_fail(&c, NULL, NULL);
    struct policy p, judged[4];
    double advantage[ROWS_MAX];
    struct batch b;

    (void)state;
    draw_batch(&b, 50, LOSS_TOKEN);
    draw_policies(&b, t, 1);
    p = policy_of(&b, 1, 0.1);
    for (size_t i = 0; i < ARRAY_LEN(judged); i++)
        judged[i] = p;
    judged[0].conf.clip_low = 0.05;
    judged[1].conf.clip_high = 0.05;
    judged[2].conf.kl = 0.2;
    memcpy(advantage, b.advantage, sizeof(advantage));
    for (size_t i = b.start[1]; i < b.start[2]; i++)
        advantage[i] *= -1;
    judged[3].advantage = advantage;
    for (size_t i = 0; i < ARRAY_LEN(judged); i++)
        assert_true(gradient_error(t, &b, &p, &judged[i]) > 10 * GRADIENT_LIMIT);
    trainer_free(t);
}

/* ------------------------------------------------------------------------------------------- */

/* Mean distance of weights behind two steps, the second with the batch's weights as they are or a
 * thousandfold, under CLIP. */
static double distance(double clip)
{
    struct train_conf c = small_conf(true, TRAIN_GEMM_PACKED);
    struct trainer *t[2];
    double sum = 0;

    c.clip = clip;
    for (int k = 0; k < 2; k++) {
        t[k] = trainer_or_fail(&c, NULL, NULL);
        for (uint64_t i = 0; i < 2; i++) {
            struct policy_report report;
            struct err err = { 0 };
            struct policy p;
            struct batch b;

            draw_batch(&b, 80 + i, LOSS_TOKEN);
            for (size_t row = 0; k * i > 0 && row < b.start[SEQUENCES]; row++)
                b.weight[row] *= 1000;
            p = policy_of(&b, 1, 0);
            p.old = p.reference = NULL;
            p.conf.rate = 1e-2;
            assert_int_equal(trainer_policy_step(t[k], &b.b, &p, &report, &err), 0);
            assert_true(report.grad_norm > 1e-2);
        }
    }
    for (size_t i = 0; i < trainer_weights(t[0])->floats_len; i++)
        sum += fabs((double)trainer_weights(t[0])->all[i] - (double)trainer_weights(t[1])->all[i]);
    sum /= (double)trainer_weights(t[0])->floats_len;
    trainer_free(t[0]);
    trainer_free(t[1]);
    return sum;
}

static void gradients_are_clipped_by_their_norm(void **state)
{
    (void)state;
    assert_true(distance(1e-2) < 1e-6);
    assert_true(distance(0) > 1e-4);
}

static void steps_that_leave_the_finite_numbers_are_diverged(void **state)
{
    struct train_conf c = small_conf(true, TRAIN_GEMM_PACKED);
    struct trainer *t = trainer_or_fail(&c, NULL, NULL);
    size_t floats = trainer_weights(t)->floats_len;
    float *before = mem_dup(trainer_weights(t)->all, floats * sizeof(float));
    struct policy_report report;
    struct err err = { 0 };
    double lp[ROWS_MAX];
    struct policy p;
    struct batch b;

    (void)state;
    draw_batch(&b, 70, LOSS_TOKEN);
    draw_policies(&b, t, 1);
    for (size_t i = 0; i < b.start[SEQUENCES]; i++) {
        b.old[i] = -2000; /* a ratio beyond all doubles */
        b.advantage[i] = -1;
    }
    p = policy_of(&b, 1, 0);
    assert_int_equal(trainer_policy_step(t, &b.b, &p, &report, &err), ERR_DIVERGED);
    assert_non_null(strstr(err.text, "largest ratio inf"));
    assert_memory_equal(trainer_weights(t)->all, before, floats * sizeof(float));
    assert_int_equal(trainer_steps(t), 0);
    for (size_t i = 0; i < b.start[SEQUENCES]; i++)
        b.advantage[i] = 1; /* the clip holds it */
    assert_int_equal(trainer_policy_gradient(t, &b.b, &p, &report, NULL, &err), 0);
    assert_near("clipped loss", report.loss, -1.3);
    assert_true(report.grad_norm == 0);
    for (size_t i = 0; i < b.start[SEQUENCES]; i++)
        b.weight[i] = 1e308; /* a sum beyond all doubles whose gradient is 0 */
    assert_int_equal(trainer_policy_step(t, &b.b, &p, &report, &err), ERR_DIVERGED);
    assert_true(isinf(report.loss) && report.grad_norm == 0);
    memset(b.advantage, 0, sizeof(b.advantage)); /* and where there is none, nothing happens */
    assert_int_equal(trainer_policy_gradient(t, &b.b, &p, &report, NULL, &err), 0);
    assert_true(report.loss == 0 && report.grad_norm == 0 && isinf(report.ratio_max));
    before[floats / 2] = NAN;
    trainer_set_weights(t, before);
    assert_int_equal(trainer_logprobs(t, &b.b, 1, lp, NULL, &err), ERR_DIVERGED);
    assert_int_equal(trainer_policy_step(t, &b.b, &p, &report, &err), ERR_DIVERGED);
    free(before);
    trainer_free(t);
}

static void defaults_are_grpos_and_pass_the_check(void **state)
{
    struct policy_conf c = policy_conf_default();
    struct err err = { 0 };

    (void)state;
    assert_int_equal(policy_conf_check(&c, &err), 0);
    assert_true(c.temperature == 1 && c.clip_low == 0.2 && c.clip_high == 0.2);
    assert_true(c.kl == 0 && c.rate == 0);
}

static void refused(struct trainer *t, const struct batch *b, const struct policy *p,
                    const char *word)
{
    struct policy_report report;
    struct err err = { 0 };

    assert_int_equal(trainer_policy_step(t, &b->b, p, &report, &err), ERR_INVALID);
    if (!strstr(err.text, word))
        fail_msg("\"%s\" does not name %s", err.text, word);
}

static void bad_input_is_refused_with_the_row_and_the_field(void **state)
{
    struct train_conf c = small_conf(true, TRAIN_GEMM_PACKED);
    struct trainer *t = trainer_or_fail(&c, NULL, NULL);
    static const double bad[] = { 0, -0.1, NAN, INFINITY };
    double lp[ROWS_MAX], *field;
    struct err err = { 0 };
    struct policy p;
    struct batch b;

    (void)state;
    draw_batch(&b, 71, LOSS_TOKEN);
    draw_policies(&b, t, 1);
    for (size_t i = 0; i < 4; i++) {
        p = policy_of(&b, bad[i], 0);
        refused(t, &b, &p, "temperature");
        assert_int_equal(trainer_logprobs(t, &b.b, bad[i], lp, NULL, &err), ERR_INVALID);
        for (size_t f = 0; i > 0 && f < 4; f++) {
            static const char *const name[] = { "clip_low", "clip_high", "kl", "rate" };

            p = policy_of(&b, 1, 0);
            field = f == 0   ? &p.conf.clip_low
                    : f == 1 ? &p.conf.clip_high
                    : f == 2 ? &p.conf.kl
                             : &p.conf.rate;
            *field = bad[i];
            refused(t, &b, &p, name[f]);
        }
    }
    p = policy_of(&b, 1, 0.1);
    p.reference = NULL;
    refused(t, &b, &p, "without log-probabilities of a reference");
    p = policy_of(&b, 1, 0.1);
    b.weight[PROMPT - 1] = -1;
    refused(t, &b, &p, "row 1 of the batch: weight is -1");
    b.weight[PROMPT - 1] = 1;
    b.advantage[PROMPT - 1] = NAN;
    refused(t, &b, &p, "advantage");
    b.advantage[PROMPT - 1] = 1;
    b.old[PROMPT - 1] = 0.5;
    refused(t, &b, &p, "old log-probability is 0.5");
    b.old[PROMPT - 1] = -1;
    b.reference[PROMPT - 1] = -INFINITY;
    refused(t, &b, &p, "reference log-probability");
    b.reference[PROMPT - 1] = -1;
    b.old[PROMPT - 1] = b.reference[PROMPT - 1] = 5e-5; /* a sum that was rounded up */
    b.weight[0] = NAN;                                  /* a row without a target: not read */
    assert_int_equal(trainer_policy_gradient(t, &b.b, &p, &(struct policy_report){ 0 }, NULL, &err),
                     0);
    b.b.sequences = 0;
    refused(t, &b, &p, "without sequences");
    assert_int_equal(trainer_steps(t), 0);
    trainer_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loss_and_statistics_agree_with_the_double_twin),
        cmocka_unit_test(gradient_is_the_derivative_of_the_loss),
        cmocka_unit_test(gradient_of_another_loss_is_caught),
        cmocka_unit_test(gradients_are_clipped_by_their_norm),
        cmocka_unit_test(steps_that_leave_the_finite_numbers_are_diverged),
        cmocka_unit_test(defaults_are_grpos_and_pass_the_check),
        cmocka_unit_test(bad_input_is_refused_with_the_row_and_the_field),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
