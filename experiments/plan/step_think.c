/* SPDX-License-Identifier: Apache-2.0 */
/* A pretrain step that teaches written reasoning, and steps that ask for it: what the jobs would
 * refuse is refused here. */
#include <string.h>

#include "common/tasks/think.h"
#include "common/tasks/trace.h"
#include "experiments/plan/step.h"

/* Weights of the styles; the table's default when the step says none. */
static int take_weights(const struct point *p, const struct step *st, double weight[TRACE_STYLES],
                        struct err *err)
{
    const struct param_value *v = kind_list(st->kind, &st->params, "traces");
    double sum = 0;

    if (v && v->len != TRACE_STYLES)
        return step_error(p, st->from, err, ERR_INVALID, "traces",
                          "%zu weights; verbose, mixed, merged, sparse and direct make %d", v->len,
                          TRACE_STYLES);
    for (size_t i = 0; i < TRACE_STYLES; i++)
        sum += weight[i] = v ? v->reals[i] : 1;
    if (!(sum > 0))
        return step_error(p, st->from, err, ERR_INVALID, "traces",
                          "all weights are 0; one must be above");
    return 0;
}

static int check_length(const struct point *p, const struct step *st, const char *task, int level,
                        enum trace_style style, struct err *err)
{
    const struct param_value *budgets = kind_list(st->kind, &st->params, "budgets");
    int64_t positions = kind_int(st->kind, &st->params, "positions"), most = 0;

    for (size_t i = 0; budgets && i < budgets->len; i++)
        most = MAX(most, budgets->ints[i]);
    size_t rows = trace_positions(task, level, style, (size_t)most);
    if ((int64_t)rows <= positions)
        return 0;
    return step_error(p, st->from, err, ERR_INVALID, "positions",
                      "a problem of %s level %d and its %s trace take %zu tokens, more than %lld; "
                      "raise positions or leave the level out",
                      task, level, trace_style_name(style), rows, (long long)positions);
}

int step_think(const struct point *p, struct step *st, struct err *err)
{
    const struct param_value *tasks = params_get(&st->params, "tasks");
    const struct param_value *levels = kind_list(st->kind, &st->params, "levels");
    double weight[TRACE_STYLES];
    int rc = take_weights(p, st, weight, err);

    for (size_t t = 0; rc == 0 && tasks && t < tasks->len; t++) {
        const char *task = tasks->texts[t];

        if (!trace_task(task))
            return step_error(p, st->from, err, ERR_INVALID, "tasks",
                              "%s has no written traces; prompts = \"think\" is for math and logic",
                              task);
        for (int i = 0; rc == 0 && i < (levels ? (int)levels->len : 6); i++)
            rc = check_length(p, st, task, levels ? (int)levels->ints[i] : i + 1,
                              trace_longest(weight), err);
    }
    return rc;
}

int step_think_target(const struct point *p, const struct step *steps, const struct step *st,
                      struct err *err)
{
    const struct step *from = st;

    if (!think_prompts(st->prompts))
        return 0;
    /* a circle of models is found later */
    for (size_t i = 0; i < p->r->steps_len && from->model_step >= 0; i++)
        from = &steps[from->model_step];
    if (from->kind->id != KIND_PRETRAIN)
        return 0;
    if (st->prompts == PROMPTS_THINK_CHAT)
        return step_error(p, st->from, err, ERR_INVALID, "prompts",
                          "\"think_chat\" needs a model with a chat template, which that of step "
                          "\"%s\" has not; say prompts = \"think\"",
                          from->from->id);
    if (strcmp(kind_text(from->kind, &from->params, "prompts"), "think") == 0)
        return 0;
    return step_error(p, st->from, err, ERR_INVALID, "model",
                      "step \"%s\" teaches no visible reasoning, which is asked for here; say "
                      "prompts = \"think\" there",
                      from->from->id);
}
