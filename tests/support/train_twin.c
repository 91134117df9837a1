/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/train_twin.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

struct twin {
    const struct model_conf *c;
    const struct model_weights *layout;
    const double *all;
    double temperature;
    double *logprob, *entropy;                   /* of the sequence's rows, or NULL */
    size_t t;                                    /* length of the sequence */
    double *x, *h, *q, *k, *v, *ctx, *up, *gate; /* (t, width) each */
};

static const double *weight(const struct twin *w, float *const *field, size_t layer)
{
    return w->all + (field[layer] - w->layout->all);
}

static void linear(double *y, const double *x, const double *w, size_t rows, size_t in, size_t out)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t o = 0; o < out; o++) {
            double sum = 0;

            for (size_t i = 0; i < in; i++)
                sum += x[r * in + i] * w[o * in + i];
            y[r * out + o] = sum;
        }
}

static void add_bias(const struct twin *w, bool has, double *y, float *const *field, size_t layer,
                     size_t n)
{
    for (size_t r = 0; r < w->t && has; r++)
        for (size_t i = 0; i < n; i++)
            y[r * n + i] += weight(w, field, layer)[i];
}

/* Of pair I; libm's, from the formulas of conf.h. */
static double frequency(const struct model_conf *c, size_t i)
{
    const struct rope_scaling *s = &c->rope_scaling;
    double f = pow((double)c->rope_theta, -2.0 * (double)i / (double)c->head_dim);
    double wavelength = 2 * M_PI / f, original = (double)s->original, mix;

    switch (s->kind) {
    case ROPE_PLAIN:
        return f;
    case ROPE_TABLE:
        return f / (double)s->table[i];
    case ROPE_LINEAR:
        return f / (double)s->factor;
    case ROPE_LLAMA3:
        break;
    }
    if (wavelength > original / (double)s->low_freq)
        return f / (double)s->factor;
    if (wavelength < original / (double)s->high_freq)
        return f;
    mix = (original / wavelength - (double)s->low_freq) /
          ((double)s->high_freq - (double)s->low_freq);
    return f * ((1 - mix) / (double)s->factor + mix);
}

static void normalise(const struct twin *w, const double *x, const double *g, size_t rows)
{
    size_t d = w->c->dim;

    for (size_t r = 0; r < rows; r++) {
        double squares = 0;

        for (size_t i = 0; i < d; i++)
            squares += x[r * d + i] * x[r * d + i];
        for (size_t i = 0; i < d; i++)
            w->h[r * d + i] =
                x[r * d + i] / sqrt(squares / (double)d + (double)w->c->rms_eps) * g[i];
    }
}

static void rotate(const struct twin *w, double *x, size_t heads)
{
    size_t e = w->c->head_dim, half = e / 2;

    for (size_t r = 0; r < w->t; r++)
        for (size_t h = 0; h < heads; h++)
            for (size_t i = 0; i < half; i++) {
                double *p = x + (r * heads + h) * e;
                size_t a = w->c->rope_interleaved ? 2 * i : i;
                size_t b = w->c->rope_interleaved ? 2 * i + 1 : i + half;
                double angle = (double)r * frequency(w->c, i);
                double xa = p[a], xb = p[b];

                p[a] = xa * cos(angle) - xb * sin(angle);
                p[b] = xa * sin(angle) + xb * cos(angle);
            }
}

static void attend_row(const struct twin *w, size_t r, size_t head)
{
    const struct model_conf *c = w->c;
    size_t e = c->head_dim, group = head / (c->heads / c->kv_heads);
    double *out = w->ctx + (r * c->heads + head) * e;
    double total = 0;

    memset(out, 0, e * sizeof(double));
    for (size_t s = 0; s <= r; s++) {
        double score = 0, p;

        for (size_t i = 0; i < e; i++)
            score += w->q[(r * c->heads + head) * e + i] * w->k[(s * c->kv_heads + group) * e + i];
        p = exp(score / sqrt((double)e));
        total += p;
        for (size_t i = 0; i < e; i++)
            out[i] += p * w->v[(s * c->kv_heads + group) * e + i];
    }
    for (size_t i = 0; i < e; i++)
        out[i] /= total;
}

static void layer(const struct twin *w, size_t l)
{
    const struct model_conf *c = w->c;
    const struct model_weights *f = w->layout;
    size_t d = c->dim, nq = c->heads * c->head_dim, nk = c->kv_heads * c->head_dim;

    normalise(w, w->x, weight(w, f->norm1, l), w->t);
    linear(w->q, w->h, weight(w, f->wq, l), w->t, d, nq);
    linear(w->k, w->h, weight(w, f->wk, l), w->t, d, nk);
    linear(w->v, w->h, weight(w, f->wv, l), w->t, d, nk);
    add_bias(w, c->qkv_bias, w->q, f->bq, l, nq);
    add_bias(w, c->qkv_bias, w->k, f->bk, l, nk);
    add_bias(w, c->qkv_bias, w->v, f->bv, l, nk);
    rotate(w, w->q, c->heads);
    rotate(w, w->k, c->kv_heads);
    for (size_t r = 0; r < w->t; r++)
        for (size_t head = 0; head < c->heads; head++)
            attend_row(w, r, head);
    linear(w->h, w->ctx, weight(w, f->wo, l), w->t, nq, d);
    add_bias(w, c->o_bias, w->h, f->bo, l, d);
    for (size_t i = 0; i < w->t * d; i++)
        w->x[i] += w->h[i];
    normalise(w, w->x, weight(w, f->norm2, l), w->t);
    linear(w->gate, w->h, weight(w, f->w1, l), w->t, d, c->hidden);
    linear(w->up, w->h, weight(w, f->w3, l), w->t, d, c->hidden);
    add_bias(w, c->mlp_bias, w->gate, f->b1, l, c->hidden);
    add_bias(w, c->mlp_bias, w->up, f->b3, l, c->hidden);
    for (size_t i = 0; i < w->t * c->hidden; i++)
        w->up[i] *= w->gate[i] / (1.0 + exp(-w->gate[i]));
    linear(w->h, w->up, weight(w, f->w2, l), w->t, c->hidden, d);
    add_bias(w, c->mlp_bias, w->h, f->b2, l, d);
    for (size_t i = 0; i < w->t * d; i++)
        w->x[i] += w->h[i];
}

static double row_loss(const struct twin *w, size_t r, uint32_t target)
{
    const struct model_conf *c = w->c;
    const double *head = weight(w, w->layout->head, 0);
    double total = 0, aim = 0, mean = 0;

    for (size_t v = 0; v < c->vocab; v++) {
        double logit = 0;

        for (size_t i = 0; i < c->dim; i++)
            logit += w->h[r * c->dim + i] * head[v * c->dim + i];
        logit /= w->temperature;
        total += exp(logit);
        mean += exp(logit) * logit;
        if (v == target)
            aim = logit;
    }
    if (w->logprob) {
        w->logprob[r] = aim - log(total);
        w->entropy[r] = log(total) - mean / total;
    }
    return log(total) - aim;
}

static double sequence_loss(struct twin *w, const uint32_t *tokens, const uint32_t *target,
                            const uint8_t *times, size_t *targets)
{
    size_t d = w->c->dim;
    double loss = 0;

    for (size_t r = 0; r < w->t; r++)
        memcpy(w->x + r * d, weight(w, w->layout->embed, 0) + tokens[r] * d, d * sizeof(double));
    for (size_t l = 0; l < w->c->layers; l++)
        for (size_t i = 0; i < (times ? times[l] : 1); i++)
            layer(w, l);
    normalise(w, w->x, weight(w, w->layout->norm, 0), w->t);
    for (size_t r = 0; r < w->t; r++) {
        if (target[r] == TRAIN_NO_TARGET)
            continue;
        loss += row_loss(w, r, target[r]);
        ++*targets;
    }
    return loss;
}

static double twin_run(const struct model_conf *c, const struct model_weights *layout,
                       const double *all, const struct train_batch *b, double temperature,
                       double *logprob, double *entropy)
{
    struct twin w = { .c = c, .layout = layout, .all = all, .temperature = temperature };
    size_t longest = 0, targets = 0, nq = c->heads * c->head_dim;
    double loss = 0;

    for (size_t s = 0; s < b->sequences; s++)
        longest = MAX(longest, b->start[s + 1] - b->start[s]);
    w.x = mem_calloc(longest * c->dim, sizeof(double));
    w.h = mem_calloc(longest * c->dim, sizeof(double));
    w.q = mem_calloc(longest * nq, sizeof(double));
    w.k = mem_calloc(longest * nq, sizeof(double));
    w.v = mem_calloc(longest * nq, sizeof(double));
    w.ctx = mem_calloc(longest * nq, sizeof(double));
    w.up = mem_calloc(longest * c->hidden, sizeof(double));
    w.gate = mem_calloc(longest * c->hidden, sizeof(double));
    for (size_t s = 0; s < b->sequences; s++) {
        w.t = b->start[s + 1] - b->start[s];
        w.logprob = logprob ? logprob + b->start[s] : NULL;
        w.entropy = entropy ? entropy + b->start[s] : NULL;
        loss += sequence_loss(&w, b->tokens + b->start[s], b->target + b->start[s],
                              b->times ? b->times + s * c->layers : NULL, &targets);
    }
    free(w.x);
    free(w.h);
    free(w.q);
    free(w.k);
    free(w.v);
    free(w.ctx);
    free(w.up);
    free(w.gate);
    return loss / (double)targets;
}

double train_twin_loss(const struct model_conf *c, const struct model_weights *layout,
                       const double *all, const struct train_batch *b)
{
    return twin_run(c, layout, all, b, 1.0, NULL, NULL);
}

void train_twin_logprobs(const struct model_conf *c, const struct model_weights *layout,
                         const double *all, const struct train_batch *b, double temperature,
                         double *logprob, double *entropy)
{
    (void)twin_run(c, layout, all, b, temperature, logprob, entropy);
}
