/* SPDX-License-Identifier: Apache-2.0 */
/* Job kind "search": the label of each example of a shard, by tree search over routings. */
#include "worker/search/search.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/jobs/evaluator.h"
#include "worker/jobs/examples.h"
#include "worker/jobs/implement.h"

struct answer {
    char text[OUTCOME_ANSWER_BYTES];
};

struct search_job {
    struct job *job;
    const struct model *model;
    struct evaluator *evaluator;
    struct search_params params;
    /* Answers of the present example, in order of evaluation = order of discovery. */
    struct answer *answer;
    size_t answers_len, answers_cap;
    uint64_t rows;                 /* of all evaluations of the present example */
    struct evaluation *evaluation; /* [params.round] */
    struct outcome *outcome;       /* [params.round] */
    /* The message's memory. */
    struct search_result result;
    Drover__Label label;
    Drover__SearchEntry *entry, **entry_at;
};

static void keep_answer(struct search_job *s, const char *text)
{
    if (s->answers_len == s->answers_cap) {
        s->answers_cap = s->answers_cap ? 2 * s->answers_cap : 64;
        s->answer = mem_realloc(s->answer, s->answers_cap, sizeof(*s->answer));
    }
    memcpy(s->answer[s->answers_len++].text, text, OUTCOME_ANSWER_BYTES);
}

static int evaluate_round(void *arg, const uint8_t *const *routing, size_t n, double *reward,
                          struct err *err)
{
    struct search_job *s = arg;
    int rc;

    s->outcome = mem_realloc(s->outcome, MAX(n, (size_t)1), sizeof(*s->outcome));
    s->evaluation = mem_realloc(s->evaluation, MAX(n, (size_t)1), sizeof(*s->evaluation));
    for (size_t i = 0; i < n; i++)
        s->evaluation[i] = (struct evaluation){ .example = 0, .routing = routing[i] };
    rc = evaluator_run(s->evaluator, s->evaluation, n, true, s->outcome, s->job->progress, err);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        reward[i] = s->outcome[i].correct ? 1.0 : 0.0;
        s->rows += s->outcome[i].rows;
        keep_answer(s, s->outcome[i].answer);
    }
    return rc;
}

static size_t entry_of(const struct search_job *s, const uint8_t *routing)
{
    size_t layers = s->model->conf.layers, i = 0;

    while (i < s->result.evaluations &&
           memcmp(s->result.routing + i * layers, routing, layers) != 0)
        i++;
    return i;
}

/* The label once more, whole and alone, without the search's cached states. */
static int replay(struct search_job *s, const struct example *e, struct err *err)
{
    const struct evaluation label = { .example = 0, .routing = s->result.label };
    size_t entry = entry_of(s, label.routing);
    struct outcome again;
    int rc = evaluator_run(s->evaluator, &label, 1, false, &again, s->job->progress, err);

    if (rc < 0)
        return rc;
    if (!again.correct || entry == s->result.evaluations ||
        strcmp(again.answer, s->answer[entry].text) != 0)
        return err_set(err, ERR_INTERNAL,
                       "example %s: the label path answers \"%s\" when it is replayed alone; the "
                       "search saw \"%s\"",
                       e->source_id, again.answer,
                       entry < s->result.evaluations ? s->answer[entry].text : "nothing");
    return 0;
}

static void fill_log(struct search_job *s)
{
    size_t n = s->result.evaluations, layers = s->model->conf.layers;

    s->entry = mem_realloc(s->entry, n, sizeof(*s->entry));
    s->entry_at = mem_realloc(s->entry_at, n, sizeof(*s->entry_at));
    for (size_t i = 0; i < n; i++) {
        const struct search_entry *from = &s->result.entry[i];

        drover__search_entry__init(&s->entry[i]);
        s->entry[i].parent = from->parent;
        s->entry[i].visits = from->visits;
        s->entry[i].value = from->value;
        s->entry[i].reward = from->reward;
        s->entry[i].routing.data = s->result.routing + i * layers;
        s->entry[i].routing.len = layers;
        s->entry[i].answer = s->answer[i].text;
        s->entry_at[i] = &s->entry[i];
    }
    s->label.log = s->entry_at;
    s->label.n_log = n;
}

static void fill_label(struct search_job *s, uint64_t layer_rows)
{
    const struct search_result *r = &s->result;
    size_t layers = s->model->conf.layers;

    drover__label__init(&s->label);
    s->label.base_correct = r->base_correct;
    s->label.has_label = r->has_label;
    s->label.layers = (uint32_t)layers;
    s->label.label_layers = (uint32_t)(r->has_label ? r->label_length : layers);
    s->label.simulations = r->simulations;
    s->label.evaluations = r->evaluations;
    s->label.layer_rows = layer_rows;
    /* Rows differ between paths only where answers of several tokens differ: their mean. */
    s->label.layer_rows_whole = r->path_layers * s->rows / r->evaluations;
    s->label.base_answer = s->answer[0].text;
    if (r->has_label) {
        s->label.routing.data = r->label;
        s->label.routing.len = layers;
        s->label.label_answer = s->answer[entry_of(s, r->label)].text;
    }
    fill_log(s);
}

static int search_example(void *arg, const struct example *const *at, size_t n,
                          Drover__ExampleResult *result, struct err *err)
{
    struct search_job *s = arg;
    const struct example *e = at[0];
    uint64_t before = evaluator_layer_rows(s->evaluator);
    int rc;

    assert(n == 1); /* prefix states are those of one example */
    s->answers_len = 0;
    s->rows = 0;
    search_result_release(&s->result);
    rc = evaluator_begin(s->evaluator, at, 1, err);
    rc = rc == 0 ? search_run(&s->params, s->model->conf.layers, s->job->lease->seed, e->id,
                              evaluate_round, s, &s->result, err)
                 : rc;
    if (rc < 0)
        return rc;
    assert(s->answers_len == s->result.evaluations);
    rc = s->result.has_label ? replay(s, e, err) : 0;
    if (rc < 0)
        return rc;
    fill_label(s, evaluator_layer_rows(s->evaluator) - before);
    result->label = &s->label;
    return 0;
}

static int read_params(struct search_job *s, const struct job *j, struct err *err)
{
    const struct kind *k = j->kind;
    const struct params *p = &j->params;
    bool progressive = strcmp(kind_text(k, p, "widening"), "progressive") == 0;

    s->params = (struct search_params){
        .simulations = (uint32_t)kind_int(k, p, "simulations"),
        .round = (uint32_t)kind_int(k, p, "round"),
        .exploration = kind_real(k, p, "exploration"),
        .length_penalty = kind_real(k, p, "length_penalty"),
        .random_child = kind_real(k, p, "random_child"),
        /* No limit on children: every node has at most 4 per layer. */
        .widen_factor = progressive ? kind_real(k, p, "widen_factor") : 4.0 * MODEL_LAYERS_MAX,
        .widen_power = progressive ? kind_real(k, p, "widen_power") : 0.0,
    };
    return search_params_check(&s->params, s->model->conf.layers, err);
}

int search_job_run(struct job *j, struct err *err)
{
    struct search_job s = { .job = j };
    struct evaluator_conf conf = { .model_name = job_input_name(j, "model"),
                                   .pool = j->pool,
                                   .cache_bytes =
                                       (uint64_t)kind_int(j->kind, &j->params, "cache_bytes"),
                                   .sampling = { .top_p = 1 } };
    int rc = job_task(j, &conf.task, err);

    rc = rc == 0 ? job_model_open(j, "model", &s.model, err) : rc;
    rc = rc == 0 ? read_params(&s, j, err) : rc;
    conf.model = s.model;
    rc = rc == 0 ? evaluator_new(&s.evaluator, &conf, err) : rc;
    rc = rc == 0 ? job_each_example(j, 1, search_example, &s, err) : rc;
    evaluator_free(s.evaluator);
    search_result_release(&s.result);
    free(s.answer);
    free(s.evaluation);
    free(s.outcome);
    free(s.entry);
    free(s.entry_at);
    job_model_close(s.model);
    return rc;
}
