/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.h - text to token ids and back. This version: the embedded reasoner's
 * one-token-per-character tokenizer (tokenizer.json: BPE with an empty merge list) and llama2.c's
 * tokenizer.bin (SentencePiece BPE by score). */
#ifndef WORKER_MODEL_TOKENIZER_H
#define WORKER_MODEL_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"

struct tokenizer;

/* One token per character of ALPHABET (id = 2 + index), 0 = <s>, 1 = </s>; the vocabulary is
 * rounded up to a multiple of 8 with unused ids. ERR_INVALID: empty, a repeated character, or one
 * outside ASCII. */
int tokenizer_from_alphabet(struct tokenizer **ret, const char *alphabet,
                            struct err *err) MUST_CHECK;
/* A tokenizer.json of the form above, or (any other name) a llama2.c tokenizer.bin, which needs
 * VOCAB, the model's vocabulary; with a .json VOCAB may be 0 (unknown), else the file may not have
 * more tokens. ERR_NOT_FOUND, ERR_CORRUPT (with the offset), ERR_INVALID (another kind of
 * tokenizer). */
int tokenizer_open(struct tokenizer **ret, const char *path, size_t vocab,
                   struct err *err) MUST_CHECK;
void tokenizer_free(struct tokenizer *t);
size_t tokenizer_vocab(const struct tokenizer *t);
/* Ids that begin and end a text; UINT32_MAX when there is none. */
uint32_t tokenizer_bos(const struct tokenizer *t);
uint32_t tokenizer_eos(const struct tokenizer *t);
/* True for a tokenizer that tokenizer_save can write. */
bool tokenizer_is_json(const struct tokenizer *t);
/* Write tokenizer.json, readable by Hugging Face tokenizers too; T must be tokenizer_is_json
 * (asserted). The bytes are a function of the alphabet. ERR_IO, ERR_FULL, ERR_READONLY. */
int tokenizer_save(const struct tokenizer *t, const char *path, struct err *err) MUST_CHECK;

/* Ids of TEXT into *RET (free() it), *RET_LEN set. BOS first when ADD_SPECIAL (both forms have
 * one). Text is UTF-8; for tokenizer.bin a space is put in front of a text that is not empty, as
 * llama2.c does. ERR_INVALID for a character that cannot be expressed, with its offset in bytes. */
int tokenizer_encode(const struct tokenizer *t, const char *text, bool add_special, uint32_t **ret,
                     size_t *ret_len, struct err *err) MUST_CHECK;
/* Bytes of token ID after PREVIOUS (UINT32_MAX: none) appended to OUT. BOS, EOS and unused ids have
 * none; a piece after BOS loses one leading space (tokenizer.bin). */
void tokenizer_decode(const struct tokenizer *t, uint32_t previous, uint32_t id, struct buf *out);

#endif
