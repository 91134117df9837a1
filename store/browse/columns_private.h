/* SPDX-License-Identifier: Apache-2.0 */
/* columns_private.h - what columns.c, words_of.c, column_keys.c and column_filter.c share. */
#ifndef STORE_BROWSE_COLUMNS_PRIVATE_H
#define STORE_BROWSE_COLUMNS_PRIVATE_H

#include "store/browse/columns.h"

/* ---- words_of.c ---- */

void words_release(struct words_of *w);
size_t words_bytes(const struct words_of *w);
/* Recipe text TEXT[LEN] is a number (not one in quotes). */
bool words_is_number(const char *text, size_t len, double *ret);
/* Code of recipe text TEXT[LEN], new or known. */
uint32_t words_add(struct words_of *w, const char *text, size_t len);
/* Code of a text as words_text shows it, QUOTED or not; 0: it is not there. */
uint32_t words_find(const struct words_of *w, const char *text, bool quoted);
const char *words_text(const struct words_of *w, uint32_t code);
bool words_quoted(const struct words_of *w, uint32_t code);
/* A row had BEFORE and has NOW. */
void words_count(struct words_of *w, uint32_t before, uint32_t now);
void words_rank(struct words_of *w);
/* How many words come before TEXT, whose number is NUMBER (NaN: none). */
uint32_t words_below(const struct words_of *w, const char *text, bool quoted, double number);

/* ---- columns.c: rows FROM .. FROM + N - 1 ---- */

void column_block_whole(const struct column *c, size_t from, size_t n, int64_t *ret);
void column_block_real(const struct column *c, size_t from, size_t n, double *ret);

#endif
