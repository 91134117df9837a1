/* SPDX-License-Identifier: Apache-2.0 */
/* grid_page.c - filters, and the page of rows behind a cursor (grid.h).
 *
 * A page costs one walk over all rows, a block at a time: the filters give a mask, the column a key
 * per row, and what is less than the greatest of the best so far is gathered. Whenever the place
 * for that is full, it is sorted and cut to the page's length, so that each row is handled a few
 * times whatever the order of the rows. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "store/browse/grid_private.h"

/* ---- filters ---- */

int grid_filter_add(const struct grid_view *v, struct grid_filters *f, const char *text,
                    struct err *err)
{
    const char *op = strchr(text, '~'), *value = op ? strchr(op + 1, '~') : NULL;
    const struct column *column = NULL;
    char name[256], word[16];
    enum column_op which;
    int rc;

    if (!value || op == text || (size_t)(op - text) >= sizeof name ||
        (size_t)(value - op - 1) >= sizeof word)
        return err_set(err, ERR_INVALID,
                       "\"%.60s\" is no filter: NAME~OP~VALUE, as in train.schedule~eq~cosine",
                       text);
    if (f->len == GRID_FILTERS_MAX)
        return err_set(err, ERR_LIMIT, "more than %d filters", GRID_FILTERS_MAX);
    snprintf(name, sizeof name, "%.*s", (int)(op - text), text);
    snprintf(word, sizeof word, "%.*s", (int)(value - op - 1), op + 1);
    rc = grid_column(v, name, &column, err);
    if (rc == 0)
        rc = column_op_of(word, &which, err);
    if (rc == 0)
        rc = column_filter_make(&f->one[f->len++], column, which, value + 1, err);
    return grid_invalid(rc, err);
}

void grid_filters_release(struct grid_filters *f)
{
    for (size_t i = 0; i < f->len; i++)
        column_filter_release(&f->one[i]);
    *f = (struct grid_filters){ 0 };
}

size_t grid_mask(const struct grid_view *v, const struct grid_filters *f, size_t from, size_t n,
                 uint8_t mask[COLUMN_BLOCK])
{
    const unsigned hidden = GRID_GONE | (f->superseded ? 0 : GRID_SUPERSEDED);
    size_t taken = 0;

    for (size_t i = 0; i < n; i++)
        mask[i] = (v->flags[from + i] & hidden) == 0;
    for (size_t i = 0; i < f->len; i++)
        column_filter_mask(&f->one[i], from, n, mask);
    for (size_t i = 0; i < n; i++)
        taken += mask[i];
    return taken;
}

/* ---- pages ---- */

struct entry {
    uint64_t key;
    uint32_t row;
};

/* The best so far. */
struct best {
    struct entry *entry;
    size_t len, cap, limit;
    struct entry worst; /* what is not before it cannot be on the page */
    bool full;
};

static bool before(const struct entry *a, const struct entry *b)
{
    return a->key != b->key ? a->key < b->key : a->row < b->row;
}

static int by_key(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    return before(x, y) ? -1 : before(y, x);
}

/* Bring the LIMIT least to the front, in any order: Hoare's quickselect. */
static void select_least(struct entry *e, size_t len, size_t limit)
{
    ptrdiff_t low = 0, high = (ptrdiff_t)len - 1, last = (ptrdiff_t)limit - 1;

    while (low < high) {
        struct entry pivot = e[low + (high - low) / 2];
        ptrdiff_t i = low, j = high;

        while (i <= j) {
            while (before(&e[i], &pivot))
                i++;
            while (before(&pivot, &e[j]))
                j--;
            if (i <= j) {
                struct entry t = e[i];
                e[i++] = e[j];
                e[j--] = t;
            }
        }
        if (last <= j)
            high = j;
        else if (last >= i)
            low = i;
        else
            return;
    }
}

static void cut(struct best *b)
{
    if (b->len <= b->limit)
        return;
    select_least(b->entry, b->len, b->limit);
    b->len = b->limit;
    b->worst = b->entry[0];
    for (size_t i = 1; i < b->len; i++)
        if (before(&b->worst, &b->entry[i]))
            b->worst = b->entry[i];
    b->full = true;
}

static inline void offer(struct best *b, struct entry e)
{
    if (b->full && !before(&e, &b->worst))
        return;
    b->entry[b->len++] = e;
    if (b->len == b->cap)
        cut(b);
}

/* Where a page begins: behind this entry. */
struct cursor {
    bool given;
    uint64_t key, run;
};

static uint32_t hash_of(const char *sort)
{
    uint32_t h = 2166136261u;

    for (; *sort; sort++)
        h = (h ^ (unsigned char)*sort) * 16777619u;
    return h;
}

/* "order.value.run": whose order, the value as column_mark writes it, the run. */
static int read_cursor(const struct column *c, const char *sort, bool descending, const char *after,
                       struct cursor *ret, struct err *err)
{
    char mark[GRID_CURSOR_MAX], *end = NULL;
    const char *first = strchr(after, '.'), *second = first ? strchr(first + 1, '.') : NULL;

    if (!second || strchr(second + 1, '.') || strlen(after) >= sizeof mark || !second[1] ||
        strtoul(after, &end, 16) != hash_of(sort) || end != first)
        return err_set(err, ERR_INVALID,
                       "\"after\" is no cursor of this order: ask again without it");
    snprintf(mark, sizeof mark, "%.*s", (int)(second - first - 1), first + 1);
    ret->given = true;
    ret->run = strtoull(second + 1, &end, 10);
    if (*end)
        return err_set(err, ERR_INVALID,
                       "\"after\" is no cursor of this order: ask again without it");
    return column_mark_key(c, mark, descending, &ret->key, err);
}

static void write_cursor(const struct column *c, const char *sort, uint64_t run, size_t row,
                         struct buf *out)
{
    buf_printf(out, "%08" PRIx32 ".", hash_of(sort));
    column_mark(c, row, out);
    buf_printf(out, ".%" PRIu64, run);
}

/* Walk over all rows; *RET_BEHIND: how many lie behind the cursor. */
static void walk(const struct grid_view *v, const struct grid_filters *f, const struct column *c,
                 bool descending, const struct cursor *at, struct best *best, struct grid_page *ret,
                 uint64_t *ret_behind)
{
    uint8_t mask[COLUMN_BLOCK];
    uint64_t key[COLUMN_BLOCK];

    for (size_t from = 0; from < v->rows; from += COLUMN_BLOCK) {
        size_t n = MIN((size_t)COLUMN_BLOCK, v->rows - from);
        size_t taken = grid_mask(v, f, from, n, mask);

        ret->matched += taken;
        if (taken == 0)
            continue;
        column_keys(c, from, n, descending, key);
        for (size_t i = 0; i < n; i++) {
            if (!mask[i])
                continue;
            if (at->given &&
                (key[i] < at->key || (key[i] == at->key && v->run[from + i] <= at->run)))
                continue;
            ++*ret_behind;
            offer(best, (struct entry){ key[i], (uint32_t)(from + i) });
        }
    }
}

/* Order what B holds, without the SKIP first of them, into RET. */
static void take_page(struct best *b, size_t skip, struct grid_page *ret)
{
    cut(b);
    skip = MIN(skip, b->len);
    if (skip > 0 && skip < b->len)
        select_least(b->entry, b->len, skip);
    ret->len = b->len - skip;
    qsort(b->entry + skip, ret->len, sizeof *b->entry, by_key);
    for (size_t i = 0; i < ret->len; i++)
        ret->row[i] = b->entry[skip + i].row;
}

static int read_page(const struct grid_view *v, const struct grid_filters *f, const char *sort,
                     const char *after, size_t skip, size_t limit, struct grid_page *ret,
                     struct err *err)
{
    const struct column *c;
    struct cursor at = { 0 };
    struct best best = { .limit = skip + limit };
    uint64_t behind = 0;

    *ret = (struct grid_page){ 0 };
    assert(limit > 0 && limit <= GRID_LIMIT_MAX);
    sort = sort && sort[0] ? sort : "run";
    bool descending = sort[0] == '-';
    int rc = grid_column(v, sort + descending, &c, err);
    if (rc == 0) {
        grid_rank(v, c);
        rc = after && after[0] ? read_cursor(c, sort, descending, after, &at, err) : 0;
    }
    if (rc < 0)
        return rc;
    best.cap = MIN(MAX(4096, 4 * best.limit), v->rows + 1);
    best.entry = mem_calloc(best.cap, sizeof *best.entry);
    walk(v, f, c, descending, &at, &best, ret, &behind);
    take_page(&best, skip, ret);
    free(best.entry);
    if (ret->len > 0 && behind > skip + ret->len) {
        uint32_t last = ret->row[ret->len - 1];

        write_cursor(c, sort, v->run[last], last, &ret->next);
    }
    return 0;
}

int grid_page(const struct grid_view *v, const struct grid_filters *f, const char *sort,
              const char *after, size_t limit, struct grid_page *ret, struct err *err)
{
    return read_page(v, f, sort, after, 0, limit, ret, err);
}

int grid_page_at(const struct grid_view *v, const struct grid_filters *f, const char *sort,
                 size_t skip, size_t limit, struct grid_page *ret, struct err *err)
{
    return read_page(v, f, sort, NULL, MIN(skip, v->rows), limit, ret, err);
}

void grid_page_release(struct grid_page *p)
{
    buf_release(&p->next);
}
