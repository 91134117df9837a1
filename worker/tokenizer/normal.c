/* SPDX-License-Identifier: Apache-2.0 */
/* normal.c - UTF-8 one character at a time, white space, and NFC.
 *
 * utf8proc decomposes and composes; putting marks in canonical order is done here, because its own
 * way takes quadratic time for a long run of marks. */
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "common/base/mem.h"
#include "worker/tokenizer/tokenizer_private.h"

size_t utf8_at(const char *s, size_t len, uint32_t *ret)
{
    const unsigned char *p = (const unsigned char *)s;
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    uint32_t c;

    if (n == 1) {
        *ret = p[0];
        return 1;
    }
    if (!n || p[0] > 0xf4 || n > len)
        return 0;
    c = p[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    if (c < least[n] || (c >= 0xd800 && c < 0xe000) || c > 0x10ffff)
        return 0;
    *ret = c;
    return n;
}

bool is_white(uint32_t c)
{
    return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000;
}

/* Characters below U+0300 never change, nor do the blocks of general punctuation up to U+2010..2027
 * and U+2030..205E and the common ideographs and kana that are no marks. */
static bool is_plain(uint32_t c)
{
    return c < 0x300 || (c >= 0x2010 && c < 0x2028) || (c >= 0x4e00 && c < 0xa000) ||
           (c >= 0x3041 && c < 0x3099);
}

struct points {
    utf8proc_int32_t *v;
    size_t len, cap;
};

static void points_reserve(struct points *p, size_t more)
{
    if (p->len + more > p->cap) {
        p->cap = MAX(2 * p->cap, p->len + more + 64);
        p->v = mem_realloc(p->v, p->cap, sizeof(*p->v));
    }
}

static void points_release(struct points *p)
{
    free(p->v);
}

static int class_of(utf8proc_int32_t c)
{
    return utf8proc_get_property(c)->combining_class;
}

/* Stable sort of LEN marks by class: a counting sort, the classes being below 256. */
static void order_marks(utf8proc_int32_t *v, size_t len)
{
    CLEANUP(mem_cleanup) utf8proc_int32_t *copy = mem_dup(v, len * sizeof(*v));
    size_t start[257] = { 0 };

    for (size_t i = 0; i < len; i++)
        start[class_of(v[i]) + 1]++;
    for (size_t c = 1; c < ARRAY_LEN(start); c++)
        start[c] += start[c - 1];
    for (size_t i = 0; i < len; i++)
        v[start[class_of(copy[i])]++] = copy[i];
}

static void order(struct points *p)
{
    for (size_t i = 0, end; i < p->len; i = end) {
        end = i + 1;
        if (!class_of(p->v[i]))
            continue;
        while (end < p->len && class_of(p->v[end]))
            end++;
        if (end > i + 1)
            order_marks(p->v + i, end - i);
    }
}

static int decompose(const char *text, size_t len, struct points *p, struct err *err)
{
    uint32_t c = 0;

    for (size_t i = 0; i < len; i += utf8_at(text + i, len - i, &c)) {
        int boundary = UTF8PROC_BOUNDCLASS_START;
        utf8proc_ssize_t n;

        (void)utf8_at(text + i, len - i, &c);
        points_reserve(p, 32);
        n = utf8proc_decompose_char((utf8proc_int32_t)c, p->v + p->len, 32,
                                    UTF8PROC_DECOMPOSE | UTF8PROC_STABLE, &boundary);
        if (n < 0 || n > 32)
            return err_set(err, ERR_INTERNAL, "decompose U+%04X: %s", (unsigned)c,
                           utf8proc_errmsg(n));
        p->len += (size_t)n;
    }
    return 0;
}

int nfc_append(const char *text, size_t len, bool *ret_done, struct buf *out, struct err *err)
{
    CLEANUP(points_release) struct points p = { 0 };
    utf8proc_ssize_t n;
    uint32_t c = 0;
    size_t i = 0, step;
    int rc;

    *ret_done = false;
    while (i < len && (step = utf8_at(text + i, len - i, &c)) > 0 && is_plain(c))
        i += step;
    if (i == len)
        return 0;
    rc = decompose(text, len, &p, err);
    if (rc)
        return rc;
    order(&p);
    n = utf8proc_normalize_utf32(p.v, (utf8proc_ssize_t)p.len, UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    if (n < 0)
        return err_set(err, ERR_INTERNAL, "compose: %s", utf8proc_errmsg(n));
    for (utf8proc_ssize_t k = 0; k < n; k++) {
        char *at = buf_reserve(out, 4);

        out->len += (size_t)utf8proc_encode_char(p.v[k], (utf8proc_uint8_t *)at);
    }
    *ret_done = true;
    return 0;
}
