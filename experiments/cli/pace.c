/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/cli/pace.h"

#include <math.h>

void pace_add(struct pace *p, uint64_t now_ms, double units, bool running)
{
    if (!p->started) {
        if (!running)
            return;
        *p = (struct pace){ .started = true,
                            .begin_ms = now_ms,
                            .bin_ms = now_ms,
                            .begin_units = units,
                            .bin_units = units,
                            .last_units = units };
        return;
    }
    p->last_units = units;
    if (now_ms - p->bin_ms < PACE_BIN_MS)
        return;
    /* A late call closes a longer bin: count it as that many with equal shares. */
    double n = (double)(now_ms - p->bin_ms) / PACE_BIN_MS;
    double each = (units - p->bin_units) / n;
    p->bins += n;
    p->sum += n * each;
    p->squares += n * each * each;
    p->bin_ms = now_ms;
    p->bin_units = units;
}

bool pace_left(const struct pace *p, double total, double *ret_low, double *ret_high)
{
    double seen = p->last_units - p->begin_units;

    if (!p->started || p->bins < 3 || seen < 0.02 * total || p->sum <= 0)
        return false;
    double mean = p->sum / p->bins;
    double variance = fmax(p->squares / p->bins - mean * mean, 0);
    double error = 2 * sqrt(variance / p->bins);
    double left = fmax(total - p->last_units, 0) * PACE_BIN_MS / 1000.0;
    *ret_low = left / (mean + error);
    /* A rate that may be zero says nothing about the far end: four times the middle. */
    *ret_high = left / fmax(mean - error, mean / 4);
    return true;
}
