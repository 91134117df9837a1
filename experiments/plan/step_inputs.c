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
    if (!id && !path && step_has_word(st->kind->optional, "model"))
        return 0;
    if (!id && !path)
        return step_error(p, s, err, ERR_INVALID, NULL,
                          "model: missing; name a step that makes one, or { path = \"...\"; }");
    if (id && strpbrk(id, "/.") == NULL && *id) {
        rc = take_step(p, s, "model", id, &st->model_step, err);
        return rc;
    }
    rc = step_path(p, s, id ? "model" : "model.path", id ? id : path, &st->model_path, err);
    if (!rc && tokenizer && *tokenizer)
        rc = step_path(p, s, "model.tokenizer", tokenizer, &st->tokenizer, err);
    return rc;
}

int step_labels(const struct point *p, struct step *st, struct err *err)
{
    const struct recipe_step *s = st->from;
    const char *id;
    int rc = step_text(p, s, "labels", &id, err);

    if (rc)
        return rc;
    const struct param_value *routing = params_get(&st->params, "routing");
    bool by_labels = routing && routing->type == PARAM_TEXT && strcmp(routing->s, "labels") == 0;
    if (!id) {
        if (by_labels)
            return step_error(p, s, err, ERR_INVALID, "routing",
                              "\"labels\" needs labels = \"<search or collect step>\"");
        return 0;
    }
    if (routing && !by_labels)
        return step_error(p, s, err, ERR_INVALID, "routing",
                          "a step with labels runs by them; say routing = \"labels\" or leave the "
                          "labels out");
    rc = take_step(p, s, "labels", id, &st->labels_step, err);
    if (rc)
        return rc;
    if (kind_param(st->kind, "routing"))
        rc = params_set_text(&st->params, "routing", "labels", err);
    return rc;
}

/* One path for all examples. Its length is the worker's to check: it has the model. */
int step_path_routing(const struct point *p, struct step *st, struct err *err)
{
    const struct recipe_step *s = st->from;
    const struct param_value *path = params_get(&st->params, "path"),
                             *routing = params_get(&st->params, "routing");
    bool by_path = routing && routing->type == PARAM_TEXT && strcmp(routing->s, "path") == 0;

    if (!path || path->len == 0)
        return by_path ? step_error(p, s, err, ERR_INVALID, "routing",
                                    "\"path\" needs path = [1, 0, 2...]: per layer 0 skip, 1 "
                                    "execute, 2 repeat")
                       : 0;
    if (st->labels_step >= 0)
        return step_error(p, s, err, ERR_INVALID, "path",
                          "a step with labels runs by them; leave the path or the labels out");
    if (routing && !by_path)
        return step_error(p, s, err, ERR_INVALID, "path", "needs routing = \"path\", not \"%s\"",
                          routing->s);
    return params_set_text(&st->params, "routing", "path", err);
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

int step_check_targets(const struct point *p, const struct step *st, struct err *err)
{
    const struct recipe_step *all = p->r->step, *s = st->from;

    if (st->model_step >= 0 && !step_has_word(all[st->model_step].kind->outputs, "model"))
        return step_error(p, s, err, ERR_INVALID, "model", "step \"%s\" (%s) makes no model",
                          all[st->model_step].id, all[st->model_step].kind->name);
    if (st->model_step >= 0 && all[st->model_step].kind->id == KIND_NOOP &&
        st->kind->id != KIND_NOOP)
        return step_error(p, s, err, ERR_INVALID, "model",
                          "step \"%s\" does nothing: its model is for noop steps only",
                          all[st->model_step].id);
    if (st->labels_step >= 0 && all[st->labels_step].kind->id != KIND_SEARCH &&
        !step_has_word(all[st->labels_step].kind->outputs, "labels"))
        return step_error(p, s, err, ERR_INVALID, "labels", "step \"%s\" (%s) makes no labels",
                          all[st->labels_step].id, all[st->labels_step].kind->name);
    for (size_t i = 0; i < st->results_len; i++)
        if (all[st->results_step[i]].kind->id != KIND_SEARCH)
            return step_error(p, s, err, ERR_INVALID, "results", "step \"%s\" (%s) is no search",
                              all[st->results_step[i]].id, all[st->results_step[i]].kind->name);
    return 0;
}
