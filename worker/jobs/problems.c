/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/problems.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/base/rng.h"
#include "common/tasks/task.h"
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

int problems_draw(struct problems *p, const struct problems_conf *c, const struct tokenizer *tok,
                  uint64_t step, struct err *err)
{
    struct rng r = rng_stream("order", c->seed, step);
    size_t open = problems_open_levels(c, step);
    uint32_t token[256] = { 0 }, bos = tokenizer_bos(tok);
    int rc = byte_tokens(token, tok, err);

    if (rc == 0 && bos == UINT32_MAX)
        rc = err_set(err, ERR_INVALID, "the tokenizer puts no token in front of a text");
    p->start = mem_realloc(p->start, c->batch + 1, sizeof(*p->start));
    p->start[0] = 0;
    for (size_t s = 0; rc == 0 && s < c->batch; s++) {
        struct example e CLEANUP(example_release) = { 0 };
        const char *task = c->task[rng_below(&r, (uint32_t)c->tasks_len)];
        int level = c->level[rng_below(&r, (uint32_t)open)];
        struct lesson lesson;

        rc = task_draw(task, level, &r, &e, err);
        rc = rc == 0 ? lesson_make(&lesson, task, &e, &r, c->positions - 1, err) : rc;
        if (rc == 0)
            add_lesson(p, s, &lesson, token, bos);
    }
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
