/* SPDX-License-Identifier: Apache-2.0 */
/* utf8.h - is it UTF-8? */
#ifndef COMMON_BASE_UTF8_H
#define COMMON_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the character at S (NUL-terminated; the NUL counts as one), 0 when they are not UTF-8: a
 * lone or missing continuation, an overlong form, a surrogate, beyond U+10FFFF. */
size_t utf8_len(const char *s);
/* The whole string S is UTF-8. */
bool utf8_valid(const char *s);

#endif
