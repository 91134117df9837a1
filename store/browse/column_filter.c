/* SPDX-License-Identifier: Apache-2.0 */
/* column_filter.c - which rows a condition on one column takes (columns.h). */
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json.h"
#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "store/browse/columns_private.h"

enum { IN_MAX = 1000 };

static const char *const op_words[] = { "eq", "ne", "lt", "le", "gt", "ge", "has", "in", NULL };

int column_op_of(const char *word, enum column_op *ret, struct err *err)
{
    for (int i = 0; i < COLUMN_OPS; i++)
        if (strcmp(op_words[i], word) == 0) {
            *ret = (enum column_op)i;
            return 0;
        }
    return err_set(err, ERR_INVALID, "filters know eq, ne, lt, le, gt, ge, has, in; not \"%.40s\"",
                   word);
}

void column_filter_release(struct column_filter *f)
{
    for (size_t i = 0; i < f->values; i++)
        free(f->text[i]);
    free(f->text);
    free(f->number);
    free(f->takes);
    *f = (struct column_filter){ 0 };
}

static void add_value(struct column_filter *f, const char *text, size_t len)
{
    double v;

    if (f->values == IN_MAX)
        return;
    f->text = mem_realloc(f->text, f->values + 1, sizeof *f->text);
    f->number = mem_realloc(f->number, f->values + 1, sizeof *f->number);
    f->text[f->values] = mem_calloc(len + 1, 1);
    memcpy(f->text[f->values], text, len);
    f->number[f->values] = words_is_number(f->text[f->values], len, &v) ? v : (double)NAN;
    f->values++;
}

static bool add_list(struct column_filter *f, const char *text)
{
    struct json *list CLEANUP(json_cleanup) = NULL;

    if (text[0] != '[' || json_parse(text, strlen(text), &list, NULL) < 0 || !json_is_array(list))
        return false;
    for (size_t i = 0; i < json_len(list); i++) {
        struct json *v = json_at(list, i);
        char *number CLEANUP(mem_cleanup) = json_is_number(v) ? json_dump(v, 1) : NULL;

        if (number)
            add_value(f, number, strlen(number));
        else if (json_text(v))
            add_value(f, json_text(v), json_text_len(v));
    }
    return true;
}

static void add_values(struct column_filter *f, const char *text)
{
    if (f->op != OP_IN) {
        add_value(f, text, strlen(text));
        return;
    }
    if (add_list(f, text))
        return;
    for (;;) {
        size_t len = strcspn(text, ",");

        add_value(f, text, len);
        if (!text[len])
            return;
        text += len + 1;
    }
}

static bool holds(enum column_op op, int order)
{
    switch (op) {
    case OP_LT:
        return order < 0;
    case OP_LE:
        return order <= 0;
    case OP_GT:
        return order > 0;
    case OP_GE:
        return order >= 0;
    case OP_EQ:
    case OP_IN:
        return order == 0;
    case OP_NE:
        return order != 0;
    case OP_HAS:
    case COLUMN_OPS:
        break;
    }
    return false;
}

static bool same(const struct column_filter *f, size_t i, const char *text, double number)
{
    if (!isnan(number) && !isnan(f->number[i]))
        return number == f->number[i];
    return strcmp(text, f->text[i]) == 0;
}

/* Does the filter take the word TEXT with NUMBER? */
static bool takes_word(const struct column_filter *f, const char *text, double number)
{
    bool found = false;

    for (size_t i = 0; i < f->values && !found; i++)
        found = same(f, i, text, number);
    switch (f->op) {
    case OP_EQ:
    case OP_IN:
        return found;
    case OP_NE:
        return !found;
    case OP_HAS:
        return strcasestr(text, f->text[0]) != NULL;
    case OP_LT:
    case OP_LE:
    case OP_GT:
    case OP_GE:
    case COLUMN_OPS:
        break;
    }
    if (isnan(number) != isnan(f->number[0]))
        return false;
    if (isnan(number))
        return holds(f->op, strcmp(text, f->text[0]));
    return holds(f->op, (number > f->number[0]) - (number < f->number[0]));
}

/* Whether nothing is taken: by "ne" anything, by "eq" an empty operand. */
static bool takes_nothing(const struct column_filter *f)
{
    bool empty = false;

    for (size_t i = 0; i < f->values; i++)
        empty = empty || !f->text[i][0];
    return f->op == OP_NE ? !empty : (f->op == OP_EQ || f->op == OP_IN) && empty;
}

int column_filter_make(struct column_filter *f, const struct column *c, enum column_op op,
                       const char *operand, struct err *err)
{
    *f = (struct column_filter){ .column = c, .op = op };
    add_values(f, operand);
    if (c->form == COLUMN_WORDS) {
        f->takes_len = c->words.len + 1;
        f->takes = mem_calloc(f->takes_len, 1);
        f->takes[0] = takes_nothing(f);
        for (uint32_t code = 1; code <= c->words.len; code++)
            f->takes[code] = takes_word(f, words_text(&c->words, code), c->words.number[code - 1]);
        return 0;
    }
    if (op == OP_HAS)
        return err_set(err, ERR_INVALID, "\"has\" looks into words, and %.60s is a number",
                       c->name);
    for (size_t i = 0; i < f->values; i++)
        if (isnan(f->number[i]) && (f->text[i][0] || (op != OP_EQ && op != OP_NE && op != OP_IN)))
            return err_set(err, ERR_INVALID, "%.60s is a number, \"%.60s\" is none", c->name,
                           f->text[i]);
    return 0;
}

/* Whole numbers that a double does not hold are compared as such. */
static bool as_whole(const char *text, int64_t *ret)
{
    char *end;

    errno = 0;
    *ret = strtoll(text, &end, 10);
    return *end == '\0' && end != text && errno == 0;
}

static void mask_whole(const struct column_filter *f, size_t from, size_t n, uint8_t *mask)
{
    int64_t v[COLUMN_BLOCK], exact;
    uint8_t nothing = takes_nothing(f);

    column_block_whole(f->column, from, n, v);
    if (f->values == 1 && as_whole(f->text[0], &exact)) {
        for (size_t i = 0; i < n; i++)
            mask[i] &= v[i] == COLUMN_NOTHING
                           ? nothing
                           : (uint8_t)holds(f->op, (v[i] > exact) - (v[i] < exact));
        return;
    }
    for (size_t i = 0; i < n; i++) {
        bool found = f->op == OP_NE;

        for (size_t k = 0; v[i] != COLUMN_NOTHING && k < f->values; k++) {
            bool one =
                as_whole(f->text[k], &exact)
                    ? holds(f->op, (v[i] > exact) - (v[i] < exact))
                    : !isnan(f->number[k]) && holds(f->op, ((double)v[i] > f->number[k]) -
                                                               ((double)v[i] < f->number[k]));
            if (f->op == OP_NE)
                found = found && (one || isnan(f->number[k]));
            else
                found = found || one;
        }
        mask[i] &= v[i] == COLUMN_NOTHING ? nothing : (uint8_t)found;
    }
}

static void mask_real(const struct column_filter *f, size_t from, size_t n, uint8_t *mask)
{
    double v[COLUMN_BLOCK];
    uint8_t nothing = takes_nothing(f);

    column_block_real(f->column, from, n, v);
    for (size_t i = 0; i < n; i++) {
        bool found = f->op == OP_NE;

        for (size_t k = 0; k < f->values; k++) {
            bool one =
                !isnan(f->number[k]) && holds(f->op, (v[i] > f->number[k]) - (v[i] < f->number[k]));
            if (f->op == OP_NE)
                found = found && (one || isnan(f->number[k]));
            else
                found = found || one;
        }
        mask[i] &= isnan(v[i]) ? nothing : (uint8_t)found;
    }
}

void column_filter_mask(const struct column_filter *f, size_t from, size_t n, uint8_t *mask)
{
    int64_t code[COLUMN_BLOCK];

    assert(n <= COLUMN_BLOCK);
    if (f->column->form == COLUMN_REAL) {
        mask_real(f, from, n, mask);
        return;
    }
    if (f->column->form == COLUMN_WHOLE) {
        mask_whole(f, from, n, mask);
        return;
    }
    column_block_whole(f->column, from, n, code);
    for (size_t i = 0; i < n; i++)
        mask[i] &= f->takes[code[i]];
}
