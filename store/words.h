/* SPDX-License-Identifier: Apache-2.0 */
/* words.h - texts that many rows share (kinds, classes, steps), kept once, as long as the store is
 * open; private to the store. Their number is that of the recipes' steps, not that of the jobs. */
#ifndef STORE_WORDS_H
#define STORE_WORDS_H

#include <stddef.h>

struct words;

/* TEXT of LEN bytes, ended by a zero; *W is made at the first call. LAST, NULL or an earlier word
 * of W, is looked at first. */
const char *words_get(struct words **w, const char *text, size_t len, const char *last);
void words_free(struct words *w); /* NULL is fine */

#endif
