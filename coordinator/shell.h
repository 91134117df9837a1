/* SPDX-License-Identifier: Apache-2.0 */
/* shell.h - what the files of the shell share. Private to coordinator/. Everything runs on the
 * loop's thread, except blob_server.c and asker.c. */
#ifndef COORDINATOR_SHELL_H
#define COORDINATOR_SHELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/net/loop.h"
#include "common/net/transport.h"
#include "common/wire/wire.h"
#include "coordinator/asker.h"
#include "coordinator/attempts.h"
#include "coordinator/blob_server.h"
#include "coordinator/core/sched.h"
#include "coordinator/server.h"
#include "store/control.h"
#include "store/store.h"

/* A worker that said Hello, by the core's number for it. */
struct shell_worker {
    uint64_t id, row; /* row: in the store */
    char name[256];
    uint32_t slots;
    UT_hash_handle hh;
};

/* A message that waits for the commit. */
struct shell_send {
    uint64_t peer;
    struct buf bytes;
};

struct server {
    struct server_options options;
    struct store *store;
    struct transport *transport;
    struct loop *loop;
    struct blob_server *blobs;
    struct asker *asker;
    int tick_timer;
    int parent_timer;
    struct parent *parent; /* NULL: none */
    uint64_t incarnation;

    void *sched_memory;
    struct sched *sched;
    struct sched_actions *actions;
    struct attempts *attempts;
    struct shell_worker *workers;
    char *classes[SCHED_CLASSES]; /* numeric classes by the core's bit number */

    struct shell_send *sends;
    size_t sends_len, sends_cap;

    /* The message that the current step's event stands for; NULL when none. */
    const Drover__Envelope *message;
    uint64_t peer;
    int message_code;    /* what the store said to it: goes into its ack */
    bool result_stored;  /* its result is in the store already */
    const char *end_why; /* text for the attempt END_CORE, which the shell itself ends */
    uint64_t end_core;

    /* Left over by the current step, to be done when its actions are carried out. */
    bool starting;      /* no loading yet: attempts of before come first */
    uint32_t load_want; /* 0: nothing */
    struct {
        uint64_t core;
        uint32_t core_epoch;
        char why[256];
    } * lost; /* leases that could not be built */
    size_t lost_len, lost_cap;
    bool ready;             /* jobs of the store became ready: EV_READY after the commit */
    int32_t ready_priority; /* the highest of them */

    int failed; /* an error code: the store failed, the server is stopping */
    struct err failure;
};

/* actions.c */
/* Let the core take E and carry out what it says, follow-ups included. */
void shell_step(struct server *s, struct sched_event *e);
/* Begin the round's transaction unless it is open; false when that failed (the server then stops).
 */
bool shell_transaction(struct server *s);
/* Commit, then send; then follow-ups, until nothing is left. */
void shell_flush(struct server *s);
/* The store failed: remember why, undo the round, stop. */
void shell_fail(struct server *s, int code, const struct err *err);
/* Is CODE of the store the fault of the disk rather than of the message? */
bool shell_fatal(int code);

/* outbox.c */
/* Queue MESSAGE for PEER; it leaves after the commit. */
void shell_send(struct server *s, uint64_t peer, Drover__Envelope__BodyCase body, void *message,
                uint64_t request);
void shell_refuse(struct server *s, uint64_t peer, uint64_t request, int code, const char *text);
void shell_send_all(struct server *s);
void shell_send_drop(struct server *s);

/* classes.c */
/* Bit number of the numeric class NAME, a new one if need be; -1 when there are too many. */
int shell_class(struct server *s, const char *name);

/* inbox.c */
void shell_on_transport(void *arg, const struct transport_event *e);

/* results.c */
/* The current message is a JobResult, ExampleResult or Checkpoint: into the store. Codes of the
 * store. */
int shell_store_example(struct server *s, struct err *err);
int shell_store_checkpoint(struct server *s, struct err *err);
int shell_store_done(struct server *s, enum store_verdict *ret, struct err *err);
int shell_store_end(struct server *s, const struct attempt *t, enum sched_cause cause, bool final,
                    struct err *err);

/* lease.c */
/* The lease of ATTEMPT, queued for PEER. ERR_NOT_FOUND: an input is gone. */
int shell_send_lease(struct server *s, uint64_t peer, struct attempt *t, struct err *err);
/* Parameters as the store keeps them: packed. */
void lease_pack_params(Drover__Param **params, size_t len, struct buf *ret);

/* control.c */
void shell_control(struct server *s, const Drover__Control *m, uint64_t request);
/* A question for the thread of asker.c, and answers that came from there. */
void shell_ask(struct server *s, const Drover__Ask *m, uint64_t request);
void shell_answers(struct server *s);
/* The store says something new of these jobs. */
void shell_changes(struct server *s, const struct store_changes *changes);
/* Jobs became ready: EV_READY with the highest of their priorities follows the commit. */
void shell_ready(struct server *s, int32_t priority);
void shell_jobs_ready(struct server *s, const struct store_ids *jobs);

/* why.c */
void shell_why(struct server *s, const Drover__Control *m, uint64_t request);

/* submit.c, status.c */
void shell_submit(struct server *s, const Drover__Plan *plan, uint64_t request);
void shell_cancel(struct server *s, const char *experiment, uint64_t request);
void shell_status(struct server *s, const Drover__StatusRequest *r, uint64_t request);

/* start.c */
/* EV_START and the attempts of before, committed. */
int shell_start(struct server *s, struct err *err) MUST_CHECK;

#endif
