/* SPDX-License-Identifier: Apache-2.0 */
/* router_decide.c - from outputs to routings: the knob, the limits, the cheapest path. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/model/router_private.h"

bool router_asks(const struct router *r, size_t layer)
{
    if (layer >= r->conf.layers)
        return false;
    if (r->conf.input == ROUTER_EMBEDDING)
        return layer == 0;
    return r->conf.kind == ROUTER_LABELS || layer == r->conf.decide_layer;
}

/* Ties: execute, then skip, then repeat. */
static enum routing largest(const double *p)
{
    enum routing best = ROUTING_EXECUTE;

    if (p[ROUTING_SKIP] > p[best])
        best = ROUTING_SKIP;
    if (p[ROUTING_REPEAT] > p[best])
        best = ROUTING_REPEAT;
    return best;
}

enum routing router_mix(const float *logit, double p, const struct kernels *kern)
{
    float e[3], top = MAX(MAX(logit[0], logit[1]), logit[2]);
    double own = 1.0, mixed[3];
    enum routing sure = ROUTING_EXECUTE;

    if (p > 0.5)
        return (p - 0.5) / 0.5 > 0.5 ? ROUTING_REPEAT : ROUTING_EXECUTE;
    if (p > -0.5) {
        own = 0.5 - p;
    } else {
        own = (p + 1.0) / 0.5;
        sure = ROUTING_SKIP;
    }
    for (size_t i = 0; i < 3; i++)
        e[i] = logit[i] - top;
    kern->exp(e, e, 3);
    double sum = (double)e[0] + (double)e[1] + (double)e[2];
    for (size_t i = 0; i < 3; i++)
        mixed[i] = own * ((double)e[i] / sum) + (i == (size_t)sure ? 1.0 - own : 0.0);
    return largest(mixed);
}

enum routing router_allow(const uint8_t *routing, size_t layer, size_t layers, enum routing want)
{
    size_t skips = 0, applications = 0;

    if (want != ROUTING_SKIP)
        return want;
    while (skips < layer && routing[layer - 1 - skips] == ROUTING_SKIP)
        skips++;
    for (size_t l = 0; l < layer; l++)
        applications += routing[l];
    if (skips >= ROUTER_SKIPS_MAX || (layer + 1 == layers && applications == 0))
        return ROUTING_EXECUTE;
    return want;
}

/* ---- the success router --------------------------------------------------------------------- */

static void measure_path(const struct router *r, size_t p, size_t *ret_length, size_t *ret_changes)
{
    const uint8_t *path = r->path + p * r->conf.layers;

    *ret_length = *ret_changes = 0;
    for (size_t l = 0; l < r->conf.layers; l++) {
        *ret_length += path[l];
        *ret_changes += path[l] != ROUTING_EXECUTE;
    }
}

/* Does path A come before B? Both are probable enough. */
static bool before(const struct router *r, const float *probability, size_t a, size_t b)
{
    size_t length[2], changes[2];

    measure_path(r, a, &length[0], &changes[0]);
    measure_path(r, b, &length[1], &changes[1]);
    if (length[0] != length[1])
        return length[0] < length[1];
    if (probability[a] > probability[b] || probability[a] < probability[b])
        return probability[a] > probability[b];
    if (changes[0] != changes[1])
        return changes[0] < changes[1];
    return memcmp(r->path + a * r->conf.layers, r->path + b * r->conf.layers, r->conf.layers) < 0;
}

size_t router_cheapest(const struct router *r, const float *probability, double epsilon,
                       enum router_reference reference)
{
    float from = probability[0];
    size_t best = SIZE_MAX;
    /* Below 0 the default path is no candidate. */
    size_t first = reference == ROUTER_FROM_DEFAULT && epsilon < 0 ? 1 : 0;

    assert(r->conf.kind == ROUTER_SUCCESS && (reference == ROUTER_FROM_DEFAULT || epsilon >= 0));
    for (size_t p = 1; p < r->conf.paths && reference == ROUTER_FROM_BEST; p++)
        from = MAX(from, probability[p]);
    for (size_t p = first; p < r->conf.paths; p++)
        if ((double)probability[p] >= (double)from - epsilon &&
            (best == SIZE_MAX || before(r, probability, p, best)))
            best = p;
    return best == SIZE_MAX ? 0 : best;
}

static double worth(const struct router *r, const float *probability, size_t p, double price)
{
    size_t length, changes;

    measure_path(r, p, &length, &changes);
    return (double)probability[p] - price * (double)length;
}

size_t router_worthiest(const struct router *r, const float *probability, double price)
{
    size_t best = 0;

    assert(r->conf.kind == ROUTER_SUCCESS);
    for (size_t p = 1; p < r->conf.paths; p++) {
        double a = worth(r, probability, p, price), b = worth(r, probability, best, price);

        if (a > b || (!(a < b) && before(r, probability, p, best)))
            best = p;
    }
    return best;
}

/* ---- prompts -------------------------------------------------------------------------------- */

struct batch {
    const struct router *r;
    size_t layer, n, rows;
    struct router_prompt *p;
    float *x, *out; /* features; outputs of one network */
    size_t *count;
};

static int gather(struct batch *b, struct err *err)
{
    const struct router_conf *c = &b->r->conf;

    b->count = mem_calloc(b->n, sizeof(*b->count));
    for (size_t i = 0; i < b->n; i++)
        b->rows += b->count[i] = router_feature_rows(c, b->p[i].rows);
    b->x = mem_try_aligned(b->rows * router_inputs(c), sizeof(float));
    b->out = mem_try_aligned(b->n * router_outputs(c), sizeof(float));
    if (!b->x || !b->out)
        return err_set(err, ERR_NOMEM, "no memory for a router's %zu feature rows", b->rows);
    float *x = b->x;
    for (size_t i = 0; i < b->n; i++) {
        router_features(c, b->r->kern, b->p[i].state, b->p[i].rows, b->p[i].ld, x);
        x += b->count[i] * router_inputs(c);
    }
    return 0;
}

/* Outputs of network HEAD, all finite. */
static int outputs(struct batch *b, size_t head, struct router_work *work, struct err *err)
{
    size_t len = b->n * router_outputs(&b->r->conf);
    int rc = router_forward(b->r, head, b->x, b->count, b->n, b->out, work, err);

    for (size_t i = 0; rc == 0 && i < len; i++)
        if (!isfinite(b->out[i]))
            rc = err_set(err, ERR_DIVERGED,
                         "the router's outputs for layer %zu are not finite: states of the model "
                         "or weights of the router are broken",
                         b->layer);
    return rc;
}

static int decide_layer(struct batch *b, size_t layer, const struct router_options *o,
                        struct router_work *work, struct err *err)
{
    int rc = outputs(b, layer, work, err);

    for (size_t i = 0; rc == 0 && i < b->n; i++) {
        uint8_t *routing = b->p[i].routing;
        enum routing want = router_mix(b->out + 3 * i, o->knob, b->r->kern);

        routing[layer] = (uint8_t)router_allow(routing, layer, b->r->conf.layers, want);
    }
    return rc;
}

/* The mean chance of each path over the members, into SUM (n, paths). */
static int average(struct batch *b, float *sum, struct router_work *work, struct err *err)
{
    const struct kernels *kern = b->r->kern;
    size_t len = b->n * b->r->conf.paths, members = b->r->conf.members;
    const float scale = 1.0f / (float)members;

    for (size_t m = 0; m < members; m++) {
        int rc = outputs(b, m, work, err);

        if (rc)
            return rc;
        kern->sigmoid(b->out, b->out, len);
        kern->scale_add(sum, b->out, scale, len);
    }
    return 0;
}

static int decide_path(struct batch *b, const struct router_options *o, struct router_work *work,
                       struct err *err)
{
    const struct router *r = b->r;
    size_t paths = r->conf.paths, layers = r->conf.layers;
    float *chance CLEANUP(mem_cleanup) = mem_calloc(b->n * paths, sizeof(*chance));
    double *guard CLEANUP(mem_cleanup) = mem_calloc(r->guard.width + 1, sizeof(*guard));
    const float *x = b->x;
    int rc = average(b, chance, work, err);

    for (size_t i = 0; rc == 0 && i < b->n; x += b->count[i++] * router_inputs(&r->conf)) {
        const float *own = chance + i * paths;
        size_t p = 0;

        if (!o->guard || router_guard_passes(r, x, b->count[i], b->p[i].rows, guard))
            p = o->price > 0 ? router_worthiest(r, own, o->price)
                             : router_cheapest(r, own, o->epsilon, o->reference);
        memcpy(b->p[i].routing + b->layer, r->path + p * layers + b->layer, layers - b->layer);
    }
    return rc;
}

int router_decide(const struct router *r, size_t layer, const struct router_options *o,
                  struct router_prompt *p, size_t n, struct router_work *work, struct err *err)
{
    struct batch b = { .r = r, .layer = layer, .n = n, .p = p };
    bool all = r->conf.input == ROUTER_EMBEDDING;
    int rc;

    assert(router_asks(r, layer));
    if (n == 0)
        return 0;
    rc = gather(&b, err);
    if (rc == 0 && r->conf.kind == ROUTER_SUCCESS)
        rc = decide_path(&b, o, work, err);
    else
        for (size_t l = layer; rc == 0 && l < (all ? r->conf.layers : layer + 1); l++)
            rc = decide_layer(&b, l, o, work, err);
    free(b.x);
    free(b.out);
    free(b.count);
    return rc;
}
