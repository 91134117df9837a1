/* SPDX-License-Identifier: Apache-2.0 */
#include "common/curriculum/exact.h"

#include <inttypes.h>
#include <string.h>

static void blank(struct buf *out)
{
    if (out->len && out->data[out->len - 1] != '\n')
        buf_addc(out, ' ');
}

void exact_put_word(struct buf *out, const char *word)
{
    buf_adds(out, word);
}

void exact_put_count(struct buf *out, uint64_t v)
{
    blank(out);
    buf_printf(out, "%" PRIu64, v);
}

void exact_put_real(struct buf *out, double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof(bits));
    blank(out);
    buf_printf(out, "%016" PRIx64, bits);
}

/* Past the blank in front of every word but the first. */
static bool next(struct exact *e)
{
    if (e->ok && e->begun) {
        e->ok = *e->at == ' ';
        e->at += e->ok;
    }
    e->begun = true;
    return e->ok;
}

static bool ends(const char *at)
{
    return *at == ' ' || *at == '\0';
}

void exact_take_word(struct exact *e, const char *word)
{
    const size_t len = strlen(word);

    if (!next(e))
        return;
    e->ok = strncmp(e->at, word, len) == 0 && ends(e->at + len);
    if (e->ok)
        e->at += len;
}

uint64_t exact_take_count(struct exact *e, uint64_t max)
{
    const char *from;
    uint64_t v = 0;

    if (!next(e))
        return 0;
    for (from = e->at; *e->at >= '0' && *e->at <= '9' && v <= UINT64_MAX / 10 - 9; e->at++)
        v = 10 * v + (uint64_t)(*e->at - '0');
    e->ok = e->at > from && ends(e->at) && v <= max && (*from != '0' || e->at == from + 1);
    return e->ok ? v : 0;
}

double exact_take_real(struct exact *e, double min, double max)
{
    uint64_t bits = 0;
    double v;

    if (!next(e))
        return 0;
    for (int i = 0; i < 16 && e->ok; i++, e->at++) {
        const char c = *e->at;
        e->ok = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
        bits = bits << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
        if (!e->ok)
            return 0;
    }
    memcpy(&v, &bits, sizeof(v));
    e->ok = ends(e->at) && v >= min && v <= max; /* false for NaN */
    return e->ok ? v : 0;
}

bool exact_end(const struct exact *e)
{
    return e->ok && *e->at == '\0';
}
