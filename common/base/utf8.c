/* SPDX-License-Identifier: Apache-2.0 */
/* utf8.c - checking UTF-8 (RFC 3629). */
#include "common/base/utf8.h"

#include <stdint.h>

size_t utf8_len(const char *string)
{
    static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
    const unsigned char *s = (const unsigned char *)string;
    uint32_t c;
    size_t n;

    if (s[0] < 0x80)
        return 1;
    if (s[0] < 0xc2 || s[0] > 0xf4)
        return 0;
    n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    c = s[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (s[i] & 0x3fu);
    }
    return c >= least[n] && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff) ? n : 0;
}

bool utf8_valid(const char *s)
{
    while (*s) {
        size_t n = utf8_len(s);

        if (!n)
            return false;
        s += n;
    }
    return true;
}
