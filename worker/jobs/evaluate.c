/* SPDX-License-Identifier: Apache-2.0 */
/* Job kind "evaluate": one score per example, by the base path or by the example's label. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/jobs/evaluator.h"
#include "worker/jobs/examples.h"
#include "worker/jobs/implement.h"
#include "worker/jobs/label_set.h"
#include "worker/model/sweep.h"
#include "worker/search/search.h"

struct evaluate_job {
    struct job *job;
    const struct model *model;
    struct evaluator *evaluator;
    struct label_set labels;
    uint8_t *routing; /* [layers] */
    /* The message's memory. */
    struct outcome outcome;
    Drover__Score score;
};

/* The example's label; every layer once when it has none. */
static int choose_routing(struct evaluate_job *v, const struct example *e, struct err *err)
{
    const struct label_row *row = label_set_find(&v->labels, e->id);
    size_t layers = v->model->conf.layers;
    int rc;

    memset(v->routing, ROUTING_EXECUTE, layers);
    if (!row || !row->routing[0])
        return 0;
    if (strlen(row->routing) != layers)
        return err_set(err, ERR_INVALID, "the label of %s is for %zu layers; the model has %zu",
                       e->source_id, strlen(row->routing), layers);
    rc = routing_parse(row->routing, layers, v->routing, err);
    return rc < 0 ? err_wrap(err, rc, "label of %s", e->source_id) : 0;
}

static int evaluate_example(void *arg, const struct example *e, Drover__ExampleResult *result,
                            struct err *err)
{
    struct evaluate_job *v = arg;
    const uint8_t *routing = v->routing;
    uint64_t before = evaluator_layer_rows(v->evaluator);
    int rc = evaluator_begin(v->evaluator, e, err);

    rc = rc == 0 ? choose_routing(v, e, err) : rc;
    rc = rc == 0
             ? evaluator_run(v->evaluator, &routing, 1, false, &v->outcome, v->job->progress, err)
             : rc;
    if (rc < 0)
        return rc;
    drover__score__init(&v->score);
    v->score.correct = v->outcome.correct;
    v->score.correct_norm = v->outcome.correct_norm;
    v->score.answer = v->outcome.answer;
    v->score.layer_rows = evaluator_layer_rows(v->evaluator) - before;
    v->score.tokens = evaluator_rows(v->evaluator);
    v->score.layers = (double)v->score.layer_rows / (double)v->score.tokens;
    v->score.routing.data = v->routing;
    v->score.routing.len = v->model->conf.layers;
    v->score.logprob = v->outcome.logprob;
    v->score.n_logprob = v->outcome.logprobs_len;
    result->score = &v->score;
    return 0;
}

static int read_labels(struct evaluate_job *v, struct err *err)
{
    const struct job *j = v->job;
    char path[PATH_MAX] = "";
    int rc;

    v->routing = mem_calloc(v->model->conf.layers, 1);
    if (strcmp(kind_text(j->kind, &j->params, "routing"), "labels") != 0)
        return 0;
    rc = j->services->input(j->services->arg, "labels", path, sizeof(path), err);
    return rc == 0 ? label_set_read(&v->labels, path, err) : rc;
}

int evaluate_run(struct job *j, struct err *err)
{
    struct evaluate_job v = { .job = j };
    const struct task_spec *task = NULL;
    int rc = job_task(j, &task, err);

    rc = rc == 0 ? job_model_open(j, "model", &v.model, err) : rc;
    rc = rc == 0 ? read_labels(&v, err) : rc;
    rc = rc == 0 ? evaluator_new(&v.evaluator, v.model, task, j->pool, 0, err) : rc;
    rc = rc == 0 ? job_each_example(j, evaluate_example, &v, err) : rc;
    evaluator_free(v.evaluator);
    label_set_release(&v.labels);
    free(v.routing);
    job_model_close(v.model);
    return rc;
}
