/* SPDX-License-Identifier: Apache-2.0 */
/* held.h - the attempts of an agent: the transitions of the table struct agent.held. Only agent.c
 * includes this. */
#ifndef WORKER_CORE_HELD_H
#define WORKER_CORE_HELD_H

#include "worker/core/agent.h"

/* Append an action of KIND about nothing in particular; returns it for the fields. */
struct agent_action *agent_add(struct agent_actions *out, enum agent_action_kind kind);

/* All CAPACITY places are free. */
void held_init(struct agent *a);
/* The attempt ID, or NULL. */
struct agent_held *held_find(struct agent *a, struct agent_attempt id);
/* The attempt whose result or example has number SEQ, or NULL. */
struct agent_held *held_find_seq(struct agent *a, uint64_t seq);
/* The running attempt of SLOT, or NULL when it is idle. */
struct agent_held *held_of_slot(struct agent *a, size_t slot);

/* A lease came: it joins the queue, or (no place, draining) becomes a PREEMPTED result. Known ones
 * are left alone. */
void held_lease(struct agent *a, uint64_t now_ms, struct agent_attempt id,
                struct agent_actions *out);
/* SLOT took it from the queue. */
void held_start(struct agent *a, uint64_t now_ms, struct agent_held *h, size_t slot,
                struct agent_actions *out);
/* It is out of the queue, as was asked. */
void held_withdrawn(struct agent *a, uint64_t now_ms, struct agent_held *h,
                    struct agent_actions *out);
/* Its job returned CODE: FINISHED and sent, or forgotten when it was abandoned. */
void held_finish(struct agent *a, uint64_t now_ms, struct agent_held *h, int code,
                 struct agent_actions *out);
/* Its job waits with an example. */
void held_example(struct agent *a, uint64_t now_ms, struct agent_held *h,
                  struct agent_actions *out);
/* The waiting example's fate: CODE 0, or the error that its job gets. */
void held_end_example(struct agent *a, struct agent_held *h, int code, struct agent_actions *out);
/* Tell its job to stop for REASON, or take it out of the queue; a stronger reason replaces a weaker
 * one. */
void held_stop(struct agent *a, struct agent_held *h, enum agent_reason reason,
               struct agent_actions *out);
/* The coordinator no longer wants it. */
void held_abandon(struct agent *a, struct agent_held *h, struct agent_actions *out);
/* RUNNING, FINISHED or QUEUED -> FREE. */
void held_forget(struct agent *a, struct agent_held *h, struct agent_actions *out);
/* Send its unacked result and example. */
void held_send(struct agent *a, uint64_t now_ms, struct agent_held *h, struct agent_actions *out);
/* Renew its lease when its counter moved. */
void held_renew(struct agent *a, uint64_t now_ms, struct agent_held *h, struct agent_actions *out);
/* By time: renewals, results and examples that are sent again, what waited too long. */
void held_check(struct agent *a, uint64_t now_ms, struct agent_held *h, struct agent_actions *out);

/* All fields of A's tables agree with the states. */
bool held_invariant(const struct agent *a);

#endif
