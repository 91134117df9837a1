/* SPDX-License-Identifier: Apache-2.0 */
/* rows.c - which rows a table has, in which order, and which facts belong to each (making.h). */
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/base/mem.h"
#include "common/tasks/task.h"
#include "store/tables/making.h"

/* A row by its keys: names are interned, so bytes of pointers tell rows apart. */
struct known_row {
    UT_hash_handle hh;
    struct row row;
    size_t index, parts;
};

static struct known_row *row_find(struct known_row *all, const struct row *r)
{
    struct known_row *one;

    HASH_FIND(hh, all, r, sizeof *r, one);
    return one;
}

static struct known_row *row_add(struct known_row **all, const struct row *r)
{
    struct known_row *one = row_find(*all, r);

    if (one)
        return one;
    one = mem_calloc(1, sizeof *one);
    memcpy(&one->row, r, sizeof *r);
    one->index = HASH_COUNT(*all);
    HASH_ADD(hh, *all, row, sizeof *r, one);
    return one;
}

static void rows_free(struct known_row *all)
{
    struct known_row *one, *next;

    HASH_ITER(hh, all, one, next)
    {
        HASH_DEL(all, one);
        free(one);
    }
}

static void row_clear(struct row *r)
{
    memset(r, 0, sizeof *r); /* padding too: rows are compared by bytes */
}

/* False: a key does not allow its value. */
static bool row_of(struct making *m, const struct sums *x, struct row *ret)
{
    row_clear(ret);
    for (size_t k = 0; k < m->keys; k++) {
        ret->key[k] = pivot_key(&m->pivot, x, m->key[k].key);
        if (!(x->number && key_is_of_examples(m->key[k].key)) &&
            !key_allows(&m->key[k], ret->key[k]))
            return false;
    }
    return true;
}

static bool total_of(struct making *m, const struct row *own, struct row *ret)
{
    if (!m->spec->total || m->fold == m->keys)
        return false;
    memcpy(ret, own, sizeof *ret);
    ret->kind = ROW_TOTAL;
    ret->key[m->fold] = names_intern(&m->pivot.names, "all");
    return true;
}

/* The row of its group that OWN belongs to; false when its task has none. */
static bool group_row_of(struct making *m, const struct row *own, struct row *ret)
{
    const char *group = m->spec->total && m->task < m->keys && !m->pivot.subsets
                            ? group_of(own->key[m->task])
                            : NULL;

    if (!group)
        return false;
    memcpy(ret, own, sizeof *ret);
    ret->kind = ROW_GROUP;
    ret->key[m->task] = names_intern(&m->pivot.names, group);
    return true;
}

/* The part of R that runs alone decide. */
static void run_part(const struct making *m, const struct row *r, struct row *ret)
{
    row_clear(ret);
    for (size_t k = 0; k < m->keys; k++)
        ret->key[k] = key_is_of_examples(m->key[k].key) ? NULL : r->key[k];
}

bool fact_of_column(const struct making *m, size_t column, size_t fact)
{
    return m->takes[column * m->pivot.sums_len + fact];
}

static bool fact_used(const struct making *m, size_t fact)
{
    for (size_t c = 0; c < m->spec->columns_len; c++) {
        if (fact_of_column(m, c, fact))
            return m->spread_of[fact] != NOWHERE || m->pivot.sums[fact].number;
    }
    return false;
}

/* ---- order ---- */

static int compare_rows(const void *a, const void *b, void *arg)
{
    const struct making *m = arg;
    const struct row *x = &(*(struct known_row *const *)a)->row,
                     *y = &(*(struct known_row *const *)b)->row;

    for (size_t k = 0; k < m->keys; k++) {
        int order;

        if ((k == m->fold && (x->kind == ROW_TOTAL) != (y->kind == ROW_TOTAL)) ||
            (k == m->task && (x->kind == ROW_GROUP) != (y->kind == ROW_GROUP)))
            return x->kind > y->kind ? 1 : -1;
        order = key_compare(&m->key[k], x->key[k], y->key[k]);
        if (order)
            return order;
    }
    return 0;
}

/* Totals of one part are that part again. */
static void put_in_order(struct making *m, struct known_row **all)
{
    struct known_row *one, *next, **list;
    size_t n = 0;

    HASH_ITER(hh, *all, one, next)
    {
        if (one->row.kind != ROW_OWN && one->parts < 2) {
            HASH_DEL(*all, one);
            free(one);
        }
    }
    list = mem_calloc(MAX(HASH_COUNT(*all), 1), sizeof(*list));
    HASH_ITER(hh, *all, one, next)
    list[n++] = one;
    if (n > 0)
        qsort_r(list, n, sizeof(*list), compare_rows, m);
    m->rows = mem_calloc(MAX(n, 1), sizeof *m->rows);
    for (size_t i = 0; i < n; i++) {
        list[i]->index = i;
        memcpy(&m->rows[i], &list[i]->row, sizeof *m->rows);
    }
    m->rows_len = n;
    free(list);
}

/* ---- facts of rows ---- */

struct pair {
    size_t place, fact;
};
struct pairs {
    struct pair *v;
    size_t len, cap;
};

static void pair_add(struct pairs *p, size_t place, size_t fact)
{
    if (p->len == p->cap) {
        p->cap = MAX(256, 2 * p->cap);
        p->v = mem_realloc(p->v, p->cap, sizeof *p->v);
    }
    p->v[p->len++] = (struct pair){ place, fact };
}

/* Pairs come by fact; a counting sort keeps that order in each place. */
static void places_make(struct places *to, const struct pairs *from, size_t places)
{
    size_t *at;

    to->start = mem_calloc(places + 1, sizeof *to->start);
    to->fact = mem_calloc(MAX(from->len, 1), sizeof *to->fact);
    for (size_t i = 0; i < from->len; i++)
        to->start[from->v[i].place + 1]++;
    for (size_t i = 0; i < places; i++)
        to->start[i + 1] += to->start[i];
    at = mem_dup(to->start, (places + 1) * sizeof *at);
    for (size_t i = 0; i < from->len; i++)
        to->fact[at[from->v[i].place]++] = from->v[i].fact;
    free(at);
}

static void place_facts(struct making *m, struct known_row *all)
{
    struct pairs own = { 0 };

    for (size_t i = 0; i < m->pivot.sums_len; i++) {
        struct row r, more;
        struct known_row *at;

        if (m->pivot.sums[i].number || !fact_used(m, i) || !row_of(m, &m->pivot.sums[i], &r))
            continue;
        if ((at = row_find(all, &r)))
            pair_add(&own, at->index, i);
        if (total_of(m, &r, &more) && (at = row_find(all, &more)))
            pair_add(&own, at->index, i);
        if (group_row_of(m, &r, &more) && (at = row_find(all, &more)))
            pair_add(&own, at->index, i);
    }
    places_make(&m->own, &own, m->rows_len);
    free(own.v);
}

/* Numbers of runs belong to every row that their run's parameters fit. */
static void place_numbers(struct making *m)
{
    struct known_row *parts = NULL, *at;
    struct pairs numbers = { 0 };
    struct row r, part;

    m->number_row = mem_calloc(MAX(m->rows_len, 1), sizeof *m->number_row);
    for (size_t i = 0; i < m->rows_len; i++) {
        run_part(m, &m->rows[i], &part);
        m->number_row[i] = row_add(&parts, &part)->index;
    }
    for (size_t i = 0; i < m->pivot.sums_len; i++) {
        if (!m->pivot.sums[i].number || !fact_used(m, i) || !row_of(m, &m->pivot.sums[i], &r))
            continue;
        run_part(m, &r, &part);
        if ((at = row_find(parts, &part)))
            pair_add(&numbers, at->index, i);
    }
    places_make(&m->numbers, &numbers, HASH_COUNT(parts));
    free(numbers.v);
    rows_free(parts);
}

static void add_rows(struct making *m, struct known_row **all, bool numbers)
{
    for (size_t i = 0; i < m->pivot.sums_len; i++) {
        const struct sums *x = &m->pivot.sums[i];
        struct known_row *own;
        struct row r, more;
        size_t before = HASH_COUNT(*all);

        if ((x->number != NULL) != numbers || x->n == 0 || !fact_used(m, i) || !row_of(m, x, &r))
            continue;
        own = row_add(all, &r);
        if (HASH_COUNT(*all) == before || !own)
            continue;
        if (total_of(m, &r, &more))
            row_add(all, &more)->parts++;
        if (group_row_of(m, &r, &more))
            row_add(all, &more)->parts++;
    }
}

int rows_make(struct making *m, struct err *err)
{
    struct known_row *all = NULL;
    int rc = takes_make(m, err);

    if (rc == 0)
        rc = keys_choose(m, err);
    if (rc == 0)
        rc = spread_make(m, err);
    if (rc < 0)
        return rc;
    add_rows(m, &all, false);
    if (!all)
        add_rows(m, &all, true);
    put_in_order(m, &all);
    place_facts(m, all);
    place_numbers(m);
    rows_free(all);
    return 0;
}

void row_name(const struct making *m, const struct row *r, struct buf *out)
{
    for (size_t k = 0; k < m->keys; k++)
        buf_printf(out, "%s%s %s", k ? ", " : "", m->key[k].name, r->key[k]);
}

/* "glue: 3 of 8 tasks; lacks mnli, qnli" */
static void note_group(const struct making *m, size_t r)
{
    CLEANUP(buf_release) struct buf lacks = { 0 }, text = { 0 };
    const char *group = m->rows[r].key[m->task], **task;
    size_t len = 0, missing, members = 0;

    task = mem_calloc(m->own.start[r + 1] - m->own.start[r] + 1, sizeof *task);
    for (size_t i = m->own.start[r]; i < m->own.start[r + 1]; i++) {
        const struct sums *x = &m->pivot.sums[m->own.fact[i]];
        bool known = x->n == 0;

        for (size_t k = 0; k < len && !known; k++)
            known = task[k] == x->task;
        if (!known)
            task[len++] = x->task;
    }
    missing = task_group_lacks(group, task, len, &lacks, &members);
    buf_printf(&text, "%s: %zu of %zu tasks", group, members - missing, members);
    if (missing > 0)
        buf_printf(&text, "; lacks %s", buf_str(&lacks));
    buf_printf(&text, ". %s of their main metrics.",
               group_fold(group) == FOLD_MEAN ? "Unweighted mean" : "Mean, weighted by size,");
    table_note(m->table, buf_str(&text));
    free(task);
}

void rows_note_groups(const struct making *m)
{
    for (size_t r = 0; r < m->rows_len; r++) {
        if (m->rows[r].kind == ROW_GROUP)
            note_group(m, r);
    }
}
