/* SPDX-License-Identifier: Apache-2.0 */
/* outbox.h - messages wait here, packed, until what they say is committed. Acks and leases of one
 * peer travel together: an Ack holds many numbers, a Leases many leases. A single lease stays a
 * Lease. The messages of a peer keep their order, but for acks, which may go before leases that
 * were added earlier. Private to coordinator/. */
#ifndef COORDINATOR_OUTBOX_H
#define COORDINATOR_OUTBOX_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/wire/wire.h"

enum {
    OUTBOX_GROUP_MAX = WIRE_GROUP_MAX, /* leases, or acks, in one message */
    OUTBOX_GROUP_BYTES = 1 << 20,      /* a group of leases is closed when it has so many */
};

struct outbox;
struct outbox *outbox_new(void);
void outbox_free(struct outbox *o); /* NULL is fine */

/* Any other message; errors of wire_encode(), then nothing was added. */
int outbox_add(struct outbox *o, uint64_t peer, Drover__Envelope__BodyCase body, void *message,
               uint64_t request, struct err *err) MUST_CHECK;
/* The same with a message that is packed already: LEN bytes, at most WIRE_BYTES_MAX less 64. */
void outbox_add_packed(struct outbox *o, uint64_t peer, Drover__Envelope__BodyCase body,
                       const void *packed, size_t len, uint64_t request);
void outbox_ack(struct outbox *o, uint64_t peer, uint64_t seq, int code);
/* CARD: a packed Lease without attempt and epoch, LEN bytes (copied). */
void outbox_lease(struct outbox *o, uint64_t peer, const void *card, size_t len, uint64_t attempt,
                  uint32_t epoch);

/* SEND(ARG, peer, bytes, len) for each message; the outbox is empty afterwards. */
typedef void (*outbox_send_fn)(void *arg, uint64_t peer, const void *bytes, size_t len);
void outbox_flush(struct outbox *o, outbox_send_fn send, void *arg);
/* Likewise, but only the leases of peers for whom nothing else waits: they leave before the rest,
 * which stays. Does nothing when more than 64 messages and groups wait. */
void outbox_flush_leases(struct outbox *o, outbox_send_fn send, void *arg);
void outbox_drop(struct outbox *o);

struct outbox_counts {
    size_t bytes, messages;            /* that wait now; groups still open count their content */
    uint64_t ack_groups, lease_groups; /* made since the beginning */
};
struct outbox_counts outbox_counts(const struct outbox *o);

#endif
