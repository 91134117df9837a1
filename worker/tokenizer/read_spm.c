/* SPDX-License-Identifier: Apache-2.0 */
/* read_spm.c - SentencePiece's tokenizer.model: a protobuf ModelProto. Field 1, repeated: a piece
 * {1 text, 2 score, 3 type}; field 2: the trainer's settings; field 3: the normaliser's, which
 * comes last and is always written, so a file without it is cut. */
#include <stdio.h>
#include <string.h>

#include "worker/checkpoint/conf.h"
#include "worker/tokenizer/tokenizer_private.h"

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

struct field {
    unsigned number, wire;
    uint64_t value; /* VARINT, FIXED32, FIXED64 */
    const char *bytes;
    size_t len; /* BYTES */
};
struct reader {
    const char *data;
    size_t len, at;
};

static bool read_varint(struct reader *r, uint64_t *ret)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 64 && r->at < r->len; shift += 7) {
        uint8_t byte = (uint8_t)r->data[r->at++];

        v |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *ret = v;
            return true;
        }
    }
    return false;
}

static bool read_fixed(struct reader *r, unsigned bytes, uint64_t *ret)
{
    if (r->len - r->at < bytes)
        return false;
    *ret = 0;
    for (unsigned i = 0; i < bytes; i++)
        *ret |= (uint64_t)(uint8_t)r->data[r->at + i] << (8 * i);
    r->at += bytes;
    return true;
}

/* The next field; false at the end and for bytes that are none (r->at < r->len then). */
static bool next_field(struct reader *r, struct field *f)
{
    struct reader from = *r;
    uint64_t tag, len;
    bool good = false;

    if (r->at == r->len)
        return false;
    if (read_varint(r, &tag) && tag >> 3 && tag >> 3 < 1 << 29) {
        *f = (struct field){ .number = (unsigned)(tag >> 3), .wire = tag & 7 };
        if (f->wire == VARINT)
            good = read_varint(r, &f->value);
        else if (f->wire == FIXED64 || f->wire == FIXED32)
            good = read_fixed(r, f->wire == FIXED64 ? 8 : 4, &f->value);
        else if (f->wire == BYTES && read_varint(r, &len) && len <= r->len - r->at) {
            f->bytes = r->data + r->at;
            f->len = (size_t)len;
            r->at += f->len;
            good = true;
        }
    }
    if (!good)
        *r = from;
    return good;
}

struct settings {
    uint64_t model_type; /* 1 unigram, 2 BPE, 3 words, 4 characters */
    int64_t bos, eos;
    bool dummy_prefix, squeeze, suffix, trainer, normalizer, charsmap;
    char rule[32];
};

struct loading {
    struct tokenizer *t;
    const char *path;
    struct buf score; /* floats */
    struct settings s;
    struct err *err;
};

static int damaged(const struct loading *l, const char *what, size_t at)
{
    return err_set(l->err, ERR_CORRUPT, "%s: damaged or no SentencePiece model: %s at offset %zu",
                   l->path, what, at);
}

static int read_piece(struct loading *l, const struct field *f, size_t at)
{
    struct spm_piece p = { .type = 1 };
    struct reader r = { .data = f->bytes, .len = f->len };
    uint32_t id = (uint32_t)(l->score.len / sizeof(float)), bits;
    struct field in;

    if (id >= MODEL_VOCAB_MAX)
        return err_set(l->err, ERR_LIMIT, "%s: more than %d tokens", l->path, MODEL_VOCAB_MAX);
    while (next_field(&r, &in)) {
        if (in.number == 1 && in.wire == BYTES) {
            p.text = in.bytes;
            p.len = in.len;
        } else if (in.number == 2 && in.wire == FIXED32) {
            bits = (uint32_t)in.value;
            memcpy(&p.score, &bits, sizeof(bits));
        } else if (in.number == 3 && in.wire == VARINT) {
            p.type = in.value < 100 ? (int)in.value : 100;
        }
    }
    if (r.at != r.len || !p.len)
        return damaged(l, "a piece", at);
    buf_add(&l->score, &p.score, sizeof(p.score));
    return spm_set(l->t, id, &p, l->path, l->err);
}

static bool read_trainer(struct settings *s, const struct field *f)
{
    struct reader r = { .data = f->bytes, .len = f->len };
    struct field in;

    s->trainer = true;
    s->model_type = 1;
    while (next_field(&r, &in)) {
        if (in.wire != VARINT)
            continue;
        if (in.number == 3)
            s->model_type = in.value;
        else if (in.number == 24)
            s->suffix = in.value;
        else if (in.number == 41)
            s->bos = (int32_t)in.value;
        else if (in.number == 42)
            s->eos = (int32_t)in.value;
    }
    return r.at == r.len;
}

static bool read_normalizer(struct settings *s, const struct field *f)
{
    struct reader r = { .data = f->bytes, .len = f->len };
    struct field in;

    s->normalizer = true;
    while (next_field(&r, &in)) {
        if (in.number == 1 && in.wire == BYTES)
            snprintf(s->rule, sizeof(s->rule), "%.*s", (int)MIN(in.len, sizeof(s->rule)), in.bytes);
        else if (in.number == 2 && in.wire == BYTES)
            s->charsmap = in.len;
        else if (in.number == 3 && in.wire == VARINT)
            s->dummy_prefix = in.value;
        else if (in.number == 4 && in.wire == VARINT)
            s->squeeze = in.value;
    }
    return r.at == r.len;
}

static int read_fields(struct loading *l, const struct buf *file)
{
    struct reader r = { .data = file->data, .len = file->len };
    struct field f;
    size_t at = 0;
    int rc = 0;

    for (; !rc && next_field(&r, &f); at = r.at) {
        if (f.number > 6 && f.number < 200)
            rc = damaged(l, "an unknown field", at);
        else if (f.number <= 3 && f.wire != BYTES)
            rc = damaged(l, "a field of another type", at);
        else if (f.number == 1)
            rc = read_piece(l, &f, at);
        else if (f.number == 2 && !read_trainer(&l->s, &f))
            rc = damaged(l, "the trainer's settings", at);
        else if (f.number == 3 && !read_normalizer(&l->s, &f))
            rc = damaged(l, "the normaliser's settings", at);
    }
    return rc || r.at == r.len ? rc : damaged(l, "a field", r.at);
}

static int check_settings(const struct loading *l)
{
    static const char *const types[] = { "none", "unigram", "BPE", "words", "characters" };
    const struct settings *s = &l->s;

    if (!s->normalizer)
        return err_set(l->err, ERR_CORRUPT,
                       "%s: ends without the normaliser's settings: the file is cut or no "
                       "SentencePiece model",
                       l->path);
    if (s->model_type != 2)
        return err_set(l->err, ERR_INVALID,
                       "%s: a SentencePiece model of type %s is not supported: BPE is", l->path,
                       s->model_type < ARRAY_LEN(types) ? types[s->model_type] : "unknown");
    if (s->charsmap)
        return err_set(l->err, ERR_INVALID,
                       "%s: SentencePiece normaliser '%s' is not supported: identity is", l->path,
                       s->rule);
    if (s->suffix)
        return err_set(l->err, ERR_INVALID, "%s: treat_whitespace_as_suffix is not supported",
                       l->path);
    return 0;
}

/* ID when it is a control token of T. */
static uint32_t control(const struct tokenizer *t, int64_t id)
{
    return id >= 0 && (uint64_t)id < t->vocab && t->piece[id].type == PIECE_SPECIAL ? (uint32_t)id
                                                                                    : NO_ID;
}

static int fill(struct loading *l, const struct buf *file, size_t vocab)
{
    CLEANUP(config_release) struct tokenizer_config c = { 0 };
    struct tokenizer *t = l->t;
    int rc = read_fields(l, file);

    rc = rc ? rc : check_settings(l);
    rc = rc ? rc : config_open(&c, l->path, l->err);
    if (rc)
        return rc;
    if (!t->vocab)
        return damaged(l, "no piece", file->len);
    t->dummy_prefix = l->s.dummy_prefix;
    t->squeeze = l->s.squeeze;
    t->bos = control(t, l->s.bos);
    t->eos = control(t, l->s.eos);
    t->prefix[0] = t->bos;
    t->prefix_len = t->bos != NO_ID;
    snprintf(t->kind, sizeof(t->kind), "SentencePiece BPE");
    tokenizer_index(t);
    spm_rank(t, (const float *)(const void *)l->score.data);
    rc = config_apply(&c, t, l->err);
    return rc ? rc : tokenizer_finish(t, l->path, vocab, l->err);
}

int read_spm(struct tokenizer **ret, const char *path, const struct buf *file, size_t vocab,
             struct err *err)
{
    struct loading l = {
        .t = tokenizer_new(FORM_PIECES),
        .path = path,
        .s = { .model_type = 2, .bos = 1, .eos = 2, .dummy_prefix = true, .squeeze = true },
        .err = err,
    };
    int rc = fill(&l, file, vocab);

    buf_release(&l.score);
    if (rc)
        tokenizer_free(l.t);
    else
        *ret = l.t;
    return rc;
}
