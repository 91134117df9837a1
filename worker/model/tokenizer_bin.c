/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer_bin.c - llama2.c's tokenizer.bin: u32 longest piece, then per id {f32 score, u32
 * length, bytes}. Its count is the model's vocabulary. Ids 0 <unk>, 1 BOS, 2 EOS, 3..258 the bytes
 * <0x00>..<0xFF>.
 *
 * Encoding: a space in front, one piece per code point (bytes for unknown ones), then the adjacent
 * pair whose concatenation is a piece of the highest score is merged, leftmost on ties, until there
 * is none. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/model/model.h"
#include "worker/model/tokenizer_forms.h"

enum {
    UNK,
    BOS,
    EOS,
    FILE_MAX = 256 << 20,
    PIECE_MAX = 4096, /* bytes; the longest of Llama-2's has 48 */
};

static uint32_t word_at(const char *at)
{
    const uint8_t *p = (const uint8_t *)at;

    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Piece ID from FILE at *AT. */
static int read_piece(struct tokenizer *t, uint32_t id, const struct buf *file, size_t *at,
                      const char *path, struct err *err)
{
    struct piece *p = &t->piece[id];
    uint32_t bits;

    if (file->len - *at < 8)
        return err_set(err, ERR_CORRUPT, "%s: ends at offset %zu with %u of the model's %zu tokens",
                       path, file->len, id, t->vocab);
    bits = word_at(file->data + *at);
    memcpy(&p->score, &bits, sizeof(p->score));
    p->len = word_at(file->data + *at + 4);
    if (p->len > PIECE_MAX || p->len > file->len - *at - 8)
        return err_set(err, ERR_CORRUPT, "%s: token %u at offset %zu is %u bytes long", path, id,
                       *at, p->len);
    if (!(p->score >= -1e9f && p->score <= 1e9f))
        return err_set(err, ERR_CORRUPT, "%s: token %u at offset %zu has a senseless score", path,
                       id, *at);
    p->text = mem_calloc(p->len + 1, 1);
    memcpy(p->text, file->data + *at + 8, p->len);
    *at += 8 + p->len;
    return 0;
}

static void mark_bytes(struct tokenizer *t)
{
    for (uint32_t id = 0; id < t->vocab; id++) {
        struct piece *p = &t->piece[id];
        unsigned byte;
        char want[8];

        p->normal = id > EOS && p->len > 0;
        if (p->len != 6 || sscanf(p->text, "<0x%02X>", &byte) != 1)
            continue;
        snprintf(want, sizeof(want), "<0x%02X>", byte);
        if (!strcmp(want, p->text)) {
            p->normal = false;
            t->byte_id[byte] = id;
        }
    }
}

static int compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int order = memcmp(a, b, MIN(a_len, b_len));

    return order ? order : a_len < b_len ? -1 : a_len > b_len;
}

static int by_bytes(const void *a, const void *b, void *arg)
{
    const struct tokenizer *t = arg;
    uint32_t i = *(const uint32_t *)a, k = *(const uint32_t *)b;
    int order = compare(t->piece[i].text, t->piece[i].len, t->piece[k].text, t->piece[k].len);

    return order ? order : i < k ? -1 : 1; /* equal pieces: the first id first */
}

static void sort_pieces(struct tokenizer *t)
{
    t->sorted = mem_calloc(t->vocab, sizeof(*t->sorted));
    for (uint32_t id = 0; id < t->vocab; id++)
        if (t->piece[id].normal)
            t->sorted[t->sorted_len++] = id;
    qsort_r(t->sorted, t->sorted_len, sizeof(*t->sorted), by_bytes, t);
}

int tokenizer_bin_open(struct tokenizer **ret, const char *path, size_t vocab, struct err *err)
{
    CLEANUP(buf_release) struct buf file = { 0 };
    struct tokenizer *t;
    size_t at = 4;
    int rc = buf_read_file(&file, path, FILE_MAX, err);

    if (rc)
        return rc;
    if (!vocab || vocab > MODEL_VOCAB_MAX)
        return err_set(err, ERR_INVALID,
                       "%s: a tokenizer.bin needs a model, whose vocabulary says how long it is",
                       path);
    if (file.len < 4 + 8 * vocab)
        return err_set(err, ERR_CORRUPT, "%s: %zu bytes are too few for the model's %zu tokens",
                       path, file.len, vocab);
    t = tokenizer_new(vocab, false);
    for (uint32_t id = 0; id < vocab && !rc; id++)
        rc = read_piece(t, id, &file, &at, path, err);
    if (!rc && at != file.len)
        rc = err_set(
            err, ERR_CORRUPT,
            "%s: %zu bytes are left after the model's %zu tokens (offset %zu): it belongs to "
            "another model",
            path, file.len - at, vocab, at);
    if (rc) {
        tokenizer_free(t);
        return rc;
    }
    t->bos = vocab > EOS ? BOS : UINT32_MAX;
    t->eos = vocab > EOS ? EOS : UINT32_MAX;
    mark_bytes(t);
    sort_pieces(t);
    *ret = t;
    return 0;
}

/* Id of the normal piece of LEN bytes at TEXT, or UINT32_MAX; the first of equal ones. */
static uint32_t find(const struct tokenizer *t, const char *text, size_t len)
{
    size_t low = 0, high = t->sorted_len;

    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct piece *p = &t->piece[t->sorted[middle]];

        if (compare(p->text, p->len, text, len) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < t->sorted_len) {
        const struct piece *p = &t->piece[t->sorted[low]];

        if (!compare(p->text, p->len, text, len))
            return t->sorted[low];
    }
    return UINT32_MAX;
}

static uint32_t merged(const struct tokenizer *t, uint32_t a, uint32_t b)
{
    const struct piece *p = &t->piece[a], *q = &t->piece[b];
    char both[2 * PIECE_MAX];

    if (!p->normal || !q->normal)
        return UINT32_MAX;
    memcpy(both, p->text, p->len);
    memcpy(both + p->len, q->text, q->len);
    return find(t, both, p->len + q->len);
}

static size_t code_point_len(const char *s)
{
    size_t n = 1;

    while (n < 4 && ((unsigned char)s[n] & 0xc0) == 0x80)
        n++;
    return n;
}

static int split(const struct tokenizer *t, const char *text, uint32_t *ids, size_t *ret_len,
                 struct err *err)
{
    size_t len = 0, step;

    if (*text) {
        ids[len] = find(t, " ", 1);
        len += ids[len] != UINT32_MAX;
    }
    for (size_t i = 0; text[i]; i += step) {
        uint32_t id;

        step = code_point_len(text + i);
        id = find(t, text + i, step);
        if (id != UINT32_MAX) {
            ids[len++] = id;
            continue;
        }
        for (size_t b = 0; b < step; b++) {
            ids[len] = t->byte_id[(unsigned char)text[i + b]];
            if (ids[len++] == UINT32_MAX)
                return err_set(
                    err, ERR_INVALID,
                    "the tokenizer has no token for byte 0x%02x at offset %zu of the text",
                    (unsigned)(unsigned char)text[i + b], i + b);
        }
    }
    *ret_len = len;
    return 0;
}

/* PAIR[i] is what ids i and i+1 would become; only a merge's two neighbours change, so long texts
 * stay fast. */
static size_t merge_all(const struct tokenizer *t, uint32_t *ids, uint32_t *pair, size_t len)
{
    for (size_t i = 0; i + 1 < len; i++)
        pair[i] = merged(t, ids[i], ids[i + 1]);
    for (;;) {
        size_t best = SIZE_MAX;

        for (size_t i = 0; i + 1 < len; i++)
            if (pair[i] != UINT32_MAX &&
                (best == SIZE_MAX || t->piece[pair[i]].score > t->piece[pair[best]].score))
                best = i;
        if (best == SIZE_MAX)
            return len;
        ids[best] = pair[best];
        memmove(ids + best + 1, ids + best + 2, (len - best - 2) * sizeof(*ids));
        memmove(pair + best, pair + best + 1, (len - best - 2) * sizeof(*pair));
        len--;
        if (best + 1 < len)
            pair[best] = merged(t, ids[best], ids[best + 1]);
        if (best)
            pair[best - 1] = merged(t, ids[best - 1], ids[best]);
    }
}

int tokenizer_bin_encode(const struct tokenizer *t, const char *text, uint32_t *ids, size_t *len,
                         struct err *err)
{
    CLEANUP(mem_cleanup) uint32_t *pair = mem_calloc(strlen(text) + 2, sizeof(*pair));
    int rc = split(t, text, ids, len, err);

    if (rc)
        return rc;
    *len = merge_all(t, ids, pair, *len);
    return 0;
}
