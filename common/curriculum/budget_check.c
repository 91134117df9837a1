/* SPDX-License-Identifier: Apache-2.0 */
/* Which schedules are impossible, and a schedule in words. */
#include <assert.h>
#include <inttypes.h>

#include "common/base/dmath.h"
#include "common/base/macros.h"
#include "common/curriculum/budget.h"

enum { TOKENS_MAX = 65536, UPDATES_MAX = 1000000 };

static int check_ends(const struct budget_schedule *s, const char **field, struct err *err)
{
    *field = "budget_first";
    if (s->first < 1 || s->first > TOKENS_MAX)
        return err_set(err, ERR_INVALID, "the first budget is %" PRId64 " tokens; 1 to %d",
                       s->first, TOKENS_MAX);
    *field = "budget_last";
    if (s->last < 1)
        return err_set(err, ERR_INVALID, "the final budget is %" PRId64 " tokens; say 1 or more",
                       s->last);
    if (s->last > s->first)
        return err_set(err, ERR_INVALID,
                       "the final budget, %" PRId64 " tokens, is above the first, %" PRId64
                       "; budgets shrink: lower budget_last or raise budget_first",
                       s->last, s->first);
    return 0;
}

static int check_drops(const struct budget_schedule *s, const char **field, struct err *err)
{
    *field = "drops";
    if (s->drops == 0 && s->first != s->last)
        return err_set(err, ERR_INVALID,
                       "0 drops never lead from %" PRId64 " to %" PRId64
                       " tokens; say 1 or more, or schedule = \"constant\"",
                       s->first, s->last);
    if (s->drops >= s->updates)
        return err_set(err, ERR_INVALID,
                       "%" PRIu64 " drops do not fit into %" PRIu64
                       " update%s; have fewer drops or more updates",
                       s->drops, s->updates, s->updates == 1 ? "" : "s");
    *field = "interval";
    if (s->drops * s->interval >= s->updates) /* at most 1e6 each */
        return err_set(err, ERR_INVALID,
                       "%" PRIu64 " drops, one every %" PRIu64 " updates, do not fit into %" PRIu64
                       "; say at most %" PRIu64 ", or leave it out for equal parts",
                       s->drops, s->interval, s->updates, (s->updates - 1) / s->drops);
    return 0;
}

static int check_gamma(const struct budget_schedule *s, const char **field, struct err *err)
{
    *field = "gamma";
    if (!(s->gamma > 0 && s->gamma < 1))
        return err_set(err, ERR_INVALID,
                       "%g is not between 0 and 1; the budget is multiplied by it at each drop "
                       "(0.7 in the paper)",
                       s->gamma);
    *field = "interval";
    if (s->interval == 0)
        return err_set(err, ERR_INVALID,
                       "gamma needs the updates between two drops; say 1 or more");
    return 0;
}

static int check_steps(const struct budget_schedule *s, const char **field, struct err *err)
{
    *field = "steps";
    if (s->steps_len == 0)
        return err_set(
            err, ERR_INVALID,
            "missing; name the budgets one after the other: steps = [256, 179, 125, 87]");
    for (size_t i = 0; i < s->steps_len; i++)
        if (s->steps[i] < 1 || s->steps[i] > TOKENS_MAX)
            return err_set(err, ERR_INVALID, "%" PRId64 " tokens; 1 to %d", s->steps[i],
                           TOKENS_MAX);
    if (s->steps[s->steps_len - 1] > s->steps[0])
        return err_set(err, ERR_INVALID,
                       "the final budget, %" PRId64 " tokens, is above the first, %" PRId64
                       "; budgets shrink",
                       s->steps[s->steps_len - 1], s->steps[0]);
    if (s->steps_len > s->updates)
        return err_set(err, ERR_INVALID,
                       "%zu budgets do not fit into %" PRIu64
                       " update%s; name fewer or have more updates",
                       s->steps_len, s->updates, s->updates == 1 ? "" : "s");
    if (!s->steps_at)
        return 0;
    *field = "steps_at";
    if (s->steps_at_len != s->steps_len)
        return err_set(err, ERR_INVALID,
                       "%zu values, but steps has %zu; give the first update of each budget, or "
                       "leave it out to spread them evenly",
                       s->steps_at_len, s->steps_len);
    for (size_t i = 0; i < s->steps_at_len; i++) {
        if (i == 0 ? s->steps_at[i] != 0 : s->steps_at[i] <= s->steps_at[i - 1])
            return err_set(err, ERR_INVALID, i == 0 ? "must begin at 0" : "must rise");
        if ((uint64_t)s->steps_at[i] >= s->updates)
            return err_set(err, ERR_INVALID,
                           "%" PRId64 " is behind the last update, %" PRIu64 " (they count from 0)",
                           s->steps_at[i], s->updates - 1);
    }
    return 0;
}

static int check_constant(const struct budget_schedule *s, const char **field, struct err *err)
{
    *field = "budget_last";
    if (s->last >= 1 && s->last <= TOKENS_MAX)
        return 0;
    return err_set(err, ERR_INVALID, "the budget is %" PRId64 " tokens; 1 to %d", s->last,
                   TOKENS_MAX);
}

static int check_linear(const struct budget_schedule *s, const char **field, struct err *err)
{
    int rc = check_ends(s, field, err);

    return rc ? rc : check_drops(s, field, err);
}

static int check_exponential(const struct budget_schedule *s, const char **field, struct err *err)
{
    int rc = check_ends(s, field, err);

    if (rc)
        return rc;
    return s->gamma != 0 ? check_gamma(s, field, err) : check_drops(s, field, err);
}

static int (*const checks[BUDGET_KINDS])(const struct budget_schedule *s, const char **field,
                                         struct err *err) = {
    [BUDGET_CONSTANT] = check_constant,
    [BUDGET_LINEAR] = check_linear,
    [BUDGET_EXPONENTIAL] = check_exponential,
    [BUDGET_COSINE] = check_linear,
    [BUDGET_STEPS] = check_steps,
    [BUDGET_ADAPTIVE] = check_ends,
};

int budget_check(const struct budget_schedule *s, const char **ret_field, struct err *err)
{
    const char *unused, **field = ret_field ? ret_field : &unused;

    assert((unsigned)s->kind < BUDGET_KINDS);
    *field = "updates";
    if (s->updates < 1 || s->updates > UPDATES_MAX)
        return err_set(err, ERR_INVALID, "%" PRIu64 " updates; 1 to %d", s->updates, UPDATES_MAX);
    return checks[s->kind] ? checks[s->kind](s, field, err) : 0;
}

/* ---- in words ---- */

static void describe_drops(const struct budget_schedule *s, struct buf *out)
{
    buf_printf(out, "%" PRId64 " to %" PRId64 " tokens in %" PRIu64 " drop%s", s->first, s->last,
               s->drops, s->drops == 1 ? "" : "s");
    if (s->kind == BUDGET_EXPONENTIAL && s->drops)
        buf_printf(out, " by a factor of %.3f",
                   dmath_exp(dmath_log((double)s->last / (double)s->first) / (double)s->drops));
    if (s->kind == BUDGET_LINEAR && s->drops)
        buf_printf(out, " of %.1f tokens", (double)(s->first - s->last) / (double)s->drops);
    if (s->interval)
        buf_printf(out, ", one every %" PRIu64 " update%s", s->interval,
                   s->interval == 1 ? "" : "s");
}

static void describe_steps(const struct budget_schedule *s, struct buf *out)
{
    for (size_t i = 0; i < s->steps_len; i++)
        buf_printf(out, "%s%" PRId64, i ? ", " : "", s->steps[i]);
    buf_adds(out, " tokens");
}

void budget_describe(const struct budget_schedule *s, struct buf *out)
{
    buf_printf(out, "%s: ", budget_name(s->kind));
    if (s->kind == BUDGET_NONE)
        buf_adds(out, "plain GRPO without a length reward");
    else if (s->kind == BUDGET_CONSTANT)
        buf_printf(out, "%" PRId64 " tokens throughout", s->last);
    else if (s->kind == BUDGET_ADAPTIVE)
        buf_printf(
            out, "from %" PRId64 " tokens, tightened while accuracy holds, to %" PRId64 " at least",
            s->first, s->last);
    else if (s->kind == BUDGET_STEPS)
        describe_steps(s, out);
    else if (s->kind == BUDGET_EXPONENTIAL && s->gamma > 0)
        buf_printf(out,
                   "%" PRId64 " tokens times %g every %" PRIu64 " update%s, %" PRId64 " at least",
                   s->first, s->gamma, s->interval, s->interval == 1 ? "" : "s", s->last);
    else
        describe_drops(s, out);
}
