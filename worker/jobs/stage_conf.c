/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/stage_conf.h"

#include <string.h>

#include "common/base/dmath.h"
#include "common/tasks/think.h"

struct reader {
    struct stage_conf *c;
    const struct kind *k;
    const struct params *p;
};

static int64_t integer(const struct reader *r, const char *name)
{
    return kind_int(r->k, r->p, name);
}

static double real(const struct reader *r, const char *name)
{
    return kind_real(r->k, r->p, name);
}

static const char *text(const struct reader *r, const char *name)
{
    return kind_text(r->k, r->p, name);
}

static int check_task(const struct reader *r, const char *name, struct err *err)
{
    struct stage_conf *c = r->c;
    const struct task_spec *task;
    int rc = task_must_find(name, &task, err);

    if (rc)
        return rc;
    if (think_prompts(c->prompts) ? !think_task(task) : task->form != TASK_ANSWER)
        return err_set(err, ERR_INVALID,
                       "tasks: %s cannot be learnt with prompts = \"%s\": its answers are not "
                       "generated",
                       name, task_prompts_name(c->prompts));
    for (size_t i = 0; i < c->levels; i++)
        if (c->level[i] > task->levels || (task->synthetic && c->level[i] < 1))
            return err_set(err, ERR_INVALID, "levels: %s has no level %d; %s", name, c->level[i],
                           task->levels ? "its levels begin at 1" : "say levels = [0]");
    c->task[c->tasks++] = task;
    return 0;
}

static int read_tasks(const struct reader *r, struct err *err)
{
    struct stage_conf *c = r->c;
    const struct param_value *tasks = kind_list(r->k, r->p, "tasks");
    const struct param_value *levels = kind_list(r->k, r->p, "levels");
    int rc = task_prompts_parse(text(r, "prompts"), &c->prompts, err);

    if (rc)
        return rc;
    if (!tasks || tasks->len == 0 || tasks->len > STAGE_TASKS_MAX)
        return err_set(err, ERR_INVALID, "tasks must name 1 to %d tasks", STAGE_TASKS_MAX);
    if (levels && (levels->len == 0 || levels->len > STAGE_LEVELS_MAX))
        return err_set(err, ERR_INVALID, "levels must have 1 to %d entries", STAGE_LEVELS_MAX);
    c->levels = levels ? levels->len : 1;
    for (size_t i = 0; i < c->levels; i++) {
        c->level[i] = levels ? (int)levels->ints[i] : 1;
        if (i > 0 && c->level[i] <= c->level[i - 1])
            return err_set(err, ERR_INVALID, "levels must rise: %d behind %d", c->level[i],
                           c->level[i - 1]);
    }
    for (size_t i = 0; rc == 0 && i < tasks->len; i++)
        rc = check_task(r, tasks->texts[i], err);
    return rc;
}

static int read_budget(const struct reader *r, struct err *err)
{
    struct stage_conf *c = r->c;
    const struct param_value *budgets = kind_list(r->k, r->p, "budgets");
    const struct param_value *at = kind_list(r->k, r->p, "budget_at");
    static const int64_t start = 0;
    size_t len = budgets ? budgets->len : 0, at_len = at ? at->len : 0;
    int rc = 0;

    c->adapts = strcmp(text(r, "schedule"), "adaptive") == 0;
    if (c->adapts) {
        c->adaptive = (struct adaptive_conf){ .first = integer(r, "adapt_first"),
                                              .last = integer(r, "adapt_last"),
                                              .interval = (uint64_t)integer(r, "adapt_interval"),
                                              .reference = real(r, "adapt_reference"),
                                              .slack = real(r, "adapt_slack"),
                                              .rate = real(r, "adapt_rate"),
                                              .sharpness = real(r, "adapt_sharpness"),
                                              .memory = real(r, "adapt_memory") };
        return adaptive_check(&c->adaptive, NULL, err);
    }
    if (len == 0)
        return 0;
    if (len > BUDGET_SLICE_MAX)
        return err_set(err, ERR_LIMIT, "budgets has %zu entries; at most %d", len,
                       BUDGET_SLICE_MAX);
    if (len == 1 && at_len == 0)
        at_len = 1;
    rc = budget_slice_check(budgets->ints, len, at ? at->ints : &start, at_len, c->updates, err);
    if (rc)
        return rc;
    c->slice.len = len;
    for (size_t i = 0; i < len; i++) {
        c->slice.budget[i] = budgets->ints[i];
        c->slice.at[i] = at ? at->ints[i] : 0;
    }
    return 0;
}

static int read_difficulty(const struct reader *r, struct err *err)
{
    struct stage_conf *c = r->c;
    struct difficulty_conf *d = &c->difficulty;
    const struct param_value *mixture = kind_list(r->k, r->p, "mixture");

    *d = (struct difficulty_conf){ .rule = difficulty_find(text(r, "difficulty")),
                                   .levels = c->levels,
                                   .total = c->total,
                                   .rate = real(r, "difficulty_rate"),
                                   .target = real(r, "difficulty_target"),
                                   .sharpness = real(r, "difficulty_sharpness"),
                                   .width = real(r, "difficulty_width"),
                                   .up = real(r, "difficulty_up"),
                                   .down = real(r, "difficulty_down"),
                                   .window = (uint64_t)integer(r, "difficulty_window"),
                                   .temperature = real(r, "difficulty_temperature") };
    if (mixture && mixture->len != c->levels && mixture->len != 1)
        return err_set(err, ERR_INVALID,
                       "mixture has %zu weights for %zu levels; one for each level, or [1]",
                       mixture->len, c->levels);
    for (size_t i = 0; i < c->levels; i++)
        d->mixture[i] = mixture ? mixture->reals[mixture->len == 1 ? 0 : i] : 1;
    return difficulty_check(d, NULL, err);
}

static int read_reward(const struct reader *r, struct err *err)
{
    struct stage_conf *c = r->c;
    int rc;

    c->reward = reward_conf_default();
    c->reward.correct_weight = real(r, "correct_weight");
    c->reward.length_weight = real(r, "length_weight");
    c->reward.format_weight = real(r, "format_weight");
    c->reward.gate = kind_bool(r->k, r->p, "length_gate");
    c->count_think = strcmp(text(r, "length_of"), "think") == 0;
    c->scale_advantage = kind_bool(r->k, r->p, "scale_advantage");
    rc = reward_shape_of(text(r, "length_shape"), &c->reward.shape, err);
    rc = rc ? rc : group_rule_of(text(r, "variance"), &c->variance, err);
    rc = rc ? rc : loss_norm_of(text(r, "normalise"), &c->normalise, err);
    return rc ? rc : reward_conf_check(&c->reward, err);
}

static int read_training(const struct reader *r, struct err *err)
{
    struct stage_conf *c = r->c;

    c->policy = policy_conf_default();
    c->policy.temperature = real(r, "temperature");
    c->policy.clip_low = real(r, "clip_low");
    c->policy.clip_high = real(r, "clip_high");
    c->policy.kl = real(r, "kl");
    c->policy.rate = real(r, "learning_rate");
    c->kl_max = real(r, "kl_max");
    c->entropy_min = real(r, "entropy_min");
    c->final_rate = real(r, "final_rate");
    c->warmup = (uint64_t)integer(r, "warmup");
    c->weight_decay = real(r, "weight_decay");
    c->beta2 = real(r, "beta2");
    c->clip = real(r, "clip");
    c->micro_batches = (size_t)integer(r, "micro_batches");
    c->gemm = strcmp(text(r, "gemm"), "packed") == 0 ? TRAIN_GEMM_PACKED : TRAIN_GEMM_OPENBLAS;
    return policy_conf_check(&c->policy, err);
}

static void read_counts(const struct reader *r)
{
    struct stage_conf *c = r->c;

    c->updates = (uint64_t)integer(r, "updates");
    c->first = (uint64_t)integer(r, "first");
    c->total = (uint64_t)integer(r, "total");
    if (c->total == 0)
        c->total = c->first + c->updates;
    c->problems = (size_t)integer(r, "problems");
    c->group = (size_t)integer(r, "group");
    c->epochs = (size_t)integer(r, "epochs");
    c->max_new = (size_t)integer(r, "max_new");
    c->validation_examples = (size_t)integer(r, "validation_examples");
    c->validation_budget = (size_t)integer(r, "validation_budget");
    c->validation_every = (uint64_t)integer(r, "validation_every");
    c->checkpoint_s = real(r, "checkpoint_s");
}

int stage_conf_read(struct stage_conf *ret, const struct job *j, struct err *err)
{
    const struct reader r = { .c = ret, .k = j->kind, .p = &j->params };
    int rc;

    *ret = (struct stage_conf){ .seed = j->lease->seed };
    read_counts(&r);
    rc = read_tasks(&r, err);
    rc = rc ? rc : read_budget(&r, err);
    rc = rc ? rc : read_difficulty(&r, err);
    rc = rc ? rc : read_reward(&r, err);
    rc = rc ? rc : read_training(&r, err);
    return rc ? err_wrap(err, rc, "stage") : 0;
}

double stage_conf_rate(const struct stage_conf *c, uint64_t update)
{
    const double peak = c->policy.rate, low = peak * c->final_rate;

    if (update < c->warmup)
        return peak * (double)(update + 1) / (double)c->warmup;
    if (update >= c->total)
        return low;
    const double done = (double)(update - c->warmup) / (double)(c->total - c->warmup);
    return low + (peak - low) * 0.5 * (1 + dmath_cos_pi(done));
}

double stage_conf_mean_level(const struct stage_conf *c, const double *weight)
{
    double sum = 0;

    for (size_t i = 0; i < c->levels; i++)
        sum += weight[i] * c->level[i];
    return sum;
}
