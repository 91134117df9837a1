/* SPDX-License-Identifier: Apache-2.0 */
/* amount.h - numbers in few cells. */
#ifndef EXPERIMENTS_TOP_AMOUNT_H
#define EXPERIMENTS_TOP_AMOUNT_H

#include <stdint.h>

/* Texts of at most 15 bytes in OUT, which they return. */
typedef char amount[32];
const char *amount_count(amount out, double n);       /* 99999, 123k, 1.23M */
const char *amount_rate(amount out, double n);        /* 0.0, 9.9, 1234, 123k */
const char *amount_bytes(amount out, double n);       /* 512 B, 1.2 MiB */
const char *amount_age(amount out, uint64_t ms);      /* 0.3s, 12s, 5m, 7h, 3d */
const char *amount_clock(amount out, double seconds); /* 0:05, 1:02:03, 3d 04:05:06 */

#endif
