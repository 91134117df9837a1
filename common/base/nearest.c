/* SPDX-License-Identifier: Apache-2.0 */
/* nearest.c - edit distance over short words. */
#include "common/base/nearest.h"

#include <stddef.h>
#include <string.h>

#include "common/base/macros.h"

enum { WORD_MAX = 63 };

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Optimal string alignment distance, three rows at a time. */
static size_t distance(const char *a, const char *b)
{
    size_t a_len = strlen(a), b_len = strlen(b);
    size_t rows[3][WORD_MAX + 1], *before = rows[0], *last = rows[1], *now = rows[2];

    for (size_t j = 0; j <= b_len; j++)
        last[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t *spare = before;

        now[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t differs = lower(a[i - 1]) != lower(b[j - 1]);

            now[j] = MIN(last[j - 1] + differs, MIN(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                lower(a[i - 2]) == lower(b[j - 1]))
                now[j] = MIN(now[j], before[j - 2] + 1);
        }
        before = last;
        last = now;
        now = spare;
    }
    return last[b_len];
}

const char *nearest_find(const char *word, const char *const *words)
{
    size_t best = 2 + strlen(word) / 3; /* one more than is near */
    const char *found = NULL;

    if (strlen(word) > WORD_MAX)
        return NULL;
    for (; *words; words++) {
        size_t d;

        if (strlen(*words) > WORD_MAX)
            continue;
        d = distance(word, *words);
        if (d < best) {
            best = d;
            found = *words;
        }
    }
    return found;
}
