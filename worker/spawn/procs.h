/* SPDX-License-Identifier: Apache-2.0 */
/* procs.h - the processes below one, from /proc. Who polls pays about 10 us per process of the
 * computer. Private to worker/spawn. */
#ifndef WORKER_SPAWN_PROCS_H
#define WORKER_SPAWN_PROCS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct procs {
    pid_t *pid; /* of the living ones: no zombies */
    size_t len, cap;
    uint64_t resident_bytes; /* summed: a page that two share counts twice */
};

/* The descendants of ROOT, without those below SKIP[0..SKIP_LEN) and these themselves. False when
 * /proc cannot be read. */
bool procs_read(struct procs *t, pid_t root, const pid_t *skip, size_t skip_len);
void procs_release(struct procs *t);
/* Resident bytes with shared pages counted once (PSS), where the kernel tells; else the sum. */
uint64_t procs_resident(const struct procs *t);
/* SIGNAL to each. */
void procs_signal(const struct procs *t, int signal);
/* How often the kernel of this computer killed something because memory ran out; 0 when it does not
 * tell. */
uint64_t procs_kernel_kills(void);

#endif
