/* SPDX-License-Identifier: Apache-2.0 */
/* What a step's jobs read from other steps' jobs. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "experiments/plan/expand.h"

static void add_produced(struct plan_job *j, const char *name, uint32_t producer, bool folder)
{
    assert(j->inputs_len < PLAN_INPUTS_MAX);
    j->input[j->inputs_len++] = (struct plan_input){ .name = name,
                                                     .source = PLAN_OUTPUT,
                                                     .path = "",
                                                     .producer = producer,
                                                     .output = name,
                                                     .folder = folder };
    build_list_add(&j->needs, producer);
}

/* ---- one model behind everything ---- */

static const struct plan_input *model_of(const struct plan *p, const struct built *built)
{
    const struct plan_job *j = &p->job[built->jobs.v[0]];

    for (size_t i = 0; i < j->inputs_len; i++)
        if (strcmp(j->input[i].name, "model") == 0)
            return &j->input[i];
    return NULL;
}

static bool same_model(const struct plan_input *a, const struct plan_input *b)
{
    if (a->source != b->source)
        return false;
    return a->source == PLAN_OUTPUT ? a->producer == b->producer
                                    : digest_equal(&a->digest, &b->digest);
}

static const char *model_name(struct expansion *x, int step)
{
    const struct step *s = &x->steps[step];

    return s->model_step >= 0 ? x->p->r->step[s->model_step].id : s->model_path;
}

/* The model behind step INDEX, built before, is that of OWNER, whose input is MODEL. KEY of S names
 * INDEX. */
static int check_model(struct expansion *x, const struct step *s, const char *key, int index,
                       int owner, const struct plan_input *model, struct err *err)
{
    const int other = step_model_owner(x->steps, index);
    const struct plan_input *theirs = model_of(x->b->plan, &x->built[other]);

    if (!theirs || same_model(model, theirs))
        return 0;
    return step_error(x->p, s->from, err, ERR_INVALID, key,
                      "\"%s\" is of the model \"%s\", \"%s\" of \"%s\"; labels, routers and paths "
                      "are good for their own model only",
                      x->p->r->step[index].id, model_name(x, other), x->p->r->step[owner].id,
                      model_name(x, owner));
}

/* A label set is of one model. */
static int check_one_model(struct expansion *x, const char *id, const int *steps, size_t steps_len,
                           struct err *err)
{
    const int maker = recipe_find(x->p->r, id); /* -1: the planner's own, of one search */
    const int first = step_model_owner(x->steps, steps[0]);
    const struct plan_input *model = model_of(x->b->plan, &x->built[first]);
    int rc = 0;

    for (size_t i = 1; !rc && maker >= 0 && model && i < steps_len; i++)
        rc = check_model(x, &x->steps[maker], "results", steps[i], first, model, err);
    return rc;
}

/* ---- collect ---- */

static int by_key(const void *a, const void *b, void *arg)
{
    const struct plan *p = arg;
    const struct digest *x = &p->family[*(const uint32_t *)a].key;
    const struct digest *y = &p->family[*(const uint32_t *)b].key;
    return memcmp(x->b, y->b, DIGEST_BYTES);
}

/* Families of the examples of STEPS, each once with the largest count, sorted by key so that the
 * order in which tasks or steps are written is no part of the identity. */
static void collect_families(struct expansion *x, const int *steps, size_t steps_len,
                             struct plan_job *j, uint64_t **ret_examples)
{
    struct plan_list all = { 0 };
    uint64_t *examples;

    for (size_t i = 0; i < steps_len; i++)
        for (size_t k = 0; k < x->built[steps[i]].families_len; k++)
            build_list_add(&all, x->built[steps[i]].family[k].index);
    qsort_r(all.v, all.len, sizeof(*all.v), by_key, x->b->plan);
    examples = mem_calloc(all.len, sizeof(*examples));
    for (size_t f = 0; f < all.len; f++)
        for (size_t i = 0; i < steps_len; i++)
            for (size_t k = 0; k < x->built[steps[i]].families_len; k++)
                if (x->built[steps[i]].family[k].index == all.v[f])
                    examples[f] = MAX(examples[f], x->built[steps[i]].family[k].examples);
    j->families = all;
    *ret_examples = examples;
}

int expand_collect(struct expansion *x, const char *id, const int *steps, size_t steps_len,
                   const struct params *params, uint32_t retries, struct built *out,
                   struct err *err)
{
    struct plan_job j = { .kind = kind_at(KIND_COLLECT), .params = params, .retries = retries };
    uint64_t *examples = NULL;
    uint32_t index;

    j.step = build_text(x->b, id);
    j.numeric_class = build_text(x->b, PLAN_NUMERIC_CLASS);
    j.input[0] =
        (struct plan_input){ .name = "results", .source = PLAN_RESULTS, .path = "", .output = "" };
    j.inputs_len = 1;
    for (size_t i = 0; i < steps_len; i++)
        for (size_t k = 0; k < x->built[steps[i]].jobs.len; k++)
            build_list_add(&j.needs, x->built[steps[i]].jobs.v[k]);
    collect_families(x, steps, steps_len, &j, &examples);
    struct digest key = key_of_job(&j, x->b->plan, false, examples);
    int rc = check_one_model(x, id, steps, steps_len, err);
    rc = rc ? rc : expand_job(x, &j, &key, out, &index, err);
    for (size_t i = 0; !rc && i < steps_len; i++)
        build_reads(x->b, id, x->built[steps[i]].id);
    if (!rc) {
        struct plan_job *to = &x->b->plan->job[index];
        /* expand_job sorts by index; here the order by key counts */
        memcpy(to->families.v, j.families.v, j.families.len * sizeof(*j.families.v));
        if (!to->family_examples)
            to->family_examples = mem_dup(examples, j.families.len * sizeof(*examples));
        out->maker = index;
    }
    free(examples);
    free(j.families.v);
    free(j.needs.v);
    return rc;
}

static void collect_id(const char *search, char *out, size_t size)
{
    snprintf(out, size, "%.100s.collect", search);
}

/* The job that makes the labels of step INDEX: a search gets its collect when somebody first asks.
 */
static int labels_maker(struct expansion *x, int index, uint32_t *ret, struct err *err)
{
    struct built *made = &x->built[index];
    struct params none = { 0 };
    char id[160];

    if (made->maker < 0) {
        struct built collect = { .maker = -1 };
        collect_id(made->id, id, sizeof(id));
        int rc = expand_collect(x, id, &index, 1, &none, x->steps[index].retries, &collect, err);
        free(collect.jobs.v);
        if (rc)
            return rc;
        made->maker = collect.maker;
    }
    *ret = (uint32_t)made->maker;
    return 0;
}

/* ---- the files that a router reads its labels' questions from ---- */

/* The file of TASK as step FROM reads it, for S, whose entry KEY leads there. */
static int add_task_file(struct expansion *x, const struct step *s, const char *key,
                         const struct step *from, const struct step_task *task, struct plan_job *j,
                         struct err *err)
{
    struct plan_input input;
    struct err inner = { 0 };
    char name[80];

    int rc = build_task_input(x->b, from, task, &input, &inner);
    if (rc)
        return expand_error(x, s, key, rc, &inner, err);
    snprintf(name, sizeof(name), "task_file.%s", task->spec->name);
    input.name = build_text(x->b, name);
    for (size_t i = 0; i < j->inputs_len; i++)
        if (strcmp(j->input[i].name, name) == 0)
            return digest_equal(&j->input[i].digest, &input.digest)
                       ? 0
                       : step_error(
                             x->p, s->from, err, ERR_INVALID, key,
                             "these labels are of two files of %s, %s and %s; train a router "
                             "on one of them",
                             task->spec->name, j->input[i].path, input.path);
    if (j->inputs_len + (s->kind->id == KIND_STAGE) == PLAN_INPUTS_MAX) /* a stage has a state */
        return step_error(x->p, s->from, err, ERR_LIMIT, key,
                          "%s of more than %d tasks that are read from files",
                          s == from ? "the problems are" : "the labels are", PLAN_INPUTS_MAX - 2);
    j->input[j->inputs_len++] = input;
    return 0;
}

static int input_order(const void *a, const void *b)
{
    const struct plan_input *x = a, *y = b;

    return strcmp(x->name, y->name);
}

static int add_task_files(struct expansion *x, const struct step *s, struct plan_job *j,
                          struct err *err)
{
    int source[STEP_RESULTS_MAX];
    const size_t sources = step_sources(x->steps, s->labels_step, source), first = j->inputs_len;
    int rc = 0;

    for (size_t i = 0; !rc && i < sources; i++) {
        const struct step *from = &x->steps[source[i]];
        for (size_t t = 0; !rc && t < from->tasks_len; t++)
            if (from->task[t].file)
                rc = add_task_file(x, s, "labels", from, &from->task[t], j, err);
    }
    /* the order of tasks is no part of the key */
    qsort(&j->input[first], j->inputs_len - first, sizeof(j->input[0]), input_order);
    return rc;
}

/* A stage's tasks are its own. */
static int add_own_files(struct expansion *x, const struct step *s, struct plan_job *j,
                         struct err *err)
{
    const size_t first = j->inputs_len;
    int rc = 0;

    for (size_t t = 0; !rc && t < s->tasks_len; t++)
        if (s->task[t].file)
            rc = add_task_file(x, s, "tasks", s, &s->task[t], j, err);
    qsort(&j->input[first], j->inputs_len - first, sizeof(j->input[0]), input_order);
    return rc;
}

/* ---- a step ---- */

static int add_model(struct expansion *x, const struct step *s, struct plan_job *j, struct err *err)
{
    struct err inner = { 0 };

    if (s->model_step >= 0) {
        const struct built *from = &x->built[s->model_step];
        assert(from->maker >= 0);
        /* a stage's jobs are in the order of its stages */
        const uint32_t maker =
            s->model_stage ? from->jobs.v[s->model_stage - 1] : (uint32_t)from->maker;
        /* a noop's model is 64 bytes, any other's a folder */
        add_produced(j, "model", maker, x->steps[s->model_step].kind->id != KIND_NOOP);
        if (*s->model_output)
            j->input[j->inputs_len - 1].output = build_text(x->b, s->model_output);
        build_reads(x->b, s->from->id, x->built[s->model_step].id);
    } else if (s->model_path) {
        int rc =
            build_model_input(x->b, s->model_path, s->tokenizer, &j->input[j->inputs_len], &inner);
        if (rc)
            return expand_error(x, s,
                                params_get(&s->from->set.values, "model") ? "model" : "model.path",
                                rc, &inner, err);
        j->inputs_len++;
    }
    return 0;
}

static int add_labels(struct expansion *x, const struct step *s, struct plan_job *j,
                      struct err *err)
{
    const struct step *from = &x->steps[s->labels_step];
    uint32_t maker;
    char id[160];

    int rc = labels_maker(x, s->labels_step, &maker, err);
    if (rc)
        return rc;
    collect_id(from->from->id, id, sizeof(id));
    build_reads(x->b, s->from->id, from->kind->id == KIND_COLLECT ? from->from->id : id);
    add_produced(j, "labels", maker, false);
    return 0;
}

/* Output NAME of step INDEX, which is one job. */
static void add_output(struct expansion *x, const struct step *s, int index, const char *name,
                       bool folder, struct plan_job *j)
{
    assert(x->built[index].maker >= 0);
    add_produced(j, name, (uint32_t)x->built[index].maker, folder);
    build_reads(x->b, s->from->id, x->built[index].id);
}

/* The job's own model, which is its first input, is that of all it reads. */
static int check_models(struct expansion *x, const struct step *s, const struct plan_job *j,
                        struct err *err)
{
    struct step_need need[STEP_NEEDS_MAX];
    const size_t len = step_needs(s, need);
    int rc = 0;

    if (s->kind->id == KIND_EXEC) /* a program may bring several together */
        return 0;
    for (size_t i = 0; !rc && i < len && j->inputs_len; i++)
        if (strcmp(need[i].key, "model") != 0 && strcmp(j->input[0].name, "model") == 0)
            rc = check_model(x, s, need[i].key, need[i].step, (int)(s - x->steps), &j->input[0],
                             err);
    return rc;
}

static int add_exec_inputs(struct expansion *x, const struct step *s, struct plan_job *j,
                           struct err *err)
{
    for (size_t i = 0; i < s->inputs_len; i++) {
        const struct step_input *in = &s->input[i];
        struct plan_input made = { .path = "", .output = "" };
        struct err inner = { 0 };
        char name[40];
        snprintf(name, sizeof(name), "input.%s", in->name);
        assert(j->inputs_len < PLAN_INPUTS_MAX);
        if (in->step < 0) {
            int rc = build_path_input(x->b, in->path, &made, &inner);
            if (rc)
                return expand_error(x, s, in->key, rc, &inner, err);
        } else {
            const struct built *from = &x->built[in->step];
            const char *output = in->output;
            bool folder = false;
            assert(from->maker >= 0);
            (void)step_makes(&x->steps[in->step], in->output, &output, &folder);
            made.source = PLAN_OUTPUT;
            made.producer = (uint32_t)from->maker;
            made.output = build_text(x->b, output);
            made.folder = folder;
            build_list_add(&j->needs, made.producer);
            build_reads(x->b, s->from->id, from->id);
        }
        made.name = build_text(x->b, name);
        j->input[j->inputs_len++] = made;
    }
    return 0;
}

int expand_inputs(struct expansion *x, const struct step *s, struct plan_job *j, struct err *err)
{
    int rc = add_model(x, s, j, err);

    rc = rc ? rc : check_models(x, s, j, err);
    if (!rc && s->labels_step >= 0)
        rc = add_labels(x, s, j, err);
    if (rc)
        return rc;
    if (s->router_step >= 0)
        add_output(x, s, s->router_step, "router", true, j);
    if (s->static_step >= 0)
        add_output(x, s, s->static_step, "paths", false, j);
    if (s->kind->id == KIND_STAGE)
        return add_own_files(x, s, j, err);
    if (s->kind->id == KIND_EXEC)
        return add_exec_inputs(x, s, j, err);
    return s->kind->id == KIND_ROUTER ? add_task_files(x, s, j, err) : 0;
}
