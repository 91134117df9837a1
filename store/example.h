/* SPDX-License-Identifier: Apache-2.0 */
/* example.h - a new result of an example becomes a row. Shared by example.c and example_put.c.
 * EXAMPLE: its row; *RET_STORED stays false when the family has a result of this example, or at
 * this index, already. ERR_INVALID: a routing that is none. */
#ifndef STORE_EXAMPLE_H
#define STORE_EXAMPLE_H

#include "store/attempt.h"

int put_label(struct store *s, const struct attempt_row *row, const struct store_example_result *r,
              uint64_t example, const struct digest *digest, bool *ret_stored,
              struct err *err) MUST_CHECK;
int put_score(struct store *s, const struct attempt_row *row, const struct store_example_result *r,
              uint64_t example, const struct digest *digest, bool *ret_stored,
              struct err *err) MUST_CHECK;

#endif
