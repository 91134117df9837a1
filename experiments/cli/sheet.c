/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/cli/sheet.h"

#include <assert.h>
#include <libsmartcols.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

enum cell_type { CELL_NONE, CELL_TEXT, CELL_INT, CELL_REAL };

struct cell {
    enum cell_type type;
    char *text; /* TEXT; REAL: as shown to people */
    int64_t i;
    double r;
};

struct sheet {
    char **column;
    size_t columns;
    struct cell *cell; /* row by row */
    size_t len, cap, rows;
};

struct sheet *sheet_new(void)
{
    return mem_calloc(1, sizeof(struct sheet));
}

void sheet_free(struct sheet *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->columns; i++)
        free(s->column[i]);
    for (size_t i = 0; i < s->len; i++)
        free(s->cell[i].text);
    free(s->column);
    free(s->cell);
    free(s);
}

void sheet_cleanup(struct sheet **s)
{
    sheet_free(*s);
}

void sheet_column(struct sheet *s, const char *name)
{
    assert(s->rows == 0);
    s->column = mem_realloc(s->column, s->columns + 1, sizeof(*s->column));
    s->column[s->columns++] = mem_strdup(name);
}

void sheet_row(struct sheet *s)
{
    assert(s->len == s->rows * s->columns);
    s->rows++;
}

static void add(struct sheet *s, struct cell c)
{
    assert(s->len < s->rows * s->columns);
    if (s->len == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 64;
        s->cell = mem_realloc(s->cell, s->cap, sizeof(*s->cell));
    }
    s->cell[s->len++] = c;
}

void sheet_text(struct sheet *s, const char *text)
{
    add(s, text ? (struct cell){ .type = CELL_TEXT, .text = mem_strdup(text) }
                : (struct cell){ .type = CELL_NONE });
}

void sheet_int(struct sheet *s, int64_t v)
{
    add(s, (struct cell){ .type = CELL_INT, .i = v });
}

void sheet_real(struct sheet *s, double v, int decimals)
{
    char text[64];

    snprintf(text, sizeof(text), "%.*f", decimals, v);
    add(s, (struct cell){ .type = CELL_REAL, .r = v, .text = mem_strdup(text) });
}

size_t sheet_rows(const struct sheet *s)
{
    return s->rows;
}

/* The fewest digits that read back as the same number. */
static void print_real(double r, char *out, size_t size)
{
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(out, size, "%.*g", digits, r);
        if (strtod(out, NULL) == r)
            return;
    }
}

static void print_cell(const struct cell *c, bool people, char *out, size_t size)
{
    switch (c->type) {
    case CELL_NONE:
        *out = '\0';
        break;
    case CELL_TEXT:
        snprintf(out, size, "%s", c->text);
        break;
    case CELL_INT:
        snprintf(out, size, "%lld", (long long)c->i);
        break;
    case CELL_REAL:
        if (people)
            snprintf(out, size, "%s", c->text);
        else
            print_real(c->r, out, size);
        break;
    }
}

static bool numbers_only(const struct sheet *s, size_t column)
{
    for (size_t r = 0; r < s->rows; r++)
        if (s->cell[r * s->columns + column].type == CELL_TEXT)
            return false;
    return s->rows > 0;
}

static void print_terminal(const struct sheet *s, FILE *to)
{
    struct libscols_table *t = scols_new_table();
    char number[64];

    if (!t)
        abort(); /* out of memory, as elsewhere */
    scols_table_set_stream(t, to);
    for (size_t c = 0; c < s->columns; c++)
        if (!scols_table_new_column(t, s->column[c], 0, numbers_only(s, c) ? SCOLS_FL_RIGHT : 0))
            abort();
    for (size_t r = 0; r < s->rows; r++) {
        struct libscols_line *line = scols_table_new_line(t, NULL);
        for (size_t c = 0; line && c < s->columns; c++) {
            const struct cell *cell = &s->cell[r * s->columns + c];
            if (cell->type != CELL_TEXT)
                print_cell(cell, true, number, sizeof(number));
            if (scols_line_set_data(line, c, cell->type == CELL_TEXT ? cell->text : number) != 0)
                abort();
        }
    }
    scols_print_table(t);
    scols_unref_table(t);
}

/* RFC 4180: quoted when it has to be. */
static void print_csv_text(const char *s, FILE *to)
{
    if (!s[strcspn(s, ",\"\r\n")]) {
        fputs(s, to);
        return;
    }
    fputc('"', to);
    for (; *s; s++) {
        if (*s == '"')
            fputc('"', to);
        fputc(*s, to);
    }
    fputc('"', to);
}

static void print_csv(const struct sheet *s, FILE *to)
{
    char number[64];

    for (size_t c = 0; c < s->columns; c++) {
        fputs(c ? "," : "", to);
        print_csv_text(s->column[c], to);
    }
    fputc('\n', to);
    for (size_t i = 0; i < s->len; i++) {
        fputs(i % s->columns ? "," : "", to);
        if (s->cell[i].type != CELL_TEXT)
            print_cell(&s->cell[i], false, number, sizeof(number));
        print_csv_text(s->cell[i].type == CELL_TEXT ? s->cell[i].text : number, to);
        if (i % s->columns == s->columns - 1)
            fputc('\n', to);
    }
}

static struct json *cell_json(const struct cell *c)
{
    switch (c->type) {
    case CELL_TEXT:
        return json_new_text(c->text);
    case CELL_INT:
        return json_new_integer(c->i);
    case CELL_REAL:
        return json_new_number(c->r);
    case CELL_NONE:
        break;
    }
    return json_new_null();
}

struct json *sheet_json(const struct sheet *s)
{
    struct json *rows = json_new_array();

    for (size_t r = 0; r < s->rows; r++) {
        struct json *row = json_new_object();
        for (size_t c = 0; c < s->columns; c++)
            json_set(row, s->column[c], cell_json(&s->cell[r * s->columns + c]));
        json_push(rows, row);
    }
    return rows;
}

void print_json(struct json *v, FILE *to)
{
    char *text CLEANUP(mem_cleanup) = json_dump(v, 2);

    fprintf(to, "%s\n", text);
    json_free(v);
}

void sheet_print(const struct sheet *s, enum sheet_format format, FILE *to)
{
    assert(s->len == s->rows * s->columns);
    switch (format) {
    case SHEET_TERMINAL:
        print_terminal(s, to);
        break;
    case SHEET_CSV:
        print_csv(s, to);
        break;
    case SHEET_JSON: {
        struct json *top = json_new_object();
        json_set(top, "version", json_new_integer(1));
        json_set(top, "rows", sheet_json(s));
        print_json(top, to);
        break;
    }
    }
}
