/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/train/router_guard.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

static const double ridge = 0.01, least_deviation = 1e-3;

struct measure {
    struct router *router;
    const struct router_data *data;
    struct progress *progress;
    size_t width;
    double *mean, *inverse; /* [width]; inverse deviation */
    double *z;              /* [width]: of the example at hand */
    double *cov;            /* (width, width): covariance, then L, below and on the diagonal */
    double *own;            /* (width, width): L^-1 */
    double *distance;       /* [examples] */
};

static const float *features_of(const struct measure *m, size_t e)
{
    return m->data->features[0] + e * m->data->stride * router_inputs(&m->router->conf);
}

static void measure_scale(struct measure *m)
{
    const struct router_conf *c = &m->router->conf;
    size_t n = m->data->examples;

    for (int pass = 0; pass < 2; pass++) {
        for (size_t e = 0; e < n; e++) {
            router_guard_features(c, features_of(m, e), m->data->rows[e], m->z);
            for (size_t k = 0; k < m->width && pass == 0; k++)
                m->mean[k] += m->z[k];
            for (size_t k = 0; k < m->width && pass == 1; k++)
                m->inverse[k] += (m->z[k] - m->mean[k]) * (m->z[k] - m->mean[k]);
        }
        for (size_t k = 0; k < m->width && pass == 0; k++)
            m->mean[k] = (double)(float)(m->mean[k] / (double)n); /* as it is stored */
    }
    for (size_t k = 0; k < m->width; k++)
        m->inverse[k] = 1.0 / (sqrt(m->inverse[k] / (double)n) + least_deviation);
}

static int measure_covariance(struct measure *m, struct err *err)
{
    size_t n = m->data->examples, width = m->width;

    for (size_t e = 0; e < n; e++) {
        if (e % 64 == 0)
            progress_tick(m->progress);
        if (progress_stopped(m->progress))
            return err_set(err, ERR_CANCELLED, "stopped while the router's guard was measured");
        router_guard_features(&m->router->conf, features_of(m, e), m->data->rows[e], m->z);
        for (size_t k = 0; k < width; k++)
            m->z[k] = (m->z[k] - m->mean[k]) * m->inverse[k];
        for (size_t i = 0; i < width; i++)
            for (size_t k = 0; k <= i; k++)
                m->cov[i * width + k] += m->z[i] * m->z[k];
    }
    for (size_t i = 0; i < width; i++) {
        for (size_t k = 0; k <= i; k++)
            m->cov[i * width + k] /= (double)n;
        m->cov[i * width + i] += ridge;
    }
    return 0;
}

/* L in the place of the covariance. */
static int factorise(struct measure *m, struct err *err)
{
    for (size_t i = 0; i < m->width; i++) {
        double *row = m->cov + i * m->width;

        for (size_t k = 0; k <= i; k++) {
            const double *above = m->cov + k * m->width;
            double sum = row[k];

            for (size_t j = 0; j < k; j++)
                sum -= row[j] * above[j];
            if (k < i)
                row[k] = sum / above[k];
            else if (!(sum > 0.0) || !isfinite(sum))
                return err_set(err, ERR_INVALID,
                               "the router's guard: features of the training examples are not "
                               "finite: states of the model are broken");
            else
                row[k] = sqrt(sum);
        }
    }
    return 0;
}

/* Row i of L^-1 is (e_i - sum over k < i of L[i][k] row k) / L[i][i]. */
static void invert(struct measure *m)
{
    size_t width = m->width;

    for (size_t i = 0; i < width; i++) {
        const double *l = m->cov + i * width;
        double *row = m->own + i * width;

        row[i] = 1.0;
        for (size_t k = 0; k < i; k++)
            for (size_t j = 0; j <= k; j++)
                row[j] -= l[k] * m->own[k * width + j];
        for (size_t j = 0; j <= i; j++)
            row[j] /= l[i];
    }
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* The guard as it is stored, and the distances under it. */
static void finish(struct measure *m, const size_t *prompt_rows, double quantile)
{
    struct router_guard *g = &m->router->guard;
    size_t n = m->data->examples, at;

    g->rows_min = g->rows_max = prompt_rows[0];
    for (size_t i = 0; i < m->width; i++) {
        g->mean[i] = (float)m->mean[i];
        for (size_t k = 0; k <= i; k++)
            g->factor[i * m->width + k] = (float)(m->own[i * m->width + k] * m->inverse[k]);
    }
    for (size_t e = 0; e < n; e++) {
        double d = router_guard_distance(m->router, features_of(m, e), m->data->rows[e], m->z);

        m->distance[e] = d / MAX(1.0 - d / (double)n, 1e-6);
        g->rows_min = MIN(g->rows_min, prompt_rows[e]);
        g->rows_max = MAX(g->rows_max, prompt_rows[e]);
    }
    qsort(m->distance, n, sizeof(*m->distance), by_value);
    at = (size_t)(quantile * (double)n);
    if ((double)at >= quantile * (double)n && at > 0)
        at--; /* N q examples are whole */
    g->limit = m->distance[MIN(at, n - 1)];
}

static void release(struct measure *m)
{
    free(m->mean);
    free(m->inverse);
    free(m->z);
    free(m->cov);
    free(m->own);
    free(m->distance);
}

int router_guard_train(struct router *r, const struct router_data *d, const size_t *prompt_rows,
                       double quantile, struct progress *progress, struct err *err)
{
    size_t width = router_guard_width(&r->conf);
    struct measure m CLEANUP(release) = { .router = r,
                                          .data = d,
                                          .progress = progress,
                                          .width = width,
                                          .mean = mem_calloc(width, sizeof(double)),
                                          .inverse = mem_calloc(width, sizeof(double)),
                                          .z = mem_calloc(width, sizeof(double)),
                                          .cov = mem_calloc(width * width, sizeof(double)),
                                          .own = mem_calloc(width * width, sizeof(double)),
                                          .distance = mem_calloc(d->examples, sizeof(double)) };
    int rc = router_guard_new(r, err);

    assert(d->examples > 0);
    if (rc)
        return rc;
    measure_scale(&m);
    rc = measure_covariance(&m, err);
    rc = rc ? rc : factorise(&m, err);
    if (rc)
        return rc;
    invert(&m);
    finish(&m, prompt_rows, quantile);
    return 0;
}
