/* SPDX-License-Identifier: Apache-2.0 */
/* The conditions of a recipe: what their names are, and what they are worth at a point. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "common/conf/cond.h"
#include "experiments/plan/reading.h"
#include "experiments/plan/step.h"

/* ---- names ---- */

static int unknown_key(const struct recipe *r, const struct recipe_cond *c, int step,
                       const char *name, struct err *err)
{
    const char *known[STEP_NAMES_MAX];
    const struct recipe_step *s = &r->step[step];

    step_known_names(s->kind, known);
    const char *near = nearest_find(name, known);
    return near ? err_set(err, ERR_INVALID,
                          "%s: %s.%s: a %s step has no such key; did you mean %s.%s?", c->where,
                          s->id, name, s->kind->name, s->id, near)
                : err_set(err, ERR_INVALID, "%s: %s.%s: a %s step has no such key", c->where, s->id,
                          name, s->kind->name);
}

static int check_name(const struct recipe *r, const struct recipe_cond *c, const char *name,
                      struct err *err)
{
    const char *rest;
    int step;

    if (strcmp(name, "seed") == 0)
        return 0;
    if (strncmp(name, "vars.", 5) == 0 || strncmp(name, "paths.", 6) == 0)
        return recipe_variable(r, name, c->where, NULL, err);
    if (!strchr(name, '.'))
        return err_set(err, ERR_INVALID,
                       "%s: \"%s\" names no value; say STEP.PARAMETER, seed or vars.NAME, and put "
                       "quotes around texts",
                       c->where, name);
    int rc = recipe_target(r, name, c->where, &step, &rest, err);
    if (rc || step_knows_name(r->step[step].kind, rest))
        return rc;
    return unknown_key(r, c, step, rest, err);
}

static int compile(const struct recipe *r, struct recipe_cond *c, struct err *err)
{
    const char *name;
    int rc = 0;

    if (!c->text)
        return 0;
    rc = cond_parse(c->text, &c->cond, err);
    if (rc)
        return err_wrap(err, rc, "%s", c->where);
    for (size_t i = 0; !rc && (name = cond_name(c->cond, i)) != NULL; i++)
        rc = check_name(r, c, name, err);
    return rc;
}

/* ---- which entry's condition needs which entry ---- */

enum mark { NEW, ON_THE_WAY, PLACED };

struct circle {
    struct recipe *r;
    enum mark mark[RECIPE_ENTRIES_MAX];
    size_t chain[RECIPE_ENTRIES_MAX], chain_len, placed;
};

static int name_circle(const struct circle *w, size_t again, struct err *err)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    size_t from = 0;

    while (w->chain[from] != again)
        from++;
    for (size_t i = from; i < w->chain_len; i++)
        buf_printf(&text, "sweep[%zu] -> ", w->r->entry[w->chain[i]].index);
    buf_printf(&text, "sweep[%zu]", w->r->entry[again].index);
    return err_set(err, ERR_INVALID, "%s: the conditions need each other in a circle: %s",
                   w->r->entry[again].when.where, buf_str(&text));
}

/* At most RECIPE_ENTRIES_MAX deep. */
static int visit(struct circle *w, size_t i, struct err *err)
{
    const struct recipe *r = w->r;
    const char *name;
    int rc = 0;

    if (w->mark[i] == PLACED)
        return 0;
    if (w->mark[i] == ON_THE_WAY)
        return name_circle(w, i, err);
    w->mark[i] = ON_THE_WAY;
    w->chain[w->chain_len++] = i;
    for (size_t n = 0; r->entry[i].when.cond && !rc; n++) {
        name = cond_name(r->entry[i].when.cond, n);
        if (!name)
            break;
        for (size_t a = 0; !rc && a < r->axes_len; a++)
            if (strcmp(r->axis[a].target, name) == 0)
                rc = visit(w, r->axis[a].entry, err);
    }
    if (rc)
        return rc;
    w->chain_len--;
    w->mark[i] = PLACED;
    w->r->order[w->placed++] = i;
    return 0;
}

/* The condition of a step is written among its values, so that --set can replace it. */
static int take_when(struct recipe_step *s, struct err *err)
{
    const struct param_value *v = params_get(&s->set.values, "when");
    struct buf where = { 0 };

    if (!v)
        return 0;
    buf_printf(&where, "%s: steps[%zu].when", recipe_where(&s->set, "when", s->where), s->index);
    s->when.where = buf_detach(&where);
    if (v->type != PARAM_TEXT && v->type != PARAM_BOOL)
        return err_set(err, ERR_INVALID, "%s: must be a condition in quotes", s->when.where);
    s->when.text = mem_strdup(v->type == PARAM_TEXT ? v->s : v->i ? "true" : "false");
    return 0;
}

int recipe_compile(struct recipe *r, struct err *err)
{
    struct circle w = { .r = r };
    int rc = 0;

    for (size_t i = 0; !rc && i < r->steps_len; i++) {
        rc = take_when(&r->step[i], err);
        rc = rc ? rc : compile(r, &r->step[i].when, err);
    }
    for (size_t i = 0; !rc && i < r->entries_len; i++)
        rc = compile(r, &r->entry[i].when, err);
    for (size_t i = 0; !rc && i < r->excludes_len; i++)
        rc = compile(r, &r->exclude[i], err);
    for (size_t i = 0; !rc && i < r->entries_len; i++)
        rc = visit(&w, i, err);
    return rc;
}

/* ---- values at a point ---- */

struct scope {
    const struct point *p;
    struct buf text[2]; /* lists as text: a comparison has two sides */
    unsigned turn;
};

/* A list is its text. */
static void as_cond_value(struct scope *s, const struct param_value *v, struct cond_value *ret)
{
    struct buf *text;

    switch (v->type) {
    case PARAM_INT:
        *ret = (struct cond_value){ .type = COND_NUMBER, .number = (double)v->i };
        break;
    case PARAM_REAL:
        *ret = (struct cond_value){ .type = COND_NUMBER, .number = v->r };
        break;
    case PARAM_BOOL:
        *ret = (struct cond_value){ .type = COND_BOOL, .truth = v->i != 0 };
        break;
    case PARAM_TEXT:
        *ret = (struct cond_value){ .type = COND_TEXT, .text = v->s };
        break;
    case PARAM_INTS:
    case PARAM_TEXTS:
    case PARAM_REALS:
        text = &s->text[s->turn++ % 2];
        buf_clear(text);
        param_print(v, text);
        *ret = (struct cond_value){ .type = COND_TEXT, .text = buf_str(text) };
        break;
    case PARAM_TYPES:
        break;
    }
}

static int look_up(void *arg, const char *name, struct cond_value *ret, struct err *err)
{
    struct scope *s = arg;
    const struct recipe *r = s->p->r;
    const struct param_value *v = NULL;
    struct param_value own CLEANUP(param_value_release) = { 0 };
    const char *rest;
    int step, rc;

    if (strcmp(name, "seed") == 0) {
        *ret = (struct cond_value){ .type = COND_NUMBER, .number = (double)s->p->seed };
        return 0;
    }
    if (strncmp(name, "vars.", 5) == 0 || strncmp(name, "paths.", 6) == 0) {
        rc = recipe_variable(r, name, "", &v, err);
        if (!rc)
            as_cond_value(s, v, ret);
        return rc;
    }
    rc = recipe_target(r, name, "", &step, &rest, err);
    if (rc)
        return rc;
    if (point_lacks(s->p, (size_t)step))
        return 0; /* not set */
    v = step_value(s->p, &r->step[step], rest, NULL);
    const struct param_spec *spec = kind_param(r->step[step].kind, rest);
    if (v && spec && spec->type == PARAM_REALS) {
        own = value_coerce(spec, v);
        as_cond_value(s, &own, ret);
    } else if (v) {
        as_cond_value(s, v, ret);
    } else if (spec && spec->fallback) {
        if (param_is_list(spec->type) || spec->type == PARAM_TEXT) {
            *ret = (struct cond_value){ .type = COND_TEXT, .text = spec->fallback };
        } else {
            own = value_default(spec);
            as_cond_value(s, &own, ret);
        }
    }
    return 0;
}

int point_holds(const struct point *p, const struct recipe_cond *c, bool *ret, struct err *err)
{
    struct scope s = { .p = p };
    struct err inner = { 0 };
    int rc = 0;

    *ret = true;
    if (c->cond)
        rc = cond_eval(c->cond, look_up, &s, ret, &inner);
    buf_release(&s.text[0]);
    buf_release(&s.text[1]);
    return rc ? err_set(err, (enum err_code)rc, "%s: %s", c->where, inner.text) : 0;
}
