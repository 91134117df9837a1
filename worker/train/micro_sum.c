/* SPDX-License-Identifier: Apache-2.0 */
/* One gradient for all micro-batches, added to in their order whichever thread runs which. */
#include <string.h>

#include "worker/train/micro.h"

static void add_tensor(const struct kernels *k, float *total, const float *grad, size_t n,
                       bool first)
{
    if (first)
        memcpy(total, grad, n * sizeof(float));
    else
        k->add(total, grad, n);
}

/* The tensors of layer PIECE, or those of no layer. */
static void add_piece(struct micro_sum *sum, const struct micro_model *mm, size_t piece, bool first,
                      const struct model_weights *grad)
{
    const struct model_conf *c = &mm->conf;
    bool rest = piece == c->layers;

#define X(F, NAME, GGUF, PER_LAYER, ROWS, COLS, DECAY)                                             \
    if ((PER_LAYER) != rest)                                                                       \
        add_tensor(mm->kern, sum->total->F[rest ? 0 : piece], grad->F[rest ? 0 : piece],           \
                   (size_t)(ROWS) * (COLS), first);
    MODEL_TENSORS(X)
#undef X
}

bool micro_sum_add(struct micro_sum *sum, const struct micro_model *mm, size_t index, size_t piece,
                   const struct model_weights *grad)
{
    bool go;

    pthread_mutex_lock(&sum->mutex);
    while (sum->turn[piece] != index && !sum->stopped)
        pthread_cond_wait(&sum->moved, &sum->mutex);
    go = !sum->stopped;
    pthread_mutex_unlock(&sum->mutex);
    if (!go)
        return false;
    add_piece(sum, mm, piece, index == 0, grad); /* nobody else has this turn */
    pthread_mutex_lock(&sum->mutex);
    sum->turn[piece]++;
    pthread_cond_broadcast(&sum->moved);
    pthread_mutex_unlock(&sum->mutex);
    return true;
}

void micro_sum_stop(struct micro_sum *sum)
{
    pthread_mutex_lock(&sum->mutex);
    sum->stopped = true;
    pthread_cond_broadcast(&sum->moved);
    pthread_mutex_unlock(&sum->mutex);
}
