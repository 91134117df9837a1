/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: no bytes offered as a tokenizer's file crash, hang or take memory that their size does not
 * justify, and any text comes back from its ids. Method: the first byte chooses the reader of the
 * rest, or takes it as a text for tokenizers made here. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json.h"
#include "worker/tokenizer/tokenizer_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_stream(const struct tokenizer *t, const uint32_t *ids, size_t len,
                         const struct buf *whole)
{
    struct token_stream s = { 0 };
    struct buf out = { 0 };

    for (size_t i = 0; i < len; i++)
        token_stream_push(&s, t, ids[i], true, &out);
    token_stream_end(&s, &out);
    assert(out.len == whole->len && (!out.len || !memcmp(out.data, whole->data, out.len)));
    buf_release(&out);
}

/* EXACT: the text must come back. */
static void use(const struct tokenizer *t, const char *text, size_t text_len, bool exact)
{
    for (unsigned flags = 0; flags < 4; flags++) {
        struct buf out = { 0 };
        uint32_t *ids;
        size_t len;

        if (tokenizer_encode(t, text, text_len, flags, &ids, &len, NULL)) {
            assert(!exact);
            continue;
        }
        for (size_t i = 0; i < len; i++)
            assert(ids[i] < tokenizer_vocab(t));
        tokenizer_decode(t, ids, len, true, &out);
        check_stream(t, ids, len, &out);
        if (exact && !(flags & TOKENIZER_BOS))
            assert(out.len == text_len && (!text_len || !memcmp(out.data, text, text_len)));
        buf_release(&out);
        free(ids);
    }
}

/* A rank file of the 256 bytes and some pairs. */
static struct tokenizer *made_here(enum family f)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static const char *const more[] = {
        "aGU=", "IHQ=", "IHRoZQ==", "ICA=", "w6k=", "4oI=", "4oKs"
    };
    struct tokenizer *t = NULL;
    struct buf file = { 0 };
    unsigned rank = 0;

    for (; rank < 256; rank++)
        buf_printf(&file, "%c%c== %u\n", digits[rank >> 2], digits[(rank & 3) << 4], rank);
    for (size_t i = 0; i < ARRAY_LEN(more); i++)
        buf_printf(&file, "%s %u\n", more[i], rank++);
    if (read_ranks(&t, "made here", &file, 0, f, NULL))
        abort();
    buf_release(&file);
    return t;
}

static void encode_text(const char *text, size_t len)
{
    static struct tokenizer *llama3, *qwen2;

    if (!llama3) {
        llama3 = made_here(FAMILY_LLAMA3);
        qwen2 = made_here(FAMILY_QWEN2);
    }
    use(llama3, text, len, true);
    use(qwen2, text, len, false);
}

static int open_json(struct tokenizer **t, const char *text, size_t len)
{
    struct json *root;
    int rc = json_parse(text, len, &root, NULL);

    if (rc)
        return rc;
    rc = json_is_object(root) ? read_tokenizer_json(t, "fuzz.json", root, 0, NULL) : -1;
    json_free(root);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char text[] =
        "Once upon a time, 12345 <s> \xc3\xa4\xe2\x96\x81 e\xcc\x81\n\n \x80 end";
    struct tokenizer *t = NULL;
    struct buf file = { 0 };
    int rc = -1;

    if (size < 2)
        return 0;
    buf_add(&file, data + 1, size - 1);
    switch (data[0] % 5) {
    case 0:
        rc = open_json(&t, file.data, file.len);
        break;
    case 1:
        rc = read_spm(&t, "fuzz.model", &file, 0, NULL);
        break;
    case 2:
        rc = read_ranks(&t, "fuzz.tiktoken", &file, 0, FAMILY_NONE, NULL);
        break;
    case 3:
        rc = read_bin(&t, "fuzz.bin", &file, data[1], NULL);
        break;
    default:
        encode_text(file.data, file.len);
        break;
    }
    if (!rc) {
        use(t, text, sizeof(text) - 1, false);
        tokenizer_free(t);
    }
    buf_release(&file);
    return 0;
}
