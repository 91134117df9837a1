/* SPDX-License-Identifier: Apache-2.0 */
/* attempt.c - attempts: opened, looked up, ended (work.h). */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "store/attempt.h"
#include "store/checkpoint_private.h"
#include "store/shape.h"

#define OUTCOME_WORD(NAME, NUMBER) [NUMBER] = #NAME,
static const char *const outcomes[STORE_OUTCOMES_LEN + 1] = { STORE_OUTCOMES(OUTCOME_WORD) };
#undef OUTCOME_WORD

/* The end of a log that is kept. */
enum { LOG_KEEP_BYTES = 64 * 1024 };

const char *store_outcome_name(enum store_outcome o)
{
    return o >= 0 && o < STORE_OUTCOMES_LEN ? outcomes[o] : "RUNNING";
}

static enum store_outcome outcome_of(const char *word)
{
    for (int i = 0; i < STORE_OUTCOMES_LEN; i++) {
        if (strcmp(word, outcomes[i]) == 0)
            return (enum store_outcome)i;
    }
    return STORE_RUNNING;
}

/* ---- numbers ---- */

int store_attempts_next(struct store *s, uint64_t *ret, struct err *err)
{
    int64_t next = 0;
    int rc = stmt_get(USE(s, ATTEMPTS_NEXT), &next, err);

    *ret = (uint64_t)next;
    return rc;
}

int store_attempts_reserve(struct store *s, uint64_t upto, struct err *err)
{
    struct stmt *st;
    int rc = item_check(s, err);

    if (rc < 0)
        return rc;
    st = USE(s, ATTEMPTS_RESERVE);
    stmt_u64(st, ":upto", upto);
    return stmt_run(st, err);
}

/* ---- beginning ---- */

/* Its row, with the job's epoch. The job had attempts before: one may have left a checkpoint. */
static int put_begun(struct store *s, const struct store_begun *b, uint32_t epoch_before,
                     struct err *err)
{
    struct stmt *st = USE(s, ATTEMPT_PUT);
    int rc;

    stmt_u64(st, ":id", b->attempt);
    stmt_u64(st, ":job", b->job);
    stmt_int(st, ":epoch", b->epoch);
    stmt_u64(st, ":worker", b->worker);
    stmt_u64(st, ":incarnation", s->incarnation);
    stmt_int(st, ":started", b->started_ms ? b->started_ms : store_now());
    rc = stmt_run(st, err);
    if (rc < 0)
        return rc;
    st = USE(s, JOB_EPOCH);
    stmt_u64(st, ":id", b->job);
    stmt_int(st, ":epoch", b->epoch);
    rc = stmt_run(st, err);
    return rc == 0 && epoch_before > 0 ? checkpoint_resume(s, b->job, b->attempt, err) : rc;
}

static int epoch_taken(struct store *s, const struct store_begun *b, struct err *err)
{
    struct stmt *st = USE(s, ATTEMPT_OF_EPOCH);
    int64_t other = 0;
    int rc;

    stmt_u64(st, ":job", b->job);
    stmt_int(st, ":epoch", b->epoch);
    rc = stmt_get(st, &other, NULL);
    if (rc == ERR_NOT_FOUND)
        return 0;
    return rc < 0 ? err_set(err, (enum err_code)rc, "the attempts of job %llu cannot be read",
                            (unsigned long long)b->job)
                  : err_set(err, ERR_CONFLICT, "epoch %u of job %llu is attempt %lld, not %llu",
                            b->epoch, (unsigned long long)b->job, (long long)other,
                            (unsigned long long)b->attempt);
}

static int begin(struct store *s, const struct store_begun *b, struct err *err)
{
    struct attempt_row row;
    int rc = attempt_load(s, b->attempt, &row, NULL);

    if (rc == 0) {
        if (row.job == b->job && row.epoch == b->epoch)
            return 0;
        return err_set(err, ERR_CONFLICT, "attempt %llu is of job %llu, epoch %u",
                       (unsigned long long)b->attempt, (unsigned long long)row.job, row.epoch);
    }
    rc = attempt_load_job(s, b, &row, err);
    if (rc == ERR_STALE)
        return err_set(err, ERR_NOT_FOUND, "no job %llu", (unsigned long long)b->job);
    if (rc == 0)
        rc = epoch_taken(s, b, err);
    return rc == 0 ? put_begun(s, b, row.job_epoch, err) : rc;
}

int store_attempt_begin(struct store *s, const struct store_begun *b, struct err *err)
{
    int rc = item_check(s, err); /* what may be wrong is found before the first write */

    return rc < 0 ? rc : begin(s, b, err);
}

int store_attempt_start(struct store *s, uint64_t job, uint64_t worker, uint64_t *ret_attempt,
                        uint32_t *ret_epoch, struct err *err)
{
    struct store_begun b = { .job = job, .worker = worker };
    struct attempt_row row;
    int rc = item_check(s, err);

    if (rc == 0)
        rc = store_attempts_next(s, &b.attempt, err);
    if (rc == 0)
        rc = attempt_load_job(s, &b, &row, err);
    if (rc == ERR_STALE)
        return err_set(err, ERR_NOT_FOUND, "no job %llu", (unsigned long long)job);
    if (rc < 0)
        return rc;
    b.epoch = row.job_epoch + 1;
    *ret_attempt = b.attempt;
    *ret_epoch = b.epoch;
    return put_begun(s, &b, row.job_epoch, err);
}

/* ---- looking ---- */

static uint64_t shape_of(const struct stmt *st, const struct attempt_row *row)
{
    size_t len;

    return shape_hash(&(struct shape_of){
        .experiment = stmt_col_u64(st, 16),
        .units = row->end > row->begin ? row->end - row->begin : 1,
        .kind_version = (uint32_t)stmt_col(st, 15),
        .kind = row->kind,
        .numeric_class = stmt_col_text_len(st, 14, &len),
        .step = stmt_col_text_len(st, 13, &len),
    });
}

/* What attempt_get and attempt_job have in common. */
static void take_job(const struct stmt *st, struct attempt_row *ret)
{
    stmt_copy_text(st, 5, ret->state, sizeof ret->state);
    ret->job_epoch = (uint32_t)stmt_col(st, 6);
    ret->effective = stmt_col_u64(st, 7);
    ret->begin = stmt_col_u64(st, 8);
    ret->end = stmt_col_u64(st, 9);
    ret->family = stmt_col_u64(st, 10);
    stmt_copy_text(st, 11, ret->kind, sizeof ret->kind);
    ret->needed = stmt_col(st, 12) != 0;
    ret->shape = shape_of(st, ret);
    ret->diverged = stmt_col(st, 17) != 0;
}

int attempt_load_job(struct store *s, const struct store_begun *b, struct attempt_row *ret,
                     struct err *err)
{
    struct stmt *st = USE(s, ATTEMPT_JOB);
    int rc;

    stmt_u64(st, ":id", b->job);
    rc = stmt_step(st, err);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return err_set(err, ERR_STALE, "no job %llu in this store", (unsigned long long)b->job);
    *ret = (struct attempt_row){
        .id = b->attempt,
        .job = b->job,
        .worker = b->worker,
        .incarnation = s->incarnation,
        .epoch = b->epoch,
        .outcome = STORE_RUNNING,
    };
    take_job(st, ret);
    stmt_reset(st);
    return 0;
}

int attempt_load_begun(struct store *s, const struct store_begun *b, struct attempt_row *ret,
                       bool *ret_row, struct err *err)
{
    int rc = attempt_load(s, b->attempt, ret, NULL);

    *ret_row = rc == 0;
    if (rc == ERR_NOT_FOUND)
        return attempt_load_job(s, b, ret, err);
    if (rc < 0)
        return err_set(err, (enum err_code)rc, "attempt %llu cannot be read",
                       (unsigned long long)b->attempt);
    if (ret->epoch != b->epoch || ret->job != b->job)
        return err_set(err, ERR_STALE, "attempt %llu is of job %llu, epoch %u",
                       (unsigned long long)b->attempt, (unsigned long long)ret->job, ret->epoch);
    return 0;
}

int attempt_load(struct store *s, uint64_t attempt, struct attempt_row *ret, struct err *err)
{
    struct stmt *st = USE(s, ATTEMPT_GET);
    int rc;

    stmt_u64(st, ":id", attempt);
    rc = stmt_step(st, err);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return err_set(err, ERR_NOT_FOUND, "no attempt %llu", (unsigned long long)attempt);
    *ret = (struct attempt_row){
        .id = attempt,
        .job = stmt_col_u64(st, 0),
        .worker = stmt_col_u64(st, 1),
        .incarnation = stmt_col_u64(st, 2),
        .epoch = (uint32_t)stmt_col(st, 3),
        .outcome = outcome_of(stmt_col_text(st, 4)),
    };
    take_job(st, ret);
    stmt_reset(st);
    return 0;
}

int attempt_load_live(struct store *s, uint64_t attempt, uint32_t epoch, struct attempt_row *ret,
                      struct err *err)
{
    int rc = attempt_load(s, attempt, ret, err);

    if (rc == ERR_NOT_FOUND)
        return err_set(err, ERR_STALE, "no attempt %llu in this store",
                       (unsigned long long)attempt);
    if (rc == 0 && ret->epoch != epoch)
        return err_set(err, ERR_STALE, "attempt %llu has epoch %u, not %u",
                       (unsigned long long)attempt, ret->epoch, epoch);
    return rc;
}

int store_attempt_find(struct store *s, uint64_t attempt, struct store_attempt *ret,
                       struct err *err)
{
    struct attempt_row row;
    int rc = attempt_load(s, attempt, &row, err);

    if (rc < 0)
        return rc;
    *ret = (struct store_attempt){
        .attempt = attempt,
        .job = row.job,
        .worker = row.worker,
        .incarnation = row.incarnation,
        .epoch = row.epoch,
        .outcome = row.outcome,
        .job_open = strcmp(row.state, "READY") == 0,
        .latest = row.epoch == row.job_epoch,
    };
    return 0;
}

int store_list_open(struct store *s, struct store_attempt **ret, size_t *ret_len, struct err *err)
{
    struct stmt *st = USE(s, ATTEMPTS_OPEN);
    struct store_attempt *list = NULL;
    size_t n = 0;
    int rc;

    while ((rc = stmt_step(st, err)) > 0) {
        list = mem_realloc(list, n + 1, sizeof *list);
        list[n++] = (struct store_attempt){
            .attempt = stmt_col_u64(st, 0),
            .job = stmt_col_u64(st, 1),
            .worker = stmt_col_u64(st, 2),
            .incarnation = stmt_col_u64(st, 3),
            .epoch = (uint32_t)stmt_col(st, 4),
            .outcome = STORE_RUNNING,
            .job_open = stmt_col(st, 5) != 0,
            .latest = stmt_col(st, 6) != 0,
        };
    }
    if (rc < 0) {
        free(list);
        return rc;
    }
    *ret = list;
    *ret_len = n;
    return 0;
}

static int put_log(struct store *s, uint64_t attempt, const char *log, struct err *err)
{
    struct stmt *st = USE(s, LOG_PUT);
    size_t len = strlen(log);

    stmt_u64(st, ":attempt", attempt);
    stmt_text(st, ":text", len > LOG_KEEP_BYTES ? log + (len - LOG_KEEP_BYTES) : log);
    return stmt_run(st, err);
}

int attempt_close(struct store *s, const struct store_result *r, const char *compared,
                  struct err *err)
{
    struct stmt *st = USE(s, ATTEMPT_CLOSE);
    int rc;

    stmt_u64(st, ":id", r->attempt);
    stmt_text(st, ":outcome", store_outcome_name(r->outcome));
    stmt_int(st, ":now", store_now());
    stmt_u64(st, ":wall_ms", r->wall_ms);
    stmt_u64(st, ":cpu_ms", r->cpu_ms);
    stmt_text(st, ":text", r->text);
    stmt_text(st, ":environment", r->environment);
    stmt_text(st, ":compared", compared);
    rc = stmt_run(st, err);
    if (rc == 0 && r->log && r->log[0])
        rc = put_log(s, r->attempt, r->log, err);
    if (rc == 0 && r->metrics_len > 0)
        rc = store_metrics(s, r->attempt, r->metrics, r->metrics_len, err);
    return rc;
}

static int spend(struct store *s, uint64_t job, const struct store_result *r, struct err *err)
{
    enum store_outcome outcome = r->outcome;
    bool own = outcome == STORE_FAILED || outcome == STORE_OOM || outcome == STORE_TIMEOUT;
    bool loss = outcome == STORE_LOST && !r->blameless;
    struct stmt *st = USE(s, JOB_SPEND);

    stmt_u64(st, ":id", job);
    stmt_int(st, ":tries", own);
    stmt_int(st, ":losses", loss);
    return stmt_run(st, err);
}

int attempt_take(struct store *s, const struct store_result *r, struct attempt_row *ret,
                 struct err *err)
{
    bool there;
    int rc;

    if (!r->begun)
        return attempt_load_live(s, r->attempt, r->epoch, ret, err);
    assert(r->begun->attempt == r->attempt && r->begun->epoch == r->epoch);
    rc = attempt_load_begun(s, r->begun, ret, &there, err);
    if (rc == 0 && !there)
        rc = begin(s, r->begun, err);
    return rc == ERR_CONFLICT ? err_wrap(err, ERR_STALE, "a result of an attempt that cannot be")
                              : rc;
}

static int end_attempt(struct store *s, const struct store_result *r, bool final,
                       uint32_t *ret_skipped, struct err *err)
{
    struct attempt_row row;
    int rc = attempt_take(s, r, &row, err);

    if (rc < 0)
        return rc;
    if (row.outcome == STORE_RUNNING) {
        rc = attempt_close(s, r, NULL, err);
        if (rc == 0)
            rc = spend(s, row.job, r, err);
        if (rc == 0 && r->outcome != STORE_CANCELLED)
            rc = store_event(s, store_outcome_name(r->outcome), row.job, r->attempt,
                             r->text ? r->text : "", err);
    }
    if (rc == 0 && final && strcmp(row.state, "READY") == 0) {
        struct stmt *st = USE(s, JOB_STATE);

        stmt_u64(st, ":id", row.job);
        stmt_text(st, ":state", "FAILED");
        rc = stmt_run(st, err);
        if (rc == 0)
            rc = skip_behind(s, row.job, NULL, ret_skipped, err);
    }
    return rc;
}

int store_attempt_end(struct store *s, const struct store_result *r, bool final,
                      uint32_t *ret_skipped, struct err *err)
{
    int rc = item_begin(s, err);

    if (ret_skipped)
        *ret_skipped = 0;
    return rc < 0 ? rc : item_end(s, end_attempt(s, r, final, ret_skipped, err), err);
}
