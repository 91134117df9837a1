/* SPDX-License-Identifier: Apache-2.0 */
/* cards.h - leases of simple jobs, packed but for attempt and epoch, made from what a listing of
 * ready jobs says, so that giving one out asks the store nothing. A table of fixed size: a job's
 * card may be gone at any time, then the store is asked. Private to coordinator/. */
#ifndef COORDINATOR_CARDS_H
#define COORDINATOR_CARDS_H

#include <stddef.h>
#include <stdint.h>

#include "store/ready.h"

enum {
    CARDS = 32768,         /* by the job's number: 16 MB at the usual 300 bytes, at most */
    CARD_BYTES_MAX = 1024, /* longer ones are not kept */
};

struct cards;
struct cards *cards_new(void);
void cards_free(struct cards *c); /* NULL is fine */

/* Keep what R says; nothing happens unless it is simple. */
void cards_put(struct cards *c, const struct store_ready *r);
/* The card of JOB and its length, NULL when it is not there. Valid until the next cards_put(). */
const void *cards_get(const struct cards *c, uint64_t job, size_t *ret_len);
/* JOB's lease says more from now on: it has a checkpoint. */
void cards_drop(struct cards *c, uint64_t job);

#endif
