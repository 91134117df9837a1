/* SPDX-License-Identifier: Apache-2.0 */
/* Job kind "evaluate": one score per example, by the base path, by one path for all, or by the
 * example's label. */
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/jobs/evaluator.h"
#include "worker/jobs/examples.h"
#include "worker/jobs/implement.h"
#include "worker/jobs/label_set.h"
#include "worker/jobs/score.h"
#include "worker/search/search.h"

struct evaluate_job {
    struct job *job;
    const struct model *model;
    const struct task_spec *task;
    struct evaluator *evaluator;
    struct label_set labels;
    uint8_t *path; /* [layers]: of examples without label */
    size_t batch;
    /* Of the examples worked on together; scores are the messages' memory. */
    uint8_t *routing;              /* [batch][layers] */
    struct evaluation *evaluation; /* [batch] */
    struct outcome *outcome;       /* [batch] */
    struct score *score;           /* [batch] */
};

/* The example's label; the path of all when it has none. */
static int choose_routing(const struct evaluate_job *v, const struct example *e, uint8_t *routing,
                          struct err *err)
{
    const struct label_row *row = label_set_find(&v->labels, e->id);
    size_t layers = v->model->conf.layers;
    int rc;

    memcpy(routing, v->path, layers);
    if (!row || !row->routing[0])
        return 0;
    if (strlen(row->routing) != layers)
        return err_set(err, ERR_INVALID, "the label of %s is for %zu layers; the model has %zu",
                       e->source_id, strlen(row->routing), layers);
    rc = routing_parse(row->routing, layers, routing, err);
    return rc < 0 ? err_wrap(err, rc, "label of %s", e->source_id) : 0;
}

static int evaluate_examples(void *arg, const struct example *const *e, size_t n,
                             Drover__ExampleResult *result, struct err *err)
{
    struct evaluate_job *v = arg;
    size_t layers = v->model->conf.layers;
    int rc = evaluator_begin(v->evaluator, e, n, err);

    for (size_t i = 0; rc == 0 && i < n; i++) {
        v->evaluation[i] = (struct evaluation){ .example = i, .routing = v->routing + i * layers };
        rc = choose_routing(v, e[i], v->routing + i * layers, err);
    }
    rc = rc == 0 ? evaluator_run(v->evaluator, v->evaluation, n, false, v->outcome,
                                 v->job->progress, err)
                 : rc;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        score_fill(&v->score[i], v->task, e[i], &v->outcome[i], v->routing + i * layers, layers);
        v->score[i].message.truncated = evaluator_truncated(v->evaluator, i);
        result[i].score = &v->score[i].message;
    }
    return rc;
}

static int read_labels(struct evaluate_job *v, struct err *err)
{
    const struct job *j = v->job;
    char path[PATH_MAX] = "";
    int rc = j->services->input(j->services->arg, "labels", path, sizeof(path), err);

    return rc == 0 ? label_set_read(&v->labels, path, err) : rc;
}

static int read_path(struct evaluate_job *v, struct err *err)
{
    const struct param_value *list = kind_list(v->job->kind, &v->job->params, "path");
    size_t layers = v->model->conf.layers, len = list ? list->len : 0;

    if (len != layers)
        return err_set(err, ERR_INVALID, "path has %zu entries; the model has %zu layers", len,
                       layers);
    for (size_t i = 0; i < layers; i++) {
        if (list->ints[i] < ROUTING_SKIP || list->ints[i] > ROUTING_REPEAT)
            return err_set(err, ERR_INVALID,
                           "path: entry %zu is %lld; 0 (skip), 1 (execute) or 2 (repeat) is needed",
                           i, (long long)list->ints[i]);
        v->path[i] = (uint8_t)list->ints[i];
    }
    return 0;
}

static int read_routing(struct evaluate_job *v, struct err *err)
{
    const struct job *j = v->job;
    const char *routing = kind_text(j->kind, &j->params, "routing");
    size_t layers = v->model->conf.layers;

    v->path = mem_calloc(layers, 1);
    v->routing = mem_calloc(v->batch, layers);
    v->evaluation = mem_calloc(v->batch, sizeof(*v->evaluation));
    v->outcome = mem_calloc(v->batch, sizeof(*v->outcome));
    v->score = mem_calloc(v->batch, sizeof(*v->score));
    memset(v->path, ROUTING_EXECUTE, layers);
    if (strcmp(routing, "labels") == 0)
        return read_labels(v, err);
    return strcmp(routing, "path") == 0 ? read_path(v, err) : 0;
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

int evaluate_run(struct job *j, struct err *err)
{
    struct evaluate_job v = { .job = j };
    int rc = job_task(j, &v.task, err);

    v.batch = (size_t)kind_int(j->kind, &j->params, "batch");
    rc = rc == 0 ? job_model_open(j, "model", &v.model, err) : rc;
    rc = rc == 0 ? read_routing(&v, err) : rc;
    rc = rc == 0 ? make_evaluator(&v, err) : rc;
    rc = rc == 0 ? job_each_example(j, v.batch, evaluate_examples, &v, err) : rc;
    evaluator_free(v.evaluator);
    label_set_release(&v.labels);
    free(v.path);
    free(v.routing);
    free(v.evaluation);
    free(v.outcome);
    free(v.score);
    job_model_close(v.model);
    return rc;
}
