/* SPDX-License-Identifier: Apache-2.0 */
/* router_net.h - one network of a router in training: forward, backward, AdamW. Private to
 * worker/train. */
#ifndef WORKER_TRAIN_ROUTER_NET_H
#define WORKER_TRAIN_ROUTER_NET_H

#include "common/base/rng.h"
#include "worker/train/router_train.h"

/* What AdamW keeps, per linear layer: moments of weights (in panels, as the weights are) and of
 * biases; and copies of the best weights. */
struct router_moments {
    float *m[ROUTER_DEPTH_MAX], *v[ROUTER_DEPTH_MAX], *best[ROUTER_DEPTH_MAX];
    float *bias_m[ROUTER_DEPTH_MAX], *bias_v[ROUTER_DEPTH_MAX], *bias_best[ROUTER_DEPTH_MAX];
};
int router_moments_alloc(struct router_moments *m, const struct router_conf *c,
                         struct err *err) MUST_CHECK;
void router_moments_release(struct router_moments *m);
/* Copy the weights to the best ones, or back. */
void router_keep_best(const struct router *r, size_t head, struct router_moments *m);
void router_take_best(struct router *r, size_t head, const struct router_moments *m);

/* Work memory of one thread for batches of at most BATCH examples of at most STRIDE rows. */
struct router_scratch {
    float *mem;
    float *x[ROUTER_DEPTH_MAX]; /* input of each linear layer; the last one's: means (batch, ..) */
    float *h[ROUTER_DEPTH_MAX]; /* outputs in front of GELU; the last one's: logits */
    float *gelu;                /* the last hidden layer's output, row by row */
    float *keep[ROUTER_DEPTH_MAX]; /* dropout: 0 or 1 / (1 - share), per element behind GELU */
    bool dropped;                  /* the last forward pass had dropout */
    float *dy, *dx;                /* gradients of outputs, of inputs (room for the widest) */
    float *transposed, *panel;     /* operands of the product that gives a weight's gradient */
    float *weight;                 /* a weight by rows */
    float *back;                   /* ... in panels for the gradient of the inputs */
    float *grad[ROUTER_DEPTH_MAX], *bias_grad[ROUTER_DEPTH_MAX];
    size_t *count; /* [batch] rows of each example */
};
int router_scratch_alloc(struct router_scratch *s, const struct router_conf *c, size_t batch,
                         size_t stride, struct err *err) MUST_CHECK;
void router_scratch_release(struct router_scratch *s);

/* Features of the N examples AT of D for HEAD into s->x[0] and s->count, standardized by MEAN and
 * INVERSE (NULL: as they are). Returns their rows. */
size_t router_gather(const struct router *r, const struct router_data *d, size_t head,
                     const uint32_t *at, size_t n, const float *mean, const float *inverse,
                     struct router_scratch *s);
/* Gaussian noise (rng_normal: a sum of twelve uniforms) of this deviation onto the ROWS rows that
 * were gathered. */
void router_noise(const struct router *r, struct router_scratch *s, size_t rows, double deviation,
                  struct rng *rng);
/* Share of the elements behind each GELU that is set to 0 in training, drawn from RNG. */
struct router_dropout {
    double share;
    struct rng rng;
};
/* Logits (n, outputs) of what was gathered, into s->h[depth - 1]. DROP NULL: without dropout. */
void router_net_forward(const struct router *r, size_t head, struct router_scratch *s, size_t n,
                        size_t rows, struct router_dropout *drop);
/* Gradients of all weights and biases, given those of the logits in s->dy (n, outputs). */
void router_net_backward(const struct router *r, size_t head, struct router_scratch *s, size_t n,
                         size_t rows);
/* One step of AdamW with the gradients of S. BC1, BC2: 1 - beta^t. */
struct router_rate {
    float rate, decay, bc1, bc2;
};
void router_net_update(struct router *r, size_t head, struct router_moments *m,
                       const struct router_scratch *s, const struct router_rate *rate);

#endif
