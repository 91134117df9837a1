/* SPDX-License-Identifier: Apache-2.0 */
#include "common/stats/pace.h"

#include <math.h>

void pace_add(struct pace *p, uint64_t now_ms, double units, bool running)
{
    if (!p->started) {
        if (running)
            *p = (struct pace){ .started = true,
                                .begin_ms = now_ms,
                                .bin_ms = now_ms,
                                .last_ms = now_ms,
                                .begin_units = units,
                                .bin_units = units,
                                .last_units = units };
        return;
    }
    p->last_units = units;
    p->last_ms = now_ms;
    if (now_ms - p->bin_ms < PACE_BIN_MS || units <= p->bin_units)
        return;
    double seconds = (double)(now_ms - p->bin_ms) / 1000;
    double rate = (units - p->bin_units) / seconds;
    p->bins++;
    p->seconds += seconds;
    p->sum += rate * seconds;
    p->squares += rate * rate * seconds;
    p->bin_ms = now_ms;
    p->bin_units = units;
}

bool pace_left(const struct pace *p, double total, double *ret_low, double *ret_high)
{
    double seen = p->last_units - p->begin_units;

    if (!p->started || p->bins < PACE_BINS_MIN || seen < 0.02 * total)
        return false;
    /* With the open bin: a stall makes the rate fall at once. */
    double mean = seen * 1000 / (double)(p->last_ms - p->begin_ms);
    double middle = p->sum / p->seconds;
    double variance = fmax(p->squares / p->seconds - middle * middle, 0);
    double error = 2 * sqrt(variance / p->bins);
    double left = fmax(total - p->last_units, 0);
    *ret_low = left / (mean + error);
    /* A rate that may be zero says nothing about the far end: four times the middle. */
    *ret_high = left / fmax(mean - error, mean / 4);
    return true;
}
