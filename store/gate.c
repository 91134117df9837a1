/* SPDX-License-Identifier: Apache-2.0 */
#include "store/gate.h"

#include <string.h>

/* What the claims of a job say. */
enum claims {
    CLAIMS_HOLD,  /* one holds, or there are no gates */
    CLAIMS_WAIT,  /* the live ones wait for decisions */
    CLAIMS_TAKEN, /* decisions or a failed select job took them */
};

static int look_at_claims(struct store *s, uint64_t job, enum claims *ret, struct err *err)
{
    struct stmt *st = USE(s, JOB_GATED);
    int64_t gated = 0;
    int rc;

    *ret = CLAIMS_HOLD;
    stmt_u64(st, ":job", job);
    rc = stmt_get(st, &gated, err);
    if (rc < 0 || !gated)
        return rc;
    st = USE(s, JOB_CLAIMS);
    stmt_u64(st, ":job", job);
    rc = stmt_step(st, err);
    if (rc <= 0)
        return rc;
    const int64_t hold = stmt_col(st, 0), wait = stmt_col(st, 1);
    const int64_t stuck = stmt_col(st, 2), refused = stmt_col(st, 3);
    stmt_reset(st);
    if (hold == 0 && wait > 0)
        *ret = CLAIMS_WAIT;
    else if (hold == 0 && stuck + refused > 0)
        *ret = CLAIMS_TAKEN;
    return 0;
}

static int where(struct store *s, uint64_t job, const char **ret_state, int64_t *ret_waiting,
                 struct err *err)
{
    struct stmt *st = USE(s, JOB_UNMET);
    enum claims claims;
    int rc;

    stmt_u64(st, ":job", job);
    rc = stmt_step(st, err);
    if (rc < 0)
        return rc;
    *ret_waiting = stmt_col(st, 0);
    const bool never = stmt_col(st, 1) != 0;
    stmt_reset(st);
    rc = look_at_claims(s, job, &claims, err);
    if (rc < 0)
        return rc;
    *ret_waiting += claims == CLAIMS_WAIT;
    if (never || claims == CLAIMS_TAKEN)
        *ret_state = "SKIPPED";
    else
        *ret_state = *ret_waiting > 0 ? "WAITING" : "READY";
    return 0;
}

int gate_restart(struct store *s, uint64_t job, int32_t priority, uint32_t retries,
                 const char **ret_state, struct err *err)
{
    int64_t waiting = 0;
    int rc = 0;

    if (strcmp(*ret_state, "READY") != 0)
        rc = where(s, job, ret_state, &waiting, err);
    if (rc < 0)
        return rc;
    struct stmt *st = USE(s, JOB_RESTART);
    stmt_u64(st, ":id", job);
    stmt_text(st, ":state", *ret_state);
    stmt_int(st, ":waiting", waiting);
    stmt_int(st, ":priority", priority);
    stmt_int(st, ":retries", retries);
    return stmt_run(st, err);
}

int job_settle(struct store *s, uint64_t job, int32_t priority, uint32_t retries, struct err *err)
{
    const char *state = "";

    return gate_restart(s, job, priority, retries, &state, err);
}

int gate_settle(struct store *s, uint64_t job, const char *state, struct store_ids *ready,
                struct err *err)
{
    const char *now;
    int64_t waiting;
    int rc = where(s, job, &now, &waiting, err);

    if (rc < 0)
        return rc;
    struct stmt *st = USE(s, JOB_WAIT);
    stmt_u64(st, ":id", job);
    stmt_text(st, ":state", now);
    stmt_int(st, ":waiting", waiting);
    rc = stmt_run(st, err);
    if (rc < 0 || strcmp(state, now) == 0)
        return rc;
    if (strcmp(now, "READY") == 0 && ready)
        store_ids_add(ready, job);
    return strcmp(now, "SKIPPED") == 0 ? skip_behind(s, job, ready, NULL, err) : 0;
}

int gate_settle_all(struct store *s, uint64_t experiment, struct store_ids *queued, struct err *err)
{
    struct store_ids waiting = { 0 }, were_ready = { 0 }, ready = { 0 };
    struct stmt *st = USE(s, JOBS_GATED);
    int rc;

    stmt_u64(st, ":experiment", experiment);
    while ((rc = stmt_step(st, err)) > 0)
        store_ids_add(strcmp(stmt_col_text(st, 1), "READY") == 0 ? &were_ready : &waiting,
                      stmt_col_u64(st, 0));
    for (size_t i = 0; rc == 0 && i < were_ready.len; i++) {
        ready.len = 0;
        rc = gate_settle(s, were_ready.v[i], "", &ready, err);
        if (rc == 0 && ready.len == 0 && queued)
            store_ids_add(queued, were_ready.v[i]);
    }
    for (size_t i = 0; rc == 0 && i < waiting.len; i++)
        rc = gate_settle(s, waiting.v[i], "WAITING", NULL, err);
    store_ids_release(&waiting);
    store_ids_release(&were_ready);
    store_ids_release(&ready);
    return rc;
}

int gate_fall(struct store *s, uint64_t job, struct store_ids *ready, struct err *err)
{
    struct store_ids selects = { 0 };
    struct stmt *st = USE(s, SELECT_DEPENDENTS);
    int rc;

    stmt_u64(st, ":job", job);
    while ((rc = stmt_step(st, err)) > 0)
        store_ids_add(&selects, stmt_col_u64(st, 0));
    for (size_t i = 0; rc == 0 && i < selects.len; i++) {
        int64_t waiting = 0;

        st = USE(s, SELECT_FALL);
        stmt_u64(st, ":id", selects.v[i]);
        rc = stmt_get(st, &waiting, err);
        if (rc == ERR_NOT_FOUND)
            rc = 0;
        else if (rc == 0 && waiting <= 0) /* what do the needs themselves say? */
            rc = gate_settle(s, selects.v[i], "WAITING", ready, err);
    }
    store_ids_release(&selects);
    return rc;
}

int gate_settle_behind(struct store *s, uint64_t selector, struct store_ids *ready, struct err *err)
{
    struct store_ids ids[3] = { 0 };
    static const char *const states[3] = { "WAITING", "READY", "SKIPPED" };
    struct stmt *st = USE(s, GATED_JOBS);
    int rc;

    stmt_u64(st, ":selector", selector);
    while ((rc = stmt_step(st, err)) > 0)
        for (size_t k = 0; k < ARRAY_LEN(states); k++)
            if (strcmp(stmt_col_text(st, 1), states[k]) == 0)
                store_ids_add(&ids[k], stmt_col_u64(st, 0));
    for (size_t k = 0; k < ARRAY_LEN(states); k++) {
        for (size_t i = 0; rc == 0 && i < ids[k].len; i++)
            rc = gate_settle(s, ids[k].v[i], states[k], ready, err);
        store_ids_release(&ids[k]);
    }
    return rc;
}

int skip_behind(struct store *s, uint64_t job, struct store_ids *ready, uint32_t *ret_count,
                struct err *err)
{
    struct store_ids skipped = { 0 };
    struct stmt *st = USE(s, SKIP_BEHIND);
    int rc;

    stmt_u64(st, ":job", job);
    while ((rc = stmt_step(st, err)) > 0)
        store_ids_add(&skipped, stmt_col_u64(st, 0));
    if (rc == 0)
        rc = gate_fall(s, job, ready, err);
    if (rc == 0)
        rc = gate_settle_behind(s, job, ready, err);
    for (size_t i = 0; rc == 0 && i < skipped.len; i++)
        rc = gate_fall(s, skipped.v[i], ready, err);
    if (ret_count)
        *ret_count = (uint32_t)skipped.len;
    store_ids_release(&skipped);
    return rc;
}

static int put_gates(struct store *s, uint64_t job, const struct store_job_spec *spec,
                     struct err *err)
{
    for (size_t i = 0; i < spec->gates_len; i++) {
        const struct store_gate *g = &spec->gates[i];
        struct stmt *st = USE(s, CANDIDATE_KNOWN);
        int64_t known = 0;
        int rc;

        stmt_u64(st, ":selector", g->by);
        stmt_u64(st, ":run", g->run);
        rc = stmt_get(st, &known, err);
        if (rc < 0)
            return rc;
        if (!known)
            return err_set(err, ERR_INVALID,
                           "job of step %s: run %llu is no candidate of select job %llu",
                           spec->step, (unsigned long long)g->run, (unsigned long long)g->by);
        st = USE(s, GATE_PUT);
        stmt_u64(st, ":run", g->run);
        stmt_u64(st, ":job", job);
        stmt_u64(st, ":selector", g->by);
        rc = stmt_run(st, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* RUN does without STEP: it did not survive the rung before. */
static int without_step(struct store *s, uint64_t run, const char *step, struct err *err)
{
    struct stmt *st = USE(s, FAMILY_SHUT);

    stmt_u64(st, ":run", run);
    stmt_text(st, ":step", step);
    return stmt_run(st, err);
}

int gate_put_claims(struct store *s, uint64_t job, const struct store_job_spec *spec,
                    struct err *err)
{
    int rc = put_gates(s, job, spec, err);

    for (size_t i = 0; rc == 0 && i < spec->runs_len; i++) {
        int64_t shut = 0;
        struct stmt *st;

        if (spec->gates_len > 0) {
            st = USE(s, CLAIM_SHUT);
            stmt_u64(st, ":run", spec->runs[i]);
            stmt_u64(st, ":job", job);
            rc = stmt_get(st, &shut, err);
            if (rc < 0)
                break;
        }
        st = USE(s, RUN_JOB_PUT);
        stmt_u64(st, ":run", spec->runs[i]);
        stmt_u64(st, ":job", job);
        stmt_text(st, ":step", spec->step);
        stmt_int(st, ":live", !shut);
        rc = stmt_run(st, err);
        if (rc == 0 && shut)
            rc = without_step(s, spec->runs[i], spec->step, err);
    }
    return rc;
}
