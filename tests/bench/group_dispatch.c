/* SPDX-License-Identifier: Apache-2.0 */
/* group_dispatch.c - no-op jobs through a coordinator and two workers. */
#include "tests/bench/group_dispatch.h"

#include <stdio.h>

#include "tests/bench/dispatch_plan.h"
#include "tests/bench/group_store.h"

enum { WARM_JOBS = 2000, WAIT_S = 600 };

struct dispatched dispatch_plan(struct cluster *c, size_t jobs, size_t runs, uint64_t *total)
{
    char name[64];
    struct plan_conf conf = { name, jobs, runs, 0 };
    struct planned *p;
    struct dispatched d;
    struct submitted at;
    double before, cpu, workers, end;

    snprintf(name, sizeof name, "dispatch-%llu", (unsigned long long)*total);
    p = planned_new(&conf);
    before = cluster_cpu(c);
    at = planned_submit(p, c);
    cpu = cluster_cpu(c);
    d.submit_us = (cpu - before) * 1e6 / (double)jobs;
    workers = cluster_workers_cpu(c);
    *total += jobs;
    end = cluster_wait_done(c, *total, WAIT_S);
    d.rate = (double)jobs / (end - at.answered);
    d.whole = (double)jobs / (end - at.sent);
    d.submit = (double)jobs / (at.answered - at.sent);
    d.coordinator_us = (cluster_cpu(c) - cpu) * 1e6 / (double)jobs;
    d.worker_us = (cluster_workers_cpu(c) - workers) * 1e6 / (double)jobs;
    planned_free(p);
    return d;
}

void dispatch_warm_up(struct cluster *c, uint64_t *total)
{
    (void)dispatch_plan(c, WARM_JOBS, 1, total);
}

/* Parts that can be asked for with --only. */
void bench_dispatch(struct bench *b)
{
    if (bench_wants(b, "dispatch.rates") || bench_wants(b, "dispatch.vs"))
        dispatch_bench_rates(b);
    if (bench_wants(b, "dispatch.curve_share"))
        dispatch_bench_curve(b);
    if (bench_wants(b, "dispatch.submit"))
        dispatch_bench_latency(b);
    if (bench_wants(b, "dispatch.workers_1000"))
        dispatch_bench_crowd(b);
    if (bench_wants(b, "dispatch.join"))
        dispatch_bench_join(b);
    if (bench_wants(b, "dispatch.scale"))
        dispatch_bench_scale(b);
}
