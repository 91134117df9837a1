/* SPDX-License-Identifier: Apache-2.0 */
/* label_origin.c - who made a label and who reads it (labels.h). */
#include "common/base/buf.h"
#include "store/browse/labels.h"
#include "store/store_private.h"

int label_job(struct store *s, uint64_t attempt, int (*fn)(const struct label_job *j, void *arg),
              void *arg, struct err *err)
{
    CLEANUP(stmt_done) struct stmt *st = USE(s, BROWSE_LABEL_JOB);

    stmt_u64(st, ":attempt", attempt);
    int rc = stmt_step(st, err);
    if (rc <= 0)
        return rc;
    const struct label_job job = { .id = stmt_col_u64(st, 0),
                                   .step = stmt_col_text(st, 1),
                                   .params = stmt_col_text(st, 2),
                                   .worker = stmt_col_text(st, 3),
                                   .host = stmt_col_text(st, 4),
                                   .ended_ms = stmt_col(st, 5) };
    return fn(&job, arg);
}

int label_readers(struct store *s, uint64_t family, uint64_t idx, size_t most,
                  int (*fn)(const struct label_reader *r, void *arg), void *arg, struct err *err)
{
    CLEANUP(stmt_done) struct stmt *st = USE(s, BROWSE_LABEL_READERS);
    int rc;

    stmt_u64(st, ":family", family);
    stmt_u64(st, ":idx", idx);
    stmt_u64(st, ":limit", most);
    while ((rc = stmt_step(st, err)) > 0) {
        const struct label_reader reader = { .experiment = stmt_col_u64(st, 0),
                                             .name = stmt_col_text(st, 1),
                                             .step = stmt_col_text(st, 2),
                                             .run = stmt_col_u64(st, 3),
                                             .seed = stmt_col_u64(st, 4) };

        rc = fn(&reader, arg);
        if (rc)
            return rc;
    }
    return rc;
}

int label_experiment_name(struct store *s, uint64_t experiment, struct buf *ret, struct err *err)
{
    CLEANUP(stmt_done) struct stmt *st = USE(s, BROWSE_LABELS_EXPERIMENT);

    stmt_u64(st, ":experiment", experiment);
    int rc = stmt_step(st, err);
    if (rc == 0)
        return err_set(err, ERR_NOT_FOUND, "no experiment %llu in the store",
                       (unsigned long long)experiment);
    if (rc > 0)
        buf_adds(ret, stmt_col_text(st, 2));
    return MIN(rc, 0);
}
