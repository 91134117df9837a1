/* SPDX-License-Identifier: Apache-2.0 */
/* compare.c - every cell against its baseline: differences, tests, Holm's correction; and the best
 * of each column (making.h). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "common/conf/cond.h"
#include "common/stats/stats.h"
#include "store/pairing.h"
#include "store/read.h"
#include "store/tables/cost.h"
#include "store/tables/making.h"
#include "store/tables/spec_private.h"

static struct table_cell *cell_at(const struct making *m, size_t row, size_t flat)
{
    return &m->table->cell[row * m->table->columns + m->keys + flat];
}

static bool comparable(const struct table_column *c)
{
    return c->stat != TABLE_N && c->stat != TABLE_SEEDS && c->stat != TABLE_REPEATS &&
           c->aggregate != TABLE_COUNT && c->aggregate != TABLE_RUNS;
}

static bool same_target(const struct table_column *a, const struct table_column *b)
{
    CLEANUP(buf_release) struct buf x = { 0 }, y = { 0 };

    if (a->stat != TABLE_COST || b->stat != TABLE_COST)
        return true;
    cost_print_target(a, &x);
    cost_print_target(b, &y);
    return a->sum_stages == b->sum_stages && strcmp(buf_str(&x), buf_str(&y)) == 0;
}

static bool same_measure(const struct table_column *a, const struct table_column *b)
{
    return comparable(a) && stat_plain(a->stat) == stat_plain(b->stat) &&
           strcmp(a->metric, b->metric) == 0 && a->take == b->take && same_target(a, b) &&
           (a->aggregate == b->aggregate ||
            (a->aggregate == TABLE_MEAN && b->aggregate == TABLE_CI) ||
            (a->aggregate == TABLE_CI && b->aggregate == TABLE_MEAN));
}

/* ---- tests ---- */

/* Which examples X's vectors are of, in the order of a cell's parts. */
int facts_by_examples(const void *a, const void *b)
{
    const struct sums *x = *(const struct sums *const *)a, *y = *(const struct sums *const *)b;
    int order = strcmp(x->task, y->task);

    if (order == 0)
        order = strcmp(x->split, y->split);
    return order ? order : x->level < y->level ? -1 : x->level > y->level;
}

bool facts_same_examples(struct making *m, const struct sums *x, const struct sums *y)
{
    bool same = false;
    struct err ignored = { 0 };

    if (x->task != y->task || x->level != y->level || x->split != y->split ||
        x->promised != y->promised)
        return false;
    if (x->family_id == y->family_id)
        return true;
    return store_same_examples(m->s, x->family_id, y->family_id, x->promised, &same, &ignored) ==
               0 &&
           same;
}

/* Per-example means over the seeds of S, one after the other by part, into *RET (*RET_N). PARTS:
 * the first seed's facts in order, to be compared with others'. False: no vectors, or the seeds'
 * examples differ. BINARY: one seed, all 0 or 1. */
struct examples {
    double *mean;
    size_t n;
    const struct sums **part;
    size_t parts;
    bool binary;
};

static bool add_seed(struct making *m, const struct table_column *c, const struct unit *u,
                     struct examples *e, double *count)
{
    const struct sums **fact = mem_dup(u->fact, u->facts * sizeof(*fact));
    size_t at = 0;
    bool fits = u->facts == e->parts;

    qsort(fact, u->facts, sizeof(*fact), facts_by_examples);
    for (size_t i = 0; fits && i < u->facts; i++) {
        const char *name = vector_name(c, fact[i]);
        const double *v = name ? vectors_get(&m->vectors, m->s, fact[i], name) : NULL;

        fits = v && facts_same_examples(m, fact[i], e->part[i]);
        for (uint64_t k = 0; fits && k < fact[i]->promised; k++, at++) {
            if (isnan(v[k]))
                continue;
            e->mean[at] += v[k];
            count[at] += 1.0;
            e->binary = e->binary && (v[k] == 0.0 || v[k] == 1.0);
        }
    }
    free(fact);
    return fits;
}

static bool examples_of(struct making *m, const struct table_column *c, const struct backing *s,
                        struct examples *e)
{
    CLEANUP(mem_cleanup) double *count = NULL;
    bool fits = s->units > 0 && !m->pivot.subsets && s->fold == FOLD_SUM && !s->unit[0].number;

    *e = (struct examples){ .binary = s->units == 1 };
    if (!fits)
        return false;
    e->parts = s->unit[0].facts;
    e->part = mem_dup(s->unit[0].fact, e->parts * sizeof(*e->part));
    qsort(e->part, e->parts, sizeof(*e->part), facts_by_examples);
    e->n = s->unit[0].promised;
    e->mean = mem_calloc(MAX(e->n, 1), sizeof *e->mean);
    count = mem_calloc(MAX(e->n, 1), sizeof *count);
    for (size_t i = 0; fits && i < s->units; i++)
        fits = s->unit[i].promised == e->n && add_seed(m, c, &s->unit[i], e, count);
    for (size_t k = 0; k < e->n; k++)
        e->mean[k] = count[k] > 0.0 ? e->mean[k] / count[k] : NAN;
    return fits;
}

static void examples_release(struct examples *e)
{
    free(e->mean);
    free(e->part);
}

static bool test_examples(struct making *m, const struct examples *a, const struct examples *b,
                          struct table_comparison *ret)
{
    CLEANUP(mem_cleanup) double *x = mem_calloc(MAX(a->n, 1), sizeof *x);
    CLEANUP(mem_cleanup) double *y = mem_calloc(MAX(a->n, 1), sizeof *y);
    uint64_t only_a = 0, only_b = 0;
    size_t n = 0;

    if (a->parts != b->parts || a->n != b->n)
        return false;
    for (size_t i = 0; i < a->parts; i++) {
        if (!facts_same_examples(m, a->part[i], b->part[i]))
            return false;
    }
    for (size_t i = 0; i < a->n; i++) {
        if (isnan(a->mean[i]) || isnan(b->mean[i]))
            continue;
        only_a += a->mean[i] > b->mean[i];
        only_b += b->mean[i] > a->mean[i];
        x[n] = a->mean[i];
        y[n++] = b->mean[i];
    }
    if (n < 2)
        return false;
    ret->method = a->binary && b->binary ? TABLE_MCNEMAR : TABLE_PAIRED;
    ret->p =
        ret->method == TABLE_MCNEMAR ? stats_mcnemar(only_a, only_b) : stats_paired_t(x, y, n).p;
    return !isnan(ret->p);
}

static bool same_seeds(const struct making *m, const struct backing *a, const struct backing *b)
{
    for (size_t i = 0; i < a->units; i++) {
        if (a->units != b->units ||
            m->pivot.run[a->unit[i].run].seed != m->pivot.run[b->unit[i].run].seed)
            return false;
        for (size_t k = 0; k < i; k++) {
            if (m->pivot.run[a->unit[i].run].seed == m->pivot.run[a->unit[k].run].seed)
                return false;
        }
    }
    return a->units > 1;
}

static bool test_seeds(struct making *m, const struct table_column *c, const struct table_column *d,
                       const struct backing *a, const struct backing *b,
                       struct table_comparison *ret)
{
    CLEANUP(mem_cleanup) double *x = mem_calloc(MAX(a->units, 1), sizeof *x);
    CLEANUP(mem_cleanup) double *y = mem_calloc(MAX(b->units, 1), sizeof *y);
    bool paired = same_seeds(m, a, b);

    for (size_t i = 0; i < a->units; i++)
        x[i] = unit_value(m, c, a, &a->unit[i], NULL);
    for (size_t i = 0; i < b->units; i++)
        y[i] = unit_value(m, d, b, &b->unit[i], NULL);
    for (size_t i = 0; i < MAX(a->units, b->units); i++) {
        if ((i < a->units && isnan(x[i])) || (i < b->units && isnan(y[i])))
            return false;
    }
    if (a->units < 2 || b->units < 2)
        return false;
    ret->method = paired ? TABLE_PAIRED_SEEDS : TABLE_WELCH;
    ret->p = paired ? stats_paired_t(x, y, a->units).p : stats_welch(x, a->units, y, b->units).p;
    return !isnan(ret->p);
}

/* CELL and BASE are greater than they show, or are what they show. */
static enum table_bound bound_of(const struct table_cell *cell, const struct table_cell *base)
{
    return cell->bound && base->bound ? TABLE_EITHER
           : cell->bound              ? TABLE_AT_LEAST
           : base->bound              ? TABLE_AT_MOST
                                      : TABLE_EXACT;
}

static void compare(struct making *m, size_t row, size_t flat, size_t base_row, size_t base_flat)
{
    struct table_cell *cell = cell_at(m, row, flat);
    const struct table_cell *base = cell_at(m, base_row, base_flat);
    const struct table_column *c = flat_column(m, flat), *d = flat_column(m, base_flat);
    CLEANUP(backing_release) struct backing a = { 0 };
    CLEANUP(backing_release) struct backing b = { 0 };
    CLEANUP(examples_release) struct examples x = { 0 };
    CLEANUP(examples_release) struct examples y = { 0 };
    struct table_comparison *to = &cell->compared;

    if (!cell->known || !base->known)
        return;
    to->made = true;
    to->base = (size_t)(base - m->table->cell);
    to->difference = cell->value - base->value;
    to->has_ratio = base->value > 0.0;
    to->ratio = to->has_ratio ? cell->value / base->value - 1.0 : 0.0;
    to->bound = bound_of(cell, base);
    to->adjusted = to->p = NAN;
    if (c->aggregate != TABLE_MEAN && c->aggregate != TABLE_CI)
        return;
    backing_gather(m, row, flat, &a);
    backing_gather(m, base_row, base_flat, &b);
    to->tested =
        (examples_of(m, c, &a, &x) && examples_of(m, d, &b, &y) && test_examples(m, &x, &y, to)) ||
        test_seeds(m, c, d, &a, &b, to);
    if (c->show & TABLE_SHOW_DIFFERENCE_CI)
        difference_interval(m, (struct side){ c, &a }, (struct side){ d, &b }, to);
    if (c->show & TABLE_SHOW_RATIO_CI && to->has_ratio)
        ratio_interval(m, (struct side){ c, &a }, (struct side){ d, &b }, to);
}

static bool same_families(const struct table_cell *a, const struct table_cell *b)
{
    return a->families_len == b->families_len &&
           (a->families_len == 0 ||
            memcmp(a->family, b->family, a->families_len * sizeof *a->family) == 0);
}

/* An earlier cell of the row that compares the same results with the same baseline, or I. */
static size_t first_of(const struct making *m, size_t i)
{
    const struct table *t = m->table;
    const struct table_cell *cell = &t->cell[i];

    for (size_t k = i - i % t->columns + m->keys; k < i; k++) {
        const struct table_cell *other = &t->cell[k];

        if (other->compared.tested && other->compared.p == cell->compared.p &&
            other->value == cell->value &&
            other->compared.difference == cell->compared.difference &&
            same_measure(t->head[k % t->columns].column, t->head[i % t->columns].column) &&
            same_families(other, cell) &&
            same_families(&t->cell[other->compared.base], &t->cell[cell->compared.base]))
            return k;
    }
    return i;
}

/* Holm over all comparisons of the table, each once, then stars. */
static void correct(struct making *m)
{
    size_t n = m->table->rows * m->table->columns;
    CLEANUP(mem_cleanup) double *p = mem_calloc(MAX(n, 1), sizeof *p);
    CLEANUP(mem_cleanup) size_t *first = mem_calloc(MAX(n, 1), sizeof *first);

    for (size_t i = 0; i < n; i++) {
        struct table_comparison *c = &m->table->cell[i].compared;

        first[i] = c->tested ? first_of(m, i) : i;
        c->again = first[i] != i;
        p[i] = c->tested && !c->again ? c->p : NAN;
    }
    stats_holm(p, n, p);
    for (size_t i = 0; i < n; i++) {
        struct table_comparison *c = &m->table->cell[i].compared;

        if (!c->tested)
            continue;
        p[i] = p[first[i]];
        c->adjusted = p[i];
        c->stars = (p[i] < 0.05) + (p[i] < 0.01) + (p[i] < 0.001);
    }
}

/* ---- baseline column ---- */

/* PATH names C: it is C's path "GSM8K/acc", an upper part of it, or a lower one. */
static bool path_names(const char *path, const struct table_column *c)
{
    CLEANUP(buf_release) struct buf full = { 0 };
    size_t len = strlen(path);

    for (size_t i = 0; i < c->depth; i++)
        buf_printf(&full, "%s/", c->above[i]);
    buf_adds(&full, c->head);
    if (strncmp(buf_str(&full), path, len) == 0 &&
        (full.data[len] == '\0' || full.data[len] == '/'))
        return true;
    return full.len > len && full.data[full.len - len - 1] == '/' &&
           strcmp(full.data + full.len - len, path) == 0;
}

/* What column C is compared with: its own path, or the table's. NULL: nothing. */
static const char *path_of(const struct table_spec *spec, size_t c,
                           const struct conf_value **ret_source)
{
    const struct table_column *column = &spec->column[c];
    bool own = column->baseline[0] != '\0';

    *ret_source = own ? column->baseline_source : spec->baseline_source;
    return own ? column->baseline : spec->baseline[0] ? spec->baseline : NULL;
}

static int no_baseline(const struct making *m, const char *path, const struct conf_value *source,
                       struct err *err)
{
    const struct table_spec *spec = m->spec;
    const char *names[2 * TABLE_COLUMNS_MAX + 1] = { NULL };
    CLEANUP(buf_release) struct buf list = { 0 };
    const char *near;

    for (size_t i = 0; i < spec->columns_len; i++) {
        names[i] = spec->column[i].head;
        if (list.len < 250)
            buf_printf(&list, "%s\"%s\"", i ? ", " : "", names[i]);
    }
    near = nearest_find(path, names);
    return spec_error(err, ERR_INVALID, source,
                      near ? "no column is called \"%s\"; did you mean \"%s\"? There are %s"
                           : "no column is called \"%s\"%.0s; there are %s",
                      path, near ? near : "", buf_str(&list));
}

/* The column that C is compared with by PATH; C itself when PATH names it; SIZE_MAX: there is none.
 */
static size_t baseline_of(const struct table_spec *spec, const char *path, size_t c)
{
    size_t found = SIZE_MAX;

    if (path_names(path, &spec->column[c]))
        return c;
    for (size_t i = 0; i < spec->columns_len; i++) {
        if (!path_names(path, &spec->column[i]) ||
            !same_measure(&spec->column[c], &spec->column[i]))
            continue;
        if (found == SIZE_MAX || strcmp(spec->column[i].head, spec->column[c].head) == 0)
            found = i;
    }
    return found;
}

/* PATH, which SOURCE gives, must name a column, and columns that it is given to must have one of
 * their measure to be compared with. */
static int check_path(const struct making *m, const char *path, const struct conf_value *source,
                      struct err *err)
{
    const struct table_spec *spec = m->spec;
    size_t named = 0, pairs = 0;

    for (size_t c = 0; c < spec->columns_len; c++) {
        const struct conf_value *from;
        const char *of = path_of(spec, c, &from);
        size_t base;

        named += path_names(path, &spec->column[c]);
        if (!of || strcmp(of, path) != 0)
            continue;
        base = baseline_of(spec, path, c);
        pairs += base != SIZE_MAX && base != c;
    }
    if (named == 0)
        return no_baseline(m, path, source, err);
    return pairs ? 0
                 : spec_error(err, ERR_INVALID, source,
                              "no other column shows the measure of \"%s\"", path);
}

static int compare_columns(struct making *m, struct err *err)
{
    const struct table_spec *spec = m->spec;
    int rc = 0;

    for (size_t c = 0; rc == 0 && c < spec->columns_len; c++) {
        const struct conf_value *source;
        const char *path = path_of(spec, c, &source);

        rc = path ? check_path(m, path, source, err) : 0;
    }
    for (size_t f = 0; rc == 0 && f < m->flats; f++) {
        size_t column = m->flat[f].column, base;
        const struct conf_value *source;
        const char *path = path_of(spec, column, &source);

        base = path ? baseline_of(spec, path, column) : SIZE_MAX;
        for (size_t r = 0; rc == 0 && base != SIZE_MAX && r < m->rows_len; r++) {
            rc = store_check_time(m->s, err);
            if (base == column)
                cell_at(m, r, f)->is_baseline = comparable(flat_column(m, f));
            else
                compare(m, r, f, r, m->flat[f].spread * spec->columns_len + base);
        }
    }
    return rc;
}

/* ---- baseline row ---- */

struct row_lookup {
    struct making *m;
    const struct row *r;
};

static int row_key(const struct making *m, const char *name, size_t *ret, struct err *err)
{
    const char *names[TABLE_KEYS_MAX + 1] = { NULL };
    CLEANUP(buf_release) struct buf list = { 0 };
    int key, rc = pivot_find_key(&m->pivot, name, NULL, &key, err);

    for (*ret = 0; rc == 0 && *ret < m->keys; ++*ret) {
        if (m->key[*ret].key == key)
            return 0;
        names[*ret] = m->key[*ret].name;
        buf_printf(&list, "%s%s", *ret ? ", " : "", names[*ret]);
    }
    return rc ? rc
              : err_set(err, ERR_INVALID, "\"%s\" is no key of the rows, which are %s", name,
                        list.len ? buf_str(&list) : "of no key");
}

static int look_up_row(void *arg, const char *name, struct cond_value *ret, struct err *err)
{
    const struct row_lookup *l = arg;
    size_t at;
    int rc = row_key(l->m, name, &at, err);

    if (rc == 0)
        *ret = key_value(l->r->key[at]);
    return rc;
}

/* Rows that differ only in what the condition names have the same baseline. */
static bool same_but_named(const struct making *m, const struct row *a, const struct row *b,
                           const bool *named)
{
    for (size_t k = 0; k < m->keys; k++) {
        if (!named[k] && a->key[k] != b->key[k])
            return false;
    }
    return a->kind == b->kind;
}

static int find_baseline_rows(struct making *m, bool *is_baseline, bool *named, struct err *err)
{
    const char *name;
    size_t found = 0, at;

    for (size_t i = 0; (name = cond_name(m->spec->baseline_row, i)) != NULL; i++) {
        struct err inner = { 0 };
        int rc = row_key(m, name, &at, &inner);

        if (rc < 0)
            return spec_error(err, inner.code, m->spec->baseline_source, "%s", inner.text);
        named[at] = true;
    }
    for (size_t r = 0; r < m->rows_len; r++) {
        struct row_lookup l = { m, &m->rows[r] };
        struct err inner = { 0 };
        int rc = cond_eval(m->spec->baseline_row, look_up_row, &l, &is_baseline[r], &inner);

        if (rc < 0)
            return spec_error(err, inner.code, m->spec->baseline_source, "%s", inner.text);
        found += is_baseline[r];
    }
    return found ? 0
                 : spec_error(err, ERR_INVALID, m->spec->baseline_source,
                              "no row of the table is the baseline");
}

static int compare_rows(struct making *m, struct err *err)
{
    CLEANUP(mem_cleanup) bool *is_baseline = mem_calloc(m->rows_len, sizeof *is_baseline);
    bool named[TABLE_KEYS_MAX] = { false };
    int rc = find_baseline_rows(m, is_baseline, named, err);

    for (size_t r = 0; rc == 0 && r < m->rows_len; r++) {
        size_t base = 0;

        while (base < m->rows_len &&
               !(is_baseline[base] && same_but_named(m, &m->rows[r], &m->rows[base], named)))
            base++;
        for (size_t f = 0; rc == 0 && base < m->rows_len && f < m->flats; f++) {
            rc = store_check_time(m->s, err);
            if (flat_column(m, f)->baseline[0])
                continue; /* a column's own baseline is before the table's */
            if (is_baseline[r])
                cell_at(m, r, f)->is_baseline = comparable(flat_column(m, f));
            else if (comparable(flat_column(m, f)))
                compare(m, r, f, base, f);
        }
    }
    return rc;
}

int compare_all(struct making *m, struct err *err)
{
    int rc = compare_columns(m, err);

    if (rc == 0 && m->spec->baseline_row)
        rc = compare_rows(m, err);
    if (rc == 0)
        correct(m);
    return rc;
}
