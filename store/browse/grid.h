/* SPDX-License-Identifier: Apache-2.0 */
/* grid.h - the runs of experiments in memory: columns of run_summary and parameters, for sorting,
 * filtering and grouping a million of them within milliseconds.
 *
 * One thread of its own fills them through its own reading connection, in chunks of short
 * transactions, and keeps them up to date: new runs at once, changed rows by rescans of a bounded
 * number of rows per second. Readers share a lock that the thread holds for moments only; what is
 * asked of a grid that is still being filled is answered from what is there, and says so.
 * At most BYTES are kept over all experiments; those looked at longest ago go first. An experiment
 * that does not fit by itself is kept as far as it fits and says so.
 *
 * Thread-safe, except where said. */
#ifndef STORE_BROWSE_GRID_H
#define STORE_BROWSE_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/jsonw.h"
#include "store/browse/columns.h"

enum {
    GRID_CHUNK = 4096,      /* runs per transaction: some 40 ms */
    GRID_FIRST = 512,       /* the first time, when there are many */
    GRID_AT_ONCE = 20000,   /* the first question waits for experiments of up to so many runs */
    GRID_WAIT_MS = 1500,    /* so long at most */
    GRID_REFRESH_MS = 1000, /* between two looks at a store that changes */
    GRID_RESCAN = 65536,    /* rows looked at again per look: some 0.1 s of a core */
    GRID_FILTERS_MAX = 16,
    GRID_COLUMNS_MAX = 256, /* parameters and all */
    GRID_LIMIT_MAX = 1000,  /* rows of a page */
    GRID_CURSOR_MAX = 4096,
};

struct grids;

/* Of the store PATH. The thread starts with the first question. BYTES: all grids together. */
int grids_new(struct grids **ret, const char *path, size_t bytes, struct err *err) MUST_CHECK;
void grids_free(struct grids *g); /* waits for the thread (some 0.1 s); NULL is fine */

/* Grows whenever a grid changed or was loaded further: answers made of grids are as new as this. */
uint64_t grids_version(struct grids *g);

struct grids_status {
    size_t grids, bytes, bytes_max, runs;
};
void grids_status(struct grids *g, struct grids_status *ret);

/* What a reader holds: nothing in it changes until grid_done(). Hold it for milliseconds. */
struct grid_view {
    struct grids *grids;
    struct grid *grid;
    struct column *column; /* [columns]; see grid_column() */
    size_t columns;
    const uint64_t *run;  /* [rows] ascending */
    const uint8_t *flags; /* [rows] */
    size_t rows, total;   /* there now; when all are there, about until they are */
    bool ready, fits;     /* all there; fits = false: there is no room for the rest */
    uint64_t version;     /* grows with every change of the grid */
};
enum grid_flags {
    GRID_SUPERSEDED = 1,
    GRID_GONE = 2, /* deleted from the store */
    GRID_RUNNING = 4,
};

/* The grid of EXPERIMENT, asked for when it is not there. ERR_NOT_FOUND: no such experiment;
 * errors of its loading. Release with grid_done() (NULL grid: fine). */
int grid_open(struct grids *g, uint64_t experiment, struct grid_view *ret,
              struct err *err) MUST_CHECK;
void grid_done(struct grid_view *v);

/* Column NAME, or the only parameter whose last part it is. ERR_NOT_FOUND with the nearest;
 * ERR_AGAIN: no run has it, of those that are loaded. */
int grid_column(const struct grid_view *v, const char *name, const struct column **ret,
                struct err *err) MUST_CHECK;
/* RC; what is not found in a question is the asker's mistake: ERR_INVALID with the same text. */
int grid_invalid(int rc, struct err *err);
/* Order the words of C, which is of V: before keys are asked of it. */
void grid_rank(const struct grid_view *v, const struct column *c);
/* Index of RUN; SIZE_MAX: not there. */
size_t grid_find(const struct grid_view *v, uint64_t run);

/* ---- filters over rows ---- */

/* "NAME~OP~VALUE": as many as hold together. Release also after a failure. */
struct grid_filters {
    struct column_filter one[GRID_FILTERS_MAX];
    size_t len;
    bool superseded; /* take superseded runs too */
};
int grid_filter_add(const struct grid_view *v, struct grid_filters *f, const char *text,
                    struct err *err) MUST_CHECK;
void grid_filters_release(struct grid_filters *f);
/* Rows FROM .. FROM + N - 1 (N <= COLUMN_BLOCK) that all filters take; returns how many. */
size_t grid_mask(const struct grid_view *v, const struct grid_filters *f, size_t from, size_t n,
                 uint8_t mask[COLUMN_BLOCK]);

/* ---- pages ---- */

struct grid_page {
    uint32_t row[GRID_LIMIT_MAX]; /* indices, in order */
    size_t len;
    uint64_t matched; /* rows that the filters take, those before the cursor too */
    struct buf next;  /* cursor of the next page; empty: this is the last */
};
/* Rows by SORT ("accuracy", "-accuracy" for descending; NULL: by run), equal ones by run, behind
 * the cursor AFTER (NULL: from the start). A cursor holds whatever is refreshed in between: no row
 * whose value stays is left out or comes twice. ERR_INVALID, ERR_NOT_FOUND. */
int grid_page(const struct grid_view *v, const struct grid_filters *f, const char *sort,
              const char *after, size_t limit, struct grid_page *ret, struct err *err) MUST_CHECK;
/* The page behind the first SKIP rows: for jumps, such as to the end. Costs more the greater SKIP
 * is: some 30 ms at a million. */
int grid_page_at(const struct grid_view *v, const struct grid_filters *f, const char *sort,
                 size_t skip, size_t limit, struct grid_page *ret, struct err *err) MUST_CHECK;
void grid_page_release(struct grid_page *p);

/* ---- groups ---- */

enum { GRID_BY_MAX = 4, GRID_GROUPS_MAX = 200 };
/* Rows gathered by the values of parameters (any columns), in the order of the values. */
struct grid_groups {
    const struct column *by[GRID_BY_MAX];
    size_t by_len;
    struct grid_group {
        char *name; /* "cosine"; with several "gamma = 0.9, schedule = cosine"; "all runs" */
        size_t rows;
        uint32_t first; /* a row of it */
    } * group;
    size_t len;
    bool cut;     /* there are more groups than GRID_GROUPS_MAX: their rows are in none */
    uint32_t *of; /* [rows of the view] group + 1; 0: filtered out, or in none */
    size_t rows;  /* in groups */
};
/* BY: names divided by commas; NULL, "": one group. Release also after a failure. */
int grid_groups_make(const struct grid_view *v, const struct grid_filters *f, const char *by,
                     struct grid_groups *ret, struct err *err) MUST_CHECK;
void grid_groups_release(struct grid_groups *g);
/* Its value as JSON: of one column; with several its name; null without. */
void grid_group_put(const struct grid_groups *g, size_t group, const char *key, struct jsonw *w);

/* The parameter by which runs are best told apart, NULL: none has between 2 and 50 values: a method
 * (schedule...) before other words before numbers, few values before many. */
const struct column *grid_telling(const struct grid_view *v, const struct grid_filters *f);

/* Members "ready" and "loaded", and a "note" where the grid does not fit. */
void grid_put_state(const struct grid_view *v, struct jsonw *w);
/* Members "name", "kind", "type". */
void grid_put_column(const struct grid_view *v, const struct column *c, struct jsonw *w);
/* Members "columns" of /experiments/:id: [{name, kind, type, distinct, min, max, values}]; for the
 * view of an experiment. Also "telling" (a parameter's name), "ready" and "loaded". */
int grid_put_columns(struct grids *g, uint64_t experiment, struct jsonw *w,
                     struct err *err) MUST_CHECK;

#endif
