/* SPDX-License-Identifier: Apache-2.0 */
/* slot.h - one place where a job runs: a thread with its pool, and the mailbox between it and the
 * network thread.
 *
 *   network thread                          slot thread
 *   job_queue_put(lease) ----------------->  takes it, runs the job (attempt.h)
 *   JOB_EXAMPLE <--------------------------  slot_send_example, _checkpoint: blocks
 *   slot_end_example(code) --------------->  goes on
 *   slot_stop ---- progress.stop --------->  sees it at its next boundary
 *   JOB_FINISHED <-------------------------  done; takes the next lease
 *
 * Leases and posts go through the queue that all slots share (job_queue.h). */
#ifndef WORKER_SLOT_H
#define WORKER_SLOT_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/progress.h"
#include "common/wire/drover.pb-c.h"
#include "worker/core/agent.h"

struct blob_place;
struct cache;
struct job_queue;
struct pin;
struct stamps;

/* What all slots share; it outlives them. */
struct slot_env {
    struct cache *cache;
    struct stamps *stamps;
    struct blob_place *place;
    const char *models;    /* folder of models, or NULL */
    size_t slots;          /* how many there are */
    size_t threads;        /* of each slot's pool */
    size_t cpus;           /* the most that a job's own pool may have */
    const struct pin *pin; /* of the slots' threads; NULL: none */
    struct job_queue *queue;
};

struct slot;

/* Starts the thread; signals that it shall not get are blocked by the caller. ERR_NOMEM. */
int slot_new(struct slot **ret, const struct slot_env *env, size_t index,
             struct err *err) MUST_CHECK;
/* Waits for the thread, which must be idle or about to end its job; the queue was told to quit.
 * NULL is fine. */
void slot_free(struct slot *s);

/* For the network thread. */

enum { SLOT_METRICS_MAX = 4096 }; /* 5 s of 200 steps/s with four metrics each; 100 KB */

/* Raise progress.stop of the job of attempt ID, which the slot runs, is about to run, or has ended:
 * then nothing happens. DRAIN: its job will go on elsewhere, there is time to save
 * (progress.drain); said again with false, there is none. */
void slot_stop(struct slot *s, struct agent_attempt id, bool drain);
/* The message that waits: between JOB_EXAMPLE and slot_end_example. Exactly one of the two is not
 * NULL; seq is the caller's to set. */
struct slot_message {
    Drover__ExampleResult *example;
    Drover__Checkpoint *checkpoint;
};
struct slot_message slot_message(struct slot *s);
/* Its end. CODE 0: it is durable; else what its job is told. */
void slot_end_example(struct slot *s, int code);
struct progress *slot_progress(struct slot *s);
/* The metrics that the job of attempt ID, if it runs, added since the last call, for a Renew:
 * *RET_LEN of them, freed with slot_free_metrics; NULL when there are none. */
Drover__Metric **slot_take_metrics(struct slot *s, struct agent_attempt id, size_t *ret_len);
void slot_free_metrics(Drover__Metric **metrics, size_t len);

/* For the slot thread. */

size_t slot_index(const struct slot *s);
/* Allocated with malloc, for drover__metric__free_unpacked. */
Drover__Metric *metric_new(const char *name, uint64_t step, double value);
/* A metric for the next Renew. At most SLOT_METRICS_MAX wait; the rest is only in the job's result.
 */
void slot_add_metric(struct slot *s, const char *name, uint64_t step, double value);
/* Post it and wait until its end is told; that code. */
int slot_send_example(struct slot *s, Drover__ExampleResult *result);
int slot_send_checkpoint(struct slot *s, Drover__Checkpoint *checkpoint);

#endif
