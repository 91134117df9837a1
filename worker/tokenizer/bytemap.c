/* SPDX-License-Identifier: Apache-2.0 */
/* bytemap.c - byte-level vocabularies write each byte as one printable character: bytes 33-126,
 * 161-172 and 174-255 as the character of that number, the other 68, in order, as U+0100 and up. */
#include "worker/tokenizer/tokenizer_private.h"

static bool prints(unsigned byte)
{
    return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

/* The byte behind character C, or -1. */
static int byte_of(uint32_t c)
{
    unsigned n = 0x100;

    if (c < 0x100)
        return prints(c) ? (int)c : -1;
    if (c >= 0x100 + 68)
        return -1;
    for (unsigned byte = 0; byte < 256; byte++)
        if (!prints(byte) && n++ == c)
            return (int)byte;
    return -1;
}

bool bytemap_decode(const char *text, size_t len, struct buf *out)
{
    uint32_t c;
    size_t step;

    for (size_t i = 0; i < len; i += step) {
        int byte;

        step = utf8_at(text + i, len - i, &c);
        byte = step ? byte_of(c) : -1;
        if (byte < 0)
            return false;
        buf_addc(out, (char)byte);
    }
    return true;
}

void bytemap_index(struct tokenizer *t)
{
    for (unsigned byte = 0; byte < 256; byte++)
        t->byte_id[byte] = piece_find(t, (char[]){ (char)byte }, 1);
}
