/* SPDX-License-Identifier: Apache-2.0 */
/* pace.h - how long a step will still take, as an interval, from what it did while we watched.
 * Pure. */
#ifndef COMMON_STATS_PACE_H
#define COMMON_STATS_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* Progress is cut into bins that end where it moved, each at least PACE_BIN_MS long; the spread of
 * their rates gives the error of the mean. Start it with { 0 }. */
enum { PACE_BIN_MS = 1000, PACE_BINS_MIN = 3 };
struct pace {
    bool started;
    uint64_t begin_ms, bin_ms,
        last_ms; /* the first unit of time, the open bin's begin, the last call */
    double begin_units, bin_units, last_units;
    double bins, seconds, sum,
        squares; /* of closed bins: number, time, rate * time, rate^2 * time */
};

/* UNITS are done at NOW_MS; calls in order of time. The clock starts at the first call that sees
 * work go on (RUNNING). */
void pace_add(struct pace *p, uint64_t now_ms, double units, bool running);
/* Seconds left for TOTAL units: from *RET_LOW to *RET_HIGH (about 95 %). False while less than 2 %
 * of TOTAL or fewer than PACE_BINS_MIN bins were seen: then it would be a guess. */
bool pace_left(const struct pace *p, double total, double *ret_low, double *ret_high);

#endif
