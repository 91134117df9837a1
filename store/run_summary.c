/* SPDX-License-Identifier: Apache-2.0 */
/* run_summary.c - the wide rows of runs, which triggers keep (sql/0003_scale.sql), as a list. */
#include "store/run_summary.h"

#include <math.h>

#include "store/store_private.h"

static double real_or_nan(const struct stmt *st, int column)
{
    return stmt_is_null(st, column) ? (double)NAN : stmt_col_real(st, column);
}

int store_list_run_summaries(struct store *s, uint64_t experiment, bool superseded_too,
                             store_run_summary_fn fn, void *arg, struct err *err)
{
    struct stmt *st = USE(s, RUN_SUMMARIES);
    int rc;

    stmt_u64(st, ":experiment", experiment);
    stmt_int(st, ":superseded", superseded_too);
    while ((rc = stmt_step(st, err)) > 0) {
        struct store_run_summary r = {
            .run = stmt_col_u64(st, 0),
            .seed = stmt_col_u64(st, 1),
            .revision = stmt_col_u64(st, 2),
            .superseded = stmt_col(st, 3) != 0,
            .jobs = stmt_col_u64(st, 4),
            .waiting = stmt_col_u64(st, 5),
            .ready = stmt_col_u64(st, 6),
            .done = stmt_col_u64(st, 7),
            .failed = stmt_col_u64(st, 8),
            .skipped = stmt_col_u64(st, 9),
            .cancelled = stmt_col_u64(st, 10),
            .diverged = stmt_col_u64(st, 11),
            .seconds = (double)stmt_col(st, 12) / 1000.0,
            .accuracy = real_or_nan(st, 13),
            .base = real_or_nan(st, 14),
            .oracle = real_or_nan(st, 15),
            .layers = real_or_nan(st, 16),
            .n = stmt_col_u64(st, 17),
            .tokens = stmt_col_u64(st, 18),
            .first_ms = stmt_col(st, 19),
            .last_ms = stmt_col(st, 20),
        };

        rc = fn(&r, arg);
        if (rc) {
            stmt_reset(st);
            return rc;
        }
    }
    return rc;
}
