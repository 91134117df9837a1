/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/cli/expect.h"

#include <math.h>
#include <stdio.h>

#include "common/base/macros.h"
#include "common/stats/dist.h"

struct expect expect_work(const struct expect_past *past, double units, size_t jobs)
{
    if (jobs == 0 || units <= 0)
        return (struct expect){ .known = true, .interval = true };
    if (past->n == 0)
        return (struct expect){ .known = false };
    struct expect e = { .known = true, .s = units * past->mean_ms / 1000 };
    if (past->n < 2)
        return e;
    const double t = stats_t_quantile(0.95, (double)(past->n - 1));
    const double half =
        t * units * past->sd_ms / 1000 * sqrt(1.0 / (double)jobs + 1.0 / (double)past->n);
    e.interval = true;
    e.low = MAX(0, e.s - half);
    e.high = e.s + half;
    return e;
}

struct expect expect_add(struct expect a, struct expect b)
{
    struct expect e = { .known = a.known && b.known,
                        .interval = a.interval && b.interval,
                        .s = a.s + b.s };

    if (e.interval) {
        e.low = MAX(0, e.s - hypot(a.s - a.low, b.s - b.low));
        e.high = e.s + hypot(a.high - a.s, b.high - b.s);
    }
    return e;
}

struct expect expect_wall(struct expect work, double chain_s, size_t slots)
{
    const double n = (double)MAX(slots, 1);
    struct expect e = { .known = work.known, .interval = work.interval };

    if (!work.known)
        return e;
    e.s = MAX(work.s / n, chain_s);
    if (!work.interval)
        return e;
    const double shorter = work.s > 0 ? work.low / work.s : 1;
    const double longer = work.s > 0 ? work.high / work.s : 1;
    e.low = MAX(work.low / n, chain_s * shorter);
    e.high = chain_s * longer + MAX(0, work.high - chain_s * longer) / n;
    e.high = MAX(e.high, e.s);
    return e;
}

const char *expect_duration(double s, char out[EXPECT_TEXT])
{
    const double whole = floor(s + 0.5);

    if (s < 0.9995)
        snprintf(out, EXPECT_TEXT, "%.0f ms", s * 1000);
    else if (s < 59.95)
        snprintf(out, EXPECT_TEXT, "%.1f s", s);
    else if (whole < 3600)
        snprintf(out, EXPECT_TEXT, "%.0f min %02.0f s", floor(whole / 60), fmod(whole, 60));
    else if (whole < 86400)
        snprintf(out, EXPECT_TEXT, "%.0f h %02.0f min", floor(whole / 3600),
                 floor(fmod(whole, 3600) / 60));
    else
        snprintf(out, EXPECT_TEXT, "%.0f d %.0f h", floor(whole / 86400),
                 floor(fmod(whole, 86400) / 3600));
    return out;
}

const char *expect_size(double bytes, char out[EXPECT_TEXT])
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
    size_t i = 0;

    for (; bytes >= 1023.95 && i + 1 < ARRAY_LEN(units); i++)
        bytes /= 1024;
    snprintf(out, EXPECT_TEXT, i ? "%.1f %s" : "%.0f %s", bytes, units[i]);
    return out;
}
