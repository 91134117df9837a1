/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.h - what the coordinator counts, since its start. Plain numbers of the loop's thread;
 * whoever shows them copies the struct there. Gauges are filled in by shell_metrics().
 *
 * Names are those of Prometheus: base units, _total for what only grows; docs/operations.md lists
 * them, and a test holds it to that. */
#ifndef COORDINATOR_METRICS_H
#define COORDINATOR_METRICS_H

#include <stdint.h>

#include "coordinator/core/types.h"

/* X(member, "name", unit, "what it counts"): counters. A member times UNIT is what is told. */
#define SHELL_COUNTERS(X)                                                                          \
    X(messages, "messages", 1, "Messages taken from peers")                                        \
    X(refused, "refused", 1, "Messages answered by a refusal, whatever the reason")                \
    X(strangers, "security_refusals", 1,                                                           \
      "Messages and connections refused for their key, role or form")                              \
    X(audited, "audit_events", 1, "Rows written into the audit")                                   \
    X(results, "results", 1, "Results of jobs taken, whatever their outcome")                      \
    X(results_done, "results_done", 1, "Results durable as a job's own")                           \
    X(result_groups, "result_groups", 1, "Messages that brought results")                          \
    X(examples, "examples", 1, "Results of examples taken")                                        \
    X(checkpoints, "checkpoints", 1, "Checkpoints taken")                                          \
    X(leases, "leases", 1, "Leases given out: attempts that began")                                \
    X(leases_simple, "leases_simple", 1, "Leases made without a look into the store")              \
    X(lease_groups, "lease_groups", 1, "Messages that carried leases")                             \
    X(leases_failed, "leases_failed", 1, "Leases that could not be made: inputs are gone")         \
    X(acks, "acks", 1, "Messages of workers acknowledged")                                         \
    X(ack_groups, "ack_groups", 1, "Messages that carried acks")                                   \
    X(stale, "stale", 1, "Results of attempts that were over")                                     \
    X(compared, "compared", 1, "Repeated results compared with the stored one")                    \
    X(incidents, "incidents", 1, "Repeated results that differed")                                 \
    X(loads, "loads", 1, "Pages of ready jobs read from the store")                                \
    X(loaded, "loaded_jobs", 1, "Ready jobs read from the store")                                  \
    X(submits, "submits", 1, "Plans taken")                                                        \
    X(submit_us, "submit_seconds", 1e-6, "Time spent on plans")                                    \
    X(bytes_out, "sent_bytes", 1, "Bytes sent")

/* Gauges: values of now, or greatest so far. */
#define SHELL_GAUGES(X)                                                                            \
    X(start_ms, "start_time_seconds", 1e-3, "When this coordinator began, since 1970")             \
    X(incarnation, "incarnation", 1, "Starts of a coordinator on this store")                      \
    X(commit_us_max, "commit_longest_seconds", 1e-6, "The longest commit so far")                  \
    X(round_us_max, "round_longest_seconds", 1e-6, "The longest round of the loop so far")         \
    X(submit_us_max, "submit_longest_seconds", 1e-6, "The longest stay of a plan in the loop")     \
    X(workers_free, "workers_free", 1, "Workers that might get a lease now")                       \
    X(slots, "slots", 1, "Slots of all workers")                                                   \
    X(slots_busy, "slots_busy", 1, "Slots in which a job runs")                                    \
    X(queued, "worker_queue_jobs", 1, "Leases that wait in workers' queues for a slot")            \
    X(outbox_bytes, "outbox_bytes", 1, "Bytes that waited for the last commit")                    \
    X(questions, "questions", 1, "Questions that wait for an answer")                              \
    X(store_bytes, "store_bytes", 1, "Bytes of the store's database file")                         \
    X(wal_bytes, "wal_bytes", 1, "Bytes of the store's write-ahead log")

/* Jobs that the scheduler has in memory, and connected workers, each in one of these states. */
#define SHELL_JOB_STATES(X)    X(ready) X(resting) X(leased) X(waiting)
#define SHELL_WORKER_STATES(X) X(working) X(paused) X(draining) X(quiet) X(gone)

enum shell_job_state {
#define X(NAME) SHELL_JOB_##NAME,
    SHELL_JOB_STATES(X)
#undef X
        SHELL_JOB_STATES_LEN
};
enum shell_worker_state {
#define X(NAME) SHELL_WORKER_##NAME,
    SHELL_WORKER_STATES(X)
#undef X
        SHELL_WORKER_STATES_LEN
};

/* How long things took, by upper bound; the last bucket is for all that took longer. */
enum { METRIC_BOUNDS = 16 };
struct metric_histogram {
    uint64_t n[METRIC_BOUNDS + 1]; /* of each bucket alone */
    uint64_t sum_us;
};
/* X(member, "name", bounds, "what took so long"). */
#define SHELL_HISTOGRAMS(X)                                                                        \
    X(commit, "commit_seconds", METRIC_SHORT, "Transactions, until they were on the disk")         \
    X(round, "round_seconds", METRIC_SHORT,                                                        \
      "Rounds of the loop: from the first message to the answers")                                 \
    X(attempt, "attempt_seconds", METRIC_LONG, "Attempts that began, from their lease to their end")

enum metric_bounds {
    METRIC_SHORT, /* 100 us to 10 s */
    METRIC_LONG,  /* 5 ms to 12 hours */
    METRIC_BOUNDS_KINDS
};
extern const uint64_t metric_bounds_us[METRIC_BOUNDS_KINDS][METRIC_BOUNDS];
void metric_observe(struct metric_histogram *h, enum metric_bounds bounds, uint64_t us);

struct shell_metrics {
#define X(MEMBER, NAME, UNIT, TEXT) uint64_t MEMBER;
    SHELL_COUNTERS(X)
    SHELL_GAUGES(X)
#undef X
    uint64_t ended[SCHED_CAUSES_LEN]; /* attempts, by how they ended */
    uint64_t jobs[SHELL_JOB_STATES_LEN];
    uint64_t workers[SHELL_WORKER_STATES_LEN];
#define X(MEMBER, NAME, BOUNDS, TEXT) struct metric_histogram MEMBER;
    SHELL_HISTOGRAMS(X)
#undef X
};

/* A number of M, by its name; LABEL is NULL, or the one label and its VALUE. Rows of one name come
 * together. Histograms are not among them. */
struct metric_row {
    const char *name, *type, *text;
    const char *label, *value;
    double number;
};
typedef void (*metric_fn)(const struct metric_row *row, void *arg);
void metric_each(const struct shell_metrics *m, metric_fn fn, void *arg);

struct server;
/* Counters and gauges of now; on the loop's thread. O(workers). */
const struct shell_metrics *shell_metrics(struct server *s);
uint64_t shell_workers(const struct shell_metrics *m); /* in any state */

#endif
