/* SPDX-License-Identifier: Apache-2.0 */
/* model.h - what the simulated cluster consists of. Users include sim.h. */
#ifndef TESTS_SIM_MODEL_H
#define TESTS_SIM_MODEL_H

#include "common/base/rng.h"
#include "coordinator/core/sched.h"
#include "tests/sim/book.h"
#include "worker/core/agent.h"

/* A row per fault. Rates are per second of virtual time and host; 0 = never. */
struct sim_conf {
    uint32_t jobs, hosts, slots;
    uint32_t delay_min_ms, delay_mean_ms;
    double cut;            /* the connection breaks, what is under way is lost */
    bool silent;           /* the worker does not notice, and its peer id stays */
    double duplicate;      /* share of messages that arrive twice */
    bool reorder;          /* messages overtake each other */
    double partition;      /* nothing gets through for a while; one way or both */
    uint32_t partition_ms; /* mean */
    double kill;           /* the worker process vanishes, a new one starts later */
    double stop;           /* SIGSTOP ... SIGCONT */
    uint32_t stop_ms;      /* mean */
    double drain;          /* SIGTERM */
    double crash;          /* per action of the coordinator: it vanishes in front of it */
    double stall;          /* per second: the coordinator is stopped for about stop_ms */
    uint32_t group_ms;     /* commits wait up to so long for company */
    double hang, fail, poison, diverge; /* shares of jobs that do so */
    uint32_t cancels;                   /* jobs that are cancelled at some time */
    uint32_t controls;                  /* requests to pause, resume, try again... */
    uint32_t losses_max;
    uint32_t faults_end_ms, limit_ms;
    bool steady; /* every time is its mean */
};

enum {
    LEASE_MS = 1000,
    RENEW_MS = 160,
    HEARTBEAT_MS = 100,
    QUIET_MS = 400,
    PAUSE_MS = 50,
    REATTACH_MS = 1500,
};

enum msg_kind {
    M_HELLO,
    M_CREDITS,
    M_HEARTBEAT,
    M_RENEW,
    M_EXAMPLE,
    M_CHECKPOINT,
    M_RESULT,
    M_GOODBYE,
    M_WELCOME,
    M_REFUSE,
    M_LEASE,
    M_ACK,
    M_CANCEL,
};
enum { TO_COORDINATOR, TO_HOST };

struct msg {
    enum msg_kind kind;
    uint64_t peer, worker;
    uint64_t attempt, seq, job, value, incarnation;
    uint32_t epoch, total, example, finished; /* finished: mask of durable examples */
    uint32_t step;   /* Checkpoint: made after it; Lease: to go on from, 0: none */
    uint64_t points; /* Checkpoint, Result: mask of the steps whose metrics it brings */
    uint64_t classes;
    int code;
    enum sched_cause outcome;
    uint32_t keep_len, drop_len; /* Hello, Renew: keep is the held list */
    struct sched_held keep[HELD_MAX], drop[HELD_MAX];
};

/* What a job is like: drawn once, known to hosts, store and oracle. */
struct job_spec {
    struct sched_job row;
    uint32_t examples;     /* 0: one piece of work without examples */
    uint32_t steps, every; /* of training: in all, and from one checkpoint to the next; or 0 */
    uint32_t work_ms;      /* mean per example or step, or in all */
    uint32_t needs_len, needs[NEEDS_MAX];
    bool hangs, poison, diverges;
    uint32_t fails;  /* its first attempts that end FAILED, OOM or TIMEOUT */
    uint32_t groups; /* mask of the experiments that want it; 0: nothing controls it */
};

enum db_state {
    DB_WAITING,
    DB_READY,
    DB_RUNNING,
    DB_CANCELLING,
    DB_DONE,
    DB_FAILED,
    DB_CANCELLED,
    DB_SKIPPED,
};
struct db_job {
    uint64_t state, waits_for, tries, losses, epoch, examples, result, cause;
    uint64_t open;                /* index + 1 of its attempt that has not ended */
    uint64_t retried, retried_at; /* how often; attempts before that one count no more */
    uint64_t step, saver, gone;   /* its checkpoint, 0: none; index + 1 of the attempt that made it;
                                   * mask of those whose files go after the commit */
};
struct db_attempt {
    uint64_t id, job, epoch, worker, ended, cause, points; /* points: mask */
};
/* The modelled store. Every write goes through db_set, so that a crash can undo what was not
 * committed. */
struct db {
    struct db_job job[JOBS_MAX];
    struct db_attempt attempt[ATTEMPTS_MAX];
    uint64_t attempts_len, incarnation;
    uint64_t paused[GROUPS], priority[GROUPS];
    uint64_t files[JOBS_MAX]; /* mask of the steps whose checkpoints are there; no transaction */
    struct {
        uint64_t *at, before;
    } undo[65536];
    size_t undo_len;
    int code;   /* what the store said to the message of this step */
    bool ready; /* jobs became ready in this transaction; their highest priority: */
    int32_t ready_priority;
};

struct host_slot {
    bool busy, hung, stop, waits; /* waits: for the ack of an example or a checkpoint */
    bool drain, saves; /* drain: stop, but save first; saves: what waits is a checkpoint */
    size_t held;
    uint64_t attempt, counter, doing;
    uint32_t epoch, job, example, done; /* done: mask */
    uint32_t step, saved;               /* training: done, and those that are in a checkpoint */
    uint64_t points, points_acked; /* masks of its own steps; those that a checkpoint brought */
    uint64_t turn;                 /* events of an older turn are void */
    uint64_t begun_ms, moved_ms;
};
struct host {
    bool alive;
    uint64_t worker;
    struct agent agent;
    struct host_slot slot[SLOTS_MAX];
    uint64_t held_job[AGENT_HELD_MAX], held_points[AGENT_HELD_MAX]; /* points: of finished ones */
    uint64_t stopped_until_ms, wake_ms, classes, turn;
    uint32_t speed; /* percent */
};
struct link {
    uint64_t peer, turn;
    uint64_t blocked_until_ms[2], last_ms[2];
};

enum sim_event_kind {
    SE_DELIVER,
    SE_HOST_WAKE,
    SE_HOST_START,
    SE_CONNECTED,
    SE_DISCONNECTED,
    SE_COMPUTED,
    SE_SAVE,
    SE_FINISH,
    SE_COORD_WAKE,
    SE_COORD_START,
    SE_COMMIT,
    SE_FAULTS,
    SE_CANCEL,
    SE_CONTROL,
    SE_CALL,
};
struct sim_event {
    uint64_t at_ms, order;
    enum sim_event_kind kind;
    uint32_t host, slot;
    uint64_t turn;
    int code;
    uint32_t dir;
    struct msg *msg;
};

/* What the client asks for, one after the other: each again until it is durable. */
enum control_verb { C_PAUSE, C_RESUME, C_PRIORITY, C_RETRY };
struct control {
    uint64_t at_ms;
    enum control_verb verb;
    uint32_t group, priority;
};
struct client {
    struct control v[CONTROLS_MAX];
    uint32_t len, next;
    bool sent; /* v[next], in the open transaction */
};

struct pending_send {
    uint32_t host;
    struct msg msg;
};
struct coord {
    bool up;
    struct sched *core;
    uint64_t wake_ms, commit_ms, stopped_until_ms;
    uint32_t load_want, steps_now; /* steps_now: in the millisecond steps_ms */
    uint64_t steps_ms;
    struct pending_send *outbox;
    size_t outbox_len, outbox_cap;
};

enum fault {
    F_CUT,
    F_DUPLICATE,
    F_REORDER,
    F_PARTITION,
    F_KILL,
    F_STOP,
    F_DRAIN,
    F_CRASH,
    F_STALL,
    F_HANG,
    F_FAIL,
    F_POISON,
    F_CANCEL,
    F_LATE_RESULT,
    F_ADOPTED,
    F_PAUSE,
    F_PRIORITY,
    F_RETRY,
    F_GO_ON,
    F_ORPHAN,
    FAULTS
};

struct sim {
    uint64_t seed, now_ms, orders;
    struct sim_conf conf;
    struct rng rng;
    struct job_spec spec[JOBS_MAX];
    struct db db;
    struct coord coord;
    struct client client;
    struct host host[HOSTS_MAX];
    struct link link[HOSTS_MAX];
    struct oracle oracle;
    struct sim_event *queue;
    size_t queue_len, queue_cap;
    uint64_t workers; /* ids given out */
    uint64_t hash, core_steps;
    bool fired[FAULTS];
    bool faults_on;
    void (*trace)(void *arg, const char *line); /* NULL: nobody listens */
    void *trace_arg;
    struct sched_actions out;
};

#endif
