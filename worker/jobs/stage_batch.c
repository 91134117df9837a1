/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/stage_batch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

void stage_batch_release(struct stage_batch *b)
{
    free(b->tokens);
    free(b->target);
    free(b->start);
    free(b->weight);
    free(b->advantage);
    free(b->old);
    free(b->reference);
    free(b->len);
    free(b->sequence_advantage);
    *b = (struct stage_batch){ 0 };
}

static void reserve(struct stage_batch *b, size_t sequences, size_t rows)
{
    if (b->sequences + sequences > b->sequences_max) {
        b->sequences_max = MAX(2 * b->sequences_max, b->sequences + sequences);
        b->start = mem_realloc(b->start, b->sequences_max + 1, sizeof(*b->start));
        b->len = mem_realloc(b->len, b->sequences_max, sizeof(*b->len));
        b->sequence_advantage =
            mem_realloc(b->sequence_advantage, b->sequences_max, sizeof(*b->sequence_advantage));
        b->start[0] = 0;
    }
    if (b->rows + rows > b->rows_max) {
        b->rows_max = MAX(2 * b->rows_max, b->rows + rows);
        b->tokens = mem_realloc(b->tokens, b->rows_max, sizeof(*b->tokens));
        b->target = mem_realloc(b->target, b->rows_max, sizeof(*b->target));
    }
}

/* The prompt and all that came but its last token, which is only a target. */
static void add_answer(struct stage_batch *b, const struct stage_answer *a, double advantage)
{
    const struct generation *g = &a->text;
    size_t prompt = g->prompt_len, len = g->ids_len, rows = prompt + len - 1, s = b->sequences;
    uint32_t *tokens, *target;

    assert(prompt > 0 && len > 0);
    reserve(b, 1, rows);
    tokens = b->tokens + b->rows;
    target = b->target + b->rows;
    memcpy(tokens, a->problem->question.prompt, prompt * sizeof(*tokens));
    memcpy(tokens + prompt, g->ids, (len - 1) * sizeof(*tokens));
    for (size_t i = 0; i + 1 < prompt; i++)
        target[i] = TRAIN_NO_TARGET;
    memcpy(target + prompt - 1, g->ids, len * sizeof(*target));
    b->len[s] = len;
    b->sequence_advantage[s] = advantage;
    b->rows += rows;
    b->start[s + 1] = b->rows;
    b->sequences++;
}

void stage_batch_add(struct stage_batch *b, const struct stage_conf *c,
                     const struct stage_answer *answer, const double *reward, size_t n)
{
    double *advantage CLEANUP(mem_cleanup) = mem_calloc(n, sizeof(*advantage));

    advantage_group(advantage, reward, n, c->scale_advantage, ADVANTAGE_STABILISER);
    for (size_t i = 0; i < n; i++)
        add_answer(b, &answer[i], advantage[i]);
}

void stage_batch_finish(struct stage_batch *b, const struct stage_conf *c)
{
    double *weight CLEANUP(mem_cleanup) = mem_calloc(b->sequences, sizeof(*weight));

    assert(b->sequences > 0 && !b->weight);
    b->weight = mem_calloc(b->rows, sizeof(*b->weight));
    b->advantage = mem_calloc(b->rows, sizeof(*b->advantage));
    b->old = mem_calloc(b->rows, sizeof(*b->old));
    b->reference = mem_calloc(b->rows, sizeof(*b->reference));
    loss_weights(weight, b->len, b->sequences, c->normalise, (double)c->max_new);
    for (size_t s = 0; s < b->sequences; s++)
        for (size_t i = b->start[s]; i < b->start[s + 1]; i++) {
            b->weight[i] = weight[s];
            b->advantage[i] = b->sequence_advantage[s];
        }
    b->batch = (struct train_batch){
        .tokens = b->tokens, .target = b->target, .start = b->start, .sequences = b->sequences
    };
}
