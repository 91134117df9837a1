/* SPDX-License-Identifier: Apache-2.0 */
/* rng.c - Philox4x32-10 streams. Random123's headers convert signs freely: they come in as system
 * headers. */
#include "common/base/rng.h"

#include <Random123/philox.h>
#include <assert.h>
#include <string.h>

#include "common/base/digest.h"

static uint32_t load32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

struct rng rng_stream(const char *purpose, uint64_t seed, uint64_t item)
{
    struct rng r = { .left = 0 };
    struct digester d;
    struct digest name;

    digest_begin(&d);
    digest_add_text(&d, purpose);
    digest_add_u64(&d, seed);
    digest_add_u64(&d, item);
    name = digest_end(&d);
    r.key[0] = load32(name.b);
    r.key[1] = load32(name.b + 4);
    r.counter[2] = load32(name.b + 8);
    r.counter[3] = load32(name.b + 12);
    return r;
}

static void refill(struct rng *r)
{
    philox4x32_ctr_t in = { { r->counter[0], r->counter[1], r->counter[2], r->counter[3] } };
    philox4x32_key_t key = { { r->key[0], r->key[1] } };
    philox4x32_ctr_t out = philox4x32_R(10, in, key);

    memcpy(r->out, out.v, sizeof(r->out));
    r->left = 4;
    /* Only the lower half counts: 2^66 words before a stream would repeat. */
    if (++r->counter[0] == 0)
        r->counter[1]++;
}

uint32_t rng_u32(struct rng *r)
{
    if (r->left == 0)
        refill(r);
    return r->out[4 - r->left--];
}

uint64_t rng_u64(struct rng *r)
{
    uint64_t low = rng_u32(r);

    return low | (uint64_t)rng_u32(r) << 32;
}

uint32_t rng_below(struct rng *r, uint32_t n)
{
    uint64_t product;

    assert(n > 0);
    /* Lemire: the low half below (2^32 mod n) marks the draws that would make some values likelier.
     */
    product = (uint64_t)rng_u32(r) * n;
    if ((uint32_t)product < n) {
        uint32_t threshold = (uint32_t)-n % n;

        while ((uint32_t)product < threshold)
            product = (uint64_t)rng_u32(r) * n;
    }
    return (uint32_t)(product >> 32);
}

double rng_double(struct rng *r)
{
    return (double)(rng_u64(r) >> 11) * 0x1p-53;
}

float rng_float(struct rng *r)
{
    return (float)(rng_u32(r) >> 8) * 0x1p-24f;
}

double rng_normal(struct rng *r)
{
    uint64_t sum = 0;

    /* Twelve 32-bit words: the sum needs 36 bits, so every step is exact in double. */
    for (int i = 0; i < 12; i++)
        sum += rng_u32(r);
    return (double)sum * 0x1p-32 - 6.0;
}

void rng_shuffle(struct rng *r, void *base, size_t n, size_t size)
{
    char *p = base, tmp[64];

    assert(size <= sizeof(tmp) && n <= UINT32_MAX);
    for (size_t i = n; i > 1; i--) {
        size_t j = rng_below(r, (uint32_t)i);

        if (j == i - 1)
            continue;
        memcpy(tmp, p + j * size, size);
        memcpy(p + j * size, p + (i - 1) * size, size);
        memcpy(p + (i - 1) * size, tmp, size);
    }
}
