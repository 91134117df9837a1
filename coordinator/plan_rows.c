/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/plan_rows.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/wire/wire.h"
#include "store/blobs.h"
#include "store/store.h"

void plan_rows_release(struct plan_rows *p)
{
    free(p->runs);
    free(p->families);
    free(p->jobs);
    store_changes_release(&p->changes);
    gates_release(&p->gates);
}

static int put_files(struct store *s, const Drover__Plan *plan, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; i < plan->n_files && rc == 0; i++) {
        const Drover__Input *f = plan->files[i];
        struct digest digest = wire_digest(f->digest), stored;
        const char *path = f->path;

        if (digest_is_zero(&digest))
            return err_set(err, ERR_INVALID, "plan.files[%zu]: no digest", i);
        if (f->content.len > 0) {
            stored = digest_of(f->content.data, f->content.len);
            if (!digest_equal(&stored, &digest))
                return err_set(err, ERR_INVALID, "plan.files[%zu]: content and digest differ", i);
            rc = blobs_put(store_blobs(s), f->content.data, f->content.len, &stored, err);
            path = "";
        }
        if (rc == 0)
            rc = store_submit_file(s, &digest, f->size, path, f->folder, err);
    }
    return rc;
}

static int put_families(struct store *s, const Drover__Plan *plan, struct plan_rows *p,
                        struct err *err)
{
    int rc = 0;

    for (size_t i = 0; i < plan->n_families && rc == 0; i++) {
        const Drover__Family *w = plan->families[i];
        struct store_family f = { .key = wire_digest(w->key),
                                  .level = w->level,
                                  .evaluation = wire_digest(w->evaluation) };

        rc = plan_text(f.kind, sizeof(f.kind), w->kind, "kind", err);
        if (rc == 0)
            rc = plan_text(f.task, sizeof(f.task), w->task, "task", err);
        if (rc == 0)
            rc = plan_text(f.split, sizeof(f.split), w->split, "split", err);
        if (rc == 0)
            rc = store_submit_family(s, &f, &p->families[i], err);
    }
    return rc;
}

static int put_run(struct store *s, const Drover__Plan *plan, struct plan_rows *p, size_t i,
                   struct err *err)
{
    const Drover__PlanRun *w = plan->runs[i];
    struct store_param *params CLEANUP(mem_cleanup) = mem_calloc(w->n_params, sizeof(*params));
    struct digest point = wire_digest(w->digest);
    int rc;

    for (size_t k = 0; k < w->n_params; k++)
        params[k] = (struct store_param){ w->params[k]->name, w->params[k]->value };
    rc = store_submit_run(s, &p->sub, &point, w->seed, params, w->n_params, &p->runs[i], err);
    for (size_t k = 0; k < w->n_families && rc == 0; k++) {
        const Drover__StepFamily *f = w->families[k];

        if (f->family >= plan->n_families)
            return err_set(err, ERR_INVALID, "plan.runs[%zu]: no family %u", i, f->family);
        rc = store_submit_run_family(s, p->runs[i], f->step, p->families[f->family], f->examples,
                                     err);
    }
    return rc;
}

/* The experiment's own priority, before its claims make it that of jobs. */
static int put_priority(struct store *s, const Drover__Plan *plan, struct plan_rows *p,
                        struct err *err)
{
    const struct store_control c = { .verb = STORE_PRIORITY,
                                     .experiment = plan->name,
                                     .priority = plan->priority };
    uint32_t moved = 0;

    return plan->prioritised ? store_control(s, &c, &p->changes, &moved, NULL, err) : 0;
}

int plan_rows_put(struct store *s, const Drover__Plan *plan, struct plan_rows *ret, struct err *err)
{
    const struct digest revision = wire_digest(plan->revision);
    int rc;

    *ret = (struct plan_rows){
        .runs = mem_calloc(plan->n_runs, sizeof(uint64_t)),
        .families = mem_calloc(plan->n_families, sizeof(uint64_t)),
        .jobs = mem_calloc(plan->n_jobs, sizeof(uint64_t)),
    };
    rc = gates_of_plan(&ret->gates, plan, err);
    if (rc == 0)
        rc = store_submit_begin(s, plan->name, &revision, plan->recipe, plan->recipe_path,
                                &ret->sub, err);
    ret->sub.changed = &ret->changes;
    if (rc == 0)
        rc = store_submit_git(s, &ret->sub, plan->git, err);
    if (rc == 0)
        rc = put_priority(s, plan, ret, err);
    if (rc == 0)
        rc = put_files(s, plan, err);
    if (rc == 0)
        rc = put_families(s, plan, ret, err);
    for (size_t i = 0; i < plan->n_runs && rc == 0; i++)
        rc = put_run(s, plan, ret, i, err);
    for (size_t i = 0; i < plan->n_jobs && rc == 0; i++)
        rc = plan_job_put(s, plan, ret, i, err);
    return rc;
}
