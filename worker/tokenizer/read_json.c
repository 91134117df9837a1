/* SPDX-License-Identifier: Apache-2.0 */
/* read_json.c - Hugging Face's tokenizer.json with a BPE model: byte-level (GPT-2, Llama 3, Qwen2),
 * Llama 2's characters with byte tokens, or our own one token per character. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json.h"
#include "common/base/mem.h"
#include "worker/checkpoint/conf.h"
#include "worker/tokenizer/tokenizer_private.h"

struct reading {
    struct tokenizer *t;
    const char *path;
    struct err *err;
};

static int read_token(const char *text, struct json *value, void *arg)
{
    struct reading *r = arg;
    CLEANUP(buf_release) struct buf bytes = { 0 };
    int64_t id = json_is_integer(value) ? json_integer(value, -1) : -1;
    size_t len = strlen(text);
    struct spm_piece p = { .text = text, .len = len, .type = 1 };
    bool mapped;

    if (id < 0 || id >= MODEL_VOCAB_MAX || !len || len > PIECE_LEN_MAX)
        return err_set(r->err, ERR_INVALID,
                       "%s: token '%.40s' in model.vocab (%zu bytes) has no id from 0 to %d",
                       r->path, text, len, MODEL_VOCAB_MAX - 1);
    if ((size_t)id < r->t->vocab && r->t->piece[id].type != PIECE_NONE)
        return err_set(r->err, ERR_INVALID, "%s: id %d is there twice in model.vocab ('%.40s')",
                       r->path, (int)id, text);
    if (r->t->form == FORM_PIECES) {
        if (len == 6 && !memcmp(text, "<0x", 3) && text[5] == '>')
            p.type = 6;
        return spm_set(r->t, (uint32_t)id, &p, r->path, r->err);
    }
    mapped = bytemap_decode(text, len, &bytes);
    tokenizer_set(r->t, (uint32_t)id, mapped ? PIECE_NORMAL : PIECE_ADDED,
                  mapped ? bytes.data : text, mapped ? bytes.len : len);
    return 0;
}

/* Strings "a b" or lists ["a", "b"]. */
static int read_merges(struct tokenizer *t, const char *path, const struct json *merges,
                       struct err *err)
{
    int rc = 0;

    for (size_t i = 0; i < json_len(merges) && !rc; i++) {
        const struct json *m = json_at(merges, i), *a = json_at(m, 0), *b = json_at(m, 1);

        if (json_is_string(m))
            rc = merge_add_line(t, json_text(m), json_text_len(m), (uint32_t)i, path, err);
        else if (json_is_array(m) && json_len(m) == 2 && json_is_string(a) && json_is_string(b))
            rc = merge_add(t, json_text(a), json_text_len(a), json_text(b), json_text_len(b),
                           (uint32_t)i, path, err);
        else
            rc = err_set(err, ERR_INVALID,
                         "%s: model.merges: element %zu is neither \"a b\" nor [\"a\", \"b\"]",
                         path, i);
    }
    return rc;
}

static bool flag(const struct json *o, const char *key)
{
    return json_bool(json_get(o, key), false);
}

int read_added(struct tokenizer *t, const char *path, const struct json *o, int64_t id,
               struct err *err)
{
    const struct json *content = json_get(o, "content");
    struct spm_piece p = { .type = 4 };
    struct added a = {
        .special = flag(o, "special"),
        .single_word = flag(o, "single_word"),
        .lstrip = flag(o, "lstrip"),
        .rstrip = flag(o, "rstrip"),
        /* Without a normaliser both are the same; Llama 2's changes spaces only. */
        .normalized = t->nfc && json_bool(json_get(o, "normalized"), !flag(o, "special")),
    };

    if (!json_is_string(content) || id < 0 || id >= MODEL_VOCAB_MAX)
        return err_set(err, ERR_INVALID, "%s: an added token has no content or no id from 0 to %d",
                       path, MODEL_VOCAB_MAX - 1);
    a.text = (char *)json_text(content);
    a.len = (uint32_t)MIN(json_text_len(content), (size_t)UINT32_MAX);
    a.id = (uint32_t)id;
    if (t->form == FORM_PIECES && !a.special && strstr(a.text, "\xe2\x96\x81")) {
        p.text = a.text;
        p.len = a.len;
        return spm_set(t, a.id, &p, path, err);
    }
    return tokenizer_add(t, &a, path, err);
}

static int read_all_added(struct tokenizer *t, const char *path, const struct json *list,
                          struct err *err)
{
    int rc = 0;

    for (size_t i = 0; i < json_len(list) && !rc; i++) {
        const struct json *o = json_at(list, i);

        rc = read_added(t, path, o, json_integer(json_get(o, "id"), -1), err);
    }
    return rc;
}

static bool is_set(const struct json *v)
{
    return v && !json_is_null(v) && !(json_is_string(v) && !json_text_len(v));
}

static int check_model(const struct json *model, const char *path, struct err *err)
{
    static const char *const refused[] = { "dropout", "continuing_subword_prefix",
                                           "end_of_word_suffix" };
    const struct json *type = json_get(model, "type");

    if ((type && (!json_is_string(type) || strcmp(json_text(type), "BPE") != 0)) ||
        !json_is_array(json_get(model, "merges")) || !json_is_object(json_get(model, "vocab")))
        return err_set(err, ERR_INVALID,
                       "%s: not a tokenizer that this version reads: model.type is '%.40s'; "
                       "BPE with merges and a vocab object is supported",
                       path, json_text(type) ? json_text(type) : "none");
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        if (is_set(json_get(model, refused[i])) &&
            !(json_is_number(json_get(model, refused[i])) &&
              json_number(json_get(model, refused[i]), 0) == 0))
            return err_set(err, ERR_INVALID, "%s: model.%s is not supported", path, refused[i]);
    return 0;
}

/* Whether the pre-tokenizer V is, or holds, ByteLevel. */
static bool has_byte_level(const struct json *v)
{
    const char *type = json_text(json_get(v, "type"));
    const struct json *list = json_get(v, "pretokenizers");

    if (type && !strcmp(type, "ByteLevel"))
        return true;
    for (size_t i = 0; i < json_len(list); i++) {
        type = json_text(json_get(json_at(list, i), "type"));
        if (type && !strcmp(type, "ByteLevel"))
            return true;
    }
    return false;
}

/* Ids that nothing else has set: what families end their texts with. */
static void usual_ends(struct tokenizer *t)
{
    static const char *const ends[] = { "<|end_of_text|>", "<|endoftext|>", "</s>" };

    if (t->bos == NO_ID && t->prefix_len)
        t->bos = t->prefix[0];
    for (size_t i = 0; i < ARRAY_LEN(ends) && t->eos == NO_ID; i++)
        t->eos = tokenizer_id(t, ends[i]);
}

static int fill(struct tokenizer *t, const char *path, const struct json *root, size_t vocab,
                struct err *err)
{
    struct reading r = { .t = t, .path = path, .err = err };
    const struct json *model = json_get(root, "model");
    CLEANUP(config_release) struct tokenizer_config c = { 0 };
    int rc = json_each(json_get(model, "vocab"), read_token, &r);

    if (rc)
        return rc;
    tokenizer_index(t);
    t->whole_first = flag(model, "ignore_merges");
    rc = read_merges(t, path, json_get(model, "merges"), err);
    rc = rc ? rc : read_parts(t, path, root, err);
    rc = rc ? rc : read_all_added(t, path, json_get(root, "added_tokens"), err);
    rc = rc ? rc : config_open(&c, path, err);
    rc = rc ? rc : config_apply(&c, t, err);
    if (rc)
        return rc;
    for (unsigned b = 0; b < 256 && is_set(json_get(model, "unk_token")); b++)
        if (t->form == FORM_BYTES && t->byte_id[b] == NO_ID)
            return err_set(err, ERR_INVALID,
                           "%s: model.unk_token is not supported in a byte-level vocabulary that "
                           "lacks bytes (0x%02x)",
                           path, b);
    usual_ends(t);
    return tokenizer_finish(t, path, vocab, err);
}

int read_tokenizer_json(struct tokenizer **ret, const char *path, const struct json *root,
                        size_t vocab, struct err *err)
{
    const struct json *model = json_get(root, "model");
    bool bytes = has_byte_level(json_get(root, "pre_tokenizer"));
    struct tokenizer *t;
    int rc = check_model(model, path, err);

    if (rc)
        return rc;
    if (!bytes && !flag(model, "byte_fallback")) {
        if (!json_len(json_get(model, "merges")))
            return read_alphabet(ret, path, json_get(model, "vocab"),
                                 json_get(root, "added_tokens"), vocab, err);
        return err_set(err, ERR_INVALID,
                       "%s: not a tokenizer that this version reads: a BPE model with merges needs "
                       "a ByteLevel pre_tokenizer or byte_fallback",
                       path);
    }
    t = tokenizer_new(bytes ? FORM_BYTES : FORM_PIECES);
    rc = fill(t, path, root, vocab, err);
    if (rc)
        tokenizer_free(t);
    else
        *ret = t;
    return rc;
}
