/* SPDX-License-Identifier: Apache-2.0 */
/* status.c - an experiment's progress, step by step (read.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "store/store_private.h"

struct step {
    char name[64], kind[32];
    struct store_step_status st;
};

struct job_row {
    size_t step; /* index */
    uint64_t id, begin, end, family;
    bool done;
};

struct table {
    struct step *steps;
    struct job_row *jobs;
    size_t steps_len, jobs_len, jobs_cap;
};

static void table_release(struct table *t)
{
    free(t->steps);
    free(t->jobs);
}

static size_t step_index(struct table *t, const char *name, const char *kind)
{
    struct step *step;

    for (size_t i = 0; i < t->steps_len; i++) {
        if (strcmp(t->steps[i].name, name) == 0 && strcmp(t->steps[i].kind, kind) == 0)
            return i;
    }
    t->steps = mem_realloc(t->steps, t->steps_len + 1, sizeof *t->steps);
    step = &t->steps[t->steps_len];
    *step = (struct step){ 0 };
    snprintf(step->name, sizeof step->name, "%s", name);
    snprintf(step->kind, sizeof step->kind, "%s", kind);
    return t->steps_len++;
}

static void count_state(struct store_step_status *st, const char *state)
{
    st->jobs++;
    st->done += strcmp(state, "DONE") == 0;
    st->failed += strcmp(state, "FAILED") == 0;
    st->cancelled += strcmp(state, "CANCELLED") == 0;
    st->skipped += strcmp(state, "SKIPPED") == 0;
    st->waiting += strcmp(state, "WAITING") == 0;
    st->ready += strcmp(state, "READY") == 0;
}

static int load_jobs(struct store *s, uint64_t experiment, struct table *t, struct err *err)
{
    struct stmt *st = USE(s, STATUS_JOBS);
    int rc;

    stmt_u64(st, ":experiment", experiment);
    while ((rc = stmt_step(st, err)) > 0) {
        size_t at = step_index(t, stmt_col_text(st, 0), stmt_col_text(st, 1));
        const char *state = stmt_col_text(st, 3);

        if (t->jobs_len == t->jobs_cap) {
            t->jobs_cap = MAX(64, 2 * t->jobs_cap);
            t->jobs = mem_realloc(t->jobs, t->jobs_cap, sizeof *t->jobs);
        }
        count_state(&t->steps[at].st, state);
        t->steps[at].st.diverged += stmt_col(st, 4) != 0;
        t->jobs[t->jobs_len++] = (struct job_row){
            .step = at,
            .id = stmt_col_u64(st, 2),
            .begin = stmt_col_u64(st, 5),
            .end = stmt_col_u64(st, 6),
            .family = stmt_col_u64(st, 7),
            .done = strcmp(state, "DONE") == 0,
        };
    }
    return rc;
}

static int count_units(struct store *s, struct table *t, const struct job_row *j, struct err *err)
{
    struct step *step = &t->steps[j->step];
    uint64_t total = j->end > j->begin ? j->end - j->begin : 1, done = j->done ? total : 0;
    struct stmt *st;
    int rc = 0;

    if (!j->done && j->end > j->begin)
        rc = count_examples(s, step->kind, j->family, j->begin, j->end, &done, err);
    step->st.units_total += total;
    step->st.units_done += done;
    if (rc < 0)
        return rc;
    st = USE(s, STATUS_SECONDS);
    stmt_u64(st, ":job", j->id);
    rc = stmt_step(st, err);
    if (rc > 0) {
        step->st.seconds_spent += stmt_col_real(st, 0);
        stmt_reset(st);
        rc = 0;
    }
    return rc;
}

int store_status(struct store *s, uint64_t experiment, store_step_fn fn, void *arg, struct err *err)
{
    CLEANUP(table_release) struct table t = { 0 };
    int rc = load_jobs(s, experiment, &t, err);

    for (size_t i = 0; rc == 0 && i < t.jobs_len; i++)
        rc = count_units(s, &t, &t.jobs[i], err);
    for (size_t i = 0; rc == 0 && i < t.steps_len; i++) {
        t.steps[i].st.step = t.steps[i].name;
        t.steps[i].st.kind = t.steps[i].kind;
        rc = fn(&t.steps[i].st, arg);
    }
    return rc;
}
