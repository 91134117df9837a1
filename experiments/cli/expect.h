/* SPDX-License-Identifier: Apache-2.0 */
/* expect.h - how long will it take? From past attempts, as an interval. Pure. */
#ifndef EXPERIMENTS_CLI_EXPECT_H
#define EXPERIMENTS_CLI_EXPECT_H

#include <stdbool.h>
#include <stddef.h>

/* What past attempts of a kind took per unit (example, or job). */
struct expect_past {
    size_t n;              /* attempts; 0: nothing is known */
    double mean_ms, sd_ms; /* sd_ms is NaN below two */
};

struct expect {
    bool known;          /* mean is valid */
    bool interval;       /* low and high are valid */
    double s, low, high; /* seconds of one slot's work; low..high holds it with about 90 % */
};

/* UNITS in JOBS of about the same size. Each job's time per unit is drawn as the past ones were, so
 * the sum has the error of JOBS draws and of the mean of the past: u s sqrt(1/jobs + 1/n) times
 * Student's t with n - 1 degrees. Nothing to do: 0, known. */
struct expect expect_work(const struct expect_past *past, double units, size_t jobs);

/* A and B after or beside each other: means add, errors add in squares. Unknown when one is. */
struct expect expect_add(struct expect a, struct expect b);

/* Wall seconds of WORK on SLOTS slots when a chain of needs takes CHAIN_S of its mean: never less
 * than either bound (work / slots, the chain), at most what list scheduling takes (chain + the rest
 * / slots). */
struct expect expect_wall(struct expect work, double chain_s, size_t slots);

/* "850 ms", "12.5 s", "4 min 10 s", "2 h 05 min", "3 d 4 h" in OUT, which is returned. */
enum { EXPECT_TEXT = 40 };
const char *expect_duration(double s, char out[EXPECT_TEXT]);
/* "347 B", "1.5 KiB", "2.0 GiB" likewise. */
const char *expect_size(double bytes, char out[EXPECT_TEXT]);

#endif
