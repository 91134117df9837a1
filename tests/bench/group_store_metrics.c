/* SPDX-License-Identifier: Apache-2.0 */
/* group_store_metrics.c - random doubles as metrics, durable, through store_metrics(): eight
 * training jobs, each call a report of 8 names x 256 steps, 64 reports to a commit. */
#include <math.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "tests/bench/embedded.h"
#include "tests/bench/group_store.h"

enum { NAMES = 8, STEPS = 256, JOBS = 8, REPORTS = 64, POINTS = NAMES * STEPS };

static const char *const names[NAMES] = { "loss", "lr",      "reward", "length",
                                          "kl",   "entropy", "grad",   "accuracy" };

static uint64_t state = 88172645463325252u;

static double draw(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (double)(state >> 11) * 0x1p-53;
}

/* One transaction; points per second. */
static double report(struct rows *r, struct store_metric *m, uint64_t round)
{
    double start, seconds = 0.0;
    struct err err = { 0 };

    start = store_seconds();
    bench_must(store_begin(r->s, &err), &err, "begin");
    seconds += store_seconds() - start;
    for (size_t k = 0; k < REPORTS; k++) {
        uint64_t first = (round * REPORTS + k) / JOBS * STEPS;

        for (size_t i = 0; i < POINTS; i++)
            m[i] = (struct store_metric){ names[i % NAMES], first + i / NAMES, draw() };
        start = store_seconds();
        bench_must(store_metrics(r->s, r->attempt[k % JOBS], m, POINTS, &err), &err, "metrics");
        seconds += store_seconds() - start;
    }
    start = store_seconds();
    bench_must(store_commit(r->s, &err), &err, "commit");
    return REPORTS * POINTS / (seconds + store_seconds() - start);
}

void store_bench_metrics(struct bench *b)
{
    size_t rounds = b->quick ? 8 : 763; /* 10^8 points */
    double *rate = mem_calloc(rounds, sizeof *rate), flat, head[8], tail[8];
    struct store_metric *m = mem_calloc(POINTS, sizeof *m);
    struct rows *r = mem_calloc(1, sizeof *r);

    rows_open(r, 1);
    for (size_t i = 0; i < rounds; i++)
        rate[i] = report(r, m, i);
    for (size_t i = 0; i < 8; i++) {
        head[i] = rate[i];
        tail[i] = rate[rounds - 8 + i];
    }
    flat = bench_figure(tail, 8).median / bench_figure(head, 8).median;
    bench_report(b, "store.metrics.points_per_s", "points/s", bench_figure(rate, rounds),
                 BETTER_HIGHER, 1e6);
    if (!b->quick)
        bench_report(b, "store.metrics.flatness", "ratio", bench_figure(&flat, 1), BETTER_HIGHER,
                     NAN);
    rows_close(r);
    free(r);
    free(m);
    free(rate);
}
