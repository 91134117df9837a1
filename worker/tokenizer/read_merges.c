/* SPDX-License-Identifier: Apache-2.0 */
/* read_merges.c - one merge of a byte-level or Llama-2-like vocabulary: two tokens and what they
 * become. */
#include <string.h>

#include "worker/tokenizer/tokenizer_private.h"

/* TEXT in the writing of the file, as plain bytes. */
static bool plain_bytes(const struct tokenizer *t, const char *text, size_t len, struct buf *out)
{
    if (t->form == FORM_BYTES)
        return bytemap_decode(text, len, out);
    for (size_t i = 0; i < len; i++)
        if (len - i >= 3 && !memcmp(text + i, "\xe2\x96\x81", 3)) {
            buf_addc(out, ' ');
            i += 2;
        } else {
            buf_addc(out, text[i]);
        }
    return true;
}

int merge_add(struct tokenizer *t, const char *left, size_t left_len, const char *right,
              size_t right_len, uint32_t rank, const char *path, struct err *err)
{
    CLEANUP(buf_release) struct buf both = { 0 };
    struct pair p = { .left = NO_ID, .right = NO_ID, .rank = rank, .id = NO_ID };
    size_t middle = 0;

    if (left_len && right_len && plain_bytes(t, left, left_len, &both)) {
        middle = both.len;
        if (plain_bytes(t, right, right_len, &both)) {
            p.left = piece_find(t, both.data, middle);
            p.right = piece_find(t, both.data + middle, both.len - middle);
            p.id = piece_find(t, both.data, both.len);
        }
    }
    if (p.left == NO_ID || p.right == NO_ID || p.id == NO_ID)
        return err_set(err, ERR_CORRUPT, "%s: merge %u, '%.*s' and '%.*s': the vocabulary lacks %s",
                       path, rank + 1, (int)MIN(left_len, (size_t)40), left,
                       (int)MIN(right_len, (size_t)40), right,
                       p.left == NO_ID || p.right == NO_ID ? "one of them" : "what they make");
    pair_add(&t->pairs, p);
    return 0;
}

int merge_add_line(struct tokenizer *t, const char *line, size_t len, uint32_t rank,
                   const char *path, struct err *err)
{
    const char *space = memchr(line, ' ', len);
    size_t left = space ? (size_t)(space - line) : len;

    if (!space || memchr(space + 1, ' ', len - left - 1))
        return err_set(err, ERR_CORRUPT,
                       "%s: merge %u, '%.*s', is not two tokens with a space between", path,
                       rank + 1, (int)MIN(len, (size_t)80), line);
    return merge_add(t, line, left, space + 1, len - left - 1, rank, path, err);
}
