/* SPDX-License-Identifier: Apache-2.0 */
/* print_latex.c - a table in LaTeX: booktabs, and siunitx where the specification asks for it
 * (print.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "store/tables/print.h"

/* Characters beyond ASCII that tables print, or that people write in titles. */
static const struct {
    const char *utf8, *latex;
} signs[] = {
    { "\xc2\xb1", "$\\pm$" },
    { "\xe2\x80\x93", "--" },
    { "\xe2\x80\x94", "---" },
    { "\xe2\x80\xa0", "\\textsuperscript{\\textdagger}" },
    { "\xe2\x80\xa1", "\\textsuperscript{\\textdaggerdbl}" },
    { "\xc2\xa7", "\\S{}" },
    { "\xc2\xb9", "$^1$" },
    { "\xc2\xb2", "$^2$" },
    { "\xc3\x97", "$\\times$" },
    { "\xe2\x89\xa4", "$\\le$" },
    { "\xe2\x89\xa5", "$\\ge$" },
    { "\xe2\x86\x92", "$\\rightarrow$" },
    { "\xe2\x86\x91", "$\\uparrow$" },
    { "\xe2\x86\x93", "$\\downarrow$" },
    { "\xce\xb1", "$\\alpha$" },
    { "\xce\xb2", "$\\beta$" },
    { "\xce\xb3", "$\\gamma$" },
    { "\xce\xb4", "$\\delta$" },
    { "\xce\xb5", "$\\epsilon$" },
    { "\xce\xbb", "$\\lambda$" },
    { "\xce\xbc", "$\\mu$" },
    { "\xcf\x80", "$\\pi$" },
    { "\xcf\x83", "$\\sigma$" },
    { "\xcf\x84", "$\\tau$" },
    { "\xce\x94", "$\\Delta$" },
    { "\xe2\x88\x92", "$-$" },
    { "\xe2\x89\x88", "$\\approx$" },
    { "\xe2\x89\xa0", "$\\ne$" },
    { "\xe2\x88\x9e", "$\\infty$" },
    { "\xe2\x88\x9a", "$\\surd$" },
    { "\xe2\x88\x88", "$\\in$" },
    { "\xe2\x86\x90", "$\\leftarrow$" },
    { "\xc2\xb7", "$\\cdot$" },
    { "\xce\xb6", "$\\zeta$" },
    { "\xce\xb7", "$\\eta$" },
    { "\xce\xb8", "$\\theta$" },
    { "\xce\xba", "$\\kappa$" },
    { "\xce\xbd", "$\\nu$" },
    { "\xce\xbe", "$\\xi$" },
    { "\xcf\x81", "$\\rho$" },
    { "\xcf\x86", "$\\varphi$" },
    { "\xcf\x87", "$\\chi$" },
    { "\xcf\x88", "$\\psi$" },
    { "\xcf\x89", "$\\omega$" },
    { "\xce\x93", "$\\Gamma$" },
    { "\xce\x98", "$\\Theta$" },
    { "\xce\x9b", "$\\Lambda$" },
    { "\xce\xa0", "$\\Pi$" },
    { "\xce\xa3", "$\\Sigma$" },
    { "\xce\xa6", "$\\Phi$" },
    { "\xce\xa8", "$\\Psi$" },
    { "\xce\xa9", "$\\Omega$" },
};

static const char *sign_of(const char *s, size_t *ret_len)
{
    for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
        *ret_len = strlen(signs[i].utf8);
        if (strncmp(s, signs[i].utf8, *ret_len) == 0)
            return signs[i].latex;
    }
    return NULL;
}

static void add_latex(struct buf *out, const char *s)
{
    while (*s) {
        size_t len;
        const char *sign = sign_of(s, &len);

        if (sign) {
            buf_adds(out, sign);
            s += len;
            continue;
        }
        if (strchr("&%$#_{}", *s))
            buf_printf(out, "\\%c", *s);
        else if (*s == '~')
            buf_adds(out, "\\textasciitilde{}");
        else if (*s == '^')
            buf_adds(out, "\\textasciicircum{}");
        else if (*s == '\\')
            buf_adds(out, "\\textbackslash{}");
        else if (strchr("<>|\"", *s))
            buf_printf(out, "%s", *s == '<' ? "$<$" : *s == '>' ? "$>$" : *s == '|' ? "$|$" : "''");
        else if (*s == '\n' || *s == '\r')
            buf_addc(out, ' ');
        else
            buf_addc(out, *s);
        s++;
    }
}

/* A comment is one line. */
static void add_comment(struct buf *out, const char *s)
{
    buf_adds(out, "% ");
    for (; *s; s++)
        buf_addc(out, *s == '\n' || *s == '\r' ? ' ' : *s);
    buf_addc(out, '\n');
}

/* Stars and daggers. */
static void add_marks(const struct table *t, const struct table_cell *c, struct buf *out)
{
    int stars = print_shows_stars(t) && c->known ? c->compared.stars : 0;

    if (stars)
        buf_printf(out, "$^{%.*s}$", stars, "***");
    if (c->known && c->unequal)
        buf_adds(out, "\\textsuperscript{\\textdagger}");
    if (c->known && c->seeds < c->wanted)
        buf_adds(out, "\\textsuperscript{\\textdaggerdbl}");
    if (c->known && c->diverged > 0)
        buf_adds(out, "\\textsuperscript{\\S}");
}

static bool is_bold(const struct table *t, size_t row, size_t column)
{
    const struct table_cell *c = cell_at(t, row, column);

    return c->best ||
           (t->total[row] && (t->head[column].key || !(t->spec->marks & TABLE_MARK_BEST)));
}

/* A row's first text must not look like an argument of the \\ or rule in front of it. */
static void add_guard(struct buf *out, size_t column, const char *text)
{
    if (column == 0 && (text[0] == '[' || text[0] == '*'))
        buf_adds(out, "{}");
}

static void add_plain_cell(const struct table *t, size_t row, size_t column, struct buf *out)
{
    const struct table_cell *c = cell_at(t, row, column);
    bool bold = is_bold(t, row, column);

    add_guard(out, column, c->text);
    buf_adds(out, bold ? "\\textbf{" : c->second ? "\\underline{" : "");
    add_latex(out, c->text);
    buf_adds(out, bold || c->second ? "}" : "");
    add_marks(t, c, out);
}

/* ---- siunitx ---- */

/* The number in a cell's text, behind the sign of a bound, "> ". */
static const char *number_in(const char *text)
{
    return text + (strchr("<>~", text[0]) && text[1] == ' ' ? 2 : 0);
}

/* What is behind the number: " ± 1.2 [..]". */
static const char *behind_number(const char *text)
{
    text = number_in(text);
    return text + strspn(text, "-+.0123456789");
}

static void si_format(const struct table *t, size_t column, char *out, size_t size)
{
    size_t whole = 1;
    bool minus = false;

    for (size_t r = 0; r < t->rows; r++) {
        const struct table_cell *c = cell_at(t, r, column);
        const char *text;

        if (!c->known)
            continue;
        text = number_in(c->text);
        minus = minus || text[0] == '-';
        whole = MAX(whole, strcspn(text + (text[0] == '-'), ". "));
    }
    snprintf(out, size, "%s%zu.%d", minus ? "-" : "", whole, t->head[column].digits);
}

static void si_post(const struct table *t, size_t row, size_t column, struct buf *out)
{
    const struct table_cell *c = cell_at(t, row, column);

    add_latex(out, behind_number(c->text));
    add_marks(t, c, out);
}

/* The longest of what stands behind numbers: room is kept for it. */
static void si_longest(const struct table *t, size_t column, struct buf *out)
{
    for (size_t r = 0; r < t->rows; r++) {
        CLEANUP(buf_release) struct buf post = { 0 };

        if (cell_at(t, r, column)->known)
            si_post(t, r, column, &post);
        if (post.len > out->len) {
            buf_clear(out);
            buf_adds(out, buf_str(&post));
        }
    }
}

static void add_si_column(const struct table *t, size_t column, struct buf *out)
{
    CLEANUP(buf_release) struct buf post = { 0 };
    char format[64];

    si_format(t, column, format, sizeof format);
    si_longest(t, column, &post);
    buf_printf(out, "S[table-format=%s", format);
    if (post.len)
        buf_printf(out, ",table-space-text-post={%s}", buf_str(&post));
    buf_adds(out, "]");
}

static void add_si_cell(const struct table *t, size_t row, size_t column, struct buf *out)
{
    const struct table_cell *c = cell_at(t, row, column);
    CLEANUP(buf_release) struct buf post = { 0 };
    char format[64];
    const char *number = number_in(c->text);
    int len = (int)(behind_number(c->text) - number);

    if (!c->known) {
        buf_adds(out, "{--}");
        return;
    }
    si_post(t, row, column, &post);
    si_format(t, column, format, sizeof format);
    if (number > c->text) { /* S knows no bounds: in braces, as what is underlined */
        buf_addc(out, '{');
        add_latex(out, c->text[0] == '>' ? ">" : c->text[0] == '<' ? "<" : "~");
        buf_printf(out, " \\tablenum[table-format=%s]{%.*s}%s}", format, len, number,
                   buf_str(&post));
        return;
    }
    if (is_bold(t, row, column))
        buf_printf(out, "\\bfseries %.*s", len, c->text);
    else if (c->second) /* braces hide it from S: it aligns itself */
        buf_printf(out, "{\\underline{\\tablenum[table-format=%s]{%.*s}}%s}", format, len, c->text,
                   buf_str(&post));
    else
        buf_printf(out, "%.*s", len, c->text);
    if (post.len && (is_bold(t, row, column) || !c->second))
        buf_printf(out, " {%s}", buf_str(&post));
}

/* ---- heads ---- */

static void add_heads_above(const struct table *t, struct buf *out)
{
    for (size_t level = 0; level < t->depth; level++) {
        CLEANUP(buf_release) struct buf rules = { 0 };

        for (size_t c = 0, end; c < t->columns; c = end) {
            const char *head = print_above(t, level, c);

            end = print_span_end(t, level, c);
            buf_adds(out, c ? " & " : "");
            if (!head[0])
                continue;
            buf_printf(out, "\\multicolumn{%zu}{c}{", end - c);
            add_latex(out, head);
            buf_addc(out, '}');
            buf_printf(&rules, "%s\\cmidrule(lr){%zu-%zu}", rules.len ? " " : "", c + 1, end);
        }
        buf_printf(out, " \\\\\n%s\n", buf_str(&rules));
    }
}

static void add_tabular(const struct table *t, struct buf *out)
{
    bool si = t->spec->siunitx;

    buf_adds(out, "\\begin{tabular}{");
    for (size_t c = 0; c < t->columns; c++) {
        if (si && !t->head[c].key)
            add_si_column(t, c, out);
        else
            buf_addc(out, t->head[c].right ? 'r' : 'l');
    }
    buf_adds(out, "}\n\\toprule\n");
    add_heads_above(t, out);
    for (size_t c = 0; c < t->columns; c++) {
        bool braces = si && !t->head[c].key;

        buf_adds(out, c ? " & " : "");
        buf_adds(out, braces ? "{" : "");
        add_guard(out, c, t->head[c].text);
        add_latex(out, t->head[c].text);
        buf_adds(out, braces ? "}" : "");
    }
    buf_adds(out, " \\\\\n\\midrule\n");
    for (size_t r = 0; r < t->rows; r++) {
        for (size_t c = 0; c < t->columns; c++) {
            buf_adds(out, c ? " & " : "");
            if (si && !t->head[c].key)
                add_si_cell(t, r, c, out);
            else
                add_plain_cell(t, r, c, out);
        }
        buf_adds(out, " \\\\\n");
        if (t->total[r] && r + 1 < t->rows && !t->total[r + 1])
            buf_adds(out, "\\midrule\n");
    }
    buf_adds(out, "\\bottomrule\n\\end{tabular}\n");
}

/* The note on best and second speaks of signs that this format does not use. */
static const char *note_of(const struct table *t, size_t i)
{
    if (strncmp(t->note[i], "\xc2\xb9", 2) != 0)
        return t->note[i];
    return t->spec->marks & TABLE_MARK_SECOND ? "Bold: best; underlined: second." : "Bold: best.";
}

void print_latex(const struct table *t, const struct table_options *o, struct buf *out)
{
    bool floats = t->spec->caption || t->spec->label[0];

    if (t->title[0])
        add_comment(out, t->title);
    buf_printf(out, "%% Needs \\usepackage{booktabs%s}.\n", t->spec->siunitx ? ",siunitx" : "");
    if (floats)
        buf_adds(out, "\\begin{table}[t]\n\\centering\n");
    if (t->spec->caption) {
        buf_adds(out, "\\caption{");
        add_latex(out, t->spec->caption);
        buf_adds(out, "}\n");
    }
    if (t->spec->label[0])
        buf_printf(out, "\\label{%s}\n", t->spec->label);
    if (t->spec->siunitx)
        buf_printf(out, "%s\\sisetup{detect-weight=true,mode=text,table-align-text-post=false}\n",
                   floats ? "" : "\\begingroup\n");
    add_tabular(t, out);
    if (floats && t->notes > 0) {
        buf_adds(out, "\\par\\smallskip\n\\begin{minipage}{\\linewidth}\\footnotesize\n");
        for (size_t i = 0; i < t->notes; i++) {
            add_latex(out, note_of(t, i));
            buf_adds(out, i + 1 < t->notes ? "\\par\n" : "\n");
        }
        buf_adds(out, "\\end{minipage}\n");
    }
    if (floats)
        buf_adds(out, "\\end{table}\n");
    else if (t->spec->siunitx)
        buf_adds(out, "\\endgroup\n");
    for (size_t i = 0; i < t->notes && !floats; i++)
        add_comment(out, note_of(t, i));
    if (!o->no_footer)
        print_footer(t, "% ", out);
}
