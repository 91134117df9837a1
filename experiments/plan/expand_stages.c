/* SPDX-License-Identifier: Apache-2.0 */
/* A stage step becomes a chain of jobs, each from the model and the state of the one before. A
 * job's parameters are its slice of the schedule, resolved: what a recipe says of other stages is
 * no part of them. */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "experiments/plan/expand.h"
#include "experiments/plan/stage.h"

/* ---- does it fit into the model? ---- */

enum { CONFIG_BYTES_MAX = 1 << 20, BYTES_PER_TOKEN = 8 /* more than any text has on average */ };

/* Where S's model begins: a pretrain step, or NULL and *RET_PATH. */
static const struct step *origin_of(const struct expansion *x, const struct step *s,
                                    const char **ret_path)
{
    while (s->kind->id == KIND_STAGE && s->model_step >= 0)
        s = &x->steps[s->model_step];
    *ret_path = s->kind->id == KIND_STAGE ? s->model_path : NULL;
    return s->kind->id == KIND_PRETRAIN ? s : NULL;
}

/* max_position_embeddings of a Hugging Face folder; 0 when nobody says so. */
static int64_t positions_of(const char *folder)
{
    struct buf path CLEANUP(buf_release) = { 0 };
    struct json *config CLEANUP(json_cleanup) = NULL;

    buf_printf(&path, "%s/config.json", folder);
    if (json_parse_file(buf_str(&path), CONFIG_BYTES_MAX, &config, NULL) != 0)
        return 0;
    return json_integer(json_get(config, "max_position_embeddings"), 0);
}

static int64_t largest_budget(const struct step *s)
{
    const struct budget_schedule b = stage_budget(s);
    int64_t most = b.kind == BUDGET_ADAPTIVE ? b.first : budget_at(&b, 0);

    for (size_t i = 0; b.kind == BUDGET_STEPS && i < b.steps_len; i++)
        most = MAX(most, b.steps[i]);
    return most;
}

/* The longest prompt of S in bytes, over its tasks and levels. */
static int prompt_bytes(struct expansion *x, const struct step *s, uint64_t *ret, struct err *err)
{
    const struct param_value *levels = kind_list(s->kind, &s->params, "levels");
    const int64_t budget = largest_budget(s), first[] = { 1 };
    const int64_t *level = levels ? levels->ints : first;
    const size_t len = levels ? levels->len : 1;
    struct err inner = { 0 };

    *ret = 0;
    for (size_t t = 0; t < s->tasks_len; t++)
        for (size_t i = 0; i < len; i++) {
            uint64_t bytes;
            int rc =
                build_prompt_bytes(x->b, s, &s->task[t], (int)level[i], budget, &bytes, &inner);
            if (rc)
                return expand_error(x, s, "tasks", rc, &inner, err);
            *ret = MAX(*ret, bytes);
        }
    return 0;
}

/* Prompts and answers are no longer than the model's context, as far as is known now: exactly of a
 * model that the recipe trains, where a letter is a token and one begins the text; of others when
 * they surely are. */
static int check_context(struct expansion *x, const struct step *s, struct err *err)
{
    const char *path;
    const struct step *origin = origin_of(x, s, &path);
    const int64_t new = kind_int(s->kind, &s->params, "max_new");
    int64_t positions = 0;
    uint64_t bytes;

    if (origin)
        positions = kind_int(origin->kind, &origin->params, "positions");
    else if (path)
        positions = positions_of(path);
    if (positions <= 0)
        return 0;
    int rc = prompt_bytes(x, s, &bytes, err);
    if (rc)
        return rc;
    const int64_t prompt = (int64_t)(origin ? bytes + 1 : bytes / BYTES_PER_TOKEN);
    if (prompt + new <= positions)
        return 0;
    if (prompt < positions)
        return step_error(x->p, s->from, err, ERR_INVALID, "max_new",
                          "prompts of %s %" PRId64 " tokens and %" PRId64
                          " new ones do not fit into the model's %" PRId64
                          " positions; say max_new = %" PRId64 " or less%s%s",
                          origin ? "up to" : "at least", prompt, new, positions, positions - prompt,
                          origin ? ", or more positions in " : "", origin ? origin->from->id : "");
    return step_error(x->p, s->from, err, ERR_INVALID, "tasks",
                      "prompts of %s %" PRId64 " tokens do not fit into the model's %" PRId64
                      " positions%s%s; take lower levels or another task",
                      origin ? "up to" : "at least", prompt, positions,
                      origin ? ": have more positions in " : "", origin ? origin->from->id : "");
}

/* ---- the parameters of a job ---- */

static int set_ints(struct params *to, const char *name, int64_t *v, size_t len, struct err *err)
{
    return params_set(to, name, &(struct param_value){ .type = PARAM_INTS, .ints = v, .len = len },
                      err);
}

/* What the whole curriculum says of stage K, 0.. */
static int set_slice(const struct step *s, uint64_t k, struct params *to, struct err *err)
{
    const struct budget_schedule b = stage_budget(s);
    const struct difficulty_conf d = stage_difficulty(s);
    const uint64_t updates = b.updates / (uint64_t)kind_int(s->kind, &s->params, "stages");
    struct budget_slice slice = { .len = 0 };
    const bool adaptive = b.kind == BUDGET_ADAPTIVE;
    int rc = adaptive ? 0 : budget_slice(&b, k * updates, updates, &slice, err);

    rc = rc ? rc : params_set_int(to, "updates", (int64_t)updates, err);
    rc = rc ? rc : params_set_int(to, "first", (int64_t)(k * updates), err);
    if (!rc && ((d.levels > 1 && difficulty_needs_total(d.rule)) ||
                kind_real(s->kind, &s->params, "final_rate") < 1))
        rc = params_set_int(to, "total", (int64_t)b.updates, err);
    rc = rc ? rc
            : params_set_text(to, "schedule",
                              adaptive    ? "adaptive"
                              : slice.len ? "constant"
                                          : "none",
                              err);
    if (!rc && slice.len)
        rc = set_ints(to, "budgets", slice.budget, slice.len, err);
    if (!rc && slice.len)
        rc = set_ints(to, "budget_at", slice.at, slice.len, err);
    if (!rc && adaptive)
        rc = params_set_int(to, "adapt_first", b.first, err);
    if (!rc && adaptive)
        rc = params_set_int(to, "adapt_last", b.last, err);
    return rc ? rc
              : params_set_int(to, "validation_budget", stage_validation_budget(s, &slice), err);
}

static int stage_params(const struct step *s, uint64_t k, struct params *to, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; !rc && i < s->params.len; i++)
        if (!stage_recipe_param(s->params.entry[i].name))
            rc = params_set(to, s->params.entry[i].name, &s->params.entry[i].value, err);
    return rc ? rc : set_slice(s, k, to, err);
}

/* ---- the chain ---- */

/* Of the inputs of BASE, with the outputs of job BEFORE as model and state. */
static void follow(const struct plan_job *base, uint32_t before, struct plan_job *j)
{
    static const char *const names[] = { "model", "state" };
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        j->input[n++] = (struct plan_input){ .name = names[i],
                                             .source = PLAN_OUTPUT,
                                             .path = "",
                                             .producer = before,
                                             .output = names[i],
                                             .folder = true };
    for (size_t i = 0; i < base->inputs_len; i++)
        if (strcmp(base->input[i].name, "model") != 0)
            j->input[n++] = base->input[i];
    assert(n <= PLAN_INPUTS_MAX);
    j->inputs_len = n;
}

int expand_stages(struct expansion *x, const struct step *s, const struct plan_job *base,
                  struct built *out, struct err *err)
{
    const uint64_t stages = (uint64_t)kind_int(s->kind, &s->params, "stages");
    uint32_t before = 0;
    int rc = check_context(x, s, err);

    for (uint64_t k = 0; !rc && k < stages; k++) {
        struct params params CLEANUP(params_release) = { 0 };
        struct plan_job j = *base;
        uint32_t needs[1] = { before };
        rc = stage_params(s, k, &params, err);
        if (rc)
            break;
        j.params = &params;
        if (k) {
            follow(base, before, &j);
            j.needs = (struct plan_list){ .v = needs, .len = 1, .cap = 1 };
        }
        const struct digest key = key_of_job(&j, x->b->plan, s->takes_seed, NULL);
        rc = expand_job(x, &j, &key, out, &before, err);
    }
    out->maker = before;
    if (!rc)
        build_curriculum(x->b, s);
    return rc;
}
