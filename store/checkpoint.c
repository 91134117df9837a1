/* SPDX-License-Identifier: Apache-2.0 */
#include "store/checkpoint.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "store/attempt.h"
#include "store/checkpoint_private.h"

/* The row, whether its file is there or not. */
static int find_row(struct store *s, uint64_t job, struct store_checkpoint *ret, struct err *err)
{
    struct stmt *st = USE(s, CHECKPOINT_GET);
    int rc;

    stmt_u64(st, ":job", job);
    rc = stmt_step(st, err);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return err_set(err, ERR_NOT_FOUND, "job %llu has no checkpoint", (unsigned long long)job);
    *ret = (struct store_checkpoint){
        .attempt = stmt_col_u64(st, 0),
        .epoch = (uint32_t)stmt_col(st, 1),
        .step = stmt_col_u64(st, 2),
        .digest = stmt_col_digest(st, 3),
        .size_bytes = stmt_col_u64(st, 4),
    };
    stmt_reset(st);
    return 0;
}

int store_checkpoint_find(struct store *s, uint64_t job, struct store_checkpoint *ret,
                          struct err *err)
{
    uint64_t size = 0;
    int rc = find_row(s, job, ret, err);

    if (rc < 0)
        return rc;
    if (!blobs_have(s->blobs, &ret->digest, &size) || size != ret->size_bytes)
        return err_set(err, ERR_NOT_FOUND, "the checkpoint of job %llu is gone",
                       (unsigned long long)job);
    return 0;
}

static int check(struct store *s, const struct store_checkpoint *c, const struct attempt_row *row,
                 struct err *err)
{
    uint64_t size = 0;
    char hex[DIGEST_HEX];

    if (row->outcome != STORE_RUNNING || row->epoch != row->job_epoch ||
        strcmp(row->state, "READY") != 0)
        return err_set(err, ERR_STALE, "attempt %llu is over: its checkpoint is not wanted",
                       (unsigned long long)c->attempt);
    if (c->step > INT64_MAX)
        return err_set(err, ERR_INVALID, "checkpoint at step %llu; at most %lld is allowed",
                       (unsigned long long)c->step, (long long)INT64_MAX);
    if (!blobs_have(s->blobs, &c->digest, &size))
        return err_set(err, ERR_NOT_FOUND, "checkpoint: blob %s is not stored; upload it first",
                       digest_hex(&c->digest, hex));
    if (size != c->size_bytes)
        return err_set(err, ERR_INVALID, "checkpoint: blob %s has %llu bytes, not %llu",
                       digest_hex(&c->digest, hex), (unsigned long long)size,
                       (unsigned long long)c->size_bytes);
    return 0;
}

static int put(struct store *s, const struct store_checkpoint *c, struct err *err)
{
    struct store_checkpoint have = { 0 };
    struct attempt_row row;
    struct stmt *st;
    int rc = attempt_load_live(s, c->attempt, c->epoch, &row, err);

    if (rc == 0)
        rc = find_row(s, row.job, &have, NULL);
    if (rc == 0 && have.attempt == c->attempt && have.step > c->step)
        return 0; /* a message of before, once more: its blob may be gone already */
    if (rc == 0 || rc == ERR_NOT_FOUND)
        rc = check(s, c, &row, err);
    if (rc == 0)
        rc = store_metrics(s, c->attempt, c->metrics, c->metrics_len, err);
    if (rc < 0)
        return rc;
    st = USE(s, CHECKPOINT_PUT);
    stmt_u64(st, ":job", row.job);
    stmt_u64(st, ":attempt", c->attempt);
    stmt_u64(st, ":step", c->step);
    stmt_digest(st, ":digest", &c->digest);
    stmt_u64(st, ":size", c->size_bytes);
    stmt_int(st, ":now", store_now());
    return stmt_run(st, err);
}

int store_checkpoint_put(struct store *s, const struct store_checkpoint *c, struct err *err)
{
    int rc = item_begin(s, err);

    return rc < 0 ? rc : item_end(s, put(s, c, err), err);
}

/* ---- metrics of the attempt before ---- */

struct copied {
    char *name;
    uint64_t id, n;
    struct store_metric *points;
    size_t len;
};

static int take_point(const struct store_point *p, void *arg)
{
    struct copied *c = arg;

    if (c->len < c->n) /* each stretch is one point */
        c->points[c->len++] = (struct store_metric){ c->name, p->first_step, p->mean };
    return 0;
}

static int copy_series(struct store *s, struct copied *c, uint64_t to, uint64_t step,
                       struct err *err)
{
    int rc;

    c->points = mem_calloc(MAX(c->n, 1), sizeof *c->points);
    rc = store_series(s, c->id, 0, step, MAX(c->n, 1), take_point, c, err);
    if (rc == 0)
        rc = store_metrics(s, to, c->points, c->len, err);
    free(c->points);
    c->points = NULL;
    return rc;
}

static int copy_metrics(struct store *s, const struct store_checkpoint *from, uint64_t to,
                        struct err *err)
{
    struct stmt *st = USE(s, CHECKPOINT_SERIES);
    struct copied *list = NULL;
    size_t len = 0;
    int rc;

    stmt_u64(st, ":attempt", from->attempt);
    stmt_u64(st, ":step", from->step);
    while ((rc = stmt_step(st, err)) > 0) {
        list = mem_realloc(list, len + 1, sizeof *list);
        list[len++] = (struct copied){ .id = stmt_col_u64(st, 0),
                                       .name = mem_strdup(stmt_col_text(st, 1)),
                                       .n = stmt_col_u64(st, 2) };
    }
    for (size_t i = 0; rc == 0 && i < len; i++)
        rc = copy_series(s, &list[i], to, from->step, err);
    for (size_t i = 0; i < len; i++)
        free(list[i].name);
    free(list);
    return rc;
}

int checkpoint_resume(struct store *s, uint64_t job, uint64_t attempt, struct err *err)
{
    struct store_checkpoint from;
    struct stmt *st;
    int rc = store_checkpoint_find(s, job, &from, NULL);

    if (rc == ERR_NOT_FOUND)
        return 0;
    if (rc < 0)
        return err_set(err, (enum err_code)rc, "the checkpoint of job %llu cannot be read",
                       (unsigned long long)job);
    st = USE(s, ATTEMPT_FROM);
    stmt_u64(st, ":id", attempt);
    stmt_u64(st, ":step", from.step);
    rc = stmt_run(st, err);
    return rc == 0 ? copy_metrics(s, &from, attempt, err) : rc;
}

/* ---- files that go ---- */

int checkpoint_forget(struct store *s, struct err *err)
{
    struct stmt *st;

    if (s->swept == 0)
        return 0;
    st = USE(s, CHECKPOINT_FORGET);
    stmt_u64(st, ":id", s->swept);
    return stmt_run(st, err);
}

void checkpoint_sweep(struct store *s)
{
    struct stmt *st = USE(s, CHECKPOINT_GONE);

    if (!s->blobs) /* while the store opens */
        return;
    stmt_u64(st, ":id", s->swept);
    while (stmt_step(st, NULL) > 0) {
        const struct digest d = stmt_col_digest(st, 1);

        if (stmt_col(st, 2) == 0)
            (void)!blobs_remove(s->blobs, &d, NULL); /* what stays is an orphan for gc */
        s->swept = stmt_col_u64(st, 0);
    }
}
