/* SPDX-License-Identifier: Apache-2.0 */
/* grid_private.h - one experiment's runs in memory; shared by grid.c (who keeps which),
 * grid_load.c (reading the store), grid_page.c and grid_groups.c.
 *
 * LOCK is taken for writing by the loading thread alone, for the time of copying a chunk; it reads
 * without. LIST (of struct grids) guards the members behind it. Nobody waits for LIST while it
 * holds LOCK. */
#ifndef STORE_BROWSE_GRID_PRIVATE_H
#define STORE_BROWSE_GRID_PRIVATE_H

#include <pthread.h>

#include "store/browse/grid.h"

struct store;

/* The columns that every grid has; parameters come behind them. */
enum fixed_column {
    GRID_STATE,
    GRID_RUN,
    GRID_SEED,
    GRID_REVISION,
    GRID_SUPERSEDED_COLUMN,
    GRID_JOBS,
    GRID_WAITING,
    GRID_READY,
    GRID_DONE,
    GRID_FAILED,
    GRID_SKIPPED,
    GRID_CANCELLED,
    GRID_DIVERGED,
    GRID_SECONDS,
    GRID_ACCURACY,
    GRID_BASE,
    GRID_ORACLE,
    GRID_LAYERS,
    GRID_N,
    GRID_TOKENS,
    GRID_FIRST_MS,
    GRID_LAST_MS,
    GRID_FIXED
};

struct grid {
    uint64_t experiment;
    pthread_rwlock_t lock;
    pthread_mutex_t ranking; /* of words, by readers */
    struct column *column;
    size_t columns;
    uint64_t *run;
    uint8_t *flags;
    size_t rows, cap, total;
    bool ready, fits;
    uint64_t version;
    /* Of the loading thread alone. */
    uint64_t scan_after; /* the rescan goes on behind this run */
    bool scanning;
    int64_t seen; /* the store's data_version when the last rescan began */
    uint64_t revision, revision_number;
    uint32_t *running; /* rows flagged so */
    size_t running_len;
    /* Guarded by LIST. */
    struct grid *next;
    unsigned holders;
    uint64_t used_ms, looked_ms; /* when it was asked for last, and refreshed */
    uint64_t took_ms;            /* the last look */
    uint64_t due_ms;             /* the next one; 0: at once */
    bool known, done;            /* its total is known; there is no more to load, or no room */
    size_t bytes, total_known, rows_known;
    struct err err; /* of its loading; code ERR_OK: none */
};

struct grid *grid_new(uint64_t experiment);
void grid_free(struct grid *g);
size_t grid_bytes(const struct grid *g);

/* One chunk more of a grid that is not ready, or one look at one that is: new runs, running ones,
 * and up to GRID_RESCAN rows again. ROOM: bytes that it may grow to. *RET_MORE: there is more to do
 * at once. Only by the loading thread, with its own connection. */
int grid_load(struct grid *g, struct store *s, size_t room, bool *ret_more,
              struct err *err) MUST_CHECK;

#endif
