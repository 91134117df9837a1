/* SPDX-License-Identifier: Apache-2.0 */
/* group_dispatch_scale.c - a million jobs: what a queue of them costs in memory, how long a killed
 * coordinator needs to give them out again at full rate, and whether a store of a million finished
 * jobs is slower than one of ten thousand. */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/macros.h"
#include "tests/bench/dispatch_plan.h"
#include "tests/bench/group_dispatch.h"
#include "tests/bench/group_store.h"

enum {
    PAIRS = 5,
    PAIRS_QUICK = 2,
    SMALL_DONE = 10000, /* jobs that the small store has finished */
    SAMPLE_US = 10000,  /* between looks at how far it is */
    SAMPLES_MAX = 6000, /* a minute */
    WINDOW_MS = 300,    /* over which a rate is taken */
    STEADY_S = 5,       /* of dispatch after the restart, for its steady rate */
    DRAIN_S = 3600,
};

struct progress {
    double at[SAMPLES_MAX], done[SAMPLES_MAX];
    size_t len;
};

/* Results after attempt BASE that are durable: attempts have dense numbers, given out in order, and
 * are stored with their results; some hundreds are under way. */
static double done_since(struct cluster *c, uint64_t base)
{
    char sql[128];
    uint64_t first, last;

    snprintf(sql, sizeof sql, "SELECT min(id) FROM attempt WHERE id > %llu",
             (unsigned long long)base);
    first = cluster_ask(c, sql);
    snprintf(sql, sizeof sql, "SELECT max(id) FROM attempt WHERE id > %llu",
             (unsigned long long)base);
    last = cluster_ask(c, sql);
    return first ? (double)(last - first + 1) : 0;
}

static uint64_t last_attempt(struct cluster *c)
{
    return cluster_ask(c, "SELECT max(id) FROM attempt");
}

/* Look until STEADY_S after the first result, or until all is done. */
static void watch(struct cluster *c, uint64_t base, struct progress *p)
{
    double first = 0;

    for (p->len = 0; p->len < SAMPLES_MAX; p->len++) {
        double now = store_seconds();

        p->at[p->len] = now;
        p->done[p->len] = done_since(c, base);
        if (p->done[p->len] > 0 && first <= 0)
            first = now;
        if (first > 0 && (now > first + STEADY_S || cluster_ready_few(c, 0)))
            break;
        (void)usleep(SAMPLE_US);
    }
}

/* Rate in the WINDOW_MS from sample I on; negative: there are not so many. */
static double rate_from(const struct progress *p, size_t i)
{
    for (size_t k = i + 1; k < p->len; k++)
        if (p->at[k] - p->at[i] >= WINDOW_MS * 1e-3)
            return (p->done[k] - p->done[i]) / (p->at[k] - p->at[i]);
    return -1;
}

/* Median rate while results came. */
static double steady_rate(const struct progress *p)
{
    static double rates[SAMPLES_MAX];
    size_t n = 0;

    assert(p->len > 0);
    for (size_t i = 0; i < p->len; i++)
        if (p->done[i] > 0 && rate_from(p, i) > 0)
            rates[n++] = rate_from(p, i);
    return n ? bench_figure(rates, n).median : NAN;
}

/* Seconds from START until the rate is at nine tenths of what it is later. */
static double time_to_steady(const struct progress *p, double start, double *ret_steady)
{
    *ret_steady = steady_rate(p);
    for (size_t i = 0; i < p->len; i++)
        if (p->done[i] > 0 && rate_from(p, i) >= 0.9 * *ret_steady)
            return p->at[i] - start;
    return NAN;
}

/* NAME, then "_" and SPAN ("1m"; "" when the figure is the full form's), then END. */
static void report_one(struct bench *b, const char *name, const char *span, const char *end,
                       const char *unit, double value, enum better better, double limit)
{
    char text[64];

    snprintf(text, sizeof text, "%s%s%s%s", name, *span ? "_" : "", span, end);
    bench_report(b, text, unit, bench_figure(&value, 1), better, limit);
}

static void measure_queue(struct bench *b, struct cluster *c, size_t jobs, const char *span)
{
    struct cluster_memory before = cluster_memory(c), after;
    double start = store_seconds(), seconds;

    plan_submit(c, "queue", jobs);
    seconds = store_seconds() - start;
    (void)sleep(1);
    after = cluster_memory(c);
    report_one(b, "dispatch.submit", span, "_per_s", "jobs/s", (double)jobs / seconds,
               BETTER_HIGHER, NAN);
    report_one(b, "dispatch.queue_bytes_per_job", b->quick ? span : "", "", "bytes",
               ((double)after.resident - (double)before.resident) / (double)jobs, BETTER_LOWER,
               NAN);
    report_one(b, "dispatch.queue", span, "_mb", "MB", (double)after.resident / 1e6, BETTER_LOWER,
               512);
    report_one(b, "dispatch.queue", span, "_peak_mb", "MB", (double)after.peak / 1e6, BETTER_LOWER,
               NAN);
}

/* With all of them unfinished: kill, start, wait until the workers are busy again. */
static void measure_restart(struct bench *b, struct cluster *c, const char *span)
{
    struct progress *p = calloc(1, sizeof *p);
    double start, steady, first = NAN;
    uint64_t base;

    for (size_t i = 0; i < c->conf.workers; i++)
        cluster_start_worker(c, i);
    while (last_attempt(c) == 0)
        (void)usleep(SAMPLE_US);
    (void)usleep(SAMPLE_US * 20); /* they have leases of the coordinator that dies */
    cluster_kill(c);
    base = last_attempt(c);
    start = store_seconds();
    cluster_start(c);
    watch(c, base, p);
    for (size_t i = p->len; i-- > 0;)
        if (p->done[i] > 0)
            first = p->at[i] - start;
    report_one(b, "dispatch.restart", span, "_s", "s", time_to_steady(p, start, &steady),
               BETTER_LOWER, 5);
    report_one(b, "dispatch.restart", span, "_first_s", "s", first, BETTER_LOWER, NAN);
    report_one(b, "dispatch.restart", span, "_per_s", "jobs/s", steady, BETTER_HIGHER, NAN);
    free(p);
}

/* In turns: a store with SMALL_DONE finished jobs, the large one. */
static void measure_flatness(struct bench *b, struct cluster *large, uint64_t total,
                             const char *span)
{
    const size_t n = b->quick ? PAIRS_QUICK : PAIRS, jobs = b->quick ? 5000 : 50000;
    double ratio[PAIRS], cpu[PAIRS];

    for (size_t i = 0; i < n; i++) {
        const struct cluster_conf conf = { .workers = 2, .curve = large->conf.curve };
        struct cluster small;
        struct dispatched s, l;
        uint64_t small_total = 0;

        cluster_open(&small, &conf);
        (void)dispatch_plan(&small, SMALL_DONE, 1, &small_total);
        s = dispatch_plan(&small, jobs, 1, &small_total);
        cluster_close(&small);
        l = dispatch_plan(large, jobs, 1, &total);
        ratio[i] = l.rate / s.rate;
        cpu[i] = s.coordinator_us / l.coordinator_us;
    }
    if (b->quick) {
        report_one(b, "dispatch.flatness", span, "", "ratio", bench_figure(ratio, n).median,
                   BETTER_HIGHER, 0.8);
        return;
    }
    bench_report(b, "dispatch.flatness", "ratio", bench_figure(ratio, n), BETTER_HIGHER, 0.8);
    bench_report(b, "dispatch.flatness.cpu", "ratio", bench_figure(cpu, n), BETTER_HIGHER, NAN);
}

void dispatch_bench_scale(struct bench *b)
{
    struct cluster_conf conf = { 0 };
    const size_t jobs = b->quick ? 50000 : 1000000;
    const char *span = b->quick ? "50k" : "1m";
    struct cluster c;
    double start, seconds;

    cluster_open(&c, &conf);
    measure_queue(b, &c, jobs, span);
    c.conf.workers = 2;
    start = store_seconds();
    measure_restart(b, &c, span);
    seconds = cluster_wait_done(&c, jobs, DRAIN_S) - start;
    report_one(b, "dispatch.drain", span, "_per_s", "jobs/s", (double)jobs / seconds, BETTER_HIGHER,
               NAN);
    measure_flatness(b, &c, jobs, span);
    cluster_close(&c);
}
