/* SPDX-License-Identifier: Apache-2.0 */
/* weight.h - element types of weights in files and in packed panels. Every value of F16 and BF16 is
 * exact in float, so computing from a narrow weight gives the bits of computing from it widened. */
#ifndef WORKER_KERNELS_WEIGHT_H
#define WORKER_KERNELS_WEIGHT_H

#include <stddef.h>

enum weight_type { WEIGHT_F32, WEIGHT_F16, WEIGHT_BF16, WEIGHT_TYPES };

const char *weight_type_name(enum weight_type t); /* "F32", "F16", "BF16" */
size_t weight_type_bytes(enum weight_type t);     /* 4, 2, 2 */
/* OUT (n floats) = the N elements of TYPE at FROM, which may be unaligned. Not for hot loops. */
void weight_widen(float *out, const void *from, enum weight_type type, size_t n);

#endif
