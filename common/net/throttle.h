/* SPDX-License-Identifier: Apache-2.0 */
/* throttle.h - how many unproved connections an address may bring: a token bucket for each.
 *
 * Every connection takes a token; when its peer proves its key and speaks, the token comes back and
 * the bucket grows (as TCP's slow start), so a rack of honest peers gets in within moments. Those
 * that never do (noise, floods, half-open ones) empty their address's bucket, which fills at
 * THROTTLE_PER_S: an address without tokens is shut out until it has THROTTLE_OPEN of them, which
 * takes 40 ms, or as much longer as it owes for what came before the door was shut. Work
 * before the proof (a handshake begun: some 0.1 ms) is so at most 2 % of a core per address in the
 * long run, and a few ms at once. Pure: times come from the caller; who is shut out is for the
 * caller to carry out. */
#ifndef COMMON_NET_THROTTLE_H
#define COMMON_NET_THROTTLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    THROTTLE_START = 32, /* tokens of a new address */
    THROTTLE_GROWTH = 4, /* per connection that proved itself */
    THROTTLE_MOST = 512,
    THROTTLE_PER_S = 200,
    THROTTLE_OPEN = 8,          /* tokens that open the door again: 40 ms */
    THROTTLE_DEBT = 128,        /* connections beyond the last token that count: at most 0.7 s */
    THROTTLE_SHUT_MAX = 64,     /* addresses shut out one by one; with more, all are */
    THROTTLE_FORGET_MS = 60000, /* a bucket that was full for so long; what it grew by goes, too */
};

struct throttle;
struct throttle *throttle_new(void);
void throttle_free(struct throttle *t); /* NULL is fine */

/* ADDRESS (IPv4, network order; 0: it was gone before it could be asked, so the poorest address is
 * charged, or nobody's bucket 0, without whose tokens everybody is shut out) brought a connection.
 * True: it is shut out from now on. */
bool throttle_accept(struct throttle *t, uint32_t address, uint64_t now_ms);
/* A connection of ADDRESS proved who it is; throttle_refill() may let it in again. */
void throttle_proved(struct throttle *t, uint32_t address, uint64_t now_ms);
/* Let in again who has tokens, forget who is quiet. True: fewer are shut out than before. */
bool throttle_refill(struct throttle *t, uint64_t now_ms);
/* When throttle_refill() will let somebody in; UINT64_MAX: nobody is shut out. */
uint64_t throttle_due_ms(const struct throttle *t);
/* Who is shut out: up to THROTTLE_SHUT_MAX in RET, their number; SIZE_MAX: everybody (more, or 0
 * is). */
size_t throttle_shut(const struct throttle *t, uint32_t ret[THROTTLE_SHUT_MAX]);

#endif
