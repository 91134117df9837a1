/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/evaluator.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "worker/jobs/prefix.h"
#include "worker/model/sweep.h"
#include "worker/model/tokenizer.h"

/* Token rows of one sweep: 8192 rows of a model of width 64 take about 30 MiB of scratch. More
 * routings take several sweeps. */
enum { ROWS_MAX = 8192 };

/* One token sequence of the example: the prompt, or prompt + one choice. */
struct part {
    uint32_t *tokens; /* rows + 1 for a choice: row r predicts tokens[r + 1] */
    size_t rows;
    size_t logits_from;
    size_t before; /* rows of the parts in front */
};

struct evaluator {
    const struct model *model;
    const struct task_spec *task;
    struct sweep *sweep;
    struct prefix *prefix;
    const struct example *example;
    struct part part[TASK_CHOICES_MAX];
    size_t parts, rows, logit_rows;
};

int evaluator_new(struct evaluator **ret, const struct model *model, const struct task_spec *task,
                  struct pool *pool, uint64_t cache_bytes, struct err *err)
{
    struct evaluator *e;

    if (!model->tok)
        return err_set(err, ERR_INVALID,
                       "the model has no tokenizer; put its tokenizer.json or "
                       "tokenizer.bin beside the weights");
    e = mem_calloc(1, sizeof(*e));
    e->model = model;
    e->task = task;
    e->sweep = sweep_new(model, pool);
    e->prefix = prefix_new(cache_bytes);
    *ret = e;
    return 0;
}

static void parts_release(struct evaluator *e)
{
    for (size_t i = 0; i < e->parts; i++)
        free(e->part[i].tokens);
    e->parts = e->rows = e->logit_rows = 0;
}

void evaluator_free(struct evaluator *e)
{
    if (!e)
        return;
    parts_release(e);
    prefix_free(e->prefix);
    sweep_free(e->sweep);
    free(e);
}

static void add_part(struct evaluator *e, uint32_t *tokens, size_t rows, size_t logit_rows)
{
    e->part[e->parts++] = (struct part){
        .tokens = tokens, .rows = rows, .logits_from = rows - logit_rows, .before = e->rows
    };
    e->rows += rows;
    e->logit_rows += logit_rows;
}

static int begin_answer(struct evaluator *e, struct err *err)
{
    uint32_t *tokens = NULL;
    size_t rows, longest = e->model->conf.positions;
    int rc = tokenizer_encode(e->model->tok, e->example->prompt, true, &tokens, &rows, err);

    if (rc < 0)
        return rc;
    if (rows == 0 || rows + e->task->answer_tokens_max > longest + 1) {
        free(tokens);
        return err_set(err, ERR_LIMIT, "a prompt of %zu tokens; the model takes 1 to %zu", rows,
                       longest + 1 - e->task->answer_tokens_max);
    }
    add_part(e, tokens, rows, 1);
    return 0;
}

/* Tokens of CONTEXT + " " + CHOICE and how many of them are the continuation's. */
static int encode_pair(const struct evaluator *e, const char *context, const char *choice,
                       uint32_t **ret, size_t *ret_len, size_t *ret_continuation, struct err *err)
{
    struct buf text CLEANUP(buf_release) = { 0 }, head CLEANUP(buf_release) = { 0 };
    uint32_t *first CLEANUP(mem_cleanup) = NULL;
    size_t context_len = strlen(context), first_len;
    int rc;

    while (context_len > 0 && context[context_len - 1] == ' ')
        context_len--; /* trailing blanks move to the continuation */
    buf_add(&head, context, context_len);
    buf_printf(&text, "%s %s", context, choice);
    rc = tokenizer_encode(e->model->tok, buf_str(&head), true, &first, &first_len, err);
    rc = rc == 0 ? tokenizer_encode(e->model->tok, buf_str(&text), true, ret, ret_len, err) : rc;
    if (rc < 0)
        return rc;
    *ret_continuation = *ret_len > first_len ? *ret_len - first_len : 0;
    if (first_len == 0 || *ret_continuation == 0) {
        free(*ret);
        *ret = NULL;
        return err_set(err, ERR_INVALID, "choice \"%.40s\" has no tokens of its own", choice);
    }
    return 0;
}

static int begin_choices(struct evaluator *e, struct err *err)
{
    size_t longest = e->model->conf.positions;

    for (size_t i = 0; i < e->example->choices_len; i++) {
        uint32_t *tokens = NULL;
        size_t len = 0, continuation = 0, cut;
        int rc = encode_pair(e, e->example->prompt, e->example->choice[i], &tokens, &len,
                             &continuation, err);

        if (rc < 0)
            return rc;
        cut = len > longest + 1 ? len - longest - 1 : 0;
        if (continuation > longest) {
            free(tokens);
            return err_set(err, ERR_LIMIT, "choice %zu has %zu tokens; the model takes %zu", i,
                           continuation, longest);
        }
        memmove(tokens, tokens + cut, (len - cut) * sizeof(*tokens));
        add_part(e, tokens, len - cut - 1, continuation);
    }
    return 0;
}

int evaluator_begin(struct evaluator *e, const struct example *example, struct err *err)
{
    int rc = 0;

    parts_release(e);
    prefix_clear(e->prefix);
    e->example = example;
    switch (e->task->form) {
    case TASK_ANSWER:
        rc = begin_answer(e, err);
        break;
    case TASK_CHOICE:
        rc = begin_choices(e, err);
        break;
    }
    return rc < 0 ? err_wrap(err, rc, "example %s", example->source_id) : 0;
}

size_t evaluator_rows(const struct evaluator *e)
{
    return e->rows;
}

uint64_t evaluator_layer_rows(const struct evaluator *e)
{
    return sweep_layer_rows(e->sweep);
}

/* ------------------------------------------------------------------------------------------- */

/* Memory of one sweep of N routings. */
struct pass {
    struct sweep_seq *seq; /* [n * parts] */
    uint8_t *rest;         /* [n][layers] */
    float **save;          /* [n * parts][layers + 1] */
    float *logits;         /* [n][logit_rows][vocab] */
};

static void pass_release(struct pass *p)
{
    free(p->seq);
    free(p->rest);
    free(p->save);
    free(p->logits);
}

static int pass_alloc(struct pass *p, const struct evaluator *e, size_t n, struct err *err)
{
    size_t layers = e->model->conf.layers;

    p->seq = mem_calloc(n * e->parts, sizeof(*p->seq));
    p->rest = mem_calloc(n, layers);
    p->save = mem_calloc(n * e->parts * (layers + 1), sizeof(*p->save));
    p->logits = mem_try_aligned(n * e->logit_rows * e->model->conf.vocab, sizeof(float));
    return p->logits
               ? 0
               : err_set(err, ERR_NOMEM, "no memory for %zu rows of logits", n * e->logit_rows);
}

/* Keep the states of routing I that are not there yet. */
static void add_saves(struct evaluator *e, struct pass *p, const uint8_t *routing, size_t i)
{
    size_t layers = e->model->conf.layers, dim = e->model->conf.dim;
    struct sweep_seq *seq = &p->seq[i * e->parts];

    for (size_t len = seq->start_layer + 1; len <= layers; len++) {
        float *state;

        if (routing[len - 1] == ROUTING_SKIP)
            continue;
        state = prefix_add(e->prefix, routing, len, e->rows * dim);
        for (size_t k = 0; state && k < e->parts; k++) {
            seq[k].save = p->save + (i * e->parts + k) * (layers + 1);
            seq[k].save[len] = state + e->part[k].before * dim;
        }
    }
}

static void pass_fill(struct evaluator *e, struct pass *p, const uint8_t *const *routing, size_t n,
                      bool reuse)
{
    size_t layers = e->model->conf.layers, dim = e->model->conf.dim, vocab = e->model->conf.vocab;
    float *logits = p->logits;

    for (size_t i = 0; i < n; i++) {
        const float *start = NULL;
        size_t layer = 0;

        memcpy(p->rest + i * layers, routing[i], layers);
        if (reuse)
            start = prefix_start(e->prefix, routing[i], layers, &layer, p->rest + i * layers);
        for (size_t k = 0; k < e->parts; k++) {
            const struct part *part = &e->part[k];

            p->seq[i * e->parts + k] = (struct sweep_seq){
                .tokens = part->tokens,
                .rows = part->rows,
                .routing = p->rest + i * layers,
                .start_layer = layer,
                .start = start ? start + part->before * dim : NULL,
                .logits_from = part->logits_from,
                .logits = logits,
            };
            logits += (part->rows - part->logits_from) * vocab;
        }
    }
    /* Only now: a state added above would have been found by the next routing before it is
     * computed. */
    for (size_t i = 0; reuse && i < n; i++)
        add_saves(e, p, routing[i], i);
}

static int choice_outcome(const struct evaluator *e, const struct sweep_seq *seq,
                          struct outcome *ret, struct err *err)
{
    size_t vocab = e->model->conf.vocab, pick;

    ret->logprobs_len = e->parts;
    for (size_t k = 0; k < e->parts; k++) {
        const struct part *part = &e->part[k];

        ret->logprob[k] = 0;
        for (size_t r = part->logits_from; r < part->rows; r++) {
            const float *row = seq[k].logits + (r - part->logits_from) * vocab;

            ret->logprob[k] +=
                (double)row[part->tokens[r + 1]] - (double)e->model->kern->logsumexp(row, vocab);
        }
        if (!isfinite(ret->logprob[k]))
            return err_set(err, ERR_DIVERGED, "example %s: choice %zu has log-likelihood %g",
                           e->example->source_id, k, ret->logprob[k]);
    }
    pick = task_pick(ret->logprob, e->parts);
    ret->correct = (int)pick == e->example->gold_choice;
    ret->correct_norm = (int)task_pick_norm(e->example, ret->logprob) == e->example->gold_choice;
    snprintf(ret->answer, sizeof(ret->answer), "%c", (char)('A' + (int)pick));
    return 0;
}

static void answer_outcome(const struct evaluator *e, const uint32_t *ids, size_t len,
                           struct outcome *ret)
{
    struct buf text CLEANUP(buf_release) = { 0 };

    for (size_t i = 0; i < len && ids[i] != e->model->conf.eos; i++)
        tokenizer_decode(e->model->tok, i > 0 ? ids[i - 1] : UINT32_MAX, ids[i], &text);
    ret->correct = task_grade_answer(e->task, e->example, buf_str(&text));
    ret->correct_norm = ret->correct;
    snprintf(ret->answer, sizeof(ret->answer), "%s", buf_str(&text));
}

static int pass_outcomes(const struct evaluator *e, const struct pass *p, size_t n,
                         struct outcome *ret, struct err *err)
{
    size_t vocab = e->model->conf.vocab;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < n; i++) {
        const struct sweep_seq *seq = &p->seq[i * e->parts];
        uint32_t id;

        ret[i] = (struct outcome){ 0 };
        if (e->task->form == TASK_CHOICE) {
            rc = choice_outcome(e, seq, &ret[i], err);
            continue;
        }
        if (!isfinite(e->model->kern->logsumexp(seq->logits, vocab)))
            return err_set(err, ERR_DIVERGED, "example %s: the logits are not finite",
                           e->example->source_id);
        id = (uint32_t)e->model->kern->argmax(seq->logits, vocab);
        answer_outcome(e, &id, 1, &ret[i]);
    }
    return rc;
}

static int run_pass(struct evaluator *e, const uint8_t *const *routing, size_t n, bool reuse,
                    struct outcome *ret, struct progress *progress, struct err *err)
{
    struct pass p CLEANUP(pass_release) = { 0 };
    int rc = pass_alloc(&p, e, n, err);

    if (rc < 0)
        return rc;
    pass_fill(e, &p, routing, n, reuse);
    rc = sweep_run(e->sweep, p.seq, n * e->parts, progress, err);
    if (rc < 0) {
        prefix_clear(e->prefix); /* states promised but not computed */
        return rc;
    }
    return pass_outcomes(e, &p, n, ret, err);
}

/* Answers of several tokens: one path at a time, its own key/value cache, no shared prefixes. */
static int run_generate(struct evaluator *e, const uint8_t *routing, struct outcome *ret,
                        struct progress *progress, struct err *err)
{
    uint32_t *ids CLEANUP(mem_cleanup) = mem_calloc(e->task->answer_tokens_max, sizeof(*ids));
    size_t len = 0;
    int rc = generate_greedy(e->sweep, e->part[0].tokens, e->part[0].rows, routing,
                             e->task->answer_tokens_max, ids, &len, progress, err);

    *ret = (struct outcome){ 0 };
    if (rc == 0)
        answer_outcome(e, ids, len, ret);
    return rc;
}

int evaluator_run(struct evaluator *e, const uint8_t *const *routing, size_t n, bool reuse,
                  struct outcome *ret, struct progress *progress, struct err *err)
{
    size_t at_once = MAX(ROWS_MAX / e->rows, (size_t)1);
    int rc = 0;

    assert(e->parts > 0);
    if (e->task->form == TASK_ANSWER && e->task->answer_tokens_max > 1) {
        for (size_t i = 0; rc == 0 && i < n; i++)
            rc = run_generate(e, routing[i], &ret[i], progress, err);
        return rc;
    }
    for (size_t i = 0; rc == 0 && i < n; i += at_once)
        rc = run_pass(e, routing + i, MIN(at_once, n - i), reuse, ret + i, progress, err);
    return rc;
}
