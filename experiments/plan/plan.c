/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/plan/plan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "experiments/plan/memory.h"

/* A run whose recipe sweeps no seed. */
enum { SEED_DEFAULT = 1 };

static int count_runs(const struct recipe *r, size_t *ret, struct err *err)
{
    size_t n = 1;

    for (size_t a = 0; a < r->axes_len; a++) {
        n *= r->axis[a].len;
        if (n > PLAN_RUNS_MAX)
            return err_set(err, ERR_LIMIT, "%s: the sweep has more than %d runs", r->axis[a].where,
                           PLAN_RUNS_MAX);
    }
    *ret = n;
    return 0;
}

/* The next point in order: the last axis runs fastest. */
static void next_point(struct point *p)
{
    for (size_t a = p->r->axes_len; a-- > 0;) {
        if (++p->at[a] < p->r->axis[a].len)
            return;
        p->at[a] = 0;
    }
}

static void name_run(struct build *b, struct point *p, struct plan_run *run)
{
    const struct recipe *r = p->r;

    p->seed = SEED_DEFAULT;
    run->name = mem_calloc(r->axes_len + 1, sizeof(*run->name));
    run->value = mem_calloc(r->axes_len + 1, sizeof(*run->value));
    for (size_t a = 0; a < r->axes_len; a++) {
        struct buf text CLEANUP(buf_release) = { 0 };
        const struct param_value *v = &r->axis[a].value[p->at[a]];
        if (r->axis[a].step < 0) {
            p->seed = (uint64_t)v->i;
            continue;
        }
        param_print(v, &text);
        run->name[run->params_len] = build_text(b, r->axis[a].target);
        run->value[run->params_len++] = build_text(b, buf_str(&text));
    }
    run->seed = p->seed;
}

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
    free(run);
    return digest_end(&d);
}

static int expand(struct build *b, struct err *err)
{
    struct plan *p = b->plan;
    struct point at = { .r = b->r };
    size_t runs = 0;
    int rc = count_runs(b->r, &runs, err);

    if (rc)
        return rc;
    p->run = mem_calloc(runs, sizeof(*p->run));
    for (; !rc && p->runs_len < runs; next_point(&at)) {
        struct plan_run *run = &p->run[p->runs_len++];
        name_run(b, &at, run);
        rc = build_run(b, &at, run, (uint32_t)(p->runs_len - 1), err);
    }
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
    for (size_t a = 0; a < r->axes_len; a++)
        if (r->axis[a].step >= 0)
            b.plan->axis[b.plan->axes_len++] = build_text(&b, r->axis[a].target);
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
        free(p->run[i].name);
        free(p->run[i].value);
        free(p->run[i].family);
    }
    for (size_t i = 0; i < p->jobs_len; i++) {
        free(p->job[i].needs.v);
        free(p->job[i].runs.v);
        free(p->job[i].families.v);
        free(p->job[i].family_examples);
    }
    free(p->run);
    free(p->job);
    free(p->family);
    free(p->file);
    free(p->step);
    free_memory(p->memory);
    free(p);
}

void plan_cleanup(struct plan **p)
{
    plan_free(*p);
}
