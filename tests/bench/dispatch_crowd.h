/* SPDX-License-Identifier: Apache-2.0 */
/* dispatch_crowd.h - a thousand workers in one process: each has a connection and an identity of
 * its own and speaks the protocol as drover-worker does; a job takes no time. */
#ifndef TESTS_BENCH_DISPATCH_CROWD_H
#define TESTS_BENCH_DISPATCH_CROWD_H

#include "tests/bench/dispatch_cluster.h"

struct crowd;
/* COUNT workers that begin to connect. */
struct crowd *crowd_open(const struct cluster *c, size_t count);
void crowd_close(struct crowd *c);
/* Serve events for at most MS. */
void crowd_serve(struct crowd *c, uint64_t ms);
size_t crowd_welcomed(const struct crowd *c); /* how many have their Welcome */
size_t crowd_served(const struct crowd *c);   /* how many had a lease since crowd_expect */
void crowd_expect(struct crowd *c);
/* When worker I had its first lease since then, in store_seconds(); 0: none yet. */
double crowd_first(const struct crowd *c, size_t i);

#endif
