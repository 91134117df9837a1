/* SPDX-License-Identifier: Apache-2.0 */
/* dmath.h - logarithm and power of positive doubles by plain arithmetic, so that selections do not
 * depend on the C library. Relative error below 1e-14 for arguments in [1e-6, 1e9] (tested against
 * libm). */
#ifndef WORKER_SEARCH_DMATH_H
#define WORKER_SEARCH_DMATH_H

/* Natural logarithm of X > 0, finite (asserted). */
double dmath_log(double x);
/* X^P for X > 0; P in [0, 1]. */
double dmath_pow(double x, double p);

#endif
