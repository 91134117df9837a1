/* SPDX-License-Identifier: Apache-2.0 */
/* What of a step follows from others: its model, and which parameters have no effect. The same
 * results have the same key, whatever is said of what is not used. */
#include <string.h>

#include "common/base/macros.h"
#include "common/base/mem.h"
#include "experiments/plan/step.h"

static bool is(const struct step *s, const char *param, const char *word)
{
    return strcmp(kind_text(s->kind, &s->params, param), word) == 0;
}

static bool greedy(const struct step *steps, const struct step *s)
{
    (void)steps;
    return kind_real(s->kind, &s->params, "temperature") == 0.0;
}

static bool no_labels_router(const struct step *steps, const struct step *s)
{
    return s->router_step < 0 || !is(&steps[s->router_step], "kind", "labels");
}

static bool no_success_router(const struct step *steps, const struct step *s)
{
    return s->router_step < 0 || !is(&steps[s->router_step], "kind", "success");
}

static bool unguarded(const struct step *steps, const struct step *s)
{
    const struct step *router = s->router_step < 0 ? NULL : &steps[s->router_step];

    return no_success_router(steps, s) || kind_real(router->kind, &router->params, "guard") >= 1.0;
}

static bool priced(const struct step *steps, const struct step *s)
{
    return no_success_router(steps, s) || kind_real(s->kind, &s->params, "price") > 0.0;
}

static bool not_static(const struct step *steps, const struct step *s)
{
    (void)steps;
    return !is(s, "routing", "static");
}

static bool not_drawn(const struct step *steps, const struct step *s)
{
    (void)steps;
    return !is(s, "routing", "random") && !is(s, "routing", "shuffled");
}

static bool not_progressive(const struct step *steps, const struct step *s)
{
    (void)steps;
    return !is(s, "method", "progressive");
}

static bool enumerates(const struct step *steps, const struct step *s)
{
    (void)steps;
    return is(s, "method", "enumerate");
}

static bool simulates(const struct step *steps, const struct step *s)
{
    return !enumerates(steps, s);
}

/* Its paths follow from nothing that was found before. */
static bool compares_nothing(const struct step *steps, const struct step *s)
{
    return enumerates(steps, s) || is(s, "method", "chain");
}

static bool of_labels(const struct step *steps, const struct step *s)
{
    (void)steps;
    return is(s, "kind", "labels");
}

static bool of_success(const struct step *steps, const struct step *s)
{
    return !of_labels(steps, s);
}

static bool not_focal(const struct step *steps, const struct step *s)
{
    (void)steps;
    return !is(s, "loss", "focal");
}

static bool unweighted(const struct step *steps, const struct step *s)
{
    (void)steps;
    return is(s, "loss", "ce");
}

static bool not_effective(const struct step *steps, const struct step *s)
{
    return unweighted(steps, s) || !is(s, "balance", "effective");
}

static bool of_last_state(const struct step *steps, const struct step *s)
{
    (void)steps;
    return is(s, "features", "last");
}

static bool states_no_budget(const struct step *steps, const struct step *s)
{
    (void)steps;
    return !is(s, "prompts", "think") && !is(s, "prompts", "think_chat");
}

static bool teaches_no_traces(const struct step *steps, const struct step *s)
{
    (void)steps;
    return !is(s, "prompts", "think");
}

static bool no_budget(const struct step *steps, const struct step *s)
{
    (void)steps;
    return is(s, "schedule", "none");
}

static bool no_length_reward(const struct step *steps, const struct step *s)
{
    return no_budget(steps, s) || kind_real(s->kind, &s->params, "length_weight") <= 0;
}

static bool not_adaptive(const struct step *steps, const struct step *s)
{
    (void)steps;
    return !is(s, "schedule", "adaptive");
}

static bool one_level(const struct step *steps, const struct step *s)
{
    const struct param_value *levels = kind_list(s->kind, &s->params, "levels");

    (void)steps;
    return !levels || levels->len == 1;
}

static bool no_mixture(const struct step *steps, const struct step *s)
{
    return one_level(steps, s) || !is(s, "difficulty", "mixture");
}

static bool not_adarft(const struct step *steps, const struct step *s)
{
    return one_level(steps, s) || !is(s, "difficulty", "adarft");
}

static bool no_rate(const struct step *steps, const struct step *s)
{
    return one_level(steps, s) || (!is(s, "difficulty", "adarft") && !is(s, "difficulty", "sec") &&
                                   !is(s, "difficulty", "e2h_gaussian"));
}

static bool no_width(const struct step *steps, const struct step *s)
{
    return one_level(steps, s) ||
           (!is(s, "difficulty", "adarft") && !is(s, "difficulty", "e2h_gaussian"));
}

static bool no_window(const struct step *steps, const struct step *s)
{
    return one_level(steps, s) || !is(s, "difficulty", "window");
}

static bool no_threshold(const struct step *steps, const struct step *s)
{
    return no_window(steps, s) && (one_level(steps, s) || !is(s, "difficulty", "rlve"));
}

static bool no_memory(const struct step *steps, const struct step *s)
{
    return no_threshold(steps, s) && (one_level(steps, s) || !is(s, "difficulty", "dump"));
}

static bool no_bandit(const struct step *steps, const struct step *s)
{
    return one_level(steps, s) || (!is(s, "difficulty", "sec") && !is(s, "difficulty", "dump"));
}

static bool not_validated(const struct step *steps, const struct step *s)
{
    (void)steps;
    return kind_int(s->kind, &s->params, "validation_examples") == 0;
}

static const struct {
    enum kind_id kind;
    const char *names;
    bool (*idle)(const struct step *steps, const struct step *s);
} rules[] = {
    { KIND_EVALUATE, "top_k top_p sampling_seed", greedy },
    { KIND_EVALUATE, "knob", no_labels_router },
    { KIND_EVALUATE, "price", no_success_router },
    { KIND_EVALUATE, "epsilon reference", priced },
    { KIND_EVALUATE, "guard", unguarded },
    { KIND_EVALUATE, "path_layers", not_static },
    { KIND_EVALUATE, "routing_seed", not_drawn },
    { KIND_SEARCH, "widen_factor widen_power", not_progressive },
    { KIND_SEARCH, "depth", simulates },
    { KIND_SEARCH, "simulations early_stop total_visits", enumerates },
    { KIND_SEARCH, "round exploration length_penalty random_child", compares_nothing },
    { KIND_ROUTER, "decide_layer paths path_examples choose complete members guard", of_labels },
    { KIND_ROUTER, "loss focal_gamma balance beta", of_success },
    { KIND_ROUTER, "focal_gamma", not_focal },
    { KIND_ROUTER, "balance", unweighted },
    { KIND_ROUTER, "beta", not_effective },
    { KIND_ROUTER, "windows", of_last_state },
    { KIND_EVALUATE, "budget", states_no_budget },
    { KIND_PRETRAIN, "traces budgets", teaches_no_traces },
    { KIND_STAGE, "length_weight", no_budget },
    { KIND_STAGE, "length_shape length_of length_gate", no_length_reward },
    { KIND_STAGE,
      "adapt_interval adapt_reference adapt_slack adapt_rate adapt_sharpness adapt_memory",
      not_adaptive },
    { KIND_STAGE, "difficulty", one_level },
    { KIND_STAGE, "mixture", no_mixture },
    { KIND_STAGE, "difficulty_rate", no_rate },
    { KIND_STAGE, "difficulty_target difficulty_sharpness", not_adarft },
    { KIND_STAGE, "difficulty_width", no_width },
    { KIND_STAGE, "difficulty_down", no_window },
    { KIND_STAGE, "difficulty_up", no_threshold },
    { KIND_STAGE, "difficulty_window", no_memory },
    { KIND_STAGE, "difficulty_temperature", no_bandit },
    { KIND_STAGE, "validation_budget validation_every", not_validated },
};

static bool is_idle(const struct step *steps, const struct step *s, const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        if (rules[i].kind == s->kind->id && step_has_word(rules[i].names, name) &&
            rules[i].idle(steps, s))
            return true;
    return false;
}

static int drop_idle_params(const struct step *steps, struct step *s, struct err *err)
{
    struct params kept = { 0 };
    int rc = 0;

    for (size_t i = 0; !rc && i < s->params.len; i++)
        if (!is_idle(steps, s, s->params.entry[i].name))
            rc = params_set(&kept, s->params.entry[i].name, &s->params.entry[i].value, err);
    params_release(&s->params);
    s->params = kept;
    return rc;
}

static int take_model(const struct point *p, const struct step *steps, struct step *s,
                      struct err *err)
{
    if (!step_has_word(s->kind->inputs, "model") || s->model_step >= 0 || s->model_path ||
        step_has_word(s->kind->optional, "model"))
        return 0;
    const int owner = step_model_owner(steps, (int)(s - steps));
    if (owner < 0)
        return step_error(p, s->from, err, ERR_INVALID, NULL,
                          "model: missing; name a step that makes one, or { path = \"...\"; }");
    s->model_step = steps[owner].model_step;
    s->model_stage = steps[owner].model_stage;
    if (steps[owner].model_path)
        s->model_path = mem_strdup(steps[owner].model_path);
    if (steps[owner].tokenizer)
        s->tokenizer = mem_strdup(steps[owner].tokenizer);
    return 0;
}

int step_finish(const struct point *p, const struct step *steps, struct step *st, struct err *err)
{
    if (st->kind->id == KIND_SEARCH && enumerates(steps, st)) { /* nothing is drawn */
        st->takes_seed = false;
        st->seed = 0;
    }
    int rc = take_model(p, steps, st, err);
    return rc ? rc : drop_idle_params(steps, st, err);
}
