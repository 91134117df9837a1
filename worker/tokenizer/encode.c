/* SPDX-License-Identifier: Apache-2.0 */
/* encode.c - text to ids: cut at added tokens, at bytes that are no UTF-8, into words; merge. */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/tokenizer/tokenizer_private.h"

struct encoder {
    const struct tokenizer *t;
    bool special;
    uint32_t *ids;
    size_t len, cap;
    struct symbol *symbol;
    size_t symbol_cap;
    struct merge_scratch merge;
    struct regex_scratch *regex;
    struct err *err;
};

static void encoder_release(struct encoder *e)
{
    free(e->ids);
    free(e->symbol);
    merge_scratch_release(&e->merge);
    regex_scratch_free(e->regex);
}

static void push(struct encoder *e, uint32_t id)
{
    if (e->len == e->cap) {
        e->cap = MAX(2 * e->cap, 64u);
        e->ids = mem_realloc(e->ids, e->cap, sizeof(*e->ids));
    }
    e->ids[e->len++] = id;
}

static struct symbol *symbols(struct encoder *e, size_t len)
{
    if (len > e->symbol_cap) {
        e->symbol_cap = MAX(2 * e->symbol_cap, len);
        e->symbol = mem_realloc(e->symbol, e->symbol_cap, sizeof(*e->symbol));
    }
    return e->symbol;
}

static int push_byte(struct encoder *e, unsigned char byte, size_t at)
{
    uint32_t id = e->t->byte_id[byte];

    if (id != NO_ID)
        push(e, id);
    else if (e->t->form != FORM_BYTES) /* Hugging Face's rule there: no token, no id */
        return err_set(e->err, ERR_INVALID,
                       "the tokenizer has no token for byte 0x%02x at offset %zu of the text", byte,
                       at);
    return 0;
}

/* A word of the byte-level kinds. */
static void bytes_word(struct encoder *e, const char *text, size_t len)
{
    const struct tokenizer *t = e->t;
    uint32_t whole = t->whole_first ? piece_find(t, text, len) : NO_ID;
    struct symbol *s;
    size_t n = 0;

    if (whole != NO_ID) {
        push(e, whole);
        return;
    }
    s = symbols(e, len);
    for (; n < len; n++)
        s[n] = (struct symbol){ .at = (uint32_t)n,
                                .len = 1,
                                .id = t->byte_id[(unsigned char)text[n]] };
    n = merge_symbols(t, text, s, n, MERGE_SHORT, &e->merge);
    for (size_t i = 0; i < n; i++)
        if (s[i].id != NO_ID) /* a byte without a token gives nothing, and parts its neighbours */
            push(e, s[i].id);
}

/* Words by the regular expressions from STAGE on; what lies between matches is a word too. */
static int split(struct encoder *e, size_t stage, const char *text, size_t len)
{
    size_t at = 0, from = 0, begin, end;
    uint32_t c;
    int rc;

    if (!len)
        return 0;
    if (stage == e->t->stages) {
        bytes_word(e, text, len);
        return 0;
    }
    while (from < len) {
        rc = regex_next(e->t->stage[stage], e->regex, text, len, from, &begin, &end, e->err);
        if (rc)
            return rc;
        if (end <= begin || begin < at) { /* an empty match cuts nothing */
            from = MAX(end, from);
            from += from < len ? utf8_at(text + from, len - from, &c) : 0;
            continue;
        }
        rc = split(e, stage + 1, text + at, begin - at);
        rc = rc ? rc : split(e, stage + 1, text + begin, end - begin);
        if (rc)
            return rc;
        at = from = end;
    }
    return split(e, stage + 1, text + at, len - at);
}

/* A run of a SentencePiece text. LEAD bytes of TEXT are not of the input, which has the rest at
 * OFFSET. */
static int pieces_run(struct encoder *e, const char *text, size_t len, size_t lead, size_t offset)
{
    struct symbol *s = symbols(e, len);
    size_t n = 0, step;
    uint32_t c;
    int rc = 0;

    for (size_t i = 0; i < len; i += step) {
        step = utf8_at(text + i, len - i, &c);
        s[n++] = (struct symbol){ .at = (uint32_t)i,
                                  .len = (uint32_t)step,
                                  .id = piece_find(e->t, text + i, step) };
    }
    n = merge_symbols(e->t, text, s, n, MERGE_SHORT, &e->merge);
    for (size_t i = 0; i < n && !rc; i++) {
        if (s[i].id != NO_ID)
            push(e, s[i].id);
        for (size_t b = 0; s[i].id == NO_ID && b < s[i].len && !rc; b++)
            rc = push_byte(e, (unsigned char)text[s[i].at + b], offset + s[i].at + b - lead);
    }
    return rc;
}

/* Whether the next ordinary text is the beginning of one. */
static bool at_start(const struct encoder *e)
{
    return !e->len || e->ids[e->len - 1] == e->t->bos;
}

/* UTF-8 without added tokens; it began at OFFSET of the input. */
static int plain(struct encoder *e, const char *text, size_t len, size_t offset)
{
    const struct tokenizer *t = e->t;
    CLEANUP(buf_release) struct buf spaced = { 0 };
    size_t lead = t->form == FORM_PIECES ? t->dummy_prefix && at_start(e)
                                         : t->add_prefix_space && *text != ' ';

    if (lead) {
        buf_addc(&spaced, ' ');
        buf_add(&spaced, text, len);
        text = spaced.data;
        len = spaced.len;
    }
    return t->form == FORM_PIECES ? pieces_run(e, text, len, lead, offset) : split(e, 0, text, len);
}

typedef int (*part_fn)(struct encoder *e, const char *text, size_t len, size_t offset);

/* Cut at the added tokens of SET; what is between goes to FN. */
static int cut_added(struct encoder *e, const struct added_set *set, const char *text, size_t len,
                     size_t offset, part_fn fn)
{
    struct added_match m;
    size_t at = 0, from = 0;
    int rc = 0;

    while (added_next(set, text, len, e->special, &from, &m)) {
        if (m.begin > at)
            rc = fn(e, text + at, m.begin - at, offset + at);
        if (rc)
            return rc;
        push(e, m.id);
        at = m.end;
    }
    return at < len ? fn(e, text + at, len - at, offset + at) : 0;
}

static int valid_run(struct encoder *e, const char *text, size_t len, size_t offset)
{
    CLEANUP(buf_release) struct buf normal = { 0 };
    bool done = false;
    int rc = e->t->nfc ? nfc_append(text, len, &done, &normal, e->err) : 0;

    if (rc)
        return rc;
    if (done) {
        text = buf_str(&normal);
        len = normal.len;
    }
    return cut_added(e, &e->t->added[1], text, len, offset, plain);
}

/* Runs of UTF-8, and other bytes one by one. */
static int ordinary(struct encoder *e, const char *text, size_t len, size_t offset)
{
    size_t at = 0, step;
    uint32_t c;
    int rc = 0;

    for (size_t i = 0; i <= len && !rc; i += step ? step : 1) {
        step = i < len ? utf8_at(text + i, len - i, &c) : 0;
        if (step)
            continue;
        if (i > at)
            rc = valid_run(e, text + at, i - at, offset + at);
        at = i + 1;
        if (!rc && i < len)
            rc = push_byte(e, (unsigned char)text[i], offset + i);
    }
    return rc;
}

static int characters(struct encoder *e, const char *text, size_t len, size_t offset)
{
    int rc = 0;

    for (size_t i = 0; i < len && !rc; i++)
        rc = push_byte(e, (unsigned char)text[i], offset + i);
    return rc;
}

/* SentencePiece's remove_extra_whitespaces. */
static void squeeze(struct buf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] != ' ' || (out->len && out->data[out->len - 1] != ' '))
            buf_addc(out, text[i]);
    if (out->len && out->data[out->len - 1] == ' ')
        out->data[--out->len] = '\0';
}

int tokenizer_encode(const struct tokenizer *t, const char *text, size_t len, unsigned flags,
                     uint32_t **ret, size_t *ret_len, struct err *err)
{
    CLEANUP(encoder_release)
    struct encoder e = { .t = t, .special = flags & TOKENIZER_SPECIAL, .err = err };
    CLEANUP(buf_release) struct buf squeezed = { 0 };
    int rc;

    if (len > ENCODE_MAX)
        return err_set(err, ERR_LIMIT, "a text of %zu bytes, at most %d", len, ENCODE_MAX);
    e.regex = t->stages ? regex_scratch_new() : NULL;
    for (size_t i = 0; i < t->prefix_len && (flags & TOKENIZER_BOS); i++)
        push(&e, t->prefix[i]);
    if (t->squeeze) {
        squeeze(&squeezed, text, len);
        text = buf_str(&squeezed);
        len = squeezed.len;
    }
    rc = cut_added(&e, &t->added[0], text, len, 0,
                   t->form == FORM_CHARACTERS ? characters : ordinary);
    if (rc)
        return rc;
    *ret = e.ids ? e.ids : mem_calloc(1, sizeof(*e.ids));
    *ret_len = e.len;
    e.ids = NULL;
    return 0;
}
