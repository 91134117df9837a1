/* SPDX-License-Identifier: Apache-2.0 */
/* Job kind "pretrain": an embedded model from scratch on the synthetic tasks. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/tasks/task.h"
#include "common/tasks/think.h"
#include "worker/jobs/implement.h"
#include "worker/jobs/parcel.h"
#include "worker/jobs/problems.h"
#include "worker/tokenizer/tokenizer.h"
#include "worker/train/depth.h"
#include "worker/train/train.h"

/* Steps between two points of the metrics: 75 points for the quickstart's 1,500 steps. */
enum { METRIC_STEPS = 20 };

#define CHECKPOINT_WORD "pretrain 1"

struct pretrain {
    struct job *job;
    struct tokenizer *tok;
    struct trainer *trainer;
    struct train_conf conf;
    struct depth_conf depth;
    struct problems_conf problems;
    struct problems batch;
    uint8_t *times; /* [batch][layers], see train_batch */
    double loss;    /* sums since the last point */
    size_t targets, correct, steps, layers;
    double checkpoint_s;
    uint64_t saved, saved_ms; /* step of the last checkpoint; when it was made or tried */
};

static void read_conf(struct pretrain *p)
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

static void send_metrics(struct pretrain *p, uint64_t step, const struct train_report *report)
{
    const struct job_services *s = p->job->services;

    p->loss += report->loss;
    p->targets += report->targets;
    p->correct += report->correct;
    p->steps++;
    if (step % METRIC_STEPS != 0 && step != p->conf.steps)
        return;
    s->metric(s->arg, "loss", step, p->loss / (double)p->steps);
    s->metric(s->arg, "accuracy", step, (double)p->correct / (double)p->targets);
    s->metric(s->arg, "learning_rate", step, report->rate);
    s->metric(s->arg, "gradient_norm", step, report->grad_norm);
    if (p->depth.skip > 0 || p->depth.repeat > 0)
        s->metric(s->arg, "layers", step,
                  (double)p->layers / (double)(p->steps * p->problems.batch));
    p->loss = 0;
    p->targets = p->correct = p->steps = p->layers = 0;
}

/* Stochastic depth, where it is asked for; else the batch stays as it is, to the bit. */
static void draw_depth(struct pretrain *p, uint64_t step)
{
    size_t sequences = p->batch.batch.sequences, layers = p->conf.model.layers;

    if (!depth_active(&p->depth, step)) {
        p->layers += sequences * layers;
        return;
    }
    if (!p->times)
        p->times = mem_calloc(sequences, layers);
    depth_draw(p->times, &p->depth, step, sequences, layers);
    p->batch.batch.times = p->times;
    for (size_t i = 0; i < sequences * layers; i++)
        p->layers += p->times[i];
}

static int scratch_path(const struct pretrain *p, const char *name, char path[PATH_MAX],
                        struct err *err)
{
    const struct job_services *s = p->job->services;

    if ((size_t)snprintf(path, PATH_MAX, "%s/%s", s->scratch(s->arg), name) >= PATH_MAX)
        return err_set(err, ERR_LIMIT, "the scratch folder's path is too long");
    return 0;
}

/* The sums of the metrics' unfinished interval go beside the trainer's state. */
static int write_checkpoint(struct pretrain *p, uint64_t step, const char *path, struct err *err)
{
    struct buf head CLEANUP(buf_release) = { 0 };
    char state[PATH_MAX];
    uint64_t loss;

    memcpy(&loss, &p->loss, sizeof(loss));
    buf_printf(&head, "%llx %llx %zx %zx %zx %zx", (unsigned long long)step,
               (unsigned long long)loss, p->targets, p->correct, p->steps, p->layers);
    int rc = scratch_path(p, "state", state, err);
    rc = rc == 0 ? trainer_save_state(p->trainer, state, TRAIN_STATE_ALL, err) : rc;
    rc = rc == 0 ? parcel_write(path, CHECKPOINT_WORD, &head, state, p->job->progress, err) : rc;
    (void)remove(state);
    return rc;
}

/* Training goes on without one; only an attempt that is over ends here. */
static int save_checkpoint(struct pretrain *p, uint64_t step, struct err *err)
{
    const struct job_services *s = p->job->services;
    struct err why = { 0 };
    char path[PATH_MAX];

    int rc = scratch_path(p, "checkpoint", path, &why);
    rc = rc == 0 ? write_checkpoint(p, step, path, &why) : rc;
    rc = rc == 0 ? s->checkpoint_save(s->arg, path, step, &why) : rc;
    (void)remove(path);
    p->saved = rc == 0 ? step : p->saved;
    p->saved_ms = clock_ms();
    if (rc == ERR_CANCELLED || rc == ERR_STALE)
        return err_set(err, (enum err_code)rc, "%s", why.text);
    return 0;
}

static int read_checkpoint(struct pretrain *p, const char *path, uint64_t step, struct err *err)
{
    struct buf head CLEANUP(buf_release) = { 0 };
    unsigned long long at = 0, loss = 0;
    size_t sum[4];
    char state[PATH_MAX];

    int rc = scratch_path(p, "state", state, err);
    rc = rc == 0 ? parcel_read(path, CHECKPOINT_WORD, &head, state, p->job->progress, err) : rc;
    if (rc == 0 && (sscanf(buf_str(&head), "%llx %llx %zx %zx %zx %zx", &at, &loss, &sum[0],
                           &sum[1], &sum[2], &sum[3]) != 6 ||
                    at != step || step > p->conf.steps))
        rc = err_set(err, ERR_CORRUPT, "a checkpoint of step %llu, not of %llu", at,
                     (unsigned long long)step);
    rc = rc == 0 ? trainer_load_state(p->trainer, state, err) : rc;
    (void)remove(state);
    if (rc)
        return rc;
    memcpy(&p->loss, &loss, sizeof(p->loss));
    p->targets = sum[0];
    p->correct = sum[1];
    p->steps = sum[2];
    p->layers = sum[3];
    return 0;
}

/* *RET: the step to go on from; 0, the start, also when the checkpoint is of no use. */
static int resume(struct pretrain *p, uint64_t *ret, struct err *err)
{
    const struct job_services *s = p->job->services;
    struct err why = { 0 };
    char path[PATH_MAX];
    uint64_t step = 0;

    *ret = 0;
    int rc = s->checkpoint_load(s->arg, path, sizeof(path), &step, &why);
    if (rc == 0)
        rc = read_checkpoint(p, path, step, &why);
    if (rc == ERR_CANCELLED || rc == ERR_NOMEM)
        return err_set(err, (enum err_code)rc, "%s", why.text);
    if (rc == 0)
        *ret = p->saved = step;
    else if (rc != ERR_NOT_FOUND)
        log_warn("checkpoint_unusable", "step=%llu text=\"%s\"", (unsigned long long)step,
                 why.text);
    return 0;
}

/* Stopped after STEP: what was done since the last checkpoint is saved if there is time. */
static int stop(struct pretrain *p, uint64_t step, struct err *err)
{
    if (progress_draining(p->job->progress) && step > p->saved && p->checkpoint_s > 0) {
        int rc = save_checkpoint(p, step, err);
        if (rc)
            return rc;
    }
    return err_set(err, ERR_CANCELLED, "stopped at step %llu of %llu", (unsigned long long)step,
                   (unsigned long long)p->conf.steps);
}

static bool checkpoint_due(const struct pretrain *p, uint64_t step)
{
    return p->checkpoint_s > 0 && step < p->conf.steps &&
           (double)(clock_ms() - p->saved_ms) >= 1000 * p->checkpoint_s;
}

static int train_all(struct pretrain *p, struct err *err)
{
    struct progress *progress = p->job->progress;
    uint64_t first = 0;
    int rc = resume(p, &first, err);

    atomic_store(&progress->total, p->conf.steps);
    atomic_store(&progress->done, first);
    p->checkpoint_s = kind_real(p->job->kind, &p->job->params, "checkpoint_s");
    p->saved_ms = clock_ms();
    for (uint64_t step = first; rc == 0 && step < p->conf.steps; step++) {
        struct train_report report;

        if (progress_stopped(progress))
            return stop(p, step, err);
        rc = problems_draw(&p->batch, &p->problems, p->tok, step, err);
        if (rc == 0)
            draw_depth(p, step);
        rc = rc == 0 ? trainer_step(p->trainer, &p->batch.batch, &report, err) : rc;
        if (rc < 0)
            break;
        send_metrics(p, step + 1, &report);
        atomic_store(&progress->done, step + 1);
        progress_tick(progress);
        if (checkpoint_due(p, step + 1))
            rc = save_checkpoint(p, step + 1, err);
    }
    return rc;
}

static int save(struct pretrain *p, struct err *err)
{
    const struct job_services *s = p->job->services;
    char dir[PATH_MAX];
    int rc = scratch_path(p, "model", dir, err);

    if (rc)
        return rc;
    rc = model_save(dir, &p->conf.model, trainer_weights(p->trainer), p->tok, err);
    progress_tick(p->job->progress);
    rc = rc == 0 ? s->put_folder(s->arg, "model", dir, &p->job->output[0], err) : rc;
    if (rc == 0)
        p->job->outputs_len = 1;
    return rc;
}

int pretrain_run(struct job *j, struct err *err)
{
    struct pretrain p = { .job = j };
    bool think = strcmp(kind_text(j->kind, &j->params, "prompts"), "think") == 0;
    int rc =
        think ? tokenizer_from_alphabet_tags(&p.tok, think_alphabet(), think_tag, THINK_TAGS, err)
              : tokenizer_from_alphabet(&p.tok, task_alphabet(), err);

    p.problems.think = think;
    if (rc == 0) {
        read_conf(&p);
        rc = read_problems(&p, err);
    }
    rc = rc == 0 ? trainer_new(&p.trainer, &p.conf, j->pool, NULL, err) : rc;
    rc = rc == 0 ? train_all(&p, err) : rc;
    rc = rc == 0 ? save(&p, err) : rc;
    trainer_free(p.trainer);
    tokenizer_free(p.tok);
    free(p.times);
    problems_release(&p.batch);
    return rc;
}
