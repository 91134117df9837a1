/* SPDX-License-Identifier: Apache-2.0 */
/* sums.c - what tables are made of (read.h). */
#include "store/read.h"

#include <math.h>

#include "store/store_private.h"

/* Columns FROM.. of ST: a tally, or sums over rows. */
static void take_sums(struct store_sums *x, const struct stmt *st, int from)
{
    x->n = stmt_col_u64(st, from);
    x->correct = stmt_col_u64(st, from + 1);
    x->norm = stmt_col_u64(st, from + 2);
    x->labelled = stmt_col_u64(st, from + 3);
    x->preserved = stmt_col_u64(st, from + 4);
    x->improved = stmt_col_u64(st, from + 5);
    x->layers_label = stmt_col_real(st, from + 6);
    x->layers_all = stmt_col_real(st, from + 7);
    x->layers_base = stmt_col_real(st, from + 8);
    x->repeats = stmt_col_u64(st, from + 9);
    x->truncated = stmt_col_u64(st, from + 10);
    x->tokens = stmt_col_u64(st, from + 11);
    x->generated = stmt_col_u64(st, from + 12);
}

/* Give X with the sums of each row of ST, which reads the first X->promised of X's family. */
static int give_rows(struct store_sums *x, struct stmt *st, bool subsets, store_sums_fn fn,
                     void *arg, struct err *err)
{
    int rc;

    stmt_u64(st, ":family", x->family_id);
    stmt_u64(st, ":examples", x->promised);
    while ((rc = stmt_step(st, err)) > 0) {
        take_sums(x, st, 0);
        x->subset = stmt_col_text(st, 13);
        if (subsets)
            x->promised = x->n;
        rc = fn(x, arg);
        if (rc) {
            stmt_reset(st);
            return rc;
        }
    }
    return rc;
}

/* One family of a run's step, at which ST (sums) stands. Complete ones have a tally. */
static int give_family(struct store *s, const struct stmt *st, bool subsets, store_sums_fn fn,
                       void *arg, struct err *err)
{
    bool tally = !stmt_is_null(st, 10), parts = tally && stmt_col(st, 23) > 0;
    struct store_sums x = {
        .run = stmt_col_u64(st, 0),
        .seed = stmt_col_u64(st, 1),
        .step = stmt_col_text(st, 2),
        .family = stmt_col_digest(st, 3),
        .task = stmt_col_text(st, 4),
        .level = (int)stmt_col(st, 5),
        .split = stmt_col_text(st, 6),
        .promised = stmt_col_u64(st, 7),
        .family_id = stmt_col_u64(st, 8),
        .search = stmt_col(st, 9) != 0,
        .subset = "",
    };

    if (!subsets && tally) {
        take_sums(&x, st, 10);
        return fn(&x, arg);
    }
    if (!subsets)
        return give_rows(&x, x.search ? USE(s, SUMS_OF_LABELS) : USE(s, SUMS_OF_SCORES), false, fn,
                         arg, err);
    if (parts)
        return give_rows(&x, USE(s, TALLY_PARTS), true, fn, arg, err);
    return give_rows(&x, x.search ? USE(s, SUBSET_SUMS_OF_LABELS) : USE(s, SUBSET_SUMS_OF_SCORES),
                     true, fn, arg, err);
}

static int list_sums(struct store *s, uint64_t experiment, bool subsets, store_sums_fn fn,
                     void *arg, struct err *err)
{
    struct stmt *st = USE(s, SUMS);
    int rc;

    stmt_u64(st, ":experiment", experiment);
    while ((rc = stmt_step(st, err)) > 0) {
        rc = give_family(s, st, subsets, fn, arg, err);
        if (rc) {
            stmt_reset(st);
            return rc;
        }
    }
    return rc;
}

int store_list_sums(struct store *s, uint64_t experiment, store_sums_fn fn, void *arg,
                    struct err *err)
{
    return list_sums(s, experiment, false, fn, arg, err);
}

int store_list_subset_sums(struct store *s, uint64_t experiment, store_sums_fn fn, void *arg,
                           struct err *err)
{
    return list_sums(s, experiment, true, fn, arg, err);
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
