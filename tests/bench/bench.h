/* SPDX-License-Identifier: Apache-2.0 */
/* bench.h - the harness of drover-bench: timing, ratios of interleaved pairs, and one line per
 * figure.
 *
 * A figure is the median of n measurements with their minimum and maximum. The machine is noisy, so
 * what is compared is measured in turns, A B A B.., and a ratio is the median of the pairs' ratios.
 * Time is the calling thread's on the CPU, unless several threads are measured. */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bench {
    bool json;
    bool quick; /* --short: few and short measurements, no verdicts */
    const char
        *record; /* --record: folder of a model, for traces of its searches, instead of figures */
    const char *only;     /* --only: measure what has this in its name, where that is possible */
    double minutes, rate; /* --minutes, --rate: of the soak; 0: its own */
    size_t missed;
};

struct figure {
    double median, min, max;
    size_t n;
};

enum better { BETTER_HIGHER, BETTER_LOWER };

/* Work that is timed: one call of FN, which does WORK units. */
struct subject {
    void (*fn)(void *arg);
    void *arg;
    double work;
    bool wall; /* FN uses several threads: wall time, not the thread's */
};

/* Units per second, from calls filling at least 20 ms (quick: 4 ms) per measurement. */
struct figure bench_rate(const struct bench *b, const struct subject *s);
/* Rate of A over rate of B, in at least 15 (quick: 5) interleaved pairs. RATE_A, RATE_B: their
 * rates, or NULL. */
struct figure bench_ratio(const struct bench *b, const struct subject *a, const struct subject *of,
                          struct figure *rate_a, struct figure *rate_of);
/* Of N >= 1 values; reorders them. */
struct figure bench_figure(double *value, size_t n);
/* Every number of F times FACTOR > 0. */
struct figure bench_scale(struct figure f, double factor);

/* Print one line. LIMIT: what the median must reach, NAN for none. */
void bench_report(struct bench *b, const char *name, const char *unit, struct figure f,
                  enum better better, double limit);
/* A line for people only: why figures are absent. */
void bench_note(const struct bench *b, const char *text);

/* Is NAME to be measured? */
bool bench_wants(const struct bench *b, const char *name);

/* The groups; each prints its figures. */
void bench_kernels(struct bench *b);
void bench_engine(struct bench *b);
void bench_engine_torch(struct bench *b);  /* part of engine */
void bench_engine_decode(struct bench *b); /* part of engine */
void bench_search(struct bench *b);
void bench_search_traces(struct bench *b); /* part of search */
void bench_search_router(struct bench *b); /* part of search */
void bench_train(struct bench *b);
void bench_train_torch(struct bench *b); /* part of train */
void bench_train_large(struct bench *b); /* part of train */
void bench_store(struct bench *b);
void bench_dispatch(struct bench *b);
void bench_web(struct bench *b);
void bench_soak(struct bench *b); /* only when it is asked for */

#endif
