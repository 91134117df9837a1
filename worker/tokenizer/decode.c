/* SPDX-License-Identifier: Apache-2.0 */
/* decode.c - ids to text, in whole characters. */
#include <string.h>

#include "worker/tokenizer/tokenizer_private.h"

/* Bytes at the end of S that can still become a character: a start and too few continuations. */
static size_t unfinished(const char *s, size_t len)
{
    static const char *const ends[] = { "", "\x80", "\x80\x80", "\x80\x80\x80" };

    for (size_t n = 1; n <= 3 && n <= len; n++) {
        const unsigned char *p = (const unsigned char *)s + len - n;
        char whole[4];
        uint32_t c;

        if ((*p & 0xc0) == 0x80)
            continue;
        if (*p < 0xc2)
            return 0;
        /* Any continuation does but after E0, ED, F0 and F4, where the second byte decides. */
        memcpy(whole, p, n);
        for (size_t size = n + 1; size <= 4; size++) {
            memcpy(whole + n, ends[size - n], size - n);
            if (n == 1 && (*p == 0xe0 || *p == 0xf0))
                whole[1] = '\xa0';
            if (utf8_at(whole, size, &c) == size)
                return n;
        }
        return 0;
    }
    return 0;
}

static void emit(struct token_stream *s, const char *text, size_t len, struct buf *out)
{
    size_t from = out->len, keep;

    buf_add(out, s->held, s->held_len);
    buf_add(out, text, len);
    keep = unfinished(out->data + from, out->len - from);
    out->len -= keep;
    memcpy(s->held, out->data + out->len, keep);
    s->held_len = keep;
    out->data[out->len] = '\0';
}

void token_stream_push(struct token_stream *s, const struct tokenizer *t, uint32_t id, bool special,
                       struct buf *out)
{
    const struct piece *p;
    size_t skip;

    if (id < t->vocab && !(tokenizer_is_special(t, id) && !special)) {
        p = &t->piece[id];
        skip = t->dummy_prefix && p->type == PIECE_NORMAL && p->len && *piece_text(t, id) == ' ' &&
               (!s->previous || s->previous - 1 == t->bos);
        if (p->len > skip)
            emit(s, piece_text(t, id) + skip, p->len - skip, out);
    }
    s->previous = id + 1;
}

void token_stream_end(struct token_stream *s, struct buf *out)
{
    buf_add(out, s->held, s->held_len);
    *s = (struct token_stream){ 0 };
}

void tokenizer_decode(const struct tokenizer *t, const uint32_t *ids, size_t len, bool special,
                      struct buf *out)
{
    struct token_stream s = { 0 };

    for (size_t i = 0; i < len; i++)
        token_stream_push(&s, t, ids[i], special, out);
    token_stream_end(&s, out);
}
