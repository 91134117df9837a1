/* SPDX-License-Identifier: Apache-2.0 */
/* dmath.h - elementary functions of doubles by plain arithmetic, so that what is decided from them
 * (selections, schedules, controllers) does not depend on the C library. Errors are tested against
 * libm. */
#ifndef COMMON_BASE_DMATH_H
#define COMMON_BASE_DMATH_H

/* Natural logarithm of X > 0, 1e-300..1e300 (asserted). Relative error below 1e-14. */
double dmath_log(double x);
/* e^X for -690 < X < 690 (asserted). Relative error below 1e-14 for |X| < 100. */
double dmath_exp(double x);
/* X^P for X > 0; P in [0, 1]. Relative error below 1e-14 for X in [1e-6, 1e9]. */
double dmath_pow(double x, double p);
/* Any finite X. Absolute error below 1e-14. */
double dmath_tanh(double x);
/* cos(pi * X) for X in 0..1. Absolute error below 1e-11. */
double dmath_cos_pi(double x);

#endif
