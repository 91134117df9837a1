/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.h - text to token ids and back. This version: the embedded reasoner's one-token-per-character tokenizer
 * (tokenizer.json with an empty merge list) and llama2.c's tokenizer.bin (SentencePiece BPE by score). */
#ifndef WORKER_MODEL_TOKENIZER_H
#define WORKER_MODEL_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"

struct tokenizer;

/* One token per byte of ALPHABET (id = 2 + index), 0 = <s>, 1 = </s>; vocabulary rounded up to a multiple of 8 with unused ids. */
int tokenizer_from_alphabet(struct tokenizer **ret, const char *alphabet, struct err *err) MUST_CHECK;
/* tokenizer.json (drover's own subset) or tokenizer.bin (needs VOCAB). ERR_NOT_FOUND, ERR_CORRUPT, ERR_INVALID. */
int tokenizer_open(struct tokenizer **ret, const char *path, size_t vocab, struct err *err) MUST_CHECK;
void tokenizer_free(struct tokenizer *t);
size_t tokenizer_vocab(const struct tokenizer *t);
int tokenizer_save(const struct tokenizer *t, const char *path, struct err *err) MUST_CHECK;

/* Ids of TEXT appended to *RET (free() it), *RET_LEN set. BOS first when ADD_SPECIAL and the tokenizer adds one by itself
 * (llama2.c: yes; embedded: yes). ERR_INVALID for a byte that it cannot express, with the byte's offset. */
int tokenizer_encode(const struct tokenizer *t, const char *text, bool add_special, uint32_t **ret, size_t *ret_len,
                     struct err *err) MUST_CHECK;
/* Bytes of token ID after PREVIOUS (UINT32_MAX: none) appended to OUT. */
void tokenizer_decode(const struct tokenizer *t, uint32_t previous, uint32_t id, struct buf *out);

#endif
