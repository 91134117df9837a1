/* SPDX-License-Identifier: Apache-2.0 */
/* status_report.h - a Status message under construction. The loop takes down what is in its memory
 * (status.c); a thread with a reading connection adds what the store knows, and packs it. */
#ifndef COORDINATOR_STATUS_REPORT_H
#define COORDINATOR_STATUS_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/wire/drover.pb-c.h"

struct buf;
struct store;

enum {
    STATUS_EXPERIMENTS_MAX = 1000,
    STATUS_STEPS_MAX = 1000,
    STATUS_FAILURES_MAX = 100,
    STATUS_RUNNING_MAX = 64,       /* jobs of an experiment that are named */
    STATUS_RUNNING_ALL_MAX = 8192, /* and of all: some 80 bytes each */
};

/* Arrays of pointers that grow by one: lists here are short. */
#define STATUS_APPEND(LIST, COUNT, VALUE)                                                          \
    do {                                                                                           \
        (LIST) = mem_realloc((LIST), (COUNT) + 1, sizeof(*(LIST)));                                \
        (LIST)[(COUNT)++] = (VALUE);                                                               \
    } while (0)

/* An experiment wants a running job, under this step. */
struct status_claim {
    uint64_t experiment;
    char step[64], what[40];
};

/* A job that ran when the question came. */
struct status_running {
    uint64_t job, begun_ms, done, total;
    const char *worker; /* of the report's workers; "" */
    struct status_claim *claims;
    size_t claims_len;
};

/* A Status under construction; all its memory is its own. */
struct status_report {
    struct store *store; /* the thread's */
    char *only;          /* name of the one that is asked for, "" for all */
    bool only_workers;   /* no experiments */
    uint64_t now_ms;
    struct status_running *running; /* oldest first */
    size_t running_len;
    char **names; /* of workers */
    size_t names_len;
    uint64_t *doing; /* numbers were asked for: a job each of m.workers, 0: none */
    Drover__Status m;
    struct {
        uint64_t id;
        char *name;
        uint64_t revision;
        bool cancelled;
    } found[STATUS_EXPERIMENTS_MAX];
    size_t found_len;
};

/* For an asker (asker.h): ARG is a struct status_report, STORE the thread's; the message is added
 * to RET. ERR_NOT_FOUND with the names there are. */
int status_report_make(struct store *store, void *arg, struct buf *ret, struct err *err) MUST_CHECK;
/* ARG is a struct status_report, with all that it holds: everything in it was made by malloc, as an
 * unpacked message is. */
void status_report_free(void *arg);

#endif
