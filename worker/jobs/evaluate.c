/* SPDX-License-Identifier: Apache-2.0 */
/* Job kind "evaluate": one score per example, by the path that routed.h says. */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/jobs/evaluator.h"
#include "worker/jobs/examples.h"
#include "worker/jobs/implement.h"
#include "worker/jobs/routed.h"
#include "worker/jobs/score.h"

struct evaluate_job {
    struct job *job;
    const struct model *model;
    const struct task_spec *task;
    struct evaluator *evaluator;
    struct routed *routed;
    size_t batch;
    /* Of the examples worked on together; scores are the messages' memory. */
    uint8_t *routing;              /* [batch][layers] */
    struct evaluation *evaluation; /* [batch] */
    struct outcome *outcome;       /* [batch] */
    struct score *score;           /* [batch] */
};

static int evaluate_examples(void *arg, const struct example *const *e, size_t n,
                             Drover__ExampleResult *result, struct err *err)
{
    struct evaluate_job *v = arg;
    size_t layers = v->model->conf.layers;
    int rc = evaluator_begin(v->evaluator, e, n, err);

    for (size_t i = 0; rc == 0 && i < n; i++) {
        v->evaluation[i] = (struct evaluation){ .example = i };
        rc = routed_choose(v->routed, e[i], v->routing + i * layers, &v->evaluation[i], err);
    }
    rc = rc == 0 ? evaluator_run(v->evaluator, v->evaluation, n, false, v->outcome,
                                 v->job->progress, err)
                 : rc;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        struct score *s = &v->score[i];
        const uint8_t *label = routed_label(v->routed, e[i]->id);

        score_fill(s, v->task, e[i], &v->outcome[i], v->routing + i * layers, layers);
        if (label)
            score_compare(s, label);
        s->message.truncated = evaluator_truncated(v->evaluator, i);
        result[i].score = &s->message;
    }
    return rc;
}

static int make_routed(struct evaluate_job *v, struct err *err)
{
    size_t layers = v->model->conf.layers;

    v->routing = mem_calloc(v->batch, layers);
    v->evaluation = mem_calloc(v->batch, sizeof(*v->evaluation));
    v->outcome = mem_calloc(v->batch, sizeof(*v->outcome));
    v->score = mem_calloc(v->batch, sizeof(*v->score));
    return routed_new(&v->routed, v->job, v->model, err);
}

static int make_evaluator(struct evaluate_job *v, struct err *err)
{
    const struct kind *k = v->job->kind;
    const struct params *p = &v->job->params;
    struct evaluator_conf conf = { .model = v->model,
                                   .model_name = job_input_name(v->job, "model"),
                                   .task = v->task,
                                   .pool = v->job->pool,
                                   .max_new = (size_t)kind_int(k, p, "max_new"),
                                   .sampling = {
                                       .temperature = kind_real(k, p, "temperature"),
                                       .top_k = (size_t)kind_int(k, p, "top_k"),
                                       .top_p = kind_real(k, p, "top_p"),
                                       .seed = (uint64_t)kind_int(k, p, "sampling_seed"),
                                   } };

    return evaluator_new(&v->evaluator, &conf, err);
}

/* Texts of different lengths end one after the other: of a small model that writes them, many
 * together keep its passes full. */
static size_t batch_of(const struct evaluate_job *v)
{
    enum { BATCH_THINK = 256, SMALL_FLOATS = 1 << 22 };
    const struct job *j = v->job;
    const struct model_conf *c = &v->model->conf;
    const char *prompts = kind_text(j->kind, &j->params, "prompts");
    bool small = c->layers * c->dim * (c->dim + c->hidden) <= SMALL_FLOATS;
    bool given = params_get(&j->params, "batch");

    return !given && small && strncmp(prompts, "think", 5) == 0
               ? (size_t)BATCH_THINK
               : (size_t)kind_int(j->kind, &j->params, "batch");
}

int evaluate_run(struct job *j, struct err *err)
{
    struct evaluate_job v = { .job = j };
    int rc = job_task(j, &v.task, err);

    rc = rc == 0 ? job_model_open(j, "model", &v.model, err) : rc;
    v.batch = rc == 0 ? batch_of(&v) : 0;
    rc = rc == 0 ? make_routed(&v, err) : rc;
    rc = rc == 0 ? make_evaluator(&v, err) : rc;
    rc = rc == 0 ? job_each_example(j, v.batch, evaluate_examples, &v, err) : rc;
    evaluator_free(v.evaluator);
    routed_free(v.routed);
    free(v.routing);
    free(v.evaluation);
    free(v.outcome);
    free(v.score);
    job_model_close(v.model);
    return rc;
}
