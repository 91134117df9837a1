/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.h - what the coordinator counts, since its start. Plain numbers of the loop's thread;
 * whoever shows them copies the struct there. Gauges are filled in by shell_metrics(). */
#ifndef COORDINATOR_METRICS_H
#define COORDINATOR_METRICS_H

#include <stdint.h>

/* X(name, "what it counts"): counters. */
#define SHELL_COUNTERS(X)                                                                          \
    X(messages, "messages taken from peers")                                                       \
    X(refused, "messages refused")                                                                 \
    X(results, "results of jobs taken, whatever their outcome")                                    \
    X(results_done, "results stored as a job's own")                                               \
    X(result_groups, "messages that brought results")                                              \
    X(examples, "results of examples taken")                                                       \
    X(checkpoints, "checkpoints taken")                                                            \
    X(leases, "leases given out")                                                                  \
    X(leases_simple, "of them, made without a look into the store")                                \
    X(lease_groups, "messages that carried leases")                                                \
    X(leases_failed, "leases that could not be made: inputs are gone")                             \
    X(acks, "messages of workers acknowledged")                                                    \
    X(ack_groups, "messages that carried acks")                                                    \
    X(stale, "results of attempts that were over")                                                 \
    X(compared, "repeated results compared with the stored one")                                   \
    X(incidents, "repeated results that differed")                                                 \
    X(ended_done, "attempts that ended with a result")                                             \
    X(ended_failed, "attempts that ended FAILED, OOM or TIMEOUT")                                  \
    X(ended_lost, "attempts that ended LOST")                                                      \
    X(ended_other, "attempts that ended PREEMPTED or CANCELLED")                                   \
    X(loads, "pages of ready jobs read from the store")                                            \
    X(loaded, "jobs in them")                                                                      \
    X(submits, "plans taken")                                                                      \
    X(submit_us, "microseconds spent on plans")                                                    \
    X(rounds, "transactions committed")                                                            \
    X(commit_us, "microseconds spent committing")                                                  \
    X(bytes_out, "bytes sent")

/* Gauges: values of now, or greatest so far. */
#define SHELL_GAUGES(X)                                                                            \
    X(commit_us_max, "the longest commit, in microseconds")                                        \
    X(round_us_max, "the longest round of the loop, in microseconds")                              \
    X(submit_us_max, "the longest stay of a plan in the loop, in microseconds")                    \
    X(jobs_ready, "jobs in the scheduler's window")                                                \
    X(jobs_leased, "jobs that workers hold")                                                       \
    X(workers, "workers connected")                                                                \
    X(workers_free, "workers that might get a lease")                                              \
    X(outbox_bytes, "bytes that waited for the last commit")                                       \
    X(questions, "questions that wait for an answer")                                              \
    X(wal_bytes, "bytes of the store's write-ahead log")

struct shell_metrics {
#define X(NAME, TEXT) uint64_t NAME;
    SHELL_COUNTERS(X)
    SHELL_GAUGES(X)
#undef X
};

struct server;
/* Counters and gauges of now; on the loop's thread. */
const struct shell_metrics *shell_metrics(struct server *s);

#endif
