/* SPDX-License-Identifier: Apache-2.0 */
/* dispatch_others.h - people who are at work already: a client that submits one job after another
 * at a steady pace, and a worker that was there before. Both are in this process, each with a
 * connection of its own. */
#ifndef TESTS_BENCH_DISPATCH_OTHERS_H
#define TESTS_BENCH_DISPATCH_OTHERS_H

#include "tests/bench/dispatch_cluster.h"

enum { OTHERS_PACE_US = 5000 };

struct others;
/* Returns when both are connected. */
struct others *others_open(const struct cluster *c);
void others_close(struct others *o);

/* Seconds from the moment when each job was due: until its lease is at the worker; until the
 * acknowledgement is back, which says that the result is durable. None waits for the one before,
 * nor for a slot. */
struct others_times {
    double *start, *durable;
    size_t len, cap;
};
/* Until OVER(ARG), looked at after each job, is true, but at least MIN_S and until TIMES is full.
 */
void others_run(struct others *o, double min_s, bool (*over)(void *arg), void *arg,
                struct others_times *times);

#endif
