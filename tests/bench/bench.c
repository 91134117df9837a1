/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/bench.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/macros.h"

enum {
    MEASURE_NS = 20 * 1000 * 1000, /* long against the clock's step and an interrupt */
    MEASURE_QUICK_NS = 4 * 1000 * 1000,
    PAIRS = 15,
    PAIRS_QUICK = 5,
};

/* Time of this thread on the CPU, which leaves out what other processes take; or wall time. */
static uint64_t now_ns(const struct subject *s)
{
    struct timespec t;
    clock_gettime(s->wall ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct figure bench_figure(double *value, size_t n)
{
    assert(n >= 1);
    qsort(value, n, sizeof(*value), compare);
    const double median = n % 2 ? value[n / 2] : (value[n / 2 - 1] + value[n / 2]) / 2;
    return (struct figure){ .median = median, .min = value[0], .max = value[n - 1], .n = n };
}

struct figure bench_scale(struct figure f, double factor)
{
    return (struct figure){
        .median = f.median * factor, .min = f.min * factor, .max = f.max * factor, .n = f.n
    };
}

/* Calls that fill a measurement; the first call warms up. */
static size_t calibrate(const struct bench *b, const struct subject *s)
{
    const uint64_t want = b->quick ? MEASURE_QUICK_NS : MEASURE_NS;
    s->fn(s->arg);
    for (size_t calls = 1;; calls *= 2) {
        const uint64_t start = now_ns(s);
        for (size_t i = 0; i < calls; i++)
            s->fn(s->arg);
        const uint64_t ns = now_ns(s) - start;
        if (ns >= want / 4)
            return MAX((size_t)((double)calls * (double)want / (double)ns), (size_t)1);
    }
}

static double measure(const struct subject *s, size_t calls)
{
    const uint64_t start = now_ns(s);
    for (size_t i = 0; i < calls; i++)
        s->fn(s->arg);
    return s->work * (double)calls * 1e9 / (double)(now_ns(s) - start);
}

struct figure bench_rate(const struct bench *b, const struct subject *s)
{
    double rate[PAIRS];
    const size_t n = b->quick ? PAIRS_QUICK : PAIRS, calls = calibrate(b, s);
    for (size_t i = 0; i < n; i++)
        rate[i] = measure(s, calls);
    return bench_figure(rate, n);
}

struct figure bench_ratio(const struct bench *b, const struct subject *a, const struct subject *of,
                          struct figure *rate_a, struct figure *rate_of)
{
    double ra[PAIRS], rb[PAIRS], ratio[PAIRS];
    const size_t n = b->quick ? PAIRS_QUICK : PAIRS;
    const size_t calls_a = calibrate(b, a), calls_b = calibrate(b, of);
    for (size_t i = 0; i < n; i++) {
        ra[i] = measure(a, calls_a);
        rb[i] = measure(of, calls_b);
        ratio[i] = ra[i] / rb[i];
    }
    if (rate_a != NULL)
        *rate_a = bench_figure(ra, n);
    if (rate_of != NULL)
        *rate_of = bench_figure(rb, n);
    return bench_figure(ratio, n);
}

bool bench_wants(const struct bench *b, const char *name)
{
    return b->only == NULL || strstr(name, b->only) != NULL;
}

static const char *verdict(struct bench *b, double value, enum better better, double limit)
{
    if (b->quick || isnan(limit))
        return "";
    if (better == BETTER_HIGHER ? value >= limit : value <= limit)
        return "  ok";
    b->missed++;
    return "  MISS";
}

void bench_report(struct bench *b, const char *name, const char *unit, struct figure f,
                  enum better better, double limit)
{
    const char *word = better == BETTER_HIGHER ? "higher" : "lower";
    const char *judged = verdict(b, f.median, better, limit);
    if (b->json) {
        printf("{\"name\":\"%s\",\"value\":%.6g,\"unit\":\"%s\",\"min\":%.6g,\"max\":%.6g,\"n\":%"
               "zu,\"better\":\"%s\",",
               name, f.median, unit, f.min, f.max, f.n, word);
        if (isnan(limit))
            printf("\"limit\":null}\n");
        else
            printf("\"limit\":%.6g}\n", limit);
    } else {
        printf("%-44s %10.4g %-10s (%.4g - %.4g, n %zu)", name, f.median, unit, f.min, f.max, f.n);
        if (!isnan(limit))
            printf("  at %s %.4g%s", better == BETTER_HIGHER ? "least" : "most", limit, judged);
        printf("\n");
    }
    fflush(stdout);
}

void bench_note(const struct bench *b, const char *text)
{
    if (!b->json)
        printf("# %s\n", text);
}
