/* SPDX-License-Identifier: Apache-2.0 */
/* group_soak.c - hours of work in a small form: jobs come every second at a steady rate, then as
 * many as are taken, and the memory of the coordinator and of the workers must not grow. */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/macros.h"
#include "common/base/mem.h"
#include "tests/bench/dispatch_plan.h"
#include "tests/bench/group_dispatch.h"
#include "tests/bench/group_store.h"

enum {
    MINUTES = 60,
    FULL_MINUTES = 3,
    RATE = 3000,
    FULL_PLAN = 50000, /* jobs of a submission at full rate: two plans are queued */
    WINDOWS = 10,      /* of the last half, whose means are compared */
    TICK_US = 50000,
    WARM_PLANS = 4, /* before memory is watched: heaps take their shape */
    DRAIN_S = 600,
};

static const double SMALL = 20e6;

struct soak {
    struct cluster c;
    uint64_t submitted;
    double *coordinator, *workers; /* resident bytes, one for each second */
    size_t len, room;
};

static void submit(struct soak *s, size_t jobs)
{
    char name[64];
    struct plan_conf conf = { name, jobs, 1, 0 };
    struct planned *p;

    snprintf(name, sizeof name, "soak-%llu", (unsigned long long)s->submitted);
    p = planned_new(&conf);
    (void)planned_submit(p, &s->c);
    planned_free(p);
    s->submitted += jobs;
}

static void sample(struct soak *s)
{
    if (s->len == s->room) {
        s->room = s->room ? 2 * s->room : 1024;
        s->coordinator = mem_realloc(s->coordinator, s->room, sizeof *s->coordinator);
        s->workers = mem_realloc(s->workers, s->room, sizeof *s->workers);
    }
    s->coordinator[s->len] = (double)cluster_memory(&s->c).anonymous;
    s->workers[s->len++] = (double)cluster_workers_memory(&s->c).anonymous;
}

/* (largest - smallest) / mean of the WINDOWS means of the last half. A process of a few megabytes
 * may take another page: the mean counts as SMALL at least. */
static double spread(const double *v, size_t len)
{
    double low = INFINITY, high = 0, sum = 0;

    assert(len >= 2 * WINDOWS);
    for (size_t w = 0; w < WINDOWS; w++) {
        size_t half = len - len / 2, begin = half + (len - half) * w / WINDOWS,
               end = half + (len - half) * (w + 1) / WINDOWS;
        double mean = 0;

        for (size_t i = begin; i < end; i++)
            mean += v[i] / (double)(end - begin);
        low = MIN(low, mean);
        high = MAX(high, mean);
        sum += mean;
    }
    return (high - low) / MAX(sum / WINDOWS, SMALL);
}

static void report_one(struct bench *b, const char *phase, const char *what, const char *unit,
                       double value, enum better better, double limit)
{
    char name[64];

    snprintf(name, sizeof name, "soak.%s.%s", phase, what);
    bench_report(b, name, unit, bench_figure(&value, 1), better, limit);
}

static void report(struct bench *b, struct soak *s, const char *phase, double rate, double wanted)
{
    report_one(b, phase, "per_s", "jobs/s", rate, BETTER_HIGHER, wanted);
    report_one(b, phase, "coordinator_mb", "MB", s->coordinator[s->len - 1] / 1e6, BETTER_LOWER,
               NAN);
    report_one(b, phase, "workers_mb", "MB", s->workers[s->len - 1] / 1e6, BETTER_LOWER, NAN);
    report_one(b, phase, "coordinator_spread", "share", spread(s->coordinator, s->len),
               BETTER_LOWER, 0.05);
    report_one(b, phase, "workers_spread", "share", spread(s->workers, s->len), BETTER_LOWER, 0.05);
}

/* RATE 0: as many as are taken. */
static void run_phase(struct bench *b, struct soak *s, const char *phase, double seconds,
                      size_t rate)
{
    const uint64_t before = s->submitted;
    const double start = store_seconds();
    double end;

    s->len = 0;
    for (double now = start; now < start + seconds; now = store_seconds()) {
        if (rate > 0 && now - start >= (double)(s->submitted - before) / (double)rate)
            submit(s, rate);
        if (rate == 0 && cluster_ready_few(&s->c, FULL_PLAN))
            submit(s, FULL_PLAN);
        if (now - start >= (double)s->len)
            sample(s);
        (void)usleep(TICK_US);
    }
    end = cluster_wait_done(&s->c, s->submitted, DRAIN_S);
    report(b, s, phase, (double)(s->submitted - before) / (end - start),
           rate > 0 ? 0.95 * (double)rate : NAN);
}

void bench_soak(struct bench *b)
{
    const struct cluster_conf conf = { .workers = 2 };
    const double minutes = b->minutes > 0 ? b->minutes : b->quick ? 1 : MINUTES;
    struct soak s = { 0 };

    cluster_open(&s.c, &conf);
    for (size_t i = 0; i < WARM_PLANS; i++)
        submit(&s, FULL_PLAN);
    (void)cluster_wait_done(&s.c, s.submitted, DRAIN_S);
    run_phase(b, &s, "steady", minutes * 60, b->rate > 0 ? (size_t)b->rate : RATE);
    run_phase(b, &s, "full", MIN(minutes, b->quick ? 0.5 : FULL_MINUTES) * 60, 0);
    cluster_close(&s.c);
    free(s.coordinator);
    free(s.workers);
}
