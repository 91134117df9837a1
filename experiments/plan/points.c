/* SPDX-License-Identifier: Apache-2.0 */
/* A walk over the entries of the sweep in the order in which their conditions need each other, so
 * that no combination is looked at which a condition forbids. */
#include "experiments/plan/points.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

/* A run whose recipe sweeps no seed. */
enum { SEED_DEFAULT = 1 };

struct walk {
    const struct recipe *r;
    struct points *out;
    uint32_t row[RECIPE_ENTRIES_MAX];
    struct point at;
    struct err *err;
};

/* Let the columns of ENTRY have the values of ROW. */
static void set_row(const struct recipe *r, size_t entry, uint32_t row, struct point *p)
{
    for (size_t a = 0; a < r->axes_len; a++) {
        const struct recipe_axis *x = &r->axis[a];
        if (x->entry != entry)
            continue;
        const bool given = row != POINTS_NO_ROW && (!x->given || x->given[row]);
        p->value[a] = given ? &x->value[row] : NULL;
        if (x->step < 0)
            p->seed = given ? (uint64_t)x->value[row].i : SEED_DEFAULT;
    }
}

static int add_point(struct walk *w)
{
    struct points *out = w->out;
    const size_t width = w->r->entries_len;

    if (out->len == POINTS_MAX)
        return err_set(w->err, ERR_LIMIT, "%s: the sweep has more than %d points",
                       w->r->entry[width - 1].where, POINTS_MAX);
    if (out->len == out->cap) {
        out->cap = out->cap ? 2 * out->cap : 64;
        out->row = mem_realloc(out->row, out->cap * (width + 1), sizeof(*out->row));
    }
    if (width)
        memcpy(&out->row[out->len * width], w->row, width * sizeof(*w->row));
    out->len++;
    return 0;
}

/* At most RECIPE_ENTRIES_MAX deep. */
static int walk(struct walk *w, size_t depth)
{
    if (depth == w->r->entries_len)
        return add_point(w);
    const size_t entry = w->r->order[depth];
    const struct recipe_entry *e = &w->r->entry[entry];
    bool varies;
    int rc = point_holds(&w->at, &e->when, &varies, w->err);

    for (uint32_t i = 0; !rc && i < (varies ? e->len : 1); i++) {
        w->row[entry] = varies ? i : POINTS_NO_ROW;
        set_row(w->r, entry, w->row[entry], &w->at);
        rc = walk(w, depth + 1);
    }
    set_row(w->r, entry, POINTS_NO_ROW, &w->at);
    return rc;
}

static int by_rows(const void *a, const void *b, void *arg)
{
    const uint32_t *x = a, *y = b;
    const size_t width = *(const size_t *)arg;

    for (size_t i = 0; i < width; i++)
        if (x[i] != y[i]) /* POINTS_NO_ROW comes last */
            return x[i] < y[i] ? -1 : 1;
    return 0;
}

int points_list(const struct recipe *r, struct points *ret, struct err *err)
{
    struct walk w = { .r = r, .out = ret, .at = { .r = r, .seed = SEED_DEFAULT }, .err = err };
    size_t width = r->entries_len;
    bool sorted = true;

    *ret = (struct points){ 0 };
    int rc = walk(&w, 0);
    for (size_t i = 0; i < width; i++)
        sorted = sorted && r->order[i] == i;
    if (rc)
        points_release(ret);
    else if (!sorted)
        qsort_r(ret->row, ret->len, width * sizeof(*ret->row), by_rows, &width);
    return rc;
}

void points_release(struct points *p)
{
    free(p->row);
    *p = (struct points){ 0 };
}

static int find_absent(struct point *p, struct err *err)
{
    uint64_t absent = 0;
    int rc = 0;

    for (size_t s = 0; !rc && s < p->r->steps_len; s++) {
        bool present;
        rc = point_holds(p, &p->r->step[s].when, &present, err);
        if (!present)
            absent |= UINT64_C(1) << s;
    }
    p->absent = absent; /* only now: conditions of steps do not depend on each other */
    return rc;
}

int points_get(const struct recipe *r, const struct points *p, size_t i, struct point *ret,
               bool *ret_dropped, struct err *err)
{
    const uint32_t *row = &p->row[i * r->entries_len];

    *ret = (struct point){ .r = r, .seed = SEED_DEFAULT };
    for (size_t e = 0; e < r->entries_len; e++)
        set_row(r, e, row[e], ret);
    int rc = find_absent(ret, err);
    *ret_dropped = ret->absent == UINT64_MAX >> (64 - r->steps_len);
    for (size_t k = 0; !rc && k < r->excludes_len && !*ret_dropped; k++)
        rc = point_holds(ret, &r->exclude[k], ret_dropped, err);
    return rc;
}
