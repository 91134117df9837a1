/* SPDX-License-Identifier: Apache-2.0 */
/* crowd.h - the connections of a listening side by their descriptors, and who has to go when there
 * are too many.
 *
 *   accept            speak               leave
 *   ------> SILENT ------------> HEARD ---------->
 *             |                    |
 *             +---- crowd_excess, crowd_send_away: GOING, until it leaves
 *
 * Silent ones are in the handshake, or strangers that never begin it. Of them the oldest go first:
 * an honest handshake takes milliseconds. Pure: it names descriptors, the caller shuts them. */
#ifndef COMMON_NET_CROWD_H
#define COMMON_NET_CROWD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/net/key.h"

struct crowd_limits {
    unsigned total, silent;                 /* connections */
    unsigned address_total, address_silent; /* of one address */
};

struct crowd;
struct crowd *crowd_new(const struct crowd_limits *limits);
void crowd_free(struct crowd *c); /* NULL is fine */

/* FD is a new connection from ADDRESS (IPv4, any number; 0: not known, no limits of its own). */
void crowd_accept(struct crowd *c, int fd, uint32_t address);
/* FD proved to have the public key KEY, "" for none. True: now, and it came from *RET_ADDRESS;
 * cheap when it did so before. */
bool crowd_speak(struct crowd *c, int fd, const char *key, uint32_t *ret_address);
/* FD is closed. *RET_ADDRESS is where it came from, *RET_SILENT: it never spoke (and was not sent
 * away). False: not known. */
bool crowd_leave(struct crowd *c, int fd, uint32_t *ret_address, bool *ret_silent);
/* One that must go, as limits want it; it is GOING now. False: nobody. */
bool crowd_excess(struct crowd *c, int *ret_fd, uint32_t *ret_address);
/* One with a key that KEEP does not want, from *AT (0 at first) on; it is GOING now. False: nobody.
 */
bool crowd_send_away(struct crowd *c, bool (*keep)(void *arg, const char *key), void *arg, int *at,
                     int *ret_fd);
unsigned crowd_count(const struct crowd *c);

#endif
