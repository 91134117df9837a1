/* SPDX-License-Identifier: Apache-2.0 */
/* rope.c - rotary tables without libm, so that they are the same on every machine.
 *
 * Everything is IEEE double arithmetic in a fixed order. Errors: the inverse frequency
 * theta^(-2i/e) is within 2^-47 relative (the exponent's product is below 28 and rounded once; ln
 * and exp are within 2 ulp); the angle is then within position * 2^-46 absolute, at most 2^-26 at
 * position 2^20; argument reduction is exact in its first two parts (33 + 20 bits) and the
 * polynomials end below 2^-60. So a table entry is within 2^-25 (rounding to float) + position *
 * 2^-46 of the true value; tests compare with libm. A scaling adds at most eight roundings to the
 * frequency, 2^-50 relative: the bound stays. Scalings that divide (linear, table, llama3 with a
 * factor above 1) only make angles smaller; one that enlarges them is refused by
 * rope_new. */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/base/mem.h"

#include "worker/model/model.h"

static const double LN2_HI = 0x1.62e42feep-1; /* 32 bits: times an exponent it is exact */
static const double LN2_LO = 0x1.a39ef35793c76p-33;

/* Natural logarithm of X, normal and positive: x = m * 2^k with m near 1, then 2
 * atanh((m-1)/(m+1)). */
static double ln(double x)
{
    uint64_t bits;
    double m, s, z, sum = 0.0;
    int64_t k;

    memcpy(&bits, &x, sizeof(bits));
    k = (int64_t)(bits >> 52) - 1023;
    bits = (bits & 0xfffffffffffffu) | (UINT64_C(1023) << 52);
    memcpy(&m, &bits, sizeof(m));
    if (m > 1.41421356237309505) {
        m *= 0.5;
        k++;
    }
    s = (m - 1.0) / (m + 1.0);
    z = s * s;
    for (int n = 25; n >= 3; n -= 2) /* |s| < 0.1716: the first term left out is below 2^-63 */
        sum = (sum + 1.0 / n) * z;
    return (double)k * LN2_HI + (2.0 * s + (2.0 * s * sum + (double)k * LN2_LO));
}

/* e^X for -700 < X <= 0: 2^n times the Taylor series on |r| <= ln2/2. */
static double exponential(double x)
{
    int64_t n = (int64_t)(x * 1.44269504088896341 - 0.5);
    double r = (x - (double)n * LN2_HI) - (double)n * LN2_LO, sum = 1.0, scale;
    uint64_t bits = (uint64_t)(n + 1023) << 52;

    for (int i = 16; i >= 1; i--)
        sum = 1.0 + sum * r / i;
    memcpy(&scale, &bits, sizeof(scale));
    return sum * scale;
}

/* Sine and cosine of 0 <= X <= 2^20. */
static void sine_cosine(double x, double *ret_sin, double *ret_cos)
{
    /* pi/2 in parts of 33, 31 and 52 bits; n has at most 20. */
    int64_t n = (int64_t)(x * 0.63661977236758134 + 0.5);
    double q = (double)n;
    double r = ((x - q * 0x1.921fb544p+0) - q * 0x42d18469p-64) - q * 0x1.13198a2e03707p-65;
    double z = r * r, s = 1.0, c = 1.0;

    for (int i = 18; i >= 2; i -= 2)
        s = 1.0 - s * z / (double)(i * (i + 1));
    for (int i = 17; i >= 1; i -= 2)
        c = 1.0 - c * z / (double)(i * (i + 1));
    s *= r;
    *ret_sin = (n & 1) ? c : s;
    *ret_cos = (n & 1) ? s : c;
    if (n & 2)
        *ret_sin = -*ret_sin;
    if ((n + 1) & 2)
        *ret_cos = -*ret_cos;
}

/* The frequency of pair I after scaling, radians per position. */
static double frequency_of(const struct model_conf *c, double log_theta, size_t i)
{
    const struct rope_scaling *s = &c->rope_scaling;
    double f = exponential(-log_theta * (double)(2 * i) / (double)c->head_dim);
    double factor = (double)s->factor, low = (double)s->low_freq, high = (double)s->high_freq;
    double turns, mix;

    switch (s->kind) {
    case ROPE_PLAIN:
        return f;
    case ROPE_LINEAR:
        return f / factor;
    case ROPE_TABLE:
        return f / (double)s->table[i];
    case ROPE_LLAMA3:
        turns = (double)s->original * f / 6.283185307179586477; /* original / wavelength */
        if (turns < low)
            return f / factor;
        if (turns > high)
            return f;
        mix = (turns - low) / (high - low);
        return f * ((1.0 - mix) / factor + mix);
    }
    abort();
}

/* Rows [from, to) of tables that begin at COS and SIN, FREQUENCY having half a head. */
static void fill(float *cos, float *sin, const double *frequency, size_t half, size_t from,
                 size_t to)
{
    for (size_t p = from; p < to; p++) {
        for (size_t i = 0; i < half; i++) {
            double s, k;

            sine_cosine((double)p * frequency[i], &s, &k);
            cos[p * half + i] = (float)k;
            sin[p * half + i] = (float)s;
        }
    }
}

/* False when a scaling makes an angle larger than the argument reduction takes, or none at all. */
static bool frequencies(double *out, const struct model_conf *c)
{
    double log_theta = ln((double)c->rope_theta);

    assert(c->positions <= MODEL_POSITIONS_MAX && c->head_dim <= MODEL_HEAD_DIM_MAX);
    for (size_t i = 0; i < c->head_dim / 2; i++) {
        out[i] = frequency_of(c, log_theta, i);
        if (!(out[i] >= 0.0 && out[i] <= 1.0))
            return false;
    }
    return true;
}

void rope_tables(float *cos, float *sin, const struct model_conf *c, size_t from, size_t to)
{
    double frequency[MODEL_HEAD_DIM_MAX / 2];

    assert(frequencies(frequency, c));
    fill(cos, sin, frequency, c->head_dim / 2, from, to);
}

/* Address space for all positions, of which the system gives memory as it is written. */
struct rope {
    float *cos, *sin;
    size_t half, positions, bytes; /* bytes: of both tables */
    double frequency[MODEL_HEAD_DIM_MAX / 2];
    pthread_mutex_t mutex;
    atomic_size_t filled; /* positions */
};

enum { ROPE_STEP = 1024 }; /* positions filled at least: some 2 ms for heads of 64 */

int rope_new(struct rope **ret, const struct model_conf *c, struct err *err)
{
    struct rope *r = mem_calloc(1, sizeof(*r));
    size_t floats = c->positions * (c->head_dim / 2);
    void *all;

    if (!frequencies(r->frequency, c)) {
        free(r);
        return err_set(err, ERR_INVALID,
                       "rope scaling: a factor below 1 (or none that is a number) would make "
                       "angles larger than 1 per position");
    }
    r->half = c->head_dim / 2;
    r->positions = c->positions;
    r->bytes = 2 * floats * sizeof(float);
    (void)pthread_mutex_init(&r->mutex, NULL); /* cannot fail here */
    all = mmap(NULL, r->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
               -1, 0);
    if (all == MAP_FAILED) {
        free(r);
        return err_set(err, ERR_NOMEM, "%zu bytes for %zu positions", 2 * floats * sizeof(float),
                       c->positions);
    }
    r->cos = all;
    r->sin = r->cos + floats;
    *ret = r;
    return 0;
}

void rope_free(struct rope *r)
{
    if (!r)
        return;
    (void)!munmap(r->cos, r->bytes); /* cannot fail for a mapping of ours */
    pthread_mutex_destroy(&r->mutex);
    free(r);
}

struct rope_view rope_need(struct rope *r, size_t positions)
{
    struct rope_view view = { r->cos, r->sin };
    size_t filled;

    assert(positions <= r->positions);
    if (atomic_load_explicit(&r->filled, memory_order_acquire) >= positions)
        return view;
    pthread_mutex_lock(&r->mutex);
    filled = atomic_load(&r->filled);
    if (filled < positions) {
        positions = MIN(MAX(positions, filled + ROPE_STEP), r->positions);
        fill(r->cos, r->sin, r->frequency, r->half, filled, positions);
        atomic_store_explicit(&r->filled, positions, memory_order_release);
    }
    pthread_mutex_unlock(&r->mutex);
    return view;
}
