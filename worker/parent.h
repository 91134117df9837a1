/* SPDX-License-Identifier: Apache-2.0 */
/* parent.h - tells when a pipe's other end is gone: an embedded worker never outlives the command
 * that started it. */
#ifndef WORKER_PARENT_H
#define WORKER_PARENT_H

#include <stdbool.h>

#include "common/base/err.h"

struct parent;

/* Watch FD (reading end; what comes is thrown away) from a thread of its own, and call WAKE(ARG)
 * from there once it is closed on the other side. ERR_INVALID: FD is not open; ERR_NOMEM. */
int parent_watch(struct parent **ret, int fd, void (*wake)(void *arg), void *arg,
                 struct err *err) MUST_CHECK;
bool parent_is_gone(struct parent *p);
void parent_free(struct parent *p); /* NULL is fine */

#endif
