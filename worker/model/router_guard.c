/* SPDX-License-Identifier: Apache-2.0 */
/* router_guard.c - which prompts are like those that a success router was trained on. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/model/router.h"

size_t router_guard_width(const struct router_conf *c)
{
    return MIN(router_inputs(c), (size_t)ROUTER_GUARD_MAX);
}

int router_guard_new(struct router *r, struct err *err)
{
    size_t width = router_guard_width(&r->conf);

    assert(r->conf.kind == ROUTER_SUCCESS && r->guard.width == 0);
    r->guard.mean = mem_try_aligned(width, sizeof(float));
    r->guard.factor = mem_try_aligned(width * width, sizeof(float));
    if (!r->guard.mean || !r->guard.factor)
        return err_set(err, ERR_NOMEM, "no memory for a router's guard of %zu inputs", width);
    memset(r->guard.mean, 0, width * sizeof(float));
    memset(r->guard.factor, 0, width * width * sizeof(float));
    r->guard.width = width;
    return 0;
}

void router_guard_features(const struct router_conf *c, const float *x, size_t count, double *out)
{
    size_t inputs = router_inputs(c), width = router_guard_width(c);

    for (size_t k = 0; k < width; k++) {
        const float *column = x + k * inputs / width;
        double sum = 0.0;

        for (size_t i = 0; i < count; i++)
            sum += (double)column[i * inputs];
        out[k] = sum / (double)count;
    }
}

double router_guard_distance(const struct router *r, const float *x, size_t count, double *work)
{
    const struct router_guard *g = &r->guard;
    double distance = 0.0;

    router_guard_features(&r->conf, x, count, work);
    for (size_t k = 0; k < g->width; k++)
        work[k] -= (double)g->mean[k];
    for (size_t i = 0; i < g->width; i++) {
        const float *row = g->factor + i * g->width;
        double sum = 0.0;

        for (size_t k = 0; k <= i; k++)
            sum += (double)row[k] * work[k];
        distance += sum * sum;
    }
    return distance;
}

bool router_guard_passes(const struct router *r, const float *x, size_t count, size_t rows,
                         double *work)
{
    const struct router_guard *g = &r->guard;

    if (g->width == 0)
        return true;
    return rows >= g->rows_min && rows <= g->rows_max &&
           router_guard_distance(r, x, count, work) <= g->limit;
}
