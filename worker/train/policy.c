/* SPDX-License-Identifier: Apache-2.0 */
/* The policy's loss of a piece of logits, and the trainer's calls around it. */
#include "worker/train/policy.h"

#include <math.h>
#include <string.h>

#include "common/base/dmath.h"
#include "worker/train/trainer_private.h"

/* Log-probabilities may come from sums that were rounded otherwise. */
#define ROUNDED_UP 1e-4

struct policy_conf policy_conf_default(void)
{
    return (struct policy_conf){ .temperature = 1.0, .clip_low = 0.2, .clip_high = 0.2 };
}

static int check_temperature(double temperature, struct err *err)
{
    if (temperature >= 1e-3 && temperature <= 1000) /* false for NaN, too */
        return 0;
    return err_set(err, ERR_INVALID, "policy: temperature = %g is outside 0.001 to 1000",
                   temperature);
}

int policy_conf_check(const struct policy_conf *c, struct err *err)
{
    const struct {
        const char *name;
        double value, max;
    } range[] = {
        { "clip_low", c->clip_low, 1 },
        { "clip_high", c->clip_high, 1e6 },
        { "kl", c->kl, 1e6 },
        { "rate", c->rate, 10 },
    };

    for (size_t i = 0; i < ARRAY_LEN(range); i++)
        if (!(range[i].value >= 0 && range[i].value <= range[i].max))
            return err_set(err, ERR_INVALID, "policy: %s = %g is outside 0 to %g", range[i].name,
                           range[i].value, range[i].max);
    return check_temperature(c->temperature, err);
}

static int check_row(const struct policy *p, size_t row, struct err *err)
{
    const struct {
        const char *name;
        const double *all;
        double min, max;
    } field[] = {
        { "weight", p->weight, 0, HUGE_VAL },
        { "advantage", p->advantage, -HUGE_VAL, HUGE_VAL },
        { "old log-probability", p->old, -HUGE_VAL, ROUNDED_UP },
        { "reference log-probability", p->reference, -HUGE_VAL, ROUNDED_UP },
    };

    for (size_t i = 0; i < ARRAY_LEN(field); i++) {
        double v = field[i].all ? field[i].all[row] : 0.0;

        if (!isfinite(v) || v < field[i].min || v > field[i].max)
            return err_set(err, ERR_INVALID, "policy: row %zu of the batch: %s is %g", row,
                           field[i].name, v);
    }
    return 0;
}

static int check_policy(const struct policy *p, const struct train_batch *b, struct err *err)
{
    int rc = policy_conf_check(&p->conf, err);

    if (rc < 0)
        return rc;
    if (p->conf.kl > 0 && !p->reference)
        return err_set(err, ERR_INVALID, "policy: kl = %g without log-probabilities of a reference",
                       p->conf.kl);
    for (size_t i = 0; rc == 0 && b->sequences > 0 && i < b->start[b->sequences]; i++)
        if (b->target[i] != TRAIN_NO_TARGET)
            rc = check_row(p, i, err);
    return rc;
}

/* ------------------------------------------------------------------------------------------- */

/* e^x over the whole range of doubles; NaN stays. */
static double exp_wide(double x)
{
    if (x > -690.0 && x < 690.0)
        return dmath_exp(x);
    return x >= 690.0 ? HUGE_VAL : x <= -690.0 ? 0.0 : x;
}

double policy_k3(double x)
{
    return exp_wide(x) - x - 1.0;
}

/* The loss of the target in ROW, whose log-probability is L, into the sums; returns the loss's
 * derivative by L. */
static double loss_of_row(const struct policy *p, size_t row, double l, struct micro_result *sum)
{
    const struct policy_conf *c = &p->conf;
    double a = p->advantage[row], w = p->weight[row], moved = p->old ? l - p->old[row] : 0.0;
    double ratio = exp_wide(moved), slope = 0.0, kl = 0.0, kept;
    bool low = a < 0 && ratio < 1.0 - c->clip_low;
    bool high = a > 0 && ratio > 1.0 + c->clip_high;

    kept = low ? 1.0 - c->clip_low : high ? 1.0 + c->clip_high : ratio;
    if (a != 0 && !low && !high) /* an infinite ratio without an advantage is nothing */
        slope = -ratio * a;
    if (p->reference) {
        kl = policy_k3(p->reference[row] - l);
        sum->kl_reference += kl;
        if (c->kl > 0)
            slope += c->kl * (1.0 - exp_wide(p->reference[row] - l));
    }
    sum->surrogate += a != 0 ? w * -(kept * a) : 0.0;
    sum->loss += (a != 0 ? w * -(kept * a) : 0.0) + (c->kl > 0 ? w * c->kl * kl : 0.0);
    sum->ratio += ratio;
    sum->ratio_max = MAX(sum->ratio_max, ratio);
    sum->kl_old += ratio - 1.0 - moved;
    sum->clipped_low += low;
    sum->clipped_high += high;
    return w * slope;
}

void policy_rows(struct micro *m, const struct micro_model *mm, const struct micro_job *job,
                 size_t first, size_t n, float *logits, struct micro_result *result)
{
    const struct micro_extra *x = job->extra;
    size_t v = mm->conf.vocab, start = job->batch->start[job->from];
    double scale = 1.0 / x->temperature;

    for (size_t i = 0; i < n; i++) {
        size_t row = start + m->keep[first + i];
        double l, entropy;

        mm->kern->log_prob(&l, &entropy, logits + i * v, &m->keep_target[first + i], (float)scale,
                           1, v);
        result->infinite |= !isfinite(l);
        result->logprob += l;
        result->entropy += entropy;
        if (x->policy) /* read before logprob, which may be the same array as old */
            m->weight[first + i] = (float)(-scale * loss_of_row(x->policy, row, l, result));
        if (x->logprob)
            x->logprob[row] = l;
        if (x->entropy)
            x->entropy[row] = entropy;
    }
    if (!x->forward_only)
        mm->kern->cross_entropy(m->loss + first, logits, logits, m->keep_target + first,
                                m->weight + first, n, v);
}

/* ------------------------------------------------------------------------------------------- */

/* 0 in the rows that nobody writes. */
static void clear_others(const struct train_batch *b, double *rows)
{
    for (size_t i = 0; rows && b->sequences > 0 && i < b->start[b->sequences]; i++)
        if (b->target[i] == TRAIN_NO_TARGET)
            rows[i] = 0.0;
}

static struct policy_report report_of(const struct micro_result *s, size_t targets, size_t rows)
{
    double n = (double)targets;

    return (struct policy_report){
        .loss = s->loss,
        .surrogate = s->surrogate,
        .ratio = s->ratio / n,
        .ratio_max = s->ratio_max,
        .clipped = (double)(s->clipped_low + s->clipped_high) / n,
        .clipped_low = (double)s->clipped_low / n,
        .clipped_high = (double)s->clipped_high / n,
        .kl_old = s->kl_old / n,
        .kl_reference = s->kl_reference / n,
        .entropy = s->entropy / n,
        .logprob = s->logprob / n,
        .targets = targets,
        .rows = rows,
    };
}

/* Loss and gradient, which stays in the trainer. */
static int run(struct trainer *t, const struct train_batch *b, const struct policy *p,
               struct policy_report *ret, struct err *err)
{
    struct micro_extra extra = { .policy = p,
                                 .temperature = p->conf.temperature,
                                 .logprob = p->logprob };
    struct micro_result sum = { 0 };
    size_t targets = 0;
    double norm = 0;
    int rc = check_policy(p, b, err);

    rc = rc == 0 ? trainer_run(t, b, &extra, &sum, &targets, &norm, err) : rc;
    if (rc < 0)
        return rc;
    clear_others(b, p->logprob);
    *ret = report_of(&sum, targets, b->start[b->sequences]);
    ret->grad_norm = norm;
    ret->rate = p->conf.rate > 0 ? p->conf.rate : train_rate(&t->conf, t->steps);
    return 0;
}

int trainer_policy_step(struct trainer *t, const struct train_batch *b, const struct policy *p,
                        struct policy_report *ret, struct err *err)
{
    int rc = run(t, b, p, ret, err);

    if (rc < 0)
        return rc;
    if (!isfinite(ret->loss) || !isfinite(ret->grad_norm))
        return err_set(err, ERR_DIVERGED,
                       "step %llu: loss %g, gradient norm %g, largest ratio %g at learning rate %g",
                       (unsigned long long)t->steps, ret->loss, ret->grad_norm, ret->ratio_max,
                       ret->rate);
    rc = p->accept ? p->accept(p->arg, ret, err) : 0;
    if (rc == 0)
        trainer_move(t, ret->grad_norm, ret->rate);
    return rc;
}

int trainer_policy_gradient(struct trainer *t, const struct train_batch *b, const struct policy *p,
                            struct policy_report *ret, float *grad, struct err *err)
{
    int rc = run(t, b, p, ret, err);

    if (rc == 0 && grad)
        memcpy(grad, t->grad[0].all, t->grad[0].floats_len * sizeof(float));
    return rc;
}

int trainer_logprobs(struct trainer *t, const struct train_batch *b, double temperature,
                     double *logprob, double *entropy, struct err *err)
{
    struct micro_extra extra = {
        .temperature = temperature, .logprob = logprob, .entropy = entropy, .forward_only = true
    };
    struct micro_result sum = { 0 };
    size_t targets;
    int rc = check_temperature(temperature, err);

    rc = rc == 0 ? trainer_run(t, b, &extra, &sum, &targets, NULL, err) : rc;
    if (rc < 0)
        return rc;
    if (sum.infinite)
        return err_set(err, ERR_DIVERGED,
                       "step %llu: a log-probability is not finite: the weights have diverged",
                       (unsigned long long)t->steps);
    clear_others(b, logprob);
    clear_others(b, entropy);
    return 0;
}
