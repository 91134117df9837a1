/* SPDX-License-Identifier: Apache-2.0 */
#include "common/grading/utext.h"

#include <string.h>

#include "common/base/utf8.h"

uint32_t utext_char(const char *s, size_t *ret_len)
{
    size_t len = utf8_len(s);
    const unsigned char *u = (const unsigned char *)s;

    *ret_len = len ? len : 1;
    switch (len) {
    case 1:
        return u[0];
    case 2:
        return (u[0] & 0x1fU) << 6 | (u[1] & 0x3fU);
    case 3:
        return (u[0] & 0x0fU) << 12 | (u[1] & 0x3fU) << 6 | (u[2] & 0x3fU);
    case 4:
        return (u[0] & 0x07U) << 18 | (u[1] & 0x3fU) << 12 | (u[2] & 0x3fU) << 6 | (u[3] & 0x3fU);
    default:
        return 0xdc00U + u[0];
    }
}

uint32_t utext_char_before(const char *start, const char *at)
{
    size_t len;

    for (size_t back = 1; back <= 4 && back <= (size_t)(at - start); back++) {
        uint32_t c = utext_char(at - back, &len);
        if (len == back && (c < 0xdc00 || c > 0xdfff))
            return c;
    }
    return at > start ? 0xdc00U + (unsigned char)at[-1] : 0;
}

void utext_add_char(struct buf *out, uint32_t c)
{
    if (c < 0x80) {
        buf_addc(out, (char)c);
    } else if (c < 0x800) {
        buf_addc(out, (char)(0xc0 | c >> 6));
        buf_addc(out, (char)(0x80 | (c & 0x3f)));
    } else if (c >= 0xdc80 && c <= 0xdcff) {
        buf_addc(out, (char)(c - 0xdc00));
    } else if (c < 0x10000) {
        buf_addc(out, (char)(0xe0 | c >> 12));
        buf_addc(out, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_addc(out, (char)(0x80 | (c & 0x3f)));
    } else {
        buf_addc(out, (char)(0xf0 | c >> 18));
        buf_addc(out, (char)(0x80 | (c >> 12 & 0x3f)));
        buf_addc(out, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_addc(out, (char)(0x80 | (c & 0x3f)));
    }
}

bool utext_is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
           c == 0x202f || c == 0x205f || c == 0x3000;
}

/* What is no letter or digit from U+0080 on; between them everything counts as one. */
static const uint32_t not_word[][2] = {
    { 0x80, 0xa9 },       { 0xab, 0xb1 },       { 0xb4, 0xb4 },       { 0xb6, 0xb8 },
    { 0xbb, 0xbb },       { 0xbf, 0xbf },       { 0xd7, 0xd7 },       { 0xf7, 0xf7 },
    { 0x2c2, 0x2c5 },     { 0x2d2, 0x2df },     { 0x300, 0x36f },     { 0x37e, 0x37e },
    { 0x384, 0x385 },     { 0x387, 0x387 },     { 0x482, 0x489 },     { 0x55a, 0x55f },
    { 0x589, 0x5cf },     { 0x5f3, 0x61f },     { 0x64b, 0x65f },     { 0x66a, 0x66d },
    { 0x964, 0x965 },     { 0x2000, 0x206f },   { 0x20a0, 0x20ff },   { 0x2190, 0x245f },
    { 0x2500, 0x2775 },   { 0x2794, 0x2bff },   { 0x2e00, 0x2e2e },   { 0x2e30, 0x2fff },
    { 0x3000, 0x3004 },   { 0x3008, 0x3020 },   { 0x302a, 0x3030 },   { 0x303d, 0x3040 },
    { 0x309b, 0x309c },   { 0x30a0, 0x30a0 },   { 0x30fb, 0x30fb },   { 0xd800, 0xf8ff },
    { 0xfe00, 0xfe6f },   { 0xff00, 0xff0f },   { 0xff1a, 0xff20 },   { 0xff3b, 0xff40 },
    { 0xff5b, 0xff65 },   { 0xffe0, 0xffff },   { 0x1d000, 0x1d35f }, { 0x1f000, 0x1f0ff },
    { 0x1f110, 0x1faff }, { 0xe0000, 0x10ffff }
};

bool utext_is_word(uint32_t c)
{
    size_t low = 0, high = sizeof(not_word) / sizeof(not_word[0]);

    if (c < 0x80)
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
               c == '_';
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (c > not_word[mid][1])
            low = mid + 1;
        else
            high = mid;
    }
    return low == sizeof(not_word) / sizeof(not_word[0]) || c < not_word[low][0];
}

/* Capitals FIRST..LAST become themselves + SHIFT; with STEP 2 every second one is a capital. */
static const struct {
    uint32_t first, last;
    int32_t shift;
    uint32_t step;
} capitals[] = {
    { 0x41, 0x5a, 32, 1 },     { 0xc0, 0xd6, 32, 1 },        { 0xd8, 0xde, 32, 1 },
    { 0x100, 0x12e, 1, 2 },    { 0x132, 0x136, 1, 2 },       { 0x139, 0x147, 1, 2 },
    { 0x14a, 0x176, 1, 2 },    { 0x178, 0x178, -121, 1 },    { 0x179, 0x17d, 1, 2 },
    { 0x1cd, 0x1db, 1, 2 },    { 0x1de, 0x1ee, 1, 2 },       { 0x1f8, 0x21e, 1, 2 },
    { 0x222, 0x232, 1, 2 },    { 0x386, 0x386, 38, 1 },      { 0x388, 0x38a, 37, 1 },
    { 0x38c, 0x38c, 64, 1 },   { 0x38e, 0x38f, 63, 1 },      { 0x391, 0x3a1, 32, 1 },
    { 0x3a3, 0x3ab, 32, 1 },   { 0x400, 0x40f, 80, 1 },      { 0x410, 0x42f, 32, 1 },
    { 0x460, 0x480, 1, 2 },    { 0x48a, 0x4be, 1, 2 },       { 0x4c0, 0x4c0, 15, 1 },
    { 0x4c1, 0x4cd, 1, 2 },    { 0x4d0, 0x52e, 1, 2 },       { 0x531, 0x556, 48, 1 },
    { 0x1e00, 0x1e94, 1, 2 },  { 0x1e9e, 0x1e9e, -7615, 1 }, { 0x1ea0, 0x1efe, 1, 2 },
    { 0x3d8, 0x3ee, 1, 2 },    { 0x10a0, 0x10c5, 7264, 1 },  { 0x1f08, 0x1f0f, -8, 1 },
    { 0x1f18, 0x1f1d, -8, 1 }, { 0x1f28, 0x1f2f, -8, 1 },    { 0x1f38, 0x1f3f, -8, 1 },
    { 0x1f48, 0x1f4d, -8, 1 }, { 0x1f59, 0x1f5f, -8, 2 },    { 0x1f68, 0x1f6f, -8, 1 },
    { 0x2160, 0x216f, 16, 1 }, { 0xff21, 0xff3a, 32, 1 },    { 0x10400, 0x10427, 40, 1 },
};

static uint32_t lower_char(uint32_t c)
{
    if (c < 0x80)
        return c >= 'A' && c <= 'Z' ? c + 32 : c;
    for (size_t i = 0; i < sizeof(capitals) / sizeof(capitals[0]); i++)
        if (c >= capitals[i].first && c <= capitals[i].last)
            return (c - capitals[i].first) % capitals[i].step
                       ? c
                       : (uint32_t)((int32_t)c + capitals[i].shift);
    return c;
}

void utext_lower(const char *s, struct buf *out)
{
    for (const char *at = s; *at;) {
        size_t len, next;
        uint32_t c = utext_char(at, &len);
        if (c == 0x130) { /* I with a dot: i and a combining dot */
            buf_adds(out, "i\xcc\x87");
        } else if (c == 0x3a3 && utext_is_word(utext_char_before(s, at)) &&
                   !utext_is_word(utext_char(at + len, &next))) {
            utext_add_char(out, 0x3c2); /* a sigma that ends a word */
        } else {
            utext_add_char(out, lower_char(c));
        }
        at += len;
    }
}

void utext_strip(const char **s, size_t *len)
{
    const char *end = *s + *len;
    size_t n;

    while (*s < end && utext_is_space(utext_char(*s, &n)))
        *s += n;
    if (*s > end)
        *s = end;
    while (end > *s && utext_is_space(utext_char_before(*s, end))) {
        while (end - 1 > *s && ((unsigned char)end[-1] & 0xc0) == 0x80)
            end--;
        end--;
    }
    *len = (size_t)(end - *s);
}

void utext_set(struct buf *b, const char *s, size_t len)
{
    struct buf made = { 0 };

    buf_add(&made, s, len);
    buf_release(b);
    *b = made;
}

void utext_replace(struct buf *b, const char *from, const char *to)
{
    struct buf made = { 0 };
    const char *at = buf_str(b), *hit = utext_find(at, from);
    size_t len = strlen(from);

    if (!hit)
        return;
    for (; hit; hit = utext_find(at, from)) {
        buf_add(&made, at, (size_t)(hit - at));
        buf_adds(&made, to);
        at = hit + len;
    }
    buf_adds(&made, at);
    buf_release(b);
    *b = made;
}

bool utext_starts(const char *s, const char *start)
{
    return strncmp(s, start, strlen(start)) == 0;
}

const char *utext_find(const char *s, const char *word)
{
    for (; *s; s++)
        if (*s == *word && utext_starts(s, word))
            return s;
    return NULL;
}

bool utext_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool utext_is_decimal(const char *s, size_t len)
{
    const char *end;
    size_t digits = 0;

    utext_strip(&s, &len);
    end = s + len;
    if (s < end && (*s == '-' || *s == '+'))
        s++;
    for (; s < end && utext_is_digit(*s); s++)
        digits++;
    if (s < end && *s == '.')
        for (s++; s < end && utext_is_digit(*s); s++)
            digits++;
    if (digits == 0)
        return false;
    if (s < end && (*s == 'e' || *s == 'E')) {
        s++;
        if (s < end && (*s == '-' || *s == '+'))
            s++;
        if (s == end || !utext_is_digit(*s))
            return false;
        while (s < end && utext_is_digit(*s))
            s++;
    }
    return s == end;
}
