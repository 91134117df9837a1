/* SPDX-License-Identifier: Apache-2.0 */
#include "common/curriculum/adaptive.h"

#include <assert.h>
#include <inttypes.h>

#include "common/base/dmath.h"
#include "common/base/macros.h"
#include "common/curriculum/exact.h"

/* ln 2 - ln 1.1: one change multiplies the budget by 0.55 at least and 1/0.55 at most. */
static const double step_max = 0.597837000755620449;
enum { TOKENS_MAX = 65536, UPDATES_MAX = 1000000 };

static int check_range(const char *name, double v, double min, double max, const char **field,
                       struct err *err)
{
    *field = name;
    if (v >= min && v <= max) /* false for NaN */
        return 0;
    return err_set(err, ERR_INVALID, "%g is outside %g to %g", v, min, max);
}

int adaptive_check(const struct adaptive_conf *c, const char **ret_field, struct err *err)
{
    const char *unused, **field = ret_field ? ret_field : &unused;
    int rc = check_range("budget_first", (double)c->first, 1, TOKENS_MAX, field, err);

    rc = rc ? rc : check_range("budget_last", (double)c->last, 1, TOKENS_MAX, field, err);
    if (!rc && c->last > c->first)
        return err_set(err, ERR_INVALID,
                       "the final budget, %" PRId64 " tokens, is above the first, %" PRId64,
                       c->last, c->first);
    rc = rc ? rc : check_range("adapt_interval", (double)c->interval, 1, UPDATES_MAX, field, err);
    rc = rc ? rc : check_range("adapt_reference", c->reference, 0, 1, field, err);
    rc = rc ? rc : check_range("adapt_slack", c->slack, 0, 1, field, err);
    rc = rc ? rc : check_range("adapt_rate", c->rate, 0, 10, field, err);
    rc = rc ? rc : check_range("adapt_sharpness", c->sharpness, 0.01, 1000, field, err);
    return rc ? rc : check_range("adapt_memory", c->memory, 0, 0.9999, field, err);
}

void adaptive_start(const struct adaptive_conf *c, struct adaptive_state *ret)
{
    *ret = (struct adaptive_state){ .log_budget = dmath_log((double)c->first),
                                    .reference = c->reference };
}

int64_t adaptive_budget(const struct adaptive_conf *c, const struct adaptive_state *s)
{
    const int64_t whole = (int64_t)(dmath_exp(s->log_budget) + 0.5);

    return MAX(c->last, MIN(c->first, whole));
}

/* Change the budget by the rule. */
static void change(const struct adaptive_conf *c, struct adaptive_state *s)
{
    const int64_t old = adaptive_budget(c, s);
    const double low = dmath_log((double)c->last), high = dmath_log((double)c->first);
    double step = c->rate * dmath_tanh(c->sharpness * (s->moving - s->reference + c->slack));

    step = MAX(-step_max, MIN(step_max, step));
    s->log_budget = MAX(low, MIN(high, s->log_budget - step));
    /* Rounding of the smallest budgets must not halve them either. */
    if (2 * adaptive_budget(c, s) <= old)
        s->log_budget = dmath_log((double)(old / 2 + 1));
}

enum adaptive_move adaptive_tell(const struct adaptive_conf *c, struct adaptive_state *s,
                                 double accuracy)
{
    const int64_t old = adaptive_budget(c, s);

    assert(accuracy >= 0 && accuracy <= 1);
    s->moving = s->told == 0 ? accuracy : c->memory * s->moving + (1 - c->memory) * accuracy;
    s->told++;
    const bool measures = c->reference <= 0 && s->told <= c->interval;
    if (measures)
        s->sum += accuracy;
    if (s->told % c->interval != 0)
        return ADAPTIVE_WAIT;
    if (measures) {
        s->reference = s->sum / (double)c->interval;
        return ADAPTIVE_WAIT;
    }
    change(c, s);
    const int64_t now = adaptive_budget(c, s);
    return now < old ? ADAPTIVE_TIGHTEN : now > old ? ADAPTIVE_BACK_OFF : ADAPTIVE_HOLD;
}

void adaptive_save(const struct adaptive_state *s, struct buf *out)
{
    exact_put_word(out, "adaptive-1");
    exact_put_count(out, s->told);
    exact_put_real(out, s->log_budget);
    exact_put_real(out, s->moving);
    exact_put_real(out, s->sum);
    exact_put_real(out, s->reference);
}

int adaptive_load(const struct adaptive_conf *c, const char *text, struct adaptive_state *ret,
                  struct err *err)
{
    struct exact e = { .at = text, .ok = true };

    exact_take_word(&e, "adaptive-1");
    *ret = (struct adaptive_state){ .told = exact_take_count(&e, UINT64_MAX) };
    ret->log_budget = exact_take_real(&e, dmath_log((double)c->last), dmath_log((double)c->first));
    ret->moving = exact_take_real(&e, 0, 1);
    ret->sum = exact_take_real(&e, 0, (double)c->interval);
    ret->reference = exact_take_real(&e, 0, 1);
    if (exact_end(&e))
        return 0;
    return err_set(err, ERR_INVALID, "the state of an adaptive budget cannot be read: \"%.60s\"",
                   text);
}
