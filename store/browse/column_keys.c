/* SPDX-License-Identifier: Apache-2.0 */
/* column_keys.c - sorting: values as 64-bit keys, and as texts that outlive a refresh (columns.h).
 *
 *   -          nothing
 *   i123       a whole number
 *   r16 hex    a real: its key
 *   w16 hex... a word: 'q' or 'r' and its bytes, as hexadecimal digits
 *   c12        a word too long for that: its code */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "store/browse/columns_private.h"

enum { MARK_WORD_MAX = 1000 };

static const uint64_t sign = (uint64_t)1 << 63;

static uint64_t key_of_whole(int64_t v)
{
    return (uint64_t)v ^ sign;
}

static uint64_t key_of_real(double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof bits);
    return bits & sign ? ~bits : bits | sign;
}

/* The greatest key is taken. */
static uint64_t turned(uint64_t key, bool descending)
{
    key = descending ? ~key : key;
    return key == COLUMN_KEY_NOTHING ? key - 1 : key;
}

void column_keys(const struct column *c, size_t from, size_t n, bool descending, uint64_t *ret)
{
    assert(n <= COLUMN_BLOCK && column_ranked(c));
    if (c->form == COLUMN_REAL) {
        double v[COLUMN_BLOCK];

        column_block_real(c, from, n, v);
        for (size_t i = 0; i < n; i++)
            ret[i] = isnan(v[i]) ? COLUMN_KEY_NOTHING : turned(key_of_real(v[i]), descending);
        return;
    }
    int64_t v[COLUMN_BLOCK];

    column_block_whole(c, from, n, v);
    if (c->form == COLUMN_WORDS) {
        for (size_t i = 0; i < n; i++)
            ret[i] = v[i] ? turned(2 * (uint64_t)c->words.rank[v[i] - 1] + 1, descending)
                          : COLUMN_KEY_NOTHING;
        return;
    }
    for (size_t i = 0; i < n; i++)
        ret[i] =
            v[i] == COLUMN_NOTHING ? COLUMN_KEY_NOTHING : turned(key_of_whole(v[i]), descending);
}

static void mark_word(const struct column *c, uint32_t code, struct buf *out)
{
    const char *text = column_word(c, code);

    if (strlen(text) > MARK_WORD_MAX) {
        buf_printf(out, "c%" PRIu32, code);
        return;
    }
    buf_printf(out, "w%c", words_quoted(&c->words, code) ? 'q' : 'r');
    for (; *text; text++)
        buf_printf(out, "%02x", (unsigned char)*text);
}

void column_mark(const struct column *c, size_t row, struct buf *out)
{
    double v;

    switch (c->form) {
    case COLUMN_WORDS:
        if (column_code(c, row))
            mark_word(c, column_code(c, row), out);
        else
            buf_addc(out, '-');
        break;
    case COLUMN_REAL:
        v = column_number(c, row);
        if (isnan(v))
            buf_addc(out, '-');
        else
            buf_printf(out, "r%016" PRIx64, key_of_real(v));
        break;
    case COLUMN_WHOLE:
        if (column_whole(c, row) == COLUMN_NOTHING)
            buf_addc(out, '-');
        else
            buf_printf(out, "i%" PRId64, column_whole(c, row));
    }
}

static int digit_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Hexadecimal TEXT as the bytes it stands for. */
static bool read_bytes(const char *text, struct buf *out)
{
    for (; *text; text += 2) {
        int high = digit_of(text[0]), low = high < 0 ? -1 : digit_of(text[1]);

        if (low < 0 || (high == 0 && low == 0))
            return false;
        buf_addc(out, (char)(16 * high + low));
    }
    return true;
}

static bool word_key(const struct column *c, const char *text, uint64_t *ret)
{
    struct buf word CLEANUP(buf_release) = { 0 };
    bool quoted = text[1] == 'q';
    double number = (double)NAN;
    uint32_t code;

    if (text[0] == 'c') {
        code = (uint32_t)strtoul(text + 1, NULL, 10);
        *ret = code && code <= c->words.len ? 2 * (uint64_t)c->words.rank[code - 1] + 1 : 0;
        return *ret > 0;
    }
    if (text[0] != 'w' || (!quoted && text[1] != 'r') || !read_bytes(text + 2, &word))
        return false;
    code = words_find(&c->words, buf_str(&word), quoted);
    if (code) {
        *ret = 2 * (uint64_t)c->words.rank[code - 1] + 1;
        return true;
    }
    if (!quoted && !words_is_number(buf_str(&word), word.len, &number))
        number = (double)NAN;
    *ret = 2 * (uint64_t)words_below(&c->words, buf_str(&word), quoted, number);
    return true;
}

int column_mark_key(const struct column *c, const char *text, bool descending, uint64_t *ret,
                    struct err *err)
{
    static const char first[] = { [COLUMN_WHOLE] = 'i', [COLUMN_REAL] = 'r' };
    bool good;
    char *end = NULL;

    assert(column_ranked(c));
    if (strcmp(text, "-") == 0) {
        *ret = COLUMN_KEY_NOTHING;
        return 0;
    }
    errno = 0;
    if (c->form == COLUMN_WORDS) {
        good = word_key(c, text, ret);
    } else {
        good = text[0] == first[c->form] && text[1] && text[1] != ' ';
        if (good && c->form == COLUMN_REAL)
            *ret = strtoull(text + 1, &end, 16);
        else if (good)
            *ret = key_of_whole(strtoll(text + 1, &end, 10));
        good = good && *end == '\0' && errno == 0;
    }
    if (!good)
        return err_set(err, ERR_INVALID,
                       "the cursor does not belong to the column \"%.60s\": ask again without "
                       "\"after\"",
                       c->name);
    *ret = turned(*ret, descending);
    return 0;
}
