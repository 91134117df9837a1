/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/plan/plan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "experiments/plan/halving.h"
#include "experiments/plan/memory.h"
#include "experiments/plan/naming.h"
#include "experiments/plan/points.h"

static int digest_order(const void *a, const void *b)
{
    return memcmp(a, b, DIGEST_BYTES);
}

static struct digest revision_of(const struct plan *p)
{
    struct digest *run = mem_calloc(p->runs_len, sizeof(*run));
    struct digester d;

    for (size_t i = 0; i < p->runs_len; i++)
        run[i] = p->run[i].digest;
    qsort(run, p->runs_len, sizeof(*run), digest_order);
    digest_begin(&d);
    digest_add_text(&d, "revision-1");
    for (size_t i = 0; i < p->runs_len; i++)
        digest_add_bytes(&d, run[i].b, DIGEST_BYTES);
    for (size_t i = 0; i < p->jobs_len; i++) /* the same points halved otherwise are another */
        if (p->job[i].kind->id == KIND_SELECT && p->job[i].input[0].source == PLAN_RESULTS)
            digest_add_bytes(&d, p->job[i].key.b, DIGEST_BYTES);
    free(run);
    return digest_end(&d);
}

static int too_many(const struct recipe *r, struct err *err)
{
    return err_set(err, ERR_LIMIT, "%s: the sweep has more than %d runs",
                   r->entries_len ? r->entry[0].where : r->path, PLAN_RUNS_MAX);
}

static int build_runs(struct build *b, const struct points *points, struct naming *naming,
                      struct err *err)
{
    struct plan *p = b->plan;
    size_t cap = 0;
    int rc = 0;

    for (size_t i = 0; !rc && i < points->len; i++) {
        struct plan_run run = { 0 };
        struct point at;
        bool dropped;
        rc = points_get(b->r, points, i, &at, &dropped, err);
        if (rc || dropped || !naming_run(naming, &at, &run))
            continue;
        if (p->runs_len == cap) {
            cap = cap ? 2 * cap : 16;
            p->run = mem_realloc(p->run, cap, sizeof(*p->run));
        }
        p->run[p->runs_len++] = run;
        rc = p->runs_len > PLAN_RUNS_MAX ? too_many(b->r, err) : 0;
        rc =
            rc ? rc : build_run(b, &at, &p->run[p->runs_len - 1], (uint32_t)(p->runs_len - 1), err);
    }
    if (!rc && p->runs_len == 0)
        rc = err_set(err, ERR_INVALID, "%s: no run is left: %s",
                     b->r->excludes_len ? b->r->exclude[0].where : b->r->step[0].where,
                     b->r->excludes_len ? "every point of the sweep is excluded"
                                        : "no step's condition holds anywhere");
    return rc;
}

static int expand(struct build *b, struct err *err)
{
    struct naming *naming CLEANUP(naming_cleanup) = naming_new(b);
    struct points points CLEANUP(points_release) = { 0 };
    int rc = 0;

    for (size_t i = 0; !rc && i < b->r->steps_len; i++)
        rc = step_check_names(b->r, &b->r->step[i], err);
    rc = rc ? rc : points_list(b->r, &points, err);
    rc = rc ? rc : build_runs(b, &points, naming, err);
    rc = rc ? rc : halving_finish(b, err);
    if (!rc)
        steps_finish(b);
    return rc;
}

int plan_make(const struct recipe *r, const struct plan_options *o, struct plan **ret,
              struct err *err)
{
    static const struct plan_options none;
    struct build b = { .plan = mem_calloc(1, sizeof(*b.plan)), .r = r, .o = o ? o : &none };

    *ret = NULL;
    b.plan->memory = mem_calloc(1, sizeof(*b.plan->memory));
    b.outside = outside_new(b.o->digest_cache);
    b.plan->name = build_text(&b, r->name);
    b.plan->recipe = build_text(&b, r->text);
    b.plan->recipe_path = build_text(&b, r->path);
    b.plan->prioritised = r->prioritised;
    b.plan->priority = r->priority;
    int rc = expand(&b, err);
    build_release(&b);
    if (rc) {
        plan_free(b.plan);
        return rc;
    }
    b.plan->revision = revision_of(b.plan);
    *ret = b.plan;
    return 0;
}

static void free_memory(struct plan_memory *m)
{
    struct plan_text *t, *next;

    HASH_ITER(hh, m->texts, t, next)
    {
        HASH_DEL(m->texts, t);
        free(t->s);
        free(t);
    }
    while (m->params) {
        struct plan_params *rest = m->params->next;
        params_release(&m->params->p);
        free(m->params);
        m->params = rest;
    }
    free(m);
}

void plan_free(struct plan *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->runs_len; i++) {
        free(p->run[i].value);
        free(p->run[i].family);
    }
    for (size_t i = 0; i < p->jobs_len; i++) {
        free(p->job[i].needs.v);
        free(p->job[i].runs.v);
        free(p->job[i].families.v);
        free(p->job[i].family_examples);
        free(p->job[i].label);
    }
    free(p->run);
    free(p->job);
    free(p->family);
    free(p->file);
    for (size_t i = 0; i < p->steps_len; i++)
        free(p->step[i].needs.v);
    free(p->step);
    free(p->gate);
    free(p->candidate);
    free(p->rung);
    curricula_free(p);
    free_memory(p->memory);
    free(p);
}

void plan_cleanup(struct plan **p)
{
    plan_free(*p);
}
