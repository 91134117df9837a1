/* SPDX-License-Identifier: Apache-2.0 */
/* One run: its steps in order, each as families, shards and jobs. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "experiments/plan/expand.h"
#include "experiments/plan/halving.h"

int expand_error(struct expansion *x, const struct step *s, const char *name, int rc,
                 const struct err *inner, struct err *err)
{
    return rc ? step_error(x->p, s->from, err, rc, name, "%.390s", inner->text) : 0;
}

/* What the step of job J, if it is one of the recipe's, asks of a worker. */
static void put_resources(struct expansion *x, struct plan_job *j)
{
    for (size_t i = 0; i < x->p->r->steps_len; i++) {
        const struct step *s = &x->steps[i];
        if (!s->from || strcmp(s->from->id, j->step) != 0)
            continue;
        j->cores = s->cores;
        j->memory_mib = s->memory_mib;
        j->labels_len = s->requires_len;
        if (s->requires_len > 0)
            j->label = mem_calloc(s->requires_len, sizeof(*j->label));
        for (size_t k = 0; k < s->requires_len; k++)
            j->label[k] = build_text(x->b, s->requires[k]);
    }
}

int expand_job(struct expansion *x, const struct plan_job *j, const struct digest *key,
               struct built *out, uint32_t *ret, struct err *err)
{
    struct plan *p = x->b->plan;
    bool is_new;
    int rc = build_job(x->b, key, ret, &is_new, err);

    if (rc)
        return rc;
    struct plan_job *to = &p->job[*ret];
    const size_t step = build_step(x->b, j->step, j->kind); /* may move p->step */
    struct plan_step *slot = &p->step[step];
    if (is_new) {
        *to = *j;
        to->key = *key;
        to->params = build_params(x->b, j->params, err);
        if (!to->params)
            return ERR_LIMIT;
        to->needs = to->runs = to->families = (struct plan_list){ 0 };
        for (size_t i = 0; i < j->needs.len; i++)
            build_list_add(&to->needs, j->needs.v[i]);
        for (size_t i = 0; i < j->families.len; i++)
            build_list_add(&to->families, j->families.v[i]);
        put_resources(x, to);
        slot->jobs++;
        slot->units += j->kind->shards ? j->end - j->begin : 1;
    }
    slot->claims++;
    build_list_add(&to->runs, x->run_index);
    build_list_add(&out->jobs, *ret);
    return 0;
}

static int class_of(struct expansion *x, const struct step *s, struct plan_job *j, struct err *err)
{
    struct build *b = x->b;
    struct err inner = { 0 };

    j->numeric_class =
        build_text(b, s->kind->id == KIND_EXEC ? PLAN_EXEC_CLASS : PLAN_NUMERIC_CLASS);
    if (!s->kind->trains || strcmp(kind_text(s->kind, &s->params, "gemm"), "openblas") != 0)
        return 0;
    if (!b->o->openblas_class)
        return step_error(x->p, s->from, err, ERR_INVALID, NULL,
                          "gemm: \"openblas\" is not available here; say gemm = \"packed\"");
    if (!*b->openblas_class) {
        int rc =
            b->o->openblas_class(b->o->arg, b->openblas_class, sizeof(b->openblas_class), &inner);
        if (rc)
            return expand_error(x, s, NULL, rc, &inner, err);
    }
    j->numeric_class = build_text(b, b->openblas_class);
    return 0;
}

/* ---- shards ---- */

static int shard_jobs(struct expansion *x, const struct step *s, struct plan_job *j,
                      uint64_t examples, struct built *out, struct err *err)
{
    const struct digest family = x->b->plan->family[j->families.v[0]].key;
    uint32_t index;

    for (uint64_t begin = 0; begin < examples; begin += s->shard) {
        j->begin = begin;
        j->end = MIN(begin + s->shard, examples);
        struct digest key = key_of_shard(&family, j->begin, j->end);
        int rc = expand_job(x, j, &key, out, &index, err);
        if (rc)
            return rc;
    }
    return 0;
}

static int family_params(const struct step *s, const struct step_task *t, int level,
                         uint64_t examples, struct params *ret, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; !rc && i < s->params.len; i++)
        rc = params_set(ret, s->params.entry[i].name, &s->params.entry[i].value, err);
    rc = rc ? rc : params_set_text(ret, "task", t->spec->name, err);
    rc = rc ? rc : params_set_int(ret, "level", level, err);
    return rc ? rc : params_set_int(ret, "examples", (int64_t)examples, err);
}

static void remember_family(struct expansion *x, struct built *out, uint32_t index,
                            uint64_t examples)
{
    struct plan_run *run = x->run;

    if (out->families_len == out->family_cap) {
        out->family_cap = out->family_cap ? 2 * out->family_cap : 16;
        out->family = mem_realloc(out->family, out->family_cap, sizeof(*out->family));
    }
    out->family[out->families_len].index = index;
    out->family[out->families_len++].examples = examples;
    run->family = mem_realloc(run->family, run->families_len + 1, sizeof(*run->family));
    run->family[run->families_len++] = (struct plan_step_family){ .step = build_text(x->b, out->id),
                                                                  .family = index,
                                                                  .examples = examples };
}

/* One (task, level) of a shard step; BASE has what all of them share. */
static int one_family(struct expansion *x, const struct step *s, const struct step_task *t,
                      int level, const struct plan_job *base, struct built *out, struct err *err)
{
    struct params params CLEANUP(params_release) = { 0 };
    struct plan_job j = *base;
    struct err inner = { 0 };
    uint64_t examples = s->examples;
    uint32_t index, list[1];
    bool is_new;
    char name[80];
    int rc;

    snprintf(name, sizeof(name), "files.%s", t->spec->name);
    if (t->file) {
        assert(j.inputs_len < PLAN_INPUTS_MAX);
        rc = build_task_input(x->b, s, t, &j.input[j.inputs_len++], &inner);
        if (rc)
            return expand_error(x, s, name, rc, &inner, err);
    }
    rc = build_count(x->b, s, t, level, &examples, &inner);
    if (rc)
        return expand_error(x, s, rc == ERR_LIMIT || !t->file ? "examples" : name, rc, &inner, err);
    rc = family_params(s, t, level, examples, &params, err);
    if (rc)
        return rc;
    j.params = &params;
    struct digest key =
        key_of_family(&j, x->b->plan, s->takes_seed, t->spec, level, split_name(s->split));
    rc = build_family(x->b, &key, &index, &is_new, err);
    if (rc)
        return rc;
    if (is_new)
        x->b->plan->family[index] =
            (struct plan_family){ .key = key,
                                  .kind = s->kind,
                                  .task = build_text(x->b, t->spec->name),
                                  .split = build_text(x->b, split_name(s->split)),
                                  .level = level };
    if (is_new && s->kind->id == KIND_SEARCH)
        x->b->plan->family[index].evaluation =
            key_of_evaluation(&j, x->b->plan, t->spec, level, split_name(s->split));
    remember_family(x, out, index, examples);
    list[0] = index;
    j.families = (struct plan_list){ .v = list, .len = 1, .cap = 1 };
    return shard_jobs(x, s, &j, examples, out, err);
}

static int shard_step(struct expansion *x, const struct step *s, const struct plan_job *base,
                      struct built *out, struct err *err)
{
    for (size_t t = 0; t < s->tasks_len; t++) {
        const struct task_spec *spec = s->task[t].spec;
        int rc = 0;
        /* The levels of a file can be taken all together. */
        if (spec->levels == 0 || (!spec->synthetic && s->levels_len == 0))
            rc = one_family(x, s, &s->task[t], 0, base, out, err);
        else if (s->levels_len == 0)
            for (int level = 1; !rc && level <= spec->levels; level++)
                rc = one_family(x, s, &s->task[t], level, base, out, err);
        else
            for (size_t i = 0; !rc && i < s->levels_len; i++)
                if (s->level[i] <= spec->levels)
                    rc = one_family(x, s, &s->task[t], s->level[i], base, out, err);
        if (rc)
            return rc;
    }
    return 0;
}

/* ---- a step ---- */

static int enter_plain(struct expansion *x, const struct step *s, struct plan_job *j,
                       struct built *out, struct err *err)
{
    struct digest key = key_of_job(j, x->b->plan, s->takes_seed, NULL);
    uint32_t index;
    int rc = expand_job(x, j, &key, out, &index, err);

    out->maker = index;
    return rc;
}

/* Jobs that differ by their number alone. */
static int enter_numbered(struct expansion *x, const struct step *s, struct plan_job *j,
                          struct built *out, struct err *err)
{
    struct params numbered CLEANUP(params_release) = { 0 };
    uint32_t index = 0;
    int rc = 0;

    for (size_t i = 0; !rc && i < s->params.len; i++)
        rc = params_set(&numbered, s->params.entry[i].name, &s->params.entry[i].value, err);
    j->params = &numbered;
    for (uint64_t n = 1; !rc && n <= s->jobs; n++) {
        rc = params_set_int(&numbered, "number", (int64_t)n, err);
        if (rc)
            break;
        struct digest key = key_of_job(j, x->b->plan, s->takes_seed, NULL);
        rc = expand_job(x, j, &key, out, &index, err);
    }
    return rc;
}

/* Read the task files before models of gigabytes are hashed: a broken line is known at once. */
static int check_files(struct expansion *x, const struct step *s, struct err *err)
{
    struct err inner = { 0 };
    char name[80];
    int rc = 0;

    for (size_t t = 0; !rc && t < s->tasks_len; t++) {
        uint64_t all = 0;
        if (!s->task[t].file)
            continue;
        snprintf(name, sizeof(name), "files.%s", s->task[t].spec->name);
        rc = build_count(x->b, s, &s->task[t], 0, &all, &inner);
        rc = expand_error(x, s, name, rc, &inner, err);
    }
    return rc;
}

static int expand_step(struct expansion *x, const struct step *s, struct built *out,
                       struct err *err)
{
    struct plan_job j = { .kind = s->kind,
                          .params = &s->params,
                          .retries = s->retries,
                          .seed = s->takes_seed ? s->seed : 0 };

    *out = (struct built){ .id = s->from->id, .maker = -1 };
    j.step = build_text(x->b, s->from->id);
    if (s->kind->id == KIND_COLLECT)
        return expand_collect(x, s->from->id, s->results_step, s->results_len, &s->params,
                              s->retries, out, err);
    (void)build_step(x->b, s->from->id, s->kind); /* shown even when all its jobs are another's */
    int rc = check_files(x, s, err);
    rc = rc ? rc : class_of(x, s, &j, err);
    rc = rc ? rc : expand_inputs(x, s, &j, err);
    if (!rc)
        rc = s->kind->shards             ? shard_step(x, s, &j, out, err)
             : s->kind->id == KIND_STAGE ? expand_stages(x, s, &j, out, err)
             : s->jobs > 1               ? enter_numbered(x, s, &j, out, err)
                                         : enter_plain(x, s, &j, out, err);
    free(j.needs.v);
    return rc;
}

/* ---- the run ---- */

static int digest_order(const void *a, const void *b)
{
    return memcmp(a, b, DIGEST_BYTES);
}

/* What of the step makes the point what it is; shards do not. */
static struct digest step_identity(const struct plan *p, const struct built *built)
{
    struct digest *part = mem_calloc(built->families_len + built->jobs.len + 1, sizeof(*part));
    struct digester d;
    size_t len = 0;

    for (size_t i = 0; i < built->families_len; i++) {
        digest_begin(&d);
        digest_add_bytes(&d, p->family[built->family[i].index].key.b, DIGEST_BYTES);
        digest_add_u64(&d, built->family[i].examples);
        part[len++] = digest_end(&d);
    }
    for (size_t i = 0; built->families_len == 0 && i < built->jobs.len; i++)
        part[len++] = p->job[built->jobs.v[i]].key;
    qsort(part, len, sizeof(*part), digest_order);
    digest_begin(&d);
    digest_add_text(&d, built->id);
    for (size_t i = 0; i < len; i++)
        digest_add_bytes(&d, part[i].b, DIGEST_BYTES);
    free(part);
    return digest_end(&d);
}

static void finish_run(struct expansion *x)
{
    struct plan_run *run = x->run;
    const size_t len = x->p->r->steps_len;
    struct digest part[RECIPE_STEPS_MAX];
    struct digester d;
    size_t parts = 0;

    for (size_t i = 0; i < len; i++)
        if (!point_lacks(x->p, i))
            part[parts++] = step_identity(x->b->plan, &x->built[i]);
    qsort(part, parts, sizeof(*part), digest_order);
    digest_begin(&d);
    digest_add_text(&d, "point-1");
    digest_add_u64(&d, run->seed);
    build_digest_params(run, &d);
    for (size_t i = 0; i < parts; i++)
        digest_add_bytes(&d, part[i].b, DIGEST_BYTES);
    run->digest = digest_end(&d);
}

/* A step of the run needs no step that is no part of it. */
static int check_present(const struct point *p, const struct step *s, struct err *err)
{
    struct step_need need[STEP_NEEDS_MAX];
    const size_t len = step_needs(s, need);

    for (size_t i = 0; i < len; i++) {
        const struct recipe_step *missing = &p->r->step[need[i].step];
        if (point_lacks(p, (size_t)need[i].step))
            return step_error(p, s->from, err, ERR_INVALID, need[i].key,
                              "\"%s\" needs \"%s\", which is no part of a run where not %s; give "
                              "\"%s\" the same condition",
                              s->from->id, missing->id, missing->when.text, s->from->id);
    }
    return 0;
}

/* The steps of the run, checked, in the order in which they need each other. */
static int make_steps(struct expansion *x, size_t *order, size_t *ret_len, struct err *err)
{
    const struct point *p = x->p;
    size_t all[RECIPE_STEPS_MAX];
    int rc = 0;

    for (size_t i = 0; !rc && i < p->r->steps_len; i++) {
        /* released by build_run(), also after an error */
        x->steps[i] = (struct step){
            .model_step = -1, .labels_step = -1, .router_step = -1, .static_step = -1
        };
        if (!point_lacks(p, i))
            rc = step_make(p, i, &x->steps[i], err);
    }
    if (!rc)
        rc = step_order(p, x->steps, p->r->steps_len, all, err);
    *ret_len = 0;
    for (size_t i = 0; !rc && i < p->r->steps_len; i++)
        if (!point_lacks(p, all[i]))
            order[(*ret_len)++] = all[i];
    for (size_t i = 0; !rc && i < p->r->steps_len; i++)
        if (!point_lacks(p, i)) {
            rc = check_present(p, &x->steps[i], err);
            rc = rc ? rc : step_check_targets(p, x->steps, &x->steps[i], err);
        }
    for (size_t i = 0; !rc && i < *ret_len; i++)
        rc = step_finish(p, x->steps, &x->steps[order[i]], err);
    return rc;
}

int build_run(struct build *b, const struct point *p, struct plan_run *run, uint32_t run_index,
              struct err *err)
{
    const size_t len = p->r->steps_len;
    struct expansion x = { .b = b, .p = p, .run = run, .run_index = run_index };
    size_t order[RECIPE_STEPS_MAX], order_len;

    x.steps = mem_calloc(len, sizeof(*x.steps));
    x.built = mem_calloc(len, sizeof(*x.built));
    int rc = make_steps(&x, order, &order_len, err);
    for (size_t i = 0; !rc && i < order_len; i++)
        rc = expand_step(&x, &x.steps[order[i]], &x.built[order[i]], err);
    if (!rc)
        finish_run(&x);
    if (!rc)
        rc = halving_add_run(b, p, x.steps, x.built, order, order_len, run_index, err);
    for (size_t i = 0; i < len; i++) {
        step_release(&x.steps[i]);
        free(x.built[i].jobs.v);
        free(x.built[i].family);
    }
    free(x.steps);
    free(x.built);
    return rc;
}
