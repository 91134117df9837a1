/* SPDX-License-Identifier: Apache-2.0 */
/* Defaults, ranges and the learning rate of each step. */
#include <math.h>

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

/* Options of an architecture that have no backward pass here. */
static int check_architecture(const struct model_conf *c, struct err *err)
{
    const char *option = c->qkv_bias   ? "qkv_bias"
                         : c->o_bias   ? "o_bias"
                         : c->mlp_bias ? "mlp_bias"
                                       : NULL;

    if (c->rope_scaling.kind != ROPE_PLAIN)
        option = "rope_scaling";
    if (!option)
        return 0;
    return err_set(err, ERR_INVALID, "training: this version does not train models with %s",
                   option);
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

    rc = rc == 0 ? check_architecture(&c->model, err) : rc;
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(range); i++)
        rc = check_range(range[i].name, range[i].value, range[i].min, range[i].max, err);
    return rc;
}

/* cos(pi * x) for x in 0..1 as -sin(t), t = pi * (x - 1/2): Taylor series up to t^15, whose error
 * is below (pi/2)^17 / 17! = 6e-12. Not libm's, so that the bits are the same everywhere. */
static double cos_pi(double x)
{
    static const double inverse[] = { 1.0 / (14 * 15), 1.0 / (12 * 13), 1.0 / (10 * 11),
                                      1.0 / (8 * 9),   1.0 / (6 * 7),   1.0 / (4 * 5),
                                      1.0 / (2 * 3) };
    double t = 3.14159265358979323846 * (x - 0.5);
    double sum = 1.0;

    for (size_t i = 0; i < ARRAY_LEN(inverse); i++)
        sum = 1.0 - t * t * inverse[i] * sum;
    return -t * sum;
}

double train_rate(const struct train_conf *c, uint64_t step)
{
    double done, low = c->learning_rate * c->final_rate;

    if (step < c->warmup)
        return c->learning_rate * (double)(step + 1) / (double)c->warmup;
    if (step >= c->steps || c->steps == c->warmup)
        return low;
    done = (double)(step - c->warmup) / (double)(c->steps - c->warmup);
    return low + (c->learning_rate - low) * 0.5 * (1.0 + cos_pi(done));
}
