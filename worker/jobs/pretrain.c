/* SPDX-License-Identifier: Apache-2.0 */
/* Job kind "pretrain": an embedded model from scratch on the synthetic tasks. */
#include "worker/jobs/pretrain.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/tasks/task.h"
#include "common/tasks/think.h"
#include "worker/jobs/implement.h"

/* Steps between two points of the metrics: 75 points for the quickstart's 1,500 steps. */
enum { METRIC_STEPS = 20 };

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

/* Stopped after STEP: what was done since the last checkpoint is saved if there is time. */
static int stop(struct pretrain *p, uint64_t step, struct err *err)
{
    if (progress_draining(p->job->progress) && step > p->saved && p->checkpoint_s > 0) {
        int rc = pretrain_checkpoint(p, step, err);
        if (rc)
            return rc;
    }
    return err_set(err, ERR_CANCELLED, "stopped at step %llu of %llu", (unsigned long long)step,
                   (unsigned long long)p->conf.steps);
}

static int train_all(struct pretrain *p, struct err *err)
{
    struct progress *progress = p->job->progress;
    uint64_t first = 0;
    int rc = pretrain_resume(p, &first, err);

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
        if (pretrain_checkpoint_due(p, step + 1))
            rc = pretrain_checkpoint(p, step + 1, err);
    }
    return rc;
}

static int save(struct pretrain *p, struct err *err)
{
    const struct job_services *s = p->job->services;
    char dir[PATH_MAX];
    int rc = pretrain_scratch(p, "model", dir, err);

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
    rc = rc == 0 ? pretrain_conf_read(&p, err) : rc;
    rc = rc == 0 ? trainer_new(&p.trainer, &p.conf, j->pool, NULL, err) : rc;
    rc = rc == 0 ? train_all(&p, err) : rc;
    rc = rc == 0 ? save(&p, err) : rc;
    trainer_free(p.trainer);
    tokenizer_free(p.tok);
    free(p.times);
    problems_release(&p.batch);
    return rc;
}
