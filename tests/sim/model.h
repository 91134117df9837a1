/* SPDX-License-Identifier: Apache-2.0 */
/* model.h - what the simulated cluster consists of. Users include sim.h. */
#ifndef TESTS_SIM_MODEL_H
#define TESTS_SIM_MODEL_H

#include "common/base/rng.h"
#include "tests/sim/world.h"
#include "worker/core/agent.h"

/* What a job is like: drawn once, known to hosts, store and oracle. */
struct job_spec {
    struct sched_job row;
    uint32_t examples;     /* 0: one piece of work without examples */
    uint32_t steps, every; /* of training: in all, and from one checkpoint to the next; or 0 */
    uint32_t work_ms;      /* mean per example or step, or in all */
    uint32_t needs_len, needs[NEEDS_MAX];
    bool hangs, poison, diverges;
    uint32_t fails; /* its first attempts that end FAILED, OOM or TIMEOUT */
    /* Mask of the experiments that want it; 0: the first, and nothing controls it. */
    uint32_t groups;
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
                                     mask of those whose files go after the commit */
};
struct db_attempt {
    uint64_t id, job, epoch, worker, ended, cause, counted, points; /* points: mask */
};
/* The modelled store. Every write goes through db_set, so that a crash can undo what was not
 * committed. */
struct db {
    struct db_job job[JOBS_MAX];
    struct db_attempt attempt[ATTEMPTS_MAX];
    uint64_t attempts_len, incarnation, reserved;
    uint64_t shape_us[SHAPES]; /* what jobs of a shape took, 0: nobody knows */
    uint64_t repeats;          /* late results that were compared with the committed one */
    uint64_t paused[GROUPS], priority[GROUPS];
    uint64_t files[JOBS_MAX]; /* mask of the steps whose checkpoints are there; no transaction */
    struct {
        uint64_t *at, before;
    } undo[65536];
    size_t undo_len;
    int code;       /* what the store said to the message of this step */
    uint32_t ready; /* mask of experiments whose jobs became ready; their highest priorities: */
    int32_t ready_priority[GROUPS];
};

struct host_slot {
    bool busy, hung, stop, waits; /* waits: for the ack of an example or a checkpoint */
    bool told;                    /* the agent knows that it took the lease */
    bool drain, saves; /* drain: stop, but save first; saves: what waits is a checkpoint */
    size_t held;
    uint64_t attempt, counter, doing;
    uint32_t epoch, job, example, done; /* done: mask */
    uint32_t step, saved;               /* training: done, and those that are in a checkpoint */
    uint64_t points, points_acked; /* masks of its own steps; those that a checkpoint brought */
    uint64_t turn;                 /* events of an older turn are void */
    uint64_t begun_ms, moved_ms;
};
/* A lease that the agent holds, by the agent's place for it. */
struct host_lease {
    uint64_t attempt, points, begun_ms; /* points: of a finished one */
    uint32_t epoch, job, finished, step;
    bool ran;
};
/* What a slot tells the agent, a moment later. */
struct slot_post {
    enum agent_event_kind kind;
    size_t slot, held;
    int code;
};
struct host {
    bool alive, draining;
    uint64_t worker;
    struct host_slot slot[SLOTS_MAX];
    struct host_lease lease[HELD_MAX];
    size_t queue[SLOTS_MAX + QUEUE_MAX], queue_len; /* places of leases that wait for a slot */
    struct slot_post post[POSTS_MAX];
    size_t posts_len;
    size_t withdrawn[HELD_MAX], withdrawn_len; /* to be told to the agent after its step */
    uint64_t stopped_until_ms, wake_ms, classes, turn;
    uint64_t clock;     /* what its own clock is ahead of ours */
    uint64_t end_ms;    /* it drains then, by our clock; 0: when asked to */
    uint32_t speed;     /* percent */
    struct agent agent; /* last: large, and cleared by itself */
};
/* What a host has, whichever process runs there. */
struct machine {
    uint64_t labels, memory_mib;
    uint32_t cores;
};
struct link {
    uint64_t peer, turn;
    uint64_t blocked_until_ms[2], last_ms[2];
};

enum sim_event_kind {
    SE_DELIVER,
    SE_HOST_WAKE,
    SE_HOST_START,
    SE_HOST_LEAVES, /* its allocation ends soon */
    SE_CONNECTED,
    SE_DISCONNECTED,
    SE_POSTED,
    SE_COMPUTED,
    SE_SAVE,
    SE_FINISH,
    SE_COORD_WAKE,
    SE_COORD_START,
    SE_COMMIT,
    SE_FAULTS,
    SE_CANCEL,
    SE_CONTROL,
    SE_AGAIN, /* a message of a worker, once more */
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
enum control_verb { C_PAUSE, C_RESUME, C_PRIORITY, C_RETRY, C_DRAIN, CONTROL_VERBS };
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

struct outbox {
    struct msg *v;
    size_t len, cap;
};
struct coord {
    bool up, committing; /* committing: the disk takes its time */
    struct sched *core;
    uint64_t wake_ms, commit_ms, stopped_until_ms, full_until_ms;
    uint64_t clock; /* what its own clock is ahead of ours; another one after each start */
    bool opening;   /* it tells the core of attempts of before */
    bool load;      /* a LOAD waits for its answer: */
    uint64_t load_experiment;
    uint32_t load_want, steps_now; /* steps_now: in the millisecond steps_ms */
    uint64_t steps_ms;
    struct outbox outbox, sending; /* of the open transaction; of the one that was committed */
};

struct sim {
    uint64_t seed, now_ms, orders;
    struct sim_conf conf;
    struct rng rng;
    struct job_spec spec[JOBS_MAX];
    uint32_t owner[JOBS_MAX]; /* see db_owner() */
    struct db db;
    struct coord coord;
    struct client client;
    struct host host[HOSTS_MAX];
    struct link link[HOSTS_MAX];
    struct machine machine[HOSTS_MAX];
    struct oracle oracle;
    struct sim_event *queue;
    size_t queue_len, queue_cap;
    uint64_t workers, peers; /* ids given out */
    uint64_t hash, core_steps;
    uint32_t maybe_open; /* a job, less one, that was open when we last looked */
    bool fired[FAULTS];
    bool faults_on;
    bool again; /* the second run of a seed, for its hash only: nobody judges */
    void (*trace)(void *arg, const char *line); /* NULL: nobody listens */
    void *trace_arg;
    size_t (*pick)(struct sim *m); /* which event of the queue is next; NULL: the first one */
    void (*failed)(uint64_t seed); /* before the report of a run without a listener; or NULL */
    struct sched_actions out;
};

#endif
