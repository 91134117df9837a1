/* SPDX-License-Identifier: Apache-2.0 */
/* read_bin.c - llama2.c's tokenizer.bin: u32 longest piece, then per id {f32 score, u32 length,
 * bytes}. Its count is the model's vocabulary. Ids 0 <unk>, 1 BOS, 2 EOS ("\n<s>\n"), then the
 * bytes <0x00>..<0xFF>. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/checkpoint/conf.h"
#include "worker/tokenizer/tokenizer_private.h"

enum { UNK, BOS, EOS };

static uint32_t word_at(const char *at)
{
    const uint8_t *p = (const uint8_t *)at;

    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static bool is_byte(const struct spm_piece *p)
{
    return p->len == 6 && !memcmp(p->text, "<0x", 3) && p->text[5] == '>' &&
           strspn(p->text + 3, "0123456789ABCDEF") >= 2;
}

/* Piece ID from FILE at *AT. */
static int read_piece(struct tokenizer *t, uint32_t id, size_t vocab, const struct buf *file,
                      size_t *at, const char *path, float *ret_score, struct err *err)
{
    struct spm_piece p = { .type = 1 };
    uint32_t bits, len;

    if (file->len - *at < 8)
        return err_set(err, ERR_CORRUPT, "%s: ends at offset %zu with %u of the model's %zu tokens",
                       path, file->len, id, vocab);
    bits = word_at(file->data + *at);
    memcpy(&p.score, &bits, sizeof(p.score));
    len = word_at(file->data + *at + 4);
    if (len > PIECE_LEN_MAX || len > file->len - *at - 8)
        return err_set(err, ERR_CORRUPT, "%s: token %u at offset %zu is %" PRIu32 " bytes long",
                       path, id, *at, len);
    p.text = file->data + *at + 8;
    p.len = len;
    *at += 8 + len;
    if (id <= EOS) {
        p.type = id == UNK ? 2 : 3;
        if (p.len > 2 && p.text[0] == '\n' && p.text[p.len - 1] == '\n') {
            p.text++;
            p.len -= 2;
        }
        if (!p.len) /* an empty special token is found in no text */
            p.type = 5;
    } else if (!p.len) {
        p.type = 5;
    } else if (is_byte(&p)) {
        p.type = 6;
    }
    *ret_score = p.score;
    return spm_set(t, id, &p, path, err);
}

static int fill(struct tokenizer *t, const char *path, const struct buf *file, size_t vocab,
                struct err *err)
{
    CLEANUP(mem_cleanup) float *score = mem_calloc(vocab, sizeof(*score));
    size_t at = 4;
    int rc = 0;

    for (uint32_t id = 0; id < vocab && !rc; id++)
        rc = read_piece(t, id, vocab, file, &at, path, &score[id], err);
    if (rc)
        return rc;
    if (at != file->len)
        return err_set(err, ERR_CORRUPT,
                       "%s: %zu bytes are left after the model's %zu tokens (offset %zu): it "
                       "belongs to another model",
                       path, file->len - at, vocab, at);
    if (vocab > EOS) {
        t->bos = t->prefix[0] = BOS;
        t->prefix_len = 1;
        t->eos = EOS;
    }
    t->dummy_prefix = true;
    snprintf(t->kind, sizeof(t->kind), "SentencePiece BPE (llama2.c)");
    tokenizer_index(t);
    spm_rank(t, score);
    return tokenizer_finish(t, path, vocab, err);
}

int read_bin(struct tokenizer **ret, const char *path, const struct buf *file, size_t vocab,
             struct err *err)
{
    struct tokenizer *t;
    int rc;

    if (!vocab || vocab > MODEL_VOCAB_MAX)
        return err_set(err, ERR_INVALID,
                       "%s: a tokenizer.bin needs a model, whose vocabulary says how long it is",
                       path);
    if (file->len < 4 + 8 * vocab)
        return err_set(err, ERR_CORRUPT, "%s: %zu bytes are too few for the model's %zu tokens",
                       path, file->len, vocab);
    t = tokenizer_new(FORM_PIECES);
    rc = fill(t, path, file, vocab, err);
    if (rc)
        tokenizer_free(t);
    else
        *ret = t;
    return rc;
}
