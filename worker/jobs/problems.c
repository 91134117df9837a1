/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/problems.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/rng.h"
#include "common/tasks/task.h"

size_t problems_open_levels(const struct problems_conf *c, uint64_t step)
{
    double ramp = c->ramp * (double)c->steps;
    size_t open;

    if (ramp <= 0 || (double)step >= ramp)
        return c->levels_len;
    open = 1 + (size_t)((double)step / ramp * (double)c->levels_len);
    return MIN(open, c->levels_len);
}

static void add_tokens(struct problems *p, size_t at, const uint32_t *tokens, size_t len,
                       uint32_t target)
{
    if (at + len > p->cap) {
        p->cap = MAX(2 * p->cap, at + len);
        p->tokens = mem_realloc(p->tokens, p->cap, sizeof(*p->tokens));
        p->target = mem_realloc(p->target, p->cap, sizeof(*p->target));
    }
    memcpy(p->tokens + at, tokens, len * sizeof(*tokens));
    for (size_t i = 0; i < len; i++)
        p->target[at + i] = i + 1 == len ? target : TRAIN_NO_TARGET;
}

static int add_problem(struct problems *p, size_t s, const struct example *e,
                       const struct tokenizer *tok, struct err *err)
{
    uint32_t *prompt CLEANUP(mem_cleanup) = NULL, *gold CLEANUP(mem_cleanup) = NULL;
    size_t prompt_len = 0, gold_len = 0;
    int rc = tokenizer_encode(tok, e->prompt, true, &prompt, &prompt_len, err);

    rc = rc == 0 ? tokenizer_encode(tok, e->gold, false, &gold, &gold_len, err) : rc;
    if (rc < 0)
        return rc;
    if (prompt_len == 0 || gold_len == 0)
        return err_set(err, ERR_INVALID, "a problem without prompt or answer: %s", e->source_id);
    p->start[s + 1] = p->start[s] + prompt_len;
    add_tokens(p, p->start[s], prompt, prompt_len, gold[0]);
    return 0;
}

int problems_draw(struct problems *p, const struct problems_conf *c, const struct tokenizer *tok,
                  uint64_t step, struct err *err)
{
    struct rng r = rng_stream("order", c->seed, step);
    size_t open = problems_open_levels(c, step);
    int rc = 0;

    p->start = mem_realloc(p->start, c->batch + 1, sizeof(*p->start));
    p->start[0] = 0;
    for (size_t s = 0; rc == 0 && s < c->batch; s++) {
        struct example e CLEANUP(example_release) = { 0 };
        const char *task = c->task[rng_below(&r, (uint32_t)c->tasks_len)];
        int level = c->level[rng_below(&r, (uint32_t)open)];

        rc = task_draw(task, level, &r, &e, err);
        rc = rc == 0 ? add_problem(p, s, &e, tok, err) : rc;
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
