/* SPDX-License-Identifier: Apache-2.0 */
/* Routing configurations as a set: how many there are, and one at random. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/search/routing.h"

/* A run of one or two skipped layers is one edit, a repeated layer is one: so many routings of
 * the layers so far by edits used (0..DEPTH) and by how many of the last layers are skipped. */
struct ways {
    uint64_t n[3];
};

static uint64_t bounded_sum(uint64_t a, uint64_t b)
{
    uint64_t sum = a + b; /* both at most UINT32_MAX */

    return MIN(sum, (uint64_t)UINT32_MAX);
}

/* One layer more. */
static void add_layer(struct ways *w, size_t depth, enum routing_edits edits)
{
    for (size_t d = depth + 1; d-- > 0;) {
        const struct ways now = w[d], fewer = d > 0 ? w[d - 1] : (struct ways){ { 0 } };
        uint64_t any = bounded_sum(bounded_sum(now.n[0], now.n[1]), now.n[2]);
        uint64_t any_fewer = bounded_sum(bounded_sum(fewer.n[0], fewer.n[1]), fewer.n[2]);

        w[d].n[0] = edits != EDITS_SKIP ? bounded_sum(any, any_fewer) : any;
        w[d].n[1] = edits != EDITS_REPEAT ? fewer.n[0] : 0;
        w[d].n[2] = now.n[1];
    }
}

uint64_t routing_count(size_t layers, enum routing_edits edits, size_t depth)
{
    struct ways *w CLEANUP(mem_cleanup) = NULL;
    uint64_t sum = 0;

    assert(layers > 0);
    depth = MIN(depth, layers);
    w = mem_calloc(depth + 1, sizeof(*w));
    w[0].n[0] = 1;
    for (size_t i = 0; i < layers; i++)
        add_layer(w, depth, edits);
    for (size_t d = 0; d <= depth; d++)
        for (size_t k = 0; k < 3; k++)
            sum = bounded_sum(sum, w[d].n[k]);
    /* Nothing but skips is in there when the model is that short. */
    return sum - (layers <= 2 && depth >= 1 && edits != EDITS_REPEAT);
}

size_t routing_skips_max(size_t layers)
{
    /* N executed layers have N + 1 places around them for two skipped ones each: the least N with
     * L - N <= 2 (N + 1). */
    size_t executed = MAX(layers / 3, (size_t)1);

    return layers - executed;
}

/* With E executed layers there are E + 1 gaps of 0, 1 or 2 skipped ones. FILL[g][s]: ways to fill
 * the last G gaps with S; at most 3^257 < 1e123, and sums of doubles are the same everywhere. */
static double *fill_table(size_t gaps, size_t skips)
{
    size_t width = skips + 1;
    double *fill = mem_calloc((gaps + 1) * width, sizeof(*fill));

    fill[0] = 1;
    for (size_t g = 1; g <= gaps; g++)
        for (size_t s = 0; s < width; s++)
            for (size_t k = 0; k <= MIN(s, (size_t)ROUTING_SKIPS_IN_A_ROW_MAX); k++)
                fill[g * width + s] += fill[(g - 1) * width + s - k];
    return fill;
}

/* How many of LEFT skipped layers come into the first of GAPS gaps. */
static size_t draw_gap(struct rng *rng, const double *fill, size_t width, size_t gaps, size_t left)
{
    double at = rng_double(rng) * fill[gaps * width + left];
    size_t k = 0, last = 0;

    for (; k <= MIN(left, (size_t)ROUTING_SKIPS_IN_A_ROW_MAX); k++) {
        double share = fill[(gaps - 1) * width + left - k];
        if (share > 0)
            last = k;
        if (at < share)
            return k;
        at -= share;
    }
    return last; /* rounding */
}

int routing_random(struct rng *rng, size_t layers, size_t skips, size_t repeats, uint8_t *out,
                   struct err *err)
{
    double *fill CLEANUP(mem_cleanup) = NULL;
    size_t i = 0, left = skips;

    assert(layers > 0 && layers <= 512);
    if (skips > routing_skips_max(layers))
        return err_set(err, ERR_INVALID,
                       "no path of %zu layers skips %zu: at most %zu can be skipped, %d in a row",
                       layers, skips, routing_skips_max(layers), ROUTING_SKIPS_IN_A_ROW_MAX);
    if (repeats > layers - skips)
        return err_set(err, ERR_INVALID,
                       "no path of %zu layers skips %zu and repeats %zu: at most %zu are left to "
                       "repeat",
                       layers, skips, repeats, layers - skips);
    fill = fill_table(layers - skips + 1, skips);
    for (size_t gaps = layers - skips + 1; gaps > 0; gaps--) {
        size_t k = draw_gap(rng, fill, skips + 1, gaps, left);

        memset(out + i, 0, k);
        left -= k;
        i += k;
        if (gaps > 1)
            out[i++] = 1;
    }
    assert(i == layers && left == 0);
    /* The next executed layer is one of the repeated with probability (still to repeat) / (still
     * executed): all choices alike (Knuth's algorithm S). */
    for (size_t k = 0, rest = layers - skips; k < layers; k++)
        if (out[k] == 1 && rng_below(rng, (uint32_t)rest--) < repeats) {
            out[k] = 2;
            repeats--;
        }
    return 0;
}
