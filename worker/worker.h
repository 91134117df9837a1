/* SPDX-License-Identifier: Apache-2.0 */
/* worker.h - the shell of a worker process: carries out what the agent (core/agent.h) decides.
 *
 * The calling thread is the network thread: connection to the coordinator, timers, signals; it
 * never computes. Each slot has a thread (slot.h) with its own pool and its own connection for
 * blobs. */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/net/transport.h"
#include "worker/core/agent.h"
#include "worker/pin.h"

struct worker_conf {
    const char *coordinator;           /* endpoint */
    const struct transport_keys *keys; /* for both sockets of the coordinator */
    const char *name;                  /* NULL: host:pid */
    const char *cache;                 /* folder */
    uint64_t cache_bytes;
    const char *models;       /* folder, or NULL */
    size_t slots;             /* 1..AGENT_SLOTS_MAX */
    size_t threads;           /* per slot, >= 1 */
    size_t cpus;              /* the most threads that one job may have */
    size_t queue;             /* leases that wait for a slot, at most AGENT_QUEUE_MAX */
    uint64_t memory_mib;      /* that all its jobs together may use; 0: not said */
    const char *const *label; /* what it has: "gpu"; for steps that ask for it */
    size_t labels_len;
    enum pin_mode pin;
    int parent_fd;          /* drain when this pipe closes; -1: none */
    const char *allocation; /* who started it, for the log; "" nobody */
    int64_t end_ms;         /* wall time of its allocation's end; 0: none */
    uint64_t leave_ms;      /* drains after so long; UINT64_MAX: when asked to */
    struct agent_times times;
};

struct worker_end {
    bool busy; /* jobs are still running, and the process is to end by _exit */
    bool cut;  /* the drain cut off jobs that had begun: they run again, from their checkpoints */
};

/* Work until drained: 0. Else the code of what ended it: a refusal by the coordinator (ERR_VERSION,
 * ...), ERR_TIMEOUT (a drain ran out of time), or a failed start (ERR_IO, ERR_INVALID, ...).
 * Handles SIGTERM, SIGINT, SIGUSR1 and SIGUSR2 (drain; again: shorter). Logs. Start no threads
 * before. */
int worker_run(const struct worker_conf *conf, struct worker_end *ret, struct err *err) MUST_CHECK;

#endif
