/* SPDX-License-Identifier: Apache-2.0 */
/* clock.c - the two clocks. */
#include "common/base/clock.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <time.h>

uint64_t clock_ns(void)
{
    struct timespec t;
    int rc = clock_gettime(CLOCK_MONOTONIC, &t);

    assert(rc == 0);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t clock_ms(void)
{
    return clock_ns() / 1000000u;
}

int64_t clock_wall_us(void)
{
    struct timespec t;
    int rc = clock_gettime(CLOCK_REALTIME, &t);

    assert(rc == 0);
    return (int64_t)t.tv_sec * 1000000 + (int64_t)t.tv_nsec / 1000;
}

int64_t clock_wall_ms(void)
{
    return clock_wall_us() / 1000;
}

void clock_sleep_ms(uint64_t ms)
{
    struct timespec t = { .tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000 };

    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) == EINTR)
        continue;
}

/* PARTS make a second, PLACES digits each. */
static const char *iso(int64_t wall, int64_t parts, int places, char out[32])
{
    int64_t s = wall / parts, rest = wall % parts;
    time_t seconds;
    struct tm tm;
    size_t len;

    if (rest < 0) {
        rest += parts;
        s--;
    }
    seconds = (time_t)s;
    if (!gmtime_r(&seconds, &tm) || !(len = strftime(out, 24, "%Y-%m-%dT%H:%M:%S", &tm))) {
        (void)snprintf(out, 32, "-");
        return out;
    }
    (void)snprintf(out + len, 32 - len, ".%0*dZ", places, (int)rest);
    return out;
}

const char *clock_iso(int64_t wall_ms, char out[32])
{
    return iso(wall_ms, 1000, 3, out);
}

const char *clock_iso_us(int64_t wall_us, char out[32])
{
    return iso(wall_us, 1000000, 6, out);
}
