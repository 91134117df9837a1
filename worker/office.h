/* SPDX-License-Identifier: Apache-2.0 */
/* office.h - the network thread's things, between worker.c (life), receive.c (messages -> events)
 * and carry.c (actions -> messages). Nobody else includes this. All functions run on the network
 * thread. */
#ifndef WORKER_OFFICE_H
#define WORKER_OFFICE_H

#include "common/net/loop.h"
#include "common/net/transport.h"
#include "common/wire/wire.h"
#include "worker/blob_client.h"
#include "worker/core/agent.h"
#include "worker/slot.h"
#include "worker/worker.h"

struct office {
    const struct worker_conf *conf;
    struct agent agent;
    struct agent_actions actions; /* of the step that is being carried out */
    struct slot *slot[AGENT_SLOTS_MAX];
    Drover__Envelope *lease;                   /* the one that is being handled */
    Drover__JobResult *result[AGENT_HELD_MAX]; /* FINISHED ones, until FORGET */
    struct transport *transport;
    struct loop *loop;
    int timer;
    uint64_t disconnected_ms; /* since when the coordinator is gone; 0: it is there */
    struct cache *cache;
    struct stamps *stamps;
    struct blob_place *place;
    struct slot_env env;
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
/* receive.c: an event of the transport. */
void office_receive(void *arg, const struct transport_event *e);

#endif
