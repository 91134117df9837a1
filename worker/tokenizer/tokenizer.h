/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.h - text to token ids and back.
 *
 * Kinds: byte-level BPE (Hugging Face tokenizer.json, vocab.json + merges.txt or encoder.json +
 * vocab.bpe, tiktoken rank files, GGUF "gpt2"), SentencePiece BPE by score (tokenizer.model,
 * llama2.c's tokenizer.bin, GGUF "llama"), and the embedded reasoner's one token per character
 * (and, when it thinks, per tag).
 * Text is bytes with a length; UTF-8 is expected and anything else survives: bytes that are no
 * UTF-8 are encoded one by one where the kind can (byte-level BPE, byte tokens). A tokenizer is
 * read-only after opening and may be shared by threads. */
#ifndef WORKER_TOKENIZER_TOKENIZER_H
#define WORKER_TOKENIZER_TOKENIZER_H

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
/* The same with TAGS tokens of several characters behind the alphabet's: TAG[i] ("<think>"), which
 * may hold characters outside of it, is id 2 + strlen(ALPHABET) + i wherever a text has it. They
 * are no special tokens: decoding shows them. ERR_INVALID also: an empty tag, one twice. */
int tokenizer_from_alphabet_tags(struct tokenizer **ret, const char *alphabet,
                                 const char *const *tag, size_t tags, struct err *err) MUST_CHECK;

/* What PATH is shows in its name and content: a folder (tokenizer.json, else tokenizer.model, else
 * vocab.json or encoder.json), a tokenizer.json (byte-level BPE, Llama 2's BPE with byte_fallback,
 * or tokenizer_save's), a vocab.json or encoder.json (beside it: its name with "vocab" made
 * "merges" and .txt, else merges.txt, else vocab.bpe), a tiktoken rank file (text lines
 * "base64 rank", whatever the name), a SentencePiece tokenizer.model, a .gguf, or (any other .bin)
 * a llama2.c tokenizer.bin, which needs VOCAB. tokenizer_config.json and special_tokens_map.json
 * in the file's folder are heeded (not for GGUF, rank files and tokenizer.bin). VOCAB: the model's
 * vocabulary, or 0 when unknown; a tokenizer with more tokens is refused (ERR_INVALID: both
 * numbers). PRE: the pre-tokenizer of files that do not say it (rank files, vocab + merges):
 * "gpt2", "llama3", "qwen2", or NULL to tell by tokenizer_class, then by the vocabulary (50,256 or
 * 50,257 tokens: gpt2; a rank file of 151,643: qwen2, of any other size: llama3; vocab + merges of
 * any other size: qwen2); refused for files that say it. A llama3 rank file gets that family's 256
 * special tokens behind its ranks, a qwen2 vocabulary its three behind its own (unless
 * added_tokens_decoder names them), gpt2 <|endoftext|>.
 * A cut file is refused. Only two cuts leave no trace: a rank file in an order of its own (rank 0
 * is not '!') cut behind a line, and a tokenizer.model cut behind its last needed field; rank files
 * in OpenAI's order must have their family's number of ranks.
 * ERR_NOT_FOUND, ERR_CORRUPT (file and offset or line), ERR_INVALID (no JSON, with the line;
 * another kind of tokenizer or a part that is not supported: its name), ERR_LIMIT. */
int tokenizer_open(struct tokenizer **ret, const char *path, size_t vocab, const char *pre,
                   struct err *err) MUST_CHECK;
void tokenizer_free(struct tokenizer *t);
/* Ids are below this. */
size_t tokenizer_vocab(const struct tokenizer *t);
const char *tokenizer_kind(const struct tokenizer *t); /* for people: "byte-level BPE (llama3)" */
/* Ids that begin and end a text; UINT32_MAX when there is none. */
uint32_t tokenizer_bos(const struct tokenizer *t);
uint32_t tokenizer_eos(const struct tokenizer *t);
/* Id of the token whose text is TEXT ("<|im_end|>"); UINT32_MAX when there is none. */
uint32_t tokenizer_id(const struct tokenizer *t, const char *text);
/* True for a token that stands for no text of its own (special added tokens, BOS, EOS, unused). */
bool tokenizer_is_special(const struct tokenizer *t, uint32_t id);
/* True for a tokenizer that tokenizer_save can write (tokenizer_from_alphabet's kind). */
bool tokenizer_is_json(const struct tokenizer *t);
/* Write tokenizer.json, readable by Hugging Face tokenizers too; T must be tokenizer_is_json
 * (asserted). The bytes are a function of alphabet and tags. ERR_IO, ERR_FULL, ERR_READONLY. */
int tokenizer_save(const struct tokenizer *t, const char *path, struct err *err) MUST_CHECK;

enum tokenizer_flags {
    TOKENIZER_BOS = 1,     /* what the post-processor adds: BOS where the family adds one */
    TOKENIZER_SPECIAL = 2, /* special tokens written in the text ("<|eot_id|>") become their ids;
                              added tokens that are not special always do */
};
/* Ids of the LEN bytes of TEXT into *RET (free() it), *RET_LEN set; FLAGS of enum tokenizer_flags.
 * Time is near linear in LEN, also for one long word. ERR_INVALID for a byte that cannot be
 * expressed, with its offset; but a byte-level vocabulary without a token for a byte (small ones of
 * tests) leaves it out, as Hugging Face's library does. ERR_LIMIT: more than 2^30 bytes, or a
 * pattern that takes too many steps. */
int tokenizer_encode(const struct tokenizer *t, const char *text, size_t len, unsigned flags,
                     uint32_t **ret, size_t *ret_len, struct err *err) MUST_CHECK;

/* Decoding, token by token. Start with { 0 }. Bytes that are the beginning of a UTF-8 character
 * wait for the rest, so what has been appended to OUT is always whole characters; bytes that can
 * become no character come out as they are. SPECIAL: tokens of that kind are written too, else
 * they give nothing. SentencePiece: the space that encoding put in front is taken off the first
 * piece and off one behind BOS; to go on from a prompt, set PREVIOUS to its last id + 1. */
struct token_stream {
    uint32_t previous; /* id + 1; 0 at the start */
    unsigned char held[4];
    size_t held_len;
};
void token_stream_push(struct token_stream *s, const struct tokenizer *t, uint32_t id, bool special,
                       struct buf *out);
void token_stream_end(struct token_stream *s, struct buf *out); /* what is still held, as it is */
/* All LEN ids at once: exact bytes. */
void tokenizer_decode(const struct tokenizer *t, const uint32_t *ids, size_t len, bool special,
                      struct buf *out);

#endif
