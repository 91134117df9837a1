/* SPDX-License-Identifier: Apache-2.0 */
/* attempt.c - attempts: opened, looked up, ended (work.h). */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "store/attempt.h"
#include "store/checkpoint_private.h"

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

static int start(struct store *s, uint64_t job, uint64_t worker, uint64_t *ret_attempt,
                 uint32_t *ret_epoch, struct err *err)
{
    struct stmt *st = USE(s, JOB_EPOCH_NEXT);
    int64_t epoch = 0, id = 0;
    int rc;

    stmt_u64(st, ":id", job);
    rc = stmt_get(st, &epoch, err);
    if (rc < 0)
        return rc == ERR_NOT_FOUND ? err_set(err, rc, "no job %llu", (unsigned long long)job) : rc;
    st = USE(s, ATTEMPT_PUT);
    stmt_u64(st, ":job", job);
    stmt_int(st, ":epoch", epoch);
    stmt_u64(st, ":worker", worker);
    stmt_u64(st, ":incarnation", s->incarnation);
    stmt_int(st, ":now", store_now());
    rc = stmt_get(st, &id, err);
    *ret_attempt = (uint64_t)id;
    *ret_epoch = (uint32_t)epoch;
    return rc == 0 ? checkpoint_resume(s, job, (uint64_t)id, err) : rc;
}

int store_attempt_start(struct store *s, uint64_t job, uint64_t worker, uint64_t *ret_attempt,
                        uint32_t *ret_epoch, struct err *err)
{
    int rc = item_begin(s, err);

    return rc < 0 ? rc : item_end(s, start(s, job, worker, ret_attempt, ret_epoch, err), err);
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
        .job_epoch = (uint32_t)stmt_col(st, 6),
        .effective = stmt_col_u64(st, 7),
        .begin = stmt_col_u64(st, 8),
        .end = stmt_col_u64(st, 9),
        .family = stmt_col_u64(st, 10),
    };
    stmt_copy_text(st, 5, ret->state, sizeof ret->state);
    stmt_copy_text(st, 11, ret->kind, sizeof ret->kind);
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

static int spend(struct store *s, uint64_t job, enum store_outcome outcome, struct err *err)
{
    bool own = outcome == STORE_FAILED || outcome == STORE_OOM || outcome == STORE_TIMEOUT;
    bool loss = outcome == STORE_LOST || outcome == STORE_PREEMPTED;
    struct stmt *st = USE(s, JOB_SPEND);

    stmt_u64(st, ":id", job);
    stmt_int(st, ":tries", own);
    stmt_int(st, ":losses", loss);
    return stmt_run(st, err);
}

static int end_attempt(struct store *s, const struct store_result *r, bool final,
                       uint32_t *ret_skipped, struct err *err)
{
    struct attempt_row row;
    int rc = attempt_load_live(s, r->attempt, r->epoch, &row, err);

    if (rc < 0)
        return rc;
    if (row.outcome == STORE_RUNNING) {
        rc = attempt_close(s, r, NULL, err);
        if (rc == 0)
            rc = spend(s, row.job, r->outcome, err);
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
