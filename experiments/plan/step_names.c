/* SPDX-License-Identifier: Apache-2.0 */
/* Which names a step may have. */
#include <assert.h>
#include <string.h>

#include "common/base/nearest.h"
#include "experiments/plan/keys_table.h"
#include "experiments/plan/step.h"

/* Parameters of a shard job that the planner fills in from tasks and levels; of a select, what is
 * the halving's; of a stage, its slice of the schedule. */
bool step_planner_param(const struct kind *k, const char *name)
{
    if (k->id == KIND_STAGE)
        return step_has_word("first total budgets budget_at adapt_first adapt_last", name);
    if (k->id == KIND_SELECT)
        return strcmp(name, "beam") != 0 && strcmp(name, "each_level") != 0;
    return k->shards && (strcmp(name, "task") == 0 || strcmp(name, "level") == 0);
}

bool step_reads_files(const struct kind *k)
{
    return k->shards || k->id == KIND_STAGE;
}

size_t step_known_names(const struct kind *k, const char *out[STEP_NAMES_MAX])
{
    size_t n = 0, len;
    const struct recipe_key *keys = recipe_keys(KEYS_STEP, &len);

    for (size_t i = 0; i < len; i++)
        if (recipe_key_fits(&keys[i], k))
            out[n++] = keys[i].name;
    for (size_t i = 0; i < k->params_len; i++)
        if (!step_planner_param(k, k->params[i].name))
            out[n++] = k->params[i].name;
    assert(n < STEP_NAMES_MAX);
    out[n] = NULL;
    return n;
}

bool step_knows_name(const struct kind *k, const char *name)
{
    const char *known[STEP_NAMES_MAX];
    size_t len = step_known_names(k, known);

    if (step_reads_files(k) && strncmp(name, "files.", 6) == 0)
        return true;
    if (k->id == KIND_EXEC &&
        (strncmp(name, "inputs.", 7) == 0 || strncmp(name, "parameters.", 11) == 0))
        return true;
    for (size_t i = 0; i < len; i++)
        if (strcmp(known[i], name) == 0)
            return true;
    return false;
}

static int check_name(const struct recipe_step *s, const char *name, const char *where,
                      struct err *err)
{
    const char *known[STEP_NAMES_MAX];

    if (step_knows_name(s->kind, name))
        return 0;
    if (strcmp(name, "seed") == 0)
        return err_set(
            err, ERR_INVALID,
            "%s: steps[%zu].seed: a job of kind %s draws no random numbers; leave the seed out",
            where, s->index, s->kind->name);
    if (strcmp(name, "labels") == 0)
        return err_set(err, ERR_INVALID,
                       "%s: steps[%zu].labels: a %s step reads none; for labels that a worker must "
                       "have say requires = [\"gpu\"]",
                       where, s->index, s->kind->name);
    step_known_names(s->kind, known);
    const char *near = nearest_find(name, known);
    return near ? err_set(err, ERR_INVALID,
                          "%s: steps[%zu].%s: a %s step has no such key; did you mean %s?", where,
                          s->index, name, s->kind->name, near)
                : err_set(err, ERR_INVALID, "%s: steps[%zu].%s: a %s step has no such key", where,
                          s->index, name, s->kind->name);
}

int step_check_names(const struct recipe *r, const struct recipe_step *s, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; !rc && i < s->set.values.len; i++) {
        const char *name = s->set.values.entry[i].name;
        rc = check_name(s, name, recipe_where(&s->set, name, s->where), err);
    }
    for (size_t a = 0; !rc && a < r->axes_len; a++)
        if (r->axis[a].step >= 0 && &r->step[r->axis[a].step] == s)
            rc = check_name(s, r->axis[a].name, r->axis[a].where, err);
    return rc;
}
