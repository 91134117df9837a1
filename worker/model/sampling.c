/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/model/sampling.h"

#include <math.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/base/rng.h"

int sampling_check(const struct sampling *s, struct err *err)
{
    if (!(s->temperature >= 0.0 && s->temperature <= 1000.0))
        return err_set(err, ERR_INVALID, "temperature is %g; it must be from 0 to 1000",
                       s->temperature);
    if (s->temperature > 0.0 && !(s->top_p > 0.0 && s->top_p <= 1.0))
        return err_set(err, ERR_INVALID, "top_p is %g; it must be above 0 and at most 1", s->top_p);
    return 0;
}

void sampler_release(struct sampler *p)
{
    free(p->weight);
    free(p->heap);
    free(p->kept);
    *p = (struct sampler){ 0 };
}

static void fit(struct sampler *p, size_t v)
{
    if (v <= p->room)
        return;
    sampler_release(p);
    p->weight = mem_aligned(v, sizeof(*p->weight));
    p->heap = mem_calloc(v, sizeof(*p->heap));
    p->kept = mem_calloc(v, sizeof(*p->kept));
    p->room = v;
}

/* The order of drawing: by logit, equal ones by id. Logits and not weights decide, because far ones
 * all weigh 0. */
static bool before(const float *logits, uint32_t a, uint32_t b)
{
    if (logits[a] == logits[b])
        return a < b;
    return logits[a] > logits[b];
}

static void sift(uint32_t *heap, size_t len, size_t i, const float *logits)
{
    uint32_t moved = heap[i];

    for (size_t child; (child = 2 * i + 1) < len; i = child) {
        if (child + 1 < len && before(logits, heap[child + 1], heap[child]))
            child++;
        if (!before(logits, heap[child], moved))
            break;
        heap[i] = heap[child];
    }
    heap[i] = moved;
}

/* Keep the K first of the V ids, fewer when their weights reach LIMIT. */
static void keep_first(struct sampler *p, const float *logits, size_t v, size_t k, double limit)
{
    for (size_t i = 0; i < v; i++)
        p->heap[i] = (uint32_t)i;
    for (size_t i = v / 2; i-- > 0;)
        sift(p->heap, v, i, logits);
    while (p->kept_len < k && (!p->kept_len || p->mass < limit)) {
        uint32_t id = p->heap[0];

        p->kept[p->kept_len++] = id;
        p->mass += (double)p->weight[id];
        p->heap[0] = p->heap[--v];
        sift(p->heap, v, 0, logits);
    }
}

/* Cut what is kept after the fewest whose weights reach SHARE of it. */
static void cut_mass(struct sampler *p, double share)
{
    double limit = share * p->mass, sum = 0.0;
    size_t n = 0;

    while (n < p->kept_len && (!n || sum < limit))
        sum += (double)p->weight[p->kept[n++]];
    p->kept_len = n;
    p->mass = sum;
}

void sampler_keep(struct sampler *p, const struct kernels *kern, const struct sampling *s,
                  const float *logits, size_t v)
{
    float top, scale = (float)(1.0 / s->temperature);
    double all = 0.0;

    fit(p, v);
    top = logits[kern->argmax(logits, v)];
    for (size_t i = 0; i < v; i++)
        p->weight[i] = (logits[i] - top) * scale;
    kern->exp(p->weight, p->weight, v);
    p->kept_len = 0;
    p->mass = 0.0;
    if (s->top_k && s->top_k < v) {
        keep_first(p, logits, v, s->top_k, INFINITY);
        if (s->top_p < 1.0)
            cut_mass(p, s->top_p);
        return;
    }
    for (size_t i = 0; i < v; i++)
        all += (double)p->weight[i];
    if (s->top_p < 1.0) {
        keep_first(p, logits, v, v, s->top_p * all);
        return;
    }
    for (size_t i = 0; i < v; i++)
        p->kept[i] = (uint32_t)i;
    p->kept_len = v;
    p->mass = all;
}

static bool all_finite(const float *x, size_t n)
{
    unsigned bad = 0;

    for (size_t i = 0; i < n; i++)
        bad |= !(x[i] - x[i] == 0.0f);
    return !bad;
}

/* A number in [0, 1) that belongs to the token at POSITION, whatever was drawn before. */
static double uniform(const struct sampling *s, size_t position)
{
    struct rng r = rng_stream("sample", s->seed, s->stream);

    r.counter[0] = (uint32_t)position;
    return rng_double(&r);
}

int sampler_draw(struct sampler *p, const struct kernels *kern, const struct sampling *s,
                 const float *logits, size_t v, size_t position, uint32_t *ret, struct err *err)
{
    double left;
    size_t i = 0;

    if (!all_finite(logits, v))
        return err_set(err, ERR_DIVERGED,
                       "token %zu: the model's logits are not finite; are its files whole? (drover "
                       "model verify)",
                       position);
    if (s->temperature <= 0.0) {
        *ret = (uint32_t)kern->argmax(logits, v);
        return 0;
    }
    sampler_keep(p, kern, s, logits, v);
    left = uniform(s, position) * p->mass;
    while (i + 1 < p->kept_len && left >= (double)p->weight[p->kept[i]])
        left -= (double)p->weight[p->kept[i++]];
    *ret = p->kept[i];
    return 0;
}
