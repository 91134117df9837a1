/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/top/amount.h"

#include <stdio.h>

#include "common/base/macros.h"

enum { PLAIN_MAX = 99999 };

/* Three digits and a letter. */
static const char *shorten(amount out, double n)
{
    static const char letters[] = "kMGTPE";
    size_t i = 0;

    for (n /= 1000; n >= 999.5 && i + 2 < sizeof(letters); i++)
        n /= 1000;
    (void)snprintf(out, sizeof(amount), "%.*f%c",
                   n < 9.995   ? 2
                   : n < 99.95 ? 1
                               : 0,
                   MIN(n, 9999), letters[i]);
    return out;
}

const char *amount_count(amount out, double n)
{
    if (n > PLAIN_MAX)
        return shorten(out, n);
    (void)snprintf(out, sizeof(amount), "%.0f", n);
    return out;
}

const char *amount_rate(amount out, double n)
{
    if (n > PLAIN_MAX)
        return shorten(out, n);
    (void)snprintf(out, sizeof(amount), "%.*f", n < 99.95 ? 1 : 0, n);
    return out;
}

const char *amount_bytes(amount out, double n)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
    size_t i = 0;

    for (; n >= 1023.5 && i + 1 < ARRAY_LEN(units); i++)
        n /= 1024;
    (void)snprintf(out, sizeof(amount), "%.*f %s", i > 0 && n < 99.95 ? 1 : 0, MIN(n, 99999),
                   units[i]);
    return out;
}

const char *amount_age(amount out, uint64_t ms)
{
    const unsigned long long s = ms / 1000;

    if (ms < 10000)
        (void)snprintf(out, sizeof(amount), "%.1fs", (double)(ms / 100) / 10);
    else if (s < 60)
        (void)snprintf(out, sizeof(amount), "%llus", s);
    else if (s < 3600)
        (void)snprintf(out, sizeof(amount), "%llum", s / 60);
    else if (s < 86400)
        (void)snprintf(out, sizeof(amount), "%lluh", s / 3600);
    else
        (void)snprintf(out, sizeof(amount), "%llud", MIN(s / 86400, 99999));
    return out;
}

const char *amount_clock(amount out, double seconds)
{
    const long s = (long)(MIN(seconds, 8e9) + 0.5);

    if (s < 3600)
        (void)snprintf(out, sizeof(amount), "%ld:%02ld", s / 60, s % 60);
    else if (s < 86400)
        (void)snprintf(out, sizeof(amount), "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        (void)snprintf(out, sizeof(amount), "%ldd %02ld:%02ld:%02ld", s / 86400, s / 3600 % 24,
                       s / 60 % 60, s % 60);
    return out;
}
