/* SPDX-License-Identifier: Apache-2.0 */
/* cells.h - a line of a terminal, cell by cell.
 *
 * Whatever a text holds, nothing in it moves the cursor, changes a colour or takes more cells than
 * it was given: control characters, bytes that are no UTF-8, invisible and direction-changing
 * characters become "?", wide characters count two, of marks on a letter two stay. */
#ifndef EXPERIMENTS_TOP_CELLS_H
#define EXPERIMENTS_TOP_CELLS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"

struct line {
    struct buf *out;
    size_t left; /* cells that are free; what does not fit is left out */
    bool utf8;   /* the terminal shows it; else what is not ASCII becomes "?" */
    bool color;
};

/* TEXT in exactly WIDTH cells, or as many as are left: cut, or filled with blanks. */
void line_left(struct line *l, const char *text, size_t width);
void line_right(struct line *l, const char *text, size_t width);
/* TEXT in as many cells as it takes. */
void line_text(struct line *l, const char *text);
/* The same, or nothing when it is more than is left. */
void line_whole(struct line *l, const char *text);
void line_printf(struct line *l, const char *format, ...) PRINTF_LIKE(2, 3);
/* Fill what is left, and no further cell. */
void line_rest(struct line *l);

/* From here on: SGR as in "1;31"; "" ends it. Nothing without colour. Takes no cell. */
void line_style(struct line *l, const char *sgr);

/* Cells that TEXT takes. */
size_t cells_of(const char *text, bool utf8);

#endif
