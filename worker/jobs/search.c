/* SPDX-License-Identifier: Apache-2.0 */
/* Job kind "search": the label of each example of a shard, by search over routings. */
#include "worker/search/search.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/wire/wire.h"
#include "worker/jobs/evaluator.h"
#include "worker/jobs/examples.h"
#include "worker/jobs/hint.h"
#include "worker/jobs/implement.h"
#include "worker/jobs/lockstep.h"
#include "worker/jobs/static_paths.h"

_Static_assert((int)SEARCH_ENTRIES_MAX == (int)WIRE_ENTRIES_MAX, "a whole log fits in a message");

/* One example's message and its memory. */
struct message {
    Drover__Label label;
    Drover__SearchEntry *entry, **entry_at;
};

struct search_job {
    struct job *job;
    const struct model *model;
    struct evaluator *evaluator;
    struct hint *hint;
    struct search_params params;
    uint8_t *starts; /* [starts_len][layers] */
    size_t starts_len;
    size_t batch;
    struct seeker *seeker;   /* [batch] */
    struct message *message; /* [batch] */
};

static void fill_log(struct message *m, const struct seeker *s, size_t layers)
{
    size_t n = s->result.evaluations;

    m->entry = mem_realloc(m->entry, n, sizeof(*m->entry));
    m->entry_at = mem_realloc(m->entry_at, n, sizeof(*m->entry_at));
    for (size_t i = 0; i < n; i++) {
        const struct search_entry *from = &s->result.entry[i];

        drover__search_entry__init(&m->entry[i]);
        m->entry[i].parent = from->parent;
        m->entry[i].visits = from->visits;
        m->entry[i].value = from->value;
        m->entry[i].reward = from->reward;
        m->entry[i].routing.data = s->result.routing + i * layers;
        m->entry[i].routing.len = layers;
        m->entry[i].answer = s->answer[i].text;
        m->entry_at[i] = &m->entry[i];
    }
    m->label.log = m->entry_at;
    m->label.n_log = n;
}

static void fill_label(struct message *m, const struct seeker *s, size_t layers,
                       uint64_t layer_rows)
{
    const struct search_result *r = &s->result;
    Drover__Label *label = &m->label;

    drover__label__init(label);
    label->base_correct = r->base_correct;
    label->has_label = r->has_label;
    label->layers = (uint32_t)layers;
    label->label_layers = (uint32_t)(r->has_label ? r->label_length : layers);
    label->simulations = r->simulations;
    label->evaluations = r->evaluations;
    label->hinted = r->hinted;
    label->layer_rows = layer_rows;
    /* Rows differ between paths only where answers of several tokens differ: their mean. */
    label->layer_rows_whole = s->evaluated ? r->path_layers * s->rows / s->evaluated : 0;
    label->base_answer = s->answer[0].text;
    if (r->has_label) {
        label->routing.data = r->label;
        label->routing.len = layers;
        label->label_answer = s->answer[seeker_entry(s, r->label, layers)].text;
    }
    fill_log(m, s, layers);
}

static void forget(struct search_job *s)
{
    for (size_t i = 0; i < s->batch; i++)
        seeker_release(&s->seeker[i]);
}

static int search_examples(void *arg, const struct example *const *at, size_t n,
                           Drover__ExampleResult *result, struct err *err)
{
    struct search_job *s = arg;
    const struct lockstep l = { .params = &s->params,
                                .layers = s->model->conf.layers,
                                .seed = s->job->lease->seed,
                                .evaluator = s->evaluator,
                                .hint = s->hint,
                                .progress = s->job->progress };
    int rc;

    assert(n <= s->batch);
    forget(s);
    rc = evaluator_begin(s->evaluator, at, n, err);
    rc = rc == 0 ? lockstep_run(&l, at, n, s->seeker, err) : rc;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        fill_label(&s->message[i], &s->seeker[i], l.layers,
                   evaluator_stats(s->evaluator, i).layer_rows);
        result[i].label = &s->message[i].label;
    }
    return rc;
}

/* ------------------------------------------------------------------------------------------- */

/* The number of TEXT among WORDS, which the kind's table has checked. */
static int word(const char *text, const char *const *words)
{
    int i = 0;

    while (strcmp(text, words[i]) != 0)
        i++;
    return i;
}

static int read_params(struct search_job *s, const struct job *j, struct err *err)
{
    static const char *const method[] = { "progressive", "all", "chain", "enumerate" };
    static const char *const edits[] = { "both", "skip", "repeat" };
    static const char *const stop[] = { "none", "shorter", "fixed", "published" };
    const struct kind *k = j->kind;
    const struct params *p = &j->params;

    s->params = (struct search_params){
        .simulations = (uint32_t)kind_int(k, p, "simulations"),
        .round = (uint32_t)kind_int(k, p, "round"),
        .exploration = kind_real(k, p, "exploration"),
        .length_penalty = kind_real(k, p, "length_penalty"),
        .random_child = kind_real(k, p, "random_child"),
        .widen_factor = kind_real(k, p, "widen_factor"),
        .widen_power = kind_real(k, p, "widen_power"),
        .method = (enum search_method)word(kind_text(k, p, "method"), method),
        .edits = (enum routing_edits)word(kind_text(k, p, "edits"), edits),
        .depth = (uint32_t)kind_int(k, p, "depth"),
        .early_stop = (enum search_stop)word(kind_text(k, p, "early_stop"), stop),
        .total_visits = strcmp(kind_text(k, p, "total_visits"), "total") == 0,
    };
    s->batch = (size_t)kind_int(k, p, "batch");
    s->params.starts = s->starts;
    s->params.starts_len = s->starts_len;
    return search_params_check(&s->params, s->model->conf.layers, err);
}

static bool has_input(const struct job *j, const char *name)
{
    for (size_t i = 0; i < j->lease->n_inputs; i++)
        if (strcmp(j->lease->inputs[i]->name, name) == 0)
            return true;
    return false;
}

/* What a select step chose: paths from which others are made. */
static int read_starts(struct search_job *s, struct err *err)
{
    char path[PATH_MAX] = "";
    int rc;

    if (!has_input(s->job, "paths"))
        return 0;
    rc = s->job->services->input(s->job->services->arg, "paths", path, sizeof(path), err);
    return rc == 0 ? static_paths_read(path, s->model->conf.layers, &s->starts, NULL,
                                       &s->starts_len, err)
                   : rc;
}

/* A hint may be missing, also when the lease names one that is gone. */
static int read_hint(struct search_job *s, struct err *err)
{
    char path[PATH_MAX] = "";
    int rc;

    if (!has_input(s->job, "hint"))
        return 0;
    rc = s->job->services->input(s->job->services->arg, "hint", path, sizeof(path), err);
    if (rc == 0)
        return hint_read(&s->hint, path, s->model->conf.layers, err);
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

static void release(struct search_job *s)
{
    if (s->seeker)
        forget(s);
    for (size_t i = 0; s->message && i < s->batch; i++) {
        free(s->message[i].entry);
        free(s->message[i].entry_at);
    }
    free(s->seeker);
    free(s->message);
    free(s->starts);
    hint_free(s->hint);
    evaluator_free(s->evaluator);
    job_model_close(s->model);
}

/* What sharing saved, of the examples that this attempt searched, as metrics at step 0. */
static void report_costs(const struct search_job *s)
{
    const struct evaluator_stats t = evaluator_total(s->evaluator);
    const struct job_services *to = s->job->services;

    if (t.needed == 0)
        return;
    to->metric(to->arg, "hit_rate", 0, (double)t.found / (double)t.needed);
    to->metric(to->arg, "rows_share", 0, (double)t.layer_rows / (double)t.layer_rows_whole);
}

int search_job_run(struct job *j, struct err *err)
{
    struct search_job s CLEANUP(release) = { .job = j };
    struct evaluator_conf conf = { .model_name = job_input_name(j, "model"),
                                   .pool = j->pool,
                                   .cache_bytes =
                                       (uint64_t)kind_int(j->kind, &j->params, "cache_bytes"),
                                   .sampling = { .top_p = 1 } };
    int rc = job_task(j, &conf.task, err);

    rc = rc == 0 ? job_model_open(j, "model", &s.model, err) : rc;
    rc = rc == 0 ? read_starts(&s, err) : rc;
    rc = rc == 0 ? read_params(&s, j, err) : rc;
    rc = rc == 0 ? read_hint(&s, err) : rc;
    conf.model = s.model;
    rc = rc == 0 ? evaluator_new(&s.evaluator, &conf, err) : rc;
    if (rc < 0)
        return rc;
    s.seeker = mem_calloc(s.batch, sizeof(*s.seeker));
    s.message = mem_calloc(s.batch, sizeof(*s.message));
    rc = job_each_example(j, s.batch, search_examples, &s, err);
    if (rc == 0)
        report_costs(&s);
    return rc;
}
