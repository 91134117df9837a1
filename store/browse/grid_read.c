/* SPDX-License-Identifier: Apache-2.0 */
#include "store/browse/grid_read.h"

#include <math.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "store/change.h"
#include "store/store_private.h"

enum { SEGMENT_GAP = 8 }; /* runs of others between two of ours that are read over */

void grid_chunk_release(struct grid_chunk *c)
{
    free(c->row);
    free(c->param);
    buf_release(&c->text);
}

static int read_run(struct store *s, struct grid *g, const struct stmt *st, struct run_row *r,
                    struct err *err)
{
    static const enum fixed_column counts[] = { GRID_JOBS,      GRID_WAITING, GRID_READY,
                                                GRID_DONE,      GRID_FAILED,  GRID_SKIPPED,
                                                GRID_CANCELLED, GRID_DIVERGED };
    static const enum fixed_column reals[] = { GRID_ACCURACY, GRID_BASE, GRID_ORACLE, GRID_LAYERS };
    static const enum fixed_column others[] = { GRID_N, GRID_TOKENS, GRID_FIRST_MS, GRID_LAST_MS };
    uint64_t revision = stmt_col_u64(st, 2);

    r->run = stmt_col_u64(st, 0);
    r->whole[GRID_RUN] = stmt_col(st, 0);
    r->whole[GRID_SEED] = stmt_col(st, 1);
    r->superseded = stmt_col(st, 3) != 0;
    r->whole[GRID_SUPERSEDED_COLUMN] = r->superseded;
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        r->whole[counts[i]] = stmt_col(st, 4 + (int)i);
    r->real[GRID_SECONDS] = (double)stmt_col(st, 12) / 1000.0;
    for (size_t i = 0; i < ARRAY_LEN(reals); i++)
        r->real[reals[i]] =
            stmt_is_null(st, 13 + (int)i) ? (double)NAN : stmt_col_real(st, 13 + (int)i);
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        r->whole[others[i]] =
            stmt_is_null(st, 17 + (int)i) ? COLUMN_NOTHING : stmt_col(st, 17 + (int)i);
    if (r->whole[GRID_N] == 0) /* no evaluation: no tokens either, which is not none */
        r->whole[GRID_TOKENS] = COLUMN_NOTHING;
    if (revision != g->revision) { /* of its neighbours' revision, nearly always */
        struct stmt *number = USE(s, BROWSE_GRID_REVISION);
        int64_t v = 0;

        stmt_u64(number, ":revision", revision);
        int rc = stmt_get(number, &v, err);
        if (rc < 0)
            return rc;
        g->revision = revision;
        g->revision_number = (uint64_t)v;
    }
    r->whole[GRID_REVISION] = (int64_t)g->revision_number;
    return 0;
}

int grid_read_runs(struct store *s, struct grid *g, uint64_t after, size_t limit,
                   struct grid_chunk *ret, struct err *err)
{
    struct stmt *st = USE(s, BROWSE_GRID_RUNS);
    int rc;

    store_wait_turn();
    ret->row = mem_calloc(limit, sizeof *ret->row);
    stmt_u64(st, ":experiment", g->experiment);
    stmt_u64(st, ":after", after);
    stmt_u64(st, ":limit", limit);
    while ((rc = stmt_step(st, err)) > 0) {
        rc = read_run(s, g, st, &ret->row[ret->len++], err);
        if (rc < 0) {
            stmt_reset(st);
            return rc;
        }
    }
    ret->last = ret->len < limit;
    return rc;
}

static uint32_t keep_text(struct grid_chunk *c, const char *text, size_t len)
{
    uint32_t at = (uint32_t)c->text.len;

    buf_add(&c->text, text, len);
    buf_addc(&c->text, '\0');
    return at;
}

/* Parameters of rows FROM .. TO of the chunk, between which few runs of others lie. */
static int read_segment(struct store *s, struct grid_chunk *c, size_t from, size_t to,
                        struct err *err)
{
    struct stmt *st = USE(s, BROWSE_GRID_PARAMS);
    size_t at = from, len = 0, name_len = 0;
    int rc;

    stmt_u64(st, ":from", c->row[from].run);
    stmt_u64(st, ":to", c->row[to].run);
    while ((rc = stmt_step(st, err)) > 0) {
        uint64_t run = stmt_col_u64(st, 0);

        while (at < to && c->row[at].run < run)
            at++;
        if (c->row[at].run != run)
            continue;
        if (c->params == c->params_cap) {
            c->params_cap = MAX(4096, 2 * c->params_cap);
            c->param = mem_realloc(c->param, c->params_cap, sizeof *c->param);
        }
        const char *name = stmt_col_text_len(st, 1, &name_len);
        const char *value = stmt_col_text_len(st, 2, &len);
        c->param[c->params++] = (struct param_row){ .row = (uint32_t)at,
                                                    .name = keep_text(c, name, name_len),
                                                    .value = keep_text(c, value, len),
                                                    .value_len = (uint32_t)len };
    }
    return rc;
}

int grid_read_params(struct store *s, struct grid_chunk *c, struct err *err)
{
    int rc = 0;

    for (size_t i = 0, from = 0; rc == 0 && i < c->len; i++) {
        if (i + 1 < c->len && c->row[i + 1].run - c->row[i].run <= SEGMENT_GAP)
            continue;
        rc = read_segment(s, c, from, i, err);
        from = i + 1;
    }
    return rc;
}
