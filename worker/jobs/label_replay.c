/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/label_replay.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/jobs/evaluator.h"

void label_claim_release(struct label_claim *c)
{
    free(c->base_answer);
    free(c->routing);
    free(c->answer);
    free(c->what);
    *c = (struct label_claim){ 0 };
}

/* Examples that are replayed together: two evaluations each at most. */
struct batch {
    const struct label_replay *r;
    const struct label_claim *claim;
    size_t len, evaluations;
    struct task_source *source;
    struct evaluator *evaluator;
    struct example *example;   /* [r->batch] */
    const struct example **at; /* [r->batch] */
    uint8_t *routing;          /* [2 * r->batch][layers] */
    struct evaluation *evaluation;
    struct outcome *outcome;
};

static void release(struct batch *b)
{
    evaluator_free(b->evaluator);
    task_close(b->source);
    free(b->example);
    free(b->at);
    free(b->routing);
    free(b->evaluation);
    free(b->outcome);
}

static int prepare(struct batch *b, struct err *err)
{
    const struct label_replay *r = b->r;
    struct evaluator_conf conf = {
        .model = r->model, .model_name = r->model_name, .pool = r->pool, .sampling = { .top_p = 1 }
    };
    size_t n = r->batch;
    int rc = task_must_find(r->query.task, &conf.task, err);

    rc = rc == 0 ? task_open(&b->source, &r->query, err) : rc;
    rc = rc == 0 ? evaluator_new(&b->evaluator, &conf, err) : rc;
    if (rc < 0)
        return rc;
    b->example = mem_calloc(n, sizeof(*b->example));
    b->at = mem_calloc(n, sizeof(*b->at));
    b->routing = mem_calloc(2 * n, r->model->conf.layers);
    b->evaluation = mem_calloc(2 * n, sizeof(*b->evaluation));
    b->outcome = mem_calloc(2 * n, sizeof(*b->outcome));
    for (size_t i = 0; i < n; i++)
        b->at[i] = &b->example[i];
    return 0;
}

/* Example EXAMPLE of the batch by the digits of TEXT; NULL: the default path. */
static int add_evaluation(struct batch *b, size_t example, const char *text, struct err *err)
{
    size_t layers = b->r->model->conf.layers;
    uint8_t *routing = b->routing + b->evaluations * layers;

    b->evaluation[b->evaluations++] = (struct evaluation){ .example = example, .routing = routing };
    memset(routing, 1, layers);
    if (!text)
        return 0;
    if (strlen(text) != layers || strspn(text, "012") != layers)
        return err_set(err, ERR_INVALID,
                       "the label of example %016" PRIx64
                       " is \"%.80s\"; a path of %s is %zu digits 0, 1, 2",
                       b->claim[example].id, text, b->r->model_name, layers);
    for (size_t l = 0; l < layers; l++)
        routing[l] = (uint8_t)(text[l] - '0');
    return 0;
}

static int gather(struct batch *b, struct err *err)
{
    int rc = 0;

    b->evaluations = 0;
    for (size_t i = 0; rc == 0 && i < b->len; i++) {
        const struct label_claim *c = &b->claim[i];

        rc = task_get(b->source, c->index, &b->example[i], err);
        if (rc == 0 && b->example[i].id != c->id)
            rc = err_set(err, ERR_INVALID,
                         "example %" PRIu64 " of task %s, level %d is %016" PRIx64
                         ", not %016" PRIx64 ": another version of the task?",
                         c->index, b->r->query.task, b->r->query.level, b->example[i].id, c->id);
        rc = rc == 0 ? add_evaluation(b, i, NULL, err) : rc;
        if (rc == 0 && c->routing)
            rc = add_evaluation(b, i, c->routing, err);
    }
    return rc;
}

static void compare(const struct batch *b, const struct label_replay_report *report)
{
    for (size_t k = 0; k < b->evaluations; k++) {
        const struct label_claim *c = &b->claim[b->evaluation[k].example];
        bool base = k == 0 || b->evaluation[k - 1].example != b->evaluation[k].example;
        struct label_disagreement d = { .claim = c,
                                        .routing = base ? NULL : c->routing,
                                        .expected_answer = base ? c->base_answer : c->answer,
                                        .got_answer = b->outcome[k].answer,
                                        .expected_correct = base ? c->base_correct : true,
                                        .got_correct = b->outcome[k].correct };

        if (d.expected_correct != d.got_correct || strcmp(d.expected_answer, d.got_answer) != 0)
            report->disagree(report->arg, &d);
    }
}

static int run_batch(struct batch *b, const struct label_replay_report *report,
                     struct progress *progress, struct err *err)
{
    int rc = gather(b, err);

    rc = rc == 0 ? evaluator_begin(b->evaluator, b->at, b->len, err) : rc;
    rc = rc == 0 ? evaluator_run(b->evaluator, b->evaluation, b->evaluations, false, b->outcome,
                                 progress, err)
                 : rc;
    if (rc == 0) {
        compare(b, report);
        report->done(report->arg, b->len, b->evaluations);
    }
    for (size_t i = 0; i < b->len; i++)
        example_release(&b->example[i]);
    return rc;
}

int label_replay_run(const struct label_replay *r, const struct label_claim *c, size_t n,
                     const struct label_replay_report *report, struct progress *progress,
                     struct err *err)
{
    struct batch b = { .r = r };
    int rc = prepare(&b, err);

    for (size_t i = 0; rc == 0 && i < n; i += b.len) {
        b.claim = c + i;
        b.len = MIN(r->batch, n - i);
        rc = progress_stopped(progress) ? err_set(err, ERR_CANCELLED, "interrupted")
                                        : run_batch(&b, report, progress, err);
    }
    release(&b);
    return rc;
}
