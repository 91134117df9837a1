/* SPDX-License-Identifier: Apache-2.0 */
/* sums.c - what tables are made of (read.h). */
#include "store/read.h"

#include <math.h>

#include "store/store_private.h"

static int give_sums(struct stmt *st, bool search, store_sums_fn fn, void *arg, struct err *err)
{
    int rc;

    while ((rc = stmt_step(st, err)) > 0) {
        struct store_sums sums = {
            .search = search,
            .run = stmt_col_u64(st, 0),
            .seed = stmt_col_u64(st, 1),
            .step = stmt_col_text(st, 2),
            .family = stmt_col_digest(st, 3),
            .task = stmt_col_text(st, 4),
            .level = (int)stmt_col(st, 5),
            .split = stmt_col_text(st, 6),
            .promised = stmt_col_u64(st, 7),
            .n = stmt_col_u64(st, 8),
            .correct = stmt_col_u64(st, 9),
            .norm = stmt_col_u64(st, 10),
            .labelled = stmt_col_u64(st, 11),
            .preserved = stmt_col_u64(st, 12),
            .improved = stmt_col_u64(st, 13),
            .layers_label = stmt_col_real(st, 14),
            .layers_all = stmt_col_real(st, 15),
            .layers_base = stmt_col_real(st, 16),
            .repeats = stmt_col_u64(st, 17),
            .truncated = stmt_col_u64(st, 18),
            .subset = stmt_col_text(st, 19),
        };

        rc = fn(&sums, arg);
        if (rc) {
            stmt_reset(st);
            return rc;
        }
    }
    return rc;
}

static int list_sums(struct store *s, enum stmt_id labels, enum stmt_id scores, uint64_t experiment,
                     store_sums_fn fn, void *arg, struct err *err)
{
    struct stmt *st = stmt_use(&s->q, labels);
    int rc;

    stmt_u64(st, ":experiment", experiment);
    rc = give_sums(st, true, fn, arg, err);
    if (rc)
        return rc;
    st = stmt_use(&s->q, scores);
    stmt_u64(st, ":experiment", experiment);
    return give_sums(st, false, fn, arg, err);
}

int store_list_sums(struct store *s, uint64_t experiment, store_sums_fn fn, void *arg,
                    struct err *err)
{
    return list_sums(s, STMT_SUMS_LABELS, STMT_SUMS_SCORES, experiment, fn, arg, err);
}

int store_list_subset_sums(struct store *s, uint64_t experiment, store_sums_fn fn, void *arg,
                           struct err *err)
{
    return list_sums(s, STMT_SUBSET_SUMS_LABELS, STMT_SUBSET_SUMS_SCORES, experiment, fn, arg, err);
}

/* NULL is NaN. */
static double real_or_nan(const struct stmt *st, int column)
{
    return stmt_is_null(st, column) ? NAN : stmt_col_real(st, column);
}

int store_list_summaries(struct store *s, uint64_t experiment, store_summary_fn fn, void *arg,
                         struct err *err)
{
    struct stmt *st = USE(s, SUMMARIES);
    int rc;

    stmt_u64(st, ":experiment", experiment);
    while ((rc = stmt_step(st, err)) > 0) {
        struct store_summary row = {
            .run = stmt_col_u64(st, 0),
            .step = stmt_col_text(st, 1),
            .family = stmt_col_digest(st, 2),
            .metric = stmt_col_text(st, 3),
            .value = real_or_nan(st, 4),
            .stderr_ = real_or_nan(st, 5),
            .stderr_pooled = real_or_nan(st, 6),
            .n = stmt_col_u64(st, 7),
            .truncated = stmt_col_u64(st, 8),
        };

        rc = fn(&row, arg);
        if (rc) {
            stmt_reset(st);
            return rc;
        }
    }
    return rc;
}

int store_list_params(struct store *s, uint64_t experiment, store_param_fn fn, void *arg,
                      struct err *err)
{
    struct stmt *st = USE(s, PARAMS);
    int rc;

    stmt_u64(st, ":experiment", experiment);
    while ((rc = stmt_step(st, err)) > 0) {
        rc = fn(stmt_col_u64(st, 0), stmt_col_text(st, 1), stmt_col_text(st, 2), arg);
        if (rc) {
            stmt_reset(st);
            return rc;
        }
    }
    return rc;
}

int store_count_diverged(struct store *s, uint64_t experiment, uint64_t *ret_diverged,
                         uint64_t *ret_runs, struct err *err)
{
    struct stmt *st = USE(s, COUNT_DIVERGED);
    int rc;

    *ret_diverged = *ret_runs = 0;
    stmt_u64(st, ":experiment", experiment);
    rc = stmt_step(st, err);
    if (rc <= 0)
        return rc;
    *ret_diverged = stmt_col_u64(st, 0);
    *ret_runs = stmt_col_u64(st, 1);
    stmt_reset(st);
    return 0;
}

int store_step_reads_labels(struct store *s, uint64_t experiment, const char *step, bool *ret,
                            struct err *err)
{
    struct stmt *st = USE(s, STEP_READS_LABELS);
    int64_t found = 0;
    int rc;

    stmt_u64(st, ":experiment", experiment);
    stmt_text(st, ":step", step);
    rc = stmt_get(st, &found, err);
    *ret = found != 0;
    return rc;
}
