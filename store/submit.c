/* SPDX-License-Identifier: Apache-2.0 */
/* submit.c - experiments, revisions, runs, families, files; ending a submission; cancelling
 * (submit.h). */
#include "store/submit.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/control.h"
#include "store/gate.h"
#include "store/summary.h"

static int put_revision(struct store *s, uint64_t experiment, const struct digest *digest,
                        const char *recipe, const char *path, uint64_t *ret, struct err *err)
{
    struct stmt *st = USE(s, REVISION_PUT);
    int64_t id = 0;
    int rc;

    stmt_u64(st, ":experiment", experiment);
    stmt_digest(st, ":digest", digest);
    stmt_text(st, ":recipe", recipe);
    stmt_text(st, ":path", path ? path : "");
    stmt_int(st, ":now", store_now());
    rc = stmt_get(st, &id, err);
    *ret = (uint64_t)id;
    if (rc < 0)
        return rc;
    st = USE(s, EXPERIMENT_REVISION);
    stmt_u64(st, ":experiment", experiment);
    stmt_u64(st, ":revision", *ret);
    return stmt_run(st, err);
}

int store_submit_begin(struct store *s, const char *name, const struct digest *revision,
                       const char *recipe, const char *recipe_path, struct store_submission *ret,
                       struct err *err)
{
    struct stmt *st;
    int rc = store_begin_soon(s, err);

    *ret = (struct store_submission){ 0 };
    if (rc < 0)
        return rc;
    st = USE(s, EXPERIMENT_PUT);
    stmt_text(st, ":name", name);
    stmt_int(st, ":now", store_now());
    rc = stmt_upsert(st, &ret->experiment, &ret->first, err);
    if (rc == 0)
        rc = put_revision(s, ret->experiment, revision, recipe, recipe_path, &ret->revision, err);
    if (rc < 0)
        store_rollback(s);
    return rc;
}

int store_submit_git(struct store *s, const struct store_submission *sub, const char *git,
                     struct err *err)
{
    struct stmt *st = USE(s, REVISION_GIT);

    stmt_u64(st, ":revision", sub->revision);
    stmt_text(st, ":git", git ? git : "");
    return stmt_run(st, err);
}

void store_submit_abort(struct store *s)
{
    store_rollback(s);
}

int blob_row(struct store *s, const struct digest *digest, uint64_t size, const char *path,
             bool folder, uint64_t *ret, struct err *err)
{
    struct stmt *st = USE(s, BLOB_PUT);
    int64_t id = 0;
    int rc;

    stmt_digest(st, ":digest", digest);
    stmt_u64(st, ":size", size);
    stmt_int(st, ":folder", folder);
    stmt_text(st, ":path", path ? path : "");
    rc = stmt_get(st, &id, err);
    *ret = (uint64_t)id;
    return rc;
}

bool blob_present(const struct store *s, const struct digest *digest, const char *path)
{
    return blobs_have(s->blobs, digest, NULL) || (path && path[0] && access(path, R_OK) == 0);
}

int store_submit_file(struct store *s, const struct digest *digest, uint64_t size_bytes,
                      const char *path, bool folder, struct err *err)
{
    uint64_t id;
    int rc = item_begin(s, err);

    return rc < 0 ? rc : item_end(s, blob_row(s, digest, size_bytes, path, folder, &id, err), err);
}

static int run_clear(struct store *s, enum stmt_id what, uint64_t run, struct err *err)
{
    struct stmt *st = store_use(s, what);

    stmt_u64(st, ":run", run);
    return stmt_run(st, err);
}

/* The plan says anew what a run claims and reads. Old claims are only marked dead here:
 * store_submit_end() finds by them the jobs that nobody claims any more, then deletes them. */
static int clear_run(struct store *s, uint64_t run, struct err *err)
{
    int rc = run_clear(s, STMT_RUN_CLEAR_CLAIMS, run, err);

    if (rc == 0)
        rc = run_clear(s, STMT_RUN_CLEAR_GATES, run, err);
    if (rc == 0)
        rc = run_clear(s, STMT_RUN_CLEAR_FAMILIES, run, err);
    if (rc == 0)
        rc = run_clear(s, STMT_RUN_CLEAR_PARAMS, run, err);
    return rc;
}

static int put_run(struct store *s, const struct store_submission *sub, const struct digest *point,
                   uint64_t seed, uint64_t *ret, bool *ret_new, struct err *err)
{
    struct stmt *st = USE(s, RUN_PUT);

    stmt_u64(st, ":experiment", sub->experiment);
    stmt_u64(st, ":revision", sub->revision);
    stmt_digest(st, ":digest", point);
    stmt_u64(st, ":seed", seed);
    return stmt_upsert(st, ret, ret_new, err);
}

int store_submit_run(struct store *s, const struct store_submission *sub,
                     const struct digest *point, uint64_t seed, const struct store_param *params,
                     size_t params_len, uint64_t *ret_run, struct err *err)
{
    bool is_new;
    int rc = item_begin(s, err);

    if (rc < 0)
        return rc;
    rc = put_run(s, sub, point, seed, ret_run, &is_new, err);
    if (rc == 0 && !is_new)
        rc = clear_run(s, *ret_run, err);
    for (size_t i = 0; rc == 0 && i < params_len; i++) {
        struct stmt *st = USE(s, PARAM_PUT);

        stmt_u64(st, ":run", *ret_run);
        stmt_text(st, ":name", params[i].name);
        stmt_text(st, ":value", params[i].value);
        rc = stmt_run(st, err);
    }
    return item_end(s, rc, err);
}

int store_submit_family(struct store *s, const struct store_family *f, uint64_t *ret_family,
                        struct err *err)
{
    struct stmt *st;
    int64_t id = 0;
    int rc = item_begin(s, err);

    if (rc < 0)
        return rc;
    st = USE(s, FAMILY_PUT);
    stmt_digest(st, ":key", &f->key);
    stmt_text(st, ":kind", f->kind);
    stmt_text(st, ":task", f->task);
    stmt_int(st, ":level", f->level);
    stmt_text(st, ":split", f->split);
    if (digest_is_zero(&f->evaluation))
        stmt_text(st, ":evaluation", NULL);
    else
        stmt_digest(st, ":evaluation", &f->evaluation);
    rc = stmt_get(st, &id, err);
    *ret_family = (uint64_t)id;
    return item_end(s, rc, err);
}

int store_submit_run_family(struct store *s, uint64_t run, const char *step, uint64_t family,
                            uint64_t examples, struct err *err)
{
    struct stmt *st;
    int rc = item_begin(s, err);

    if (rc < 0)
        return rc;
    st = USE(s, RUN_FAMILY_PUT);
    stmt_u64(st, ":run", run);
    stmt_text(st, ":step", step);
    stmt_u64(st, ":family", family);
    stmt_u64(st, ":examples", examples);
    rc = stmt_run(st, err);
    if (rc == 0) /* examples that another run left behind */
        rc = summary_want(s, family, examples, err);
    return item_end(s, rc, err);
}

/* Jobs of the experiment that wait or are ready and have no live claim become CANCELLED: an end for
 * select jobs of others. */
static int withdraw(struct store *s, uint64_t experiment, struct store_ids *withdrawn,
                    struct err *err)
{
    struct store_ids ids = { 0 };
    int rc = gate_settle_all(s, experiment, withdrawn, err);
    struct stmt *st;

    if (rc < 0)
        return rc;
    st = USE(s, JOBS_UNCLAIMED);
    stmt_u64(st, ":experiment", experiment);
    while ((rc = stmt_step(st, err)) > 0)
        store_ids_add(&ids, stmt_col_u64(st, 0));
    for (size_t i = 0; rc == 0 && i < ids.len; i++) {
        st = USE(s, JOB_STATE);
        stmt_text(st, ":state", "CANCELLED");
        stmt_u64(st, ":id", ids.v[i]);
        rc = stmt_run(st, err);
        if (rc == 0)
            rc = gate_fall(s, ids.v[i], NULL, err);
        if (rc == 0 && withdrawn)
            store_ids_add(withdrawn, ids.v[i]);
    }
    store_ids_release(&ids);
    return rc;
}

static int supersede(struct store *s, enum stmt_id what, const struct store_submission *sub,
                     struct err *err)
{
    struct stmt *st = store_use(s, what);

    stmt_u64(st, ":experiment", sub->experiment);
    stmt_u64(st, ":revision", sub->revision);
    return stmt_run(st, err);
}

/* Of an experiment that was there before: what the older revisions' runs claimed, and the jobs that
 * nobody claims any more. */
static int replace(struct store *s, struct store_submission *sub, struct store_ids *withdrawn,
                   struct err *err)
{
    int rc = supersede(s, STMT_RUN_SUPERSEDE, sub, err);

    if (rc == 0)
        rc = supersede(s, STMT_CLAIMS_SUPERSEDE, sub, err);
    if (rc == 0)
        rc = store_refresh_jobs(s, sub->experiment, sub->changed, err);
    if (rc == 0)
        rc = withdraw(s, sub->experiment, withdrawn, err);
    if (rc == 0) {
        struct stmt *st = USE(s, CLAIMS_DROPPED);

        stmt_u64(st, ":revision", sub->revision);
        rc = stmt_run(st, err);
    }
    return rc;
}

/* Nothing is there to be replaced, and all jobs are its own: they stay as they were made. Saves a
 * tenth of the time that a small plan takes. */
static int stands_alone(struct store *s, const struct store_submission *sub, bool *ret,
                        struct err *err)
{
    int32_t priority = 0;
    bool paused = false;
    int rc = 0;

    *ret = sub->first && !sub->joined;
    if (*ret)
        rc = store_experiment_control(s, sub->experiment, &paused, &priority, err);
    *ret = *ret && !paused && priority == 0;
    return rc;
}

int store_submit_end(struct store *s, struct store_submission *sub, struct store_ids *withdrawn,
                     struct err *err)
{
    char text[160];
    bool alone;
    int rc;

    assert(s->open_tx);
    rc = stands_alone(s, sub, &alone, err);
    if (rc == 0 && !alone)
        rc = replace(s, sub, withdrawn, err);
    snprintf(text, sizeof text,
             "experiment %llu, revision %llu: %u jobs, %u cached, %u added, %u restarted",
             (unsigned long long)sub->experiment, (unsigned long long)sub->revision, sub->jobs,
             sub->cached, sub->added, sub->restarted);
    if (rc == 0)
        rc = store_event(s, "submitted", 0, 0, text, err);
    if (rc < 0) {
        store_rollback(s);
        return rc;
    }
    return store_commit(s, err);
}

int store_cancel(struct store *s, const char *name, struct store_ids *withdrawn, struct err *err)
{
    struct stmt *st;
    uint64_t experiment;
    int rc = item_check(s, err); /* only the name may be wrong; see store_control() */

    if (rc < 0)
        return rc;
    rc = store_find_experiment(s, name, &experiment, err);
    if (rc == 0) {
        st = USE(s, CLAIMS_CANCEL);
        stmt_u64(st, ":experiment", experiment);
        rc = stmt_run(st, err);
    }
    if (rc == 0) {
        st = USE(s, EXPERIMENT_CANCELLED);
        stmt_u64(st, ":experiment", experiment);
        rc = stmt_run(st, err);
    }
    if (rc == 0)
        rc = withdraw(s, experiment, withdrawn, err);
    if (rc == 0) /* what only paused experiments want now */
        rc = store_refresh_jobs(s, experiment, NULL, err);
    if (rc == 0)
        rc = store_event(s, "cancelled", 0, 0, name, err);
    return rc;
}
