/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer_private.h - what a tokenizer is made of, and the pieces of work behind tokenizer.h.
 * Private to this folder and its tests.
 *
 * Files are read by read_*.c into a struct tokenizer whose pieces hold plain bytes: byte-level
 * characters are turned back into bytes, U+2581 into a space. tokenizer_finish() then builds what
 * encoding needs. From there all kinds are the same: text is cut at added tokens (added.c) and at
 * bytes that are no UTF-8, normalised (normal.c), split into words by regular expressions
 * (regex.c), and each word's symbols are merged in pairs (merge.c). */
#ifndef WORKER_TOKENIZER_TOKENIZER_PRIVATE_H
#define WORKER_TOKENIZER_TOKENIZER_PRIVATE_H

#include "worker/tokenizer/tokenizer.h"

#define NO_ID UINT32_MAX
enum {
    STAGES_MAX = 8,          /* regular expressions one after another; DeepSeek's has 4 */
    PREFIX_MAX = 4,          /* ids that the post-processor puts in front */
    PIECE_LEN_MAX = 1 << 12, /* bytes; the longest of Qwen2's has 256 */
    FILE_MAX = 256 << 20,    /* bytes; the largest tokenizer.json around has 33 MB */
    ADDED_MAX = 1 << 16,
    ENCODE_MAX = 1 << 30, /* bytes of text, so that offsets fit 32 bits in every form */
};

enum form {
    FORM_CHARACTERS, /* one token per character */
    FORM_BYTES,      /* words of bytes */
    FORM_PIECES,     /* SentencePiece: characters of a text, with byte tokens for unknown ones */
};
enum piece_type {
    PIECE_NONE,    /* unused id */
    PIECE_NORMAL,  /* found in text, and may come from a merge */
    PIECE_BYTE,    /* SentencePiece's <0xNN>; its text is that byte */
    PIECE_ADDED,   /* found only as an added token, or not at all; has text */
    PIECE_SPECIAL, /* stands for no text */
};
struct piece {
    size_t at; /* in tokenizer.text */
    uint32_t len;
    uint32_t rank; /* merges without a pair table: lower first; NO_ID: none */
    enum piece_type type;
};

/* Ids of pieces by their bytes: open addressing, a power of two slots. */
struct piece_table {
    uint32_t *slot;
    size_t slots;
};
/* What two ids become, by both of them. */
struct pair {
    uint32_t left, right, rank, id; /* left NO_ID: free */
};
struct pair_table {
    struct pair *slot;
    size_t slots, len;
};

struct added {
    char *text;
    uint32_t len, id;
    bool special, single_word, lstrip, rstrip, normalized;
};
struct added_set {
    struct added *v; /* in order of their bytes after added_sort */
    size_t len, cap;
    bool starts[256]; /* first bytes */
};
struct added_match {
    size_t begin, end; /* with the white space that lstrip and rstrip take */
    uint32_t id;
};

struct regex;

struct tokenizer {
    enum form form;
    char kind[64];
    size_t vocab, cap;
    uint32_t bos, eos;
    struct piece *piece; /* [vocab] */
    struct buf text;
    struct piece_table table;
    struct pair_table pairs;   /* empty: merge by piece.rank */
    uint32_t byte_id[256];     /* id of a byte, or of the ASCII character; NO_ID: none */
    struct added_set added[2]; /* found in the text as it is; found after normalising */
    size_t piece_max;          /* bytes of the longest normal piece */
    uint32_t prefix[PREFIX_MAX];
    size_t prefix_len;
    struct regex *stage[STAGES_MAX];
    size_t stages;
    bool nfc;
    bool whole_first;      /* a word that is a piece is taken without merging */
    bool add_prefix_space; /* FORM_BYTES: each part of the text starts with a space */
    bool dummy_prefix;     /* FORM_PIECES: a space in front, taken off again when decoding */
    bool squeeze;          /* FORM_PIECES: runs of spaces become one, none at the ends */
};

/* tokenizer.c */
struct tokenizer *tokenizer_new(enum form form);
/* Set piece ID, growing the vocabulary (ID < MODEL_VOCAB_MAX, asserted). */
void tokenizer_set(struct tokenizer *t, uint32_t id, enum piece_type type, const char *bytes,
                   size_t len);
/* Add token ID with TEXT: its piece becomes special or added, and it is found in texts. ERR_LIMIT,
 * ERR_INVALID: empty or too long, or ID out of range; PATH for the message. */
int tokenizer_add(struct tokenizer *t, const struct added *a, const char *path,
                  struct err *err) MUST_CHECK;
/* Index of normal pieces and bytes; done before merges are read. */
void tokenizer_index(struct tokenizer *t);
/* Last step: added tokens sorted; checks VOCAB (0: unknown). */
int tokenizer_finish(struct tokenizer *t, const char *path, size_t vocab,
                     struct err *err) MUST_CHECK;
static inline const char *piece_text(const struct tokenizer *t, uint32_t id)
{
    return t->text.data + t->piece[id].at;
}

/* tables.c */
void piece_table_build(struct tokenizer *t);
void piece_table_release(struct piece_table *p);
/* The first id of the normal piece of LEN bytes at TEXT, or NO_ID. */
uint32_t piece_find(const struct tokenizer *t, const char *text, size_t len);
/* A pair that is there is overwritten. */
void pair_add(struct pair_table *p, struct pair pair);
const struct pair *pair_find(const struct pair_table *p, uint32_t left, uint32_t right);

/* added.c */
void added_sort(struct added_set *s);
void added_release(struct added_set *s);
/* The first match in TEXT at or after FROM, the longest there; SPECIAL: special ones count. FROM
 * moves behind it. False: none. */
bool added_next(const struct added_set *s, const char *text, size_t len, bool special, size_t *from,
                struct added_match *ret);

/* normal.c */
/* Bytes of the UTF-8 character at S (LEN > 0 bytes there), 0 when they are none; *RET its number.
 */
size_t utf8_at(const char *s, size_t len, uint32_t *ret);
/* Whether C is white space (Unicode's White_Space). */
bool is_white(uint32_t c);
/* NFC of UTF-8 text appended to OUT; FALSE and nothing done when it already is (by a quick look).
 * ERR_NOMEM, ERR_LIMIT. */
int nfc_append(const char *text, size_t len, bool *ret_done, struct buf *out,
               struct err *err) MUST_CHECK;

/* regex.c: patterns as Oniguruma reads them. */
/* ERR_INVALID with the place. */
int regex_new(struct regex **ret, const char *pattern, struct err *err) MUST_CHECK;
void regex_free(struct regex *r);
/* One per thread and encode call. */
struct regex_scratch;
struct regex_scratch *regex_scratch_new(void);
void regex_scratch_free(struct regex_scratch *s);
/* The first match at or after FROM; *RET_BEGIN = LEN when there is none. ERR_LIMIT. */
int regex_next(const struct regex *r, struct regex_scratch *s, const char *text, size_t len,
               size_t from, size_t *ret_begin, size_t *ret_end, struct err *err) MUST_CHECK;

/* merge.c */
struct symbol {
    uint32_t at, len; /* in the word */
    uint32_t id;      /* NO_ID: no piece, or not yet */
};
struct merge_scratch {
    struct merge_candidate *heap;
    size_t cap;
    uint32_t *link; /* next and previous of each symbol */
    size_t link_cap;
};
/* Merge until no pair is left, lowest rank first, leftmost on ties; returns how many symbols are
 * left, in order. Time n log n. SHORT_LEN: up to how many symbols the plain search is used
 * (MERGE_SHORT; tests compare both). */
enum { MERGE_SHORT = 24 };
size_t merge_symbols(const struct tokenizer *t, const char *text, struct symbol *s, size_t len,
                     size_t short_len, struct merge_scratch *m);
void merge_scratch_release(struct merge_scratch *m);

/* family.c: what rank files and vocab + merges do not say. */
enum family { FAMILY_NONE, FAMILY_GPT2, FAMILY_LLAMA3, FAMILY_QWEN2, FAMILY_DEFAULT };
/* "gpt2", "llama3", "qwen2"; FAMILY_NONE with ERR_INVALID for another. */
int family_by_name(const char *name, enum family *ret, struct err *err) MUST_CHECK;
const char *family_name(enum family f);
/* The pre-tokenizer, normaliser and whole-word rule of F. */
int family_apply(struct tokenizer *t, enum family f, struct err *err) MUST_CHECK;
/* F's special tokens from id FIRST on, unless they are there. BOS, EOS, prefix. */
int family_specials(struct tokenizer *t, enum family f, uint32_t first, const char *path,
                    struct err *err) MUST_CHECK;

/* bytemap.c: the byte-level alphabet, one printable character per byte. */
/* Bytes of TEXT; false when a character is not of the alphabet (*OUT is then void). */
bool bytemap_decode(const char *text, size_t len, struct buf *out);
/* Give every one-byte piece to byte_id. */
void bytemap_index(struct tokenizer *t);

/* read_merges.c */
/* Merge LEFT RIGHT (in the alphabet of the file) with RANK. ERR_CORRUPT naming PATH and rank + 1:
 * a token that the vocabulary lacks. */
int merge_add(struct tokenizer *t, const char *left, size_t left_len, const char *right,
              size_t right_len, uint32_t rank, const char *path, struct err *err) MUST_CHECK;
/* "left right". */
int merge_add_line(struct tokenizer *t, const char *line, size_t len, uint32_t rank,
                   const char *path, struct err *err) MUST_CHECK;

/* Readers; each ends with tokenizer_finish. */
struct json;
int read_tokenizer_json(struct tokenizer **ret, const char *path, const struct json *root,
                        size_t vocab, struct err *err) MUST_CHECK;
int read_alphabet(struct tokenizer **ret, const char *path, const struct json *vocab_json,
                  const struct json *added, size_t vocab, struct err *err) MUST_CHECK;
int read_vocab_merges(struct tokenizer **ret, const char *path, const struct json *vocab_json,
                      size_t vocab, enum family f, struct err *err) MUST_CHECK;
int read_ranks(struct tokenizer **ret, const char *path, const struct buf *file, size_t vocab,
               enum family f, struct err *err) MUST_CHECK;
bool looks_like_ranks(const struct buf *file);
int read_spm(struct tokenizer **ret, const char *path, const struct buf *file, size_t vocab,
             struct err *err) MUST_CHECK;
int read_bin(struct tokenizer **ret, const char *path, const struct buf *file, size_t vocab,
             struct err *err) MUST_CHECK;
int read_gguf(struct tokenizer **ret, const char *path, size_t vocab, enum family f,
              struct err *err) MUST_CHECK;
/* read_json_parts.c: normalizer, pre_tokenizer, post_processor of a tokenizer.json. */
int read_parts(struct tokenizer *t, const char *path, const struct json *root,
               struct err *err) MUST_CHECK;
/* The id of an entry of added_tokens or added_tokens_decoder. */
int read_added(struct tokenizer *t, const char *path, const struct json *o, int64_t id,
               struct err *err) MUST_CHECK;
/* read_config.c: tokenizer_config.json and special_tokens_map.json in the folder of PATH, if any.
 */
struct tokenizer_config {
    struct json *config, *map; /* NULL: none */
    char *config_path;
};
int config_open(struct tokenizer_config *c, const char *path, struct err *err) MUST_CHECK;
void config_release(struct tokenizer_config *c);
/* FAMILY_NONE when the class says nothing. */
enum family config_family(const struct tokenizer_config *c);
/* Added tokens, BOS, EOS, add_bos_token. */
int config_apply(const struct tokenizer_config *c, struct tokenizer *t, struct err *err) MUST_CHECK;

/* spm.c: what the SentencePiece readers share. */
struct spm_piece {
    const char *text;
    size_t len;
    float score;
    int type; /* 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte */
};
int spm_set(struct tokenizer *t, uint32_t id, const struct spm_piece *p, const char *path,
            struct err *err) MUST_CHECK;
/* Ranks from SCORE[vocab]: the highest score first, equal ones equal. */
void spm_rank(struct tokenizer *t, const float *score);

#endif
