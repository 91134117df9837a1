/* SPDX-License-Identifier: Apache-2.0 */
/* utext.h - what Python's strings do, for texts that are mostly UTF-8 (a byte that is not counts as
 * one character). Internal to common/grading. */
#ifndef COMMON_GRADING_UTEXT_H
#define COMMON_GRADING_UTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"

/* The character at S (NUL-terminated) and its bytes; a byte that is not UTF-8 is 0xdc00 + byte, as
 * Python's surrogateescape has it. */
uint32_t utext_char(const char *s, size_t *ret_len);
/* The character that ends before AT in the string that starts at START. */
uint32_t utext_char_before(const char *start, const char *at);
void utext_add_char(struct buf *out, uint32_t c);

bool utext_is_space(uint32_t c); /* str.isspace */
bool utext_is_word(uint32_t c);  /* \w: letters, digits, '_' (by blocks beyond Latin-1) */
/* Append S in lower case: Latin, Greek, Cyrillic, Armenian; other letters as they are. */
void utext_lower(const char *s, struct buf *out);

/* The part of S..S+LEN without white space at both ends. */
void utext_strip(const char **s, size_t *len);
/* Every FROM in *B becomes TO, left to right, not overlapping. */
void utext_replace(struct buf *b, const char *from, const char *to);
void utext_set(struct buf *b, const char *s, size_t len); /* S may lie in *B */
bool utext_starts(const char *s, const char *start);
/* strstr() that reads no further than the hit, whatever watches it: calling it hit by hit is
 * linear.
 */
const char *utext_find(const char *s, const char *word);
bool utext_is_digit(char c);

/* Python's float(): the text less white space is a decimal number (no underscores, inf, nan). */
bool utext_is_decimal(const char *s, size_t len);

#endif
