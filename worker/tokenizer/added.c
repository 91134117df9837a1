/* SPDX-License-Identifier: Apache-2.0 */
/* added.c - tokens that are found in the text before anything else: the leftmost, the longest
 * there. The sorted list is narrowed byte by byte, so a look takes the depth of a match times
 * log n. */
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "worker/tokenizer/tokenizer_private.h"

static int by_bytes(const void *a, const void *b)
{
    const struct added *p = a, *q = b;
    int order = memcmp(p->text, q->text, MIN(p->len, q->len));

    if (order || p->len != q->len)
        return order ? order : p->len < q->len ? -1 : 1;
    return p->id < q->id ? -1 : p->id > q->id;
}

void added_sort(struct added_set *s)
{
    if (s->len)
        qsort(s->v, s->len, sizeof(*s->v), by_bytes);
    for (size_t i = 0; i < s->len; i++)
        s->starts[(unsigned char)s->v[i].text[0]] = true;
}

void added_release(struct added_set *s)
{
    for (size_t i = 0; i < s->len; i++)
        free(s->v[i].text);
    free(s->v);
    *s = (struct added_set){ 0 };
}

/* In [low, high), whose texts agree in DEPTH bytes, the first whose byte DEPTH is at least BYTE (a
 * text that ends there is less than all). */
static size_t lower(const struct added_set *s, size_t low, size_t high, size_t depth, unsigned byte)
{
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct added *a = &s->v[middle];

        if (a->len <= depth || (unsigned char)a->text[depth] < byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The longest added token at the start of TEXT, or NULL. */
static const struct added *longest(const struct added_set *s, const char *text, size_t len,
                                   bool special)
{
    const struct added *best = NULL;
    size_t low = 0, high = s->len;

    for (size_t depth = 0; depth < len && low < high; depth++) {
        unsigned byte = (unsigned char)text[depth];

        low = lower(s, low, high, depth, byte);
        high = lower(s, low, high, depth, byte + 1);
        for (size_t i = low; i < high && s->v[i].len == depth + 1; i++)
            if (special || !s->v[i].special) {
                best = &s->v[i];
                break;
            }
    }
    return best;
}

static size_t last_char(const char *text, size_t end, uint32_t *ret)
{
    for (size_t n = 1; n <= 4 && n <= end; n++)
        if (utf8_at(text + end - n, n, ret) == n)
            return n;
    return 0;
}

/* Letters, digits, marks and connectors: \w. */
static bool is_word(uint32_t c)
{
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);

    return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NL) ||
           category == UTF8PROC_CATEGORY_PC;
}

static bool stands_alone(const char *text, size_t len, size_t begin, size_t end)
{
    uint32_t c;

    if (last_char(text, begin, &c) && is_word(c))
        return false;
    return end == len || !utf8_at(text + end, len - end, &c) || !is_word(c);
}

bool added_next(const struct added_set *s, const char *text, size_t len, bool special, size_t *from,
                struct added_match *ret)
{
    const struct added *a;
    size_t first = *from, n;
    uint32_t c;

    for (size_t i = *from; s->len && i < len; i++) {
        if (!s->starts[(unsigned char)text[i]] || !(a = longest(s, text + i, len - i, special)))
            continue;
        *ret = (struct added_match){ .begin = i, .end = i + a->len, .id = a->id };
        if (a->single_word && !stands_alone(text, len, ret->begin, ret->end)) {
            i = ret->end - 1;
            continue;
        }
        while (a->lstrip && ret->begin > first && (n = last_char(text, ret->begin, &c)) > 0 &&
               ret->begin >= first + n && is_white(c))
            ret->begin -= n;
        while (a->rstrip && ret->end < len &&
               (n = utf8_at(text + ret->end, len - ret->end, &c)) > 0 && is_white(c))
            ret->end += n;
        *from = ret->end;
        return true;
    }
    return false;
}
