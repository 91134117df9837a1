/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/cli/sheet.h"

#include <assert.h>
#include <libsmartcols.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/jsonw.h"
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
    bool begun; /* sheet_flush() has printed the head, and maybe rows */
    bool some;  /* a row was printed */
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
    struct buf unique CLEANUP(buf_release) = { 0 };
    size_t same = 1;

    assert(s->rows == 0 && !s->begun);
    buf_adds(&unique, name);
    for (size_t i = 0; i < s->columns; i++) {
        if (strcmp(s->column[i], buf_str(&unique)) != 0)
            continue;
        buf_clear(&unique);
        buf_printf(&unique, "%s_%zu", name, ++same);
        i = (size_t)-1; /* that one may be there too */
    }
    s->column = mem_realloc(s->column, s->columns + 1, sizeof(*s->column));
    s->column[s->columns++] = buf_detach(&unique);
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

/* The fewest digits that read back as the same number. */
static void print_real(double r, char *out, size_t size)
{
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(out, size, "%.*g", digits, r);
        if (strtod(out, NULL) == r)
            return;
    }
}

void sheet_real(struct sheet *s, double v, int decimals)
{
    char text[64];

    if (decimals == SHEET_SECONDS)
        decimals = v < 100 ? 3 : 1;
    if (decimals < 0)
        print_real(v, text, sizeof(text));
    else
        snprintf(text, sizeof(text), "%.*f", decimals, v);
    add(s, (struct cell){ .type = CELL_REAL, .r = v, .text = mem_strdup(text) });
}

void sheet_value(struct sheet *s, const struct json *v, int decimals)
{
    if (json_is_string(v))
        sheet_text(s, json_text(v));
    else if (json_is_integer(v))
        sheet_int(s, json_integer(v, 0));
    else if (json_is_number(v))
        sheet_real(s, json_number(v, 0), decimals);
    else if (v && !json_is_null(v) && json_bool(v, true) == json_bool(v, false))
        sheet_text(s, json_bool(v, true) ? "yes" : "no");
    else
        sheet_text(s, NULL);
}

size_t sheet_rows(const struct sheet *s)
{
    return s->rows;
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

/* Texts of more than this many bytes may be cut when the terminal is too narrow. */
enum { CUT_ABOVE = 16 };

static int column_flags(const struct sheet *s, size_t column)
{
    if (numbers_only(s, column))
        return SCOLS_FL_RIGHT;
    for (size_t r = 0; r < s->rows; r++) {
        const struct cell *c = &s->cell[r * s->columns + column];
        if (c->type == CELL_TEXT && strlen(c->text) > CUT_ABOVE)
            return SCOLS_FL_TRUNC;
    }
    return 0;
}

static void print_terminal(const struct sheet *s, FILE *to)
{
    struct libscols_table *t = scols_new_table();
    char number[64];

    if (!t)
        abort(); /* out of memory, as elsewhere */
    scols_table_set_stream(t, to);
    for (size_t c = 0; c < s->columns; c++)
        if (!scols_table_new_column(t, s->column[c], 0, column_flags(s, c)))
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

static void print_csv_head(const struct sheet *s, FILE *to)
{
    for (size_t c = 0; c < s->columns; c++) {
        fputs(c ? "," : "", to);
        print_csv_text(s->column[c], to);
    }
    fputc('\n', to);
}

static void print_csv_row(const struct sheet *s, size_t row, FILE *to)
{
    char number[64];

    for (size_t c = 0; c < s->columns; c++) {
        const struct cell *cell = &s->cell[row * s->columns + c];

        fputs(c ? "," : "", to);
        if (cell->type != CELL_TEXT)
            print_cell(cell, false, number, sizeof(number));
        print_csv_text(cell->type == CELL_TEXT ? cell->text : number, to);
    }
    fputc('\n', to);
}

static void print_json_row(const struct sheet *s, size_t row, FILE *to)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    struct jsonw w = { .to = &text };

    jsonw_open(&w, '{');
    for (size_t c = 0; c < s->columns; c++) {
        const struct cell *cell = &s->cell[row * s->columns + c];

        switch (cell->type) {
        case CELL_NONE:
            jsonw_null(&w, s->column[c]);
            break;
        case CELL_TEXT:
            jsonw_text(&w, s->column[c], cell->text);
            break;
        case CELL_INT:
            jsonw_int(&w, s->column[c], cell->i);
            break;
        case CELL_REAL:
            jsonw_real(&w, s->column[c], cell->r);
            break;
        }
    }
    jsonw_close(&w, '}');
    fwrite(text.data, 1, text.len, to);
}

void sheet_flush(struct sheet *s, enum sheet_format format, FILE *to)
{
    if (format == SHEET_TERMINAL)
        return;
    assert(s->len == s->rows * s->columns);
    if (!s->begun && format == SHEET_CSV)
        print_csv_head(s, to);
    else if (!s->begun)
        fputs("{\"version\":1,\"rows\":[", to);
    s->begun = true;
    for (size_t r = 0; r < s->rows; r++) {
        if (format == SHEET_CSV) {
            print_csv_row(s, r, to);
        } else {
            fputs(s->some ? ",\n" : "\n", to);
            print_json_row(s, r, to);
        }
        s->some = true;
    }
    for (size_t i = 0; i < s->len; i++)
        free(s->cell[i].text);
    s->len = s->rows = 0;
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

void sheet_print(struct sheet *s, enum sheet_format format, FILE *to)
{
    assert(s->len == s->rows * s->columns);
    if (format == SHEET_TERMINAL) {
        print_terminal(s, to);
        return;
    }
    sheet_flush(s, format, to);
    if (format == SHEET_JSON)
        fputs(s->some ? "\n]}\n" : "]}\n", to);
}

/* ---- lists of objects ---- */

enum { LIST_COLUMNS_MAX = 32, DECIMALS = 4 };

struct wanted {
    char member[48], heading[48];
    bool unless_zero;
};

static size_t read_columns(const char *columns, struct wanted *w)
{
    size_t len = 0;

    while (*columns && len < LIST_COLUMNS_MAX) {
        w[len].unless_zero = *columns == '?';
        columns += w[len].unless_zero;
        const size_t word = strcspn(columns, " ");
        const char *equals = memchr(columns, '=', word);
        const size_t member = equals ? (size_t)(equals - columns) : word;

        snprintf(w[len].member, sizeof(w[len].member), "%.*s", (int)member, columns);
        snprintf(w[len].heading, sizeof(w[len].heading), "%.*s",
                 (int)(equals ? word - member - 1 : word), equals ? equals + 1 : columns);
        len++;
        columns += word;
        columns += strspn(columns, " ");
    }
    return len;
}

static bool says_something(const struct json *list, const struct wanted *w)
{
    for (size_t i = 0; i < json_len(list); i++) {
        const struct json *v = json_get(json_at(list, i), w->member);
        if (v && !json_is_null(v) && !(json_is_string(v) && json_text_len(v) == 0) &&
            !(w->unless_zero && json_number(v, 1) == 0))
            return true;
    }
    return false;
}

void sheet_list(const struct json *list, const char *title, const char *columns, size_t max,
                FILE *to)
{
    struct sheet *t CLEANUP(sheet_cleanup) = sheet_new();
    struct wanted w[LIST_COLUMNS_MAX];
    const size_t rows = json_len(list), shown = max && max < rows ? max : rows;
    size_t len = read_columns(columns, w), kept = 0;

    if (rows == 0)
        return;
    for (size_t i = 0; i < len; i++)
        if (says_something(list, &w[i])) {
            sheet_column(t, w[i].heading);
            w[kept++] = w[i];
        }
    for (size_t r = 0; r < shown; r++) {
        sheet_row(t);
        for (size_t i = 0; i < kept; i++)
            sheet_value(t, json_get(json_at(list, r), w[i].member),
                        strcmp(w[i].member, "seconds") == 0 ? SHEET_SECONDS : DECIMALS);
    }
    fprintf(to, "\n%s%s", title ? title : "", title ? "\n" : "");
    sheet_print(t, SHEET_TERMINAL, to);
    if (shown < rows)
        fprintf(to, "... and %zu more (--json has all)\n", rows - shown);
}
