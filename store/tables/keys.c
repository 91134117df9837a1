/* SPDX-License-Identifier: Apache-2.0 */
/* keys.c - what facts are grouped and chosen by (pivot.h). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "common/conf/cond.h"
#include "store/tables/pivot.h"
#include "store/tables/spec_private.h"

static const struct {
    const char *name;
    int key;
} words[] = { { "task", KEY_TASK },     { "level", KEY_LEVEL }, { "split", KEY_SPLIT },
              { "subset", KEY_SUBSET }, { "step", KEY_STEP },   { "experiment", KEY_EXPERIMENT },
              { "seed", KEY_SEED } };

bool key_is_of_examples(int key)
{
    return key < 0 && key != KEY_EXPERIMENT && key != KEY_SEED;
}

const char **pivot_key_names(const struct pivot *p)
{
    const char **names = mem_calloc(ARRAY_LEN(words) + p->params + 1, sizeof *names);

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        names[i] = words[i].name;
    for (size_t i = 0; i < p->params; i++)
        names[ARRAY_LEN(words) + i] = p->param[i];
    return names;
}

/* The key called NAME; false when there is none. */
static bool find(const struct pivot *p, const char *name, int *ret)
{
    size_t found = 0;

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcmp(words[i].name, name) == 0) {
            *ret = words[i].key;
            return true;
        }
    }
    for (size_t i = 0; i < p->params; i++) {
        if (strcmp(p->param[i], name) == 0) {
            *ret = (int)i;
            return true;
        }
    }
    for (size_t i = 0; i < p->params; i++) { /* "schedule" is train.schedule when there is one */
        size_t len = strlen(p->param[i]), end = strlen(name);

        if (len > end && p->param[i][len - end - 1] == '.' &&
            strcmp(p->param[i] + len - end, name) == 0) {
            *ret = (int)i;
            found++;
        }
    }
    return found == 1;
}

static int unknown(const struct pivot *p, const char *name, const struct conf_value *v,
                   struct err *err)
{
    CLEANUP(mem_cleanup) const char **names = pivot_key_names(p);
    CLEANUP(buf_release) struct buf list = { 0 };
    const char *near = nearest_find(name, names);

    for (size_t i = 0; names[i] && list.len < 250; i++)
        buf_printf(&list, "%s%s", i ? ", " : "", names[i]);
    if (!near)
        return spec_error(err, ERR_INVALID, v, "no key or parameter \"%s\"; there are %s", name,
                          buf_str(&list));
    return spec_error(err, ERR_INVALID, v,
                      "no key or parameter \"%s\"; did you mean \"%s\"? There are %s", name, near,
                      buf_str(&list));
}

int pivot_find_key(const struct pivot *p, const char *name, const struct conf_value *v, int *ret,
                   struct err *err)
{
    return find(p, name, ret) ? 0 : unknown(p, name, v, err);
}

const char *pivot_key(struct pivot *p, const struct sums *x, int key)
{
    const struct pivot_run *run = &p->run[x->run];
    char text[24];

    if (x->number && key_is_of_examples(key))
        return "";
    switch (key) {
    case KEY_TASK:
        return x->task;
    case KEY_SPLIT:
        return x->split;
    case KEY_SUBSET:
        return x->subset;
    case KEY_STEP:
        return x->step;
    case KEY_EXPERIMENT:
        return p->experiment[run->experiment].name;
    case KEY_LEVEL:
        snprintf(text, sizeof text, "%d", x->level);
        return names_intern(&p->names, text);
    case KEY_SEED:
        snprintf(text, sizeof text, "%llu", (unsigned long long)run->seed);
        return names_intern(&p->names, text);
    default:
        return run->value[key] ? run->value[key] : names_intern(&p->names, "");
    }
}

struct cond_value key_value(const char *text)
{
    struct cond_value ret = { .type = COND_UNSET };
    char *end;

    if (text[0] == '\0')
        return ret;
    ret = (struct cond_value){ .type = COND_TEXT, .text = text };
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        ret = (struct cond_value){ .type = COND_BOOL, .truth = text[0] == 't' };
    ret.number = strtod(text, &end);
    if (ret.type == COND_TEXT && !*end && isfinite(ret.number))
        ret.type = COND_NUMBER;
    return ret;
}

struct lookup {
    struct pivot *p;
    const struct sums *x;
    const struct conf_value *v;
};

static int look_up(void *arg, const char *name, struct cond_value *ret, struct err *err)
{
    struct lookup *l = arg;
    int key, rc = pivot_find_key(l->p, name, NULL, &key, err);

    if (rc < 0)
        return rc;
    if (l->x->number && key_is_of_examples(key)) /* stands in every row of its run */
        *ret = (struct cond_value){ .type = COND_ANY };
    else
        *ret = key_value(pivot_key(l->p, l->x, key));
    return 0;
}

int pivot_holds(struct pivot *p, const struct cond *c, const struct sums *x,
                const struct conf_value *v, bool *ret, struct err *err)
{
    struct lookup l = { p, x, v };
    struct err inner = { 0 };

    if (cond_eval(c, look_up, &l, ret, &inner) < 0)
        return spec_error(err, inner.code, v, "%s", inner.text);
    return 0;
}
