/* SPDX-License-Identifier: Apache-2.0 */
/* Job kind "stage": one stage of a curriculum, GRPO under a token budget.
 *
 * Everything random is keyed by the update's number in the whole curriculum, and what the next
 * update needs (weights, moments, controllers, counters) travels exactly: so a stage of 2u updates
 * is two stages of u, and an attempt that goes on from a checkpoint makes the bits of one that was
 * never disturbed. (With kl > 0 the reference is each stage's own start, so that stages differ.) */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "worker/jobs/implement.h"
#include "worker/jobs/stage_checkpoint.h"
#include "worker/jobs/stage_metrics.h"
#include "worker/jobs/stage_validation.h"

struct stage {
    struct job *job;
    struct stage_conf conf;
    struct stage_learner *learner;
    struct stage_problems *problems;
    struct stage_state state;
    uint64_t saved_at; /* updates at the last checkpoint, or at the start */
    uint64_t saved_ns; /* when */
    bool resumed;      /* from a checkpoint */
    bool strayed;      /* diverged by the distance from the start */
    bool moved;        /* the optimiser may be within an update */
};

static int scratch_path(const struct stage *s, const char *name, char out[PATH_MAX],
                        struct err *err)
{
    const struct job_services *v = s->job->services;

    if (snprintf(out, PATH_MAX, "%s/%s", v->scratch(v->arg), name) >= PATH_MAX)
        return err_set(err, ERR_LIMIT, "the scratch folder's path is too long");
    return 0;
}

/* ---- checkpoints ---------------------------------------------------------------------------- */

/* Only the end of the attempt is an error; a checkpoint that cannot be kept costs nothing else. */
static int save_checkpoint(struct stage *s, struct err *err)
{
    const struct job_services *v = s->job->services;
    struct err local = { 0 };
    char path[PATH_MAX];
    int rc;

    if (!v->checkpoint_save || s->state.updates == s->saved_at)
        return 0;
    rc = scratch_path(s, "checkpoint", path, &local);
    rc = rc ? rc
            : stage_checkpoint_write(path, &s->state, &s->conf, stage_learner_trainer(s->learner),
                                     s->job->progress, &local);
    rc = rc ? rc : v->checkpoint_save(v->arg, path, s->state.updates, &local);
    s->saved_ns = clock_ns();
    if (rc == 0)
        s->saved_at = s->state.updates;
    if (rc != ERR_CANCELLED && rc != ERR_STALE)
        return 0;
    *err = local;
    return rc;
}

static bool checkpoint_due(const struct stage *s)
{
    return s->conf.checkpoint_s > 0 &&
           (double)(clock_ns() - s->saved_ns) >= s->conf.checkpoint_s * 1e9;
}

/* Go on where an earlier attempt was, if it left something that is understood. */
static void load_checkpoint(struct stage *s)
{
    const struct job_services *v = s->job->services;
    struct err ignored = { 0 };
    char path[PATH_MAX], scratch[PATH_MAX];
    uint64_t step = 0;

    if (!v->checkpoint_load || v->checkpoint_load(v->arg, path, sizeof(path), &step, &ignored) ||
        scratch_path(s, "resumed", scratch, &ignored))
        return;
    if (stage_checkpoint_read(path, scratch, step, &s->state, &s->conf,
                              stage_learner_trainer(s->learner), s->job->progress, &ignored))
        return;
    s->saved_at = s->state.updates;
    s->resumed = true;
}

/* ---- what it begins with -------------------------------------------------------------------- */

/* An earlier stage diverged: its outputs are this one's. */
static int pass_through(struct stage *s, const char *state_path, struct err *err)
{
    const struct job_services *v = s->job->services;
    char model[PATH_MAX];
    int rc = v->input(v->arg, "model", model, sizeof(model), err);

    rc = rc ? rc : v->put_folder(v->arg, "model", model, &s->job->output[0], err);
    rc = rc ? rc : v->put_folder(v->arg, "state", state_path, &s->job->output[1], err);
    if (rc)
        return rc;
    s->job->outputs_len = 2;
    return err_set(err, ERR_DIVERGED, "an earlier stage diverged: %.400s", s->state.why);
}

/* The state of the stage before into S; its path into PATH, "" when there is none. */
static int read_state(struct stage *s, char path[PATH_MAX], struct err *err)
{
    const struct job_services *v = s->job->services;
    int rc = v->input(v->arg, "state", path, PATH_MAX, err);

    stage_state_start(&s->state, &s->conf);
    if (rc == ERR_NOT_FOUND && s->conf.first == 0) {
        path[0] = 0;
        return 0;
    }
    rc = rc ? rc : stage_folder_read(path, &s->state, &s->conf, err);
    if (rc)
        return rc;
    if (s->state.diverged)
        return pass_through(s, path, err);
    if (s->state.updates != s->conf.first)
        return err_set(err, ERR_INVALID,
                       "stage: its input \"state\" is that behind %llu updates, the stage begins "
                       "behind %llu",
                       (unsigned long long)s->state.updates, (unsigned long long)s->conf.first);
    return 0;
}

static int begin(struct stage *s, bool fresh, struct err *err)
{
    char state[PATH_MAX];
    int rc = stage_conf_read(&s->conf, s->job, err);

    rc = rc ? rc : read_state(s, state, err);
    rc = rc ? rc : stage_learner_open(&s->learner, &s->conf, s->job, err);
    if (rc == 0 && state[0])
        rc = stage_folder_load(state, stage_learner_trainer(s->learner), err);
    if (rc == 0)
        stage_learner_begin(s->learner);
    rc = rc ? rc
            : stage_problems_open(&s->problems, &s->conf, s->job, stage_learner_model(s->learner),
                                  err);
    if (rc)
        return rc;
    s->saved_at = s->conf.first;
    s->saved_ns = clock_ns();
    if (!fresh)
        load_checkpoint(s);
    return 0;
}

static void end(struct stage *s)
{
    stage_problems_close(s->problems);
    stage_learner_close(s->learner);
}

/* ---- updates -------------------------------------------------------------------------------- */

/* Core time of this attempt: that of the job's thread, whose pool works as long. */
static double core_seconds(const struct stage *s)
{
    struct timespec t = { 0 };

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return ((double)t.tv_sec + (double)t.tv_nsec * 1e-9) * (double)pool_threads(s->job->pool);
}

static size_t budget_now(const struct stage *s)
{
    const struct stage_conf *c = &s->conf;

    if (c->adapts)
        return (size_t)adaptive_budget(&c->adaptive, &s->state.adaptive);
    return (size_t)budget_slice_at(c->slice.budget, c->slice.at, c->slice.len,
                                   s->state.updates - c->first);
}

static void take_update(struct stage *s, const struct stage_update *u)
{
    struct stage_state *t = &s->state;

    t->updates++;
    t->validated = false;
    t->generated += u->generated;
    t->flops += u->flops;
    if (s->conf.adapts)
        (void)adaptive_tell(&s->conf.adaptive, &t->adaptive, stage_update_accuracy(u));
    difficulty_tell(&s->conf.difficulty, &t->difficulty, u->count);
}

static int one_update(struct stage *s, struct err *err)
{
    struct stage_update u = { .update = s->state.updates, .budget = budget_now(s) };
    double began = core_seconds(s);
    int rc;

    difficulty_weights(&s->conf.difficulty, &s->state.difficulty, u.update, u.weight);
    rc = stage_update_run(&u, &s->conf, s->problems, s->learner, s->job->progress, err);
    s->moved = u.stepped;
    s->strayed = u.strayed;
    if (rc)
        return rc;
    s->moved = false;
    take_update(s, &u);
    s->state.seconds += core_seconds(s) - began;
    stage_metrics_send(s->job->services, &s->conf, &u, &s->state);
    return 0;
}

/* At the curriculum's start, every validation_every updates, and at the stage's end; the start of a
 * later stage is the end of the one before. */
static bool validation_due(const struct stage *s)
{
    const struct stage_conf *c = &s->conf;
    uint64_t at = s->state.updates;

    if (s->state.validated)
        return false;
    if (at == c->first)
        return at == 0;
    return at == c->first + c->updates || (c->validation_every && at % c->validation_every == 0);
}

static int validate(struct stage *s, struct err *err)
{
    int rc;

    if (!validation_due(s))
        return 0;
    rc = stage_validate(&s->conf, s->problems, stage_learner_model(s->learner),
                        stage_learner_sweep(s->learner), s->state.updates, s->job, err);
    s->state.validated = rc == 0;
    return rc;
}

static int run_updates(struct stage *s, struct err *err)
{
    struct progress *progress = s->job->progress;
    uint64_t last = s->conf.first + s->conf.updates;
    int rc = 0;

    atomic_store(&progress->total, s->conf.updates);
    while (rc == 0) {
        atomic_store(&progress->done, s->state.updates - s->conf.first);
        progress_tick(progress);
        if (progress_stopped(progress))
            return err_set(err, ERR_CANCELLED, "stopped at update %llu of %llu",
                           (unsigned long long)s->state.updates, (unsigned long long)last);
        rc = validate(s, err);
        if (rc || s->state.updates == last)
            break;
        if (checkpoint_due(s))
            rc = save_checkpoint(s, err);
        rc = rc ? rc : one_update(s, err);
    }
    return rc;
}

/* ---- what it ends with ---------------------------------------------------------------------- */

static int put_outputs(struct stage *s, struct err *err)
{
    const struct job_services *v = s->job->services;
    const struct trainer *t = s->state.diverged ? NULL : stage_learner_trainer(s->learner);
    char model[PATH_MAX], state[PATH_MAX];
    int rc = scratch_path(s, "model", model, err);

    rc = rc ? rc : scratch_path(s, "state", state, err);
    rc = rc ? rc : stage_learner_save(s->learner, model, err);
    rc = rc ? rc : stage_folder_write(state, &s->state, &s->conf, t, err);
    progress_tick(s->job->progress);
    rc = rc ? rc : v->put_folder(v->arg, "model", model, &s->job->output[0], err);
    rc = rc ? rc : v->put_folder(v->arg, "state", state, &s->job->output[1], err);
    if (rc == 0)
        s->job->outputs_len = 2;
    return rc;
}

/* The last weights that were within the bounds, and a state that says so. ERR_AGAIN: those were in
 * front of the checkpoint that this attempt began with. */
static int diverge(struct stage *s, struct err *err)
{
    struct err local = { 0 };
    int rc;

    if (!stage_learner_return(s->learner, s->strayed) && s->resumed)
        return ERR_AGAIN;
    s->state.diverged = true;
    (void)snprintf(s->state.why, sizeof(s->state.why), "%s", err->text);
    rc = put_outputs(s, &local);
    if (rc == 0)
        return ERR_DIVERGED;
    *err = local;
    return rc;
}

static int run_attempt(struct stage *s, bool fresh, struct err *err)
{
    struct err ignored = { 0 };
    int rc = begin(s, fresh, err);

    if (rc)
        return rc;
    rc = run_updates(s, err);
    if (rc == 0)
        return put_outputs(s, err);
    if (rc == ERR_DIVERGED)
        return diverge(s, err);
    /* The worker leaves: the next one goes on from here, unless an update is half done. */
    if (rc == ERR_CANCELLED && progress_draining(s->job->progress) && !s->moved &&
        s->conf.checkpoint_s > 0)
        (void)save_checkpoint(s, &ignored);
    return rc;
}

int stage_run(struct job *j, struct err *err)
{
    int rc = ERR_AGAIN;

    for (int i = 0; rc == ERR_AGAIN && i < 2; i++) {
        struct stage *s CLEANUP(mem_cleanup) = mem_calloc(1, sizeof(*s));

        s->job = j;
        rc = run_attempt(s, i > 0, err);
        end(s);
    }
    return rc;
}
