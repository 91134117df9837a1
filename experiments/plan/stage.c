/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/plan/stage.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/macros.h"
#include "common/tasks/think.h"

static uint64_t count_of(const struct step *s, const char *name)
{
    return (uint64_t)kind_int(s->kind, &s->params, name);
}

bool stage_recipe_param(const char *name)
{
    return step_has_word("stages budget_first budget_last drops gamma interval steps steps_at",
                         name);
}

struct budget_schedule stage_budget(const struct step *s)
{
    const struct param_value *steps = kind_list(s->kind, &s->params, "steps");
    const struct param_value *at = kind_list(s->kind, &s->params, "steps_at");
    struct budget_schedule b = {
        .kind = budget_find(kind_text(s->kind, &s->params, "schedule")),
        .updates = count_of(s, "updates"),
        .first = kind_int(s->kind, &s->params, "budget_first"),
        .last = kind_int(s->kind, &s->params, "budget_last"),
        .drops = count_of(s, "drops"),
        .gamma = kind_real(s->kind, &s->params, "gamma"),
        .interval = count_of(s, "interval"),
    };

    if (steps && steps->len) {
        b.steps = steps->ints;
        b.steps_len = steps->len;
    }
    if (at && at->len) {
        b.steps_at = at->ints;
        b.steps_at_len = at->len;
    }
    return b;
}

struct adaptive_conf stage_adaptive(const struct step *s)
{
    return (struct adaptive_conf){
        .first = kind_int(s->kind, &s->params, "budget_first"),
        .last = kind_int(s->kind, &s->params, "budget_last"),
        .interval = count_of(s, "adapt_interval"),
        .reference = kind_real(s->kind, &s->params, "adapt_reference"),
        .slack = kind_real(s->kind, &s->params, "adapt_slack"),
        .rate = kind_real(s->kind, &s->params, "adapt_rate"),
        .sharpness = kind_real(s->kind, &s->params, "adapt_sharpness"),
        .memory = kind_real(s->kind, &s->params, "adapt_memory"),
    };
}

static size_t levels_of(const struct step *s)
{
    const struct param_value *v = kind_list(s->kind, &s->params, "levels");

    return v ? v->len : 1;
}

struct difficulty_conf stage_difficulty(const struct step *s)
{
    const struct param_value *mixture = kind_list(s->kind, &s->params, "mixture");
    struct difficulty_conf c = {
        .rule = difficulty_find(kind_text(s->kind, &s->params, "difficulty")),
        .levels = levels_of(s),
        .total = count_of(s, "updates"),
        .rate = kind_real(s->kind, &s->params, "difficulty_rate"),
        .target = kind_real(s->kind, &s->params, "difficulty_target"),
        .sharpness = kind_real(s->kind, &s->params, "difficulty_sharpness"),
        .width = kind_real(s->kind, &s->params, "difficulty_width"),
        .up = kind_real(s->kind, &s->params, "difficulty_up"),
        .down = kind_real(s->kind, &s->params, "difficulty_down"),
        .window = count_of(s, "difficulty_window"),
        .temperature = kind_real(s->kind, &s->params, "difficulty_temperature"),
    };

    for (size_t i = 0; i < DIFFICULTY_LEVELS_MAX; i++)
        c.mixture[i] = mixture && mixture->len > 1 && i < mixture->len ? mixture->reals[i] : 1;
    return c;
}

int64_t stage_validation_budget(const struct step *s, const struct budget_slice *slice)
{
    const enum budget_kind kind = budget_find(kind_text(s->kind, &s->params, "schedule"));
    const int64_t given = kind_int(s->kind, &s->params, "validation_budget");

    if (given || kind_int(s->kind, &s->params, "validation_examples") == 0)
        return given;
    if (params_get(&s->params, "budget_last") || (kind != BUDGET_NONE && kind != BUDGET_STEPS))
        return kind_int(s->kind, &s->params, "budget_last");
    /* Of steps: the stage's own last, so that another last step leaves the stages before alone. */
    return slice->len ? slice->budget[slice->len - 1] : 0;
}

/* ---- tasks and levels ---- */

static int check_task(const struct point *p, const struct step *st, const struct task_spec *t,
                      struct err *err)
{
    const char *prompts = task_prompts_name(st->prompts);
    bool can = t->form == TASK_ANSWER;

    if (think_prompts(st->prompts))
        can = think_task(t);
    else if (st->prompts != PROMPTS_HARNESS)
        can = t->dr_llm;
    return can ? 0
               : step_error(p, st->from, err, ERR_INVALID, "tasks",
                            "%s cannot be asked with prompts = \"%s\": its answers are not "
                            "written out; `drover tasks` tells which are",
                            t->name, prompts);
}

/* Level LEVEL of every task. */
static int check_level(const struct point *p, const struct step *st, int64_t level, struct err *err)
{
    for (size_t i = 0; i < st->tasks_len; i++) {
        const struct task_spec *t = st->task[i].spec;
        if (level > t->levels)
            return t->levels ? step_error(p, st->from, err, ERR_INVALID, "levels",
                                          "%" PRId64 ": %s has the levels 1 to %d", level, t->name,
                                          t->levels)
                             : step_error(p, st->from, err, ERR_INVALID, "levels",
                                          "%s has no levels; say levels = [0]", t->name);
        if (level == 0 && t->synthetic)
            return step_error(p, st->from, err, ERR_INVALID, "levels",
                              "0 is for tasks without levels; %s has 1 to %d", t->name, t->levels);
    }
    return 0;
}

static int check_levels(const struct point *p, struct step *st, struct err *err)
{
    const struct param_value *v = params_get(&st->params, "levels");
    bool some = false;
    int rc = 0;

    for (size_t i = 0; i < st->tasks_len; i++)
        some = some || st->task[i].spec->levels;
    if (!v && !some) { /* the default names a level */
        int64_t none = 0;
        return params_set(&st->params, "levels",
                          &(struct param_value){ .type = PARAM_INTS, .ints = &none, .len = 1 },
                          err);
    }
    if (!v)
        return check_level(p, st, 1, err);
    if (v->len < 1 || v->len > DIFFICULTY_LEVELS_MAX)
        return step_error(p, st->from, err, ERR_INVALID, "levels", "1 to %d levels, please",
                          DIFFICULTY_LEVELS_MAX);
    for (size_t i = 0; !rc && i < v->len; i++) {
        if (i && v->ints[i] <= v->ints[i - 1])
            return step_error(p, st->from, err, ERR_INVALID, "levels",
                              "%" PRId64 " comes behind %" PRId64
                              "; name each once, from easy to hard",
                              v->ints[i], v->ints[i - 1]);
        rc = check_level(p, st, v->ints[i], err);
    }
    return rc;
}

/* ---- schedule and difficulty ---- */

/* What a check of common/curriculum says about FIELD, at its place in the recipe. */
static int curriculum_error(const struct point *p, const struct step *st, int rc, const char *field,
                            const struct err *inner, struct err *err)
{
    return rc ? step_error(p, st->from, err, rc, field, "%.390s", inner->text) : 0;
}

/* Zeros that stand for "not used" in the table are refused when a recipe says them. */
static int check_decay(const struct point *p, const struct step *st, struct err *err)
{
    const struct param_value *gamma = params_get(&st->params, "gamma");
    const struct param_value *interval = params_get(&st->params, "interval");
    const bool exponential =
        budget_find(kind_text(st->kind, &st->params, "schedule")) == BUDGET_EXPONENTIAL;

    if (gamma && !(gamma->r > 0 && gamma->r < 1))
        return step_error(p, st->from, err, ERR_INVALID, "gamma",
                          "%g is not between 0 and 1; the budget is multiplied by it at each drop "
                          "(0.7 in the paper)",
                          gamma->r);
    if (interval && interval->i == 0)
        return step_error(p, st->from, err, ERR_INVALID, "interval",
                          "0 updates between two drops; say 1 or more (150 in the paper)");
    if (!exponential)
        return 0;
    if (gamma && !interval)
        return step_error(p, st->from, err, ERR_INVALID, "gamma",
                          "needs interval, the updates between two drops; or say drops = N "
                          "instead of it");
    if (gamma && params_get(&st->params, "drops"))
        return step_error(p, st->from, err, ERR_INVALID, "drops",
                          "gamma and interval say already how the budget falls; leave gamma or "
                          "drops out");
    return 0;
}

static int check_schedule(const struct point *p, const struct step *st, struct err *err)
{
    const struct budget_schedule b = stage_budget(st);
    const struct adaptive_conf a = stage_adaptive(st);
    const uint64_t stages = count_of(st, "stages");
    const char *field = NULL;
    struct err inner = { 0 };
    int rc = check_decay(p, st, err);

    if (rc)
        return rc;
    rc = budget_check(&b, &field, &inner);
    if (!rc && b.kind == BUDGET_ADAPTIVE)
        rc = adaptive_check(&a, &field, &inner);
    if (rc)
        return curriculum_error(p, st, rc, field, &inner, err);
    if (b.updates % stages)
        return step_error(p, st->from, err, ERR_INVALID, "stages",
                          "%" PRIu64 " updates do not split into %" PRIu64
                          " equal stages; say updates = %" PRIu64,
                          b.updates, stages, (b.updates / stages + 1) * stages);
    for (uint64_t k = 0; !rc && k < stages; k++) {
        struct budget_slice slice;
        rc = budget_slice(&b, k * (b.updates / stages), b.updates / stages, &slice, &inner);
    }
    return curriculum_error(p, st, rc, "stages", &inner, err);
}

static int check_difficulty(const struct point *p, const struct step *st, struct err *err)
{
    const struct param_value *mixture = kind_list(st->kind, &st->params, "mixture");
    const struct difficulty_conf d = stage_difficulty(st);
    const char *field = NULL;
    struct err inner = { 0 };

    if (mixture && mixture->len != 1 && mixture->len != d.levels)
        return step_error(p, st->from, err, ERR_INVALID, "mixture",
                          "%zu weight%s for %zu level%s; give one each, or [1] for all alike",
                          mixture->len, mixture->len == 1 ? "" : "s", d.levels,
                          d.levels == 1 ? "" : "s");
    int rc = difficulty_check(&d, &field, &inner);
    return curriculum_error(p, st, rc, field, &inner, err);
}

/* Rewards that are all equal teach nothing. */
static int check_rewards(const struct point *p, const struct step *st, struct err *err)
{
    const bool budget = budget_find(kind_text(st->kind, &st->params, "schedule")) != BUDGET_NONE;

    if (kind_real(st->kind, &st->params, "correct_weight") > 0 ||
        kind_real(st->kind, &st->params, "format_weight") > 0 ||
        (budget && kind_real(st->kind, &st->params, "length_weight") > 0))
        return 0;
    return step_error(p, st->from, err, ERR_INVALID, "correct_weight",
                      "all rewards would be 0%s; raise a weight",
                      budget ? "" : " (there is no length reward without a budget)");
}

int step_stage(const struct point *p, struct step *st, struct err *err)
{
    int rc = step_tasks(p, st, err);

    rc = rc ? rc
            : task_prompts_parse(kind_text(st->kind, &st->params, "prompts"), &st->prompts, err);
    st->split = SPLIT_TRAIN;
    st->fewshot = 0;
    for (size_t i = 0; !rc && i < st->tasks_len; i++)
        rc = check_task(p, st, st->task[i].spec, err);
    rc = rc ? rc : check_levels(p, st, err);
    rc = rc ? rc : check_schedule(p, st, err);
    rc = rc ? rc : check_difficulty(p, st, err);
    return rc ? rc : check_rewards(p, st, err);
}
