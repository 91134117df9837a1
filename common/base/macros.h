/* SPDX-License-Identifier: Apache-2.0 */
/* macros.h - the few macros that every folder may use; nothing else lives here. */
#ifndef COMMON_BASE_MACROS_H
#define COMMON_BASE_MACROS_H

#include <stddef.h>

/* The caller must look at the return value. */
#define MUST_CHECK __attribute__((warn_unused_result))
/* printf-like: format is parameter F, its arguments start at parameter A. */
#define PRINTF_LIKE(F, A) __attribute__((format(printf, F, A)))
/* Run FN(&variable) when the variable leaves its scope. */
#define CLEANUP(FN) __attribute__((cleanup(FN)))

#define ARRAY_LEN(A)  (sizeof(A) / sizeof((A)[0]))
#define BIT(N)        (1u << (N))
#define IMPLIES(A, B) (!(A) || (B))
#define MIN(A, B)     ((A) < (B) ? (A) : (B))
#define MAX(A, B)     ((A) > (B) ? (A) : (B))

#endif
