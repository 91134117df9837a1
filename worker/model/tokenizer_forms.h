/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer_forms.h - the two forms behind tokenizer.h. Private to this folder. */
#ifndef WORKER_MODEL_TOKENIZER_FORMS_H
#define WORKER_MODEL_TOKENIZER_FORMS_H

#include "worker/model/tokenizer.h"

struct piece {
    char *text; /* len bytes and a NUL */
    uint32_t len;
    float score;
    bool normal; /* may be the result of a merge: neither special nor a byte token */
};

struct tokenizer {
    bool json; /* one token per character; else SentencePiece BPE */
    size_t vocab;
    uint32_t bos, eos;
    struct piece *piece;   /* [vocab]; text NULL: unused id */
    uint32_t byte_id[256]; /* json: id of the character; bin: id of <0xNN>; UINT32_MAX: none */
    uint32_t *sorted;      /* bin: ids of pieces in order of their bytes */
    size_t sorted_len;
};

struct tokenizer *tokenizer_new(size_t vocab, bool json);
int tokenizer_json_open(struct tokenizer **ret, const char *path, size_t vocab,
                        struct err *err) MUST_CHECK;
int tokenizer_bin_open(struct tokenizer **ret, const char *path, size_t vocab,
                       struct err *err) MUST_CHECK;
/* IDS has room for strlen(TEXT) + 1 ids. */
int tokenizer_json_encode(const struct tokenizer *t, const char *text, uint32_t *ids, size_t *len,
                          struct err *err) MUST_CHECK;
int tokenizer_bin_encode(const struct tokenizer *t, const char *text, uint32_t *ids, size_t *len,
                         struct err *err) MUST_CHECK;

#endif
