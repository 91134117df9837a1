/* SPDX-License-Identifier: Apache-2.0 */
/* linear.h - LaTeX mathematics as one line of plain text, for comparison and for the parser of
 * expr.h. Internal to common/grading. */
#ifndef COMMON_GRADING_LINEAR_H
#define COMMON_GRADING_LINEAR_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"

/* \frac{a}{b} -> a/b (in brackets where they are needed), \sqrt[n]{x} -> sqrt[n](x), symbols by
 * name, braces gone. Beyond 64 levels the rest is copied as it is. */
void linear_text(const char *s, struct buf *out);

/* Commas between groups of three digits go: "1,234" but not "1,2". */
void linear_strip_commas(struct buf *b);
/* Python's float() takes it and it is within 1e-7 of a whole number. */
bool linear_is_int(const char *s, size_t len);
/* \text{...} around the whole goes. */
void linear_drop_text(struct buf *b);
void linear_insert(struct buf *b, size_t at, const char *s);

#endif
