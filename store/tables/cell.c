/* SPDX-License-Identifier: Apache-2.0 */
/* cell.c - the number in a cell, its interval and its text. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "store/tables/pivot.h"
#include "store/tables/stats.h"

/* How many of U's examples STAT counts; only for shares. */
static uint64_t hits(const struct unit *u, enum table_stat stat)
{
    switch (stat) {
    case TABLE_ACCURACY:
    case TABLE_ACCURACY_CI:
        return u->correct;
    case TABLE_ACCURACY_NORM:
    case TABLE_ACCURACY_NORM_CI:
        return u->norm;
    case TABLE_ORACLE:
    case TABLE_ORACLE_CI:
        return u->labelled;
    case TABLE_PRESERVED:
        return u->preserved;
    case TABLE_IMPROVED:
        return u->improved;
    case TABLE_N:
    case TABLE_SEEDS:
    case TABLE_LAYERS:
    case TABLE_LAYERS_ALL:
    case TABLE_LAYERS_BASE:
    case TABLE_REPEATS:
    case TABLE_METRIC:
    case TABLE_METRIC_SE:
    case TABLE_STATS_LEN:
        break;
    }
    assert(false && "no share");
    return 0;
}

/* Can a result of this kind say it? */
static bool applies(const struct unit *u, enum table_stat stat)
{
    switch (stat) {
    case TABLE_ORACLE:
    case TABLE_ORACLE_CI:
    case TABLE_PRESERVED:
    case TABLE_IMPROVED:
    case TABLE_LAYERS_ALL:
    case TABLE_LAYERS_BASE:
        return u->search;
    case TABLE_ACCURACY_NORM:
    case TABLE_ACCURACY_NORM_CI:
        return !u->search;
    case TABLE_LAYERS:
        return !u->search || u->labelled > 0;
    case TABLE_N:
    case TABLE_SEEDS:
    case TABLE_ACCURACY:
    case TABLE_ACCURACY_CI:
    case TABLE_REPEATS:
    case TABLE_METRIC:
    case TABLE_METRIC_SE:
    case TABLE_STATS_LEN:
        break;
    }
    return true;
}

static double one(const struct unit *u, enum table_stat stat)
{
    if (stat == TABLE_LAYERS)
        return u->layers_label / (double)(u->search ? u->labelled : u->n);
    if (stat == TABLE_LAYERS_ALL)
        return u->layers_all / (double)u->n;
    if (stat == TABLE_LAYERS_BASE)
        return u->layers_base / (double)u->n;
    return (double)hits(u, stat) / (double)u->n;
}

static bool wants_interval(enum table_stat stat)
{
    return stat == TABLE_ACCURACY_CI || stat == TABLE_ACCURACY_NORM_CI || stat == TABLE_ORACLE_CI;
}

static void add_interval(struct table_cell *cell, enum table_stat stat, const struct unit *units,
                         size_t len)
{
    uint64_t *h = mem_calloc(len, sizeof *h), *n = mem_calloc(len, sizeof *n);
    double *mean = mem_calloc(len, sizeof *mean);
    bool single = len > 1;
    struct stats_interval i;

    for (size_t k = 0; k < len; k++) {
        h[k] = hits(&units[k], stat);
        n[k] = units[k].n;
        mean[k] = one(&units[k], stat);
        single = single && n[k] == 1;
    }
    i = single ? stats_seeds(mean, len)
               : stats_two_level(h, n, len); /* nothing below the seeds: t interval */
    cell->interval = i.valid;
    cell->lo = i.lo;
    cell->hi = i.hi;
    free(h);
    free(n);
    free(mean);
}

static int digits_of(const struct table_column *c)
{
    if (c->digits >= 0)
        return c->digits;
    if (stat_is_percent(c->stat))
        return 1;
    return c->stat == TABLE_LAYERS || c->stat == TABLE_LAYERS_ALL || c->stat == TABLE_LAYERS_BASE
               ? 2
               : 0;
}

static char *print_cell(const struct table_cell *cell, const struct table_column *c)
{
    double scale = stat_is_percent(c->stat) ? 100.0 : 1.0;
    int digits = digits_of(c);
    struct buf b = { 0 };

    if (!cell->known)
        return mem_strdup("-");
    buf_printf(&b, "%.*f", digits, scale * cell->value);
    if (cell->has_error)
        buf_printf(&b, " \xc2\xb1 %.*f", digits, scale * cell->error);
    if (cell->interval)
        buf_printf(&b, " [%.*f, %.*f]", digits, scale * cell->lo, digits, scale * cell->hi);
    return buf_detach(&b);
}

static int compare_digests(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct digest));
}

static void trace(struct table_cell *cell, const struct unit *units, size_t len)
{
    size_t n = 0, kept = 0;

    for (size_t i = 0; i < len; i++)
        n += units[i].families_len;
    cell->family = mem_calloc(MAX(n, 1), sizeof *cell->family);
    n = 0;
    for (size_t i = 0; i < len; i++) {
        memcpy(cell->family + n, units[i].family, units[i].families_len * sizeof *cell->family);
        n += units[i].families_len;
    }
    qsort(cell->family, n, sizeof *cell->family, compare_digests);
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || !digest_equal(&cell->family[kept - 1], &cell->family[i]))
            cell->family[kept++] = cell->family[i];
    }
    cell->families_len = kept;
}

/* Of metrics and of groups' means: the mean over seeds of what each seed's members make. */
static void fill_members(struct table_cell *cell, const struct table_column *c,
                         const struct unit *units, size_t len, enum fold fold)
{
    double *value = mem_calloc(MAX(len, 1), sizeof *value), sum = 0.0;
    struct metric_value one = { 0 };
    struct stats_interval i;
    size_t said = 0;

    for (size_t k = 0; k < len; k++) {
        if (!members_fold(&units[k], fold, &one))
            continue;
        value[said++] = one.value;
        sum += one.value;
    }
    cell->known = said > 0;
    cell->value = said > 0 ? sum / (double)said : 0.0;
    if (c->stat == TABLE_METRIC_SE && len == 1 && said == 1 && isfinite(one.stderr_)) {
        cell->has_error = true;
        cell->error = one.stderr_;
    }
    if (c->stat == TABLE_METRIC_SE && said == len) {
        i = stats_seeds(value, said);
        cell->interval = i.valid;
        cell->lo = i.lo;
        cell->hi = i.hi;
    }
    free(value);
}

/* A group's row says what its members' examples add up to, or the mean over tasks; what belongs to
 * searches has neither. */
static bool fits_group(enum table_stat stat)
{
    return stat == TABLE_N || stat == TABLE_SEEDS || stat == TABLE_REPEATS ||
           stat == TABLE_METRIC || stat == TABLE_METRIC_SE || stat == TABLE_ACCURACY ||
           stat == TABLE_ACCURACY_CI || stat == TABLE_ACCURACY_NORM ||
           stat == TABLE_ACCURACY_NORM_CI;
}

void cell_fill(struct table_cell *cell, const struct table_column *c, const struct unit *units,
               size_t len, enum fold fold)
{
    double sum = 0.0;
    size_t said = 0;

    *cell = (struct table_cell){ .seeds = (uint32_t)len };
    trace(cell, units, len);
    for (size_t i = 0; i < len; i++)
        cell->n = MAX(cell->n, units[i].n);
    if (c->stat == TABLE_N || c->stat == TABLE_SEEDS || c->stat == TABLE_REPEATS) {
        cell->known = len > 0;
        for (size_t i = 0; i < len; i++)
            sum += (double)units[i].repeats;
        cell->value = c->stat == TABLE_N       ? (double)cell->n
                      : c->stat == TABLE_SEEDS ? (double)len
                                               : sum;
    } else if (fold == FOLD_MEAN && !fits_group(c->stat)) {
        cell->known = false;
    } else if (stat_needs_members(c->stat, fold)) {
        fill_members(cell, c, units, len, fold);
    } else {
        for (size_t i = 0; i < len; i++) {
            if (applies(&units[i], c->stat)) {
                sum += one(&units[i], c->stat);
                said++;
            }
        }
        cell->known = said > 0;
        cell->value = said ? sum / (double)said : 0.0;
        if (cell->known && wants_interval(c->stat))
            add_interval(cell, c->stat, units, len);
    }
    cell->text = print_cell(cell, c);
}
