/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/plan/step.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "experiments/plan/reading.h"
#include "experiments/plan/stage.h"

enum { RETRIES_DEFAULT = 2 };

const struct param_value *step_value(const struct point *p, const struct recipe_step *s,
                                     const char *name, const char **ret_where)
{
    for (size_t a = 0; a < p->r->axes_len; a++) {
        const struct recipe_axis *x = &p->r->axis[a];
        if (!p->value[a] || x->step < 0 || &p->r->step[x->step] != s || strcmp(x->name, name) != 0)
            continue;
        const size_t row = (size_t)(p->value[a] - x->value);
        if (ret_where)
            *ret_where = x->at && x->at[row] ? x->at[row] : x->where;
        return p->value[a];
    }
    if (ret_where)
        *ret_where = recipe_where(&s->set, name, s->where);
    return params_get(&s->set.values, name);
}

int step_error(const struct point *p, const struct recipe_step *s, struct err *err, int code,
               const char *name, const char *format, ...)
{
    const char *where = s->where;
    char text[400];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (name)
        (void)step_value(p, s, name, &where);
    return err_set(err, (enum err_code)code, "%s: steps[%zu]%s%s: %s", where, s->index,
                   name ? "." : "", name ? name : "", text);
}

bool step_has_word(const char *list, const char *word)
{
    size_t len = strlen(word);

    for (const char *at = list; (at = strstr(at, word)) != NULL; at += len)
        if ((at == list || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
            return true;
    return false;
}

/* ---- the kind's own parameters ---- */

/* kind_check() begins its text with the parameter's name: find the place by it. */
static int kind_error(const struct point *p, const struct recipe_step *s, int code, struct err *err)
{
    char name[64], text[sizeof(err->text)]; /* a copy: ERR is written to */
    size_t len = strcspn(err->text, ":");

    if (len >= sizeof(name) || err->text[len] != ':')
        return code;
    memcpy(name, err->text, len);
    name[len] = '\0';
    snprintf(text, sizeof(text), "%s", err->text + len + 1 + (err->text[len + 1] == ' '));
    return step_error(p, s, err, code, name, "%s", text);
}

static int take_params(const struct point *p, struct step *st, struct err *err)
{
    const struct recipe_step *s = st->from;
    int rc = 0;

    for (size_t i = 0; !rc && i < st->kind->params_len; i++) {
        const struct param_spec *spec = &st->kind->params[i];
        const struct param_value *v = step_value(p, s, spec->name, NULL);
        if (!v || step_planner_param(st->kind, spec->name))
            continue;
        struct param_value typed CLEANUP(param_value_release) = value_coerce(spec, v);
        rc = params_set(&st->params, spec->name, &typed, err);
    }
    return rc;
}

/* Check against the table as the job will be, with a stand-in for what the planner fills in later.
 */
static int check_params(const struct point *p, struct step *st, struct err *err)
{
    struct params full CLEANUP(params_release) = { 0 };
    struct err inner = { 0 };
    int rc = 0;

    for (size_t i = 0; !rc && i < st->params.len; i++)
        rc = params_set(&full, st->params.entry[i].name, &st->params.entry[i].value, &inner);
    if (!rc && st->kind->shards) {
        rc = params_set_text(&full, "task", "math", &inner);
        if (!rc && !params_get(&full, "examples"))
            rc = params_set_int(&full, "examples", 1, &inner);
    }
    if (!rc)
        rc = kind_check(st->kind, &full, &inner);
    if (!rc)
        return 0;
    rc = kind_error(p, st->from, rc, &inner);
    if (err)
        *err = inner;
    return rc;
}

/* ---- the keys that every kind shares ---- */

int step_count(const struct point *p, const struct recipe_step *s, const char *name,
               uint64_t fallback, uint64_t min, uint64_t max, uint64_t *ret, struct err *err)
{
    const struct param_value *v = step_value(p, s, name, NULL);

    *ret = fallback;
    if (!v)
        return 0;
    if (v->type != PARAM_INT)
        return step_error(p, s, err, ERR_INVALID, name, "must be an integer");
    if (v->i < 0 || (uint64_t)v->i < min || (uint64_t)v->i > max)
        return step_error(p, s, err, ERR_INVALID, name,
                          "%lld is out of range; allowed are %llu to %llu", (long long)v->i,
                          (unsigned long long)min, (unsigned long long)max);
    *ret = (uint64_t)v->i;
    return 0;
}

static int take_seed(const struct point *p, struct step *st, struct err *err)
{
    const struct param_value *v = step_value(p, st->from, "seed", NULL);

    st->takes_seed = *st->kind->seed_drives != '\0';
    if (!v)
        return 0;
    if (v->type == PARAM_TEXT && strcmp(v->s, "run") == 0)
        st->seed = p->seed;
    else if (v->type == PARAM_INT && v->i >= 0)
        st->seed = (uint64_t)v->i;
    else
        return step_error(p, st->from, err, ERR_INVALID, "seed",
                          "must be \"run\" or an integer of at least 0");
    return 0;
}

/* Entry NAME as text in *RET, NULL when absent. */
int step_text(const struct point *p, const struct recipe_step *s, const char *name,
              const char **ret, struct err *err)
{
    const struct param_value *v = step_value(p, s, name, NULL);

    *ret = NULL;
    if (!v)
        return 0;
    if (v->type != PARAM_TEXT)
        return step_error(p, s, err, ERR_INVALID, name, "must be text");
    *ret = v->s;
    return 0;
}

/* A path of the recipe in *RET (free() it): absolute ones stay, others start at the recipe's
 * folder. */
int step_path(const struct point *p, const struct recipe_step *s, const char *name,
              const char *text, char **ret, struct err *err)
{
    struct buf path = { 0 };

    if (!*text)
        return step_error(p, s, err, ERR_INVALID, name,
                          "is empty; name a file, or give the recipe's variable with --set "
                          "paths.NAME=FILE");
    if (*text != '/')
        buf_printf(&path, "%s/", p->r->dir);
    buf_adds(&path, text);
    *ret = buf_detach(&path);
    return 0;
}

static int fill(const struct point *p, struct step *st, struct err *err)
{
    uint64_t retries;
    int rc = take_params(p, st, err);

    rc = rc ? rc : check_params(p, st, err);
    rc = rc ? rc : take_seed(p, st, err);
    rc = rc ? rc : step_count(p, st->from, "retries", RETRIES_DEFAULT, 0, 100, &retries, err);
    if (rc)
        return rc;
    st->retries = (uint32_t)retries;
    rc = step_resources(p, st, err);
    if (rc)
        return rc;
    if (step_has_word(st->kind->inputs, "model"))
        rc = step_model(p, st, err);
    if (!rc && step_has_word(st->kind->inputs, "labels"))
        rc = step_labels(p, st, err);
    if (!rc && step_has_word(st->kind->inputs, "router"))
        rc = step_router(p, st, err);
    if (!rc && st->kind->id == KIND_SEARCH)
        rc = step_starts(p, st, err);
    if (!rc && kind_param(st->kind, "routing"))
        rc = step_routing(p, st, err);
    if (!rc && st->kind->id == KIND_COLLECT)
        rc = step_results(p, st, err);
    if (rc)
        return rc;
    if (st->kind->id == KIND_STAGE)
        return step_stage(p, st, err);
    if (st->kind->id == KIND_EXEC)
        return step_exec(p, st, err);
    return st->kind->shards ? step_examples(p, st, err) : step_check_drawn(p, st, err);
}

int step_make(const struct point *p, size_t index, struct step *ret, struct err *err)
{
    const struct recipe_step *from = &p->r->step[index];

    *ret = (struct step){ .from = from,
                          .kind = from->kind,
                          .model_step = -1,
                          .labels_step = -1,
                          .router_step = -1,
                          .static_step = -1 };
    int rc = fill(p, ret, err);
    if (rc)
        step_release(ret);
    return rc;
}

void step_release(struct step *s)
{
    params_release(&s->params);
    for (size_t i = 0; i < s->tasks_len; i++)
        free(s->task[i].file);
    free(s->model_path);
    free(s->tokenizer);
    step_exec_release(s);
    *s = (struct step){ 0 };
}
