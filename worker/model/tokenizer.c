/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/model/tokenizer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/model/tokenizer_forms.h"

struct tokenizer *tokenizer_new(size_t vocab, bool json)
{
    struct tokenizer *t = mem_calloc(1, sizeof(*t));

    t->json = json;
    t->vocab = vocab;
    t->bos = t->eos = UINT32_MAX;
    t->piece = mem_calloc(vocab, sizeof(*t->piece));
    for (size_t i = 0; i < ARRAY_LEN(t->byte_id); i++)
        t->byte_id[i] = UINT32_MAX;
    return t;
}

void tokenizer_free(struct tokenizer *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->vocab; i++)
        free(t->piece[i].text);
    free(t->piece);
    free(t->sorted);
    free(t);
}

int tokenizer_open(struct tokenizer **ret, const char *path, size_t vocab, struct err *err)
{
    size_t n = strlen(path);

    if (n > 5 && !strcmp(path + n - 5, ".json"))
        return tokenizer_json_open(ret, path, vocab, err);
    return tokenizer_bin_open(ret, path, vocab, err);
}

size_t tokenizer_vocab(const struct tokenizer *t)
{
    return t->vocab;
}

uint32_t tokenizer_bos(const struct tokenizer *t)
{
    return t->bos;
}

uint32_t tokenizer_eos(const struct tokenizer *t)
{
    return t->eos;
}

bool tokenizer_is_json(const struct tokenizer *t)
{
    return t->json;
}

int tokenizer_encode(const struct tokenizer *t, const char *text, bool add_special, uint32_t **ret,
                     size_t *ret_len, struct err *err)
{
    /* At most one id per byte, the space in front, and BOS. */
    uint32_t *ids = mem_calloc(strlen(text) + 2, sizeof(*ids));
    size_t first = 0, len = 0;
    int rc;

    if (add_special && t->bos != UINT32_MAX)
        ids[first++] = t->bos;
    rc = t->json ? tokenizer_json_encode(t, text, ids + first, &len, err)
                 : tokenizer_bin_encode(t, text, ids + first, &len, err);
    if (rc) {
        free(ids);
        return rc;
    }
    *ret = ids;
    *ret_len = first + len;
    return 0;
}

void tokenizer_decode(const struct tokenizer *t, uint32_t previous, uint32_t id, struct buf *out)
{
    const struct piece *p;
    size_t skip;

    if (id >= t->vocab || id == t->bos || id == t->eos || !t->piece[id].text)
        return;
    p = &t->piece[id];
    if (!t->json && !p->normal)
        for (unsigned b = 0; b < 256; b++)
            if (t->byte_id[b] == id) {
                buf_addc(out, (char)b);
                return;
            }
    skip = !t->json && previous != UINT32_MAX && previous == t->bos && p->len && p->text[0] == ' ';
    buf_add(out, p->text + skip, p->len - skip);
}
