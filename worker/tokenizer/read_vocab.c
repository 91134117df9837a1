/* SPDX-License-Identifier: Apache-2.0 */
/* read_vocab.c - vocab.json and merges.txt (GPT-2: encoder.json and vocab.bpe).
 *
 * A cut vocab.json is no JSON. A cut merges file ends in half a line, which names a token that is
 * not there, or at the end of one: then tokens are left that no merge makes. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
    bool mapped;

    if (id < 0 || id >= MODEL_VOCAB_MAX || len > PIECE_LEN_MAX)
        return err_set(r->err, ERR_INVALID,
                       "%s: token '%.40s' (%zu bytes) has no id from 0 to %d: this is no "
                       "vocabulary",
                       r->path, text, len, MODEL_VOCAB_MAX - 1);
    if ((size_t)id < r->t->vocab && r->t->piece[id].type != PIECE_NONE)
        return err_set(r->err, ERR_CORRUPT, "%s: id %d is there twice (token '%.40s')", r->path,
                       (int)id, text);
    mapped = bytemap_decode(text, len, &bytes) && len;
    tokenizer_set(r->t, (uint32_t)id, mapped ? PIECE_NORMAL : PIECE_ADDED,
                  mapped ? bytes.data : text, mapped ? bytes.len : len);
    return 0;
}

/* The merges that belong to the vocabulary PATH: "vocab" in its name made "merges", else
 * merges.txt, else vocab.bpe, in its folder. */
static int find_merges(const char *path, struct buf *out, struct err *err)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *vocab = strstr(name, "vocab"), *dot = strrchr(name, '.');
    static const char *const usual[] = { "merges.txt", "vocab.bpe" };

    if (vocab) {
        buf_add(out, path, (size_t)(vocab - path));
        buf_adds(out, "merges");
        buf_add(out, vocab + 5, dot && dot > vocab ? (size_t)(dot - vocab - 5) : strlen(vocab + 5));
        buf_adds(out, ".txt");
        if (!access(out->data, R_OK))
            return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(usual); i++) {
        buf_clear(out);
        buf_add(out, path, (size_t)(name - path));
        buf_adds(out, usual[i]);
        if (!access(out->data, R_OK))
            return 0;
    }
    return err_set(err, ERR_NOT_FOUND,
                   "%s: a vocabulary needs its merges beside it (merges.txt or vocab.bpe)", path);
}

static int read_merges(struct tokenizer *t, const char *path, struct err *err)
{
    CLEANUP(buf_release) struct buf file = { 0 };
    uint32_t rank = 0;
    size_t end;
    int rc = buf_read_file(&file, path, FILE_MAX, err);

    for (size_t at = 0; at < file.len && !rc; at = end + 1) {
        const char *line = file.data + at, *feed = memchr(line, '\n', file.len - at);
        size_t len = feed ? (size_t)(feed - line) : file.len - at;

        end = at + len;
        len -= len && line[len - 1] == '\r';
        if (!len || (!at && len > 8 && !memcmp(line, "#version", 8)))
            continue;
        rc = merge_add_line(t, line, len, rank++, path, err);
    }
    return rc;
}

/* Every token of several bytes comes from a merge, but for those written like "<...>". */
static int check_made(const struct tokenizer *t, const char *path, struct err *err)
{
    CLEANUP(mem_cleanup) unsigned char *made = mem_calloc(t->vocab, 1);
    size_t lacking = 0;
    uint32_t first = 0;

    for (size_t i = 0; i < t->pairs.slots; i++)
        if (t->pairs.slot[i].left != NO_ID)
            made[t->pairs.slot[i].id] = 1;
    for (uint32_t id = 0; id < t->vocab; id++) {
        const struct piece *p = &t->piece[id];
        const char *text = piece_text(t, id);

        if (p->type != PIECE_NORMAL || p->len < 2 || made[id] ||
            (text[0] == '<' && text[p->len - 1] == '>'))
            continue;
        first = lacking++ ? first : id;
    }
    if (lacking)
        return err_set(err, ERR_CORRUPT,
                       "%s: it ends after %zu merges, and %zu tokens of the vocabulary come from "
                       "none (the first is %u): the file is cut or belongs to another vocabulary",
                       path, t->pairs.len, lacking, first);
    return 0;
}

static int fill(struct tokenizer *t, const char *path, const struct json *vocab_json, size_t vocab,
                enum family f, struct err *err)
{
    struct reading r = { .t = t, .path = path, .err = err };
    CLEANUP(buf_release) struct buf merges = { 0 };
    CLEANUP(config_release) struct tokenizer_config c = { 0 };
    int rc = json_each(vocab_json, read_token, &r);

    rc = rc ? rc : find_merges(path, &merges, err);
    if (rc)
        return rc;
    tokenizer_index(t);
    rc = read_merges(t, merges.data, err);
    rc = rc ? rc : check_made(t, merges.data, err);
    rc = rc ? rc : config_open(&c, path, err);
    if (rc)
        return rc;
    if (f == FAMILY_NONE)
        f = config_family(&c);
    if (f == FAMILY_NONE)
        f = t->vocab == 50256 || t->vocab == 50257 ? FAMILY_GPT2 : FAMILY_QWEN2;
    rc = family_apply(t, f, err);
    rc = rc ? rc : config_apply(&c, t, err);
    if (!rc && !t->added[0].len && !t->added[1].len) {
        rc = family_specials(t, f, (uint32_t)t->vocab, path, err);
        rc = rc ? rc : config_apply(&c, t, err);
    } else if (!rc && t->eos == NO_ID) {
        t->eos = tokenizer_id(t, "<|endoftext|>");
    }
    return rc ? rc : tokenizer_finish(t, path, vocab, err);
}

int read_vocab_merges(struct tokenizer **ret, const char *path, const struct json *vocab_json,
                      size_t vocab, enum family f, struct err *err)
{
    struct tokenizer *t = tokenizer_new(FORM_BYTES);
    int rc = fill(t, path, vocab_json, vocab, f, err);

    if (rc)
        tokenizer_free(t);
    else
        *ret = t;
    return rc;
}
