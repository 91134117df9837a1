/* SPDX-License-Identifier: Apache-2.0 */
/* The set of named values: owned copies, sorted by name. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/kinds/kinds.h"

void param_value_release(struct param_value *v)
{
    free(v->s);
    free(v->ints);
    free(v->reals);
    for (size_t i = 0; v->texts && i < v->len; i++)
        free(v->texts[i]);
    free(v->texts);
    *v = (struct param_value){ 0 };
}

struct param_value param_value_copy(const struct param_value *v)
{
    struct param_value copy = { .type = v->type, .i = v->i, .r = v->r, .len = v->len };

    if (v->type == PARAM_TEXT)
        copy.s = mem_strdup(v->s);
    if (v->type == PARAM_INTS && v->len)
        copy.ints = mem_dup(v->ints, v->len * sizeof(*v->ints));
    if (v->type == PARAM_REALS && v->len)
        copy.reals = mem_dup(v->reals, v->len * sizeof(*v->reals));
    if (v->type == PARAM_TEXTS) {
        copy.texts = mem_calloc(v->len ? v->len : 1, sizeof(*copy.texts));
        for (size_t i = 0; i < v->len; i++)
            copy.texts[i] = mem_strdup(v->texts[i]);
    }
    return copy;
}

void params_release(struct params *p)
{
    for (size_t i = 0; i < p->len; i++) {
        free(p->entry[i].name);
        param_value_release(&p->entry[i].value);
    }
    free(p->entry);
    *p = (struct params){ 0 };
}

int params_set(struct params *p, const char *name, const struct param_value *v, struct err *err)
{
    size_t at = 0;

    assert((unsigned)v->type < PARAM_TYPES);
    if (v->len > PARAM_LIST_MAX)
        return err_set(err, ERR_LIMIT, "%s: a list of %zu values, at most %d are allowed", name,
                       v->len, PARAM_LIST_MAX);
    while (at < p->len && strcmp(p->entry[at].name, name) < 0)
        at++;
    if (at < p->len && strcmp(p->entry[at].name, name) == 0) {
        struct param_value copy = param_value_copy(v);
        param_value_release(&p->entry[at].value);
        p->entry[at].value = copy;
        return 0;
    }
    if (p->len == PARAMS_MAX)
        return err_set(err, ERR_LIMIT, "%s: more than %d parameters", name, PARAMS_MAX);
    if (p->len == p->cap) {
        p->cap = p->cap ? 2 * p->cap : 8;
        p->entry = mem_realloc(p->entry, p->cap, sizeof(*p->entry));
    }
    memmove(&p->entry[at + 1], &p->entry[at], (p->len - at) * sizeof(p->entry[0]));
    p->len++;
    p->entry[at].name = mem_strdup(name);
    p->entry[at].value = param_value_copy(v);
    return 0;
}

int params_set_int(struct params *p, const char *name, int64_t v, struct err *err)
{
    return params_set(p, name, &(struct param_value){ .type = PARAM_INT, .i = v }, err);
}

int params_set_real(struct params *p, const char *name, double v, struct err *err)
{
    return params_set(p, name, &(struct param_value){ .type = PARAM_REAL, .r = v }, err);
}

int params_set_text(struct params *p, const char *name, const char *v, struct err *err)
{
    struct param_value value = { .type = PARAM_TEXT, .s = (char *)v };

    return params_set(p, name, &value, err);
}

const struct param_value *params_get(const struct params *p, const char *name)
{
    for (size_t i = 0; i < p->len; i++)
        if (strcmp(p->entry[i].name, name) == 0)
            return &p->entry[i].value;
    return NULL;
}

static void print_text(const char *s, struct buf *out)
{
    buf_addc(out, '"');
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            buf_addc(out, '\\');
        buf_addc(out, *s);
    }
    buf_addc(out, '"');
}

/* The shortest of %.15g, %.16g, %.17g that reads back as the same number. */
static void print_real(double r, struct buf *out)
{
    char text[40];

    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, r);
        if (strtod(text, NULL) == r)
            break;
    }
    buf_adds(out, text);
}

void param_print(const struct param_value *v, struct buf *out)
{
    switch (v->type) {
    case PARAM_INT:
        buf_printf(out, "%lld", (long long)v->i);
        break;
    case PARAM_REAL:
        print_real(v->r, out);
        break;
    case PARAM_BOOL:
        buf_adds(out, v->i ? "true" : "false");
        break;
    case PARAM_TEXT:
        print_text(v->s, out);
        break;
    case PARAM_INTS:
    case PARAM_TEXTS:
    case PARAM_REALS:
        buf_addc(out, '[');
        for (size_t i = 0; i < v->len; i++) {
            buf_adds(out, i ? ", " : "");
            if (v->type == PARAM_INTS)
                buf_printf(out, "%lld", (long long)v->ints[i]);
            else if (v->type == PARAM_REALS)
                print_real(v->reals[i], out);
            else
                print_text(v->texts[i], out);
        }
        buf_addc(out, ']');
        break;
    case PARAM_TYPES:
        assert(false);
    }
}
