/* SPDX-License-Identifier: Apache-2.0 */
/* cell.c - the number in a cell and its interval (making.h). */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/stats/stats.h"
#include "store/tables/agreement.h"
#include "store/tables/making.h"
#include "store/tables/spec_private.h"

/* Aligned two-level intervals cost in proportion to seeds * examples; beyond this the counts alone
 * are used (wider than a thousandth no more). */
enum { ALIGNED_MAX = 1 << 20 };

enum table_stat stat_plain(enum table_stat stat)
{
    return stat == TABLE_ACCURACY_CI        ? TABLE_ACCURACY
           : stat == TABLE_ACCURACY_NORM_CI ? TABLE_ACCURACY_NORM
           : stat == TABLE_ORACLE_CI        ? TABLE_ORACLE
           : stat == TABLE_METRIC_SE        ? TABLE_METRIC
                                            : stat;
}

bool stat_is_share(enum table_stat stat)
{
    stat = stat_plain(stat);
    return stat == TABLE_ACCURACY || stat == TABLE_ACCURACY_NORM || stat == TABLE_ORACLE ||
           stat == TABLE_PRESERVED || stat == TABLE_IMPROVED;
}

/* How many of U's examples STAT counts; only for shares. */
static uint64_t hits(const struct unit *u, enum table_stat stat)
{
    stat = stat_plain(stat);
    assert(stat_is_share(stat));
    return stat == TABLE_ACCURACY        ? u->correct
           : stat == TABLE_ACCURACY_NORM ? u->norm
           : stat == TABLE_ORACLE        ? u->labelled
           : stat == TABLE_PRESERVED     ? u->preserved
                                         : u->improved;
}

/* Can a result of this kind say it? */
static bool applies(const struct unit *u, enum table_stat stat)
{
    switch (stat_plain(stat)) {
    case TABLE_ORACLE:
    case TABLE_PRESERVED:
    case TABLE_IMPROVED:
    case TABLE_LAYERS_ALL:
    case TABLE_LAYERS_BASE:
    case TABLE_SHORTER:
    case TABLE_RESCUED:
    case TABLE_EVALUATIONS:
    case TABLE_ROWS:
        return u->search;
    case TABLE_ACCURACY_NORM:
    case TABLE_TOKENS:
    case TABLE_GENERATED:
    case TABLE_APPLICATIONS:
    case TABLE_NON_EXECUTE:
    case TABLE_EXACT_PATH:
    case TABLE_F1_SKIP:
    case TABLE_F1_EXECUTE:
    case TABLE_F1_REPEAT:
    case TABLE_MACRO_F1:
    CASES_OF_THOUGHT:
        return !u->search;
    case TABLE_LAYERS:
        return !u->search || u->labelled > 0;
    case TABLE_N:
    case TABLE_SEEDS:
    case TABLE_ACCURACY:
    case TABLE_ACCURACY_CI:
    case TABLE_ACCURACY_NORM_CI:
    case TABLE_ORACLE_CI:
    case TABLE_REPEATS:
    case TABLE_METRIC:
    case TABLE_METRIC_SE:
    case TABLE_TIME:
    case TABLE_TRAINING:
    case TABLE_COST:
    case TABLE_SECONDS:
    case TABLE_STATS_LEN:
        break;
    }
    return true;
}

const char *vector_name(const struct table_column *c, const struct sums *x)
{
    const char *metric;

    switch (stat_plain(c->stat)) {
    case TABLE_ACCURACY:
        return x->search ? "base" : "correct";
    case TABLE_ACCURACY_NORM:
        return x->search ? NULL : "correct_norm";
    case TABLE_ORACLE:
        return x->search ? "oracle" : NULL;
    case TABLE_PRESERVED:
        return x->search ? "preserved" : NULL;
    case TABLE_IMPROVED:
        return x->search ? "improved" : NULL;
    case TABLE_LAYERS:
        return "layers";
    case TABLE_LAYERS_ALL:
        return x->search ? "layers_all" : NULL;
    case TABLE_LAYERS_BASE:
        return x->search ? "layers_base" : NULL;
    case TABLE_TOKENS:
        return x->search ? NULL : "tokens";
    case TABLE_GENERATED:
        return x->search ? NULL : "generated";
    case TABLE_SHORTER:
    case TABLE_RESCUED:
    case TABLE_EVALUATIONS:
    case TABLE_ROWS:
        return x->search ? table_stat_word(c->stat) : NULL;
    case TABLE_APPLICATIONS:
    case TABLE_NON_EXECUTE:
    case TABLE_EXACT_PATH:
    CASES_OF_THOUGHT:
        return x->search ? NULL : table_stat_word(c->stat);
    case TABLE_TIME:
        return table_stat_word(c->stat);
    case TABLE_METRIC:
        metric = metric_name(c, x->task);
        return x->search || metric_of_whole_set(x->task, metric) ? NULL : metric;
    case TABLE_F1_SKIP:
    case TABLE_F1_EXECUTE:
    case TABLE_F1_REPEAT:
    case TABLE_MACRO_F1:
    case TABLE_N:
    case TABLE_SEEDS:
    case TABLE_REPEATS:
    case TABLE_TRAINING:
    case TABLE_COST:
    case TABLE_SECONDS:
    case TABLE_ACCURACY_CI:
    case TABLE_ACCURACY_NORM_CI:
    case TABLE_ORACLE_CI:
    case TABLE_METRIC_SE:
    case TABLE_STATS_LEN:
        break;
    }
    return NULL;
}

const struct sums *number_last(const struct table_column *c, const struct unit *u)
{
    const struct sums *ret = u->fact[0];

    for (size_t i = 1; i < u->facts; i++) {
        if (u->fact[i]->n == 0)
            continue;
        if (ret->n == 0 || step_place(c->step, u->fact[i]->step) >= step_place(c->step, ret->step))
            ret = u->fact[i];
    }
    return ret;
}

static double number_value(const struct table_column *c, const struct unit *u)
{
    double ret = NAN, sum = 0.0, finite = 0.0;

    if (c->stat != TABLE_TRAINING || c->take == TABLE_LAST)
        return number_last(c, u)->last;
    for (size_t i = 0; i < u->facts; i++) {
        const struct sums *x = u->fact[i];

        if (c->take == TABLE_LEAST)
            ret = fmin(ret, x->least);
        else if (c->take == TABLE_MOST)
            ret = fmax(ret, x->most);
        else if (!isnan(x->average)) {
            sum += x->average;
            finite += 1.0;
        }
    }
    return c->take == TABLE_AVERAGE ? sum / finite : ret;
}

/* Standard error of the mean of U's examples by their vectors, which are of whole families. */
static double vector_error(struct making *m, const struct table_column *c, const struct unit *u)
{
    CLEANUP(mem_cleanup) double *all = mem_calloc(MAX(u->promised, 1), sizeof *all);
    size_t n = 0;

    for (size_t i = 0; i < u->facts; i++) {
        const struct sums *x = u->fact[i];
        const double *v = vectors_get(&m->vectors, m->s, x, vector_name(c, x));

        for (uint64_t k = 0; v && k < x->promised; k++) {
            if (!isnan(v[k]))
                all[n++] = v[k];
        }
    }
    return n > 1 ? stats_se(all, n) : NAN;
}

/* What is known of single examples only: those to which it applies. */
static bool stat_is_of_vectors(enum table_stat stat)
{
    return (stat >= TABLE_SHORTER && stat <= TABLE_EXACT_PATH) ||
           (stat >= TABLE_RESPONSE_TOKENS && stat <= TABLE_WELL_FORMED);
}

static double vector_mean(struct making *m, const struct table_column *c, const struct unit *u)
{
    double sum = 0.0, n = 0.0;

    for (size_t i = 0; i < u->facts && !m->pivot.subsets; i++) {
        const struct sums *x = u->fact[i];
        const double *v = vectors_get(&m->vectors, m->s, x, vector_name(c, x));

        for (uint64_t k = 0; v && k < x->promised; k++) {
            if (isnan(v[k]))
                continue;
            sum += v[k];
            n += 1.0;
        }
    }
    return sum / n;
}

/* A group's row says what its members' examples add up to, or the mean over tasks; what belongs to
 * searches has neither. */
static bool fits_group(enum table_stat stat)
{
    stat = stat_plain(stat);
    return stat == TABLE_METRIC || stat == TABLE_ACCURACY || stat == TABLE_ACCURACY_NORM ||
           stat_is_number(stat);
}

double unit_value(struct making *m, const struct table_column *c, const struct backing *s,
                  const struct unit *u, double *ret_error)
{
    enum table_stat stat = stat_plain(c->stat);
    struct metric_value v;
    double error = NAN, value;

    if (!applies(u, stat) || (s->fold == FOLD_MEAN && !fits_group(stat))) {
        value = NAN;
    } else if (stat_is_number(stat)) {
        value = number_value(c, u);
    } else if (stat_is_f1(stat)) {
        value = f1_value(m, stat, u);
    } else if (stat_is_of_vectors(stat)) {
        value = vector_mean(m, c, u);
        error = ret_error && !m->pivot.subsets ? vector_error(m, c, u) : NAN;
    } else if (stat == TABLE_TOKENS || stat == TABLE_GENERATED) {
        value = (double)(stat == TABLE_TOKENS ? u->tokens : u->generated) / (double)u->n;
        error = ret_error && !m->pivot.subsets ? vector_error(m, c, u) : NAN;
    } else if (stat_needs_members(stat, s->fold)) {
        value = members_fold(u, s->fold, &v) ? v.value : NAN;
        error = v.stderr_;
    } else if (stat == TABLE_LAYERS) {
        value = u->layers_label / (double)(u->search ? u->labelled : u->n);
    } else if (stat == TABLE_LAYERS_ALL) {
        value = u->layers_all / (double)u->n;
    } else if (stat == TABLE_LAYERS_BASE) {
        value = u->layers_base / (double)u->n;
    } else {
        double h = (double)hits(u, stat);

        value = h / (double)u->n;
        error = metric_mean_sums(u->n, h, h).stderr_;
    }
    if (ret_error)
        *ret_error = error;
    return value;
}

/* ---- over seeds ---- */

unsigned column_shows(const struct table_column *c)
{
    unsigned shows = c->show ? c->show : TABLE_SHOW_VALUE;

    if (c->stat != stat_plain(c->stat) && c->stat != TABLE_METRIC_SE)
        shows |= TABLE_SHOW_CI;
    if (c->stat == TABLE_METRIC_SE && !c->show)
        shows |= TABLE_SHOW_SE | TABLE_SHOW_CI;
    return c->aggregate == TABLE_CI ? shows | TABLE_SHOW_CI : shows;
}

static double aggregate(enum table_aggregate how, const double *x, size_t n, double plain_mean)
{
    switch (how) {
    case TABLE_SD:
        return stats_sd(x, n);
    case TABLE_SE:
        return stats_se(x, n);
    case TABLE_MEDIAN:
        return stats_median(x, n);
    case TABLE_MIN:
        return stats_quantile(x, n, 0.0);
    case TABLE_MAX:
        return stats_quantile(x, n, 1.0);
    case TABLE_SUM:
        return stats_sum(x, n);
    case TABLE_MEAN:
    case TABLE_CI:
    case TABLE_COUNT:
    case TABLE_RUNS:
    case TABLE_AGGREGATES:
        break;
    }
    return plain_mean;
}

/* Vectors of all seeds, of the same examples each; false when some are not there. */
static bool aligned(struct making *m, const struct table_column *c, const struct backing *s,
                    const double **ret, size_t *ret_n)
{
    for (size_t i = 0; i < s->units; i++) {
        const struct unit *u = &s->unit[i];
        const struct sums *x = u->fact[0], *first = s->unit[0].fact[0];
        const char *name = vector_name(c, x);

        if (m->pivot.subsets || u->facts != 1 || !name || x->task != first->task ||
            x->level != first->level || x->split != first->split ||
            x->promised != first->promised || x->n != x->promised)
            return false;
        ret[i] = vectors_get(&m->vectors, m->s, x, name);
        if (!ret[i])
            return false;
        for (uint64_t k = 0; k < x->promised; k++) {
            if (isnan(ret[i][k]))
                return false;
        }
        ret_n[i] = x->promised;
    }
    return true;
}

static struct stats_interval by_counts(const struct table_column *c, const struct backing *s,
                                       const double *value)
{
    CLEANUP(mem_cleanup) uint64_t *h = mem_calloc(s->units, sizeof *h);
    CLEANUP(mem_cleanup) uint64_t *n = mem_calloc(s->units, sizeof *n);
    bool single = s->units > 1;

    for (size_t k = 0; k < s->units; k++) {
        h[k] = hits(&s->unit[k], c->stat);
        n[k] = s->unit[k].n;
        single = single && n[k] == 1;
    }
    return single ? stats_seeds(value, s->units) /* nothing below the seeds */
                  : stats_two_level(h, n, s->units);
}

/* Of seeds that answered the same examples. What lies between 0 and 1 has its interval there. */
static struct stats_interval by_examples(const struct table_column *c, const double *const *x,
                                         const size_t *n, size_t units)
{
    struct stats_interval ret;
    bool share = stat_is_percent(c->stat), none = share, all = share;

    for (size_t i = 0; i < units; i++) {
        for (size_t k = 0; k < n[i] && (none || all); k++) {
            none = none && x[i][k] == 0.0;
            all = all && x[i][k] == 1.0;
        }
    }
    if (units == 1 || none || all)
        return stats_bca(x[0], n[0]); /* seeds that all agree are no more examples */
    ret = stats_two_level_values(x, n, units, true);
    if (share) {
        ret.lo = fmin(fmax(ret.lo, 0.0), 1.0);
        ret.hi = fmin(fmax(ret.hi, 0.0), 1.0);
    }
    return ret;
}

static struct stats_interval interval(struct making *m, const struct table_column *c,
                                      const struct backing *s, const double *value)
{
    CLEANUP(mem_cleanup) const double **x = NULL;
    CLEANUP(mem_cleanup) size_t *n = NULL;
    bool t = c->interval == TABLE_INTERVAL_T || stat_is_number(c->stat) ||
             (c->stat == TABLE_METRIC_SE && c->interval == TABLE_INTERVAL_AUTO);

    if (t || s->units == 2)
        return stats_seeds(value, s->units);
    if (stat_is_share(c->stat) && s->fold == FOLD_SUM &&
        (s->units == 1 || s->unit[0].n * s->units > ALIGNED_MAX))
        return by_counts(c, s, value);
    x = mem_calloc(s->units, sizeof(*x));
    n = mem_calloc(s->units, sizeof *n);
    if (s->fold == FOLD_SUM && s->unit[0].n > 1 && aligned(m, c, s, x, n))
        return by_examples(c, x, n, s->units);
    if (stat_is_share(c->stat) && s->fold == FOLD_SUM)
        return by_counts(c, s, value);
    return stats_seeds(value, s->units);
}

static int compare_digests(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct digest));
}

static void trace(struct table_cell *cell, const struct backing *s)
{
    size_t n = 0, kept = 0;

    for (size_t i = 0; i < s->units; i++)
        n += s->unit[i].number ? 0 : s->unit[i].families_len;
    cell->family = mem_calloc(MAX(n, 1), sizeof *cell->family);
    if (n == 0)
        return;
    n = 0;
    for (size_t i = 0; i < s->units; i++) {
        memcpy(cell->family + n, s->unit[i].family, s->unit[i].families_len * sizeof *cell->family);
        n += s->unit[i].families_len;
    }
    qsort(cell->family, n, sizeof *cell->family, compare_digests);
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || !digest_equal(&cell->family[kept - 1], &cell->family[i]))
            cell->family[kept++] = cell->family[i];
    }
    cell->families_len = kept;
}

static void fill_values(struct making *m, struct table_cell *cell, const struct table_column *c,
                        const struct backing *s)
{
    CLEANUP(mem_cleanup) double *value = mem_calloc(MAX(s->units, 1), sizeof *value);
    unsigned shows = column_shows(c);
    double sum = 0.0, error = NAN;
    struct stats_interval i = { 0 };
    size_t said = 0;

    for (size_t k = 0; k < s->units; k++) {
        value[said] = unit_value(m, c, s, &s->unit[k], &error);
        if (!isnan(value[said]))
            sum += value[said++];
    }
    cell->value = said ? aggregate(c->aggregate, value, said, sum / (double)said) : NAN;
    cell->known = isfinite(cell->value);
    if (!cell->known)
        cell->value = 0.0;
    if (shows & TABLE_SHOW_SD && said > 1) {
        cell->sd = stats_sd(value, said);
        cell->has_sd = isfinite(cell->sd);
    }
    if (shows & TABLE_SHOW_SE) {
        cell->error = said > 1 ? stats_se(value, said) : error;
        cell->has_error = said > 0 && isfinite(cell->error) &&
                          !(c->stat == TABLE_METRIC_SE && !c->show && s->units > 1);
    }
    if (shows & TABLE_SHOW_CI && said > 0 && said == s->units &&
        !(c->stat == TABLE_METRIC_SE && s->units == 1 && !c->show))
        i = interval(m, c, s, value);
    cell->interval = i.valid;
    cell->lo = i.lo;
    cell->hi = i.hi;
}

/* Runs that did not reach the target make the value a lower bound, which has no spread. */
static void fill_reached(struct table_cell *cell, const struct table_column *c,
                         const struct backing *s)
{
    for (size_t i = 0; i < s->units; i++)
        cell->reached += !number_last(c, &s->unit[i])->censored;
    if (cell->reached == cell->seeds)
        return;
    cell->bound = TABLE_AT_LEAST;
    cell->interval = cell->has_sd = cell->has_error = false;
}

void cell_fill(struct making *m, struct table_cell *cell, const struct table_column *c,
               const struct backing *s)
{
    double repeats = 0.0;

    *cell = (struct table_cell){ .seeds = (uint32_t)s->units,
                                 .wanted = (uint32_t)s->wanted,
                                 .diverged = (uint32_t)s->diverged,
                                 .missing = s->units == 0 };
    trace(cell, s);
    for (size_t i = 0; i < s->units; i++) {
        if (!s->unit[i].number)
            cell->n = MAX(cell->n, s->unit[i].n);
        repeats += (double)s->unit[i].repeats;
    }
    if (c->stat == TABLE_N || c->stat == TABLE_SEEDS || c->stat == TABLE_REPEATS ||
        c->aggregate == TABLE_COUNT || c->aggregate == TABLE_RUNS) {
        cell->known = s->units > 0;
        cell->value = c->stat == TABLE_REPEATS                               ? repeats
                      : c->stat == TABLE_SEEDS || c->aggregate == TABLE_RUNS ? (double)s->units
                                                                             : (double)cell->n;
        return;
    }
    fill_values(m, cell, c, s);
    if (c->targets > 0)
        fill_reached(cell, c, s);
}
