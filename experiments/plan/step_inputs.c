/* SPDX-License-Identifier: Apache-2.0 */
/* Where a step's model, labels and results come from. */
#include <stdlib.h>
#include <string.h>

#include "common/base/nearest.h"
#include "experiments/plan/step.h"

/* Step ID that entry NAME refers to, or an error with the nearest known id. */
static int take_step(const struct point *p, const struct recipe_step *s, const char *name,
                     const char *id, int *ret, struct err *err)
{
    const char *ids[RECIPE_STEPS_MAX + 1] = { NULL };

    *ret = recipe_find(p->r, id);
    if (*ret >= 0)
        return 0;
    for (size_t i = 0; i < p->r->steps_len; i++)
        ids[i] = p->r->step[i].id;
    const char *near = nearest_find(id, ids);
    if (near)
        return step_error(p, s, err, ERR_INVALID, name,
                          "no step is called \"%s\"; did you mean \"%s\"?", id, near);
    if (strcmp(name, "model") == 0)
        return step_error(p, s, err, ERR_INVALID, name,
                          "no step is called \"%s\"; a file or folder is written \"./%s\"", id, id);
    return step_error(p, s, err, ERR_INVALID, name, "no step is called \"%s\"", id);
}

/* "train.2": stage 2 of step "train". Is ID so written, of a step that there is? */
static bool take_stage(const struct point *p, const char *id, struct step *st)
{
    const char *dot = strrchr(id, '.');
    char name[128];
    uint64_t stage = 0;

    if (!dot || strchr(id, '/') || (size_t)(dot - id) >= sizeof(name) || !dot[1])
        return false;
    for (const char *c = dot + 1; *c; c++) {
        if (*c < '0' || *c > '9' || c - dot > 6)
            return false;
        stage = 10 * stage + (uint64_t)(*c - '0');
    }
    memcpy(name, id, (size_t)(dot - id));
    name[dot - id] = '\0';
    st->model_step = recipe_find(p->r, name);
    st->model_stage = stage ? stage : UINT64_MAX; /* there is no stage 0 */
    return st->model_step >= 0;
}

int step_model(const struct point *p, struct step *st, struct err *err)
{
    const struct recipe_step *s = st->from;
    const char *id, *path, *tokenizer;
    int rc = step_text(p, s, "model", &id, err);

    rc = rc ? rc : step_text(p, s, "model.path", &path, err);
    rc = rc ? rc : step_text(p, s, "model.tokenizer", &tokenizer, err);
    if (rc)
        return rc;
    if (id && path)
        return step_error(p, s, err, ERR_INVALID, "model", "given twice");
    if (!id && !path) /* it may follow from the labels: step_finish() */
        return 0;
    if (id && (take_stage(p, id, st) || step_exec_output(p, id, &st->model_step, st->model_output)))
        return 0;
    if (id && strpbrk(id, "/.") == NULL && *id) {
        rc = take_step(p, s, "model", id, &st->model_step, err);
        return rc;
    }
    rc = step_path(p, s, id ? "model" : "model.path", id ? id : path, &st->model_path, err);
    if (!rc && tokenizer && *tokenizer)
        rc = step_path(p, s, "model.tokenizer", tokenizer, &st->tokenizer, err);
    return rc;
}

/* Step that entry NAME names, if it is there. */
static int take_optional(const struct point *p, const struct recipe_step *s, const char *name,
                         int *ret, struct err *err)
{
    const char *id;
    int rc = step_text(p, s, name, &id, err);

    return rc || !id ? rc : take_step(p, s, name, id, ret, err);
}

int step_labels(const struct point *p, struct step *st, struct err *err)
{
    int rc = take_optional(p, st->from, "labels", &st->labels_step, err);

    if (rc || st->labels_step >= 0 || st->kind->id == KIND_EVALUATE)
        return rc;
    return step_error(
        p, st->from, err, ERR_INVALID, NULL,
        st->kind->id == KIND_SELECT
            ? "labels: missing; name a search step with method = \"enumerate\"; to go "
              "on with the best candidates only, say halving = { ... }"
            : "labels: missing; name a search step, or a collect step of some");
}

int step_router(const struct point *p, struct step *st, struct err *err)
{
    int rc = take_optional(p, st->from, "router", &st->router_step, err);

    return rc ? rc : take_optional(p, st->from, "static", &st->static_step, err);
}

int step_starts(const struct point *p, struct step *st, struct err *err)
{
    const bool enumerates = strcmp(kind_text(st->kind, &st->params, "method"), "enumerate") == 0;
    int rc = take_optional(p, st->from, "starts", &st->static_step, err);

    if (rc == 0 && st->static_step >= 0 && !enumerates)
        return step_error(p, st->from, err, ERR_INVALID, "starts",
                          "needs method = \"enumerate\"; other methods begin at the default path");
    if (rc == 0 && enumerates && st->static_step < 0 &&
        kind_int(st->kind, &st->params, "depth") == 0)
        return step_error(p, st->from, err, ERR_INVALID, "depth",
                          "0 needs starts = \"<select step>\": the paths that are evaluated");
    return rc;
}

int step_results(const struct point *p, struct step *st, struct err *err)
{
    const struct recipe_step *s = st->from;
    const struct param_value *v = step_value(p, s, "results", NULL);

    if (!v)
        return step_error(p, s, err, ERR_INVALID, NULL,
                          "results: missing; name the search step to collect");
    if (v->type != PARAM_TEXT && v->type != PARAM_TEXTS)
        return step_error(p, s, err, ERR_INVALID, "results", "must be a step's id or a list");
    size_t len = v->type == PARAM_TEXT ? 1 : v->len;
    if (len > STEP_RESULTS_MAX)
        return step_error(p, s, err, ERR_LIMIT, "results", "more than %d steps", STEP_RESULTS_MAX);
    for (size_t i = 0; i < len; i++) {
        const char *id = v->type == PARAM_TEXT ? v->s : v->texts[i];
        int rc = take_step(p, s, "results", id, &st->results_step[i], err);
        if (rc)
            return rc;
    }
    st->results_len = len;
    return 0;
}

static int no_maker(const struct point *p, const struct step *st, const char *key,
                    const struct step *from, const char *what, struct err *err)
{
    return step_error(p, st->from, err, ERR_INVALID, key, "step \"%s\" (%s) %s", from->from->id,
                      from->kind->name, what);
}

/* Routers and static paths are learnt from searched paths, the latter from all of them. */
static int check_searched(const struct point *p, const struct step *steps, const struct step *st,
                          struct err *err)
{
    int source[STEP_RESULTS_MAX];
    const size_t len = step_sources(steps, st->labels_step, source);

    for (size_t i = 0; i < len; i++) {
        const struct step *from = &steps[source[i]];
        if (from->kind->id != KIND_SEARCH)
            return no_maker(p, st, "labels", from, "has searched no labels; name a search", err);
        const char *method = kind_text(from->kind, &from->params, "method");
        if (st->kind->id == KIND_SELECT && strcmp(method, "enumerate") != 0 &&
            strcmp(method, "all") != 0)
            return step_error(p, st->from, err, ERR_INVALID, "labels",
                              "\"%s\" searches with method = \"%s\", which tries other paths for "
                              "each example, and a static path is judged by all of them; name a "
                              "search with method = \"enumerate\"",
                              from->from->id, method);
    }
    return 0;
}

static int check_labels(const struct point *p, const struct step *steps, const struct step *st,
                        struct err *err)
{
    const struct step *from = &steps[st->labels_step];
    int source[STEP_RESULTS_MAX];

    if (from->kind->id != KIND_SEARCH && from->kind->id != KIND_EVALUATE &&
        from->kind->id != KIND_COLLECT)
        return no_maker(p, st, "labels", from, "makes no labels", err);
    if (st->kind->id != KIND_EVALUATE)
        return check_searched(p, steps, st, err);
    const char *routing = kind_text(st->kind, &st->params, "routing");
    if (strcmp(routing, "random") == 0 || strcmp(routing, "shuffled") == 0)
        return 0;
    (void)step_sources(steps, st->labels_step, source); /* a collect is of one kind */
    if (steps[source[0]].kind->id == KIND_EVALUATE)
        return no_maker(p, st, "labels", &steps[source[0]],
                        "makes no labels; its paths serve routing = \"random\" and \"shuffled\"",
                        err);
    return 0;
}

static int check_results(const struct point *p, const struct step *steps, const struct step *st,
                         struct err *err)
{
    const struct step *first = &steps[st->results_step[0]];

    for (size_t i = 0; i < st->results_len; i++) {
        const struct step *from = &steps[st->results_step[i]];
        if (from->kind->id != KIND_SEARCH && from->kind->id != KIND_EVALUATE)
            return no_maker(p, st, "results", from, "is no search", err);
        if (from->kind != first->kind)
            return step_error(p, st->from, err, ERR_INVALID, "results",
                              "\"%s\" is a %s and \"%s\" a %s step; collect them apart",
                              first->from->id, first->kind->name, from->from->id, from->kind->name);
    }
    return 0;
}

int step_check_targets(const struct point *p, const struct step *steps, const struct step *st,
                       struct err *err)
{
    const struct step *model = st->model_step >= 0 ? &steps[st->model_step] : NULL;

    if (model && model->kind->id == KIND_EXEC) {
        const char *name;
        bool folder;
        if (!step_makes(model, *st->model_output ? st->model_output : "model", &name, &folder) ||
            !folder)
            return no_maker(p, st, "model", model,
                            "declares no such folder; say outputs = [\"model/\"] there", err);
    } else if (model && !step_has_word(model->kind->outputs, "model"))
        return no_maker(p, st, "model", model, "makes no model", err);
    if (model && !step_makes_model(model))
        return no_maker(p, st, "model", model,
                        model->jobs > 1 ? "is many jobs; name a step that makes one model"
                                        : "makes nothing",
                        err);
    if (model && model->kind->id == KIND_NOOP && st->kind->id != KIND_NOOP)
        return step_error(p, st->from, err, ERR_INVALID, "model",
                          "step \"%s\" does nothing: its model is for noop steps only",
                          model->from->id);
    if (st->kind->id == KIND_EXEC)
        return step_exec_targets(p, steps, st, err);
    if (model && st->model_stage) {
        const uint64_t stages = model->kind->id != KIND_STAGE
                                    ? 0
                                    : (uint64_t)kind_int(model->kind, &model->params, "stages");
        if (!stages)
            return no_maker(p, st, "model", model, "has no stages", err);
        if (st->model_stage > stages)
            return step_error(p, st->from, err, ERR_INVALID, "model",
                              "step \"%s\" has the stages 1 to %llu", model->from->id,
                              (unsigned long long)stages);
    }
    if (st->router_step >= 0 && steps[st->router_step].kind->id != KIND_ROUTER)
        return no_maker(p, st, "router", &steps[st->router_step], "makes no router", err);
    if (st->static_step >= 0 && steps[st->static_step].kind->id != KIND_SELECT)
        return no_maker(p, st, st->kind->id == KIND_SEARCH ? "starts" : "static",
                        &steps[st->static_step], "chooses no paths; name a select step", err);
    int rc = step_think_target(p, steps, st, err);
    rc = rc || st->labels_step < 0 ? rc : check_labels(p, steps, st, err);
    return rc || st->results_len == 0 ? rc : check_results(p, steps, st, err);
}
