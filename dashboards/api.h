/* SPDX-License-Identifier: Apache-2.0 */
/* api.h - how questions are answered: a table of routes, one handler each. The documents are
 * described in docs/api.md.
 *
 * A handler runs on one of a few threads, with a reading connection of that thread and no
 * transaction open. It appends one JSON object to OUT, or returns an error:
 *
 *   ERR_INVALID 400   ERR_NOT_FOUND 404   ERR_LIMIT 413   ERR_TIMEOUT 503
 *   ERR_CONFLICT 409   ERR_AGAIN 503   others 500
 *
 * whose text tells the user what to do. It must not keep a statement open when it returns. */
#ifndef DASHBOARDS_API_H
#define DASHBOARDS_API_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "dashboards/request.h"

struct store;
struct grids;
struct ledger;
struct live;
struct label_cache;

enum {
    API_TIME_MS = 5000,      /* for one answer, unless the user says otherwise */
    API_BYTES_MAX = 8 << 20, /* of one answer */
    API_ROWS_MAX = 100000,   /* of people's own SQL */
    API_BODY_MAX = 64 << 10, /* of a POST */
};

struct api_call {
    struct store *store; /* reading; of this thread. store_time_limit() is set */
    const struct request *request;
    struct grids *grids;   /* columns of large experiments (store/browse/grid.h); thread-safe */
    struct ledger *ledger; /* states of jobs, attempts (store/browse/ledger.h); thread-safe */
    struct live *live; /* what the coordinator knows (live.h); thread-safe; NULL: nobody asks it */
    struct label_cache *labels; /* sums of labels (store/browse/labels.h); thread-safe; or NULL */
    uint64_t change;            /* grows when the store changes */
    int64_t now_ms;   /* wall time; an answer that is not API_LIVE should not show it, so that an
                         unchanged answer keeps its ETag */
    uint32_t time_ms; /* for one answer */
    struct buf *out;
};

typedef int (*api_fn)(struct api_call *c, struct err *err);

enum api_flags {
    API_POST = 1,  /* POST with a JSON body; else GET and HEAD */
    API_LIVE = 2,  /* changes without the store: kept for a second at most */
    API_FRESH = 4, /* never kept */
    API_SLOW = 8,  /* may take seconds (people's SQL, tables): on a thread of its own, so that it
                      never  stands in the way of the quick ones. POST is always slow. */
};

/* Answers of GET are kept by (change, path and query) and computed once for all who ask the same at
 * the same time; neither handlers nor tables need to care.
 *
 * PATTERN: parts of the path behind /api/v1, ":id" is any; "experiments/:id/runs". A row without a
 * handler ends a table. */
struct api_route {
    const char *pattern;
    api_fn fn;
    unsigned flags;
};

/* One table per subject, each in the files of its handlers. */
extern const struct api_route api_runs_routes[], api_farm_routes[], api_labels_routes[];

#endif
