/* SPDX-License-Identifier: Apache-2.0 */
/* exact.h - states as text: blank-separated words, doubles as the 16 hex digits of their bits.
 * Internal to common/curriculum. */
#ifndef COMMON_CURRICULUM_EXACT_H
#define COMMON_CURRICULUM_EXACT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"

void exact_put_word(struct buf *out, const char *word);
void exact_put_count(struct buf *out, uint64_t v);
void exact_put_real(struct buf *out, double v);

/* A reader over a text; OK turns false at the first thing that is not what was asked for, and
 * values are 0 from then on. Only what the writers above make is taken: one blank between words, no
 * leading zeros, lower-case digits. */
struct exact {
    const char *at;
    bool ok, begun;
};

void exact_take_word(struct exact *e, const char *word);
uint64_t exact_take_count(struct exact *e, uint64_t max);
/* Finite and within MIN..MAX. */
double exact_take_real(struct exact *e, double min, double max);
/* Was all of it read, and all as asked for? */
bool exact_end(const struct exact *e);

#endif
