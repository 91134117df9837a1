/* SPDX-License-Identifier: Apache-2.0 */
/* print_text.c - a table for terminals, as Markdown and as CSV (print.h). */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "store/tables/print.h"

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

/* No blanks at the ends of lines. */
static void end_line(struct buf *out)
{
    while (out->len > 0 && out->data[out->len - 1] == ' ')
        out->data[--out->len] = '\0';
    buf_addc(out, '\n');
}

/* Numbers stand under each other; what is behind them stands to the left in a part of its own. */
struct widths {
    size_t *all, *marks;
};

static size_t marks_width(const struct table *t, const struct table_cell *c, bool ansi)
{
    CLEANUP(buf_release) struct buf marks = { 0 };

    print_marks(t, c, !ansi, &marks);
    return width_of(buf_str(&marks));
}

static void widen_spans(const struct table *t, struct widths *w)
{
    for (size_t level = t->depth; level-- > 0;) {
        for (size_t c = 0, end; c < t->columns; c = end) {
            size_t width = 0, head = width_of(print_above(t, level, c));

            end = print_span_end(t, level, c);
            for (size_t i = c; i < end; i++)
                width += w->all[i] + (i > c ? 2 : 0);
            if (head > width)
                w->all[end - 1] += head - width;
        }
    }
}

static struct widths column_widths(const struct table *t, bool ansi)
{
    struct widths w = { mem_calloc(t->columns, sizeof(size_t)),
                        mem_calloc(t->columns, sizeof(size_t)) };

    for (size_t c = 0; c < t->columns; c++) {
        for (size_t r = 0; r < t->rows; r++) {
            w.all[c] = MAX(w.all[c], width_of(cell_at(t, r, c)->text));
            w.marks[c] = MAX(w.marks[c], marks_width(t, cell_at(t, r, c), ansi));
        }
        w.all[c] = MAX(w.all[c] + w.marks[c], width_of(t->head[c].text));
    }
    widen_spans(t, &w);
    return w;
}

static void add_centered(struct buf *out, const char *s, size_t width)
{
    size_t blanks = width - width_of(s);

    pad(out, ' ', blanks / 2);
    buf_adds(out, s);
    pad(out, ' ', blanks - blanks / 2);
}

static void add_heads_above(const struct table *t, const struct widths *w, struct buf *out)
{
    for (size_t level = 0; level < t->depth; level++) {
        for (int line = 0; line < 2; line++) { /* the heads, then rules under them */
            for (size_t c = 0, end; c < t->columns; c = end) {
                const char *head = print_above(t, level, c);
                size_t width = 0;

                end = print_span_end(t, level, c);
                for (size_t i = c; i < end; i++)
                    width += w->all[i] + (i > c ? 2 : 0);
                buf_adds(out, c ? "  " : "");
                if (line == 0 || !head[0])
                    add_centered(out, line ? "" : head, width);
                else
                    pad(out, '-', width);
            }
            end_line(out);
        }
    }
}

static void add_cell(const struct table *t, size_t row, size_t column, const struct widths *w,
                     bool ansi, struct buf *out)
{
    const struct table_cell *c = cell_at(t, row, column);
    CLEANUP(buf_release) struct buf marks = { 0 };
    size_t left = w->all[column] - w->marks[column] - width_of(c->text);

    print_marks(t, c, !ansi, &marks);
    if (t->head[column].right)
        pad(out, ' ', left);
    if (ansi && (c->best || c->second))
        buf_adds(out, c->best ? "\x1b[1m" : "\x1b[4m");
    buf_adds(out, c->text);
    if (ansi && (c->best || c->second))
        buf_adds(out, c->best ? "\x1b[22m" : "\x1b[24m");
    buf_adds(out, buf_str(&marks));
    pad(out, ' ', w->marks[column] - width_of(buf_str(&marks)));
    if (!t->head[column].right)
        pad(out, ' ', left);
}

void print_text(const struct table *t, const struct table_options *o, struct buf *out)
{
    struct widths w = column_widths(t, o->ansi);

    if (t->title[0])
        buf_printf(out, "%s\n\n", t->title);
    add_heads_above(t, &w, out);
    for (size_t c = 0; c < t->columns; c++) {
        size_t blanks = w.all[c] - width_of(t->head[c].text);

        buf_adds(out, c ? "  " : "");
        pad(out, ' ', t->head[c].right ? blanks : 0);
        buf_adds(out, t->head[c].text);
        pad(out, ' ', t->head[c].right ? 0 : blanks);
    }
    end_line(out);
    for (size_t c = 0; c < t->columns; c++) {
        buf_adds(out, c ? "  " : "");
        pad(out, '-', w.all[c]);
    }
    end_line(out);
    for (size_t r = 0; r < t->rows; r++) {
        for (size_t c = 0; c < t->columns; c++) {
            buf_adds(out, c ? "  " : "");
            add_cell(t, r, c, &w, o->ansi, out);
        }
        end_line(out);
        if (t->total[r] && r + 1 < t->rows && !t->total[r + 1])
            buf_addc(out, '\n');
    }
    if (t->notes > 0 || !o->no_footer)
        buf_addc(out, '\n');
    for (size_t i = 0; i < t->notes; i++)
        buf_printf(out, "%s\n", t->note[i]);
    if (!o->no_footer)
        print_footer(t, "", out);
    free(w.all);
    free(w.marks);
}

/* ---- Markdown ---- */

/* S with a backslash in front of what Markdown would read. */
static void add_escaped(struct buf *out, const char *s)
{
    for (; *s; s++) {
        if (strchr("*_|\\<`$~", *s))
            buf_addc(out, '\\');
        buf_addc(out, *s);
    }
}

static void add_markdown_cell(const struct table *t, size_t row, size_t column, struct buf *out)
{
    const struct table_cell *c = cell_at(t, row, column);
    bool bold =
        c->best || (t->total[row] && (t->head[column].key || !(t->spec->marks & TABLE_MARK_BEST)));
    CLEANUP(buf_release) struct buf marks = { 0 };

    print_marks(t, c, false, &marks);
    buf_adds(out, bold ? "**" : c->second ? "<u>" : "");
    add_escaped(out, c->text);
    buf_adds(out, bold ? "**" : c->second ? "</u>" : "");
    add_escaped(out, buf_str(&marks));
}

void print_markdown(const struct table *t, const struct table_options *o, struct buf *out)
{
    if (t->title[0]) {
        buf_adds(out, "**");
        add_escaped(out, t->title);
        buf_adds(out, "**\n\n");
    }
    for (size_t c = 0; c < t->columns; c++) {
        buf_adds(out, c ? " | " : "| ");
        for (size_t i = 0; i < t->head[c].depth; i++) {
            add_escaped(out, t->head[c].above[i]);
            buf_adds(out, " / ");
        }
        add_escaped(out, t->head[c].text);
    }
    buf_adds(out, " |\n");
    for (size_t c = 0; c < t->columns; c++)
        buf_adds(out, t->head[c].right ? "|---:" : "|:---");
    buf_adds(out, "|\n");
    for (size_t r = 0; r < t->rows; r++) {
        for (size_t c = 0; c < t->columns; c++) {
            buf_adds(out, c ? " | " : "| ");
            add_markdown_cell(t, r, c, out);
        }
        buf_adds(out, " |\n");
    }
    for (size_t i = 0; i < t->notes; i++) {
        bool best = strncmp(t->note[i], "\xc2\xb9", 2) == 0; /* signs that this format does not use
                                                              */
        buf_addc(out, '\n');
        if (best)
            buf_adds(out, t->spec->marks & TABLE_MARK_SECOND ? "Bold: best; underlined: second."
                                                             : "Bold: best.");
        else
            add_escaped(out, t->note[i]);
        buf_addc(out, '\n');
    }
    if (!o->no_footer) {
        CLEANUP(buf_release) struct buf footer = { 0 };

        print_footer(t, "", &footer);
        buf_addc(out, '\n');
        add_escaped(out, buf_str(&footer));
    }
}
