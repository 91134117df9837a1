/* SPDX-License-Identifier: Apache-2.0 */
/* ledger_claims.c - which jobs an experiment wants, under which steps, and which step needs which:
 * read in chunks, as often as the experiment is submitted. A job that is wanted under two steps
 * counts for the first. */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "store/browse/ledger_private.h"

struct claims {
    uint16_t *step_of; /* by number of job */
    size_t cap;
    uint64_t base, end;
    struct ledger_step *step;
    size_t steps;
    size_t last; /* step of the last claim */
    struct ledger_edge *edge;
    size_t edges;
};

static void claims_release(struct claims *c)
{
    free(c->step_of);
    free(c->edge);
    ledger_steps_free(c->step, c->steps);
}

/* Place of step NAME; the last one takes what is too many. */
static size_t step_place(struct claims *c, const char *name)
{
    if (c->steps && strcmp(c->step[c->last].name, name) == 0)
        return c->last;
    for (size_t i = 0; i < c->steps; i++)
        if (strcmp(c->step[i].name, name) == 0)
            return c->last = i;
    if (c->steps == LEDGER_STEPS_MAX)
        return c->last = c->steps - 1;
    c->step = mem_realloc(c->step, c->steps + 1, sizeof(*c->step));
    c->step[c->steps] = (struct ledger_step){ .name = mem_strdup(name), .first_job = UINT64_MAX };
    return c->last = c->steps++;
}

static void add(struct claims *c, uint64_t job, const char *name)
{
    if (job == 0 || job >= LEDGER_JOBS_MAX)
        return;
    if (job >= c->cap) {
        const size_t cap = MAX(2 * c->cap, (size_t)job + 4096);

        c->step_of = mem_realloc(c->step_of, cap, sizeof(*c->step_of));
        memset(c->step_of + c->cap, 0, (cap - c->cap) * sizeof(*c->step_of));
        c->cap = cap;
    }
    if (c->step_of[job])
        return;
    const size_t at = step_place(c, name);

    c->step_of[job] = (uint16_t)(at + 1);
    c->step[at].first_job = MIN(c->step[at].first_job, job);
    c->base = c->end ? MIN(c->base, job) : job;
    c->end = MAX(c->end, job + 1);
}

/* One chunk behind (RUN, JOB), which move on. *RET_RUNS: runs begun in it. */
static int read_chunk(struct ledger *l, struct claims *c, uint64_t revision, uint64_t *run,
                      uint64_t *job, bool *ret_more, uint64_t *ret_runs, struct err *err)
{
    struct stmt *st = USE(l->s, LEDGER_CLAIMS);
    size_t rows = 0;
    int rc;

    stmt_u64(st, ":revision", revision);
    stmt_u64(st, ":run", *run);
    stmt_u64(st, ":job", *job);
    stmt_int(st, ":max", LEDGER_CHUNK);
    while ((rc = stmt_step(st, err)) > 0) {
        rows++;
        *ret_runs += stmt_col_u64(st, 0) != *run;
        *run = stmt_col_u64(st, 0);
        *job = stmt_col_u64(st, 1);
        add(c, *job, stmt_col_text(st, 2));
    }
    *ret_more = rows == LEDGER_CHUNK;
    return rc;
}

static int read_kinds(struct ledger *l, struct claims *c, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < c->steps; i++) {
        struct stmt *st = USE(l->s, LEDGER_JOB_KIND);

        stmt_u64(st, ":job", c->step[i].first_job);
        rc = stmt_step(st, err);
        if (rc < 0)
            return rc;
        c->step[i].kind = mem_strdup(rc > 0 ? stmt_col_text(st, 0) : "");
        stmt_reset(st);
        rc = 0;
    }
    return rc;
}

struct ranked {
    uint64_t first;
    size_t at;
};

static int by_first(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;

    return (x->first > y->first) - (x->first < y->first);
}

/* Steps in the order of their first jobs, as `drover status` has them. */
static void sort_steps(struct claims *c)
{
    struct ranked *order = mem_calloc(c->steps + 1, sizeof(*order));
    struct ledger_step *step = mem_calloc(c->steps + 1, sizeof(*step));
    uint16_t *place = mem_calloc(c->steps + 1, sizeof(*place));

    for (size_t i = 0; i < c->steps; i++)
        order[i] = (struct ranked){ c->step[i].first_job, i };
    qsort(order, c->steps, sizeof(*order), by_first);
    for (size_t i = 0; i < c->steps; i++) {
        step[i] = c->step[order[i].at];
        place[order[i].at + 1] = (uint16_t)(i + 1);
    }
    for (uint64_t job = c->base; job < c->end; job++)
        c->step_of[job] = place[c->step_of[job]];
    free(c->step);
    c->step = step;
    free(order);
    free(place);
}

static int read_needs(struct ledger *l, const struct claims *c, uint64_t after, uint64_t upto,
                      uint64_t *matrix, struct err *err)
{
    struct stmt *st = USE(l->s, LEDGER_NEEDS);
    int rc;

    stmt_u64(st, ":after", after);
    stmt_u64(st, ":upto", upto);
    while ((rc = stmt_step(st, err)) > 0) {
        const uint64_t job = stmt_col_u64(st, 0), need = stmt_col_u64(st, 1);
        const uint16_t to = job < c->end ? c->step_of[job] : 0;
        const uint16_t from = need < c->end ? c->step_of[need] : 0;

        if (from && to)
            matrix[(size_t)(from - 1) * c->steps + (to - 1)]++;
    }
    return rc;
}

static bool any_in(const struct claims *c, uint64_t after, uint64_t upto)
{
    for (uint64_t job = after + 1; job <= upto && job < c->end; job++)
        if (c->step_of[job])
            return true;
    return false;
}

static int read_edges(struct ledger *l, struct claims *c, struct err *err)
{
    uint64_t *matrix = mem_calloc(c->steps * c->steps + 1, sizeof(*matrix));
    int rc = 0;

    for (uint64_t after = c->base ? c->base - 1 : 0; rc == 0 && after + 1 < c->end;
         after += LEDGER_CHUNK) {
        if (ledger_stopped(l))
            rc = err_set(err, ERR_CANCELLED, "stopped");
        else if (any_in(c, after, after + LEDGER_CHUNK))
            rc = read_needs(l, c, after, after + LEDGER_CHUNK, matrix, err);
    }
    for (size_t i = 0; rc == 0 && i < c->steps * c->steps; i++) {
        if (!matrix[i])
            continue;
        c->edge = mem_realloc(c->edge, c->edges + 1, sizeof(*c->edge));
        c->edge[c->edges++] =
            (struct ledger_edge){ (uint16_t)(i / c->steps), (uint16_t)(i % c->steps), matrix[i] };
    }
    free(matrix);
    return rc;
}

static int count_runs(struct ledger *l, uint64_t revision, uint64_t *ret, struct err *err)
{
    struct stmt *st = USE(l->s, LEDGER_RUNS);
    int64_t n = 0;

    stmt_u64(st, ":revision", revision);
    const int rc = stmt_get(st, &n, err);
    *ret = (uint64_t)n;
    return rc;
}

static void hand_over(struct ledger *l, size_t i, struct claims *c)
{
    const uint64_t span = c->end - c->base;

    if (span && c->base)
        memmove(c->step_of, c->step_of + c->base, span * sizeof(*c->step_of));
    c->step_of = mem_realloc(c->step_of, MAX(span, 1), sizeof(*c->step_of));
    ledger_write(l);
    ledger_put_claims(l, i, c->base, span, c->step_of, c->step, c->steps, c->edge, c->edges);
    ledger_wrote(l);
    *c = (struct claims){ 0 };
}

int ledger_read_claims(struct ledger *l, size_t i, struct err *err)
{
    struct claims c CLEANUP(claims_release) = { 0 };
    uint64_t run = 0, job = 0, begun = 0, runs = 0;
    const uint64_t revision = l->experiment[i].revision;
    bool more = true;
    int rc = count_runs(l, revision, &runs, err);

    while (rc == 0 && more) {
        rc = ledger_stopped(l) ? err_set(err, ERR_CANCELLED, "stopped")
                               : read_chunk(l, &c, revision, &run, &job, &more, &begun, err);
        ledger_write(l);
        l->experiment[i].runs = runs;
        l->changed = true;
        l->experiment[i].counted = runs ? MIN((double)begun / (double)runs, 1.0) : 1;
        ledger_wrote(l);
    }
    if (rc == 0)
        rc = read_kinds(l, &c, err);
    if (rc == 0) {
        sort_steps(&c);
        rc = read_edges(l, &c, err);
    }
    if (rc == 0)
        hand_over(l, i, &c);
    return rc;
}
