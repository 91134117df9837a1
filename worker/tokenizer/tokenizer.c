/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.c - what all kinds share: pieces, added tokens, small questions. */
#include "worker/tokenizer/tokenizer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/checkpoint/conf.h"
#include "worker/tokenizer/tokenizer_private.h"

struct tokenizer *tokenizer_new(enum form form)
{
    struct tokenizer *t = mem_calloc(1, sizeof(*t));

    t->form = form;
    t->bos = t->eos = NO_ID;
    memset(t->byte_id, 0xff, sizeof(t->byte_id));
    return t;
}

void tokenizer_free(struct tokenizer *t)
{
    if (!t)
        return;
    free(t->piece);
    buf_release(&t->text);
    piece_table_release(&t->table);
    free(t->pairs.slot);
    for (size_t i = 0; i < ARRAY_LEN(t->added); i++)
        added_release(&t->added[i]);
    for (size_t i = 0; i < t->stages; i++)
        regex_free(t->stage[i]);
    free(t);
}

void tokenizer_set(struct tokenizer *t, uint32_t id, enum piece_type type, const char *bytes,
                   size_t len)
{
    assert(id < MODEL_VOCAB_MAX && len <= PIECE_LEN_MAX);
    if (id >= t->cap) {
        size_t cap = MAX(2 * t->cap, (size_t)id + 1024);

        t->piece = mem_realloc(t->piece, cap, sizeof(*t->piece));
        memset(t->piece + t->cap, 0, (cap - t->cap) * sizeof(*t->piece));
        t->cap = cap;
    }
    t->vocab = MAX(t->vocab, (size_t)id + 1);
    t->piece[id] =
        (struct piece){ .at = t->text.len, .len = (uint32_t)len, .rank = NO_ID, .type = type };
    buf_add(&t->text, bytes, len);
}

int tokenizer_add(struct tokenizer *t, const struct added *a, const char *path, struct err *err)
{
    struct added_set *s = &t->added[a->normalized];
    bool twice = false;

    if (!a->len || a->len > PIECE_LEN_MAX || a->id >= MODEL_VOCAB_MAX)
        return err_set(err, ERR_INVALID,
                       "%s: added token %u has %u bytes: 1 to %d, and an id below %d, are "
                       "supported",
                       path, a->id, a->len, PIECE_LEN_MAX, MODEL_VOCAB_MAX);
    for (size_t k = 0; k < ARRAY_LEN(t->added) && t->added[k].len == ADDED_MAX; k++)
        return err_set(err, ERR_LIMIT, "%s: more than %d added tokens", path, ADDED_MAX);
    if (a->id < t->vocab && t->piece[a->id].type != PIECE_NONE)
        twice = t->piece[a->id].len == a->len && !memcmp(piece_text(t, a->id), a->text, a->len) &&
                (t->piece[a->id].type == PIECE_ADDED || t->piece[a->id].type == PIECE_SPECIAL);
    tokenizer_set(t, a->id, a->special ? PIECE_SPECIAL : PIECE_ADDED, a->text, a->len);
    for (size_t k = 0; k < ARRAY_LEN(t->added) && twice; k++)
        for (size_t i = 0; i < t->added[k].len; i++)
            if (t->added[k].v[i].id == a->id) {
                t->added[k].v[i].special = a->special;
                return 0;
            }
    if (s->len == s->cap) {
        s->cap = MAX(2 * s->cap, 32u);
        s->v = mem_realloc(s->v, s->cap, sizeof(*s->v));
    }
    s->v[s->len] = *a;
    s->v[s->len++].text = mem_dup(a->text, a->len);
    return 0;
}

void tokenizer_index(struct tokenizer *t)
{
    piece_table_build(t);
    if (t->form == FORM_BYTES)
        bytemap_index(t);
}

int tokenizer_finish(struct tokenizer *t, const char *path, size_t vocab, struct err *err)
{
    if (vocab && t->vocab > vocab)
        return err_set(err, ERR_INVALID, "%s: %zu tokens, but the model has only %zu", path,
                       t->vocab, vocab);
    if (!t->vocab)
        return err_set(err, ERR_CORRUPT, "%s: no token at all", path);
    for (size_t i = 0; i < ARRAY_LEN(t->added); i++)
        added_sort(&t->added[i]);
    for (size_t i = 0; i < t->prefix_len; i++)
        if (t->prefix[i] >= t->vocab)
            return err_set(err, ERR_INVALID, "%s: BOS is %u, but there are %zu tokens", path,
                           t->prefix[i], t->vocab);
    if ((t->bos != NO_ID && t->bos >= t->vocab) || (t->eos != NO_ID && t->eos >= t->vocab))
        return err_set(err, ERR_INVALID, "%s: BOS %u or EOS %u is beyond the %zu tokens", path,
                       t->bos, t->eos, t->vocab);
    return 0;
}

size_t tokenizer_vocab(const struct tokenizer *t)
{
    return t->vocab;
}

const char *tokenizer_kind(const struct tokenizer *t)
{
    return t->kind;
}

uint32_t tokenizer_bos(const struct tokenizer *t)
{
    return t->bos;
}

uint32_t tokenizer_eos(const struct tokenizer *t)
{
    return t->eos;
}

uint32_t tokenizer_id(const struct tokenizer *t, const char *text)
{
    size_t len = strlen(text);

    for (size_t k = 0; k < ARRAY_LEN(t->added); k++)
        for (size_t i = 0; i < t->added[k].len; i++) {
            const struct added *a = &t->added[k].v[i];

            if (a->len == len && !memcmp(a->text, text, len))
                return a->id;
        }
    return t->table.slots ? piece_find(t, text, len) : NO_ID;
}

bool tokenizer_is_special(const struct tokenizer *t, uint32_t id)
{
    return id >= t->vocab || id == t->bos || id == t->eos || t->piece[id].type == PIECE_NONE ||
           t->piece[id].type == PIECE_SPECIAL;
}

bool tokenizer_is_json(const struct tokenizer *t)
{
    return t->form == FORM_CHARACTERS;
}
