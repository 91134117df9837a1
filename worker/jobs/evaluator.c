/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/evaluator.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "worker/jobs/display.h"
#include "worker/jobs/passes.h"
#include "worker/jobs/prefix.h"
#include "worker/jobs/question.h"
#include "worker/tokenizer/tokenizer.h"

/* Keys and values of the generations in the sweep at once: 1 GiB are 16,000 positions of a model of
 * 16 layers with 512 floats of keys each. More examples wait their turn. */
enum { KV_BYTES_MAX = 1 << 30 };

struct evaluator {
    struct evaluator_conf conf;
    struct sweep *sweep;
    struct prefix *prefix; /* of the only example */
    struct question *question;
    size_t questions;
};

int evaluator_new(struct evaluator **ret, const struct evaluator_conf *conf, struct err *err)
{
    struct evaluator *e;
    int rc;

    if (!conf->model->tok)
        return err_set(err, ERR_INVALID,
                       "%s has no tokenizer; put its tokenizer.json, tokenizer.model or "
                       "tokenizer.bin beside the weights",
                       conf->model_name ? conf->model_name : "the model");
    rc = sampling_check(&conf->sampling, err);
    if (rc < 0)
        return rc;
    e = mem_calloc(1, sizeof(*e));
    e->conf = *conf;
    e->sweep = sweep_new(conf->model, conf->pool);
    e->prefix = prefix_new(conf->cache_bytes);
    *ret = e;
    return 0;
}

static void questions_release(struct evaluator *e)
{
    for (size_t i = 0; i < e->questions; i++)
        question_release(&e->question[i]);
    free(e->question);
    e->question = NULL;
    e->questions = 0;
    prefix_clear(e->prefix);
}

void evaluator_free(struct evaluator *e)
{
    if (!e)
        return;
    questions_release(e);
    prefix_free(e->prefix);
    sweep_free(e->sweep);
    free(e);
}

int evaluator_begin(struct evaluator *e, const struct example *const *x, size_t n, struct err *err)
{
    int rc = 0;

    questions_release(e);
    e->question = mem_calloc(n, sizeof(*e->question));
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = question_make(&e->question[i], e->conf.model, e->conf.model_name, x[i],
                           e->conf.max_new, e->conf.sampling.temperature <= 0, err);
        e->questions += rc == 0;
    }
    return rc;
}

uint64_t evaluator_truncated(const struct evaluator *e, size_t i)
{
    assert(i < e->questions);
    return e->question[i].truncated;
}

uint64_t evaluator_layer_rows(const struct evaluator *e)
{
    return sweep_layer_rows(e->sweep);
}

/* ------------------------------------------------------------------------------------------- */

static void grade(const struct evaluator *e, const struct question *q, const char *text,
                  struct outcome *ret)
{
    struct response response = { .text = text, .logprob = q->targets ? ret->logprob : NULL };
    struct marks marks CLEANUP(marks_release) = { 0 };

    task_grade(e->conf.task, q->example, &response, &marks);
    ret->correct = marks.correct;
    ret->correct_norm = marks.correct_norm;
    ret->pick = marks.pick;
    memcpy(ret->value, marks.value, sizeof(ret->value));
    if (q->example->form == TASK_CHOICE && marks.pick < 26)
        snprintf(ret->answer, sizeof(ret->answer), "%c", (char)('A' + marks.pick));
    else if (q->example->form == TASK_CHOICE)
        snprintf(ret->answer, sizeof(ret->answer), "%d", marks.pick + 1);
    else
        display_text(ret->answer, buf_str(&marks.answer), OUTCOME_ANSWER_BYTES - 1);
}

static void read_outcome(const struct evaluator *e, const struct reading *r, struct outcome *ret)
{
    const struct question *q = r->question;
    struct buf text CLEANUP(buf_release) = { 0 };

    ret->rows += q->rows;
    ret->logprobs_len = q->targets;
    if (q->targets)
        memcpy(ret->logprob, r->logprob, sizeof(ret->logprob));
    if (q->form == QUESTION_TOKEN && !model_conf_is_eos(&e->conf.model->conf, r->top))
        tokenizer_decode(e->conf.model->tok, &r->top, 1, false, &text);
    ret->generated = q->form == QUESTION_TOKEN;
    if (q->form != QUESTION_TEXT)
        grade(e, q, q->form == QUESTION_TOKEN ? buf_str(&text) : NULL, ret);
}

/* What can be read off logits of texts that are there: choices and answers of one token. */
static int read_all(struct evaluator *e, const struct evaluation *v, size_t n, bool reuse,
                    struct outcome *ret, struct progress *progress, struct err *err)
{
    struct reading *r CLEANUP(mem_cleanup) = mem_calloc(n, sizeof(*r));
    size_t *at CLEANUP(mem_cleanup) = mem_calloc(n, sizeof(*at)), len = 0;
    int rc;

    for (size_t i = 0; i < n; i++) {
        const struct question *q = &e->question[v[i].example];

        if (q->parts == 0)
            continue;
        at[len] = i;
        r[len].question = q;
        r[len++].routing = v[i].routing;
    }
    rc = passes_run(e->conf.model, e->sweep, reuse ? e->prefix : NULL, r, len, progress, err);
    for (size_t i = 0; rc == 0 && i < len; i++)
        read_outcome(e, &r[i], &ret[at[i]]);
    return rc;
}

/* ------------------------------------------------------------------------------------------- */

struct texts {
    struct generation *g;
    size_t *at; /* index of its evaluation */
    size_t len, longest, slots;
};

static void texts_release(struct texts *t)
{
    for (size_t i = 0; i < t->len; i++)
        generation_release(&t->g[i]);
    free(t->g);
    free(t->at);
}

static void add_text(const struct evaluator *e, struct texts *t, const struct evaluation *v,
                     size_t i)
{
    const struct question *q = &e->question[v[i].example];
    size_t slots = 0;

    t->at[t->len] = i;
    t->g[t->len] = (struct generation){ .prompt = q->prompt,
                                        .prompt_len = q->prompt_len,
                                        .routing = v[i].routing,
                                        .max_new = q->max_new,
                                        .stop = (const char *const *)q->example->stop,
                                        .stops_len = q->example->stops_len,
                                        .sampling = e->conf.sampling };
    t->g[t->len++].sampling.stream = q->example->id;
    for (size_t l = 0; l < e->conf.model->conf.layers; l++)
        slots += v[i].routing[l];
    t->slots = MAX(t->slots, slots);
    t->longest = MAX(t->longest, q->prompt_len + q->max_new);
}

/* Generations that may be in the sweep together. */
static size_t texts_at_once(const struct evaluator *e, const struct texts *t)
{
    const struct model_conf *c = &e->conf.model->conf;
    uint64_t position = (uint64_t)t->slots * c->kv_heads * c->head_dim * 2 * sizeof(float);
    uint64_t most = (uint64_t)KV_BYTES_MAX / MAX(position * t->longest, (uint64_t)1);

    return (size_t)MAX(MIN(most, (uint64_t)t->len), (uint64_t)1);
}

static int write_all(struct evaluator *e, const struct evaluation *v, size_t n, struct outcome *ret,
                     struct progress *progress, struct err *err)
{
    struct texts t CLEANUP(texts_release) = { .g = mem_calloc(n, sizeof(*t.g)),
                                              .at = mem_calloc(n, sizeof(*t.at)) };
    int rc = 0;

    for (size_t i = 0; i < n; i++)
        if (e->question[v[i].example].form == QUESTION_TEXT)
            add_text(e, &t, v, i);
    if (t.len > 0)
        rc = generate_run(e->sweep, t.g, t.len, texts_at_once(e, &t), progress, err);
    for (size_t i = 0; rc == 0 && i < t.len; i++) {
        struct outcome *o = &ret[t.at[i]];

        o->generated = t.g[i].ids_len;
        o->rows += t.g[i].prompt_len + (o->generated ? o->generated - 1 : 0);
        grade(e, &e->question[v[t.at[i]].example], buf_str(&t.g[i].text), o);
    }
    return rc;
}

int evaluator_run(struct evaluator *e, const struct evaluation *v, size_t n, bool reuse,
                  struct outcome *ret, struct progress *progress, struct err *err)
{
    int rc;

    assert(!reuse || e->questions == 1);
    for (size_t i = 0; i < n; i++) {
        assert(v[i].example < e->questions);
        ret[i] = (struct outcome){ .pick = -1 };
    }
    rc = n > 0 ? read_all(e, v, n, reuse, ret, progress, err) : 0;
    return rc == 0 && n > 0 ? write_all(e, v, n, ret, progress, err) : rc;
}
