/* SPDX-License-Identifier: Apache-2.0 */
/* read_ranks.c - tiktoken rank files: lines "base64-of-the-bytes rank". A word that is a token is
 * taken whole; else the pair whose bytes together have the lowest rank is merged.
 *
 * Nothing in such a file says where it ends. Ranks must be 0 to n-1 and every byte must be there,
 * and the files in OpenAI's order ('!' is rank 0) are known by their number of ranks; a file in an
 * order of its own that is cut behind a line cannot be told from a whole one. */
#include <string.h>

#include "common/base/mem.h"
#include "worker/checkpoint/conf.h"
#include "worker/tokenizer/tokenizer_private.h"

static const struct {
    enum family family;
    size_t ranks;
} complete[] = { { FAMILY_GPT2, 50256 }, { FAMILY_LLAMA3, 128000 }, { FAMILY_QWEN2, 151643 } };

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* LEN characters with padding; false when they are no base64 or give nothing. */
static bool base64_decode(const char *text, size_t len, struct buf *out)
{
    size_t padding = 0;

    if (!len || len % 4 || len > 2 * PIECE_LEN_MAX)
        return false;
    while (padding < 2 && text[len - 1 - padding] == '=')
        padding++;
    for (size_t i = 0; i < len; i += 4) {
        uint32_t word = 0;
        size_t bytes = i + 4 == len ? 3 - padding : 3;

        for (size_t k = 0; k < 4; k++) {
            int v = i + k < len - padding ? base64_value(text[i + k]) : 0;

            if (v < 0)
                return false;
            word = word << 6 | (uint32_t)v;
        }
        if (word & (bytes == 1 ? 0xffff : bytes == 2 ? 0xff : 0))
            return false;
        for (size_t k = 0; k < bytes; k++)
            buf_addc(out, (char)(word >> (16 - 8 * k)));
    }
    return true;
}

/* One line without its end. */
static bool parse_line(const char *line, size_t len, struct buf *bytes, uint32_t *ret_rank)
{
    const char *space = memchr(line, ' ', len);
    size_t digits = space ? len - (size_t)(space + 1 - line) : 0;
    uint32_t rank = 0;

    if (!digits || digits > 8 || !base64_decode(line, (size_t)(space - line), bytes) ||
        bytes->len > PIECE_LEN_MAX)
        return false;
    for (size_t i = 0; i < digits; i++) {
        if (space[1 + i] < '0' || space[1 + i] > '9' || (i == 0 && digits > 1 && space[1] == '0'))
            return false;
        rank = rank * 10 + (uint32_t)(space[1 + i] - '0');
    }
    *ret_rank = rank;
    return true;
}

static size_t line_len(const struct buf *file, size_t at)
{
    const char *feed = memchr(file->data + at, '\n', file->len - at);

    return feed ? (size_t)(feed - file->data) - at : file->len - at;
}

bool looks_like_ranks(const struct buf *file)
{
    CLEANUP(buf_release) struct buf bytes = { 0 };
    uint32_t rank;
    size_t len = file->len ? line_len(file, 0) : 0;

    len -= len && file->data[len - 1] == '\r';
    return len && parse_line(file->data, len, &bytes, &rank);
}

static int read_lines(struct tokenizer *t, const struct buf *file, const char *path,
                      struct err *err)
{
    CLEANUP(buf_release) struct buf bytes = { 0 };
    size_t line = 1, len;
    uint32_t rank;

    for (size_t at = 0; at < file->len; at += len + 1, line++) {
        size_t bare;

        len = bare = line_len(file, at);
        bare -= bare && file->data[at + bare - 1] == '\r';
        if (!bare && at + len >= file->len)
            break;
        buf_clear(&bytes);
        if (!parse_line(file->data + at, bare, &bytes, &rank))
            return err_set(err, ERR_CORRUPT, "%s: line %zu is not \"base64 rank\"", path, line);
        if (rank >= MODEL_VOCAB_MAX || rank > t->vocab + 65536)
            return err_set(err, ERR_CORRUPT, "%s: line %zu has rank %u out of all order", path,
                           line, rank);
        if (rank < t->vocab && t->piece[rank].type != PIECE_NONE)
            return err_set(err, ERR_CORRUPT, "%s: line %zu has rank %u again", path, line, rank);
        tokenizer_set(t, rank, PIECE_NORMAL, bytes.data, bytes.len);
        t->piece[rank].rank = rank;
    }
    return 0;
}

static int check(const struct tokenizer *t, const char *path, struct err *err)
{
    for (uint32_t id = 0; id < t->vocab; id++) {
        if (t->piece[id].type == PIECE_NONE)
            return err_set(err, ERR_CORRUPT, "%s: rank %u is missing", path, id);
        if (piece_find(t, piece_text(t, id), t->piece[id].len) != id)
            return err_set(err, ERR_CORRUPT, "%s: rank %u has the bytes of another", path, id);
    }
    for (unsigned byte = 0; byte < 256; byte++)
        if (t->byte_id[byte] == NO_ID)
            return err_set(err, ERR_CORRUPT, "%s: no rank for byte 0x%02x: the file is cut", path,
                           byte);
    return 0;
}

/* F or, when it is NONE, what the size tells. */
static int tell_family(const struct tokenizer *t, const struct buf *file, const char *path,
                       enum family *f, struct err *err)
{
    bool known_order = t->byte_id['!'] == 0, whole = false;

    for (size_t i = 0; i < ARRAY_LEN(complete); i++)
        if (t->vocab == complete[i].ranks) {
            *f = *f == FAMILY_NONE ? complete[i].family : *f;
            whole = *f == complete[i].family;
        }
    if (*f == FAMILY_NONE)
        *f = FAMILY_LLAMA3;
    if (known_order && !whole)
        return err_set(
            err, ERR_CORRUPT,
            "%s: %zu ranks in the order of OpenAI's files: whole ones have 50256 (gpt2), "
            "128000 (llama3) or 151643 (qwen2); this one is cut or of a kind that is "
            "not supported",
            path, t->vocab);
    if (!whole && file->data[file->len - 1] != '\n')
        return err_set(err, ERR_CORRUPT, "%s: the last line has no end: the file is cut", path);
    return 0;
}

static int fill(struct tokenizer *t, const char *path, const struct buf *file, size_t vocab,
                enum family f, struct err *err)
{
    int rc = read_lines(t, file, path, err);

    if (rc)
        return rc;
    tokenizer_index(t);
    rc = check(t, path, err);
    rc = rc ? rc : tell_family(t, file, path, &f, err);
    rc = rc ? rc : family_apply(t, f, err);
    t->whole_first = true;
    rc = rc ? rc : family_specials(t, f, (uint32_t)t->vocab, path, err);
    return rc ? rc : tokenizer_finish(t, path, vocab, err);
}

int read_ranks(struct tokenizer **ret, const char *path, const struct buf *file, size_t vocab,
               enum family f, struct err *err)
{
    struct tokenizer *t = tokenizer_new(FORM_BYTES);
    int rc = fill(t, path, file, vocab, f, err);

    if (rc)
        tokenizer_free(t);
    else
        *ret = t;
    return rc;
}
