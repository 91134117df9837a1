/* SPDX-License-Identifier: Apache-2.0 */
/* Checks, drawing, counting, and a rule in words. */
#include "common/curriculum/difficulty.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "common/base/macros.h"
#include "common/curriculum/rules.h"

const char *difficulty_name(enum difficulty_rule rule)
{
    assert((unsigned)rule < DIFFICULTY_RULES);
    return difficulty_row(rule)->name;
}

const char *difficulty_help(enum difficulty_rule rule)
{
    assert((unsigned)rule < DIFFICULTY_RULES);
    return difficulty_row(rule)->help;
}

enum difficulty_rule difficulty_find(const char *name)
{
    int i = 0;

    while (i < DIFFICULTY_RULES && strcmp(difficulty_row((enum difficulty_rule)i)->name, name) != 0)
        i++;
    return (enum difficulty_rule)i;
}

bool difficulty_needs_total(enum difficulty_rule rule)
{
    assert((unsigned)rule < DIFFICULTY_RULES);
    return difficulty_row(rule)->needs_total;
}

bool difficulty_adapts(enum difficulty_rule rule)
{
    assert((unsigned)rule < DIFFICULTY_RULES);
    return difficulty_row(rule)->tell != NULL;
}

/* ---- checks ---- */

static int check_range(const char *name, double v, double min, double max, const char **field,
                       struct err *err)
{
    *field = name;
    if (v >= min && v <= max) /* false for NaN */
        return 0;
    return err_set(err, ERR_INVALID, "%g is outside %g to %g", v, min, max);
}

static int check_mixture(const struct difficulty_conf *c, const char **field, struct err *err)
{
    double sum = 0;

    *field = "mixture";
    for (size_t i = 0; i < c->levels; i++) {
        if (!(c->mixture[i] >= 0 && c->mixture[i] <= 1e9))
            return err_set(err, ERR_INVALID, "the weight %g of a level is negative or no number",
                           c->mixture[i]);
        sum += c->mixture[i];
    }
    return sum > 0 ? 0 : err_set(err, ERR_INVALID, "all weights are 0: no level would be drawn");
}

static int check_rule(const struct difficulty_conf *c, const char **field, struct err *err)
{
    const bool bandit = c->rule == DIFFICULTY_SEC || c->rule == DIFFICULTY_DUMP;
    const bool bell = c->rule == DIFFICULTY_ADARFT || c->rule == DIFFICULTY_E2H_GAUSSIAN;
    int rc = 0;

    if (c->rule == DIFFICULTY_MIXTURE)
        return check_mixture(c, field, err);
    if (difficulty_needs_total(c->rule))
        rc = check_range("updates", (double)c->total, 1, 1e6, field, err);
    if (!rc && c->rule == DIFFICULTY_LEVELS && c->total < c->levels)
        return err_set(err, ERR_INVALID, "%" PRIu64 " updates cannot visit %zu levels", c->total,
                       c->levels);
    if (!rc && bell)
        rc = check_range("difficulty_width", c->width, 0.01, 100, field, err);
    if (!rc && bell)
        rc = check_range("difficulty_rate", c->rate, 0, 1000, field, err);
    if (!rc && c->rule == DIFFICULTY_ADARFT)
        rc = check_range("difficulty_target", c->target, 0, 1, field, err);
    if (!rc && c->rule == DIFFICULTY_ADARFT)
        rc = check_range("difficulty_sharpness", c->sharpness, 0.01, 1000, field, err);
    if (!rc && c->rule == DIFFICULTY_SEC)
        rc = check_range("difficulty_rate", c->rate, 0, 1, field, err);
    if (!rc && bandit)
        rc = check_range("difficulty_temperature", c->temperature, 0.001, 100, field, err);
    if (!rc)
        rc = check_range("difficulty_up", c->up, 0, 1, field, err);
    if (!rc)
        rc = check_range("difficulty_window", (double)c->window, 0,
                         c->rule == DIFFICULTY_DUMP ? DIFFICULTY_MEMORY_MAX : 1e6, field, err);
    if (rc || c->rule != DIFFICULTY_WINDOW)
        return rc;
    *field = "difficulty_down";
    return c->down >= 0 && c->down < difficulty_up(c)
               ? 0
               : err_set(err, ERR_INVALID,
                         "%g is not below difficulty_up, %g: levels would be added and dropped at "
                         "once",
                         c->down, difficulty_up(c));
}

int difficulty_check(const struct difficulty_conf *c, const char **ret_field, struct err *err)
{
    const char *unused, **field = ret_field ? ret_field : &unused;

    assert((unsigned)c->rule < DIFFICULTY_RULES);
    *field = "levels";
    if (c->levels < 1 || c->levels > DIFFICULTY_LEVELS_MAX)
        return err_set(err, ERR_INVALID, "%zu levels; 1 to %d", c->levels, DIFFICULTY_LEVELS_MAX);
    return check_rule(c, field, err);
}

/* ---- drawing and learning ---- */

void difficulty_start(const struct difficulty_conf *c, struct difficulty_state *ret)
{
    (void)c;
    memset(ret, 0, sizeof(*ret));
}

void difficulty_weights(const struct difficulty_conf *c, const struct difficulty_state *s,
                        uint64_t update, double *weight)
{
    double sum = 0;

    difficulty_row(c->rule)->weights(c, s, update, weight);
    for (size_t i = 0; i < c->levels; i++)
        sum += weight[i];
    assert(sum > 0);
    for (size_t i = 0; i < c->levels; i++)
        weight[i] /= sum;
}

size_t difficulty_pick(const double *weight, size_t levels, double u)
{
    size_t last = 0;
    double sum = 0;

    for (size_t i = 0; i < levels; i++) {
        if (!(weight[i] > 0))
            continue;
        last = i;
        sum += weight[i];
        if (u < sum)
            return i;
    }
    return last; /* the weights sum to a little less than 1 */
}

void difficulty_count_group(struct difficulty_count *c, uint64_t samples, uint64_t correct)
{
    assert(samples > 0 && correct <= samples);
    const double p = (double)correct / (double)samples;

    c->problems++;
    c->samples += samples;
    c->correct += correct;
    c->advantage += 2 * sqrt(p * (1 - p));
}

void difficulty_tell(const struct difficulty_conf *c, struct difficulty_state *s,
                     const struct difficulty_count *count)
{
    s->told++;
    if (difficulty_row(c->rule)->tell)
        difficulty_row(c->rule)->tell(c, s, count);
}

/* ---- in words ---- */

static void describe_mixture(const struct difficulty_conf *c, struct buf *out)
{
    bool even = true;

    for (size_t i = 1; i < c->levels; i++)
        even = even && c->mixture[i] >= c->mixture[0] && c->mixture[i] <= c->mixture[0];
    buf_adds(out, even ? "mixture: all levels alike" : "mixture: levels weighted");
    for (size_t i = 0; i < c->levels && !even; i++)
        buf_printf(out, "%s%g", i ? " : " : " ", c->mixture[i]);
}

void difficulty_describe(const struct difficulty_conf *c, struct buf *out)
{
    if (c->rule == DIFFICULTY_MIXTURE) {
        describe_mixture(c, out);
        return;
    }
    buf_printf(out, "%s: %s", difficulty_name(c->rule), difficulty_help(c->rule));
    if (c->rule == DIFFICULTY_E2H_GAUSSIAN)
        buf_printf(out, " (beta %g, sigma %g)", c->rate, c->width);
    if (c->rule == DIFFICULTY_ADARFT)
        buf_printf(out, " (aims at %g, eta %g, alpha %g)", c->target, c->rate, c->sharpness);
    if (c->rule == DIFFICULTY_WINDOW)
        buf_printf(out, " (up above %g, down below %g, every %" PRIu64 " updates)",
                   difficulty_up(c), c->down, difficulty_window(c));
    if (c->rule == DIFFICULTY_RLVE)
        buf_printf(out, " (at %g, %" PRIu64 " levels wide)", difficulty_up(c),
                   difficulty_window(c));
    if (c->rule == DIFFICULTY_SEC)
        buf_printf(out, " (alpha %g, temperature %g)", c->rate, c->temperature);
    if (c->rule == DIFFICULTY_DUMP)
        buf_printf(out, " (temperature %g, remembers %" PRIu64 " updates)", c->temperature,
                   difficulty_window(c));
}
