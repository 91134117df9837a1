/* SPDX-License-Identifier: Apache-2.0 */
/* read_gguf.c - the vocabulary in a GGUF file: "llama" (SentencePiece by score) and "gpt2"
 * (byte-level BPE). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/checkpoint/conf.h"
#include "worker/checkpoint/gguf.h"
#include "worker/tokenizer/tokenizer_private.h"

static const struct {
    const char *pre;
    enum family family;
} pres[] = {
    { "gpt-2", FAMILY_GPT2 },
    { "llama-bpe", FAMILY_LLAMA3 },
    { "llama3", FAMILY_LLAMA3 },
    { "llama-v3", FAMILY_LLAMA3 },
    { "qwen2", FAMILY_QWEN2 },
    { "default", FAMILY_DEFAULT },
    { "deepseek-r1-qwen", FAMILY_QWEN2 },
};

/* The parallel lists of a vocabulary. */
struct lists {
    struct gguf_list tokens, scores, types, merges;
};

static int open_lists(const struct gguf *g, const char *path, struct lists *l, struct err *err)
{
    int rc = gguf_get_list(g, "tokenizer.ggml.tokens", GGUF_TEXT, &l->tokens, err);

    rc = rc ? rc : gguf_get_list(g, "tokenizer.ggml.scores", GGUF_F32, &l->scores, err);
    rc = rc ? rc : gguf_get_list(g, "tokenizer.ggml.token_type", GGUF_I32, &l->types, err);
    rc = rc ? rc : gguf_get_list(g, "tokenizer.ggml.merges", GGUF_TEXT, &l->merges, err);
    if (rc)
        return rc;
    if (!l->tokens.len || l->tokens.len > MODEL_VOCAB_MAX)
        return err_set(err, ERR_INVALID, "%s: %zu tokens (tokenizer.ggml.tokens): 1 to %d", path,
                       l->tokens.len, MODEL_VOCAB_MAX);
    if ((l->types.len && l->types.len != l->tokens.len) ||
        (l->scores.len && l->scores.len != l->tokens.len))
        return err_set(err, ERR_CORRUPT,
                       "%s: %zu tokens, but %zu scores and %zu token types (tokenizer.ggml)", path,
                       l->tokens.len, l->scores.len, l->types.len);
    return 0;
}

static int read_pieces(struct tokenizer *t, const char *path, struct lists *l, struct err *err)
{
    CLEANUP(mem_cleanup) float *score = mem_calloc(l->tokens.len, sizeof(*score));
    struct gguf_text text;
    int rc = 0;

    if (!l->scores.len)
        return err_set(err, ERR_CORRUPT, "%s: no tokenizer.ggml.scores", path);
    for (uint32_t id = 0; !rc && gguf_next_text(&l->tokens, &text); id++) {
        struct spm_piece p = {
            .text = text.text,
            .len = text.len,
            .score = gguf_list_f32(&l->scores, id),
            .type = l->types.len ? gguf_list_i32(&l->types, id) : 1,
        };

        if (!p.len)
            p.type = 5;
        score[id] = p.score;
        rc = spm_set(t, id, &p, path, err);
    }
    if (rc)
        return rc;
    t->dummy_prefix = true;
    snprintf(t->kind, sizeof(t->kind), "SentencePiece BPE (GGUF)");
    tokenizer_index(t);
    spm_rank(t, score);
    return 0;
}

static int read_byte_token(struct tokenizer *t, const char *path, uint32_t id, int type,
                           struct gguf_text text, struct err *err)
{
    CLEANUP(buf_release) struct buf bytes = { 0 };
    struct added a = { .text = (char *)text.text, .len = (uint32_t)text.len, .id = id };
    bool mapped;

    if (text.len > PIECE_LEN_MAX)
        return err_set(err, ERR_CORRUPT, "%s: token %u is %zu bytes long, at most %d", path, id,
                       text.len, PIECE_LEN_MAX);
    if (type == 5 || !text.len) {
        tokenizer_set(t, id, PIECE_NONE, "", 0);
        return 0;
    }
    if (type != 1) {
        a.special = type != 4;
        return tokenizer_add(t, &a, path, err);
    }
    mapped = bytemap_decode(text.text, text.len, &bytes);
    tokenizer_set(t, id, mapped ? PIECE_NORMAL : PIECE_ADDED, mapped ? bytes.data : text.text,
                  mapped ? bytes.len : text.len);
    return 0;
}

static int tell_family(const struct gguf *g, const char *path, enum family *f, struct err *err)
{
    struct gguf_text pre;
    int rc = gguf_get_text(g, "tokenizer.ggml.pre", &pre, err);

    if (rc)
        return rc;
    if (!pre.len) {
        *f = *f == FAMILY_NONE ? FAMILY_DEFAULT : *f;
        return 0;
    }
    if (*f != FAMILY_NONE)
        return err_set(err, ERR_INVALID,
                       "%s: it names its pre-tokenizer itself ('%.*s'): leave yours out", path,
                       (int)MIN(pre.len, (size_t)40), pre.text);
    for (size_t i = 0; i < ARRAY_LEN(pres); i++)
        if (gguf_text_is(pre, pres[i].pre)) {
            *f = pres[i].family;
            return 0;
        }
    return err_set(err, ERR_INVALID,
                   "%s: pre-tokenizer '%.*s' is not supported: llama-bpe, qwen2, gpt-2 and default "
                   "are",
                   path, (int)MIN(pre.len, (size_t)40), pre.text);
}

static int read_bytes(struct tokenizer *t, const struct gguf *g, const char *path, struct lists *l,
                      enum family *f, struct err *err)
{
    struct gguf_text text;
    uint32_t rank = 0;
    int rc = tell_family(g, path, f, err);

    rc = rc ? rc : family_apply(t, *f, err);
    for (uint32_t id = 0; !rc && gguf_next_text(&l->tokens, &text); id++)
        rc = read_byte_token(t, path, id, l->types.len ? gguf_list_i32(&l->types, id) : 1, text,
                             err);
    if (rc)
        return rc;
    tokenizer_index(t);
    if (!l->merges.len)
        return err_set(err, ERR_CORRUPT, "%s: no tokenizer.ggml.merges", path);
    while (!rc && gguf_next_text(&l->merges, &text))
        rc = merge_add_line(t, text.text, text.len, rank++, path, err);
    return rc;
}

/* BOS, EOS and what is put in front. ADD: when the file does not say. */
static int read_ends(struct tokenizer *t, const struct gguf *g, bool add, struct err *err)
{
    uint64_t bos, eos, fallback = t->form == FORM_PIECES ? 1 : NO_ID;
    bool space = true;
    int rc = gguf_get_size(g, "tokenizer.ggml.bos_token_id", fallback, &bos, err);

    rc = rc ? rc
            : gguf_get_size(g, "tokenizer.ggml.eos_token_id", fallback == 1 ? 2 : fallback, &eos,
                            err);
    rc = rc ? rc : gguf_get_bool(g, "tokenizer.ggml.add_bos_token", add, &add, err);
    rc = rc ? rc : gguf_get_bool(g, "tokenizer.ggml.add_space_prefix", true, &space, err);
    if (rc)
        return rc;
    t->bos = (uint32_t)MIN(bos, (uint64_t)NO_ID);
    t->eos = (uint32_t)MIN(eos, (uint64_t)NO_ID);
    t->prefix[0] = t->bos;
    t->prefix_len = add && t->bos != NO_ID;
    t->dummy_prefix &= space;
    return 0;
}

static int fill(struct tokenizer **ret, const struct gguf *g, size_t vocab, enum family f,
                struct err *err)
{
    const char *path = gguf_path(g);
    struct gguf_text model;
    struct lists l = { 0 };
    bool pieces;
    int rc = gguf_get_text(g, "tokenizer.ggml.model", &model, err);

    rc = rc ? rc : open_lists(g, path, &l, err);
    if (rc)
        return rc;
    pieces = gguf_text_is(model, "llama");
    if (!pieces && !gguf_text_is(model, "gpt2"))
        return err_set(err, ERR_INVALID,
                       "%s: a vocabulary of kind '%.*s' (tokenizer.ggml.model) is not supported: "
                       "llama and gpt2 are",
                       path, (int)MIN(model.len, (size_t)40), model.text);
    if (pieces && f != FAMILY_NONE)
        return err_set(err, ERR_INVALID, "%s: a SentencePiece vocabulary takes no pre-tokenizer",
                       path);
    *ret = tokenizer_new(pieces ? FORM_PIECES : FORM_BYTES);
    rc = pieces ? read_pieces(*ret, path, &l, err) : read_bytes(*ret, g, path, &l, &f, err);
    rc = rc ? rc : read_ends(*ret, g, pieces || f == FAMILY_LLAMA3, err);
    return rc ? rc : tokenizer_finish(*ret, path, vocab, err);
}

int read_gguf(struct tokenizer **ret, const char *path, size_t vocab, enum family f,
              struct err *err)
{
    struct tokenizer *t = NULL;
    struct gguf *g;
    int rc = gguf_open(&g, path, err);

    if (rc)
        return rc;
    rc = fill(&t, g, vocab, f, err);
    gguf_close(g);
    if (rc)
        tokenizer_free(t);
    else
        *ret = t;
    return rc;
}
