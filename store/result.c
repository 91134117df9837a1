/* SPDX-License-Identifier: Apache-2.0 */
/* result.c - a job's committed result, and what it sets free (work.h). */
#include <stdio.h>
#include <string.h>

#include "common/base/buf.h"
#include "store/attempt.h"
#include "store/gate.h"
#include "store/plain.h"
#include "store/shape.h"
#include "store/summary.h"

/* Every example of the shard must be durable before its job is. */
static int check_shard(struct store *s, const struct attempt_row *row, struct err *err)
{
    uint64_t have;
    int rc;

    if (row->end <= row->begin)
        return 0;
    rc = count_examples(s, row->kind, row->family, row->begin, row->end, &have, err);
    if (rc == 0 && have != row->end - row->begin)
        return err_set(err, ERR_INVALID, "job %llu: %llu of the shard's %llu examples are stored",
                       (unsigned long long)row->job, (unsigned long long)have,
                       (unsigned long long)(row->end - row->begin));
    return rc;
}

static int put_output(struct store *s, uint64_t job, const struct store_output *o, struct err *err)
{
    struct stmt *st;
    char hex[DIGEST_HEX];
    uint64_t blob;
    int rc;

    if (!blobs_have(s->blobs, &o->digest, NULL))
        return err_set(err, ERR_NOT_FOUND, "output \"%s\": blob %s is not stored; upload it first",
                       o->name, digest_hex(&o->digest, hex));
    rc = blob_row(s, &o->digest, o->size_bytes, "", o->folder, &blob, err);
    if (rc < 0)
        return rc;
    st = USE(s, JOB_OUTPUT_PUT);
    stmt_u64(st, ":job", job);
    stmt_text(st, ":name", o->name);
    stmt_u64(st, ":blob", blob);
    return stmt_run(st, err);
}

/* JOB made its outputs again: their bytes are here once more. */
static int take_back(struct store *s, uint64_t job, const struct store_result *r, struct err *err)
{
    struct stmt *st = USE(s, OUTPUT_RESTORED);
    char hex[DIGEST_HEX];

    for (size_t i = 0; i < r->outputs_len; i++) {
        if (!blobs_have(s->blobs, &r->outputs[i].digest, NULL))
            return err_set(err, ERR_NOT_FOUND,
                           "output \"%s\": blob %s is not stored; upload it first",
                           r->outputs[i].name, digest_hex(&r->outputs[i].digest, hex));
    }
    stmt_u64(st, ":job", job);
    return stmt_run(st, err);
}

/* Compare R's outputs with those that JOB has. *RET_KNOWN: it has some. Differences are told in
 * TEXT. */
static int compare_outputs(struct store *s, uint64_t job, const struct store_result *r,
                           size_t *ret_known, struct buf *text, struct err *err)
{
    struct stmt *st = USE(s, JOB_OUTPUTS);
    int rc;

    *ret_known = 0;
    stmt_u64(st, ":job", job);
    while ((rc = stmt_step(st, err)) > 0) {
        const char *name = stmt_col_text(st, 0);
        struct digest have = stmt_col_digest(st, 1);
        const struct store_output *o = NULL;
        char hex[2][DIGEST_HEX];

        (*ret_known)++;
        for (size_t i = 0; i < r->outputs_len; i++) {
            if (strcmp(r->outputs[i].name, name) == 0)
                o = &r->outputs[i];
        }
        if (!o)
            buf_printf(text, "%soutput \"%s\" is missing", text->len ? "; " : "", name);
        else if (!digest_equal(&have, &o->digest))
            buf_printf(text, "%soutput \"%s\": committed %s, now %s", text->len ? "; " : "", name,
                       digest_hex(&have, hex[0]), digest_hex(&o->digest, hex[1]));
    }
    if (rc == 0 && *ret_known > 0 && r->outputs_len > *ret_known)
        buf_printf(text, "%s%zu outputs more than the committed result", text->len ? "; " : "",
                   r->outputs_len - *ret_known);
    return rc;
}

/* An incident names both attempts' environments, so that people see what differs. */
static int put_incident(struct store *s, const struct attempt_row *row,
                        const struct store_result *r, const struct buf *what, struct err *err)
{
    CLEANUP(buf_release) struct buf text = { 0 };
    struct stmt *st = USE(s, ATTEMPT_ENVIRONMENT);
    int rc;

    buf_printf(&text, "attempt %llu differs from the committed result of attempt %llu: %s",
               (unsigned long long)row->id, (unsigned long long)row->effective, buf_str(what));
    stmt_u64(st, ":id", row->effective);
    rc = stmt_step(st, err);
    if (rc < 0)
        return rc;
    buf_printf(&text, "; environments: committed [%s]", rc > 0 ? stmt_col_text(st, 0) : "");
    st = USE(s, ATTEMPT_ENVIRONMENT);
    stmt_u64(st, ":id", row->id);
    rc = stmt_step(st, err);
    if (rc < 0)
        return rc;
    buf_printf(&text, ", now [%s]",
               r->environment ? r->environment
               : rc > 0       ? stmt_col_text(st, 0)
                              : "");
    stmt_reset(st);
    return store_event(s, "incident", row->job, row->id, buf_str(&text), err);
}

/* A kind whose results are not pure is never compared: what it made first counts, or, made again
 * because that was thrown away, what it made last. */
static bool is_compared(const struct attempt_row *row, const struct store_result *r)
{
    return r->compares == NULL || r->compares(row->kind);
}

/* A result of a job that has one. */
static int repeat(struct store *s, const struct attempt_row *row, const struct store_result *r,
                  enum store_verdict *ret, struct err *err)
{
    CLEANUP(buf_release) struct buf text = { 0 };
    const char *compared;
    struct stmt *st;
    size_t known;
    int rc = compare_outputs(s, row->job, r, &known, &text, err);

    if (rc < 0)
        return rc;
    const bool judged = is_compared(row, r);
    if (!judged)
        buf_clear(&text);
    *ret = text.len ? STORE_INCIDENT : STORE_REPEATED;
    compared = text.len ? "DIFFERENT" : judged ? "SAME" : NULL;
    if (text.len)
        rc = put_incident(s, row, r, &text, err);
    if (rc < 0)
        return rc;
    if (row->outcome == STORE_RUNNING)
        return attempt_close(s, r, compared, err);
    st = USE(s, ATTEMPT_REPEAT);
    stmt_u64(st, ":id", row->id);
    stmt_text(st, ":compared", row->id == row->effective && !text.len ? NULL : compared);
    return stmt_run(st, err);
}

/* Counters of the jobs that need JOB fall; those at zero become READY. */
static int release_dependents(struct store *s, uint64_t job, struct store_ids *ready,
                              struct err *err)
{
    struct store_ids ids = { 0 };
    struct stmt *st = USE(s, DEPENDENTS);
    int rc;

    stmt_u64(st, ":job", job);
    while ((rc = stmt_step(st, err)) > 0)
        store_ids_add(&ids, stmt_col_u64(st, 0));
    for (size_t i = 0; rc == 0 && i < ids.len; i++) {
        bool now_ready;

        st = USE(s, JOB_FALL);
        stmt_u64(st, ":id", ids.v[i]);
        rc = stmt_step(st, err);
        if (rc <= 0)
            continue;
        now_ready = strcmp(stmt_col_text(st, 0), "READY") == 0;
        rc = stmt_run(st, err);
        if (rc == 0 && now_ready && ready)
            store_ids_add(ready, ids.v[i]);
    }
    store_ids_release(&ids);
    return rc == 0 ? gate_fall(s, job, ready, err) : rc;
}

/* A rung's survivors go on. A select step's paths are an output like any. */
static int decide(struct store *s, const struct attempt_row *row, const struct store_result *r,
                  struct store_ids *ready, struct err *err)
{
    for (size_t i = 0; i < r->outputs_len; i++) {
        if (strcmp(r->outputs[i].name, "survivors") == 0)
            return select_decide(s, row->job, &r->outputs[i].digest, ready, err);
        if (strcmp(r->outputs[i].name, "paths") == 0)
            return 0;
    }
    return err_set(err, ERR_INVALID, "a select job without the output \"survivors\" or \"paths\"");
}

/* A job that was to make its lost output again made another one: nobody may build on either. */
static int fail_job(struct store *s, uint64_t job, struct err *err)
{
    struct stmt *st = USE(s, JOB_STATE);
    int rc;

    stmt_u64(st, ":id", job);
    stmt_text(st, ":state", "FAILED");
    rc = stmt_run(st, err);
    return rc == 0 ? skip_behind(s, job, NULL, NULL, err) : rc;
}

/* How long jobs of its shape take. */
static int learn(struct store *s, const struct attempt_row *row, const struct store_result *r,
                 struct err *err)
{
    const uint64_t us = r->wall_us ? r->wall_us : 1000 * MIN(r->wall_ms, UINT64_MAX / 1000);

    return us > 0 ? shape_result(s, row->shape, us, err) : 0;
}

/* The committed result. A job that ran before and runs again because its output was thrown away
 * must make the same. */
static int commit_result(struct store *s, const struct attempt_row *row,
                         const struct store_result *r, enum store_verdict *ret,
                         struct store_ids *ready, struct err *err)
{
    CLEANUP(buf_release) struct buf text = { 0 };
    struct stmt *st;
    size_t known;
    int rc = check_shard(s, row, err);

    *ret = STORE_STORED;
    if (rc == 0)
        rc = compare_outputs(s, row->job, r, &known, &text, err);
    const bool judged = is_compared(row, r);
    if (!judged)
        buf_clear(&text);
    if (rc == 0 && text.len) {
        *ret = STORE_INCIDENT;
        rc = put_incident(s, row, r, &text, err);
    }
    for (size_t i = 0; rc == 0 && (known == 0 || !judged) && i < r->outputs_len; i++)
        rc = put_output(s, row->job, &r->outputs[i], err);
    if (rc == 0 && known > 0 && *ret == STORE_STORED)
        rc = take_back(s, row->job, r, err);
    if (rc == 0)
        rc = attempt_close(s, r,
                           known == 0 || !judged ? NULL
                           : text.len            ? "DIFFERENT"
                                                 : "SAME",
                           err);
    if (rc == 0 && *ret == STORE_INCIDENT)
        return fail_job(s, row->job, err);
    if (rc < 0)
        return rc;
    st = USE(s, JOB_COMMIT);
    stmt_u64(st, ":id", row->job);
    stmt_u64(st, ":attempt", row->id);
    stmt_int(st, ":diverged", r->outcome == STORE_DIVERGED);
    stmt_int(st, ":epoch", row->epoch);
    rc = stmt_run(st, err);
    if (rc == 0)
        rc = learn(s, row, r, err);
    if (rc == 0 && row->end > row->begin && r->outcome == STORE_DONE)
        rc = summary_advance(s, row->family, err);
    if (rc < 0)
        return rc;
    if (r->outcome == STORE_DIVERGED && r->outputs_len == 0)
        return skip_behind(s, row->job, ready, NULL, err);
    rc = row->needed ? release_dependents(s, row->job, ready, err) : 0;
    return rc == 0 && strcmp(row->kind, "select") == 0 ? decide(s, row, r, ready, err) : rc;
}

static int done(struct store *s, const struct store_result *r, enum store_verdict *ret,
                struct store_ids *ready, struct err *err)
{
    struct attempt_row row;
    int rc = attempt_take(s, r, &row, err);

    if (rc < 0)
        return rc;
    if (strcmp(row.state, "DONE") == 0)
        return repeat(s, &row, r, ret, err);
    if (r->late)
        return err_set(err, ERR_STALE, "attempt %llu is over, and its job has no result to compare",
                       (unsigned long long)r->attempt);
    return commit_result(s, &row, r, ret, ready, err);
}

int store_job_done(struct store *s, const struct store_result *r, enum store_verdict *ret,
                   struct store_ids *ready, struct err *err)
{
    bool taken = false;
    int rc = item_check(s, err);

    if (rc < 0)
        return rc;
    if (r->outcome != STORE_DONE && r->outcome != STORE_DIVERGED)
        return err_set(err, ERR_INVALID, "outcome %s is no result", store_outcome_name(r->outcome));
    rc = plain_take(s, r, &taken, err);
    *ret = STORE_STORED;
    if (rc < 0 || taken)
        return rc;
    rc = item_begin(s, err);
    return rc < 0 ? rc : item_end(s, done(s, r, ret, ready, err), err);
}
