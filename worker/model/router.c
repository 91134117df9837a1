/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/model/router.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/model/router_private.h"

enum { LAYERS_MAX = 256 }; /* as config.json of a model allows */

static int check_range(const char *field, size_t value, size_t min, size_t max, struct err *err)
{
    if (value >= min && value <= max)
        return 0;
    return err_set(err, ERR_INVALID, "router: \"%s\" is %zu; it must be %zu to %zu", field, value,
                   min, max);
}

int router_conf_check(const struct router_conf *c, struct err *err)
{
    bool success = c->kind == ROUTER_SUCCESS;
    int rc = check_range("layers", c->layers, 1, LAYERS_MAX, err);

    rc = rc ? rc : check_range("dim", c->dim, 1, 1 << 20, err);
    rc = rc ? rc
            : check_range("windows", c->windows, 1,
                          c->features == ROUTER_LAST ? 1 : ROUTER_WINDOWS_MAX, err);
    rc = rc ? rc : check_range("bottleneck", c->bottleneck, 1, ROUTER_WIDTH_MAX, err);
    rc = rc ? rc : check_range("depth", c->depth, 1, ROUTER_DEPTH_MAX, err);
    if (rc || !success)
        return rc;
    rc = check_range("paths", c->paths, 2, ROUTER_PATHS_MAX, err);
    rc = rc ? rc : check_range("members", c->members, 1, ROUTER_MEMBERS_MAX, err);
    return rc ? rc : check_range("decide_layer", c->decide_layer, 0, c->layers - 1, err);
}

size_t router_heads(const struct router_conf *c)
{
    return c->kind == ROUTER_SUCCESS ? c->members : c->layers;
}

size_t router_inputs(const struct router_conf *c)
{
    switch (c->features) {
    case ROUTER_JOINED:
    case ROUTER_TAIL:
        return c->windows * c->dim;
    case ROUTER_BOTH:
        return (c->windows + 1) * c->dim;
    case ROUTER_WINDOWS:
    case ROUTER_LAST:
        break;
    }
    return c->dim;
}

size_t router_outputs(const struct router_conf *c)
{
    return c->kind == ROUTER_SUCCESS ? c->paths : 3;
}

size_t router_in(const struct router_conf *c, size_t i)
{
    return i == 0 ? router_inputs(c) : c->bottleneck;
}

size_t router_out(const struct router_conf *c, size_t i)
{
    return i + 1 == c->depth ? router_outputs(c) : c->bottleneck;
}

/* ---- making -------------------------------------------------------------------------------- */

/* The first of the paths, what they have in common, and the limits of each. */
static int check_path(const struct router_conf *c, const uint8_t *path, size_t p, struct err *err)
{
    const uint8_t *own = path + p * c->layers;
    size_t sum = 0, skips = 0;

    for (size_t l = 0; l < c->layers; l++) {
        if (own[l] > ROUTING_REPEAT || ((p == 0 || l < c->decide_layer) && own[l] != 1))
            return err_set(err, ERR_INVALID, "router: path %zu, layer %zu: %u; %s", p, l, own[l],
                           p == 0 ? "path 0 executes every layer once"
                           : own[l] > ROUTING_REPEAT
                               ? "0, 1 or 2 is needed"
                               : "layers below decide_layer are executed once");
        sum += own[l];
        skips = own[l] == ROUTING_SKIP ? skips + 1 : 0;
        if (skips > ROUTER_SKIPS_MAX)
            return err_set(err, ERR_INVALID,
                           "router: path %zu skips %zu layers in a row; at most %d are", p, skips,
                           ROUTER_SKIPS_MAX);
    }
    for (size_t q = 0; q < p; q++)
        if (memcmp(own, path + q * c->layers, c->layers) == 0)
            return err_set(err, ERR_INVALID, "router: path %zu is path %zu again", p, q);
    return sum > 0 ? 0 : err_set(err, ERR_INVALID, "router: path %zu skips every layer", p);
}

static int alloc_head(const struct router_conf *c, struct router_head *h, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < c->depth; i++) {
        rc = packed_alloc(&h->w[i], WEIGHT_F32, router_in(c, i), router_out(c, i), err);
        if (rc)
            break;
        memset(h->w[i].panel, 0, packed_bytes(&h->w[i]));
        h->bias[i] = mem_try_aligned(router_out(c, i), sizeof(float));
        if (!h->bias[i])
            rc = err_set(err, ERR_NOMEM, "no memory for a router");
    }
    return rc;
}

int router_new(struct router **ret, const struct router_conf *c, const uint8_t *path,
               const struct kernels *kern, struct err *err)
{
    int rc = router_conf_check(c, err);
    struct router *r;

    *ret = NULL;
    for (size_t p = 0; rc == 0 && c->kind == ROUTER_SUCCESS && p < c->paths; p++)
        rc = check_path(c, path, p, err);
    if (rc)
        return rc;
    r = mem_calloc(1, sizeof(*r));
    r->conf = *c;
    r->kern = kern ? kern : kernels_best();
    r->head = mem_calloc(router_heads(c), sizeof(*r->head));
    if (c->kind == ROUTER_SUCCESS)
        r->path = mem_dup(path, c->paths * c->layers);
    for (size_t h = 0; rc == 0 && h < router_heads(c); h++)
        rc = alloc_head(c, &r->head[h], err);
    if (rc) {
        router_free(r);
        return rc;
    }
    *ret = r;
    return 0;
}

void router_free(struct router *r)
{
    if (!r)
        return;
    for (size_t h = 0; h < router_heads(&r->conf); h++)
        for (size_t i = 0; i < r->conf.depth; i++) {
            packed_release(&r->head[h].w[i]);
            free(r->head[h].bias[i]);
        }
    free(r->head);
    free(r->path);
    free(r->guard.mean);
    free(r->guard.factor);
    free(r);
}

/* ---- features ------------------------------------------------------------------------------ */

size_t router_feature_rows(const struct router_conf *c, size_t rows)
{
    assert(rows > 0);
    return c->features == ROUTER_WINDOWS ? MIN(c->windows, rows) : 1;
}

/* OUT (width) = the mean of N rows of X. */
static void mean_of_rows(const struct kernels *kern, float *out, const float *x, size_t ld,
                         size_t n, size_t width)
{
    const float scale = 1.0f / (float)n;

    memcpy(out, x, width * sizeof(float));
    for (size_t i = 1; i < n; i++)
        kern->add(out, x + i * ld, width);
    for (size_t k = 0; k < width; k++)
        out[k] *= scale;
}

void router_features(const struct router_conf *c, const struct kernels *kern, const float *state,
                     size_t rows, size_t ld, float *out)
{
    bool single = c->features == ROUTER_LAST || c->features == ROUTER_TAIL;
    size_t parts = c->features == ROUTER_WINDOWS ? MIN(c->windows, rows) : c->windows;
    size_t size = single ? 1 : MAX(rows / parts, 1);

    for (size_t w = 0; w < parts; w++, out += c->dim) {
        size_t first = w * size, behind = parts - w; /* behind: counted from the end */

        if (single)
            first = rows > behind ? rows - behind : 0;
        else if (rows < parts)
            first = w * rows / parts;
        mean_of_rows(kern, out, state + first * ld, ld, size, c->dim);
    }
    if (c->features == ROUTER_BOTH)
        memcpy(out, state + (rows - 1) * ld, c->dim * sizeof(float));
}

/* ---- the networks -------------------------------------------------------------------------- */

void router_work_release(struct router_work *w)
{
    free(w->mem);
    *w = (struct router_work){ 0 };
}

static int work_fit(struct router_work *w, size_t floats, struct err *err)
{
    if (floats <= w->room)
        return 0;
    router_work_release(w);
    w->mem = mem_try_aligned(floats, sizeof(float));
    if (!w->mem)
        return err_set(err, ERR_NOMEM, "%zu bytes for a router's decisions",
                       floats * sizeof(float));
    w->room = floats;
    return 0;
}

void router_means(const struct kernels *kern, float *out, const float *x, const size_t *count,
                  size_t n, size_t width)
{
    for (size_t e = 0; e < n; x += count[e++] * width)
        mean_of_rows(kern, out + e * width, x, width, count[e], width);
}

void router_linear(const struct router *r, size_t head, size_t i, float *y, const float *x,
                   size_t rows)
{
    const struct router_head *h = &r->head[head];
    size_t out = router_out(&r->conf, i);

    r->kern->gemm(y, out, x, router_in(&r->conf, i), &h->w[i], rows, 0, out);
    r->kern->add_bias(y, h->bias[i], rows, out);
}

int router_forward(const struct router *r, size_t head, const float *x, const size_t *count,
                   size_t n, float *out, struct router_work *work, struct err *err)
{
    const struct router_conf *c = &r->conf;
    size_t rows = 0, last = c->depth - 1, width = router_in(c, last), wide, mean;
    float *a, *b, *m;
    int rc;

    for (size_t e = 0; e < n; e++)
        rows += count[e];
    wide = (rows * c->bottleneck + 15) / 16 * 16;
    mean = (n * width + 15) / 16 * 16;
    rc = work_fit(work, 2 * wide + mean, err);
    if (rc || n == 0)
        return rc;
    a = work->mem, b = a + wide, m = b + wide;
    for (size_t i = 0; i < last; i++) {
        router_linear(r, head, i, a, x, rows);
        r->kern->gelu(b, a, rows * c->bottleneck);
        x = b;
    }
    router_means(r->kern, m, x, count, n, width);
    router_linear(r, head, last, out, m, n);
    return 0;
}
