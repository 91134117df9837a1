/* SPDX-License-Identifier: Apache-2.0 */
/* units.c - what stands behind a cell: the sums of each seed (making.h). */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "store/tables/making.h"

static int compare_digests(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct digest));
}

static void unit_release(struct unit *u)
{
    free(u->fact);
    free(u->family);
    free(u->member);
}

static void unit_add(struct unit *u, const struct sums *x)
{
    u->n += x->n;
    u->promised += x->promised;
    u->correct += x->correct;
    u->norm += x->norm;
    u->labelled += x->number ? 0 : x->labelled;
    u->preserved += x->preserved;
    u->improved += x->improved;
    u->repeats += x->repeats;
    u->tokens += x->tokens;
    u->generated += x->generated;
    u->layers_label += x->layers_label;
    u->layers_all += x->layers_all;
    u->layers_base += x->layers_base;
    if (x->number && x->n == 0)
        return; /* of the run's steps one has not reported yet */
    u->n_least = MIN(u->n_least, x->n);
    u->n_most = MAX(u->n_most, x->n);
}

/* Facts of one run, in order. */
static struct unit unit_make(const struct sums **fact, size_t len)
{
    struct unit u = { .run = fact[0]->run,
                      .search = fact[0]->search,
                      .number = fact[0]->number != NULL,
                      .n_least = UINT64_MAX,
                      .facts = len,
                      .families_len = len };

    u.fact = mem_dup(fact, len * sizeof *fact);
    u.family = mem_calloc(len, sizeof *u.family);
    for (size_t i = 0; i < len; i++) {
        unit_add(&u, fact[i]);
        u.family[i] = fact[i]->family;
    }
    if (len > 1)
        qsort(u.family, len, sizeof *u.family, compare_digests);
    return u;
}

/* Has an earlier fact of U the family of fact AT? */
static bool has_family(const struct unit *u, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (digest_equal(&u->fact[i]->family, &u->fact[at]->family))
            return true;
    }
    return false;
}

static void add_members(struct making *m, const struct table_column *c, struct backing *s,
                        struct unit *u)
{
    u->member = mem_calloc(u->facts, sizeof *u->member);
    for (size_t i = 0; i < u->facts; i++) {
        const struct sums *x = u->fact[i];

        if (x->n > 0 && !(s->whole && has_family(u, i)))
            u->member[u->members_len++] = member_of(&m->pivot, c, x, s->whole);
    }
}

/* ---- runs that share results are one seed ---- */

struct shared {
    size_t unit;
    const struct unit *of;
};

static int compare_families(const void *a, const void *b)
{
    const struct shared *x = a, *y = b;
    int order;

    if (x->of->families_len != y->of->families_len)
        return x->of->families_len < y->of->families_len ? -1 : 1;
    order = memcmp(x->of->family, y->of->family, x->of->families_len * sizeof(struct digest));
    return order ? order : x->unit < y->unit ? -1 : x->unit > y->unit;
}

static bool same_families(const struct unit *a, const struct unit *b)
{
    return a->families_len == b->families_len &&
           memcmp(a->family, b->family, a->families_len * sizeof *a->family) == 0;
}

/* Of several units with the same families the first stays. */
static void units_share(struct unit *units, size_t *len)
{
    struct shared *list = mem_calloc(MAX(*len, 1), sizeof *list);
    bool *again = mem_calloc(MAX(*len, 1), sizeof *again);
    size_t kept = 0;

    for (size_t i = 0; i < *len; i++)
        list[i] = (struct shared){ i, &units[i] };
    if (*len > 1)
        qsort(list, *len, sizeof *list, compare_families);
    for (size_t i = 1; i < *len; i++)
        again[list[i].unit] = same_families(list[i - 1].of, list[i].of);
    for (size_t i = 0; i < *len; i++) {
        if (again[i])
            unit_release(&units[i]);
        else
            units[kept++] = units[i];
    }
    *len = kept;
    free(list);
    free(again);
}

/* ---- gathering ---- */

static int by_run(const void *a, const void *b)
{
    const struct sums *x = *(const struct sums *const *)a, *y = *(const struct sums *const *)b;

    if (x->run != y->run)
        return x->run < y->run ? -1 : 1;
    return x < y ? -1 : x > y; /* the order of loading */
}

enum fold row_fold(const struct making *m, const struct row *r)
{
    return r->kind == ROW_GROUP ? group_fold(r->key[m->task]) : FOLD_SUM;
}

static size_t take(struct making *m, size_t row, size_t flat, const struct sums ***ret)
{
    const struct flat *f = &m->flat[flat];
    bool numbers = stat_is_number(m->spec->column[f->column].stat);
    const struct places *p = numbers ? &m->numbers : &m->own;
    size_t place = numbers ? m->number_row[row] : row, n = 0;
    size_t from = p->start[place], to = p->start[place + 1];
    const struct sums **fact = mem_calloc(to - from + 1, sizeof(*fact));

    for (size_t i = from; i < to; i++) {
        size_t x = p->fact[i];

        if (!fact_of_column(m, f->column, x))
            continue;
        if (numbers ? false : m->spread_of[x] != f->spread)
            continue;
        fact[n++] = &m->pivot.sums[x];
    }
    if (n > 1)
        qsort(fact, n, sizeof(*fact), by_run);
    *ret = fact;
    return n;
}

void backing_gather(struct making *m, size_t row, size_t flat, struct backing *ret)
{
    const struct row *r = &m->rows[row];
    const struct table_column *c = flat_column(m, flat);
    const struct sums **fact;
    size_t n = take(m, row, flat, &fact), units = 0, kept = 0;

    *ret = (struct backing){ .fold = row_fold(m, r),
                             .whole = r->kind == ROW_TOTAL && m->folds_subsets };
    ret->unit = mem_calloc(MAX(n, 1), sizeof *ret->unit);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && fact[end]->run == fact[i]->run;)
            end++;
        ret->unit[units++] = unit_make(fact + i, end - i);
    }
    free(fact);
    units_share(ret->unit, &units);
    ret->wanted = units;
    for (size_t i = 0; i < units; i++) { /* seeds without any result yet say nothing */
        struct unit *u = &ret->unit[i];

        ret->diverged += m->pivot.run[u->run].diverged;
        if (u->n == 0) {
            unit_release(u);
            continue;
        }
        if (stat_needs_members(c->stat, ret->fold))
            add_members(m, c, ret, u);
        ret->unit[kept++] = *u;
    }
    ret->units = kept;
}

void backing_release(struct backing *s)
{
    for (size_t i = 0; i < s->units; i++)
        unit_release(&s->unit[i]);
    free(s->unit);
    *s = (struct backing){ 0 };
}
