/* SPDX-License-Identifier: Apache-2.0 */
/* dispatch_peers.h - other people's queues doing what drover does: jobs that do nothing, two
 * workers with one place each. Servers listen on loopback, keep their files in a scratch folder,
 * and are ended when a measurement is over. */
#ifndef TESTS_BENCH_DISPATCH_PEERS_H
#define TESTS_BENCH_DISPATCH_PEERS_H

#include <stdbool.h>
#include <stddef.h>

/* Each returns jobs per second, NAN when the peer is not installed or fails. */

/* Client with WINDOW unfinished jobs of 200 bytes, two workers; nothing is durable. */
double peer_gearman(size_t jobs, size_t window);
/* The jobs are submitted (as background jobs) before the clock starts. */
double peer_gearman_drain(size_t jobs);
/* Two clients that put, reserve and delete jobs of 200 bytes; FSYNC: a binlog that is synchronised
 * with each write (-f 0). DRAIN: put before the clock starts, then both reserve and delete. */
double peer_beanstalkd(size_t jobs, bool fsync, bool drain);
/* Tasks of a LocalCluster of two processes: from the first submission to the last result. */
double peer_dask(size_t jobs);
/* Trials in an SQLite study, random sampler, one process. */
double peer_optuna(size_t jobs);
/* parallel -j2 true. */
double peer_parallel(size_t jobs);

#endif
