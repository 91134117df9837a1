/* SPDX-License-Identifier: Apache-2.0 */
/* pin.h - the threads of the slots on cores of their own.
 *
 * A thread that moves between cores leaves its caches behind; two busy threads bound to one core
 * halve each other while another core idles. So a core is claimed before threads are bound to it:
 * by an flock on its file in a folder that this user's workers on this host share, held as long as
 * the process lives. Thread t of slot s gets the (s * threads + t)-th core claimed.
 *
 *   auto  when slots * threads is exactly the number of cores that this process may use (by its
 *         affinity mask, its cgroup) and no other worker has claimed one of them. Several workers
 *         beside each other, as `drover run` starts them, are left to the system's scheduler: what
 *         else runs on the host is not known.
 *   on    the first cores that nobody has claimed, if there are enough.
 *   off   never.
 *
 * Not pinning is no error; results do not depend on it. */
#ifndef WORKER_PIN_H
#define WORKER_PIN_H

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct pool;

enum pin_mode { PIN_AUTO, PIN_ON, PIN_OFF };

/* Which of CORES cores each of THREADS threads is bound to: indexes into FREE, written to RET
 * (room for THREADS), every one free and none twice. False: none is bound. Pure. */
bool pin_assign(enum pin_mode mode, const bool *free, size_t cores, size_t threads, size_t *ret);

struct pin;
/* Claim cores for SLOTS slots of THREADS threads. DIR: folder of the claims, made when absent;
 * NULL: $XDG_RUNTIME_DIR/drover-cores, else /tmp/drover-cores-UID. Never NULL; WHY gets a sentence
 * for the log: what was bound, or why nothing was. */
struct pin *pin_new(enum pin_mode mode, size_t slots, size_t threads, const char *dir,
                    struct buf *why);
void pin_free(struct pin *p); /* NULL is fine */
bool pin_is_on(const struct pin *p);
/* "cores 0 1 2 3": the claimed ones as the system numbers them; "" when there are none. */
const char *pin_cores(const struct pin *p);

/* All of these do nothing when P is NULL or nothing is bound. */

/* Bind the calling thread and the threads of POOL, which it owns, to the cores of SLOT. */
void pin_slot(const struct pin *p, size_t slot, struct pool *pool);
/* Let the calling thread, and threads that it makes from now on, run on all cores of the process.
 */
void pin_loosen(const struct pin *p);

#endif
