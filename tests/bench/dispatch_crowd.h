/* SPDX-License-Identifier: Apache-2.0 */
/* dispatch_crowd.h - a thousand workers in one process: each has a connection and an identity of
 * its own and speaks the protocol as drover-worker does. */
#ifndef TESTS_BENCH_DISPATCH_CROWD_H
#define TESTS_BENCH_DISPATCH_CROWD_H

#include "tests/bench/dispatch_cluster.h"

struct crowd_conf {
    size_t count;
    const char *name;  /* the beginning of their names and identities */
    const char *label; /* that they have; NULL: none */
    unsigned job_ms;   /* so long takes a job; 0: no time, and more of them wait at the worker */
};

struct crowd;
/* Workers of which none has begun to connect. */
struct crowd *crowd_prepare(const struct cluster *c, const struct crowd_conf *conf);
bool crowd_join(struct crowd *c); /* the next one begins; false: all have */
/* COUNT workers, without labels, whose jobs take no time, that begin to connect. */
struct crowd *crowd_open(const struct cluster *c, size_t count);
void crowd_goodbye(struct crowd *c); /* all say goodbye */
void crowd_close(struct crowd *c);
/* Serve events for at most MS. */
void crowd_serve(struct crowd *c, uint64_t ms);
size_t crowd_welcomed(const struct crowd *c); /* how many have their Welcome */
size_t crowd_served(const struct crowd *c);   /* how many had a lease since crowd_expect */
void crowd_expect(struct crowd *c);
/* When worker I had its first lease since then, in store_seconds(); 0: none yet. */
double crowd_first(const struct crowd *c, size_t i);

#endif
