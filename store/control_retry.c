/* SPDX-License-Identifier: Apache-2.0 */
/* control_retry.c - another try for what failed, with what it needs and what waits behind it
 * (control.h). */
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "store/control.h"
#include "store/control_private.h"
#include "store/store_private.h"

struct member {
    uint64_t job;
    UT_hash_handle hh;
};
/* Jobs in the order in which they were found. */
struct set {
    struct member *all;
};

static void set_release(struct set *set)
{
    struct member *m, *tmp;

    HASH_ITER(hh, set->all, m, tmp)
    {
        HASH_DEL(set->all, m);
        free(m);
    }
}

static void set_add(struct set *set, uint64_t job)
{
    struct member *m;

    HASH_FIND(hh, set->all, &job, sizeof(job), m);
    if (m)
        return;
    m = mem_calloc(1, sizeof(*m));
    m->job = job;
    HASH_ADD(hh, set->all, job, sizeof(m->job), m);
}

/* The first column of the rows of ST. */
static int add_rows(struct set *set, struct stmt *st, struct err *err)
{
    int rc;

    while ((rc = stmt_step(st, err)) > 0)
        set_add(set, stmt_col_u64(st, 0));
    return rc;
}

static int check_step(struct store *s, uint64_t experiment, const char *step, struct err *err)
{
    enum { STEPS_MAX = 1000 };
    struct stmt *st = USE(s, CONTROL_STEPS);
    char *names[STEPS_MAX + 1] = { NULL };
    const char *near;
    bool found = false;
    size_t n = 0;
    int rc;

    stmt_u64(st, ":experiment", experiment);
    while ((rc = stmt_step(st, err)) > 0) {
        found |= strcmp(stmt_col_text(st, 0), step) == 0;
        if (n < STEPS_MAX)
            names[n++] = mem_strdup(stmt_col_text(st, 0));
    }
    near = nearest_find(step, (const char *const *)names);
    if (rc == 0 && !found)
        rc = near ? err_set(err, ERR_NOT_FOUND, "no step \"%.100s\"; did you mean \"%s\"?", step,
                            near)
                  : err_set(err, ERR_NOT_FOUND, "no step \"%.100s\"; there %s \"%s\"%s%s", step,
                            n > 1 ? "are" : "is", n > 0 ? names[0] : "", n > 1 ? ", " : "",
                            n > 1 ? names[1] : "");
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    return rc;
}

/* An experiment that was cancelled wants its jobs again. */
static int revive(struct store *s, uint64_t experiment, struct err *err)
{
    struct stmt *st = USE(s, CONTROL_GET);
    bool cancelled;
    int rc;

    stmt_u64(st, ":experiment", experiment);
    rc = stmt_step(st, err);
    if (rc <= 0)
        return rc;
    cancelled = stmt_col(st, 3) != 0;
    stmt_reset(st);
    if (!cancelled)
        return 0;
    st = USE(s, CONTROL_REVIVE);
    stmt_u64(st, ":experiment", experiment);
    rc = stmt_run(st, err);
    if (rc < 0)
        return rc;
    st = USE(s, CONTROL_NOT_CANCELLED);
    stmt_u64(st, ":experiment", experiment);
    return stmt_run(st, err);
}

static int select_all(struct store *s, uint64_t experiment, const char *step, struct set *set,
                      struct err *err)
{
    struct stmt *st;
    int rc = step ? check_step(s, experiment, step, err) : 0;

    if (rc == 0)
        rc = revive(s, experiment, err);
    if (rc < 0)
        return rc;
    st = USE(s, CONTROL_ENDED);
    stmt_u64(st, ":experiment", experiment);
    stmt_text(st, ":step", step);
    return add_rows(set, st, err);
}

static int select_job(struct store *s, const char *text, struct set *set, struct err *err)
{
    struct stmt *st;
    uint64_t job;
    char state[16];
    bool wanted;
    int rc = store_find_job_text(s, text, &job, err);

    if (rc < 0)
        return rc;
    st = USE(s, CONTROL_JOB);
    stmt_u64(st, ":job", job);
    rc = stmt_step(st, err);
    if (rc <= 0)
        return rc;
    stmt_copy_text(st, 0, state, sizeof(state));
    wanted = stmt_col(st, 9) != 0;
    stmt_reset(st);
    if (strcmp(state, "DONE") == 0)
        return err_set(err, ERR_INVALID,
                       "job j%llu is done; `drover replay` runs a job again and compares",
                       (unsigned long long)job);
    if (strcmp(state, "READY") == 0 || strcmp(state, "WAITING") == 0)
        return err_set(err, ERR_INVALID,
                       "job j%llu is %s: it has not failed; `drover why j%llu` tells what it "
                       "waits for",
                       (unsigned long long)job, state, (unsigned long long)job);
    if (!wanted)
        return err_set(err, ERR_INVALID,
                       "no run wants job j%llu any more: its experiment was cancelled (retry that) "
                       "or submitted without it, or halving sorted it out",
                       (unsigned long long)job);
    set_add(set, job);
    return 0;
}

/* Everything that SET's jobs need and that ended without a result, and everything behind them. The
 * set grows at its end while it is walked. */
static int close_set(struct store *s, struct set *set, enum stmt_id statement, struct err *err)
{
    int rc = 0;

    for (struct member *m = set->all; m && rc == 0; m = m->hh.next) {
        struct stmt *st = store_use(s, statement);

        stmt_u64(st, ":job", m->job);
        rc = add_rows(set, st, err);
    }
    return rc;
}

/* Put JOB back; FIRST: only so that it does not count as ended when the others are looked at. */
static int settle(struct store *s, uint64_t job, bool first, struct err *err)
{
    struct stmt *st = USE(s, CONTROL_JOB);
    uint32_t retries;
    int32_t priority;
    int rc;

    stmt_u64(st, ":job", job);
    rc = stmt_step(st, err);
    if (rc <= 0)
        return rc;
    priority = (int32_t)stmt_col(st, 1);
    retries = (uint32_t)stmt_col(st, 3);
    stmt_reset(st);
    if (first) {
        st = USE(s, JOB_STATE);
        stmt_text(st, ":state", "WAITING");
        stmt_u64(st, ":id", job);
        return stmt_run(st, err);
    }
    rc = job_settle(s, job, priority, retries, err);
    if (rc < 0)
        return rc;
    st = USE(s, CONTROL_REFRESH_JOB);
    stmt_u64(st, ":job", job);
    return stmt_run(st, err);
}

/* What settles as SKIPPED (behind a diverged job) takes with it what is behind. */
static int skip_again(struct store *s, const struct set *set, uint32_t *ret_back, struct err *err)
{
    int rc = 0;

    *ret_back = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (struct member *m = set->all; m && rc == 0; m = m->hh.next) {
            struct stmt *st = USE(s, CONTROL_JOB);
            bool skipped;

            stmt_u64(st, ":job", m->job);
            rc = stmt_step(st, err);
            if (rc <= 0)
                continue;
            skipped = strcmp(stmt_col_text(st, 0), "SKIPPED") == 0;
            stmt_reset(st);
            rc = skipped && pass == 0 ? skip_behind(s, m->job, NULL, NULL, err) : 0;
            *ret_back += !skipped && pass == 1;
        }
    }
    return rc;
}

/* Jobs that wait and need one of SET count anew: for a select job a failed need was a met one. */
static int recount_waiting(struct store *s, const struct set *set, struct err *err)
{
    CLEANUP(set_release) struct set waiting = { 0 };
    int rc = 0;

    for (struct member *m = set->all; m && rc == 0; m = m->hh.next) {
        struct stmt *st = USE(s, CONTROL_WAITING_BEHIND);

        stmt_u64(st, ":job", m->job);
        rc = add_rows(&waiting, st, err);
    }
    for (struct member *m = waiting.all; m && rc == 0; m = m->hh.next) {
        struct member *known;

        HASH_FIND(hh, set->all, &m->job, sizeof(m->job), known);
        if (!known)
            rc = settle(s, m->job, false, err);
    }
    return rc;
}

int control_retry(struct store *s, uint64_t experiment, const char *step, const char *job,
                  uint32_t *ret_jobs, struct err *err)
{
    CLEANUP(set_release) struct set set = { 0 };
    int rc = job && job[0] ? select_job(s, job, &set, err)
                           : select_all(s, experiment, step && step[0] ? step : NULL, &set, err);

    if (rc == 0)
        rc = close_set(s, &set, STMT_CONTROL_NEEDS_ENDED, err);
    if (rc == 0)
        rc = close_set(s, &set, STMT_CONTROL_BEHIND, err);
    for (int pass = 0; pass < 2; pass++) {
        for (struct member *m = set.all; m && rc == 0; m = m->hh.next)
            rc = settle(s, m->job, pass == 0, err);
    }
    if (rc == 0)
        rc = recount_waiting(s, &set, err);
    if (rc == 0)
        rc = skip_again(s, &set, ret_jobs, err);
    return rc;
}
