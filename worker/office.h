/* SPDX-License-Identifier: Apache-2.0 */
/* office.h - the network thread's things, between worker.c (life), receive.c (messages -> events),
 * carry.c (actions -> messages) and results.c (results -> groups). Nobody else includes this. All
 * functions run on the network thread. */
#ifndef WORKER_OFFICE_H
#define WORKER_OFFICE_H

#include "common/net/loop.h"
#include "common/net/transport.h"
#include "common/wire/wire.h"
#include "worker/blob_client.h"
#include "worker/core/agent.h"
#include "worker/job_queue.h"
#include "worker/slot.h"
#include "worker/worker.h"

struct office {
    const struct worker_conf *conf;
    struct agent agent;
    struct agent_actions actions; /* of the step that is being carried out */
    struct slot *slot[AGENT_SLOTS_MAX];
    struct job_queue *queue;
    struct leased lease; /* the one that is being handled */
    struct {
        uint64_t job;
        Drover__JobResult *result; /* FINISHED ones, until FORGET */
        bool grouped;              /* and it waits in the group */
    } held[AGENT_HELD_MAX];
    /* Results that go out together: at the end of the round, or before any other message. */
    size_t group[WIRE_GROUP_MAX];
    size_t group_len, group_bytes;
    size_t withdrawn[AGENT_HELD_MAX]; /* to tell the agent after its step */
    size_t withdrawn_len;
    uint64_t light, light_since_ms; /* jobs that logged nothing; since when they were counted */
    struct transport *transport;
    struct loop *loop;
    int timer, look_timer;
    uint64_t leave_at_ms;     /* by itself; UINT64_MAX: when asked to */
    uint64_t disconnected_ms; /* since when the coordinator is gone; 0: it is there */
    struct cache *cache;
    struct stamps *stamps;
    struct blob_place *place;
    struct slot_env env;
    const char *environment; /* clean text, of all results */
    uint8_t id[WIRE_WORKER_BYTES];
    char name[128], host[64];
    bool over;         /* the agent said EXIT */
    int code;          /* with this code */
    char refusal[512]; /* the coordinator's last refusal */
};

/* One event through the agent, and its actions carried out. */
void office_step(struct office *o, const struct agent_event *e);
/* carry.c */
void office_carry(struct office *o, const struct agent_action *x);
/* results.c */
void office_send_result(struct office *o, const struct agent_action *x);
void office_forget(struct office *o, size_t held);
void office_flush(struct office *o);
/* Encode and queue MESSAGE as it is. What the transport does not take now is lost; results and
 * examples are sent again in time. */
int office_send(struct office *o, Drover__Envelope__BodyCase body, void *message, uint64_t request,
                struct err *err);
/* receive.c: an event of the transport. */
void office_receive(void *arg, const struct transport_event *e);
/* worker.c: to leave, because of WHY. */
void office_drain(struct office *o, const char *why);

#endif
