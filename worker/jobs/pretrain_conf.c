/* SPDX-License-Identifier: Apache-2.0 */
/* What the parameters of a pretrain job say. */
#include <string.h>

#include "common/tasks/task.h"
#include "worker/jobs/implement.h"
#include "worker/jobs/pretrain.h"

static void read_model(struct pretrain *p)
{
    const struct kind *k = p->job->kind;
    const struct params *v = &p->job->params;
    size_t heads = (size_t)kind_int(k, v, "heads"), kv_heads = (size_t)kind_int(k, v, "kv_heads");
    size_t dim = (size_t)kind_int(k, v, "dim");
    bool packed = strcmp(kind_text(k, v, "gemm"), "packed") == 0;

    p->conf = train_conf_default();
    p->conf.model = (struct model_conf){
        .layers = (size_t)kind_int(k, v, "layers"),
        .dim = dim,
        .heads = heads,
        .kv_heads = kv_heads ? kv_heads : heads,
        .head_dim = dim / heads,
        .hidden = (size_t)kind_int(k, v, "hidden"),
        .vocab = tokenizer_vocab(p->tok),
        .positions = (size_t)kind_int(k, v, "positions"),
        .rms_eps = 1e-5f,
        .rope_theta = (float)kind_real(k, v, "rope_theta"),
        .tied = true,
        .bos = 0, /* as tokenizer_from_alphabet() has them */
        .eos = { 1 },
        .eos_len = 1,
    };
    p->conf.seed = p->job->lease->seed;
    p->conf.steps = (uint64_t)kind_int(k, v, "steps");
    p->conf.warmup = MIN((uint64_t)kind_int(k, v, "warmup"), p->conf.steps);
    p->conf.learning_rate = kind_real(k, v, "learning_rate");
    p->conf.final_rate = kind_real(k, v, "final_rate");
    p->conf.weight_decay = kind_real(k, v, "weight_decay");
    p->conf.clip = kind_real(k, v, "clip");
    p->conf.beta2 = kind_real(k, v, "beta2");
    p->conf.micro_batches = (size_t)kind_int(k, v, "micro_batches");
    p->conf.gemm = packed ? TRAIN_GEMM_PACKED : TRAIN_GEMM_OPENBLAS;
    p->depth = (struct depth_conf){ .skip = kind_real(k, v, "layer_skip"),
                                    .repeat = kind_real(k, v, "layer_repeat"),
                                    .start = kind_real(k, v, "depth_start"),
                                    .ramp = kind_real(k, v, "depth_ramp"),
                                    .seed = p->conf.seed,
                                    .steps = p->conf.steps };
}

static int check_task(struct pretrain *p, const char *name, struct err *err)
{
    const struct task_spec *task = task_find(name);

    if (!task || !task->synthetic)
        return err_set(err, ERR_INVALID, "pretrain: \"%s\" is not a synthetic task", name);
    if (p->problems.think && !trace_task(name))
        return err_set(err, ERR_INVALID,
                       "pretrain: %s has no written traces; prompts = \"think\" is for math and "
                       "logic",
                       name);
    for (size_t i = 0; i < p->problems.levels_len; i++)
        if (p->problems.level[i] < 1 || p->problems.level[i] > task->levels)
            return err_set(err, ERR_INVALID, "pretrain: level %d of %s; it has 1 to %d",
                           p->problems.level[i], name, task->levels);
    p->problems.task[p->problems.tasks_len++] = name;
    return 0;
}

static int read_traces(struct pretrain *p, struct err *err)
{
    /* the table's default */
    static const double usual[TRACE_STYLES] = { 0.05, 0.7, 0, 0.2, 0.05 };
    const struct kind *k = p->job->kind;
    const struct param_value *traces = kind_list(k, &p->job->params, "traces");
    const struct param_value *budgets = kind_list(k, &p->job->params, "budgets");
    double sum = 0;

    if (traces && traces->len != TRACE_STYLES)
        return err_set(err, ERR_INVALID,
                       "traces has %zu weights; verbose, mixed, merged, sparse and direct "
                       "make %d",
                       traces->len, TRACE_STYLES);
    for (size_t i = 0; i < TRACE_STYLES; i++)
        sum += p->problems.trace[i] = traces ? traces->reals[i] : usual[i];
    if (!(sum > 0))
        return err_set(err, ERR_INVALID, "traces are all 0; one must be above");
    for (size_t i = 0; budgets && i < budgets->len; i++)
        p->problems.budget[p->problems.budgets_len++] = (size_t)budgets->ints[i];
    return 0;
}

static int read_problems(struct pretrain *p, struct err *err)
{
    const struct kind *k = p->job->kind;
    const struct params *v = &p->job->params;
    const struct param_value *tasks = kind_list(k, v, "tasks"), *levels = kind_list(k, v, "levels");
    int rc = 0;

    p->problems.ramp = kind_real(k, v, "ramp");
    p->problems.seed = p->job->lease->seed;
    p->problems.steps = p->conf.steps;
    p->problems.batch = (size_t)kind_int(k, v, "batch");
    p->problems.positions = p->conf.model.positions;
    if (!tasks || tasks->len == 0 || tasks->len > PROBLEM_TASKS_MAX)
        return err_set(err, ERR_INVALID, "pretrain: tasks must name 1 to %d tasks",
                       PROBLEM_TASKS_MAX);
    if (levels && (levels->len == 0 || levels->len > PROBLEM_LEVELS_MAX))
        return err_set(err, ERR_INVALID, "pretrain: levels must have 1 to %d entries",
                       PROBLEM_LEVELS_MAX);
    /* The table's default is all six levels. */
    p->problems.levels_len = levels ? levels->len : 6;
    for (size_t i = 0; i < p->problems.levels_len; i++)
        p->problems.level[i] = levels ? (int)levels->ints[i] : (int)i + 1;
    for (size_t i = 0; rc == 0 && i < tasks->len; i++)
        rc = check_task(p, tasks->texts[i], err);
    if (rc == 0 && p->problems.think) {
        rc = read_traces(p, err);
        rc = rc ? rc : problems_check(&p->problems, err);
        rc = rc ? err_wrap(err, rc, "pretrain") : 0;
    }
    return rc;
}

int pretrain_conf_read(struct pretrain *p, struct err *err)
{
    read_model(p);
    return read_problems(p, err);
}
