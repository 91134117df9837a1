/* SPDX-License-Identifier: Apache-2.0 */
/* alphabet.c - one token per character, and tags of several characters, kept in Hugging Face's
 * tokenizer.json: a BPE model without merges, the tags as added tokens. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json.h"
#include "common/base/mem.h"
#include "worker/tokenizer/tokenizer_private.h"

enum { BOS, EOS, FIRST };
enum { TAGS_MAX = 64 };

static void set_text(struct tokenizer *t, uint32_t id, const char *text)
{
    tokenizer_set(t, id, id < FIRST ? PIECE_SPECIAL : PIECE_NORMAL, text, strlen(text));
    if (id >= FIRST)
        t->byte_id[(unsigned char)text[0]] = id;
}

static int check_alphabet(const char *alphabet, struct err *err)
{
    size_t n = strlen(alphabet);

    if (!n)
        return err_set(err, ERR_INVALID, "the alphabet is empty");
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)alphabet[i] > 127)
            return err_set(err, ERR_INVALID, "the alphabet's byte %zu is not ASCII", i);
        if (strchr(alphabet + i + 1, alphabet[i]))
            return err_set(err, ERR_INVALID, "the alphabet has '%c' twice", alphabet[i]);
    }
    return 0;
}

static int add_tags(struct tokenizer *t, uint32_t id, const char *const *tag, size_t tags,
                    struct err *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < tags; i++, id++) {
        struct added a = { .text = (char *)tag[i], .len = (uint32_t)strlen(tag[i]), .id = id };

        for (size_t k = 0; rc == 0 && k < i; k++)
            if (strcmp(tag[i], tag[k]) == 0)
                rc = err_set(err, ERR_INVALID, "the tag %.40s twice", tag[i]);
        rc = rc ? rc : tokenizer_add(t, &a, "the alphabet", err);
    }
    added_sort(&t->added[0]);
    return rc;
}

int tokenizer_from_alphabet_tags(struct tokenizer **ret, const char *alphabet,
                                 const char *const *tag, size_t tags, struct err *err)
{
    size_t n = strlen(alphabet);
    struct tokenizer *t;
    int rc = check_alphabet(alphabet, err);

    if (rc)
        return rc;
    t = tokenizer_new(FORM_CHARACTERS);
    tokenizer_set(t, (uint32_t)((FIRST + n + tags + 7) / 8 * 8 - 1), PIECE_NONE, "", 0);
    t->bos = BOS;
    t->eos = EOS;
    t->prefix[0] = BOS;
    t->prefix_len = 1;
    set_text(t, BOS, "<s>");
    set_text(t, EOS, "</s>");
    for (size_t i = 0; i < n; i++)
        set_text(t, (uint32_t)(FIRST + i), (char[2]){ alphabet[i], '\0' });
    snprintf(t->kind, sizeof(t->kind),
             tags ? "one token per character and tag" : "one token per character");
    tokenizer_index(t);
    rc = add_tags(t, (uint32_t)(FIRST + n), tag, tags, err);
    if (rc)
        tokenizer_free(t);
    else
        *ret = t;
    return rc;
}

int tokenizer_from_alphabet(struct tokenizer **ret, const char *alphabet, struct err *err)
{
    return tokenizer_from_alphabet_tags(ret, alphabet, NULL, 0, err);
}

struct gather {
    const char *path;
    char alphabet[129]; /* by id - FIRST */
    size_t seen;
    struct err *err;
};

static int gather_piece(const char *text, struct json *id, void *arg)
{
    struct gather *g = arg;
    int64_t i = json_is_integer(id) ? json_integer(id, -1) : -1;

    if (i == BOS || i == EOS) {
        if (!strcmp(text, i == BOS ? "<s>" : "</s>"))
            return 0;
    } else if (i >= FIRST && i < FIRST + 128 && strlen(text) == 1 && (unsigned char)text[0] < 128 &&
               !g->alphabet[i - FIRST]) {
        g->alphabet[i - FIRST] = text[0];
        g->seen++;
        return 0;
    }
    return err_set(g->err, ERR_INVALID,
                   "%s: token '%.40s' does not fit: a vocabulary without merges has single ASCII "
                   "characters with <s> = 0, </s> = 1 and ids from 2 without gaps",
                   g->path, text);
}

/* The tags among ADDED by id, which go on where the alphabet of N characters ends. */
static int gather_tags(const struct json *added, const char *path, size_t n, const char **tag,
                       size_t *ret_tags, struct err *err)
{
    size_t tags = 0;

    for (size_t i = 0; i < json_len(added); i++) {
        const struct json *o = json_at(added, i);
        const char *content = json_text(json_get(o, "content"));
        int64_t id = json_integer(json_get(o, "id"), -1), first = (int64_t)(FIRST + n);

        if (json_bool(json_get(o, "special"), false))
            continue;
        if (!content || id < first || id >= first + TAGS_MAX || tag[id - first])
            return err_set(err, ERR_INVALID,
                           "%s: added token '%.40s' does not fit: behind a vocabulary of single "
                           "characters at most %d tags follow, with ids from %lld without gaps",
                           path, content ? content : "", TAGS_MAX, (long long)first);
        tag[id - first] = content;
        tags++;
    }
    for (size_t i = 0; i < tags; i++)
        if (!tag[i])
            return err_set(err, ERR_INVALID, "%s: the ids of added_tokens have gaps", path);
    *ret_tags = tags;
    return 0;
}

int read_alphabet(struct tokenizer **ret, const char *path, const struct json *vocab_json,
                  const struct json *added, size_t vocab, struct err *err)
{
    struct gather g = { .path = path, .err = err };
    const char *tag[TAGS_MAX] = { NULL };
    struct tokenizer *t;
    size_t tags = 0;
    int rc = json_each(vocab_json, gather_piece, &g);

    if (rc)
        return rc;
    if (!g.seen || g.seen != strlen(g.alphabet) || !json_get(vocab_json, "<s>") ||
        !json_get(vocab_json, "</s>"))
        return err_set(err, ERR_INVALID, "%s: the vocabulary has gaps or lacks <s> or </s>", path);
    rc = gather_tags(added, path, g.seen, tag, &tags, err);
    if (rc)
        return rc;
    rc = tokenizer_from_alphabet_tags(&t, g.alphabet, tag, tags, err);
    if (rc)
        return err_wrap(err, rc, "%s", path);
    rc = tokenizer_finish(t, path, vocab, err);
    if (rc)
        tokenizer_free(t);
    else
        *ret = t;
    return rc;
}

static void push_text(struct json *object, const char *key, const char *text)
{
    json_set(object, key, json_new_text(text));
}

static struct json *added_token(uint32_t id, const char *content, bool special)
{
    static const char *const off[] = { "single_word", "lstrip", "rstrip", "normalized" };
    struct json *o = json_new_object();

    json_set(o, "id", json_new_integer(id));
    push_text(o, "content", content);
    for (size_t i = 0; i < ARRAY_LEN(off); i++)
        json_set(o, off[i], json_new_bool(false));
    json_set(o, "special", json_new_bool(special));
    return o;
}

/* {"KIND": {"id": ID, "type_id": TYPE}} */
static struct json *template_part(const char *kind, const char *id, int type)
{
    struct json *inner = json_new_object(), *outer = json_new_object();

    push_text(inner, "id", id);
    json_set(inner, "type_id", json_new_integer(type));
    json_set(outer, kind, inner);
    return outer;
}

/* <s> in front of every text, as tokenizer_encode does. */
static struct json *post_processor(void)
{
    struct json *o = json_new_object(), *list[2], *bos = json_new_object(),
                *all = json_new_object();
    struct json *ids = json_new_array(), *tokens = json_new_array();

    push_text(o, "type", "TemplateProcessing");
    for (int pair = 0; pair < 2; pair++) {
        list[pair] = json_new_array();
        json_push(list[pair], template_part("SpecialToken", "<s>", 0));
        json_push(list[pair], template_part("Sequence", "A", 0));
        if (pair)
            json_push(list[pair], template_part("Sequence", "B", 1));
        json_set(o, pair ? "pair" : "single", list[pair]);
    }
    push_text(bos, "id", "<s>");
    json_push(ids, json_new_integer(BOS));
    json_push(tokens, json_new_text("<s>"));
    json_set(bos, "ids", ids);
    json_set(bos, "tokens", tokens);
    json_set(all, "<s>", bos);
    json_set(o, "special_tokens", all);
    return o;
}

static struct json *bpe_model(const struct tokenizer *t)
{
    static const char *const none[] = { "dropout", "unk_token", "continuing_subword_prefix",
                                        "end_of_word_suffix" };
    struct json *o = json_new_object(), *vocab = json_new_object();

    push_text(o, "type", "BPE");
    for (size_t i = 0; i < ARRAY_LEN(none); i++)
        json_set(o, none[i], json_new_null());
    json_set(o, "fuse_unk", json_new_bool(false));
    json_set(o, "byte_fallback", json_new_bool(false));
    for (uint32_t i = 0; i < t->vocab; i++) {
        char text[8];

        if (t->piece[i].type == PIECE_NONE || t->piece[i].type == PIECE_ADDED)
            continue;
        snprintf(text, sizeof(text), "%.*s", (int)t->piece[i].len, piece_text(t, i));
        json_set(vocab, text, json_new_integer(i));
    }
    json_set(o, "vocab", vocab);
    json_set(o, "merges", json_new_array());
    return o;
}

static void push_tags(struct json *added, const struct tokenizer *t)
{
    for (uint32_t i = 0; i < t->vocab; i++) {
        CLEANUP(buf_release) struct buf text = { 0 };

        if (t->piece[i].type != PIECE_ADDED)
            continue;
        buf_add(&text, piece_text(t, i), t->piece[i].len);
        json_push(added, added_token(i, buf_str(&text), false));
    }
}

int tokenizer_save(const struct tokenizer *t, const char *path, struct err *err)
{
    CLEANUP(json_cleanup) struct json *root = json_new_object();
    CLEANUP(mem_cleanup) char *text = NULL;
    struct json *added = json_new_array(), *decoder = json_new_object();

    assert(tokenizer_is_json(t));
    push_text(root, "version", "1.0");
    json_set(root, "truncation", json_new_null());
    json_set(root, "padding", json_new_null());
    json_push(added, added_token(BOS, "<s>", true));
    json_push(added, added_token(EOS, "</s>", true));
    push_tags(added, t);
    json_set(root, "added_tokens", added);
    json_set(root, "normalizer", json_new_null());
    json_set(root, "pre_tokenizer", json_new_null());
    json_set(root, "post_processor", post_processor());
    push_text(decoder, "type", "Fuse"); /* join without spaces */
    json_set(root, "decoder", decoder);
    json_set(root, "model", bpe_model(t));
    text = json_dump(root, 2);
    return buf_write_file(path, text, strlen(text), err);
}
