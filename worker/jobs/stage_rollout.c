/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/stage_rollout.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/tasks/think.h"
#include "worker/jobs/thought.h"

/* Keys and values of the generations in the sweep at once, as in evaluator.c. */
enum { KV_BYTES_MAX = 1 << 30 };

void stage_answer_release(struct stage_answer *a)
{
    generation_release(&a->text);
    *a = (struct stage_answer){ 0 };
}

/* ---- marks ---------------------------------------------------------------------------------- */

static bool is_correct(const struct stage_problem *p, const char *text)
{
    const struct response response = { .text = text };
    struct marks marks CLEANUP(marks_release) = { 0 };

    task_grade(p->task, &p->example, &response, &marks);
    return marks.correct;
}

void stage_mark(const struct stage_problem *p, const struct tokenizer *tok, const uint32_t *ids,
                size_t len, enum finish finish, const char *text, struct stage_marks *ret)
{
    bool cut = finish == FINISH_LENGTH || finish == FINISH_CONTEXT;
    struct thought thought;

    thought_read(&thought, tok, ids, len, finish == FINISH_EOS, NULL);
    if (finish == FINISH_STOP) /* the ids have the stop as well */
        think_parse(text, strlen(text), &thought.parts);
    *ret = (struct stage_marks){ .correct = is_correct(p, text),
                                 .truncated = cut,
                                 .tokens = thought.response_tokens,
                                 .think_tokens = thought.think_tokens };
    if (cut) {
        ret->tokens = p->question.max_new;
        return;
    }
    if (think_prompts(p->example.prompts)) {
        ret->think_ok = thought.parts.think_ok;
        ret->answer_ok = thought.parts.answer_ok;
        ret->well_formed = thought.parts.well_formed;
    } else {
        ret->think_ok = ret->answer_ok = ret->well_formed = true;
    }
}

struct reward_parts stage_reward(const struct stage_conf *c, const struct stage_marks *m,
                                 size_t budget)
{
    const struct reward_facts facts = {
        .correct = m->correct ? 1 : 0,
        .length = (double)(c->count_think && !m->truncated ? m->think_tokens : m->tokens),
        .budget = (double)budget,
        .think_ok = m->think_ok,
        .answer_ok = m->answer_ok,
    };

    return reward_of(&c->reward, &facts);
}

/* ---- sampling ------------------------------------------------------------------------------- */

/* Generations that may be in the sweep together. */
static size_t at_once(const struct model_conf *c, const struct stage_problem *p, size_t n,
                      size_t all)
{
    uint64_t position = (uint64_t)c->layers * c->kv_heads * c->head_dim * 2 * sizeof(float);
    size_t longest = 1;
    uint64_t most;

    for (size_t i = 0; i < n; i++)
        longest = MAX(longest, p[i].question.prompt_len + p[i].question.max_new);
    most = KV_BYTES_MAX / (position * longest);
    return (size_t)MAX(MIN(most, (uint64_t)all), (uint64_t)1);
}

static void begin(struct generation *g, const struct stage_problem *p, const uint8_t *routing,
                  const struct stage_sampling *how, size_t problem, size_t sample)
{
    *g = (struct generation){
        .prompt = p->question.prompt,
        .prompt_len = p->question.prompt_len,
        .routing = routing,
        .max_new = p->question.max_new,
        .stop = (const char *const *)p->example.stop,
        .stops_len = p->example.stops_len,
        .sampling = { .temperature = how->temperature, .top_p = 1, .seed = how->seed }
    };
    if (how->key)
        g->sampling.stream = how->key[problem] << 11 | sample;
}

int stage_answer_all(struct sweep *s, const struct model *m, const struct stage_problem *p,
                     size_t n, const struct stage_sampling *how, struct stage_answer *answer,
                     struct progress *progress, struct err *err)
{
    size_t all = n * how->samples;
    struct generation *g CLEANUP(mem_cleanup) = mem_calloc(all, sizeof(*g));
    uint8_t *routing CLEANUP(mem_cleanup) = mem_calloc(m->conf.layers, 1);
    int rc;

    assert(how->samples > 0 && how->samples < 1u << 11);
    memset(routing, ROUTING_EXECUTE, m->conf.layers);
    for (size_t i = 0; i < all; i++)
        begin(&g[i], &p[i / how->samples], routing, how, i / how->samples, i % how->samples);
    rc = generate_run(s, g, all, at_once(&m->conf, p, n, all), progress, err);
    for (size_t i = 0; i < all; i++) {
        struct stage_answer *a = &answer[i];

        a->problem = &p[i / how->samples];
        a->text = g[i];
        a->text.routing = NULL;
        if (rc == 0)
            stage_mark(a->problem, m->tok, g[i].ids, g[i].ids_len, g[i].finish, buf_str(&g[i].text),
                       &a->marks);
    }
    return rc;
}

/* ---- cost ----------------------------------------------------------------------------------- */

/* Weights that every row meets in the layers. */
static double layer_weights(const struct model_conf *c)
{
    double q = (double)(c->heads * c->head_dim), kv = (double)(c->kv_heads * c->head_dim);
    double dim = (double)c->dim, hidden = (double)c->hidden;

    return (double)c->layers * (dim * (q + 2 * kv) + q * dim + 3 * dim * hidden);
}

/* A forward pass over ROWS rows, HEADS of which get logits. */
static double flops_forward(const struct model_conf *c, size_t rows, size_t heads)
{
    double n = (double)rows, q = (double)(c->heads * c->head_dim);
    double attention = 4 * (double)c->layers * q * (n * (n + 1) / 2);

    return 2 * n * layer_weights(c) + attention + 2 * (double)heads * (double)(c->dim * c->vocab);
}

double stage_flops_read(const struct model_conf *c, size_t prompt)
{
    return flops_forward(c, prompt, 0);
}

double stage_flops_written(const struct model_conf *c, size_t prompt, size_t len)
{
    if (len == 0)
        return 0;
    return flops_forward(c, prompt + len - 1, len) - flops_forward(c, prompt, 0);
}

double stage_flops_trained(const struct model_conf *c, size_t prompt, size_t len)
{
    return 3 * (stage_flops_read(c, prompt) + stage_flops_written(c, prompt, len));
}
