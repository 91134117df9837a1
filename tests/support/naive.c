/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/naive.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "common/base/mem.h"

void naive_matmul(double *y, const double *x, const double *w, size_t m, size_t n, size_t k)
{
    for (size_t r = 0; r < m; r++) {
        for (size_t c = 0; c < n; c++) {
            double sum = 0;
            for (size_t i = 0; i < k; i++)
                sum += x[r * k + i] * w[c * k + i];
            y[r * n + c] = sum;
        }
    }
}

void naive_matmul_back(double *dx, double *dw, const double *dy, const double *x, const double *w,
                       size_t m, size_t n, size_t k)
{
    memset(dx, 0, m * k * sizeof(*dx));
    memset(dw, 0, n * k * sizeof(*dw));
    for (size_t r = 0; r < m; r++) {
        for (size_t c = 0; c < n; c++) {
            for (size_t i = 0; i < k; i++) {
                dx[r * k + i] += dy[r * n + c] * w[c * k + i];
                dw[c * k + i] += dy[r * n + c] * x[r * k + i];
            }
        }
    }
}

static double row_rstd(const double *x, double eps, size_t d)
{
    double sum = 0;
    for (size_t i = 0; i < d; i++)
        sum += x[i] * x[i];
    return 1 / sqrt(sum / (double)d + eps);
}

void naive_rmsnorm(double *out, const double *x, const double *w, double eps, size_t rows, size_t d)
{
    for (size_t r = 0; r < rows; r++) {
        const double s = row_rstd(x + r * d, eps, d);
        for (size_t i = 0; i < d; i++)
            out[r * d + i] = x[r * d + i] * s * w[i];
    }
}

void naive_rmsnorm_back(double *dx, double *dw, const double *dy, const double *x, const double *w,
                        double eps, size_t rows, size_t d)
{
    memset(dw, 0, d * sizeof(*dw));
    for (size_t r = 0; r < rows; r++) {
        const double *xr = x + r * d, *g = dy + r * d;
        const double s = row_rstd(xr, eps, d);
        double sum = 0;
        for (size_t i = 0; i < d; i++) {
            sum += g[i] * w[i] * xr[i];
            dw[i] += g[i] * xr[i] * s;
        }
        for (size_t i = 0; i < d; i++)
            dx[r * d + i] = g[i] * w[i] * s - xr[i] * s * s * s * sum / (double)d;
    }
}

void naive_rope(double *x, const uint32_t *position, const double *cos, const double *sin, int sign,
                bool interleaved, size_t rows, size_t heads, size_t e)
{
    const size_t half = e / 2;
    for (size_t r = 0; r < rows; r++) {
        for (size_t h = 0; h < heads; h++) {
            for (size_t i = 0; i < half; i++) {
                double *head = x + (r * heads + h) * e;
                double *a = interleaved ? head + 2 * i : head + i;
                double *b = interleaved ? head + 2 * i + 1 : head + i + half;
                const double c = cos[position[r] * half + i],
                             s = sign * sin[position[r] * half + i];
                const double a0 = *a, b0 = *b;
                *a = a0 * c - b0 * s;
                *b = b0 * c + a0 * s;
            }
        }
    }
}

/* Probabilities of one row of one head over N keys. */
static void attend(double *p, const double *q, const double *k, size_t ldk, size_t n, size_t e)
{
    double top = -INFINITY, sum = 0;
    for (size_t j = 0; j < n; j++) {
        p[j] = 0;
        for (size_t c = 0; c < e; c++)
            p[j] += q[c] * k[j * ldk + c];
        p[j] /= sqrt((double)e);
        top = fmax(top, p[j]);
    }
    for (size_t j = 0; j < n; j++)
        sum += p[j] = exp(p[j] - top);
    for (size_t j = 0; j < n; j++)
        p[j] /= sum;
}

void naive_attention(double *out, double *att, const double *q, const double *k, const double *v,
                     size_t rows, size_t t, size_t heads, size_t kv_heads, size_t e)
{
    const size_t ldk = kv_heads * e;
    CLEANUP(mem_cleanup) double *p = mem_calloc(t, sizeof(*p));
    for (size_t h = 0; h < heads; h++) {
        const size_t g = h / (heads / kv_heads) * e;
        for (size_t r = 0; r < rows; r++) {
            double *o = out + (r * heads + h) * e;
            const size_t n = t - rows + r + 1;
            memset(p, 0, t * sizeof(*p));
            attend(p, q + (r * heads + h) * e, k + g, ldk, n, e);
            for (size_t c = 0; c < e; c++) {
                o[c] = 0;
                for (size_t j = 0; j < n; j++)
                    o[c] += p[j] * v[j * ldk + g + c];
            }
            if (att != NULL)
                memcpy(att + (h * rows + r) * t, p, t * sizeof(*p));
        }
    }
}

/* One row of one head: P are its N probabilities. */
static void attend_back(double *dq, double *dk, double *dv, const double *dout, const double *p,
                        const double *q, const double *k, const double *v, size_t ldk, size_t n,
                        size_t e)
{
    double mean = 0;
    for (size_t j = 0; j < n; j++)
        for (size_t c = 0; c < e; c++)
            mean += p[j] * dout[c] * v[j * ldk + c];
    for (size_t j = 0; j < n; j++) {
        double dp = 0;
        for (size_t c = 0; c < e; c++) {
            dp += dout[c] * v[j * ldk + c];
            dv[j * ldk + c] += p[j] * dout[c];
        }
        const double ds = p[j] * (dp - mean) / sqrt((double)e);
        for (size_t c = 0; c < e; c++) {
            dq[c] += ds * k[j * ldk + c];
            dk[j * ldk + c] += ds * q[c];
        }
    }
}

void naive_attention_back(double *dq, double *dk, double *dv, const double *dout, const double *q,
                          const double *k, const double *v, size_t t, size_t heads, size_t kv_heads,
                          size_t e)
{
    const size_t ldk = kv_heads * e;
    CLEANUP(mem_cleanup) double *p = mem_calloc(t, sizeof(*p));
    memset(dq, 0, t * heads * e * sizeof(*dq));
    memset(dk, 0, t * ldk * sizeof(*dk));
    memset(dv, 0, t * ldk * sizeof(*dv));
    for (size_t h = 0; h < heads; h++) {
        const size_t g = h / (heads / kv_heads) * e;
        for (size_t r = 0; r < t; r++) {
            const size_t at = (r * heads + h) * e;
            attend(p, q + at, k + g, ldk, r + 1, e);
            attend_back(dq + at, dk + g, dv + g, dout + at, p, q + at, k + g, v + g, ldk, r + 1, e);
        }
    }
}

void naive_swiglu(double *out, const double *gate, const double *up, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = gate[i] / (1 + exp(-gate[i])) * up[i];
}

void naive_swiglu_back(double *dgate, double *dup, const double *dout, const double *gate,
                       const double *up, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const double s = 1 / (1 + exp(-gate[i]));
        dgate[i] = dout[i] * up[i] * (s + gate[i] * s * (1 - s));
        dup[i] = dout[i] * gate[i] * s;
    }
}

double naive_logsumexp(const double *logits, size_t v)
{
    double top = -INFINITY, sum = 0;
    for (size_t i = 0; i < v; i++)
        top = fmax(top, logits[i]);
    for (size_t i = 0; i < v; i++)
        sum += exp(logits[i] - top);
    return top + log(sum);
}

void naive_cross_entropy(double *loss, double *dlogits, const double *logits,
                         const uint32_t *target, const double *weight, size_t rows, size_t v)
{
    for (size_t r = 0; r < rows; r++) {
        const double *x = logits + r * v, all = naive_logsumexp(x, v);
        loss[r] = all - x[target[r]];
        for (size_t i = 0; i < v && dlogits != NULL; i++)
            dlogits[r * v + i] = (exp(x[i] - all) - (i == target[r])) * weight[r];
    }
}

void naive_adamw(double *w, double *m, double *v, const double *grad, double gscale, double lr,
                 double beta1, double beta2, double eps, double decay, double bc1, double bc2,
                 size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const double g = grad[i] * gscale;
        m[i] = beta1 * m[i] + (1 - beta1) * g;
        v[i] = beta2 * v[i] + (1 - beta2) * g * g;
        w[i] -= lr * (m[i] / bc1 / (sqrt(v[i] / bc2) + eps) + decay * w[i]);
    }
}

double nmse(const float *got, const double *want, size_t n)
{
    double error = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(got[i]))
            return INFINITY;
        error += (got[i] - want[i]) * (got[i] - want[i]);
        size += want[i] * want[i];
    }
    return size > 0 ? error / size : error;
}

static double root_mean_square(const double *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * x[i];
    return sqrt(sum / (double)n);
}

double worst_relative(const float *got, const double *want, size_t n)
{
    const double scale = root_mean_square(want, n);
    double worst = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(got[i]))
            return INFINITY;
        worst = fmax(worst, fabs(got[i] - want[i]) / (scale + fabs(want[i])));
    }
    return worst;
}

double gradient_error(const struct gradient_check *c)
{
    assert(c->n > 0);
    CLEANUP(mem_cleanup) double *numeric = mem_calloc(c->n, sizeof(*numeric));
    for (size_t i = 0; i < c->n; i++) {
        const double x = c->x[i], h = 1e-5 * fmax(1, fabs(x));
        c->x[i] = x + h;
        const double above = c->loss(c->arg);
        c->x[i] = x - h;
        const double below = c->loss(c->arg);
        c->x[i] = x;
        numeric[i] = (above - below) / (2 * h);
    }
    const double scale = root_mean_square(numeric, c->n);
    double worst = 0;
    for (size_t i = 0; i < c->n; i++) {
        if (!isfinite(c->dx[i]))
            return INFINITY;
        worst = fmax(worst, fabs(c->dx[i] - numeric[i]) / (scale + fabs(numeric[i]) + 1e-300));
    }
    return worst;
}
