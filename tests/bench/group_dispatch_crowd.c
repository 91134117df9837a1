/* SPDX-License-Identifier: Apache-2.0 */
/* group_dispatch_crowd.c - a thousand connected workers. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "tests/bench/dispatch_crowd.h"
#include "tests/bench/dispatch_plan.h"
#include "tests/bench/group_dispatch.h"
#include "tests/bench/group_store.h"

enum { CROWD = 1000, CROWD_QUICK = 100, JOBS_EACH = 20, WAIT_S = 120, SLICE_MS = 20 };

void dispatch_bench_crowd(struct bench *b)
{
    const struct cluster_conf conf = { .curve = true };
    const size_t n = b->quick ? CROWD_QUICK : CROWD;
    double *first = mem_calloc(n, sizeof *first), opened = store_seconds(), served, joined;
    struct plan_conf plan = { "crowd", n * JOBS_EACH, 1, 0 };
    struct planned *p = planned_new(&plan);
    struct submitted at;
    struct cluster cluster;
    struct crowd *c;
    char name[64];

    cluster_open(&cluster, &conf);
    opened = store_seconds();
    c = crowd_open(&cluster, n);
    while (crowd_welcomed(c) < n && store_seconds() < opened + WAIT_S)
        crowd_serve(c, SLICE_MS);
    joined = store_seconds() - opened;
    crowd_expect(c);
    at = planned_submit(p, &cluster);
    while (crowd_served(c) < n && store_seconds() < at.sent + WAIT_S)
        crowd_serve(c, SLICE_MS);
    served = (double)crowd_served(c);
    for (size_t i = 0; i < n; i++)
        first[i] = crowd_first(c, i) > 0 ? crowd_first(c, i) - at.answered : WAIT_S;
    planned_free(p);
    crowd_close(c);
    cluster_close(&cluster);
    snprintf(name, sizeof name, "dispatch.workers_%zu", n);
    bench_report(b, name, "served", bench_figure(&served, 1), BETTER_HIGHER, (double)n);
    snprintf(name, sizeof name, "dispatch.workers_%zu.join_s", n);
    bench_report(b, name, "s", bench_figure(&joined, 1), BETTER_LOWER, NAN);
    snprintf(name, sizeof name, "dispatch.workers_%zu.first_lease", n);
    dispatch_report_percentiles(b, name, first, n, NAN);
    free(first);
}
