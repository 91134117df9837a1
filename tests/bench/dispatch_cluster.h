/* SPDX-License-Identifier: Apache-2.0 */
/* dispatch_cluster.h - a coordinator and its workers as a user starts them: the real programs, each
 * a process, over loopback TCP, with a store in a scratch folder. Failures end the bench with a
 * message. */
#ifndef TESTS_BENCH_DISPATCH_CLUSTER_H
#define TESTS_BENCH_DISPATCH_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/base/err.h"
#include "common/net/transport.h"
#include "tests/bench/dispatch_scratch.h"
#include "tests/bench/dispatch_starts.h"

enum { CLUSTER_WORKERS_MAX = 4, CLUSTER_ARGS_MAX = 24, CLUSTER_PATH = 256 };

struct cluster_conf {
    size_t workers;
    bool curve;       /* encrypted, as by default; else --insecure */
    bool tell_starts; /* workers log the beginning of each job (starts) */
    const char *from; /* a store to begin with, which is moved; NULL: an empty one */
};

struct cluster {
    struct cluster_conf conf;
    struct scratch scratch;
    char dir[CLUSTER_PATH], store[CLUSTER_PATH + 32], endpoint[CLUSTER_PATH];
    pid_t coordinator, worker[CLUSTER_WORKERS_MAX];
    struct starts *starts; /* NULL without tell_starts */
    struct store *reader;  /* of the store, beside the coordinator */
};

void cluster_open(struct cluster *c, const struct cluster_conf *conf);
void cluster_close(struct cluster *c); /* ends the programs, removes the folder */

/* Start the coordinator (again, at the same endpoint) and wait until it listens. */
void cluster_start(struct cluster *c);
void cluster_start_worker(struct cluster *c, size_t index);
void cluster_kill(struct cluster *c); /* the coordinator, with SIGKILL */

/* CPU seconds (user and system) that the coordinator, all workers have used. */
double cluster_cpu(const struct cluster *c);
double cluster_workers_cpu(const struct cluster *c);
/* Resident bytes of the coordinator; of them, those that are no file's; the most it ever had. */
struct cluster_memory {
    uint64_t resident, anonymous, peak;
} cluster_memory(const struct cluster *c);
/* Of all workers together. */
struct cluster_memory cluster_workers_memory(const struct cluster *c);

/* A number that SQL gives, from what is durable; 0 when it gives no row. */
uint64_t cluster_ask(struct cluster *c, const char *sql);
/* Until every job is DONE, as a reader of the store sees it: what is committed. Ends the bench when
 * that takes longer than SECONDS, or when other than TOTAL jobs are DONE then. When it was so, in
 * store_seconds(). */
double cluster_wait_done(struct cluster *c, uint64_t total, double seconds);
/* Are fewer than N jobs ready? */
bool cluster_ready_few(struct cluster *c, uint64_t n);
/* A connection of a client. */
int cluster_connect(const struct cluster *c, struct transport **ret, struct err *err) MUST_CHECK;

#endif
