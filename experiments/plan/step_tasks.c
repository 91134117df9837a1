/* SPDX-License-Identifier: Apache-2.0 */
/* Which examples a step works on. */
#include <stdio.h>
#include <string.h>

#include "common/tasks/think.h"
#include "experiments/plan/step.h"

enum { SHARD_DEFAULT = 50 };

static int step_find_task(const struct point *p, const struct recipe_step *s, const char *name,
                          const struct task_spec **ret, struct err *err)
{
    struct err inner = { 0 };
    int rc = task_must_find(name, ret, &inner);

    return rc ? step_error(p, s, err, rc, "tasks", "%.390s", inner.text) : 0;
}

static int take_file(const struct point *p, struct step *st, struct step_task *t, struct err *err)
{
    char name[80];
    const char *text;

    snprintf(name, sizeof(name), "files.%s", t->spec->name);
    int rc = step_text(p, st->from, name, &text, err);
    if (rc)
        return rc;
    if (t->spec->synthetic)
        return text ? step_error(p, st->from, err, ERR_INVALID, name,
                                 "%s is a synthetic task and reads no file", t->spec->name)
                    : 0;
    if (!text) { /* a path of the recipe that is called as the task is everybody's */
        const struct param_value *v = params_get(&p->r->paths.values, t->spec->name);
        text = v && v->type == PARAM_TEXT && *v->s ? v->s : NULL;
    }
    if (!text)
        return step_error(p, st->from, err, ERR_INVALID, NULL,
                          "files.%s: missing; say files = { %s = \"FILE OR FOLDER\"; } in the step "
                          "or paths = { %s = ... } for all (`drover tasks` tells what is read)",
                          t->spec->name, t->spec->name, t->spec->name);
    return step_path(p, st->from, name, text, &t->file, err);
}

int step_tasks(const struct point *p, struct step *st, struct err *err)
{
    const struct recipe_step *s = st->from;
    const struct param_value *v = step_value(p, s, "tasks", NULL);

    if (!v)
        return step_error(p, s, err, ERR_INVALID, NULL, "tasks: missing; e.g. tasks = [\"math\"]");
    if (v->type != PARAM_TEXTS || v->len == 0)
        return step_error(p, s, err, ERR_INVALID, "tasks", "must be a list of task names");
    if (v->len > STEP_TASKS_MAX)
        return step_error(p, s, err, ERR_LIMIT, "tasks", "more than %d tasks", STEP_TASKS_MAX);
    for (size_t i = 0; i < v->len; i++) {
        struct step_task *t = &st->task[st->tasks_len];
        int rc = step_find_task(p, s, v->texts[i], &t->spec, err);
        for (size_t k = 0; !rc && k < i; k++)
            if (st->task[k].spec == t->spec)
                rc = step_error(p, s, err, ERR_INVALID, "tasks", "\"%s\" twice", v->texts[i]);
        if (rc)
            return rc;
        st->tasks_len++;
        rc = take_file(p, st, t, err);
        if (rc)
            return rc;
    }
    for (size_t i = 0; i < s->set.values.len; i++) {
        const char *name = s->set.values.entry[i].name;
        bool known = strncmp(name, "files.", 6) != 0;
        for (size_t k = 0; !known && k < st->tasks_len; k++)
            known = strcmp(name + 6, st->task[k].spec->name) == 0;
        if (!known)
            return step_error(p, s, err, ERR_INVALID, name, "this step has no task of that name");
    }
    return 0;
}

static int take_levels(const struct point *p, struct step *st, struct err *err)
{
    const struct recipe_step *s = st->from;
    const struct param_value *v = step_value(p, s, "levels", NULL);
    int max = 0;

    if (!v || (v->type == PARAM_TEXTS && v->len == 0)) /* [] is all, too */
        return 0;
    for (size_t i = 0; i < st->tasks_len; i++)
        max = MAX(max, st->task[i].spec->levels);
    if (max == 0)
        return step_error(p, s, err, ERR_INVALID, "levels", "%s has no levels",
                          st->task[0].spec->name);
    if (v->type != PARAM_INTS || v->len == 0)
        return step_error(p, s, err, ERR_INVALID, "levels", "must be a list of integers");
    if (v->len > STEP_LEVELS_MAX)
        return step_error(p, s, err, ERR_LIMIT, "levels", "more than %d levels", STEP_LEVELS_MAX);
    for (size_t i = 0; i < v->len; i++) {
        if (v->ints[i] < 1 || v->ints[i] > max)
            return step_error(p, s, err, ERR_INVALID, "levels",
                              "%lld is out of range; allowed are 1 to %d", (long long)v->ints[i],
                              max);
        for (size_t k = 0; k < i; k++)
            if (v->ints[k] == v->ints[i])
                return step_error(p, s, err, ERR_INVALID, "levels", "%lld twice",
                                  (long long)v->ints[i]);
        st->level[st->levels_len++] = (int)v->ints[i];
    }
    return 0;
}

/* Which prompts, and how many worked examples in front. */
static int take_prompts(const struct point *p, struct step *st, struct err *err)
{
    const struct recipe_step *s = st->from;
    int rc = task_prompts_parse(kind_text(st->kind, &st->params, "prompts"), &st->prompts, err);

    st->fewshot = (int)kind_int(st->kind, &st->params, "fewshot");
    for (size_t i = 0; !rc && i < st->tasks_len; i++) {
        const struct task_spec *t = st->task[i].spec;

        if (think_prompts(st->prompts) ? !think_task(t)
                                       : st->prompts != PROMPTS_HARNESS && !t->dr_llm)
            rc = step_error(p, s, err, ERR_INVALID, "prompts",
                            "%s has no %s prompt, only harness; put it in a step of its own",
                            t->name, task_prompts_name(st->prompts));
        else if (st->fewshot > 0 && t->synthetic)
            rc = step_error(p, s, err, ERR_INVALID, "fewshot",
                            "%s is a synthetic task without worked examples", t->name);
    }
    return rc;
}

int step_examples(const struct point *p, struct step *st, struct err *err)
{
    const struct recipe_step *s = st->from;
    uint64_t retries_max = 1000000;
    int rc = step_tasks(p, st, err);

    rc = rc ? rc : take_levels(p, st, err);
    rc = rc ? rc : take_prompts(p, st, err);
    rc = rc ? rc : split_parse(kind_text(st->kind, &st->params, "split"), &st->split, err);
    rc = rc ? rc : step_count(p, s, "shard", SHARD_DEFAULT, 1, retries_max, &st->shard, err);
    if (rc)
        return rc;
    const struct param_value *v = params_get(&st->params, "examples");
    st->examples = v ? (uint64_t)v->i : 0;
    for (size_t i = 0; i < st->tasks_len; i++)
        if (!v && st->task[i].spec->synthetic)
            return step_error(p, s, err, ERR_INVALID, NULL,
                              "examples: missing; how many of each level of %s?",
                              st->task[i].spec->name);
    return 0;
}

/* Training draws its own problems, so every task must be one that can be drawn. */
int step_check_drawn(const struct point *p, struct step *st, struct err *err)
{
    const struct param_value *v = params_get(&st->params, "tasks");
    const struct task_spec *spec;

    for (size_t i = 0; v && i < v->len; i++) {
        int rc = step_find_task(p, st->from, v->texts[i], &spec, err);
        if (rc)
            return rc;
        if (!spec->synthetic)
            return step_error(p, st->from, err, ERR_INVALID, "tasks",
                              "%s is read from a file; only synthetic tasks can be drawn for "
                              "training",
                              spec->name);
    }
    if (st->kind->id == KIND_PRETRAIN &&
        strcmp(kind_text(st->kind, &st->params, "prompts"), "think") == 0)
        return step_think(p, st, err);
    return 0;
}
