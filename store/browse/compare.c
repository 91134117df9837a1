/* SPDX-License-Identifier: Apache-2.0 */
/* compare.c - which value wins, and by how much: the answer in numbers and words (compare.h). */
#include "store/browse/compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "store/browse/compare_private.h"
#include "store/browse/curves_private.h"
#include "store/browse/measures.h"

static void release(struct comparison *c)
{
    for (size_t i = 0; i < c->groups; i++) {
        free(c->name[i]);
        free(c->value[i]);
    }
    for (size_t i = 0; i < c->steps; i++)
        free(c->step[i]);
    for (size_t i = 0; i < c->notes; i++)
        buf_release(&c->note[i]);
    free(c->item);
    free(c->by);
}

static void release_all(struct comparison **c)
{
    release(*c);
    free(*c);
}

struct buf *compare_note(struct comparison *c)
{
    if (c->notes == COMPARE_NOTES_MAX) {
        buf_clear(&c->note[c->notes - 1]);
        return &c->note[c->notes - 1];
    }
    return &c->note[c->notes++];
}

/* ---- with what ---- */

static int choose_baseline(const struct comparison *c, size_t *ret, struct err *err)
{
    static const char *const usual[] = { "constant", "fixed",   "baseline", "base",
                                         "none",     "default", NULL };
    const char *names[GRID_GROUPS_MAX + 1] = { NULL };

    *ret = 0;
    for (size_t i = 0; i < c->groups; i++)
        names[i] = c->name[i];
    if (c->q->baseline && c->q->baseline[0]) {
        for (size_t i = 0; i < c->groups; i++)
            if (strcmp(c->name[i], c->q->baseline) == 0) {
                *ret = i;
                return 0;
            }
        const char *near = nearest_find(c->q->baseline, names);
        return err_set(err, ERR_INVALID,
                       near ? "no run has %s = \"%.60s\"; did you mean \"%s\"?"
                            : "no run has %s = \"%.60s\"",
                       c->by, c->q->baseline, near);
    }
    for (size_t k = 0; usual[k]; k++)
        for (size_t i = 0; i < c->groups; i++)
            if (strcmp(c->name[i], usual[k]) == 0 && c->known[i] > 0) {
                *ret = i;
                return 0;
            }
    for (size_t i = c->groups; i > 0; i--)
        *ret = c->known[i - 1] > 0 ? i - 1 : *ret;
    return 0;
}

/* ---- in words ---- */

static void put_amount(const struct comparison *c, double v, bool sign, struct buf *out)
{
    if (measure_is_share(c->measure))
        buf_printf(out, sign ? "%+.1f" : "%.1f", 100.0 * v);
    else
        buf_printf(out, sign ? "%+.4g" : "%.4g", v);
}

static const char *unit_of(const struct comparison *c)
{
    return measure_is_share(c->measure) ? "points" : c->measure;
}

/* Numbers by themselves say little: "drops = 3". */
static void name_value(const struct comparison *c, size_t group, struct buf *out)
{
    const char *dot = strrchr(c->by, '.');

    if (c->value[group][0] != '"')
        buf_printf(out, "%s = ", dot ? dot + 1 : c->by);
    buf_adds(out, c->name[group]);
}

/* Others whose mean is the same. */
static void say_ties(const struct comparison *c, const struct compare_row *rows, size_t best,
                     struct buf *out)
{
    size_t n = 0;

    for (size_t i = 0; i < c->groups; i++)
        if (i != best && rows[i].mean == rows[best].mean)
            buf_printf(out, "%s%s", n++ ? ", " : "; as good: ", c->name[i]);
}

/* "exponential: +19.7 points over constant [+12.3, +26.5], 5 seeds". OVER is the baseline's name.
 * SIGN -1: the row is the other one, and the baseline wins. */
static void say_difference(const struct comparison *c, const struct compare_row *r, double sign,
                           size_t winner, size_t over, struct buf *out)
{
    double lo = sign > 0 ? r->diff_lo : -r->diff_hi, hi = sign > 0 ? r->diff_hi : -r->diff_lo;

    name_value(c, winner, out);
    buf_adds(out, ": ");
    put_amount(c, sign * r->difference, true, out);
    buf_printf(out, " %s %s %s", unit_of(c), sign * r->difference < 0 ? "against" : "over",
               c->name[over]);
    if (!isnan(lo)) {
        buf_adds(out, " [");
        put_amount(c, lo, true, out);
        buf_adds(out, ", ");
        put_amount(c, hi, true, out);
        buf_addc(out, ']');
    }
    size_t seeds = r->method == COMPARE_PAIRED ? r->pairs : r->seeds;
    buf_printf(out, ", %zu seed%s", seeds, seeds == 1 ? "" : "s");
}

/* Nothing speaks against chance? */
static bool is_sure(const struct compare_row *r)
{
    return !isnan(r->adjusted) && r->adjusted < 0.05;
}

static void put_winner(const struct comparison *c, const struct compare_row *rows, size_t best,
                       size_t baseline, bool lower, struct jsonw *w)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    size_t other = best;

    if (best == SIZE_MAX) {
        jsonw_null(w, "winner");
        return;
    }
    if (best == baseline) { /* against the next best */
        other = SIZE_MAX;
        for (size_t i = 0; i < c->groups; i++)
            if (i != best && !isnan(rows[i].mean) &&
                (other == SIZE_MAX ||
                 (lower ? rows[i].mean < rows[other].mean : rows[i].mean > rows[other].mean)))
                other = i;
    }
    const struct compare_row *r = other == SIZE_MAX ? NULL : &rows[other];
    bool sure = r && is_sure(r), tie = r && r->difference == 0.0;
    if (!r || isnan(r->difference)) {
        name_value(c, best, &text);
        buf_adds(&text, ": ");
        put_amount(c, rows[best].mean, false, &text);
        buf_printf(&text, "%s, nothing to compare it with",
                   measure_is_share(c->measure) ? " %" : "");
    } else if (tie) {
        buf_printf(&text, "%s and %s are the same: ", c->name[baseline],
                   c->name[best == baseline ? other : best]);
        put_amount(c, rows[best].mean, false, &text);
        buf_adds(&text, measure_is_share(c->measure) ? " %" : "");
    } else {
        say_difference(c, r, best == baseline ? -1.0 : 1.0, best,
                       best == baseline ? other : baseline, &text);
        if (!sure && isnan(r->p))
            buf_adds(&text, "; too few seeds to tell it from chance");
        else if (!sure)
            buf_printf(&text, "; may be chance (p = %.2g after Holm)", r->adjusted);
        say_ties(c, rows, best, &text);
    }
    jsonw_open_at(w, "winner", '{');
    jsonw_raw(w, "value", c->value[best]);
    jsonw_text(w, "name", c->name[best]);
    jsonw_text(w, "text", buf_str(&text));
    jsonw_bool(w, "sure", sure);
    jsonw_close(w, '}');
}

/* ---- notes ---- */

static void name_steps(const struct comparison *c, bool used, struct buf *out)
{
    size_t n = 0;

    for (size_t i = 0; i < c->steps; i++)
        if (c->used[i] == used && (used || c->shared[i]))
            buf_printf(out, "%s%s", n++ ? ", " : "", c->step[i]);
}

static void note_steps(struct comparison *c)
{
    struct buf used CLEANUP(buf_release) = { 0 }, left CLEANUP(buf_release) = { 0 };
    struct buf *note;

    if (c->steps == 0)
        return;
    name_steps(c, true, &used);
    name_steps(c, false, &left);
    if (used.len == 0)
        return;
    note = compare_note(c);
    buf_printf(note, "%s of step%s %s", c->measure, strchr(used.data, ',') ? "s" : "", used.data);
    buf_adds(note, strchr(used.data, ',') ? ", all examples together" : "");
    if (left.len && !(c->q->step && c->q->step[0]))
        buf_printf(note, "; %s left out: the same results for every %s", left.data, c->by);
    buf_adds(note, strcmp(c->measure, "tokens") == 0 || strcmp(c->measure, "generated") == 0
                       ? " (per example)."
                       : ".");
}

static void note_seeds(struct comparison *c, const struct compare_row *rows)
{
    size_t few = 0, paired = 0, welch = 0, tests = 0;
    struct buf *note;

    for (size_t i = 0; i < c->groups; i++) {
        few += rows[i].known > 0 && rows[i].seeds < 3;
        paired += rows[i].method == COMPARE_PAIRED;
        welch += rows[i].method == COMPARE_WELCH;
        tests += !isnan(rows[i].p);
    }
    note = compare_note(c);
    buf_adds(note,
             "Intervals are Student's t over seeds, 95 %, from three seeds on; only seeds count as "
             "repetitions");
    if (few)
        buf_printf(note, "; %zu of the values have fewer, so none", few);
    buf_addc(note, '.');
    if (paired)
        buf_printf(compare_note(c), "Differences are paired by seed%s.",
                   welch ? ", where both sides have the same seeds" : "");
    if (welch)
        buf_adds(compare_note(c), "Sides with different seeds are taken as independent (Welch).");
    if (tests > 1)
        buf_printf(compare_note(c), "p after Holm's correction over %zu comparisons.", tests);
}

static void note_settings(struct comparison *c, const struct compare_row *rows)
{
    size_t matched = 0, partly = 0, unmatched = 0;

    for (size_t i = 0; i < c->groups; i++) {
        if (rows[i].method == COMPARE_NONE)
            continue;
        matched += rows[i].matched;
        partly += rows[i].partly;
        unmatched += !rows[i].matched;
    }
    if (c->others && matched)
        buf_printf(compare_note(c),
                   "Runs differ in other parameters too: a seed's value is the mean over the "
                   "settings that both sides have%s.",
                   partly ? ", and the difference is over these only" : "");
    if ((c->others || c->folded) && unmatched)
        buf_adds(compare_note(c),
                 "Runs differ in other parameters, and not the same ones on both sides: a seed's "
                 "value is the mean over whatever runs it has.");
}

static void note_missing(struct comparison *c)
{
    size_t runs = 0, known = 0;

    for (size_t i = 0; i < c->groups; i++) {
        runs += c->runs[i];
        known += c->known[i];
    }
    if (known < runs)
        buf_printf(compare_note(c), "%zu of %zu runs have no %s yet.", runs - known, runs,
                   c->measure);
    if (!c->ready)
        buf_printf(compare_note(c), "Of %zu of %zu runs: the others are still being loaded.",
                   c->rows, c->total);
}

/* ---- the answer ---- */

static void put_number(struct jsonw *w, const char *key, double v)
{
    jsonw_key(w, key);
    curves_put_number(w, v);
}

static void put_row(const struct comparison *c, const struct compare_row *r, size_t i, bool best,
                    struct jsonw *w)
{
    static const char *const methods[] = {
        [COMPARE_NONE] = NULL, [COMPARE_PAIRED] = "paired", [COMPARE_WELCH] = "welch"
    };

    jsonw_open(w, '{');
    jsonw_raw(w, "value", c->value[i]);
    jsonw_text(w, "name", c->name[i]);
    jsonw_int(w, "runs", (int64_t)c->runs[i]);
    jsonw_int(w, "n", (int64_t)c->known[i]);
    jsonw_int(w, "seeds", (int64_t)r->seeds);
    put_number(w, "mean", r->mean);
    put_number(w, "lo", r->lo);
    put_number(w, "hi", r->hi);
    put_number(w, "difference", r->difference);
    put_number(w, "diff_lo", r->diff_lo);
    put_number(w, "diff_hi", r->diff_hi);
    put_number(w, "p", r->p);
    put_number(w, "adjusted", r->adjusted);
    jsonw_text(w, "method", methods[r->method]);
    jsonw_int(w, "pairs", (int64_t)r->pairs);
    jsonw_bool(w, "best", best);
    jsonw_close(w, '}');
}

static void put_steps(const struct comparison *c, struct jsonw *w)
{
    jsonw_open_at(w, "steps", '[');
    for (size_t i = 0; i < c->steps; i++) {
        jsonw_open(w, '{');
        jsonw_text(w, "step", c->step[i]);
        jsonw_bool(w, "used", c->used[i]);
        jsonw_bool(w, "shared", c->shared[i]);
        jsonw_close(w, '}');
    }
    jsonw_close(w, ']');
}

static void put_answer(struct comparison *c, size_t baseline, struct jsonw *w)
{
    struct compare_row *rows CLEANUP(mem_cleanup) = mem_calloc(MAX(c->groups, 1), sizeof *rows);
    bool lower = measure_better(c->measure) == BETTER_LOWER;
    const struct grid_view state = {
        .ready = c->ready, .fits = c->fits, .rows = c->rows, .total = c->total
    };
    size_t best;

    compare_rows(c->item, c->len, c->groups, baseline, measure_is_share(c->measure), rows);
    best = compare_best(rows, c->groups, lower);
    jsonw_text(w, "measure", c->measure);
    jsonw_text(w, "by", c->by);
    jsonw_text(w, "better", lower ? "lower" : "higher");
    jsonw_raw(w, "baseline", c->groups ? c->value[baseline] : "null");
    put_steps(c, w);
    jsonw_open_at(w, "rows", '[');
    for (size_t i = 0; i < c->groups; i++)
        put_row(c, &rows[i], i, i == best, w);
    jsonw_close(w, ']');
    put_winner(c, rows, best, baseline, lower, w);
    note_steps(c);
    note_seeds(c, rows);
    note_settings(c, rows);
    note_missing(c);
    jsonw_open_at(w, "notes", '[');
    for (size_t i = 0; i < c->notes; i++)
        jsonw_text(w, NULL, buf_str(&c->note[i]));
    jsonw_close(w, ']');
    grid_put_state(&state, w);
}

int compare_put(struct store *s, struct grids *g, const struct compare_question *q, struct jsonw *w,
                struct err *err)
{
    struct comparison *c CLEANUP(release_all) = mem_calloc(1, sizeof *c);
    size_t baseline = 0;
    int rc;

    c->s = s;
    c->q = q;
    c->measure = q->measure && q->measure[0] ? q->measure : "accuracy";
    rc = compare_collect(c, g, err);
    rc = rc ? rc : compare_read(c, err);
    rc = rc ? rc : choose_baseline(c, &baseline, err);
    if (rc == 0)
        put_answer(c, baseline, w);
    return rc;
}
