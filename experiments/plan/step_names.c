/* SPDX-License-Identifier: Apache-2.0 */
/* Which names a step may have. */
#include <assert.h>
#include <string.h>

#include "common/base/nearest.h"
#include "experiments/plan/step.h"

/* Parameters of a shard job that the planner fills in from tasks and levels. */
bool step_planner_param(const struct kind *k, const char *name)
{
    return k->shards && (strcmp(name, "task") == 0 || strcmp(name, "level") == 0);
}

/* Every name that a step of kind K may have, ended by NULL. */
static size_t known_names(const struct kind *k, const char **out, size_t out_len)
{
    size_t n = 0;

    out[n++] = "id";
    out[n++] = "job";
    out[n++] = "retries";
    if (*k->seed_drives)
        out[n++] = "seed";
    if (step_has_word(k->inputs, "model")) {
        out[n++] = "model";
        out[n++] = "model.path";
        out[n++] = "model.tokenizer";
    }
    if (step_has_word(k->inputs, "labels"))
        out[n++] = "labels";
    if (step_has_word(k->inputs, "results"))
        out[n++] = "results";
    if (k->shards) {
        out[n++] = "tasks";
        out[n++] = "levels";
        out[n++] = "shard";
        out[n++] = "files";
    }
    for (size_t i = 0; i < k->params_len; i++)
        if (!step_planner_param(k, k->params[i].name))
            out[n++] = k->params[i].name;
    assert(n < out_len);
    out[n] = NULL;
    return n;
}

static int check_name(const struct point *p, const struct recipe_step *s, const char *name,
                      struct err *err)
{
    const char *known[PARAMS_MAX + 16];
    size_t len = known_names(s->kind, known, ARRAY_LEN(known));

    if (s->kind->shards && strncmp(name, "files.", 6) == 0)
        return 0;
    for (size_t i = 0; i < len; i++)
        if (strcmp(known[i], name) == 0)
            return 0;
    if (strcmp(name, "seed") == 0)
        return step_error(p, s, err, ERR_INVALID, name,
                          "a %s job draws no random numbers; leave the seed out", s->kind->name);
    const char *near = nearest_find(name, known);
    return near ? step_error(p, s, err, ERR_INVALID, name,
                             "a %s step has no such key; did you mean %s?", s->kind->name, near)
                : step_error(p, s, err, ERR_INVALID, name, "a %s step has no such key",
                             s->kind->name);
}

int step_check_names(const struct point *p, const struct recipe_step *s, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; !rc && i < s->set.values.len; i++)
        rc = check_name(p, s, s->set.values.entry[i].name, err);
    for (size_t a = 0; !rc && a < p->r->axes_len; a++)
        if (p->r->axis[a].step >= 0 && &p->r->step[p->r->axis[a].step] == s)
            rc = check_name(p, s, p->r->axis[a].name, err);
    return rc;
}
