/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/problems.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/rng.h"
#include "common/tasks/task.h"
#include "common/tasks/think.h"
#include "worker/jobs/lesson.h"

size_t problems_open_levels(const struct problems_conf *c, uint64_t step)
{
    double ramp = c->ramp * (double)c->steps;
    size_t open;

    if (ramp <= 0 || (double)step >= ramp)
        return c->levels_len;
    open = 1 + (size_t)((double)step / ramp * (double)c->levels_len);
    return MIN(open, c->levels_len);
}

/* Token of every byte, once per draw: the tokenizer has one token per character. */
static int byte_tokens(uint32_t token[256], const struct tokenizer *tok, struct err *err)
{
    int rc = 0;

    for (const char *c = task_alphabet(); rc == 0 && *c; c++) {
        uint32_t *id CLEANUP(mem_cleanup) = NULL;
        size_t len = 0;

        rc = tokenizer_encode(tok, c, 1, 0, &id, &len, err);
        if (rc == 0 && len != 1)
            rc = err_set(err, ERR_INVALID, "'%c' is %zu tokens, not one", *c, len);
        if (rc == 0)
            token[(unsigned char)*c] = id[0];
    }
    return rc;
}

static void reserve(struct problems *p, size_t rows)
{
    if (rows <= p->cap)
        return;
    p->cap = MAX(2 * p->cap, rows);
    p->tokens = mem_realloc(p->tokens, p->cap, sizeof(*p->tokens));
    p->target = mem_realloc(p->target, p->cap, sizeof(*p->target));
}

/* BOS, then one row per byte. */
static void add_lesson(struct problems *p, size_t s, const struct lesson *l,
                       const uint32_t token[256], uint32_t bos)
{
    size_t at = p->start[s];

    reserve(p, at + l->len + 1);
    p->tokens[at] = bos;
    p->target[at++] = TRAIN_NO_TARGET;
    for (size_t i = 0; i < l->len; i++, at++) {
        p->tokens[at] = token[(unsigned char)l->text[i]];
        p->target[at] = l->say[i] ? token[(unsigned char)l->say[i]] : TRAIN_NO_TARGET;
    }
    p->start[s + 1] = at;
}

/* ---- written reasoning ---------------------------------------------------------------------- */

static enum trace_style draw_style(const struct problems_conf *c, struct rng *r)
{
    double sum = 0, at;
    size_t i = 0;

    for (size_t k = 0; k < TRACE_STYLES; k++)
        sum += c->trace[k];
    at = rng_double(r) * sum;
    while (i + 1 < TRACE_STYLES && (c->trace[i] <= 0 || at >= c->trace[i]))
        at -= c->trace[i++];
    while (c->trace[i] <= 0) /* rounding at the end of the range */
        i--;
    return (enum trace_style)i;
}

/* Whatever the style, so that a model does not learn to obey: that is what reinforcement is for. */
static size_t draw_budget(const struct problems_conf *c, const char *task, int level, struct rng *r)
{
    size_t least = trace_completion_tokens(task, level, TRACE_DIRECT);
    size_t most = trace_completion_tokens(task, level, TRACE_VERBOSE);

    if (rng_below(r, 2) == 0)
        return 0;
    if (c->budgets_len > 0)
        return c->budget[rng_below(r, (uint32_t)c->budgets_len)];
    return least + rng_below(r, (uint32_t)(most - least + 1));
}

static int add_text(struct problems *p, size_t *at, const struct tokenizer *tok, const char *text,
                    struct err *err)
{
    uint32_t *id CLEANUP(mem_cleanup) = NULL;
    size_t len = 0;
    int rc = tokenizer_encode(tok, text, strlen(text), 0, &id, &len, err);

    if (rc)
        return rc;
    reserve(p, *at + len);
    memcpy(p->tokens + *at, id, len * sizeof(*id));
    *at += len;
    return 0;
}

/* BOS, prompt, completion; taught from the prompt's last token on. */
static int add_trace(struct problems *p, size_t s, const struct tokenizer *tok, const char *prompt,
                     const char *completion, struct err *err)
{
    size_t at = p->start[s], taught;
    int rc;

    reserve(p, at + 1);
    p->tokens[at++] = tokenizer_bos(tok);
    rc = add_text(p, &at, tok, prompt, err);
    taught = at - 1;
    rc = rc ? rc : add_text(p, &at, tok, completion, err);
    if (rc)
        return rc;
    for (size_t i = p->start[s]; i < at; i++)
        p->target[i] = i < taught   ? TRAIN_NO_TARGET
                       : i + 1 < at ? p->tokens[i + 1]
                                    : tokenizer_eos(tok);
    p->start[s + 1] = at;
    return 0;
}

static int draw_trace(struct problems *p, const struct problems_conf *c, size_t s,
                      const struct tokenizer *tok, const char *task, const struct example *e,
                      struct rng *r, struct err *err)
{
    struct buf prompt CLEANUP(buf_release) = { 0 }, completion CLEANUP(buf_release) = { 0 };
    enum trace_style style = draw_style(c, r);

    think_compact(e->question, draw_budget(c, task, e->level, r), &prompt);
    if (style == TRACE_MIXED)
        trace_mixed(task, e->question, trace_draw_brief(r), &completion);
    else
        trace_completion(task, e->question, style, &completion);
    return add_trace(p, s, tok, buf_str(&prompt), buf_str(&completion), err);
}

int problems_check(const struct problems_conf *c, struct err *err)
{
    enum trace_style style = trace_longest(c->trace);
    size_t most = 0;

    for (size_t i = 0; i < c->budgets_len; i++)
        most = MAX(most, c->budget[i]);
    for (size_t t = 0; t < c->tasks_len; t++)
        for (size_t l = 0; l < c->levels_len; l++) {
            size_t rows = trace_positions(c->task[t], c->level[l], style, most);

            if (rows > c->positions)
                return err_set(err, ERR_LIMIT,
                               "a problem of %s level %d and its %s trace take %zu tokens, and "
                               "positions = %zu; raise positions or leave the level out",
                               c->task[t], c->level[l], trace_style_name(style), rows,
                               c->positions);
        }
    return 0;
}

/* ---- a step --------------------------------------------------------------------------------- */

/* What drawing needs of the tokenizer. */
struct letters {
    const struct tokenizer *tok;
    uint32_t token[256], bos;
};

static int draw_one(struct problems *p, const struct problems_conf *c, const struct letters *k,
                    size_t s, size_t open, struct rng *r, struct err *err)
{
    struct example e CLEANUP(example_release) = { 0 };
    const char *task = c->task[rng_below(r, (uint32_t)c->tasks_len)];
    int level = c->level[rng_below(r, (uint32_t)open)];
    struct lesson lesson;
    int rc = task_draw(task, level, r, &e, err);

    if (rc == 0 && c->think)
        return draw_trace(p, c, s, k->tok, task, &e, r, err);
    rc = rc == 0 ? lesson_make(&lesson, task, &e, r, c->positions - 1, err) : rc;
    if (rc == 0)
        add_lesson(p, s, &lesson, k->token, k->bos);
    return rc;
}

int problems_draw(struct problems *p, const struct problems_conf *c, const struct tokenizer *tok,
                  uint64_t step, struct err *err)
{
    struct rng r = rng_stream("order", c->seed, step);
    size_t open = problems_open_levels(c, step);
    struct letters k = { .tok = tok, .bos = tokenizer_bos(tok) };
    int rc = byte_tokens(k.token, tok, err);

    if (rc == 0 && k.bos == UINT32_MAX)
        rc = err_set(err, ERR_INVALID, "the tokenizer puts no token in front of a text");
    p->start = mem_realloc(p->start, c->batch + 1, sizeof(*p->start));
    p->start[0] = 0;
    for (size_t s = 0; rc == 0 && s < c->batch; s++)
        rc = draw_one(p, c, &k, s, open, &r, err);
    p->batch = (struct train_batch){
        .tokens = p->tokens, .target = p->target, .start = p->start, .sequences = c->batch
    };
    return rc;
}

void problems_release(struct problems *p)
{
    free(p->tokens);
    free(p->target);
    free(p->start);
    *p = (struct problems){ 0 };
}
