/* SPDX-License-Identifier: Apache-2.0 */
/* embedded.h - the coordinator and workers that `drover run` starts for its own duration: the real
 * daemons over loopback. */
#ifndef EXPERIMENTS_CLI_EMBEDDED_H
#define EXPERIMENTS_CLI_EMBEDDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

/* Each worker is a process: more than this on one host is a mistake. */
enum { EMBEDDED_WORKERS_MAX = 256 };

struct embedded;

struct embedded_conf {
    bool insecure;      /* plaintext; else with the store's keys */
    const char *folder; /* of the daemons */
    const char *store;  /* logs go to STORE-logs/ */
    size_t workers, threads;
    size_t slots;             /* of each worker; 0: 1 */
    const char *const *label; /* that they have, at most 16, ended by NULL; NULL: none */
    const char *programs;     /* that exec steps may run, parted by commas; NULL: none */
    const char *endpoint;     /* of a coordinator that runs already, else NULL: start one */
};

/* Start the coordinator (unless CONF names one) and wait until it is ready. Errors carry its last
 * words. */
int embedded_new(const struct embedded_conf *conf, struct embedded **ret,
                 struct err *err) MUST_CHECK;
/* What still runs is killed. NULL is fine. */
void embedded_free(struct embedded *e);
const char *embedded_endpoint(const struct embedded *e);
const char *embedded_logs(const struct embedded *e);

/* Start the workers, once. */
int embedded_work(struct embedded *e, struct err *err) MUST_CHECK;
bool embedded_working(const struct embedded *e);
/* Restart what died: REPORT gets a line for people. A child that dies again and again is an error
 * (its last words). Call it often. */
int embedded_watch(struct embedded *e, uint64_t now_ms, void (*report)(void *arg, const char *line),
                   void *arg, struct err *err) MUST_CHECK;

/* Ask the workers to drain; once they are gone, the coordinator to end. Call embedded_stopped()
 * until it is true. */
void embedded_stop(struct embedded *e);
bool embedded_stopped(struct embedded *e);
/* Let them go on without this command: the coordinator ends when nothing is left to do, the workers
 * after it. Nothing of E runs any more as far as E knows. */
void embedded_leave(struct embedded *e);
/* End all of them now. Nothing that was acknowledged is lost. */
void embedded_kill(struct embedded *e);

#endif
