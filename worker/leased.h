/* SPDX-License-Identifier: Apache-2.0 */
/* leased.h - the leases of one message, taken apart without copying: the message goes with the last
 * of them, on whichever thread that is. */
#ifndef WORKER_LEASED_H
#define WORKER_LEASED_H

#include <stddef.h>

#include "common/wire/drover.pb-c.h"

struct lease_group;

/* One lease, owned; an empty one has lease == NULL. */
struct leased {
    const Drover__Lease *lease;
    struct lease_group *group;
};

/* Take over MESSAGE, a Lease or Leases, of which *RET_LEN (0: MESSAGE is freed) leases are to be
 * had by leased_at, each once. */
struct lease_group *lease_group_new(Drover__Envelope *message, size_t *ret_len);
struct leased leased_at(struct lease_group *g, size_t i);
/* Nothing of L is used any more. Empties it; an empty one is fine. */
void leased_release(struct leased *l);

#endif
