/* SPDX-License-Identifier: Apache-2.0 */
/* What a step reads, directly and behind a collect. */
#include "experiments/plan/step.h"

static void add(struct step_need *ret, size_t *n, int step, const char *key)
{
    if (step >= 0)
        ret[(*n)++] = (struct step_need){ step, key };
}

size_t step_needs(const struct step *s, struct step_need ret[STEP_NEEDS_MAX])
{
    size_t n = 0;

    add(ret, &n, s->model_step, "model");
    add(ret, &n, s->labels_step, "labels");
    add(ret, &n, s->router_step, "router");
    if (s->static_step >= 0) /* a step that is no part of the run has no kind */
        add(ret, &n, s->static_step, s->kind->id == KIND_SEARCH ? "starts" : "static");
    for (size_t i = 0; i < s->results_len; i++)
        add(ret, &n, s->results_step[i], "results");
    for (size_t i = 0; i < s->inputs_len; i++)
        add(ret, &n, s->input[i].step, s->input[i].key);
    return n;
}

size_t step_sources(const struct step *steps, int index, int ret[STEP_RESULTS_MAX])
{
    const struct step *s = &steps[index];

    if (s->results_len == 0) {
        ret[0] = index;
        return 1;
    }
    for (size_t i = 0; i < s->results_len; i++)
        ret[i] = s->results_step[i];
    return s->results_len;
}

/* At most as deep as a chain of steps is long: step_order() has refused cycles. */
int step_model_owner(const struct step *steps, int index)
{
    const struct step *s = &steps[index];
    struct step_need need[STEP_NEEDS_MAX];
    const size_t len = step_needs(s, need);

    if (s->model_step >= 0 || s->model_path)
        return index;
    return len ? step_model_owner(steps, need[0].step) : -1;
}
