/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h - time for shells; cores get it with their events. */
#ifndef COMMON_BASE_CLOCK_H
#define COMMON_BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_ms(void);     /* CLOCK_MONOTONIC, milliseconds */
uint64_t clock_ns(void);     /* CLOCK_MONOTONIC, nanoseconds */
int64_t clock_wall_ms(void); /* since 1970, UTC; for display only */
int64_t clock_wall_us(void);
void clock_sleep_ms(uint64_t ms);
/* "2026-11-21T18:20:47.123Z" for WALL_MS. */
const char *clock_iso(int64_t wall_ms, char out[32]);
/* "2026-11-21T18:20:47.123456Z" for WALL_US. */
const char *clock_iso_us(int64_t wall_us, char out[32]);

#endif
