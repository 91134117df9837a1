/* SPDX-License-Identifier: Apache-2.0 */
/* exec_tail.h - the end of what a program prints, in bounded memory: the last EXEC_TAIL_BYTES,
 * whole lines, fit for a terminal. */
#ifndef WORKER_JOBS_EXEC_TAIL_H
#define WORKER_JOBS_EXEC_TAIL_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"

enum { EXEC_TAIL_BYTES = 60000 }; /* with the worker's own lines below the 64 KiB of a log */

struct exec_tail {
    struct buf bytes;
    uint64_t total; /* of what came */
};

void exec_tail_add(struct exec_tail *t, const char *bytes, size_t len);
/* Appended to OUT: a first line tells how much is missing, if any; a line that was rewritten (\r,
 * as progress bars do) is there as it was last; control characters are '?'. */
void exec_tail_print(const struct exec_tail *t, struct buf *out);
/* The last line that says something, at most SIZE - 1 bytes; "" when there is none. */
void exec_tail_last(const struct exec_tail *t, char *out, size_t size);
void exec_tail_release(struct exec_tail *t);

#endif
