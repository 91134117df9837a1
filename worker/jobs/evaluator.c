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
#include "worker/jobs/thought.h"
#include "worker/jobs/walkers.h"
#include "worker/tokenizer/tokenizer.h"

/* Keys and values of the generations in the sweep at once: 1 GiB are 16,000 positions of a model of
 * 16 layers with 512 floats of keys each. More examples wait their turn. */
enum { KV_BYTES_MAX = 1 << 30 };

/* An example that was begun. */
struct asked {
    struct question question;
    struct prefix *prefix;
    struct evaluator_stats stats;
};

struct evaluator {
    struct evaluator_conf conf;
    struct sweep *sweep;
    struct spares *spares;
    struct asked *asked;
    size_t asked_len;
    struct evaluator_stats total;
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
    e->spares = spares_new();
    *ret = e;
    return 0;
}

static void asked_release(struct evaluator *e)
{
    for (size_t i = 0; i < e->asked_len; i++) {
        question_release(&e->asked[i].question);
        prefix_free(e->asked[i].prefix);
    }
    free(e->asked);
    e->asked = NULL;
    e->asked_len = 0;
}

void evaluator_free(struct evaluator *e)
{
    if (!e)
        return;
    asked_release(e);
    spares_free(e->spares);
    sweep_free(e->sweep);
    free(e);
}

int evaluator_begin(struct evaluator *e, const struct example *const *x, size_t n, struct err *err)
{
    int rc = 0;

    asked_release(e);
    e->asked = mem_calloc(n, sizeof(*e->asked));
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = question_make(&e->asked[i].question, e->conf.model, e->conf.model_name, x[i],
                           e->conf.max_new, e->conf.sampling.temperature <= 0, err);
        if (rc == 0)
            e->asked[e->asked_len++].prefix = prefix_new(e->conf.cache_bytes, e->spares);
    }
    return rc;
}

uint64_t evaluator_truncated(const struct evaluator *e, size_t i)
{
    assert(i < e->asked_len);
    return e->asked[i].question.truncated;
}

/* ------------------------------------------------------------------------------------------- */

struct evaluator_stats evaluator_stats(const struct evaluator *e, size_t i)
{
    assert(i < e->asked_len);
    return e->asked[i].stats;
}

struct evaluator_stats evaluator_total(const struct evaluator *e)
{
    return e->total;
}

uint64_t evaluator_layer_rows(const struct evaluator *e)
{
    return e->total.layer_rows;
}

struct sweep *evaluator_sweep(struct evaluator *e)
{
    return e->sweep;
}

static void add_cost(struct evaluator_stats *s, const struct evaluator_stats *more)
{
    s->evaluations += more->evaluations;
    s->needed += more->needed;
    s->found += more->found;
    s->layer_rows += more->layer_rows;
    s->layer_rows_whole += more->layer_rows_whole;
    s->ended += more->ended;
}

/* Evaluation V gave O; SAVED applications to SAVED_ROWS rows each were not made for it. */
static void count(struct evaluator *e, const struct evaluation *v, const struct outcome *o,
                  uint64_t saved, uint64_t saved_rows)
{
    const uint8_t *routing = v->decider ? v->decided : v->routing;
    struct evaluator_stats more = { .evaluations = 1, .found = saved };

    for (size_t l = 0; l < e->conf.model->conf.layers; l++)
        more.needed += routing[l];
    more.layer_rows_whole = more.needed * o->rows;
    more.layer_rows = more.layer_rows_whole - saved * saved_rows;
    add_cost(&e->asked[v->example].stats, &more);
    add_cost(&e->total, &more);
}

/* The call is over: what is kept now. */
static void count_bytes(struct evaluator *e)
{
    uint64_t all = 0;

    for (size_t i = 0; i < e->asked_len; i++) {
        struct asked *a = &e->asked[i];
        uint64_t bytes = prefix_bytes(a->prefix);

        a->stats.bytes_peak = MAX(a->stats.bytes_peak, bytes);
        all += bytes;
    }
    e->total.bytes_peak = MAX(e->total.bytes_peak, all);
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

/* By walkers; SAVED[i] are the applications that were not made for reading I. */
static int read_shared(struct evaluator *e, const struct evaluation *v, struct reading *r,
                       const size_t *at, size_t n, uint64_t *saved, struct progress *progress,
                       struct err *err)
{
    struct walker *w CLEANUP(mem_cleanup) = mem_calloc(n, sizeof(*w));
    int rc;

    for (size_t i = 0; i < n; i++) {
        w[i].reading = &r[i];
        w[i].prefix = e->asked[v[at[i]].example].prefix;
    }
    rc = walkers_run(e->conf.model, e->sweep, w, n, progress, err);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        for (size_t l = 0; l < e->conf.model->conf.layers; l++)
            saved[at[i]] += r[i].routing[l];
        saved[at[i]] -= w[i].made;
        e->asked[v[at[i]].example].stats.ended += w[i].ended;
        e->total.ended += w[i].ended;
    }
    return rc;
}

/* What can be read off logits of texts that are there: choices and answers of one token. */
static int read_all(struct evaluator *e, const struct evaluation *v, size_t n, bool reuse,
                    uint64_t *saved, struct outcome *ret, struct progress *progress,
                    struct err *err)
{
    struct reading *r CLEANUP(mem_cleanup) = mem_calloc(n, sizeof(*r));
    size_t *at CLEANUP(mem_cleanup) = mem_calloc(n, sizeof(*at)), len = 0;
    int rc;

    for (size_t i = 0; i < n; i++) {
        const struct question *q = &e->asked[v[i].example].question;

        if (q->parts == 0)
            continue;
        at[len] = i;
        r[len].question = q;
        r[len].routing = v[i].decider ? v[i].decided : v[i].routing;
        /* A generated answer came first and has decided already. */
        r[len].decider = q->form == QUESTION_TEXT ? NULL : v[i].decider;
        r[len++].decided = v[i].decided;
    }
    rc = reuse ? read_shared(e, v, r, at, len, saved, progress, err)
               : passes_run(e->conf.model, e->sweep, r, len, progress, err);
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
    const struct question *q = &e->asked[v[i].example].question;
    size_t slots = 0;

    t->at[t->len] = i;
    t->g[t->len] = (struct generation){ .prompt = q->prompt,
                                        .prompt_len = q->prompt_len,
                                        .routing = v[i].routing,
                                        .decider = v[i].decider,
                                        .decided = v[i].decided,
                                        .max_new = q->max_new,
                                        .stop = (const char *const *)q->example->stop,
                                        .stops_len = q->example->stops_len,
                                        .sampling = e->conf.sampling };
    t->g[t->len++].sampling.stream = q->example->id;
    for (size_t l = 0; l < e->conf.model->conf.layers; l++)
        slots += v[i].decider ? ROUTING_REPEAT : v[i].routing[l];
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

/* Generated answers into T. */
static int write_all(struct evaluator *e, const struct evaluation *v, size_t n, struct texts *t,
                     struct progress *progress, struct err *err)
{
    t->g = mem_calloc(n, sizeof(*t->g));
    t->at = mem_calloc(n, sizeof(*t->at));
    for (size_t i = 0; i < n; i++)
        if (e->asked[v[i].example].question.form == QUESTION_TEXT)
            add_text(e, t, v, i);
    return t->len > 0 ? generate_run(e->sweep, t->g, t->len, texts_at_once(e, t), progress, err)
                      : 0;
}

/* The text is what counts as well-formed: without what stood behind a stop. */
static void read_thought(const struct evaluator *e, const struct generation *g, struct outcome *o)
{
    struct think_parts parts;
    struct thought thought;

    thought_read(&thought, e->conf.model->tok, g->ids, g->ids_len, g->finish == FINISH_EOS, NULL);
    think_parse(buf_str(&g->text), g->text.len, &parts);
    o->thinks = true;
    o->well_formed = parts.well_formed;
    o->cut = g->finish == FINISH_LENGTH || g->finish == FINISH_CONTEXT;
    o->response_tokens = thought.response_tokens;
    o->think_tokens = thought.think_tokens;
}

/* With the log-likelihoods of choices, where there are some, in RET already. */
static void grade_texts(const struct evaluator *e, const struct evaluation *v,
                        const struct texts *t, struct outcome *ret)
{
    for (size_t i = 0; i < t->len; i++) {
        struct outcome *o = &ret[t->at[i]];

        o->generated = t->g[i].ids_len;
        o->rows += t->g[i].prompt_len + (o->generated ? o->generated - 1 : 0);
        if (think_prompts(e->asked[v[t->at[i]].example].question.example->prompts))
            read_thought(e, &t->g[i], o);
        grade(e, &e->asked[v[t->at[i]].example].question, buf_str(&t->g[i].text), o);
    }
}

int evaluator_run(struct evaluator *e, const struct evaluation *v, size_t n, bool reuse,
                  struct outcome *ret, struct progress *progress, struct err *err)
{
    uint64_t *saved CLEANUP(mem_cleanup) = mem_calloc(n, sizeof(*saved));
    struct texts t CLEANUP(texts_release) = { 0 };
    int rc;

    for (size_t i = 0; i < n; i++) {
        assert(v[i].example < e->asked_len);
        assert(!v[i].decider || !reuse);
        ret[i] = (struct outcome){ .pick = -1 };
    }
    rc = n > 0 ? write_all(e, v, n, &t, progress, err) : 0;
    rc = rc == 0 && n > 0 ? read_all(e, v, n, reuse, saved, ret, progress, err) : rc;
    if (rc == 0)
        grade_texts(e, v, &t, ret);
    for (size_t i = 0; rc == 0 && i < n; i++)
        count(e, &v[i], &ret[i], saved[i], e->asked[v[i].example].question.rows);
    count_bytes(e);
    return rc;
}
