/* SPDX-License-Identifier: Apache-2.0 */
/* spm.c - what the readers of SentencePiece vocabularies share (tokenizer.model, tokenizer.bin,
 * GGUF). U+2581 stands for a space in their pieces; here it is one, so that a U+2581 of the text
 * itself is spelt by byte tokens and comes back as it was. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/tokenizer/tokenizer_private.h"

enum { SPM_NORMAL = 1, SPM_UNKNOWN, SPM_CONTROL, SPM_USER, SPM_UNUSED, SPM_BYTE };

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int set_byte(struct tokenizer *t, uint32_t id, const struct spm_piece *p, const char *path,
                    struct err *err)
{
    int byte = p->len == 6 && !memcmp(p->text, "<0x", 3) && p->text[5] == '>' &&
                       hex(p->text[3]) >= 0 && hex(p->text[4]) >= 0
                   ? hex(p->text[3]) * 16 + hex(p->text[4])
                   : -1;

    if (byte < 0)
        return err_set(err, ERR_CORRUPT, "%s: token %u is a byte, but not written <0x00> to <0xFF>",
                       path, id);
    tokenizer_set(t, id, PIECE_BYTE, (char[]){ (char)byte }, 1);
    if (t->byte_id[byte] == NO_ID)
        t->byte_id[byte] = id;
    return 0;
}

static void plain_spaces(const struct spm_piece *p, struct buf *out)
{
    for (size_t i = 0; i < p->len; i++)
        if (p->len - i >= 3 && !memcmp(p->text + i, "\xe2\x96\x81", 3)) {
            buf_addc(out, ' ');
            i += 2;
        } else {
            buf_addc(out, p->text[i]);
        }
}

int spm_set(struct tokenizer *t, uint32_t id, const struct spm_piece *p, const char *path,
            struct err *err)
{
    CLEANUP(buf_release) struct buf text = { 0 };
    struct added a = { .id = id };

    if (p->len > PIECE_LEN_MAX)
        return err_set(err, ERR_CORRUPT, "%s: token %u is %zu bytes long, at most %d", path, id,
                       p->len, PIECE_LEN_MAX);
    if (!(p->score >= -1e9f && p->score <= 1e9f))
        return err_set(err, ERR_CORRUPT, "%s: token %u has a senseless score", path, id);
    plain_spaces(p, &text);
    a.text = text.data;
    a.len = (uint32_t)text.len;
    switch (p->type) {
    case SPM_NORMAL:
        tokenizer_set(t, id, PIECE_NORMAL, buf_str(&text), text.len);
        return 0;
    case SPM_UNKNOWN:
    case SPM_CONTROL:
    case SPM_USER:
        a.special = p->type != SPM_USER;
        return tokenizer_add(t, &a, path, err);
    case SPM_UNUSED:
        tokenizer_set(t, id, PIECE_NONE, "", 0);
        return 0;
    case SPM_BYTE:
        return set_byte(t, id, p, path, err);
    default:
        return err_set(err, ERR_CORRUPT, "%s: token %u is of type %d: 1 to 6 are known", path, id,
                       p->type);
    }
}

struct scored {
    float score;
    uint32_t id;
};

static int by_score(const void *a, const void *b)
{
    const struct scored *p = a, *q = b;

    return p->score > q->score ? -1 : p->score < q->score;
}

void spm_rank(struct tokenizer *t, const float *score)
{
    CLEANUP(mem_cleanup) struct scored *s = mem_calloc(t->vocab + 1, sizeof(*s));
    uint32_t rank = 0;
    size_t len = 0;

    for (uint32_t id = 0; id < t->vocab; id++)
        if (t->piece[id].type == PIECE_NORMAL)
            s[len++] = (struct scored){ .score = score[id], .id = id };
    qsort(s, len, sizeof(*s), by_score);
    for (size_t i = 0; i < len; i++) {
        rank += i && s[i].score < s[i - 1].score;
        t->piece[s[i].id].rank = rank;
    }
}
