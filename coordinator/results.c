/* SPDX-License-Identifier: Apache-2.0 */
/* results.c - what workers send, as the store wants it. The numbers of outcomes agree all over. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/kinds/kinds.h"
#include "coordinator/shell.h"
#include "store/checkpoint.h"

static_assert((int)STORE_OOM == CAUSE_OOM && (int)STORE_DIVERGED == CAUSE_DIVERGED, "same numbers");
static_assert((int)STORE_OOM == DROVER__OUTCOME__OUTCOME_OOM &&
                  (int)STORE_DIVERGED == DROVER__OUTCOME__OUTCOME_DIVERGED,
              "same numbers");

static_assert((int)STORE_VALUES_MAX == WIRE_VALUES_MAX &&
                  (int)STORE_CLASSES_MAX == WIRE_CLASSES_OF_SCORE,
              "same limits");

static struct store_entry *entries_of(const Drover__Label *l)
{
    struct store_entry *e = mem_calloc(l->n_log, sizeof(*e));

    for (size_t i = 0; i < l->n_log; i++) {
        const Drover__SearchEntry *w = l->log[i];

        e[i] = (struct store_entry){
            .parent = w->parent,
            .routing = w->routing.data,
            .routing_len = w->routing.len,
            .reward = w->reward,
            .value = w->value,
            .visits = w->visits,
            .answer = w->answer,
        };
    }
    return e;
}

static struct store_label label_of(const Drover__Label *l, const struct store_entry *log)
{
    return (struct store_label){
        .base_correct = l->base_correct,
        .has_label = l->has_label,
        .routing = l->routing.data,
        .routing_len = l->routing.len,
        .layers = l->layers,
        .label_layers = l->label_layers,
        .simulations = l->simulations,
        .evaluations = l->evaluations,
        .hinted = l->hinted,
        .layer_rows = l->layer_rows,
        .layer_rows_whole = l->layer_rows_whole,
        .base_answer = l->base_answer,
        .label_answer = l->label_answer,
        .log = log,
        .log_len = l->n_log,
    };
}

/* Of a checked message: at most WIRE_VALUES_MAX. */
static struct store_score score_of(const Drover__Score *w, struct store_value_of *values)
{
    for (size_t i = 0; i < w->n_values; i++)
        values[i] = (struct store_value_of){ w->values[i]->name, w->values[i]->value };
    return (struct store_score){
        .correct = w->correct,
        .correct_norm = w->correct_norm,
        .answer = w->answer,
        .layer_rows = w->layer_rows,
        .layers = w->layers,
        .tokens = w->tokens,
        .routing = w->routing.data,
        .routing_len = w->routing.len,
        .logprob = w->logprob,
        .logprob_len = w->n_logprob,
        .values = values,
        .values_len = w->n_values,
        .pick = w->pick,
        .gold = w->gold,
        .whole_set = w->whole_set,
        .truncated = w->truncated,
        .generated = w->generated,
    };
}

int shell_store_example(struct server *s, struct err *err)
{
    const Drover__ExampleResult *m = s->message->example_result;
    struct store_entry *log CLEANUP(mem_cleanup) = m->label ? entries_of(m->label) : NULL;
    struct store_label label = m->label ? label_of(m->label, log) : (struct store_label){ 0 };
    struct store_value_of values[WIRE_VALUES_MAX];
    struct store_score score = m->score ? score_of(m->score, values) : (struct store_score){ 0 };
    enum store_verdict verdict;
    struct store_example_result r = {
        .attempt = m->attempt,
        .epoch = m->epoch,
        .example = { .id = m->example->id,
                     .index = m->example->index,
                     .task = m->example->task,
                     .split = m->example->split,
                     .source_id = m->example->source_id,
                     .question = m->example->question,
                     .gold = m->example->gold,
                     .subset = m->example->subset,
                     .level = m->example->level },
        .label = m->label ? &label : NULL,
        .score = m->score ? &score : NULL,
        .wall_us = m->wall_us,
    };
    int rc = store_example_result(s->store, &r, &verdict, err);

    s->metrics.examples += rc == 0;
    if (rc == 0 && verdict == STORE_INCIDENT)
        log_error("incident", "attempt=%llu example=%016llx", (unsigned long long)m->attempt,
                  (unsigned long long)m->example->id);
    return rc;
}

static struct store_metric *metrics_of(Drover__Metric **list, size_t len)
{
    struct store_metric *m = len ? mem_calloc(len, sizeof(*m)) : NULL;

    for (size_t i = 0; i < len; i++)
        m[i] = (struct store_metric){ list[i]->name, list[i]->step, list[i]->value };
    return m;
}

int shell_store_checkpoint(struct server *s, struct err *err)
{
    const Drover__Checkpoint *m = s->message->checkpoint;
    struct store_metric *metrics CLEANUP(mem_cleanup) = metrics_of(m->metrics, m->n_metrics);
    const struct store_checkpoint c = { .attempt = m->attempt,
                                        .epoch = m->epoch,
                                        .step = m->step,
                                        .digest = wire_digest(m->digest),
                                        .size_bytes = m->size,
                                        .metrics = metrics,
                                        .metrics_len = m->n_metrics };
    const struct attempt *t = attempts_find(s->attempts, m->attempt);
    int rc = store_checkpoint_put(s->store, &c, err);

    s->metrics.checkpoints += rc == 0;
    if (t) /* the job's next lease names it */
        cards_drop(s->cards, t->job);
    if (rc == 0)
        log_info("checkpoint", "attempt=%llu step=%llu bytes=%llu", (unsigned long long)m->attempt,
                 (unsigned long long)m->step, (unsigned long long)m->size);
    return rc;
}

/* Of a checked message: its outputs' lengths are within WIRE_OUTPUTS_MAX. */
/* Law 5 is for pure kinds. */
static bool compares(const char *kind)
{
    const struct kind *k = kind_find(kind);
    return k == NULL || !k->uncompared;
}

static struct store_result result_of(const Drover__JobResult *m, struct store_output *outputs,
                                     const struct store_metric *metrics)
{
    for (size_t i = 0; i < m->n_outputs; i++)
        outputs[i] = (struct store_output){ .name = m->outputs[i]->name,
                                            .digest = wire_digest(m->outputs[i]->digest),
                                            .size_bytes = m->outputs[i]->size,
                                            .folder = m->outputs[i]->folder };
    return (struct store_result){
        .attempt = m->attempt,
        .epoch = m->epoch,
        .outcome = (enum store_outcome)m->outcome,
        .text = m->text,
        .environment = m->environment[0] ? m->environment : NULL, /* that of the Hello */
        .log = m->log,
        .wall_ms = m->wall_ms,
        .wall_us = m->wall_us,
        .cpu_ms = m->cpu_ms,
        .outputs = outputs,
        .outputs_len = m->n_outputs,
        .metrics = metrics,
        .metrics_len = m->n_metrics,
        .compares = compares,
    };
}

/* A manifest names blobs of its own; all must be there before it counts. */
static int check_manifest(struct server *s, const struct digest *d, struct err *err)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    size_t len = 0, limit = WIRE_CHUNK_MAX;
    uint64_t size = 0;
    int rc =
        blobs_read(store_blobs(s->store), d, 0, limit, buf_reserve(&text, limit), &len, &size, err);
    char *save = NULL, *line;

    if (rc < 0)
        return rc;
    text.len = len;
    if (size > limit)
        return err_set(err, ERR_INVALID, "a manifest of %llu bytes", (unsigned long long)size);
    (void)buf_str(&text);
    for (line = strtok_r(text.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        const char *hex = strrchr(line, ' ');
        struct digest file;
        struct store_blob blob;

        rc = digest_parse(hex ? hex + 1 : "", &file, err);
        if (rc == 0 && !blobs_have(store_blobs(s->store), &file, NULL))
            rc = store_blob_find(s->store, &file, &blob, err);
        if (rc < 0)
            return err_wrap(err, rc, "manifest line \"%s\"", line);
    }
    return 0;
}

int shell_store_done(struct server *s, const struct store_begun *begun, bool late,
                     enum store_verdict *ret, struct err *err)
{
    const Drover__JobResult *m = s->result;
    struct store_metric *metrics CLEANUP(mem_cleanup) = metrics_of(m->metrics, m->n_metrics);
    struct store_output outputs[WIRE_OUTPUTS_MAX];
    struct store_result r = result_of(m, outputs, metrics);
    struct store_ids ready = { 0 };
    int rc = 0;

    r.begun = begun;
    r.late = late;
    for (size_t i = 0; i < r.outputs_len && rc == 0; i++)
        if (outputs[i].folder)
            rc = check_manifest(s, &outputs[i].digest, err);
    if (rc == 0)
        rc = store_job_done(s->store, &r, ret, &ready, err);
    shell_jobs_ready(s, &ready);
    store_ids_release(&ready);
    if (rc < 0)
        return rc;
    s->metrics.results_done += *ret == STORE_STORED;
    s->metrics.compared += *ret != STORE_STORED;
    s->metrics.incidents += *ret == STORE_INCIDENT;
    if (*ret == STORE_INCIDENT)
        log_error("incident", "attempt=%llu", (unsigned long long)m->attempt);
    return 0;
}

static const char *why_of(enum sched_cause cause)
{
    switch (cause) {
    case CAUSE_LOST:
        return "its worker went away, or made no progress within the lease";
    case CAUSE_PREEMPTED:
        return "its worker was stopped";
    case CAUSE_CANCELLED:
        return "no longer wanted";
    case CAUSE_DONE:
    case CAUSE_FAILED:
    case CAUSE_OOM:
    case CAUSE_TIMEOUT:
    case CAUSE_DIVERGED:
    case CAUSE_SKIPPED:
    case SCHED_CAUSES_LEN:
        break;
    }
    return "";
}

/* For those who watch: the store has it, too. */
static void keep_failure(struct server *s, const struct sched_action *a, const char *text)
{
    struct shell_worker *w;

    HASH_FIND(hh, s->workers, &a->worker, sizeof(a->worker), w);
    failures_add(&s->failures, a->cause, clock_ms(), a->job, w ? w->name : "", text);
}

int shell_store_end(struct server *s, const struct sched_action *a, const struct store_begun *begun,
                    bool final, struct err *err)
{
    const Drover__JobResult *m = NULL;
    struct store_metric *metrics CLEANUP(mem_cleanup) = NULL;
    struct store_output outputs[WIRE_OUTPUTS_MAX];
    struct store_result r = { .attempt = a->attempt, .epoch = a->epoch };
    uint32_t skipped = 0;
    int rc;

    if (s->result && s->result->attempt == a->attempt)
        m = s->result;
    if (m) {
        metrics = metrics_of(m->metrics, m->n_metrics);
        r = result_of(m, outputs, metrics);
        r.outputs_len = 0;
    }
    if (s->end_why && s->end_attempt == a->attempt)
        r.text = s->end_why;
    else if (!m || !*r.text)
        r.text = why_of(a->cause);
    r.begun = begun;
    r.outcome = (enum store_outcome)a->cause;
    r.blameless = a->cause == CAUSE_LOST && !a->counted;
    rc = store_attempt_end(s->store, &r, final, &skipped, err);
    if (final) /* a select job may have waited for its end only */
        shell_ready(s, 0, 0);
    if (rc == 0 && a->cause != CAUSE_PREEMPTED && a->cause != CAUSE_CANCELLED) {
        keep_failure(s, a, r.text);
        log_warn("attempt_failed", "job=%llu attempt=%llu cause=%s final=%d skipped=%u text=\"%s\"",
                 (unsigned long long)a->job, (unsigned long long)a->attempt,
                 sched_cause_name(a->cause), final, skipped, r.text);
    }
    return rc;
}
