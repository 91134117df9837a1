/* SPDX-License-Identifier: Apache-2.0 */
/* columns.h - the columns of a grid: a number or a word per row, packed, sorted and filtered by
 * scans. Pure memory: no database, no locks.
 *
 * A column has one of three forms: whole numbers in the least width that holds them, reals, or
 * words, each distinct text once (a parameter's values: recipe text). Nothing (NULL) is its own
 * value: it comes last whatever the direction of a sort, and no filter but "ne" takes it.
 * Words that are numbers sort as numbers, before all others, which sort by their bytes; quotes
 * around a text are left away. A parameter of more than COLUMN_WORDS_MAX distinct values, all of
 * them numbers, becomes reals. */
#ifndef STORE_BROWSE_COLUMNS_H
#define STORE_BROWSE_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/jsonw.h"

enum { COLUMN_WORDS_MAX = 1 << 16, COLUMN_BLOCK = 1024 };
#define COLUMN_NOTHING INT64_MIN

enum column_kind { COLUMN_RUN, COLUMN_PARAM, COLUMN_MEASURE, COLUMN_COUNT, COLUMN_STATE };
enum column_form { COLUMN_WHOLE, COLUMN_REAL, COLUMN_WORDS };

/* Distinct texts, by code 1, 2... in the order of their arrival; 0 is nothing. */
struct words_of {
    struct buf text; /* each ended by NUL */
    uint32_t *at;    /* [cap] where code I + 1 begins in TEXT */
    double *number;  /* [cap] NaN: it is no number */
    uint32_t *count; /* [cap] rows that have it */
    uint32_t *rank;  /* [cap] place among all in their order; valid while RANKED == LEN */
    uint32_t *table; /* [table_cap] open addressing: code or 0 */
    size_t len, cap, table_cap, ranked, numbers;
};

struct column {
    char *name;
    enum column_kind kind;
    enum column_form form;
    uint8_t width; /* bytes of a whole number or code: 1, 2, 4, 8 */
    void *cell;    /* [cap] of WIDTH bytes; doubles for reals */
    size_t len, cap;
    struct words_of words;
};

void column_init(struct column *c, const char *name, enum column_kind kind, enum column_form form);
void column_release(struct column *c);
size_t column_bytes(const struct column *c);
/* Make room for ROWS at once. */
void column_reserve(struct column *c, size_t rows);
/* Set row ROW; rows between the last one and ROW get nothing. TEXT is recipe text, NULL: nothing.
 */
void column_set_whole(struct column *c, size_t row, int64_t v);
void column_set_real(struct column *c, size_t row, double v);
void column_set_text(struct column *c, size_t row, const char *text, size_t len);

/* Value of ROW: whole numbers and reals (NaN: nothing), words by their code (0: nothing). */
int64_t column_whole(const struct column *c, size_t row);
double column_number(const struct column *c, size_t row); /* of words: their number, or NaN */
uint32_t column_code(const struct column *c, size_t row);
/* Text of CODE as people read it: without quotes; lives as long as the column is not changed. */
const char *column_word(const struct column *c, uint32_t code);
/* All its words are numbers, or it has none but numbers. */
bool column_is_number(const struct column *c);
void column_put(const struct column *c, size_t row, struct jsonw *w); /* the value as JSON */
void column_put_word(const struct column *c, uint32_t code, struct jsonw *w);
/* Order the words: before keys are asked of a column whose words have grown. Changes the column
 * (not from several threads at once); cheap when nothing is new. */
void column_rank(struct column *c);
bool column_ranked(const struct column *c);

/* ---- sorting: 64-bit keys in the order of the values, nothing last ---- */

#define COLUMN_KEY_NOTHING UINT64_MAX
/* Keys of rows FROM .. FROM + N - 1 (N <= COLUMN_BLOCK); the column must be ranked (asserted). */
void column_keys(const struct column *c, size_t from, size_t n, bool descending, uint64_t *ret);
/* The value of ROW as text without blanks or separators, and the key that such a text stands for in
 * this column today (a word that is not there lies between its neighbours). ERR_INVALID. */
void column_mark(const struct column *c, size_t row, struct buf *out);
int column_mark_key(const struct column *c, const char *text, bool descending, uint64_t *ret,
                    struct err *err) MUST_CHECK;

/* ---- filters ---- */

enum column_op { OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE, OP_HAS, OP_IN, COLUMN_OPS };

struct column_filter {
    const struct column *column;
    enum column_op op;
    double *number; /* [values] the operands as numbers, NaN: none */
    char **text;    /* [values] as text */
    size_t values;
    uint8_t *takes; /* of words: by code; else NULL */
    size_t takes_len;
};
/* "eq"...; ERR_INVALID with the list. */
int column_op_of(const char *word, enum column_op *ret, struct err *err) MUST_CHECK;
/* OPERAND of "in": values divided by commas, or a JSON list of texts and numbers. Numbers compare
 * as numbers, "lt"... of text by bytes. ERR_INVALID: an order asked of a column of numbers with a
 * text that is none. Release also after a failure. */
int column_filter_make(struct column_filter *f, const struct column *c, enum column_op op,
                       const char *operand, struct err *err) MUST_CHECK;
void column_filter_release(struct column_filter *f);
/* MASK[i] &= the filter takes row FROM + i; N <= COLUMN_BLOCK. */
void column_filter_mask(const struct column_filter *f, size_t from, size_t n, uint8_t *mask);

#endif
