/* SPDX-License-Identifier: Apache-2.0 */
/* router_net.c - weights, their gradients and moments all stay in the packed kernel's panels: W^T
 * in column panels of 48. So AdamW runs over them as they are, nothing is packed again, and the
 * product X^T dY, whose output is W^T's gradient, is written panel by panel. */
#include "worker/train/router_net.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/model/router_private.h"
#include "worker/train/dense.h"

static const float beta1 = 0.9f, beta2 = 0.999f, epsilon = 1e-8f;

static size_t weight_floats(const struct router_conf *c, size_t i)
{
    return packed_floats(router_in(c, i), router_out(c, i));
}

/* ---- memory -------------------------------------------------------------------------------- */

int router_moments_alloc(struct router_moments *m, const struct router_conf *c, struct err *err)
{
    *m = (struct router_moments){ 0 };
    for (size_t i = 0; i < c->depth; i++) {
        float **w[] = { &m->m[i], &m->v[i], &m->best[i] };
        float **b[] = { &m->bias_m[i], &m->bias_v[i], &m->bias_best[i] };

        for (size_t k = 0; k < ARRAY_LEN(w); k++) {
            *w[k] = mem_try_aligned(weight_floats(c, i), sizeof(float));
            *b[k] = mem_try_aligned(router_out(c, i), sizeof(float));
            if (!*w[k] || !*b[k])
                return err_set(err, ERR_NOMEM, "no memory to train a router of %zu x %zu floats",
                               router_heads(c), weight_floats(c, i));
        }
    }
    return 0;
}

void router_moments_release(struct router_moments *m)
{
    for (size_t i = 0; i < ROUTER_DEPTH_MAX; i++) {
        free(m->m[i]);
        free(m->v[i]);
        free(m->best[i]);
        free(m->bias_m[i]);
        free(m->bias_v[i]);
        free(m->bias_best[i]);
    }
    *m = (struct router_moments){ 0 };
}

void router_keep_best(const struct router *r, size_t head, struct router_moments *m)
{
    const struct router_head *h = &r->head[head];

    for (size_t i = 0; i < r->conf.depth; i++) {
        memcpy(m->best[i], h->w[i].panel, packed_bytes(&h->w[i]));
        memcpy(m->bias_best[i], h->bias[i], h->w[i].n * sizeof(float));
    }
}

void router_take_best(struct router *r, size_t head, const struct router_moments *m)
{
    struct router_head *h = &r->head[head];

    for (size_t i = 0; i < r->conf.depth; i++) {
        memcpy(h->w[i].panel, m->best[i], packed_bytes(&h->w[i]));
        memcpy(h->bias[i], m->bias_best[i], h->w[i].n * sizeof(float));
    }
}

/* Hands out parts of S's memory; first only counts, with MEM NULL. */
struct parts {
    float *mem;
    size_t len;
};

static float *take(struct parts *p, size_t floats)
{
    size_t at = p->len;

    p->len += (floats + 15) / 16 * 16;
    return p->mem ? p->mem + at : NULL;
}

static void lay_out(struct router_scratch *s, const struct router_conf *c, size_t batch,
                    size_t stride, struct parts *p)
{
    size_t rows = batch * stride, in = router_inputs(c), out = router_outputs(c);
    size_t wide = MAX(c->bottleneck, out), widest = MAX(in, c->bottleneck), largest = 0;

    for (size_t i = 0; i < c->depth; i++) {
        bool last = i + 1 == c->depth;

        s->x[i] = take(p, (i == 0 ? rows : last ? batch : rows) * router_in(c, i));
        s->h[i] = take(p, (last ? batch : rows) * router_out(c, i));
        s->grad[i] = take(p, weight_floats(c, i));
        s->bias_grad[i] = take(p, router_out(c, i));
        s->keep[i] = take(p, last ? 0 : rows * c->bottleneck);
        largest = MAX(largest, packed_floats(router_out(c, i), router_in(c, i)));
        largest = MAX(largest, weight_floats(c, i));
    }
    s->gelu = take(p, rows * widest);
    s->dy = take(p, rows * wide);
    s->dx = take(p, rows * wide);
    s->transposed = take(p, rows * widest);
    s->panel = take(p, packed_floats(rows, wide));
    s->weight = take(p, largest);
    s->back = take(p, largest);
    (void)take(p, 4096); /* the kernel looks ahead */
}

int router_scratch_alloc(struct router_scratch *s, const struct router_conf *c, size_t batch,
                         size_t stride, struct err *err)
{
    struct parts p = { 0 };

    *s = (struct router_scratch){ 0 };
    lay_out(s, c, batch, stride, &p);
    s->mem = mem_try_aligned(p.len, sizeof(float));
    if (!s->mem)
        return err_set(err, ERR_NOMEM,
                       "%zu bytes for batches of %zu examples: lower batch, windows or bottleneck",
                       p.len * sizeof(float), batch);
    p = (struct parts){ .mem = s->mem };
    lay_out(s, c, batch, stride, &p);
    s->count = mem_calloc(batch, sizeof(*s->count));
    return 0;
}

void router_scratch_release(struct router_scratch *s)
{
    free(s->mem);
    free(s->count);
    *s = (struct router_scratch){ 0 };
}

/* ---- forward -------------------------------------------------------------------------------- */

/* With depth 1 the features themselves are averaged: they wait in s->gelu. */
static float *input_rows(const struct router_conf *c, struct router_scratch *s)
{
    return c->depth == 1 ? s->gelu : s->x[0];
}

size_t router_gather(const struct router *r, const struct router_data *d, size_t head,
                     const uint32_t *at, size_t n, const float *mean, const float *inverse,
                     struct router_scratch *s)
{
    size_t in = router_inputs(&r->conf), rows = 0;
    float *x = input_rows(&r->conf, s);

    for (size_t e = 0; e < n; e++) {
        s->count[e] = d->rows[at[e]];
        memcpy(x + rows * in, d->features[head] + (size_t)at[e] * d->stride * in,
               s->count[e] * in * sizeof(float));
        rows += s->count[e];
    }
    for (size_t i = 0; mean && i < rows; i++)
        for (size_t k = 0; k < in; k++)
            x[i * in + k] = (x[i * in + k] - mean[k]) * inverse[k];
    return rows;
}

void router_noise(const struct router *r, struct router_scratch *s, size_t rows, double deviation,
                  struct rng *rng)
{
    float *x = input_rows(&r->conf, s);

    for (size_t i = 0; i < rows * router_inputs(&r->conf); i++)
        x[i] += (float)(deviation * rng_normal(rng));
}

/* X (len) times 0 or 1 / (1 - share), which are kept for the way back. */
static void drop_some(float *x, float *keep, size_t len, struct router_dropout *drop)
{
    const float scale = (float)(1.0 / (1.0 - drop->share));
    const uint32_t below = (uint32_t)(drop->share * 4294967296.0);

    for (size_t i = 0; i < len; i++) {
        keep[i] = rng_u32(&drop->rng) < below ? 0.0f : scale;
        x[i] *= keep[i];
    }
}

static void undo_drop(const struct router_scratch *s, float *dx, size_t layer, size_t len)
{
    for (size_t i = 0; s->dropped && i < len; i++)
        dx[i] *= s->keep[layer][i];
}

void router_net_forward(const struct router *r, size_t head, struct router_scratch *s, size_t n,
                        size_t rows, struct router_dropout *drop)
{
    const struct router_conf *c = &r->conf;
    size_t last = c->depth - 1, len = rows * c->bottleneck;
    const float *x = input_rows(c, s);

    s->dropped = drop && drop->share > 0;
    for (size_t i = 0; i < last; i++) {
        float *to = i + 1 == last ? s->gelu : s->x[i + 1];

        router_linear(r, head, i, s->h[i], x, rows);
        r->kern->gelu(to, s->h[i], len);
        if (s->dropped)
            drop_some(to, s->keep[i], len, drop);
        x = to;
    }
    router_means(r->kern, s->x[last], x, s->count, n, router_in(c, last));
    router_linear(r, head, last, s->h[last], s->x[last], n);
}

/* ---- backward ------------------------------------------------------------------------------- */

/* Gradients of linear layer I: X (rows, in) and dY = s->dy (rows, out). */
static void weight_gradient(const struct router *r, size_t i, struct router_scratch *s,
                            const float *x, size_t rows)
{
    size_t in = router_in(&r->conf, i), out = router_out(&r->conf, i);
    struct packed dy = { .k = rows, .n = out, .panel = s->panel };

    dense_transpose(s->transposed, x, rows, in);
    packed_fill_transposed(&dy, s->dy, out);
    for (size_t n = 0; n < out; n += KERNELS_PANEL)
        r->kern->gemm(s->grad[i] + n * (in - 1), KERNELS_PANEL, s->transposed, rows, &dy, in, n,
                      MIN(n + KERNELS_PANEL, out));
    memcpy(s->bias_grad[i], s->dy, out * sizeof(float));
    for (size_t e = 1; e < rows; e++)
        r->kern->add(s->bias_grad[i], s->dy + e * out, out);
}

/* s->dx (rows, in) = dY W of linear layer I. */
static void input_gradient(const struct router *r, size_t head, size_t i, struct router_scratch *s,
                           size_t rows)
{
    const struct packed *w = &r->head[head].w[i];
    struct packed back = { .k = w->n, .n = w->k, .panel = s->back };

    for (size_t n = 0; n < w->n; n++)
        for (size_t k = 0; k < w->k; k++)
            s->weight[n * w->k + k] = *router_weight(w, n, k);
    packed_fill_transposed(&back, s->weight, w->k);
    r->kern->gemm(s->dx, w->k, s->dy, w->n, &back, rows, 0, w->k);
}

/* From the gradient of each example's mean in s->dx to that of its rows behind GELU, and through it
 * to s->dy. */
static void spread(const struct router *r, struct router_scratch *s, size_t layer, size_t n,
                   size_t rows)
{
    size_t width = r->conf.bottleneck;
    float *dy = s->dy;

    for (size_t e = 0; e < n; e++) {
        const float scale = 1.0f / (float)s->count[e];

        for (size_t k = 0; k < width; k++)
            s->dx[e * width + k] *= scale;
        for (size_t i = 0; i < s->count[e]; i++, dy += width)
            memcpy(dy, s->dx + e * width, width * sizeof(float));
    }
    undo_drop(s, s->dy, layer, rows * width);
    r->kern->gelu_back(s->dy, s->dy, s->h[layer], rows * width);
}

void router_net_backward(const struct router *r, size_t head, struct router_scratch *s, size_t n,
                         size_t rows)
{
    size_t last = r->conf.depth - 1;

    weight_gradient(r, last, s, s->x[last], n);
    if (last == 0)
        return;
    input_gradient(r, head, last, s, n);
    spread(r, s, last - 1, n, rows);
    for (size_t i = last - 1;; i--) {
        weight_gradient(r, i, s, s->x[i], rows);
        if (i == 0)
            return;
        input_gradient(r, head, i, s, rows);
        undo_drop(s, s->dx, i - 1, rows * r->conf.bottleneck);
        r->kern->gelu_back(s->dy, s->dx, s->h[i - 1], rows * r->conf.bottleneck);
    }
}

void router_net_update(struct router *r, size_t head, struct router_moments *m,
                       const struct router_scratch *s, const struct router_rate *rate)
{
    struct router_head *h = &r->head[head];

    for (size_t i = 0; i < r->conf.depth; i++) {
        r->kern->adamw(h->w[i].panel, m->m[i], m->v[i], s->grad[i], 1.0f, rate->rate, beta1, beta2,
                       epsilon, rate->decay, rate->bc1, rate->bc2, weight_floats(&r->conf, i));
        r->kern->adamw(h->bias[i], m->bias_m[i], m->bias_v[i], s->bias_grad[i], 1.0f, rate->rate,
                       beta1, beta2, epsilon, 0.0f, rate->bc1, rate->bc2, h->w[i].n);
    }
}
