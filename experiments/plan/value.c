/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "experiments/plan/reading.h"

/* Integers, numbers when one of them has a fraction, else texts. */
static enum param_type list_type(const struct conf_value *v)
{
    enum param_type type = conf_len(v) ? PARAM_INTS : PARAM_TEXTS;

    for (size_t i = 0; i < conf_len(v); i++) {
        const enum conf_type t = conf_type(conf_at(v, i));
        if (t == CONF_REAL && type != PARAM_TEXTS)
            type = PARAM_REALS;
        else if (t != CONF_INT && t != CONF_REAL)
            type = PARAM_TEXTS;
    }
    return type;
}

static int read_list(const struct conf_value *v, struct param_value *ret, struct err *err)
{
    const size_t len = conf_len(v);
    const char *text;
    int rc = 0;

    if (len > PARAM_LIST_MAX)
        return conf_error(err, v, "a list of %zu values, at most %d are allowed", len,
                          PARAM_LIST_MAX);
    *ret = (struct param_value){ .type = list_type(v) };
    if (ret->type == PARAM_INTS)
        ret->ints = mem_calloc(len, sizeof(*ret->ints));
    else if (ret->type == PARAM_REALS)
        ret->reals = mem_calloc(len, sizeof(*ret->reals));
    else
        ret->texts = mem_calloc(len + 1, sizeof(*ret->texts));
    for (size_t i = 0; !rc && i < len; i++) {
        if (ret->type == PARAM_INTS) {
            rc = conf_int(conf_at(v, i), 1, 0, &ret->ints[i], err);
        } else if (ret->type == PARAM_REALS) {
            rc = conf_real(conf_at(v, i), 1, 0, &ret->reals[i], err);
        } else {
            rc = conf_text(conf_at(v, i), &text, err);
            if (!rc)
                ret->texts[i] = mem_strdup(text);
        }
        ret->len += rc == 0;
    }
    if (rc)
        param_value_release(ret);
    return rc;
}

struct param_value value_coerce(const struct param_spec *spec, const struct param_value *v)
{
    const enum param_type want = spec ? spec->type : v->type;
    struct param_value out = { .type = want };

    if (want == v->type)
        return param_value_copy(v);
    if (param_is_list(want) && v->type == PARAM_TEXTS && v->len == 0)
        return out; /* an empty list is one of anything */
    if (want == PARAM_REAL && v->type == PARAM_INT) {
        out.r = (double)v->i;
        return out;
    }
    if (want == PARAM_INT && v->type == PARAM_REAL && fabs(v->r) < 9e15 && v->r == floor(v->r)) {
        out.i = (int64_t)v->r;
        return out;
    }
    const bool one = v->type == PARAM_INT || v->type == PARAM_REAL;
    if (want != PARAM_REALS || (!one && v->type != PARAM_INTS))
        return param_value_copy(v);
    out.len = one ? 1 : v->len;
    out.reals = mem_calloc(out.len, sizeof(*out.reals));
    for (size_t i = 0; i < out.len; i++)
        out.reals[i] = v->type == PARAM_REAL  ? v->r
                       : v->type == PARAM_INT ? (double)v->i
                                              : (double)v->ints[i];
    return out;
}

struct param_value value_default(const struct param_spec *spec)
{
    struct param_value v = { .type = spec->type };

    assert(spec->fallback && !param_is_list(spec->type));
    if (spec->type == PARAM_INT)
        v.i = strtoll(spec->fallback, NULL, 10);
    else if (spec->type == PARAM_REAL)
        v.r = strtod(spec->fallback, NULL);
    else if (spec->type == PARAM_BOOL)
        v.i = strcmp(spec->fallback, "true") == 0;
    else
        v.s = mem_strdup(spec->fallback);
    return v;
}

int value_read(const struct conf_value *v, struct param_value *ret, struct err *err)
{
    const char *text;
    bool flag = false;
    int rc = 0;

    *ret = (struct param_value){ 0 };
    switch (conf_type(v)) {
    case CONF_INT:
        ret->type = PARAM_INT;
        return conf_int(v, 1, 0, &ret->i, err);
    case CONF_REAL:
        ret->type = PARAM_REAL;
        return conf_real(v, 1, 0, &ret->r, err);
    case CONF_BOOL:
        ret->type = PARAM_BOOL;
        rc = conf_bool(v, &flag, err);
        ret->i = flag;
        return rc;
    case CONF_TEXT:
        rc = conf_text(v, &text, err);
        if (!rc)
            *ret = (struct param_value){ .type = PARAM_TEXT, .s = mem_strdup(text) };
        return rc;
    case CONF_LIST:
    case CONF_ARRAY:
        return read_list(v, ret, err);
    case CONF_GROUP:
    case CONF_TYPES:
        break;
    }
    return conf_error(err, v, "is a group; a value is needed");
}

const char *recipe_where(const struct recipe_set *s, const char *name, const char *fallback)
{
    for (size_t i = 0; i < s->places_len; i++)
        if (strcmp(s->place[i].name, name) == 0)
            return s->place[i].where;
    return fallback;
}

int set_put(struct recipe_set *s, const char *name, const struct param_value *v, const char *where,
            struct err *err)
{
    struct err inner = { 0 };
    size_t i = 0;
    int rc = params_set(&s->values, name, v, &inner);

    if (rc)
        return err_set(err, (enum err_code)rc, "%s: %s", where, inner.text);
    while (i < s->places_len && strcmp(s->place[i].name, name) != 0)
        i++;
    if (i == s->places_len) {
        assert(s->places_len < PARAMS_MAX);
        s->places_len++;
        s->place[i].name = mem_strdup(name);
    } else {
        free(s->place[i].where);
    }
    s->place[i].where = mem_strdup(where);
    return 0;
}

void set_release(struct recipe_set *s)
{
    params_release(&s->values);
    for (size_t i = 0; i < s->places_len; i++) {
        free(s->place[i].name);
        free(s->place[i].where);
    }
    s->places_len = 0;
}
