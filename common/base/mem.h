/* SPDX-License-Identifier: Apache-2.0 */
/* mem.h - memory or abort. Sizes that a user chose (models, data sets) use mem_try_* and return
 * ERR_NOMEM. */
#ifndef COMMON_BASE_MEM_H
#define COMMON_BASE_MEM_H

#include <stddef.h>

#include "common/base/macros.h"

/* N * SIZE zeroed bytes (free() them); aborts with a message when there is no memory or the product
 * overflows. */
void *mem_calloc(size_t n, size_t size) MUST_CHECK;
/* Grow or shrink P to N * SIZE bytes; new bytes are not zeroed. Aborts as above. */
void *mem_realloc(void *p, size_t n, size_t size) MUST_CHECK;
/* Zeroed, 64-byte aligned array of N * SIZE bytes, rounded up to 64 (free() it); aborts as above.
 */
void *mem_aligned(size_t n, size_t size) MUST_CHECK;
/* As mem_aligned but NULL when there is no memory or the product overflows. */
void *mem_try_aligned(size_t n, size_t size) MUST_CHECK;
/* Copies; abort as above. */
char *mem_strdup(const char *s) MUST_CHECK;
void *mem_dup(const void *p, size_t size) MUST_CHECK;
/* For CLEANUP(mem_cleanup): frees *(void **)p. */
void mem_cleanup(void *p);

#endif
