/* SPDX-License-Identifier: Apache-2.0 */
/* status.c - an experiment's progress, step by step (read.h). One statement over the claims of its
 * latest revision's runs: other experiments are not looked at. */
#include "store/store_private.h"

static struct store_step_status row(const struct stmt *st)
{
    return (struct store_step_status){
        .step = stmt_col_text(st, 0),
        .kind = stmt_col_text(st, 1),
        .jobs = (uint32_t)stmt_col(st, 2),
        .done = (uint32_t)stmt_col(st, 3),
        .failed = (uint32_t)stmt_col(st, 4),
        .cancelled = (uint32_t)stmt_col(st, 5),
        .skipped = (uint32_t)stmt_col(st, 6),
        .waiting = (uint32_t)stmt_col(st, 7),
        .ready = (uint32_t)stmt_col(st, 8),
        .diverged = (uint32_t)stmt_col(st, 9),
        .units_total = stmt_col_u64(st, 10),
        .units_done = stmt_col_u64(st, 11),
        .seconds_spent = stmt_col_real(st, 12),
        .unchosen = (uint32_t)stmt_col(st, 13),
    };
}

int store_status(struct store *s, uint64_t experiment, store_step_fn fn, void *arg, struct err *err)
{
    struct stmt *st = USE(s, STATUS_STEPS);
    int rc;

    stmt_u64(st, ":experiment", experiment);
    while ((rc = stmt_step(st, err)) > 0) {
        const struct store_step_status status = row(st);

        rc = fn(&status, arg);
        if (rc) {
            stmt_reset(st);
            return rc;
        }
    }
    return rc;
}
