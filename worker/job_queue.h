/* SPDX-License-Identifier: Apache-2.0 */
/* job_queue.h - what lies between the network thread and all slots: leases that wait for a slot,
 * and what slots post about them.
 *
 *   network thread                               any slot's thread
 *   job_queue_put, job_queue_flush -----------+
 *   job_queue_withdraw                        +->  job_queue_next: takes the oldest
 *   job_queue_posts: STARTED, EXAMPLE,      <----  posts, in the order in which they happened
 *                    FINISHED
 *
 * A slot that has ended a job takes the next one under the same lock, so a short job costs no
 * switch of threads. The network thread is woken (wake, from any thread) for the first post after a
 * rest, for examples, and when slots run dry; else it is expected to look again by itself, within
 * JOB_QUEUE_LOOK_MS of its last look that found something, or of a flush: so a thousand short jobs
 * cost it a few wake-ups. */
#ifndef WORKER_JOB_QUEUE_H
#define WORKER_JOB_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/wire/drover.pb-c.h"
#include "worker/core/agent.h"
#include "worker/leased.h"

enum {
    JOB_QUEUE_LOOK_MS = 1,
    JOB_QUEUE_POSTS_ENOUGH = 256, /* wake the network thread for so many at any rate */
};

struct job_queue;

struct job_queue *job_queue_new(void (*wake)(void *arg), void *wake_arg);
/* Frees what was neither taken nor looked at. No slot may use it any more. NULL is fine. */
void job_queue_free(struct job_queue *q);

/* For the network thread. */

/* LEASE, owned by the queue from now on, waits under the number HELD (below AGENT_HELD_MAX, not in
 * use by another that waits): for slots to see after the next flush. */
void job_queue_put(struct job_queue *q, size_t held, struct leased lease);
/* Slots see what was put. True when there was something: then look within JOB_QUEUE_LOOK_MS. */
bool job_queue_flush(struct job_queue *q);
/* Take HELD out again. False: a slot has it, and has posted so. */
bool job_queue_withdraw(struct job_queue *q, size_t held);
enum job_post_kind { JOB_STARTED, JOB_EXAMPLE, JOB_FINISHED };
struct job_post {
    enum job_post_kind kind;
    size_t held, slot;
    int code;                  /* FINISHED: what the job returned */
    Drover__JobResult *result; /* FINISHED: the caller's from now on */
};
/* What was posted since the last call: *RET_LEN of them, valid until the next call. *RET_AGAIN:
 * look again within JOB_QUEUE_LOOK_MS. */
const struct job_post *job_queue_posts(struct job_queue *q, size_t *ret_len, bool *ret_again);
/* No slot takes anything any more. Returns how many of them run a job now. */
size_t job_queue_quit(struct job_queue *q);

/* For the slots' threads. */

struct job_taken {
    size_t held;
    struct leased lease; /* the slot's now */
};
struct job_done {
    size_t held;
    int code;
    Drover__JobResult *result; /* the queue's now */
};
/* Post that SLOT finished DONE (NULL at first), and take the next job, waiting for one. False: the
 * worker ends. */
bool job_queue_next(struct job_queue *q, size_t slot, const struct job_done *done,
                    struct job_taken *ret);
/* SLOT's job HELD waits with an example. */
void job_queue_post_example(struct job_queue *q, size_t slot, size_t held);

#endif
