/* SPDX-License-Identifier: Apache-2.0 */
/* pool.h - the threads of one slot. They block when idle (never spin), because cores may be shared.
 */
#ifndef WORKER_KERNELS_POOL_H
#define WORKER_KERNELS_POOL_H

#include <stddef.h>

struct pool;

/* THREADS >= 1 counts the caller's own; FTZ/DAZ are off in each (asserted). Aborts when threads
 * cannot be made. */
struct pool *pool_new(size_t threads);
void pool_free(struct pool *p);
size_t pool_threads(const struct pool *p); /* 1 for NULL */

/* Run FN(arg, i, thread) for i in 0..n-1, begun in order, spread over the threads (thread:
 * 0..threads-1, for scratch), and return when all are done. Results may not depend on which thread
 * ran what. Not re-entrant. P may be NULL: the caller runs all. */
typedef void (*pool_fn)(void *arg, size_t i, size_t thread);
void pool_run(struct pool *p, pool_fn fn, void *arg, size_t n);

#endif
