/* SPDX-License-Identifier: Apache-2.0 */
/* router_start.c - what training begins with: weights, and the scale of the features. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/rng.h"
#include "worker/model/router_private.h"
#include "worker/train/router_loss.h"
#include "worker/train/router_state.h"

/* Xavier-uniform (Glorot & Bengio 2010), drawn row by row. */
static void draw_weights(struct router *r, size_t head, uint64_t seed)
{
    for (size_t i = 0; i < r->conf.depth; i++) {
        struct packed *w = &r->head[head].w[i];
        struct rng rng = rng_stream("router", seed, head * ROUTER_DEPTH_MAX + i);
        const float bound = sqrtf(6.0f / (float)(w->k + w->n));

        memset(w->panel, 0, packed_bytes(w));
        memset(r->head[head].bias[i], 0, w->n * sizeof(float));
        for (size_t n = 0; n < w->n; n++)
            for (size_t k = 0; k < w->k; k++)
                *router_weight(w, n, k) = bound * (2.0f * rng_float(&rng) - 1.0f);
    }
}

/* Success: each path's output begins at the log-odds of its share of right answers. */
static void set_prior(struct router_training *t)
{
    const struct router_conf *c = &t->router->conf;

    for (size_t p = 0; p < c->paths; p++) {
        double right = 1.0, wrong = 1.0;

        for (size_t i = 0; i < t->train_len; i++) {
            int outcome = t->data->outcome[(size_t)t->train[i] * c->paths + p];

            right += outcome == 1;
            wrong += outcome == 0;
        }
        for (size_t m = 0; m < t->heads; m++)
            t->router->head[m].bias[c->depth - 1][p] =
                (float)(router_log(right) - router_log(wrong));
    }
}

/* Mean and inverse deviation of HEAD's features over the training examples. */
static void measure(struct router_training *t, size_t head)
{
    const struct router_data *d = t->data;
    size_t in = router_inputs(&t->router->conf), rows = 0;
    double *sum CLEANUP(mem_cleanup) = mem_calloc(in, sizeof(*sum));
    double *square CLEANUP(mem_cleanup) = mem_calloc(in, sizeof(*square));

    for (int pass = 0; pass < 2; pass++) {
        rows = 0;
        for (size_t i = 0; i < t->train_len; i++) {
            size_t e = t->train[i];
            const float *x = d->features[head] + e * d->stride * in;

            for (size_t row = 0; row < d->rows[e]; row++, x += in) {
                for (size_t k = 0; k < in && pass == 0; k++)
                    sum[k] += (double)x[k];
                for (size_t k = 0; k < in && pass == 1; k++)
                    square[k] += ((double)x[k] - sum[k]) * ((double)x[k] - sum[k]);
            }
            rows += d->rows[e];
        }
        for (size_t k = 0; k < in && pass == 0; k++)
            sum[k] /= (double)rows;
    }
    for (size_t k = 0; k < in; k++) {
        t->mean[head * in + k] = (float)sum[k];
        t->inverse[head * in + k] = (float)(1.0 / (sqrt(square[k] / (double)rows) + 1e-3));
    }
}

static void start_head(void *arg, size_t head, size_t thread)
{
    struct router_training *t = arg;

    (void)thread;
    draw_weights(t->router, head, t->conf->seed);
    if (t->mean)
        measure(t, head);
}

int router_start(struct router_training *t, struct pool *pool, struct err *err)
{
    size_t floats = t->heads * router_inputs(&t->router->conf);

    if (t->conf->standardize) {
        t->mean = mem_try_aligned(floats, sizeof(float));
        t->inverse = mem_try_aligned(floats, sizeof(float));
        if (!t->mean || !t->inverse)
            return err_set(err, ERR_NOMEM, "no memory to train a router");
    }
    pool_run(pool, start_head, t, t->heads);
    if (t->router->conf.kind == ROUTER_SUCCESS)
        set_prior(t);
    return 0;
}

/* W (x - m) s + b = (W s) x + (b - W s m). */
void router_fold(struct router_training *t)
{
    size_t in = router_inputs(&t->router->conf);

    for (size_t h = 0; t->mean && h < t->heads; h++) {
        struct packed *w = &t->router->head[h].w[0];
        float *bias = t->router->head[h].bias[0];

        for (size_t n = 0; n < w->n; n++) {
            double shift = 0.0;

            for (size_t k = 0; k < in; k++) {
                float *x = router_weight(w, n, k);

                *x *= t->inverse[h * in + k];
                shift += (double)*x * (double)t->mean[h * in + k];
            }
            bias[n] = (float)((double)bias[n] - shift);
        }
    }
}
