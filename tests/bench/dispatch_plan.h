/* SPDX-License-Identifier: Apache-2.0 */
/* dispatch_plan.h - submissions of many no-op jobs, as `drover run` makes them. */
#ifndef TESTS_BENCH_DISPATCH_PLAN_H
#define TESTS_BENCH_DISPATCH_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "common/wire/wire.h"
#include "tests/bench/dispatch_cluster.h"

struct plan_conf {
    const char *name; /* of the experiment; jobs of other names are others */
    size_t jobs;      /* at most WIRE_JOBS_MAX */
    size_t runs;      /* that claim them, job i by run i % runs; 1..jobs */
    uint32_t sleep_ms;
};

/* An encoded plan is made once and sent when the clock runs. */
struct planned;
struct planned *planned_new(const struct plan_conf *conf);
void planned_free(struct planned *p);
/* Only workers that have LABEL may run its jobs. */
void planned_require(struct planned *p, const char *label);
Drover__Submit *planned_message(struct planned *p);
/* Send it over a new connection: when it was sent and when the answer was there, which is when its
 * rows are durable; in store_seconds(). */
struct submitted {
    double sent, answered;
} planned_submit(struct planned *p, const struct cluster *c);

/* Submit JOBS jobs in as few plans as can be, named NAME-1, NAME-2.. */
void plan_submit(struct cluster *c, const char *name, size_t jobs);

#endif
