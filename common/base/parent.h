/* SPDX-License-Identifier: Apache-2.0 */
/* parent.h - what a daemon knows about the command that started it, from a pipe of which the
 * command holds the writing end: it never outlives the command, unless that said "go on alone". */
#ifndef COMMON_BASE_PARENT_H
#define COMMON_BASE_PARENT_H

#include "common/base/err.h"

struct parent;

enum parent_state {
    PARENT_HERE,
    PARENT_LEFT, /* it said goodbye: go on without it, until the work is done */
    PARENT_GONE, /* the pipe closed without a word */
};
#define PARENT_GOODBYE 'L' /* what the command writes into the pipe before it leaves */

/* Watch FD (the reading end) from a thread of its own, and call WAKE(ARG) from there when the state
 * changes, which it does once. ERR_INVALID: FD is not open; ERR_NOMEM. */
int parent_watch(struct parent **ret, int fd, void (*wake)(void *arg), void *arg,
                 struct err *err) MUST_CHECK;
enum parent_state parent_state(const struct parent *p); /* NULL: HERE */
void parent_free(struct parent *p);                     /* NULL is fine */

#endif
