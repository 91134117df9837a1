/* SPDX-License-Identifier: Apache-2.0 */
/* notify.h - telling a service manager how we are: sd_notify(3)'s protocol, a datagram to the
 * socket that the environment names. Without one nothing happens. Any thread; never blocks. */
#ifndef COMMON_BASE_NOTIFY_H
#define COMMON_BASE_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/macros.h"

/* "READY=1", "STOPPING=1", "STATUS=...": assignments, a line each. True when it was sent. */
bool notify_send(const char *format, ...) PRINTF_LIKE(1, 2);

/* How often "WATCHDOG=1" is expected at least, in milliseconds, halved for safety; 0: never. */
uint64_t notify_watchdog_ms(void);

#endif
