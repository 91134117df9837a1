/* SPDX-License-Identifier: Apache-2.0 */
/* pairing.h - may results of two families be compared example by example? */
#ifndef STORE_PAIRING_H
#define STORE_PAIRING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"

struct store;

/* Are the first N examples of families A and B the same, place by place? The first, the middle and
 * the last are looked at: lists of a task come from one file or another, and differ throughout. */
int store_same_examples(struct store *s, uint64_t a, uint64_t b, uint64_t n, bool *ret,
                        struct err *err) MUST_CHECK;

#endif
