/* SPDX-License-Identifier: Apache-2.0 */
/* rng.h - random streams by name: Philox4x32-10 (Salmon et al., SC'11; Random123), counter-based.
 *
 * A stream is a pure function of (purpose, seed, item): purpose is a short fixed word ("weights",
 * "search", "order"), item an example id or step number. Draw n of a stream never depends on other
 * streams, threads or shards. No libm: the bits are the same on every CPU. */
#ifndef COMMON_BASE_RNG_H
#define COMMON_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

struct rng {
    uint32_t key[2];
    uint32_t counter[4];
    uint32_t out[4];
    unsigned left; /* words of out not handed out */
};

/* The key is the first 8 bytes and the counter's upper half the next 8 of BLAKE2b(purpose, seed,
 * item). */
struct rng rng_stream(const char *purpose, uint64_t seed, uint64_t item);

uint32_t rng_u32(struct rng *r);
uint64_t rng_u64(struct rng *r);
/* Uniform in 0..N-1, without bias; N > 0 (asserted). */
uint32_t rng_below(struct rng *r, uint32_t n);
/* Uniform in [0, 1), multiples of 2^-53 / 2^-24. */
double rng_double(struct rng *r);
float rng_float(struct rng *r);
/* Mean 0, variance 1: twelve uniforms minus six (Irwin-Hall), so |x| < 6; exact in double. */
double rng_normal(struct rng *r);
/* Fisher-Yates over N elements of SIZE bytes (SIZE <= 64). */
void rng_shuffle(struct rng *r, void *base, size_t n, size_t size);

#endif
