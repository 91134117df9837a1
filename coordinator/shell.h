/* SPDX-License-Identifier: Apache-2.0 */
/* shell.h - what the files of the shell share. Private to coordinator/. Everything runs on the
 * loop's thread, except blob_server.c and asker.c. */
#ifndef COORDINATOR_SHELL_H
#define COORDINATOR_SHELL_H

#include <stdatomic.h>
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
#include "coordinator/cards.h"
#include "coordinator/core/sched.h"
#include "coordinator/failures.h"
#include "coordinator/guard.h"
#include "coordinator/metrics.h"
#include "coordinator/outbox.h"
#include "coordinator/server.h"
#include "store/control.h"
#include "store/store.h"

/* A worker that said Hello, by the core's number for it. */
struct shell_worker {
    uint64_t id, row; /* row: in the store */
    char name[256], host[256], version[64];
    uint32_t slots, pid;
    uint64_t joined_ms;
    uint64_t jobs_done, jobs_failed; /* since the coordinator's start */
    uint64_t doing, doing_since_ms;  /* status.c: its oldest job that runs */
    UT_hash_handle hh;
};

struct server {
    struct server_options options;
    struct store *store;
    struct transport *transport;
    struct guard *guard;
    struct loop *loop;
    struct blob_server *blobs;
    struct asker *asker, *status_asker; /* of its own: reports may take seconds */
    struct asker *backup_asker;         /* backups may take minutes; NULL before the first */
    struct shell_backup {
        bool on;
        uint64_t peer, request;          /* who waits for it */
        atomic_uint_least64_t done, all; /* bytes; told by its thread */
        atomic_bool stop;
    } backup;
    int tick_timer;
    int audit_timer; /* counted refusals are due */
    int parent_timer;
    int service_timer;
    struct exporter *exporter; /* NULL: none */
    struct parent *parent;     /* NULL: none */
    uint64_t incarnation;

    void *sched_memory;
    struct sched *sched;
    struct sched_actions *actions;
    struct attempts *attempts;
    struct shell_worker *workers;
    char *classes[SCHED_CLASSES]; /* numeric classes by the core's bit number */
    char *labels[SCHED_LABELS];   /* likewise */
    struct load_cursor *cursors;  /* load.c: by experiment */
    struct store_ready *page;     /* load.c */
    struct {
        const char *name; /* load.c: a word of the store, and what look_at_kind() says of it */
        bool eager, resumes;
    } kind;

    struct outbox *outbox;
    struct cards *cards;
    struct shell_metrics metrics;
    struct failures failures;

    /* The message that the current step's event stands for; NULL when none. RESULT: the one of its
     * results that the event is about. */
    const Drover__Envelope *message;
    const Drover__JobResult *result;
    uint64_t peer;
    int message_code;    /* what the store said to it: goes into its ack */
    bool result_stored;  /* its result is in the store already */
    const char *end_why; /* text for END_ATTEMPT, which the shell itself ends */
    uint64_t end_attempt;

    /* Left over by the current step, to be done when its actions are carried out. */
    bool starting; /* no loading yet: attempts of before come first */
    struct {
        bool wanted;
        uint64_t experiment; /* 0: which have ready jobs? */
        uint32_t want;
        bool fresh;     /* from the top */
        uint32_t given; /* so far: a listing that meets many known jobs takes several calls */
    } load;
    unsigned round_loads; /* done since the last flush */
    struct {
        uint64_t attempt;
        uint32_t epoch;
        char why[256];
    } * lost; /* leases that could not be built */
    size_t lost_len, lost_cap;
    /* Of these experiments jobs became ready in the store: EV_READY after the commit. */
    struct shell_ready {
        uint64_t experiment;
        int32_t priority; /* the highest of them */
    } * ready;
    size_t ready_len, ready_cap;
    bool ready_all; /* of any */

    /* The clocks when they were last looked at, NOW_STEPS steps ago (0: look again). */
    uint64_t now_ms;
    int64_t wall_ms;
    unsigned now_steps;
    size_t round_weight; /* results and messages since the last flush */
    uint64_t round_ns;   /* when the first of them came; 0: none did */

    int failed; /* an error code: the store failed, the server is stopping */
    struct err failure;
};

/* actions.c */
/* Let the core take E and carry out what it says, follow-ups included. */
void shell_step(struct server *s, struct sched_event *e);
/* The same without the follow-ups, and these. */
void shell_one_step(struct server *s, struct sched_event *e);
void shell_follow_up(struct server *s);
/* ATTEMPT as the store begins it; false: it is over, or has its row. */
bool shell_begun(const struct server *s, uint64_t attempt, struct store_begun *ret);

/* round.c */
/* Begin the round's transaction unless it is open; false when that failed (the server then stops).
 */
bool shell_transaction(struct server *s);
/* Commit, then send; then follow-ups, until nothing is left. */
void shell_flush(struct server *s);
/* The store failed: remember why, undo the round, stop. */
void shell_fail(struct server *s, int code, const struct err *err);
/* Is CODE of the store the fault of the disk rather than of the message? */
bool shell_fatal(int code);
/* The time for a step of the core: not older than a few steps of this round. */
uint64_t shell_now_ms(struct server *s);
/* N results or other messages were taken: flush when the round is full. Not within a step. */
void shell_weigh(struct server *s, size_t n);

/* sends.c */
/* Queue MESSAGE for PEER; it leaves after the commit. */
void shell_send(struct server *s, uint64_t peer, Drover__Envelope__BodyCase body, void *message,
                uint64_t request);
void shell_refuse(struct server *s, uint64_t peer, uint64_t request, int code, const char *text);
void shell_send_ack(struct server *s, uint64_t peer, uint64_t seq, int code);
void shell_send_all(struct server *s);
/* Leases alone, as far as that does not change the order of any worker's messages. */
void shell_send_leases(struct server *s);
void shell_send_drop(struct server *s);
bool shell_sends_wait(const struct server *s);

/* load.c */
/* Give the core the jobs that its LOADs asked for. */
void shell_load(struct server *s);
/* What the core is told of the job in R; false: it can never run here. */
bool shell_job(struct server *s, const struct store_ready *r, struct sched_job *ret);
/* Jobs of EXPERIMENT (0: of any) became ready, the highest with PRIORITY: EV_READY follows the
 * commit. */
void shell_ready(struct server *s, uint64_t experiment, int32_t priority);
void shell_jobs_ready(struct server *s, const struct store_ids *jobs);
void shell_load_forget(struct server *s);
bool shell_ready_waits(const struct server *s);
void shell_tell_ready(struct server *s);

/* classes.c */
/* Bit number of the numeric class NAME, a new one if need be; -1 when there are too many. */
int shell_class(struct server *s, const char *name);
/* The same for a label. */
int shell_label(struct server *s, const char *name);

/* inbox.c */
void shell_on_transport(void *arg, const struct transport_event *e);

/* results.c */
/* The current RESULT, or ExampleResult or Checkpoint: into the store. Codes of the store. */
int shell_store_example(struct server *s, struct err *err);
int shell_store_checkpoint(struct server *s, struct err *err);
int shell_store_done(struct server *s, const struct store_begun *begun, bool late,
                     enum store_verdict *ret, struct err *err);
int shell_store_end(struct server *s, const struct sched_action *a, const struct store_begun *begun,
                    bool final, struct err *err);

/* lease.c */
/* The lease of ATTEMPT, queued for PEER. ERR_NOT_FOUND: an input is gone. */
int shell_send_lease(struct server *s, uint64_t peer, struct attempt *t, struct err *err);
/* Parameters as the store keeps them: packed. */
void lease_pack_params(Drover__Param **params, size_t len, struct buf *ret);

/* audit.c */
/* May the message be decoded? *RET is its sender. Else it was answered by a refusal. */
bool shell_admit(struct server *s, const struct transport_event *event, struct guard_sender *ret);
/* May the decoded message be carried out? Notes it if it is a deed. Else it was refused. */
bool shell_allow(struct server *s, const struct guard_sender *who, const Drover__Envelope *m);
/* What the guard has noted, into the store. */
void shell_audit(struct server *s);

/* control.c */
void shell_control(struct server *s, const Drover__Control *m, uint64_t request);
/* A question for the thread of asker.c, and answers that came from there. */
void shell_ask(struct server *s, const Drover__Ask *m, uint64_t request);
void shell_answers(struct server *s);
/* The store says something new of these jobs. */
void shell_changes(struct server *s, const struct store_changes *changes);

/* why.c */
void shell_why(struct server *s, const Drover__Control *m, uint64_t request);

/* submit.c, status.c */
void shell_submit(struct server *s, const Drover__Plan *plan, uint64_t request);
void shell_cancel(struct server *s, const char *experiment, uint64_t request);
void shell_status(struct server *s, const Drover__StatusRequest *r, uint64_t request);

/* operate.c */
/* Ask a worker, or all, to leave. */
void shell_drain(struct server *s, const Drover__Control *m, uint64_t request);
/* Copy the store, on a thread; each second how far it is. */
void shell_backup(struct server *s, const Drover__Control *m, uint64_t request);
void shell_backup_tell(struct server *s);
void shell_backup_stop(struct server *s);

/* service.c */
/* The exporter, and what a service manager is told: "ready" now, and each second how it goes. */
int shell_service_start(struct server *s, struct err *err) MUST_CHECK;
void shell_service_stop(struct server *s);

/* start.c */
/* EV_START and the attempts of before, committed. */
int shell_start(struct server *s, struct err *err) MUST_CHECK;

#endif
