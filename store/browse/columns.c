/* SPDX-License-Identifier: Apache-2.0 */
/* columns.c - values of rows, packed (columns.h). */
#include "store/browse/columns.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json.h"
#include "common/base/mem.h"
#include "store/browse/columns_private.h"

/* ---- whole numbers in the least width ---- */

static const int64_t nothing_of[] = {
    [1] = INT8_MIN, [2] = INT16_MIN, [4] = INT32_MIN, [8] = INT64_MIN
};

static uint8_t width_for(int64_t v)
{
    if (v == COLUMN_NOTHING || (v > INT8_MIN && v <= INT8_MAX))
        return 1;
    if (v > INT16_MIN && v <= INT16_MAX)
        return 2;
    return v > INT32_MIN && v <= INT32_MAX ? 4 : 8;
}

static int64_t cell_get(const void *cell, uint8_t width, size_t row)
{
    int64_t v = width == 1   ? ((const int8_t *)cell)[row]
                : width == 2 ? ((const int16_t *)cell)[row]
                : width == 4 ? ((const int32_t *)cell)[row]
                             : ((const int64_t *)cell)[row];

    return v == nothing_of[width] ? COLUMN_NOTHING : v;
}

static void cell_set(void *cell, uint8_t width, size_t row, int64_t v)
{
    v = v == COLUMN_NOTHING ? nothing_of[width] : v;
    if (width == 1)
        ((int8_t *)cell)[row] = (int8_t)v;
    else if (width == 2)
        ((int16_t *)cell)[row] = (int16_t)v;
    else if (width == 4)
        ((int32_t *)cell)[row] = (int32_t)v;
    else
        ((int64_t *)cell)[row] = v;
}

static void widen(struct column *c, uint8_t width)
{
    void *wide = mem_realloc(NULL, MAX(c->cap, 1), width);

    for (size_t i = 0; i < c->len; i++)
        cell_set(wide, width, i, cell_get(c->cell, c->width, i));
    free(c->cell);
    c->cell = wide;
    c->width = width;
}

void column_reserve(struct column *c, size_t rows)
{
    if (rows <= c->cap)
        return;
    c->cap = rows;
    if (c->len > 0)
        c->cell = mem_realloc(c->cell, c->cap, c->width);
}

/* Rows up to ROW are there. */
static void grow(struct column *c, size_t row)
{
    if (row < c->len)
        return;
    if (row >= c->cap || !c->cell) {
        c->cap = MAX(c->cap, row + 1 + row / 4);
        c->cell = mem_realloc(c->cell, c->cap, c->width);
    }
    for (; c->len <= row; c->len++) {
        if (c->form == COLUMN_REAL)
            ((double *)c->cell)[c->len] = (double)NAN;
        else
            cell_set(c->cell, c->width, c->len, c->form == COLUMN_WORDS ? 0 : COLUMN_NOTHING);
    }
}

/* ---- columns ---- */

void column_init(struct column *c, const char *name, enum column_kind kind, enum column_form form)
{
    *c = (struct column){
        .name = mem_strdup(name), .kind = kind, .form = form, .width = form == COLUMN_REAL ? 8 : 1
    };
}

void column_release(struct column *c)
{
    free(c->name);
    free(c->cell);
    words_release(&c->words);
    *c = (struct column){ 0 };
}

size_t column_bytes(const struct column *c)
{
    return c->len * c->width + words_bytes(&c->words);
}

void column_set_whole(struct column *c, size_t row, int64_t v)
{
    assert(c->form == COLUMN_WHOLE);
    if (v == COLUMN_NOTHING && row >= c->len)
        return; /* what is not there is nothing */
    if (width_for(v) > c->width)
        widen(c, width_for(v));
    grow(c, row);
    cell_set(c->cell, c->width, row, v);
}

void column_set_real(struct column *c, size_t row, double v)
{
    assert(c->form == COLUMN_REAL);
    if (isnan(v) && row >= c->len)
        return;
    grow(c, row);
    ((double *)c->cell)[row] = v == 0.0 ? 0.0 : v; /* no -0 */
}

static void set_code(struct column *c, size_t row, uint32_t code)
{
    uint32_t before = column_code(c, row);

    if (code == before && (code || row >= c->len))
        return;
    if (width_for(code) > c->width)
        widen(c, width_for(code));
    grow(c, row);
    cell_set(c->cell, c->width, row, code);
    words_count(&c->words, before, code);
}

/* Too many distinct numbers to keep each as a word. */
static void to_reals(struct column *c)
{
    double *real = mem_realloc(NULL, MAX(c->cap, 1), sizeof *real);

    for (size_t i = 0; i < c->len; i++) {
        uint32_t code = column_code(c, i);

        real[i] = code ? c->words.number[code - 1] : (double)NAN;
    }
    free(c->cell);
    words_release(&c->words);
    c->cell = real;
    c->width = sizeof *real;
    c->form = COLUMN_REAL;
}

/* A text among them after all. */
static void to_words(struct column *c)
{
    struct column was = *c;

    *c = (struct column){
        .name = was.name, .kind = was.kind, .form = COLUMN_WORDS, .width = 4, .cap = was.cap
    };
    for (size_t i = 0; i < was.len; i++) {
        double v = ((double *)was.cell)[i];
        char text[32];

        if (isnan(v))
            continue;
        for (int digits = 15; digits <= 17; digits++) {
            snprintf(text, sizeof text, "%.*g", digits, v);
            if (strtod(text, NULL) == v)
                break;
        }
        set_code(c, i, words_add(&c->words, text, strlen(text)));
    }
    free(was.cell);
}

void column_set_text(struct column *c, size_t row, const char *text, size_t len)
{
    double v;

    if (c->form == COLUMN_REAL) {
        if (!text || words_is_number(text, len, &v)) {
            column_set_real(c, row, text ? v : (double)NAN);
            return;
        }
        to_words(c);
    }
    assert(c->form == COLUMN_WORDS);
    if (!text && row >= c->len)
        return;
    set_code(c, row, text ? words_add(&c->words, text, len) : 0);
    if (c->words.len > COLUMN_WORDS_MAX && c->words.numbers == c->words.len)
        to_reals(c);
}

int64_t column_whole(const struct column *c, size_t row)
{
    return row < c->len ? cell_get(c->cell, c->width, row) : COLUMN_NOTHING;
}

uint32_t column_code(const struct column *c, size_t row)
{
    return row < c->len ? (uint32_t)cell_get(c->cell, c->width, row) : 0;
}

double column_number(const struct column *c, size_t row)
{
    if (row >= c->len)
        return (double)NAN;
    if (c->form == COLUMN_REAL)
        return ((const double *)c->cell)[row];
    if (c->form == COLUMN_WORDS) {
        uint32_t code = column_code(c, row);

        return code ? c->words.number[code - 1] : (double)NAN;
    }
    int64_t v = column_whole(c, row);

    return v == COLUMN_NOTHING ? (double)NAN : (double)v;
}

const char *column_word(const struct column *c, uint32_t code)
{
    return code ? words_text(&c->words, code) : "";
}

bool column_is_number(const struct column *c)
{
    return c->form != COLUMN_WORDS || (c->words.len && c->words.numbers == c->words.len);
}

void column_put_word(const struct column *c, uint32_t code, struct jsonw *w)
{
    const char *text = column_word(c, code);
    double v = code ? c->words.number[code - 1] : (double)NAN;

    if (!code)
        jsonw_null(w, NULL);
    else if (isnan(v))
        jsonw_text(w, NULL, text);
    else if (v == floor(v) && fabs(v) < 9e15)
        jsonw_int(w, NULL, (int64_t)v);
    else
        jsonw_real(w, NULL, v);
}

void column_put(const struct column *c, size_t row, struct jsonw *w)
{
    if (c->form == COLUMN_WORDS)
        column_put_word(c, column_code(c, row), w);
    else if (c->form == COLUMN_REAL)
        jsonw_real(w, NULL, column_number(c, row));
    else if (column_whole(c, row) == COLUMN_NOTHING)
        jsonw_null(w, NULL);
    else
        jsonw_int(w, NULL, column_whole(c, row));
}

void column_rank(struct column *c)
{
    if (c->form == COLUMN_WORDS)
        words_rank(&c->words);
}

bool column_ranked(const struct column *c)
{
    return c->form != COLUMN_WORDS || c->words.ranked == c->words.len;
}

/* ---- blocks ---- */

void column_block_whole(const struct column *c, size_t from, size_t n, int64_t *ret)
{
    size_t have = from < c->len ? MIN(n, c->len - from) : 0;
    int64_t none = c->form == COLUMN_WORDS ? 0 : COLUMN_NOTHING;

    for (size_t i = have; i < n; i++)
        ret[i] = none;
    if (have == 0)
        return;
#define LOAD(TYPE, LEAST)                                                                          \
    for (size_t i = 0; i < have; i++) {                                                            \
        TYPE v = ((const TYPE *)c->cell)[from + i];                                                \
        ret[i] = v == LEAST ? COLUMN_NOTHING : v;                                                  \
    }
    switch (c->width) {
    case 1:
        LOAD(int8_t, INT8_MIN)
        break;
    case 2:
        LOAD(int16_t, INT16_MIN)
        break;
    case 4:
        LOAD(int32_t, INT32_MIN)
        break;
    default:
        LOAD(int64_t, INT64_MIN)
    }
#undef LOAD
}

void column_block_real(const struct column *c, size_t from, size_t n, double *ret)
{
    size_t have = from < c->len ? MIN(n, c->len - from) : 0;

    if (have)
        memcpy(ret, (const double *)c->cell + from, have * sizeof *ret);
    for (size_t i = have; i < n; i++)
        ret[i] = (double)NAN;
}
