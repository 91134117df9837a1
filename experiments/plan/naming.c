/* SPDX-License-Identifier: Apache-2.0 */
/* What the parameters of a run are called and worth, and whether there is such a run already. */
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "experiments/plan/build.h"
#include "experiments/plan/naming.h"
#include "experiments/plan/reading.h"

struct naming_axis {
    const char **text; /* of each row; NULL: not printed yet */
    const char *own;
    const struct param_spec *spec;
};

/* Texts are interned, so that equal ones are equal pointers. */
struct naming_point {
    struct {
        uint64_t seed;
        const char *value[RECIPE_AXES_MAX];
    } key;
    UT_hash_handle hh;
};

struct naming {
    struct build *b;
    struct naming_axis axis[RECIPE_AXES_MAX];
    struct naming_point *seen; /* hash */
};

static const char *print(struct build *b, const struct param_spec *spec,
                         const struct param_value *v)
{
    struct param_value typed CLEANUP(param_value_release) = value_coerce(spec, v);
    struct buf text CLEANUP(buf_release) = { 0 };

    param_print(&typed, &text);
    return build_text(b, buf_str(&text));
}

/* The step's own value, else the kind's default, else nothing. */
static const char *own_text(struct build *b, const struct recipe_axis *a,
                            const struct param_spec *spec)
{
    const struct param_value *v = params_get(&b->r->step[a->step].set.values, a->name);

    if (v)
        return print(b, spec, v);
    if (!spec || !spec->fallback)
        return build_text(b, "");
    if (param_is_list(spec->type))
        return build_text(b, spec->fallback);
    struct param_value value CLEANUP(param_value_release) = value_default(spec);
    return print(b, spec, &value);
}

struct naming *naming_new(struct build *b)
{
    struct naming *n = mem_calloc(1, sizeof(*n));

    n->b = b;
    for (size_t i = 0; i < b->r->axes_len; i++) {
        const struct recipe_axis *a = &b->r->axis[i];
        if (a->step < 0)
            continue;
        n->axis[i].spec = kind_param(b->r->step[a->step].kind, a->name);
        n->axis[i].text = mem_calloc(a->len + 1, sizeof(*n->axis[i].text));
        n->axis[i].own = own_text(b, a, n->axis[i].spec);
        b->plan->axis[b->plan->axes_len++] = build_text(b, a->target);
    }
    return n;
}

void naming_free(struct naming *n)
{
    struct naming_point *p, *next;

    if (!n)
        return;
    HASH_ITER(hh, n->seen, p, next)
    {
        HASH_DEL(n->seen, p);
        free(p);
    }
    for (size_t i = 0; i < RECIPE_AXES_MAX; i++)
        free(n->axis[i].text);
    free(n);
}

void naming_cleanup(struct naming **n)
{
    naming_free(*n);
}

static const char *value_text(struct naming *n, const struct point *p, size_t i)
{
    const struct recipe_axis *a = &p->r->axis[i];
    struct naming_axis *x = &n->axis[i];

    if (point_lacks(p, (size_t)a->step))
        return build_text(n->b, "");
    if (!p->value[i])
        return x->own;
    const char **text = &x->text[p->value[i] - a->value];
    if (!*text)
        *text = print(n->b, x->spec, p->value[i]);
    return *text;
}

bool naming_run(struct naming *n, const struct point *p, struct plan_run *run)
{
    struct naming_point *known = NULL, *new = mem_calloc(1, sizeof(*new));
    size_t len = 0;

    new->key.seed = p->seed;
    for (size_t i = 0; i < p->r->axes_len; i++)
        if (p->r->axis[i].step >= 0)
            new->key.value[len++] = value_text(n, p, i);
    HASH_FIND(hh, n->seen, &new->key, sizeof(new->key), known);
    if (known) {
        free(new);
        return false;
    }
    HASH_ADD(hh, n->seen, key, sizeof(new->key), new);
    run->seed = p->seed;
    run->params_len = len;
    run->name = n->b->plan->axis;
    run->value = mem_calloc(len + 1, sizeof(*run->value));
    memcpy(run->value, new->key.value, len * sizeof(*run->value));
    return true;
}
