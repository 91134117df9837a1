/* SPDX-License-Identifier: Apache-2.0 */
/* nearest.h - "did you mean": the known word that a misspelt one most likely is. */
#ifndef COMMON_BASE_NEAREST_H
#define COMMON_BASE_NEAREST_H

/* Of WORDS (ended by NULL) the one with the least edit distance to WORD (insertions, deletions,
 * substitutions and swaps of neighbours count 1; case is ignored), if that is at most 1 + length of
 * WORD / 3; the first of several; else NULL. Words above 63 bytes are never near. */
const char *nearest_find(const char *word, const char *const *words);

#endif
