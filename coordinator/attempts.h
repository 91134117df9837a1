/* SPDX-License-Identifier: Apache-2.0 */
/* attempts.h - what the shell remembers of the attempts that have a lease, for people: how far each
 * is. Attempts have one number everywhere: in the core, in the store, and on the wire. */
#ifndef COORDINATOR_ATTEMPTS_H
#define COORDINATOR_ATTEMPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct attempt {
    uint64_t id, job;
    uint32_t epoch;
    uint64_t done, total;        /* as the worker last told */
    uint64_t begun_ms;           /* when it was added, or found after a restart */
    struct attempt *prev, *next; /* in the order in which they were added */
};

struct attempts;
struct attempts *attempts_new(void);
void attempts_free(struct attempts *a);

/* ID must be new (asserted). Valid until attempts_end(). */
struct attempt *attempts_add(struct attempts *a, uint64_t id, uint32_t epoch, uint64_t job,
                             uint64_t now_ms);
/* ID is over; nothing happens when it is not here. */
void attempts_end(struct attempts *a, uint64_t id);
struct attempt *attempts_find(const struct attempts *a, uint64_t id); /* NULL */
/* The first, oldest first; the others by .next. NULL: none. */
struct attempt *attempts_running(const struct attempts *a);

#endif
