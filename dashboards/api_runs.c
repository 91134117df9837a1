/* SPDX-License-Identifier: Apache-2.0 */
#include "dashboards/api_runs.h"

#include <stdio.h>
#include <string.h>

#include "common/base/jsonw.h"
#include "common/base/mem.h"

const struct api_route api_runs_routes[] = {
    { "experiments/:id/runs", api_runs, 0 },
    { "experiments/:id/curves", api_curves, 0 },
    { "experiments/:id/pareto", api_pareto, 0 },
    { "experiments/:id/compare", api_compare, 0 },
    { "experiments/:id/curriculum", api_curriculum, 0 },
    { 0 },
};

void api_filters(const struct request *r, const char *ret[REQUEST_ARGS_MAX + 1])
{
    const char *filter;
    size_t at = 0, n = 0;

    while (n < REQUEST_ARGS_MAX && (filter = request_next(r, "filter", &at)) != NULL)
        ret[n++] = filter;
    ret[n] = NULL;
}

struct jsonw api_open(struct api_call *c)
{
    struct jsonw w = { .to = c->out };

    jsonw_open(&w, '{');
    jsonw_int(&w, "version", 1);
    return w;
}

int api_close(struct api_call *c, struct jsonw *w, int rc)
{
    jsonw_close(w, '}');
    if (rc < 0)
        buf_clear(c->out);
    return rc;
}

/* ---- columns ---- */

/* Which columns a page shows. */
struct shown {
    const struct column *column[GRID_COLUMNS_MAX];
    size_t len;
};

static bool has_values(const struct column *c)
{
    return c->len > 0 && (c->form != COLUMN_WORDS || c->words.len > 0);
}

/* State, parameters, seed, measures, jobs: those that some run has. */
static void choose_usual(const struct grid_view *v, struct shown *s)
{
    static const char *const behind[] = { "seed",   "accuracy", "base", "oracle", "layers",
                                          "tokens", "n",        "done", "jobs",   "seconds" };
    const struct column *c = NULL;

    if (grid_column(v, "state", &c, NULL) == 0)
        s->column[s->len++] = c;
    for (size_t i = 0; i < v->columns && s->len < GRID_COLUMNS_MAX; i++)
        if (v->column[i].kind == COLUMN_PARAM)
            s->column[s->len++] = &v->column[i];
    for (size_t i = 0; i < ARRAY_LEN(behind) && s->len < GRID_COLUMNS_MAX; i++)
        if (grid_column(v, behind[i], &c, NULL) == 0 && has_values(c))
            s->column[s->len++] = c;
}

static int choose(const struct grid_view *v, const char *columns, struct shown *s, struct err *err)
{
    char name[256];

    if (!columns || !columns[0]) {
        choose_usual(v, s);
        return 0;
    }
    while (*columns) {
        size_t len = strcspn(columns, ",");

        if (s->len == GRID_COLUMNS_MAX)
            return err_set(err, ERR_LIMIT, "more than %d columns", GRID_COLUMNS_MAX);
        snprintf(name, sizeof name, "%.*s", (int)MIN(len, sizeof name - 1), columns);
        int rc = grid_column(v, name, &s->column[s->len++], err);
        if (rc < 0)
            return grid_invalid(rc, err);
        columns += len + (columns[len] == ',');
    }
    return 0;
}

/* ---- a page ---- */

static uint64_t count_runs(const struct grid_view *v, bool superseded)
{
    struct grid_filters all = { .superseded = superseded };
    uint8_t mask[COLUMN_BLOCK];
    uint64_t n = 0;

    for (size_t from = 0; from < v->rows; from += COLUMN_BLOCK)
        n += grid_mask(v, &all, from, MIN((size_t)COLUMN_BLOCK, v->rows - from), mask);
    return n;
}

static void put_row(const struct grid_view *v, const struct shown *s, uint32_t row, struct jsonw *w)
{
    jsonw_open(w, '{');
    jsonw_int(w, "run", (int64_t)v->run[row]);
    if (v->flags[row] & GRID_SUPERSEDED)
        jsonw_bool(w, "superseded", true);
    jsonw_open_at(w, "values", '[');
    for (size_t i = 0; i < s->len; i++)
        column_put(s->column[i], row, w);
    jsonw_close(w, ']');
    jsonw_close(w, '}');
}

static void put_page(const struct grid_view *v, const struct shown *s, const struct grid_page *p,
                     bool superseded, struct jsonw *w)
{
    jsonw_open_at(w, "columns", '[');
    for (size_t i = 0; i < s->len; i++) {
        jsonw_open(w, '{');
        grid_put_column(v, s->column[i], w);
        jsonw_close(w, '}');
    }
    jsonw_close(w, ']');
    jsonw_open_at(w, "rows", '[');
    for (size_t i = 0; i < p->len; i++)
        put_row(v, s, p->row[i], w);
    jsonw_close(w, ']');
    jsonw_int(w, "total", (int64_t)count_runs(v, superseded));
    jsonw_int(w, "matched", (int64_t)p->matched);
    jsonw_text(w, "next", p->next.len ? buf_str(&p->next) : NULL);
    grid_put_state(v, w);
}

/* Behind a cursor, or behind so many rows. */
static int page_of(const struct request *r, const struct grid_view *v, const struct grid_filters *f,
                   struct grid_page *page, struct err *err)
{
    const char *sort = request_text(r, "sort"), *after = request_text(r, "after");
    int64_t limit = 0, skip = 0;
    int rc = request_integer(r, "limit", 100, 1, GRID_LIMIT_MAX, &limit, err);

    rc = rc ? rc : request_integer(r, "skip", 0, 0, UINT32_MAX, &skip, err);
    if (rc)
        return rc;
    if (skip && after && after[0])
        return err_set(err, ERR_INVALID, "\"after\" or \"skip\", not both");
    return skip ? grid_page_at(v, f, sort, (size_t)skip, (size_t)limit, page, err)
                : grid_page(v, f, sort, after, (size_t)limit, page, err);
}

static int answer(const struct request *r, const struct grid_view *v, struct jsonw *w,
                  struct err *err)
{
    struct grid_filters f CLEANUP(grid_filters_release) = { 0 };
    struct grid_page *page CLEANUP(mem_cleanup) = mem_calloc(1, sizeof *page);
    struct shown *s CLEANUP(mem_cleanup) = mem_calloc(1, sizeof *s);
    const char *filter;
    size_t at = 0;
    int64_t superseded = 0;
    int rc = request_integer(r, "superseded", 0, 0, 1, &superseded, err);

    f.superseded = superseded != 0;
    while (rc == 0 && (filter = request_next(r, "filter", &at)) != NULL)
        rc = grid_filter_add(v, &f, filter, err);
    rc = rc ? rc : choose(v, request_text(r, "columns"), s, err);
    rc = rc ? rc : page_of(r, v, &f, page, err);
    rc = grid_invalid(rc, err);
    if (rc == 0)
        put_page(v, s, page, f.superseded, w);
    grid_page_release(page);
    return rc;
}

int api_runs(struct api_call *c, struct err *err)
{
    static const char *const known[] = { "sort",  "filter", "columns",    "limit",
                                         "after", "skip",   "superseded", NULL };
    struct grid_view v CLEANUP(grid_done) = { 0 };
    struct jsonw w = api_open(c);
    uint64_t experiment = 0;
    int rc = request_only(c->request, known, err);

    rc = rc ? rc : request_id(c->request, 1, &experiment, err);
    rc = rc ? rc : grid_open(c->grids, experiment, &v, err);
    rc = rc ? rc : answer(c->request, &v, &w, err);
    return api_close(c, &w, rc);
}
