/* SPDX-License-Identifier: Apache-2.0 */
/* print.c - a table as text, Markdown, CSV, LaTeX or JSON (tables.h). */
#include <stdlib.h>
#include <string.h>

#include "common/base/json.h"
#include "common/base/mem.h"
#include "store/tables/tables.h"

const char *const *table_format_words(void)
{
    static const char *const words[TABLE_FORMATS + 1] = { "text",  "markdown", "csv",
                                                          "latex", "json",     NULL };

    return words;
}

#define PLUS_MINUS "\xc2\xb1" /* as cell.c has it */

static const struct table_cell *cell_at(const struct table *t, size_t row, size_t column)
{
    return &t->cell[row * t->columns + column];
}

/* Columns on the screen: characters, not bytes. */
static size_t width_of(const char *s)
{
    size_t n = 0;

    for (; *s; s++)
        n += ((unsigned char)*s & 0xC0) != 0x80;
    return n;
}

static void pad(struct buf *out, char c, size_t n)
{
    while (n-- > 0)
        buf_addc(out, c);
}

static size_t *column_widths(const struct table *t)
{
    size_t *width = mem_calloc(t->columns, sizeof *width);

    for (size_t c = 0; c < t->columns; c++) {
        width[c] = width_of(t->head[c].text);
        for (size_t r = 0; r < t->rows; r++)
            width[c] = MAX(width[c], width_of(cell_at(t, r, c)->text));
    }
    return width;
}

static void add_aligned(struct buf *out, const char *s, size_t width, enum table_align align)
{
    size_t blanks = width - width_of(s);

    if (align == TABLE_RIGHT)
        pad(out, ' ', blanks);
    buf_adds(out, s);
    if (align == TABLE_LEFT)
        pad(out, ' ', blanks);
}

/* No blanks at the ends of lines. */
static void end_line(struct buf *out)
{
    while (out->len > 0 && out->data[out->len - 1] == ' ')
        out->data[--out->len] = '\0';
    buf_addc(out, '\n');
}

static void print_text(const struct table *t, struct buf *out)
{
    size_t *width = column_widths(t);

    if (t->title[0])
        buf_printf(out, "%s\n\n", t->title);
    for (size_t c = 0; c < t->columns; c++) {
        buf_adds(out, c ? "  " : "");
        add_aligned(out, t->head[c].text, width[c], t->head[c].align);
    }
    end_line(out);
    for (size_t c = 0; c < t->columns; c++) {
        buf_adds(out, c ? "  " : "");
        pad(out, '-', width[c]);
    }
    end_line(out);
    for (size_t r = 0; r < t->rows; r++) {
        for (size_t c = 0; c < t->columns; c++) {
            buf_adds(out, c ? "  " : "");
            add_aligned(out, cell_at(t, r, c)->text, width[c], t->head[c].align);
        }
        end_line(out);
        if (t->total[r] && r + 1 < t->rows)
            buf_addc(out, '\n');
    }
    for (size_t i = 0; i < t->notes; i++)
        buf_printf(out, "%s%s\n", i ? "" : "\n", t->note[i]);
    free(width);
}

/* S with a backslash in front of each byte of SPECIAL. */
static void add_escaped(struct buf *out, const char *s, const char *special)
{
    for (; *s; s++) {
        if (strchr(special, *s))
            buf_addc(out, '\\');
        buf_addc(out, *s);
    }
}

static void print_markdown(const struct table *t, struct buf *out)
{
    if (t->title[0]) {
        buf_adds(out, "**");
        add_escaped(out, t->title, "*_|\\");
        buf_adds(out, "**\n\n");
    }
    for (size_t c = 0; c < t->columns; c++) {
        buf_adds(out, c ? " | " : "| ");
        add_escaped(out, t->head[c].text, "*_|\\");
    }
    buf_adds(out, " |\n");
    for (size_t c = 0; c < t->columns; c++)
        buf_adds(out, t->head[c].align == TABLE_RIGHT ? "|---:" : "|:---");
    buf_adds(out, "|\n");
    for (size_t r = 0; r < t->rows; r++) {
        for (size_t c = 0; c < t->columns; c++) {
            buf_adds(out, c ? " | " : "| ");
            buf_adds(out, t->total[r] ? "**" : "");
            add_escaped(out, cell_at(t, r, c)->text, "*_|\\");
            buf_adds(out, t->total[r] ? "**" : "");
        }
        buf_adds(out, " |\n");
    }
    for (size_t i = 0; i < t->notes; i++)
        buf_printf(out, "%s%s\n", i ? "\n" : "\n", t->note[i]);
}

static void add_csv(struct buf *out, const char *s)
{
    if (!strpbrk(s, ",\"\r\n")) {
        buf_adds(out, s);
        return;
    }
    buf_addc(out, '"');
    for (; *s; s++) {
        if (*s == '"')
            buf_addc(out, '"');
        buf_addc(out, *s);
    }
    buf_addc(out, '"');
}

/* For programs: values in full, shares as 0..1; a column with intervals becomes three, with
 * standard errors one more. */
static bool has_interval(const struct table *t, size_t column)
{
    for (size_t r = 0; r < t->rows; r++) {
        if (cell_at(t, r, column)->interval)
            return true;
    }
    return false;
}

static bool has_error(const struct table *t, size_t column)
{
    for (size_t r = 0; r < t->rows; r++) {
        if (cell_at(t, r, column)->has_error)
            return true;
    }
    return false;
}

static void print_csv_value(struct buf *out, bool known, double value)
{
    if (known)
        buf_printf(out, "%.10g", value);
}

static void print_csv_heads(const struct table *t, struct buf *out)
{
    static const char *const ends[] = { "", " stderr", " low", " high" };

    for (size_t c = 0; c < t->columns; c++) {
        const char *head = t->head[c].text;
        size_t len = strlen(head);
        int bytes =
            (int)(len > 2 && strcmp(head + len - 2, " %") == 0 ? len - 2
                                                               : len); /* values are shares here */

        for (int part = 0; part < 4; part++) {
            CLEANUP(buf_release) struct buf name = { 0 };

            if ((part == 1 && !has_error(t, c)) || (part > 1 && !has_interval(t, c)))
                continue;
            buf_printf(&name, "%.*s%s", bytes, head, ends[part]);
            buf_adds(out, c || part ? "," : "");
            add_csv(out, buf_str(&name));
        }
    }
    buf_addc(out, '\n');
}

static void print_csv(const struct table *t, struct buf *out)
{
    print_csv_heads(t, out);
    for (size_t r = 0; r < t->rows; r++) {
        for (size_t c = 0; c < t->columns; c++) {
            const struct table_cell *cell = cell_at(t, r, c);

            buf_adds(out, c ? "," : "");
            if (t->head[c].key)
                add_csv(out, cell->text);
            else
                print_csv_value(out, cell->known, cell->value);
            if (has_error(t, c)) {
                buf_addc(out, ',');
                print_csv_value(out, cell->has_error, cell->error);
            }
            if (has_interval(t, c)) {
                buf_addc(out, ',');
                print_csv_value(out, cell->interval, cell->lo);
                buf_addc(out, ',');
                print_csv_value(out, cell->interval, cell->hi);
            }
        }
        buf_addc(out, '\n');
    }
}

static void add_latex(struct buf *out, const char *s)
{
    for (; *s; s++) {
        if (strchr("&%$#_{}", *s))
            buf_printf(out, "\\%c", *s);
        else if (*s == '~')
            buf_adds(out, "\\textasciitilde{}");
        else if (*s == '^')
            buf_adds(out, "\\textasciicircum{}");
        else if (*s == '\\')
            buf_adds(out, "\\textbackslash{}");
        else if (strncmp(s, PLUS_MINUS, 2) == 0) {
            buf_adds(out, "$\\pm$");
            s++;
        } else
            buf_addc(out, *s);
    }
}

static void print_latex(const struct table *t, struct buf *out)
{
    if (t->title[0])
        buf_printf(out, "%% %s\n", t->title);
    buf_adds(out, "\\begin{tabular}{");
    for (size_t c = 0; c < t->columns; c++)
        buf_addc(out, t->head[c].align == TABLE_RIGHT ? 'r' : 'l');
    buf_adds(out, "}\n\\toprule\n");
    for (size_t c = 0; c < t->columns; c++) {
        buf_adds(out, c ? " & " : "");
        add_latex(out, t->head[c].text);
    }
    buf_adds(out, " \\\\\n\\midrule\n");
    for (size_t r = 0; r < t->rows; r++) {
        for (size_t c = 0; c < t->columns; c++) {
            buf_adds(out, c ? " & " : "");
            if (t->total[r])
                buf_adds(out, "\\textbf{");
            add_latex(out, cell_at(t, r, c)->text);
            buf_adds(out, t->total[r] ? "}" : "");
        }
        buf_adds(out, " \\\\\n");
        if (t->total[r] && r + 1 < t->rows)
            buf_adds(out, "\\midrule\n");
    }
    buf_adds(out, "\\bottomrule\n\\end{tabular}\n");
    for (size_t i = 0; i < t->notes; i++)
        buf_printf(out, "%% %s\n", t->note[i]);
}

static struct json *json_head(const struct table_head *h)
{
    struct json *o = json_new_object();

    json_set(o, "head", json_new_text(h->text));
    json_set(o, "key", json_new_bool(h->key));
    if (!h->key) {
        json_set(o, "step", json_new_text(h->step));
        json_set(o, "stat", json_new_text(table_stat_word(h->stat)));
        json_set(o, "oracle", json_new_bool(h->oracle));
        if (h->metric[0])
            json_set(o, "metric", json_new_text(h->metric));
    }
    return o;
}

static struct json *json_cell(const struct table_cell *c, bool key)
{
    struct json *o = json_new_object(), *list;
    char hex[DIGEST_HEX];

    json_set(o, "text", json_new_text(c->text));
    if (key)
        return o;
    json_set(o, "value", c->known ? json_new_number(c->value) : json_new_null());
    if (c->interval) {
        list = json_new_array();
        json_push(list, json_new_number(c->lo));
        json_push(list, json_new_number(c->hi));
        json_set(o, "ci", list);
    } else {
        json_set(o, "ci", json_new_null());
    }
    json_set(o, "stderr", c->has_error ? json_new_number(c->error) : json_new_null());
    json_set(o, "n", json_new_integer((int64_t)c->n));
    json_set(o, "seeds", json_new_integer(c->seeds));
    list = json_new_array();
    for (size_t i = 0; i < c->families_len; i++)
        json_push(list, json_new_text(digest_hex(&c->family[i], hex)));
    json_set(o, "families", list);
    return o;
}

static void print_json(const struct table *t, struct buf *out)
{
    struct json *root = json_new_object(), *columns = json_new_array(), *rows = json_new_array(),
                *notes = json_new_array();
    char *text;

    json_set(root, "title", json_new_text(t->title));
    for (size_t c = 0; c < t->columns; c++)
        json_push(columns, json_head(&t->head[c]));
    json_set(root, "columns", columns);
    for (size_t r = 0; r < t->rows; r++) {
        struct json *row = json_new_object(), *cells = json_new_array();

        json_set(row, "total", json_new_bool(t->total[r]));
        for (size_t c = 0; c < t->columns; c++)
            json_push(cells, json_cell(cell_at(t, r, c), t->head[c].key));
        json_set(row, "cells", cells);
        json_push(rows, row);
    }
    json_set(root, "rows", rows);
    for (size_t i = 0; i < t->notes; i++)
        json_push(notes, json_new_text(t->note[i]));
    json_set(root, "notes", notes);
    text = json_dump(root, 2);
    buf_adds(out, text);
    buf_addc(out, '\n');
    free(text);
    json_free(root);
}

void table_print(const struct table *t, enum table_format format, struct buf *out)
{
    static void (*const print[TABLE_FORMATS])(const struct table *, struct buf *) = {
        [TABLE_TEXT] = print_text,   [TABLE_MARKDOWN] = print_markdown, [TABLE_CSV] = print_csv,
        [TABLE_LATEX] = print_latex, [TABLE_JSON] = print_json,
    };

    print[format](t, out);
}
