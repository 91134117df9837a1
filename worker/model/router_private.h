/* SPDX-License-Identifier: Apache-2.0 */
/* router_private.h - steps of a router's network that training shares with deciding, so that both
 * have the same bits. For worker/model/router*.c and worker/train/router*.c. */
#ifndef WORKER_MODEL_ROUTER_PRIVATE_H
#define WORKER_MODEL_ROUTER_PRIVATE_H

#include "worker/model/router.h"

/* Y (rows, out) = X (rows, in) through linear layer I of network HEAD, bias included. */
void router_linear(const struct router *r, size_t head, size_t i, float *y, const float *x,
                   size_t rows);
/* OUT (n, width) = the mean of each example's COUNT rows of X. */
void router_means(const struct kernels *kern, float *out, const float *x, const size_t *count,
                  size_t n, size_t width);
/* Element (n, k) of an F32 weight. */
static inline float *router_weight(const struct packed *w, size_t n, size_t k)
{
    return (float *)w->panel + (n / KERNELS_PANEL * w->k + k) * KERNELS_PANEL + n % KERNELS_PANEL;
}

#endif
