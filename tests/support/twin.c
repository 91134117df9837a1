/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/twin.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

/* Y (n) = W (n, k) X (k). */
static void apply(double *y, const float *w, const double *x, size_t n, size_t k)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = 0.0;
        for (size_t j = 0; j < k; j++)
            y[i] += (double)w[i * k + j] * x[j];
    }
}

static void normalise(double *y, const double *x, const float *w, double eps, size_t d)
{
    double sum = 0.0;

    for (size_t i = 0; i < d; i++)
        sum += x[i] * x[i];
    for (size_t i = 0; i < d; i++)
        y[i] = x[i] / sqrt(sum / (double)d + eps) * (double)w[i];
}

/* X (n) += B (n), when there is one. */
static void shift(double *x, const float *b, size_t n)
{
    for (size_t i = 0; b && i < n; i++)
        x[i] += (double)b[i];
}

/* Radians per position of pair I, by the rules as their papers and configurations state them. */
static double frequency(const struct model_conf *c, size_t i)
{
    const struct rope_scaling *s = &c->rope_scaling;
    double f = pow((double)c->rope_theta, -2.0 * (double)i / (double)c->head_dim);
    double wave = 2.0 * acos(-1.0) / f, original = (double)s->original, smooth;

    if (s->kind == ROPE_LINEAR)
        return f / (double)s->factor;
    if (s->kind == ROPE_TABLE)
        return f / (double)s->table[i];
    if (s->kind != ROPE_LLAMA3 || wave < original / (double)s->high_freq)
        return f;
    if (wave > original / (double)s->low_freq)
        return f / (double)s->factor;
    smooth = (original / wave - (double)s->low_freq) / ((double)s->high_freq - (double)s->low_freq);
    return (1.0 - smooth) * f / (double)s->factor + smooth * f;
}

/* Turn one head at POSITION. */
static void turn(double *x, const struct model_conf *c, size_t position)
{
    size_t half = c->head_dim / 2;

    for (size_t i = 0; i < half; i++) {
        size_t a = c->rope_interleaved ? 2 * i : i, b = c->rope_interleaved ? a + 1 : i + half;
        double angle = (double)position * frequency(c, i);
        double u = x[a], v = x[b];

        x[a] = u * cos(angle) - v * sin(angle);
        x[b] = u * sin(angle) + v * cos(angle);
    }
}

/* OUT (e) = attention of query Q over keys K and values V, T of them, LD apart. */
static void attend(double *out, const double *q, const double *k, const double *v, size_t t,
                   size_t ld, size_t e)
{
    double *p = mem_calloc(t, sizeof(*p)), top = -INFINITY, sum = 0.0;

    for (size_t j = 0; j < t; j++) {
        for (size_t i = 0; i < e; i++)
            p[j] += q[i] * k[j * ld + i] / sqrt((double)e);
        top = fmax(top, p[j]);
    }
    for (size_t j = 0; j < t; j++)
        sum += p[j] = exp(p[j] - top);
    for (size_t i = 0; i < e; i++) {
        out[i] = 0.0;
        for (size_t j = 0; j < t; j++)
            out[i] += p[j] / sum * v[j * ld + i];
    }
    free(p);
}

struct work {
    double *norm, *q, *k, *v, *att, *gate, *up;
};

static void attention_half(double *x, const struct model_conf *c, const struct model_weights *w,
                           size_t l, size_t rows, const struct work *m)
{
    size_t e = c->head_dim, nq = c->heads * e, nkv = c->kv_heads * e,
           share = c->heads / c->kv_heads;

    for (size_t r = 0; r < rows; r++) {
        normalise(m->norm, x + r * c->dim, w->norm1[l], (double)c->rms_eps, c->dim);
        apply(m->q + r * nq, w->wq[l], m->norm, nq, c->dim);
        apply(m->k + r * nkv, w->wk[l], m->norm, nkv, c->dim);
        apply(m->v + r * nkv, w->wv[l], m->norm, nkv, c->dim);
        if (c->qkv_bias) {
            shift(m->q + r * nq, w->bq[l], nq);
            shift(m->k + r * nkv, w->bk[l], nkv);
            shift(m->v + r * nkv, w->bv[l], nkv);
        }
        for (size_t h = 0; h < c->heads; h++)
            turn(m->q + r * nq + h * e, c, r);
        for (size_t h = 0; h < c->kv_heads; h++)
            turn(m->k + r * nkv + h * e, c, r);
    }
    for (size_t r = 0; r < rows; r++) {
        for (size_t h = 0; h < c->heads; h++)
            attend(m->att + h * e, m->q + r * nq + h * e, m->k + h / share * e,
                   m->v + h / share * e, r + 1, nkv, e);
        apply(m->norm, w->wo[l], m->att, c->dim, nq);
        shift(m->norm, c->o_bias ? w->bo[l] : NULL, c->dim);
        for (size_t i = 0; i < c->dim; i++)
            x[r * c->dim + i] += m->norm[i];
    }
}

static void mlp_half(double *x, const struct model_conf *c, const struct model_weights *w, size_t l,
                     size_t rows, const struct work *m)
{
    for (size_t r = 0; r < rows; r++) {
        normalise(m->norm, x + r * c->dim, w->norm2[l], (double)c->rms_eps, c->dim);
        apply(m->gate, w->w1[l], m->norm, c->hidden, c->dim);
        apply(m->up, w->w3[l], m->norm, c->hidden, c->dim);
        shift(m->gate, c->mlp_bias ? w->b1[l] : NULL, c->hidden);
        shift(m->up, c->mlp_bias ? w->b3[l] : NULL, c->hidden);
        for (size_t i = 0; i < c->hidden; i++)
            m->gate[i] = m->gate[i] / (1.0 + exp(-m->gate[i])) * m->up[i];
        apply(m->norm, w->w2[l], m->gate, c->dim, c->hidden);
        shift(m->norm, c->mlp_bias ? w->b2[l] : NULL, c->dim);
        for (size_t i = 0; i < c->dim; i++)
            x[r * c->dim + i] += m->norm[i];
    }
}

void twin_logits(double *logits, const struct model_conf *c, const struct model_weights *w,
                 const uint32_t *tokens, size_t rows, const uint8_t *routing)
{
    size_t nq = c->heads * c->head_dim, nkv = c->kv_heads * c->head_dim;
    double *all =
        mem_calloc(rows * (c->dim + nq + 2 * nkv) + c->dim + nq + 2 * c->hidden, sizeof(*all));
    double *x = all;
    struct work m;

    m.q = x + rows * c->dim;
    m.k = m.q + rows * nq;
    m.v = m.k + rows * nkv;
    m.norm = m.v + rows * nkv;
    m.att = m.norm + c->dim;
    m.gate = m.att + nq;
    m.up = m.gate + c->hidden;
    for (size_t i = 0; i < rows * c->dim; i++)
        x[i] = (double)w->embed[0][tokens[i / c->dim] * c->dim + i % c->dim];
    for (size_t l = 0; l < c->layers; l++)
        for (unsigned times = 0; times < routing[l]; times++) {
            attention_half(x, c, w, l, rows, &m);
            mlp_half(x, c, w, l, rows, &m);
        }
    for (size_t r = 0; r < rows; r++) {
        normalise(m.norm, x + r * c->dim, w->norm[0], (double)c->rms_eps, c->dim);
        apply(logits + r * c->vocab, w->head[0], m.norm, c->vocab, c->dim);
    }
    free(all);
}
