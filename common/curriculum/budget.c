/* SPDX-License-Identifier: Apache-2.0 */
/* What each schedule's budget is at an update, and its slices. A schedule is a row of pieces: piece
 * 0, 1, 2... each of one budget. */
#include "common/curriculum/budget.h"

#include <assert.h>
#include <string.h>

#include "common/base/dmath.h"
#include "common/base/macros.h"

struct row {
    const char *name, *help;
    /* Before rounding, of piece K; NULL: no budget. */
    double (*budget)(const struct budget_schedule *s, uint64_t k);
};

static double of_first(const struct budget_schedule *s, uint64_t k)
{
    (void)k;
    return (double)s->first;
}

static double of_last(const struct budget_schedule *s, uint64_t k)
{
    (void)k;
    return (double)s->last;
}

static double of_linear(const struct budget_schedule *s, uint64_t k)
{
    const double done = s->drops ? (double)k / (double)s->drops : 0;

    return (double)s->first + ((double)s->last - (double)s->first) * done;
}

/* X^K, never below 1e-300. */
static double whole_power(double x, uint64_t k)
{
    double result = 1;

    for (; k && result > 1e-300; k >>= 1) {
        if (k & 1)
            result *= x;
        x = x > 1e-150 ? x * x : 0;
    }
    return result;
}

static double of_exponential(const struct budget_schedule *s, uint64_t k)
{
    const double first = (double)s->first, last = (double)s->last;

    if (s->gamma > 0)
        return MAX(first * whole_power(s->gamma, k), last);
    if (k == 0 || s->drops == 0)
        return first;
    if (k >= s->drops)
        return last;
    return first * dmath_exp((double)k / (double)s->drops * dmath_log(last / first));
}

static double of_cosine(const struct budget_schedule *s, uint64_t k)
{
    const double done = s->drops ? (double)k / (double)s->drops : 0;
    const double left = k >= s->drops && k ? 0 : 0.5 * (1 + dmath_cos_pi(done));

    return k == 0 ? (double)s->first
                  : (double)s->last + ((double)s->first - (double)s->last) * left;
}

static double of_steps(const struct budget_schedule *s, uint64_t k)
{
    return (double)s->steps[k];
}

static const struct row rows[BUDGET_KINDS] = {
    [BUDGET_NONE] = { "none", "no budget and no length reward: plain GRPO", NULL },
    [BUDGET_CONSTANT] = { "constant", "the last budget from the first update on", of_last },
    [BUDGET_LINEAR] = { "linear", "drops by equal amounts", of_linear },
    [BUDGET_EXPONENTIAL] = { "exponential", "drops by equal factors", of_exponential },
    [BUDGET_COSINE] = { "cosine", "drops along half a cosine wave: small, large, small",
                        of_cosine },
    [BUDGET_STEPS] = { "steps", "a list of budgets and of the updates they begin at", of_steps },
    [BUDGET_ADAPTIVE] = { "adaptive", "tightens while the moving accuracy holds its reference",
                          of_first },
};

const char *budget_name(enum budget_kind kind)
{
    assert((unsigned)kind < BUDGET_KINDS);
    return rows[kind].name;
}

const char *budget_help(enum budget_kind kind)
{
    assert((unsigned)kind < BUDGET_KINDS);
    return rows[kind].help;
}

enum budget_kind budget_find(const char *name)
{
    int i = 0;

    while (i < BUDGET_KINDS && strcmp(rows[i].name, name) != 0)
        i++;
    return (enum budget_kind)i;
}

/* ---- pieces ---- */

/* Pieces of equal length. */
static uint64_t equal_pieces(const struct budget_schedule *s)
{
    if (s->kind == BUDGET_STEPS)
        return s->steps_len;
    if (s->kind == BUDGET_LINEAR || s->kind == BUDGET_EXPONENTIAL || s->kind == BUDGET_COSINE)
        return s->drops + 1;
    return 1;
}

/* Does a drop come every so many updates? */
static bool by_interval(const struct budget_schedule *s)
{
    return s->interval > 0 &&
           (s->kind == BUDGET_LINEAR || s->kind == BUDGET_EXPONENTIAL || s->kind == BUDGET_COSINE);
}

static uint64_t piece_of(const struct budget_schedule *s, uint64_t update)
{
    uint64_t k = 0;

    if (by_interval(s))
        return s->gamma > 0 ? update / s->interval : MIN(update / s->interval, s->drops);
    if (s->kind == BUDGET_STEPS && s->steps_at) {
        while (k + 1 < s->steps_len && (uint64_t)s->steps_at[k + 1] <= update)
            k++;
        return k;
    }
    const uint64_t pieces = equal_pieces(s);
    k = update * pieces / s->updates; /* updates and pieces are at most 1e6 */
    return MIN(k, pieces - 1);
}

/* The first update of piece K. */
static uint64_t piece_start(const struct budget_schedule *s, uint64_t k)
{
    if (by_interval(s))
        return s->gamma > 0 || k <= s->drops ? k * s->interval : s->updates;
    if (s->kind == BUDGET_STEPS && s->steps_at)
        return k < s->steps_len ? (uint64_t)s->steps_at[k] : s->updates;
    const uint64_t pieces = equal_pieces(s);
    return k < pieces ? (k * s->updates + pieces - 1) / pieces : s->updates;
}

double budget_exact(const struct budget_schedule *s, uint64_t update)
{
    return rows[s->kind].budget ? rows[s->kind].budget(s, piece_of(s, update)) : 0;
}

static int64_t rounded(double budget)
{
    const int64_t whole = (int64_t)(budget + 0.5);

    return MAX(whole, 1);
}

int64_t budget_at(const struct budget_schedule *s, uint64_t update)
{
    return rows[s->kind].budget ? rounded(budget_exact(s, update)) : 0;
}

double budget_steepest(const struct budget_schedule *s)
{
    double least = 1, before = budget_exact(s, 0);

    for (uint64_t k = 1, at; rows[s->kind].budget; k++, before = budget_exact(s, at)) {
        at = piece_start(s, k);
        if (at >= s->updates)
            break;
        const double factor = budget_exact(s, at) / before;
        least = MIN(least, factor);
        if (s->kind == BUDGET_EXPONENTIAL && budget_exact(s, at) <= (double)s->last)
            break;
    }
    return least;
}

/* ---- slices ---- */

int budget_slice(const struct budget_schedule *s, uint64_t first, uint64_t updates,
                 struct budget_slice *ret, struct err *err)
{
    ret->len = 0;
    if (!rows[s->kind].budget)
        return 0;
    for (uint64_t k = piece_of(s, first), at = first; at < first + updates;
         k++, at = piece_start(s, k)) {
        const int64_t budget = budget_at(s, at);
        if (ret->len && ret->budget[ret->len - 1] == budget)
            continue;
        if (ret->len == BUDGET_SLICE_MAX)
            return err_set(err, ERR_LIMIT,
                           "a stage has more than %d budgets; have more stages or fewer drops",
                           BUDGET_SLICE_MAX);
        ret->budget[ret->len] = budget;
        ret->at[ret->len++] = (int64_t)(at - first);
    }
    return 0;
}

int64_t budget_slice_at(const int64_t *budget, const int64_t *at, size_t len, uint64_t offset)
{
    size_t i = 0;

    while (i + 1 < len && (uint64_t)at[i + 1] <= offset)
        i++;
    return len ? budget[i] : 0;
}

int budget_slice_check(const int64_t *budget, size_t budget_len, const int64_t *at, size_t at_len,
                       uint64_t updates, struct err *err)
{
    if (budget_len != at_len)
        return err_set(
            err, ERR_INVALID,
            "budgets has %zu values and budget_at %zu; each budget needs the update from "
            "which on it counts",
            budget_len, at_len);
    for (size_t i = 0; i < budget_len; i++) {
        if (budget[i] < 1)
            return err_set(err, ERR_INVALID, "budgets: %lld is no budget; say 1 or more",
                           (long long)budget[i]);
        if (i == 0 ? at[i] != 0 : at[i] <= at[i - 1])
            return err_set(err, ERR_INVALID, "budget_at: must begin at 0 and rise");
        if ((uint64_t)at[i] >= updates)
            return err_set(err, ERR_INVALID, "budget_at: %lld is behind the last of %llu updates",
                           (long long)at[i], (unsigned long long)updates);
    }
    return 0;
}
