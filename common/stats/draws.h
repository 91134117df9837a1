/* SPDX-License-Identifier: Apache-2.0 */
/* draws.h - what the resampling methods of this folder share. */
#ifndef COMMON_STATS_DRAWS_H
#define COMMON_STATS_DRAWS_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/rng.h"

/* Up to so many distinct values, resampling n of them draws one count per value instead of n
 * values: outcomes 0 and 1, differences of means over a few seeds. */
enum { DRAWS_DISTINCT_MAX = 32 };

/* The stream of PURPOSE for the values X[0 .. N - 1] in this order. */
struct rng draws_stream(const char *purpose, const double *x, size_t n);

/* Successes of N at probability P (0..1): Hoermann's transformed rejection (BTRS, 1993) where
 * n min(p, 1 - p) >= 10, else inversion. Exact up to rounding, its cost does not grow with n. */
uint64_t draws_binomial(struct rng *r, uint64_t n, double p);

/* OUT[0 .. LEN - 1]: means of N values drawn from the N of SORTED, with replacement. */
void draws_means(const double *sorted, size_t n, struct rng *r, double *out, size_t len);

/* Distinct values of SORTED with their counts; returns how many, DRAWS_DISTINCT_MAX + 1 when there
 * are more. */
size_t draws_distinct(const double *sorted, size_t n, double value[DRAWS_DISTINCT_MAX],
                      uint64_t count[DRAWS_DISTINCT_MAX]);

/* The probabilities of at most 0, 1, ... N hits of N where HITS of N is the truth: one random
 * number and a bisection per draw. */
struct draws_table {
    double *cumulative;
    uint64_t n;
};
struct draws_table draws_table_of(uint64_t hits, uint64_t n);
uint64_t draws_table_draw(const struct draws_table *b, struct rng *r);
void draws_table_release(struct draws_table *b);

#endif
