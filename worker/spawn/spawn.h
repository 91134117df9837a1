/* SPDX-License-Identifier: Apache-2.0 */
/* spawn.h - other people's programs, started by a helper process.
 *
 *   worker ----- socket ----- helper          forked by spawner_start(), before any thread
 *     |                         |  forks
 *     +-- socket per program -- keeper        one per program: a subreaper
 *     |                         |  forks, execve
 *     +-- two pipes ----------- program       a session of its own, no new privileges
 *                               |
 *                             its children, however they hide: setsid and double forks end under
 *                             the keeper, so that "no children are left" is exact
 *
 * A keeper ends its whole tree when it is told to (SIGTERM, a grace, SIGKILL), when a limit is
 * passed, when the program itself has ended, and at once when the worker or the helper is gone: the
 * socket closes, the parent's death signals. Nothing here is a sandbox: a program of the same user
 * that kills its keeper and the helper gets away. */
#ifndef WORKER_SPAWN_SPAWN_H
#define WORKER_SPAWN_SPAWN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/base/err.h"

/* The worker's end. One process has one; its functions are good for any thread. */
struct spawner;

/* Fork the helper. Call before any thread is started and before ZeroMQ. ERR_IO, ERR_NOMEM. */
int spawner_start(struct spawner **ret, struct err *err) MUST_CHECK;
/* Every program that still runs is killed; waits for the helper. NULL is fine. */
void spawner_free(struct spawner *s);
pid_t spawner_pid(const struct spawner *s); /* the helper's, for messages and tests */

/* ARGV and ENV end with NULL. PATH is what is executed, never a shell, no search. */
struct spawn_order {
    const char *path, *cwd;
    const char *const *argv;
    const char *const *env;
    uint64_t memory_bytes; /* resident, of the whole tree, shared pages counted once; 0: any */
    uint64_t time_ms;      /* 0: any */
    uint64_t grace_ms;     /* between SIGTERM and SIGKILL */
};

enum spawn_cause {
    SPAWN_EXITED,      /* status: its exit code */
    SPAWN_SIGNALLED,   /* status: the signal that ended it, which was not the keeper's */
    SPAWN_NOT_STARTED, /* status: the errno; step says of what */
    SPAWN_MEMORY,      /* above its memory; also when the kernel was out of it */
    SPAWN_TIME,        /* above its time */
    SPAWN_STOPPED,     /* as asked */
    SPAWN_ABANDONED,   /* the helper is gone */
    SPAWN_CAUSES
};

/* What of starting a program failed. */
enum spawn_step { SPAWN_AT_FORK, SPAWN_AT_CWD, SPAWN_AT_EXEC, SPAWN_STEPS };

struct spawn_end {
    enum spawn_cause cause;
    enum spawn_step step;
    int status;
    uint32_t left;  /* processes that outlived the program and were killed */
    uint32_t stuck; /* that could not be killed within SPAWN_STUCK_MS: they wait for a device */
    bool kernel;    /* MEMORY: it was the kernel that killed it */
    uint64_t peak_bytes; /* of what was polled */
    uint64_t cpu_ms;     /* user and system, of all that were waited for */
    uint64_t wall_ms;
};

enum { SPAWN_STUCK_MS = 5000, SPAWN_STRINGS_MAX = 4096, SPAWN_ORDER_MAX = 1 << 20 };

/* A program that runs. The descriptors do not block and are closed by program_close(). */
struct program {
    int control;   /* readable: call program_ended() */
    int output;    /* its standard output and error */
    int metrics;   /* what it writes to its descriptor 3 */
    char part[96]; /* of a message, PART_LEN bytes */
    size_t part_len;
};

/* ERR_LIMIT: an order of more than SPAWN_ORDER_MAX bytes; ERR_IO: the helper is gone. That the
 * program cannot be executed is told by its end. */
int program_start(struct spawner *s, const struct spawn_order *o, struct program *ret,
                  struct err *err) MUST_CHECK;
/* SIGTERM to its whole tree, SIGKILL after the grace. Its end comes as always. */
void program_stop(struct program *p);
/* *RET_ENDED: the tree is gone and *RET is its end. Never waits. ERR_IO: the keeper was killed. */
int program_ended(struct program *p, bool *ret_ended, struct spawn_end *ret,
                  struct err *err) MUST_CHECK;
/* What is left of it is killed at once. A closed one is fine. */
void program_close(struct program *p);

#endif
