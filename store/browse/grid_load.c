/* SPDX-License-Identifier: Apache-2.0 */
/* grid_load.c - runs from the store into a grid, and what changes in it later (grid_private.h).
 *
 * A chunk is read into memory of its own, in one short transaction, compared with what is there,
 * and copied under the lock. Rows lie in the order of their run's number, and new runs have greater
 * numbers, so that rows never move. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "store/browse/grid_private.h"
#include "store/browse/grid_read.h"
#include "store/sqlite.h"
#include "store/store_private.h"

/* A job that many runs share makes all of them running: so many are told. */
enum { RUNNING_MAX = 20000 };

#define NOWHERE UINT32_MAX

/* ---- the columns ---- */

static const struct {
    const char *name;
    enum column_kind kind;
    enum column_form form;
} fixed[GRID_FIXED] = {
    [GRID_STATE] = { "state", COLUMN_STATE, COLUMN_WORDS },
    [GRID_RUN] = { "run", COLUMN_RUN, COLUMN_WHOLE },
    [GRID_SEED] = { "seed", COLUMN_RUN, COLUMN_WHOLE },
    [GRID_REVISION] = { "revision", COLUMN_RUN, COLUMN_WHOLE },
    [GRID_SUPERSEDED_COLUMN] = { "superseded", COLUMN_RUN, COLUMN_WHOLE },
    [GRID_JOBS] = { "jobs", COLUMN_COUNT, COLUMN_WHOLE },
    [GRID_WAITING] = { "waiting", COLUMN_COUNT, COLUMN_WHOLE },
    [GRID_READY] = { "ready", COLUMN_COUNT, COLUMN_WHOLE },
    [GRID_DONE] = { "done", COLUMN_COUNT, COLUMN_WHOLE },
    [GRID_FAILED] = { "failed", COLUMN_COUNT, COLUMN_WHOLE },
    [GRID_SKIPPED] = { "skipped", COLUMN_COUNT, COLUMN_WHOLE },
    [GRID_CANCELLED] = { "cancelled", COLUMN_COUNT, COLUMN_WHOLE },
    [GRID_DIVERGED] = { "diverged", COLUMN_COUNT, COLUMN_WHOLE },
    [GRID_SECONDS] = { "seconds", COLUMN_MEASURE, COLUMN_REAL },
    [GRID_ACCURACY] = { "accuracy", COLUMN_MEASURE, COLUMN_REAL },
    [GRID_BASE] = { "base", COLUMN_MEASURE, COLUMN_REAL },
    [GRID_ORACLE] = { "oracle", COLUMN_MEASURE, COLUMN_REAL },
    [GRID_LAYERS] = { "layers", COLUMN_MEASURE, COLUMN_REAL },
    [GRID_N] = { "n", COLUMN_MEASURE, COLUMN_WHOLE },
    [GRID_TOKENS] = { "tokens", COLUMN_MEASURE, COLUMN_WHOLE },
    [GRID_FIRST_MS] = { "first_ms", COLUMN_RUN, COLUMN_WHOLE },
    [GRID_LAST_MS] = { "last_ms", COLUMN_RUN, COLUMN_WHOLE },
};

struct grid *grid_new(uint64_t experiment)
{
    struct grid *g = mem_calloc(1, sizeof *g);
    pthread_rwlockattr_t kind;

    g->experiment = experiment;
    g->fits = true;
    /* A crowd of readers must not keep the loading thread out. */
    pthread_rwlockattr_init(&kind);
    pthread_rwlockattr_setkind_np(&kind, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&g->lock, &kind);
    pthread_rwlockattr_destroy(&kind);
    pthread_mutex_init(&g->ranking, NULL);
    g->column = mem_calloc(GRID_COLUMNS_MAX, sizeof *g->column);
    for (g->columns = 0; g->columns < GRID_FIXED; g->columns++)
        column_init(&g->column[g->columns], fixed[g->columns].name, fixed[g->columns].kind,
                    fixed[g->columns].form);
    return g;
}

void grid_free(struct grid *g)
{
    if (!g)
        return;
    for (size_t i = 0; i < g->columns; i++)
        column_release(&g->column[i]);
    free(g->column);
    free(g->run);
    free(g->flags);
    free(g->running);
    pthread_rwlock_destroy(&g->lock);
    pthread_mutex_destroy(&g->ranking);
    free(g);
}

size_t grid_bytes(const struct grid *g)
{
    size_t bytes = sizeof *g + g->cap * (sizeof *g->run + sizeof *g->flags) +
                   GRID_COLUMNS_MAX * sizeof *g->column;

    for (size_t i = 0; i < g->columns; i++)
        bytes += column_bytes(&g->column[i]);
    return bytes;
}

/* ---- writing, under the lock ---- */

static const char *state_of(const struct run_row *r, bool running)
{
    const int64_t *n = r->whole;

    return n[GRID_FAILED] > 0                         ? "failed"
           : running                                  ? "running"
           : n[GRID_READY] > 0 || n[GRID_WAITING] > 0 ? "waiting"
           : n[GRID_CANCELLED] > 0                    ? "cancelled"
           : n[GRID_SKIPPED] > 0                      ? "skipped"
           : n[GRID_DIVERGED] > 0                     ? "diverged"
           : n[GRID_JOBS] == 0                        ? "empty"
                                                      : "finished";
}

static void put_state(struct grid *g, size_t row, const char *word)
{
    column_set_text(&g->column[GRID_STATE], row, word, strlen(word));
}

static void put_row(struct grid *g, size_t row, const struct run_row *r)
{
    g->flags[row] =
        (uint8_t)((g->flags[row] & GRID_RUNNING) | (r->superseded ? GRID_SUPERSEDED : 0));
    for (size_t i = 0; i < GRID_FIXED; i++) {
        if (fixed[i].form == COLUMN_WHOLE)
            column_set_whole(&g->column[i], row, r->whole[i]);
        else if (fixed[i].form == COLUMN_REAL)
            column_set_real(&g->column[i], row, r->real[i]);
    }
    put_state(g, row, state_of(r, g->flags[row] & GRID_RUNNING));
}

static bool row_differs(const struct grid *g, size_t row, const struct run_row *r)
{
    if (g->flags[row] & GRID_GONE)
        return true;
    for (size_t i = 0; i < GRID_FIXED; i++) {
        if (fixed[i].form == COLUMN_WHOLE && column_whole(&g->column[i], row) != r->whole[i])
            return true;
        if (fixed[i].form == COLUMN_REAL) {
            double v = column_number(&g->column[i], row);
            if (v != r->real[i] && !(isnan(v) && isnan(r->real[i])))
                return true;
        }
    }
    return false;
}

/* The column of parameter NAME; TRIED is a place where it may be. NULL: there are too many, or it
 * is there anyway. */
static struct column *param_column(struct grid *g, const char *name, size_t tried)
{
    if (tried < g->columns && strcmp(g->column[tried].name, name) == 0 && tried >= GRID_FIXED)
        return &g->column[tried];
    for (size_t i = GRID_FIXED; i < g->columns; i++)
        if (strcmp(g->column[i].name, name) == 0)
            return &g->column[i];
    if (g->columns == GRID_COLUMNS_MAX || strcmp(name, "seed") == 0) /* the run's own column */
        return NULL;
    column_init(&g->column[g->columns], name, COLUMN_PARAM, COLUMN_WORDS);
    column_reserve(&g->column[g->columns], g->cap);
    return &g->column[g->columns++];
}

/* Parameters of the chunk; row I of it is row PLACE[I] of the grid, NOWHERE: not wanted. */
static void put_params(struct grid *g, const struct grid_chunk *c, const uint32_t *place)
{
    size_t at = GRID_FIXED;

    for (size_t i = 0; i < c->params; i++) {
        const struct param_row *p = &c->param[i];
        struct column *column = NULL;

        if (place[p->row] != NOWHERE) /* sorted by run and name: mostly the columns take turns */
            column = param_column(g, c->text.data + p->name, at);
        if (column) {
            column_set_text(column, place[p->row], c->text.data + p->value, p->value_len);
            at = (size_t)(column - g->column) + 1;
        }
        if (i + 1 < c->params && c->param[i + 1].row != p->row)
            at = GRID_FIXED;
    }
}

static void reserve(struct grid *g, size_t rows)
{
    if (rows <= g->cap)
        return;
    g->cap = MAX(rows, MIN(g->total, rows + (1 << 20)));
    g->cap = MAX(g->cap, g->rows + g->rows / 8);
    g->run = mem_realloc(g->run, g->cap, sizeof *g->run);
    g->flags = mem_realloc(g->flags, g->cap, sizeof *g->flags);
    for (size_t i = 0; i < g->columns; i++)
        column_reserve(&g->column[i], g->cap);
}

/* All rows of C are new. */
static void append(struct grid *g, const struct grid_chunk *c)
{
    uint32_t *place CLEANUP(mem_cleanup) = mem_calloc(MAX(c->len, 1), sizeof *place);

    reserve(g, g->rows + c->len);
    for (size_t i = 0; i < c->len; i++) {
        place[i] = (uint32_t)(g->rows + i);
        g->run[g->rows + i] = c->row[i].run;
        g->flags[g->rows + i] = 0;
        put_row(g, g->rows + i, &c->row[i]);
    }
    put_params(g, c, place);
    g->rows += c->len;
    g->version++;
}

/* ---- the first time, and new runs ---- */

static uint64_t last_run(const struct grid *g)
{
    return g->rows ? g->run[g->rows - 1] : 0;
}

static int count_total(struct store *s, struct grid *g, struct err *err)
{
    struct stmt *st = USE(s, BROWSE_GRID_TOTAL);
    bool known = false;
    size_t total = 0;
    int rc;

    stmt_u64(st, ":experiment", g->experiment);
    stmt_u64(st, ":exact", GRID_AT_ONCE + 1); /* a million would take 0.1 s */
    rc = stmt_step(st, err);
    if (rc > 0) {
        known = stmt_col(st, 0) != 0;
        total = stmt_col_u64(st, 1);
        if (total > GRID_AT_ONCE)
            total = stmt_col_u64(st, 2) + 1;
    }
    stmt_reset(st);
    if (rc < 0)
        return rc;
    if (!known)
        return err_set(err, ERR_NOT_FOUND, "there is no experiment %llu",
                       (unsigned long long)g->experiment);
    pthread_rwlock_wrlock(&g->lock);
    g->total = total;
    pthread_rwlock_unlock(&g->lock);
    return 0;
}

/* One chunk behind the last run. *RET_MORE: it was full. */
static int load_chunk(struct grid *g, struct store *s, bool *ret_more, struct err *err)
{
    struct grid_chunk c CLEANUP(grid_chunk_release) = { 0 };
    /* Somebody waits for the first rows of many. */
    const bool few = g->rows == 0 && g->total > GRID_AT_ONCE;
    int rc = grid_read_runs(s, g, last_run(g), few ? GRID_FIRST : GRID_CHUNK, &c, err);

    if (rc == 0)
        rc = grid_read_params(s, &c, err);
    if (rc < 0)
        return rc;
    *ret_more = !c.last;
    if (c.len == 0 && g->ready)
        return 0;
    pthread_rwlock_wrlock(&g->lock);
    append(g, &c);
    g->total = MAX(g->total, g->rows);
    if (c.last) {
        g->total = g->rows;
        g->ready = true;
    }
    pthread_rwlock_unlock(&g->lock);
    return 0;
}

/* ---- what changes ---- */

static size_t find_row(const struct grid *g, uint64_t run)
{
    size_t low = 0, high = g->rows;

    while (low < high) {
        size_t mid = (low + high) / 2;

        if (g->run[mid] < run)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Rows of the grid that differ from the store's. */
struct changes {
    uint32_t row[2 * GRID_CHUNK], from[2 * GRID_CHUNK]; /* FROM: row of the chunk; NOWHERE: gone */
    uint32_t params[GRID_CHUNK]; /* by row of the chunk: where its parameters go, or NOWHERE */
    size_t len;
    bool any_params;
};

/* A later revision may say the parameters of the same run in other words. */
static bool other_params(const struct grid *g, size_t row, const struct run_row *r)
{
    return (g->flags[row] & GRID_GONE) ||
           column_whole(&g->column[GRID_REVISION], row) != r->whole[GRID_REVISION] ||
           column_whole(&g->column[GRID_SEED], row) != r->whole[GRID_SEED];
}

/* Of the grid's rows from AT on, up to the run UP_TO. */
static void find_changes(const struct grid *g, const struct grid_chunk *c, size_t at,
                         uint64_t up_to, struct changes *ret)
{
    memset(ret->params, 0xff, sizeof ret->params);
    for (size_t i = 0; at < g->rows && g->run[at] <= up_to && ret->len < 2 * GRID_CHUNK; at++) {
        while (i < c->len && c->row[i].run < g->run[at])
            i++;
        bool there = i < c->len && c->row[i].run == g->run[at];

        if (there ? !row_differs(g, at, &c->row[i]) : (g->flags[at] & GRID_GONE) != 0)
            continue;
        ret->row[ret->len] = (uint32_t)at;
        ret->from[ret->len++] = there ? (uint32_t)i : NOWHERE;
        if (there && other_params(g, at, &c->row[i])) {
            ret->params[i] = (uint32_t)at;
            ret->any_params = true;
        }
    }
}

static void put_changes(struct grid *g, const struct grid_chunk *c, const struct changes *changes)
{
    for (size_t i = 0; i < changes->len; i++) {
        size_t row = changes->row[i];

        if (changes->from[i] == NOWHERE) {
            g->flags[row] |= GRID_GONE;
            continue;
        }
        for (size_t k = GRID_FIXED; k < g->columns && changes->params[changes->from[i]] == row; k++)
            column_set_text(&g->column[k], row, NULL, 0);
        put_row(g, row, &c->row[changes->from[i]]);
    }
    if (changes->any_params)
        put_params(g, c, changes->params);
    g->version++;
}

/* Look again at the rows behind SCAN_AFTER, up to a chunk. *RET_END: there are no more. */
static int rescan_chunk(struct grid *g, struct store *s, bool *ret_end, struct err *err)
{
    struct grid_chunk c CLEANUP(grid_chunk_release) = { 0 };
    struct changes *changes CLEANUP(mem_cleanup) = mem_calloc(1, sizeof *changes);
    int rc = grid_read_runs(s, g, g->scan_after, GRID_CHUNK, &c, err);

    if (rc < 0)
        return rc;
    uint64_t up_to = c.last ? UINT64_MAX : c.row[c.len - 1].run;
    find_changes(g, &c, find_row(g, g->scan_after + 1), up_to, changes);
    if (changes->any_params)
        rc = grid_read_params(s, &c, err);
    if (rc < 0)
        return rc;
    if (changes->len > 0) {
        pthread_rwlock_wrlock(&g->lock);
        put_changes(g, &c, changes);
        pthread_rwlock_unlock(&g->lock);
    }
    *ret_end = c.last;
    g->scan_after = c.last ? 0 : up_to;
    return 0;
}

/* ---- running ---- */

static void mark_running(struct grid *g, size_t row, bool running)
{
    struct run_row r = { .run = g->run[row] };

    for (size_t i = 0; i < GRID_FIXED; i++)
        if (fixed[i].form == COLUMN_WHOLE)
            r.whole[i] = column_whole(&g->column[i], row);
    g->flags[row] =
        (uint8_t)(running ? g->flags[row] | GRID_RUNNING : g->flags[row] & ~(unsigned)GRID_RUNNING);
    put_state(g, row, state_of(&r, running));
}

static int by_row(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static int look_at_running(struct grid *g, struct store *s, struct err *err)
{
    struct stmt *st = USE(s, BROWSE_GRID_RUNNING);
    uint32_t *now = mem_calloc(RUNNING_MAX, sizeof *now);
    size_t len = 0;
    int rc;

    stmt_u64(st, ":experiment", g->experiment);
    stmt_u64(st, ":limit", RUNNING_MAX);
    while ((rc = stmt_step(st, err)) > 0) {
        uint64_t run = stmt_col_u64(st, 0);
        size_t row = find_row(g, run);

        if (row < g->rows && g->run[row] == run)
            now[len++] = (uint32_t)row;
    }
    if (rc < 0) {
        free(now);
        return rc;
    }
    qsort(now, len, sizeof *now, by_row);
    if (len != g->running_len || (len && memcmp(now, g->running, len * sizeof *now) != 0)) {
        pthread_rwlock_wrlock(&g->lock);
        for (size_t i = 0; i < g->running_len; i++)
            mark_running(g, g->running[i], false);
        for (size_t i = 0; i < len; i++)
            mark_running(g, now[i], true);
        g->version++;
        pthread_rwlock_unlock(&g->lock);
    }
    free(g->running);
    g->running = now;
    g->running_len = len;
    return 0;
}

/* ---- one step ---- */

/* New runs, running ones, and rows that may have changed since. */
static int refresh(struct grid *g, struct store *s, bool *ret_more, struct err *err)
{
    bool more = true, end = false;
    int64_t version = 0;
    int rc = sqlite_number(s->db, "PRAGMA data_version", &version, err);

    *ret_more = false;
    if (rc < 0 || (version == g->seen && !g->scanning))
        return rc;
    if (!g->scanning) { /* what changes from here on is for the next time */
        g->seen = version;
        g->scanning = true;
        g->scan_after = 0;
    }
    for (size_t rows = 0; rc == 0 && more && rows < GRID_RESCAN; rows += GRID_CHUNK)
        rc = load_chunk(g, s, &more, err);
    if (rc == 0)
        rc = look_at_running(g, s, err);
    for (size_t rows = 0; rc == 0 && !end && rows < GRID_RESCAN; rows += GRID_CHUNK)
        rc = rescan_chunk(g, s, &end, err);
    if (rc == 0 && end)
        g->scanning = false;
    return rc;
}

int grid_load(struct grid *g, struct store *s, size_t room, bool *ret_more, struct err *err)
{
    bool more = true;
    int rc = 0;

    *ret_more = true;
    if (g->ready)
        return refresh(g, s, ret_more, err);
    if (g->total == 0 && g->rows == 0) {
        rc = sqlite_number(s->db, "PRAGMA data_version", &g->seen, err);
        if (rc == 0)
            rc = count_total(s, g, err);
        if (rc == 0 && g->total > 0)
            return rc; /* whoever waits may look how much it is */
    }
    if (rc == 0 && grid_bytes(g) > room) {
        pthread_rwlock_wrlock(&g->lock);
        g->fits = false;
        g->version++;
        pthread_rwlock_unlock(&g->lock);
        *ret_more = false;
        return 0;
    }
    if (rc == 0)
        rc = load_chunk(g, s, &more, err);
    if (rc == 0 && !more) { /* what changed while the chunks came is seen by the first rescan */
        rc = look_at_running(g, s, err);
        g->seen = -1;
        *ret_more = false;
    }
    return rc;
}
