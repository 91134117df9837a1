/* SPDX-License-Identifier: Apache-2.0 */
/* halving = { rungs; measure; better; keep; }. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "experiments/plan/keys_table.h"
#include "experiments/plan/reading.h"
#include "experiments/plan/step.h"

/* Rung V: the id of a step or { step; score; }. */
static int read_rung(struct recipe *r, const struct conf_value *v, struct err *err)
{
    const char *known[RECIPE_KEYS_MAX];
    struct recipe_rung *rung = &r->halving.rung[r->halving.rungs_len];
    const struct conf_value *step = v;
    const char *text, *score = NULL;
    int rc = 0;

    if (conf_type(v) == CONF_GROUP) {
        rc = conf_check_keys(v, recipe_key_names(KEYS_RUNG, known), err);
        rc = rc ? rc : conf_need(v, "step", CONF_TEXT, &step, err);
        if (!rc && conf_get(v, "score"))
            rc = conf_text(conf_get(v, "score"), &score, err);
    }
    rc = rc ? rc : conf_text(step, &text, err);
    if (rc)
        return rc;
    r->halving.rungs_len++;
    *rung =
        (struct recipe_rung){ .step = mem_strdup(text), .score = mem_strdup(score ? score : text) };
    struct buf where = { 0 };
    buf_printf(&where, "%s:%u: ", conf_file(v), conf_line(v));
    conf_key(v, &where);
    rung->where = buf_detach(&where);
    return 0;
}

int recipe_read_halving(struct recipe *r, const struct conf_value *root, struct err *err)
{
    static const char *const params[] = { "measure", "better", "keep" };
    const char *known[RECIPE_KEYS_MAX];
    const struct conf_value *h = conf_get(root, "halving"), *rungs;
    int rc = h ? conf_expect(h, CONF_GROUP, err) : 0;

    if (!h || rc)
        return rc;
    rc = conf_check_keys(h, recipe_key_names(KEYS_HALVING, known), err);
    rungs = conf_get(h, "rungs");
    if (!rc && (!rungs || conf_type(rungs) != CONF_ARRAY))
        rc = conf_need(h, "rungs", CONF_LIST, &rungs, err);
    if (!rc && (conf_len(rungs) < 2 || conf_len(rungs) > RECIPE_RUNGS_MAX))
        rc = conf_error(err, rungs, "2 to %d rungs are allowed", RECIPE_RUNGS_MAX);
    if (rc)
        return rc;
    r->halving.where = recipe_place(h);
    for (size_t i = 0; !rc && i < conf_len(rungs); i++)
        rc = read_rung(r, conf_at(rungs, i), err);
    for (size_t i = 0; !rc && i < ARRAY_LEN(params); i++) {
        struct param_value value CLEANUP(param_value_release) = { 0 };
        const struct conf_value *v = conf_get(h, params[i]);
        char *where CLEANUP(mem_cleanup) = v ? recipe_place(v) : NULL;
        rc = v ? value_read(v, &value, err) : 0;
        if (v && !rc)
            rc = set_put(&r->halving.set, params[i], &value, where, err);
    }
    return rc;
}

/* ---- checks ---- */

static int find_step(const struct recipe *r, const struct recipe_rung *rung, const char *id,
                     int *ret, struct err *err)
{
    const char *ids[RECIPE_STEPS_MAX + 1] = { NULL };

    *ret = recipe_find(r, id);
    if (*ret >= 0)
        return 0;
    for (size_t i = 0; i < r->steps_len; i++)
        ids[i] = r->step[i].id;
    const char *near = nearest_find(id, ids);
    return near ? err_set(err, ERR_INVALID, "%s: no step is called \"%s\"; did you mean \"%s\"?",
                          rung->where, id, near)
                : err_set(err, ERR_INVALID, "%s: no step is called \"%s\"", rung->where, id);
}

/* What a step of kind K can be judged by; NULL: by any metric that its training reports. */
static const char *const *measures_of(const struct kind *k)
{
    static const char *const search[] = { "accuracy", "oracle", "layers", NULL };
    static const char *const noop[] = { "reward", "loss", NULL };

    if (k->id == KIND_SEARCH)
        return search;
    return k->id == KIND_NOOP ? noop : NULL;
}

static int check_measure(const struct recipe *r, const struct recipe_rung *rung,
                         const struct kind *k, struct err *err)
{
    const struct recipe_halving *h = &r->halving;
    const struct param_value *v = params_get(&h->set.values, "measure");
    const char *const *known = measures_of(k);
    struct buf list CLEANUP(buf_release) = { 0 };
    const char *where = recipe_where(&h->set, "measure", h->where);

    if (k->id == KIND_COLLECT || k->id == KIND_SELECT)
        return err_set(err, ERR_INVALID,
                       "%s: a %s step has no result to judge by; name an "
                       "evaluate, search or training step as its score",
                       rung->where, k->name);
    for (size_t i = 0; known && known[i]; i++) {
        if (strcmp(known[i], v->s) == 0)
            return 0;
        buf_printf(&list, "%s%s", i ? ", " : "", known[i]);
    }
    if (!known)
        return 0;
    const char *near = nearest_find(v->s, known);
    return near ? err_set(err, ERR_INVALID,
                          "%s: halving.measure: step \"%s\" (%s) has no \"%s\"; did you mean "
                          "\"%s\"? (%s)",
                          where, rung->score, k->name, v->s, near, buf_str(&list))
                : err_set(err, ERR_INVALID,
                          "%s: halving.measure: step \"%s\" (%s) has no \"%s\"; one of %s", where,
                          rung->score, k->name, v->s, buf_str(&list));
}

/* measure, better, keep against the table of the kind select. */
static int check_values(const struct recipe_halving *h, struct err *err)
{
    struct params typed CLEANUP(params_release) = { 0 };
    const struct kind *k = kind_at(KIND_SELECT);
    struct err inner = { 0 };
    int rc = 0;

    for (size_t i = 0; !rc && i < h->set.values.len; i++) {
        struct param_value v CLEANUP(param_value_release) = { 0 };
        const struct params_entry *e = &h->set.values.entry[i];
        v = value_coerce(kind_param(k, e->name), &e->value);
        rc = params_set(&typed, e->name, &v, &inner);
    }
    rc = rc ? rc : kind_check(k, &typed, &inner);
    if (rc) {
        char name[32];
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(inner.text, ":"), inner.text);
        return err_set(err, (enum err_code)rc, "%s: halving.%s",
                       recipe_where(&h->set, name, h->where), inner.text);
    }
    if (!params_get(&typed, "measure"))
        return err_set(err, ERR_INVALID, "%s: halving.measure: missing; what decides?", h->where);
    if (params_get(&typed, "keep") && kind_real(k, &typed, "keep") <= 0)
        return err_set(err, ERR_INVALID, "%s: halving.keep: must be above 0",
                       recipe_where(&h->set, "keep", h->where));
    return 0;
}

int recipe_check_halving(const struct recipe *r, struct err *err)
{
    const struct recipe_halving *h = &r->halving;
    int rc = h->where ? check_values(h, err) : 0;

    for (size_t i = 0; !rc && i < h->rungs_len; i++) {
        int step, score;
        rc = find_step(r, &h->rung[i], h->rung[i].step, &step, err);
        rc = rc ? rc : find_step(r, &h->rung[i], h->rung[i].score, &score, err);
        for (size_t k = 0; !rc && k < i; k++)
            if (strcmp(h->rung[k].step, h->rung[i].step) == 0)
                rc = err_set(err, ERR_INVALID, "%s: \"%s\" is a rung already", h->rung[i].where,
                             h->rung[i].step);
        if (!rc && i + 1 < h->rungs_len)
            rc = check_measure(r, &h->rung[i], r->step[score].kind, err);
    }
    return rc;
}
