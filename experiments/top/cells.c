/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/top/cells.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <utf8proc.h>

#include "common/base/utf8.h"

enum { MARKS_MAX = 2 };

struct glyph {
    const char *text;
    size_t bytes; /* of TEXT */
    size_t took;  /* of what was read */
    size_t width;
    bool mark; /* stands on the one before */
};

/* Not the control characters (of C1, too: one is CSI), nor what turns the direction or joins, nor
 * what nobody has defined. */
static bool is_shown(utf8proc_int32_t c)
{
    const utf8proc_category_t k = utf8proc_category(c);

    return k != UTF8PROC_CATEGORY_CC && k != UTF8PROC_CATEGORY_CF && k != UTF8PROC_CATEGORY_CS &&
           k != UTF8PROC_CATEGORY_CO && k != UTF8PROC_CATEGORY_CN && k != UTF8PROC_CATEGORY_ZL &&
           k != UTF8PROC_CATEGORY_ZP;
}

static struct glyph next_glyph(const char *s, bool utf8)
{
    struct glyph g = { .text = "?", .bytes = 1, .took = utf8_len(s), .width = 1 };
    utf8proc_int32_t c;

    if (g.took == 0) {
        g.took = 1;
        return g;
    }
    if (utf8proc_iterate((const utf8proc_uint8_t *)s, (utf8proc_ssize_t)g.took, &c) < 0 ||
        !is_shown(c) || (!utf8 && c >= 0x80))
        return g;
    g.text = s;
    g.bytes = g.took;
    g.width = (size_t)utf8proc_charwidth(c);
    g.mark = g.width == 0;
    return g;
}

size_t cells_of(const char *text, bool utf8)
{
    size_t width = 0;

    while (*text) {
        const struct glyph g = next_glyph(text, utf8);

        width += g.width;
        text += g.took;
    }
    return width;
}

/* As much of TEXT as WIDTH cells hold; how many it took. */
static size_t put(struct line *l, const char *text, size_t width)
{
    size_t used = 0, marks = MARKS_MAX;

    while (*text) {
        const struct glyph g = next_glyph(text, l->utf8);

        if (used + g.width > width)
            break;
        marks = g.mark ? marks + 1 : 0;
        if (marks <= MARKS_MAX) /* none stands alone at the beginning */
            buf_add(l->out, g.text, g.bytes);
        used += g.width;
        text += g.took;
    }
    l->left -= used;
    return used;
}

static void fill(struct line *l, size_t width)
{
    l->left -= width;
    while (width-- > 0)
        buf_addc(l->out, ' ');
}

void line_left(struct line *l, const char *text, size_t width)
{
    width = MIN(width, l->left);
    fill(l, width - put(l, text, width));
}

void line_right(struct line *l, const char *text, size_t width)
{
    width = MIN(width, l->left);
    fill(l, width - MIN(width, cells_of(text, l->utf8)));
    line_left(l, text, MIN(width, cells_of(text, l->utf8)));
}

void line_text(struct line *l, const char *text)
{
    (void)put(l, text, l->left);
}

void line_whole(struct line *l, const char *text)
{
    if (cells_of(text, l->utf8) <= l->left)
        line_text(l, text);
}

void line_printf(struct line *l, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    line_text(l, text);
}

void line_rest(struct line *l)
{
    fill(l, l->left);
}

void line_style(struct line *l, const char *sgr)
{
    if (l->color)
        buf_printf(l->out, "\033[%sm", sgr);
}
