/* SPDX-License-Identifier: Apache-2.0 */
/* Defaults, ranges and the learning rate of each step. */
#include <math.h>

#include "common/base/dmath.h"
#include "worker/train/train.h"

struct train_conf train_conf_default(void)
{
    return (struct train_conf){
        .seed = 1,
        .steps = 1000,
        .warmup = 50,
        .learning_rate = 1e-3,
        .final_rate = 0.1,
        .weight_decay = 0.1,
        .clip = 1.0,
        .beta1 = 0.9,
        .beta2 = 0.98,
        .eps = 1e-8,
        .micro_batches = 8,
        .gemm = TRAIN_GEMM_OPENBLAS,
    };
}

static int check_range(const char *name, double v, double min, double max, struct err *err)
{
    if (v >= min && v <= max) /* false for NaN, too */
        return 0;
    return err_set(err, ERR_INVALID, "training: %s = %g is outside %g to %g", name, v, min, max);
}

int train_conf_check(const struct train_conf *c, struct err *err)
{
    const struct {
        const char *name;
        double value, min, max;
    } range[] = {
        { "steps", (double)c->steps, 1, 1e9 },
        { "warmup", (double)c->warmup, 0, (double)c->steps },
        { "learning_rate", c->learning_rate, 1e-9, 10 },
        { "final_rate", c->final_rate, 0, 1 },
        { "weight_decay", c->weight_decay, 0, 10 },
        { "clip", c->clip, 0, 1e9 },
        { "beta1", c->beta1, 0, 0.99999 },
        { "beta2", c->beta2, 0, 0.999999 },
        { "eps", c->eps, 1e-12, 1 },
        { "micro_batches", (double)c->micro_batches, 1, TRAIN_MICRO_MAX },
    };
    int rc = model_conf_check(&c->model, err);

    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(range); i++)
        rc = check_range(range[i].name, range[i].value, range[i].min, range[i].max, err);
    return rc;
}

double train_rate(const struct train_conf *c, uint64_t step)
{
    double done, low = c->learning_rate * c->final_rate;

    if (step < c->warmup)
        return c->learning_rate * (double)(step + 1) / (double)c->warmup;
    if (step >= c->steps || c->steps == c->warmup)
        return low;
    done = (double)(step - c->warmup) / (double)(c->steps - c->warmup);
    return low + (c->learning_rate - low) * 0.5 * (1.0 + dmath_cos_pi(done));
}
