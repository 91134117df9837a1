/* SPDX-License-Identifier: Apache-2.0 */
/* failures.h - the newest attempts that failed or were lost, for whoever watches a coordinator; the
 * store has them all. Fixed memory. */
#ifndef COORDINATOR_FAILURES_H
#define COORDINATOR_FAILURES_H

#include <stddef.h>
#include <stdint.h>

#include "coordinator/core/types.h"

enum { FAILURES_KEPT = 16, FAILURE_TEXT = 200 };

struct failure {
    enum sched_cause cause;
    uint64_t at_ms, job;
    char worker[64], text[FAILURE_TEXT]; /* whole UTF-8 characters of what was told */
};

struct failures {
    struct failure v[FAILURES_KEPT]; /* a ring */
    size_t next, len;
};

/* F gets a copy of what is given; the oldest goes when it is full. WORKER, TEXT: UTF-8. */
void failures_add(struct failures *f, enum sched_cause cause, uint64_t at_ms, uint64_t job,
                  const char *worker, const char *text);
/* The newest, or the one that came I before it; NULL: there are not so many. */
const struct failure *failures_at(const struct failures *f, size_t i);

#endif
