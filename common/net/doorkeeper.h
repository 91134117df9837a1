/* SPDX-License-Identifier: Apache-2.0 */
/* doorkeeper.h - the system turns connections away before this process hears of them: a packet
 * filter (classic BPF) on the listening socket drops what comes from given addresses, which try
 * again by themselves, a second later and ever more slowly. Connections that exist go on. */
#ifndef COMMON_NET_DOORKEEPER_H
#define COMMON_NET_DOORKEEPER_H

#include <stddef.h>
#include <stdint.h>

/* FD listens on tcp over IPv4. SHUT: LEN addresses (network order; at most THROTTLE_SHUT_MAX) that
 * are not let in; SIZE_MAX: nobody is; 0: everybody is. A system that knows no filters lets all in:
 * the limits of crowd.h remain. */
void doorkeeper_set(int fd, const uint32_t *shut, size_t len);

#endif
