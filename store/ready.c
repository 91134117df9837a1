/* SPDX-License-Identifier: Apache-2.0 */
#include "store/ready.h"

#include <stdint.h>
#include <string.h>

#include "store/checkpoint.h"
#include "store/plain.h"
#include "store/shape.h"
#include "store/words.h"

static int load_affinity(struct store *s, struct store_ready *r, struct err *err)
{
    struct stmt *st = USE(s, JOB_AFFINITY);
    int rc;

    stmt_u64(st, ":job", r->job);
    stmt_int(st, ":max", STORE_AFFINITY_MAX);
    while ((rc = stmt_step(st, err)) > 0)
        r->affinity[r->affinity_len++] = stmt_col_digest(st, 0);
    return rc;
}

/* LAST: what the row before said there; mostly the same. */
static const char *word(struct store *s, const struct stmt *st, int column, const char *last)
{
    size_t len;
    const char *text = stmt_col_text_len(st, column, &len);

    return words_get(&s->words, text, len, last);
}

static void take_row(struct store *s, const struct stmt *st, const struct store_ready *last,
                     struct store_ready *r)
{
    const void *params;
    const int64_t units = stmt_col(st, 14), parts = stmt_col(st, 15);

    *r = (struct store_ready){
        .job = stmt_col_u64(st, 0),
        .priority = (int32_t)stmt_col(st, 1),
        .experiment = stmt_col_u64(st, 2),
        .kind = word(s, st, 3, last ? last->kind : NULL),
        .numeric_class = word(s, st, 4, last ? last->numeric_class : NULL),
        .step = word(s, st, 5, last ? last->step : NULL),
        .labels = word(s, st, 6, last ? last->labels : NULL),
        .cores = (uint32_t)stmt_col(st, 7),
        .memory_mib = stmt_col_u64(st, 8),
        .tries = (uint32_t)stmt_col(st, 9),
        .losses = (uint32_t)stmt_col(st, 10),
        .retries = (uint32_t)stmt_col(st, 11),
        .epoch = (uint32_t)stmt_col(st, 12),
        .kind_version = (uint32_t)stmt_col(st, 13),
        .units = units > 1 ? (uint64_t)units : 1,
        .simple = (parts & 1) == 0 && units == 0,
        .key = stmt_col_digest(st, 16),
        .seed = stmt_col_u64(st, 17),
    };
    r->plain = parts == 0 && units == 0 && strcmp(r->kind, "select") != 0;
    params = stmt_col_bytes(st, 18, &r->params_len);
    r->params = (const void *)(uintptr_t)s->page.len; /* until the page does not move any more */
    if (r->params_len > 0)
        buf_add(&s->page, params, r->params_len);
}

static int take_rows(struct store *s, struct stmt *st, struct store_ready *ret, size_t max,
                     size_t *len, struct err *err)
{
    int rc = 0;

    while (*len < max && (rc = stmt_step(st, err)) > 0) {
        take_row(s, st, *len ? &ret[*len - 1] : NULL, &ret[*len]);
        ++*len;
    }
    stmt_reset(st);
    return rc < 0 ? rc : 0;
}

static int list(struct store *s, uint64_t experiment, struct store_cursor cursor,
                struct store_ready *ret, size_t max, size_t *len, struct err *err)
{
    struct stmt *st = experiment ? USE(s, READY_SAME) : USE(s, READY_ALL);
    int rc;

    if (experiment)
        stmt_u64(st, ":experiment", experiment);
    stmt_int(st, ":priority", cursor.priority);
    stmt_u64(st, ":id", cursor.job);
    stmt_u64(st, ":max", max);
    rc = take_rows(s, st, ret, max, len, err);
    if (rc < 0 || !experiment || *len == max)
        return rc;
    st = USE(s, READY_BELOW);
    stmt_u64(st, ":experiment", experiment);
    stmt_int(st, ":priority", cursor.priority);
    stmt_u64(st, ":max", max - *len);
    return take_rows(s, st, ret, max, len, err);
}

/* What the job's own row does not say. */
static int complete(struct store *s, const struct store_ready *last, struct store_ready *r,
                    struct err *err)
{
    struct store_checkpoint checkpoint;
    int rc = 0;

    r->params = s->page.len ? s->page.data + (uintptr_t)r->params : NULL;
    if (last && last->experiment == r->experiment && last->units == r->units &&
        last->kind_version == r->kind_version && last->kind == r->kind && last->step == r->step &&
        last->numeric_class == r->numeric_class) {
        r->shape = last->shape;
        r->est_us = last->est_us;
    } else {
        r->shape = shape_hash(&(struct shape_of){ .experiment = r->experiment,
                                                  .units = r->units,
                                                  .kind_version = r->kind_version,
                                                  .kind = r->kind,
                                                  .numeric_class = r->numeric_class,
                                                  .step = r->step });
        rc = shape_estimate(s, r->shape, &r->est_us, err);
    }
    if (rc == 0 && s->writer)
        plain_listed(s, r->job, r->shape, r->epoch, r->plain);
    if (rc == 0 && r->simple && r->epoch > 0) {
        rc = store_checkpoint_find(s, r->job, &checkpoint, NULL);
        r->simple = rc == ERR_NOT_FOUND;
        rc = rc == ERR_NOT_FOUND ? 0 : rc;
    }
    return rc == 0 && !r->simple ? load_affinity(s, r, err) : rc;
}

int store_list_ready(struct store *s, uint64_t experiment, struct store_cursor cursor,
                     struct store_ready *ret, size_t max, size_t *ret_len, struct err *err)
{
    size_t n = 0;
    int rc;

    *ret_len = 0;
    buf_clear(&s->page);
    rc = list(s, experiment, cursor, ret, max, &n, err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = complete(s, i ? &ret[i - 1] : NULL, &ret[i], err);
    if (rc < 0)
        return rc;
    *ret_len = n;
    return 0;
}

int store_ready_job(struct store *s, uint64_t job, struct store_ready *ret, struct err *err)
{
    struct stmt *st = USE(s, READY_ONE);
    size_t len = 0;
    int rc;

    buf_clear(&s->page);
    stmt_u64(st, ":id", job);
    rc = take_rows(s, st, ret, 1, &len, err);
    if (rc == 0 && len == 0)
        return err_set(err, ERR_NOT_FOUND, "no job %llu", (unsigned long long)job);
    ret->plain = false; /* it may be in any state */
    return rc == 0 ? complete(s, NULL, ret, err) : rc;
}

int store_list_active(struct store *s, struct store_ids *ret, struct err *err)
{
    struct stmt *st = USE(s, ACTIVE);
    int rc;

    while ((rc = stmt_step(st, err)) > 0)
        store_ids_add(ret, stmt_col_u64(st, 0));
    return rc;
}
