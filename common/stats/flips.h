/* SPDX-License-Identifier: Apache-2.0 */
/* flips.h - the sign-flip test of paired.h. */
#ifndef COMMON_STATS_FLIPS_H
#define COMMON_STATS_FLIPS_H

#include <stddef.h>

/* Two-sided p of the N finite DIFFERENCEs: if A and B were the same, each sign could as well be the
 * other. N > 0 (asserted). See stats_paired. */
double flips_p(const double *difference, size_t n);

#endif
