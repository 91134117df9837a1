/* SPDX-License-Identifier: Apache-2.0 */
/* group_dispatch.h - parts of the group "dispatch". */
#ifndef TESTS_BENCH_GROUP_DISPATCH_H
#define TESTS_BENCH_GROUP_DISPATCH_H

#include "tests/bench/bench.h"
#include "tests/bench/dispatch_cluster.h"

/* A measured plan: jobs per second from the moment the coordinator's answer to the submission is
 * there to the last durable result (RATE), from the moment the submission is sent (WHOLE), of the
 * submission alone (SUBMIT); CPU time per job of the coordinator and of all workers together, from
 * the answer on; of the coordinator per submitted job. */
struct dispatched {
    double rate, whole, submit, coordinator_us, worker_us, submit_us;
};

/* Submit JOBS jobs of RUNS runs and wait until all are durable. *TOTAL: jobs that the store has. */
struct dispatched dispatch_plan(struct cluster *c, size_t jobs, size_t runs, uint64_t *total);
/* The same, until the figure means something: the first jobs of a cluster teach it. */
void dispatch_warm_up(struct cluster *c, uint64_t *total);

/* NAME.p50_ms and NAME.p99_ms of N measurements; reorders them. */
void dispatch_report_percentiles(struct bench *b, const char *name, double *seconds, size_t n,
                                 double p99_limit_ms);

void dispatch_bench_rates(struct bench *b);   /* beside the peers */
void dispatch_bench_curve(struct bench *b);   /* encrypted beside plaintext */
void dispatch_bench_latency(struct bench *b); /* of one job */
void dispatch_bench_scale(struct bench *b);   /* a million */
void dispatch_bench_crowd(struct bench *b);   /* a thousand workers */
void dispatch_bench_join(struct bench *b);    /* many that join at once, beside others */

#endif
