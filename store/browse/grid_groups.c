/* SPDX-License-Identifier: Apache-2.0 */
/* grid_groups.c - rows gathered by the values of columns (grid.h). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "store/browse/columns_private.h"
#include "store/browse/grid_private.h"

/* Groups are found by the values of a row, as 64-bit numbers. */
struct tuple {
    uint64_t v[GRID_BY_MAX];
};

enum { TABLE = 1024 }; /* slots; groups are at most GRID_GROUPS_MAX */

struct making {
    const struct grid_view *v;
    struct grid_groups *g;
    struct tuple tuple[GRID_GROUPS_MAX];
    uint16_t slot[TABLE]; /* group + 1 */
};

static void values_of(const struct column *c, size_t from, size_t n, size_t at, struct tuple *ret)
{
    int64_t whole[COLUMN_BLOCK];
    double real[COLUMN_BLOCK];

    if (c->form == COLUMN_REAL)
        column_block_real(c, from, n, real);
    else
        column_block_whole(c, from, n, whole);
    for (size_t i = 0; i < n; i++) {
        if (c->form == COLUMN_REAL)
            memcpy(&ret[i].v[at], &real[i], sizeof real[i]);
        else
            ret[i].v[at] = (uint64_t)whole[i];
    }
}

/* Group + 1 of T, new when there is room; 0: there is none. */
static uint32_t group_of(struct making *m, const struct tuple *t, uint32_t row)
{
    size_t by = m->g->by_len;
    uint64_t h = 0x9E3779B97F4A7C15u;

    for (size_t k = 0; k < by; k++)
        h = (h ^ t->v[k]) * 0xBF58476D1CE4E5B9u, h ^= h >> 31;
    size_t i = h % TABLE;
    for (; m->slot[i]; i = (i + 1) % TABLE)
        if (memcmp(&m->tuple[m->slot[i] - 1], t, by * sizeof t->v[0]) == 0)
            return m->slot[i];
    if (m->g->len == GRID_GROUPS_MAX) {
        m->g->cut = true;
        return 0;
    }
    m->tuple[m->g->len] = *t;
    m->g->group[m->g->len] = (struct grid_group){ .first = row };
    return m->slot[i] = (uint16_t)++m->g->len;
}

static void gather(struct making *m, const struct grid_filters *f)
{
    struct tuple *t CLEANUP(mem_cleanup) = mem_calloc(COLUMN_BLOCK, sizeof *t);
    uint8_t mask[COLUMN_BLOCK];

    for (size_t from = 0; from < m->v->rows; from += COLUMN_BLOCK) {
        size_t n = MIN((size_t)COLUMN_BLOCK, m->v->rows - from);

        if (grid_mask(m->v, f, from, n, mask) == 0)
            continue;
        for (size_t k = 0; k < m->g->by_len; k++)
            values_of(m->g->by[k], from, n, k, t);
        for (size_t i = 0; i < n; i++) {
            uint32_t group = mask[i] ? group_of(m, &t[i], (uint32_t)(from + i)) : 0;

            m->g->of[from + i] = group;
            if (group) {
                m->g->group[group - 1].rows++;
                m->g->rows++;
            }
        }
    }
}

/* ---- names and order ---- */

static void value_text(const struct column *c, size_t row, struct buf *out)
{
    double v = column_number(c, row);

    if (c->form == COLUMN_WORDS)
        buf_adds(out, column_code(c, row) ? column_word(c, column_code(c, row)) : "-");
    else if (isnan(v))
        buf_adds(out, "-");
    else
        buf_printf(out, "%.15g", v);
}

static void name_group(struct grid_groups *g, struct grid_group *x)
{
    struct buf name = { 0 };

    for (size_t k = 0; k < g->by_len; k++) {
        const char *dot = strrchr(g->by[k]->name, '.');

        if (g->by_len > 1)
            buf_printf(&name, "%s%s = ", k ? ", " : "", dot ? dot + 1 : g->by[k]->name);
        value_text(g->by[k], x->first, &name);
    }
    if (g->by_len == 0)
        buf_adds(&name, "all runs");
    x->name = buf_detach(&name);
}

static int by_values(const void *a, const void *b, void *arg)
{
    const struct grid_groups *g = arg;
    const struct grid_group *x = a, *y = b;

    for (size_t k = 0; k < g->by_len; k++) {
        uint64_t p, q;

        column_keys(g->by[k], x->first, 1, false, &p);
        column_keys(g->by[k], y->first, 1, false, &q);
        if (p != q)
            return p < q ? -1 : 1;
    }
    return 0;
}

static void sort_groups(struct making *m)
{
    struct grid_groups *g = m->g;
    uint32_t place[GRID_GROUPS_MAX + 1] = { 0 }, was[GRID_GROUPS_MAX];

    for (size_t i = 0; i < g->len; i++)
        was[i] = g->group[i].first;
    if (g->len > 1)
        qsort_r(g->group, g->len, sizeof *g->group, by_values, g);
    for (size_t i = 0; i < g->len; i++)
        for (size_t k = 0; k < g->len; k++)
            if (was[k] == g->group[i].first)
                place[k + 1] = (uint32_t)i + 1;
    for (size_t i = 0; i < m->v->rows; i++)
        g->of[i] = place[g->of[i]];
}

/* ---- which columns ---- */

static int find_columns(const struct grid_view *v, struct grid_groups *g, const char *by,
                        struct err *err)
{
    char name[256];

    while (by && *by) {
        size_t len = strcspn(by, ",");

        if (g->by_len == GRID_BY_MAX)
            return err_set(err, ERR_LIMIT, "more than %d parameters to group by", GRID_BY_MAX);
        snprintf(name, sizeof name, "%.*s", (int)MIN(len, sizeof name - 1), by);
        int rc = grid_column(v, name, &g->by[g->by_len], err);
        if (rc < 0)
            return grid_invalid(rc, err);
        grid_rank(v, g->by[g->by_len]);
        g->by_len++;
        by += len + (by[len] == ',');
    }
    return 0;
}

int grid_groups_make(const struct grid_view *v, const struct grid_filters *f, const char *by,
                     struct grid_groups *ret, struct err *err)
{
    struct making *m CLEANUP(mem_cleanup) = NULL;

    *ret = (struct grid_groups){ 0 };
    int rc = find_columns(v, ret, by, err);
    if (rc < 0)
        return rc;
    ret->of = mem_calloc(MAX(v->rows, 1), sizeof *ret->of);
    ret->group = mem_calloc(GRID_GROUPS_MAX, sizeof *ret->group);
    m = mem_calloc(1, sizeof *m);
    m->v = v;
    m->g = ret;
    gather(m, f);
    sort_groups(m);
    for (size_t i = 0; i < ret->len; i++)
        name_group(ret, &ret->group[i]);
    return 0;
}

void grid_groups_release(struct grid_groups *g)
{
    for (size_t i = 0; g->group && i < g->len; i++)
        free(g->group[i].name);
    free(g->group);
    free(g->of);
    *g = (struct grid_groups){ 0 };
}

void grid_group_put(const struct grid_groups *g, size_t group, const char *key, struct jsonw *w)
{
    if (key)
        jsonw_key(w, key);
    if (g->by_len == 1)
        column_put(g->by[0], g->group[group].first, w);
    else
        jsonw_text(w, NULL, g->by_len ? g->group[group].name : NULL);
}

/* ---- a parameter that says most ---- */

/* Distinct values of C, which has words, among the rows that F takes. */
static size_t count_values(const struct grid_view *v, const struct grid_filters *f,
                           const struct column *c)
{
    size_t n = 0;
    uint8_t *seen CLEANUP(mem_cleanup) = mem_calloc(c->words.len + 1, 1);
    uint8_t mask[COLUMN_BLOCK];
    int64_t code[COLUMN_BLOCK];

    for (size_t k = 0; f->len == 0 && k < c->words.len; k++)
        n += c->words.count[k] > 0;
    for (size_t from = 0; f->len > 0 && from < v->rows; from += COLUMN_BLOCK) {
        size_t block = MIN((size_t)COLUMN_BLOCK, v->rows - from);

        if (grid_mask(v, f, from, block, mask) == 0)
            continue;
        column_block_whole(c, from, block, code);
        for (size_t i = 0; i < block; i++)
            seen[code[i]] |= mask[i];
    }
    for (size_t k = 1; f->len > 0 && k <= c->words.len; k++)
        n += seen[k];
    return n;
}

static bool ends_in(const char *name, const char *const *words)
{
    const char *dot = strrchr(name, '.');

    for (; *words; words++)
        if (strcmp(dot ? dot + 1 : name, *words) == 0)
            return true;
    return false;
}

/* Words before numbers, what is called a method before the rest, few values before many. */
static double say(const struct column *c, size_t values)
{
    static const char *const methods[] = { "schedule", "method", "algorithm", "difficulty",
                                           "router",   "loss",   NULL };

    return (ends_in(c->name, methods) ? 1000.0 : 0.0) + (column_is_number(c) ? 0.0 : 500.0) -
           (double)values;
}

const struct column *grid_telling(const struct grid_view *v, const struct grid_filters *f)
{
    const struct column *best = NULL;
    double most = 0.0;

    for (size_t i = GRID_FIXED; i < v->columns; i++) {
        const struct column *c = &v->column[i];
        size_t values = c->form == COLUMN_WORDS ? count_values(v, f, c) : 0;

        if (values < 2 || values > 50)
            continue;
        if (!best || say(c, values) > most) {
            best = c;
            most = say(c, values);
        }
    }
    return best;
}

/* ---- what there is to choose from ---- */

enum { VALUES_SHOWN = 50 };

static void put_values(const struct grid_view *v, const struct column *c, struct jsonw *w)
{
    uint32_t *code CLEANUP(mem_cleanup) = mem_calloc(c->words.len + 1, sizeof *code);

    grid_rank(v, c);
    for (uint32_t i = 0; i < c->words.len; i++)
        code[c->words.rank[i]] = i + 1;
    jsonw_open_at(w, "values", '[');
    for (size_t i = 0, shown = 0; i < c->words.len && shown < VALUES_SHOWN; i++) {
        if (c->words.count[code[i] - 1] == 0)
            continue;
        shown++;
        jsonw_open(w, '{');
        jsonw_key(w, "value");
        column_put_word(c, code[i], w);
        jsonw_int(w, "runs", c->words.count[code[i] - 1]);
        jsonw_close(w, '}');
    }
    jsonw_close(w, ']');
}

struct range {
    double least, most;
    size_t known;
};

static void add_to(struct range *r, double x, size_t times)
{
    r->least = r->known == 0 || x < r->least ? x : r->least;
    r->most = r->known == 0 || x > r->most ? x : r->most;
    r->known += times;
}

static struct range range_of(const struct column *c)
{
    struct range r = { .least = (double)NAN, .most = (double)NAN };
    int64_t whole[COLUMN_BLOCK];
    double real[COLUMN_BLOCK];

    for (size_t i = 0; i < c->words.len; i++)
        if (c->words.count[i])
            add_to(&r, c->words.number[i], c->words.count[i]);
    for (size_t from = 0; c->form != COLUMN_WORDS && from < c->len; from += COLUMN_BLOCK) {
        size_t n = MIN((size_t)COLUMN_BLOCK, c->len - from);

        if (c->form == COLUMN_REAL) {
            column_block_real(c, from, n, real);
            for (size_t i = 0; i < n; i++)
                if (!isnan(real[i]))
                    add_to(&r, real[i], 1);
            continue;
        }
        column_block_whole(c, from, n, whole);
        for (size_t i = 0; i < n; i++)
            if (whole[i] != COLUMN_NOTHING)
                add_to(&r, (double)whole[i], 1);
    }
    return r;
}

static void put_range(const struct column *c, struct jsonw *w)
{
    struct range r = range_of(c);

    jsonw_real(w, "min", r.least);
    jsonw_real(w, "max", r.most);
    jsonw_int(w, "known", (int64_t)r.known);
}

void grid_put_column(const struct grid_view *v, const struct column *c, struct jsonw *w)
{
    static const char *const kinds[] = { [COLUMN_RUN] = "run",
                                         [COLUMN_PARAM] = "param",
                                         [COLUMN_MEASURE] = "measure",
                                         [COLUMN_COUNT] = "count",
                                         [COLUMN_STATE] = "state" };

    (void)v;
    jsonw_text(w, "name", c->name);
    jsonw_text(w, "kind", kinds[c->kind]);
    jsonw_text(w, "type", column_is_number(c) ? "number" : "text");
}

static void put_columns(const struct grid_view *v, struct jsonw *w)
{
    static const struct grid_filters all = { 0 };
    const struct column *telling = grid_telling(v, &all);

    jsonw_open_at(w, "columns", '[');
    for (size_t i = 0; i < v->columns; i++) {
        const struct column *c = &v->column[i];
        size_t distinct = 0;

        for (size_t k = 0; k < c->words.len; k++)
            distinct += c->words.count[k] > 0;
        jsonw_open(w, '{');
        grid_put_column(v, c, w);
        if (c->form == COLUMN_WORDS)
            jsonw_int(w, "distinct", (int64_t)distinct);
        else
            jsonw_null(w, "distinct");
        if (column_is_number(c))
            put_range(c, w);
        if (c->form == COLUMN_WORDS)
            put_values(v, c, w);
        jsonw_close(w, '}');
    }
    jsonw_close(w, ']');
    jsonw_text(w, "telling", telling ? telling->name : NULL);
    grid_put_state(v, w);
}

void grid_put_state(const struct grid_view *v, struct jsonw *w)
{
    jsonw_bool(w, "ready", v->ready);
    jsonw_real(w, "loaded", v->total ? (double)v->rows / (double)v->total : v->ready ? 1.0 : 0.0);
    if (!v->fits)
        jsonw_text(w, "note",
                   "the experiment does not fit into the dashboard's memory: these are its first "
                   "runs; give it more with --memory-mb");
}

int grid_put_columns(struct grids *g, uint64_t experiment, struct jsonw *w, struct err *err)
{
    struct grid_view v CLEANUP(grid_done) = { 0 };
    int rc = grid_open(g, experiment, &v, err);

    if (rc == 0)
        put_columns(&v, w);
    return rc;
}
