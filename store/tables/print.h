/* SPDX-License-Identifier: Apache-2.0 */
/* print.h - what the printers of tables share. */
#ifndef STORE_TABLES_PRINT_H
#define STORE_TABLES_PRINT_H

#include "store/tables/tables.h"

static inline const struct table_cell *cell_at(const struct table *t, size_t row, size_t column)
{
    return &t->cell[row * t->columns + column];
}

/* Signs behind a cell's number. BEST: with the signs of best and second. */
void print_marks(const struct table *t, const struct table_cell *c, bool best, struct buf *out);
/* Does the table show stars? */
bool print_shows_stars(const struct table *t);

/* Columns from FROM that share their heads above down to LEVEL: the end of the span. */
size_t print_span_end(const struct table *t, size_t level, size_t from);
/* The head of a column at LEVEL above the lowest line, or "". */
const char *print_above(const struct table *t, size_t level, size_t column);

/* Lines of the footer, each ended by a newline and begun by PREFIX. */
void print_footer(const struct table *t, const char *prefix, struct buf *out);
/* "2026-11-22 00:10:11 UTC" */
void print_time(int64_t ms, char out[32]);

void print_text(const struct table *t, const struct table_options *o, struct buf *out);
void print_markdown(const struct table *t, const struct table_options *o, struct buf *out);
void print_csv(const struct table *t, const struct table_options *o, struct buf *out);
void print_latex(const struct table *t, const struct table_options *o, struct buf *out);
/* A cell's "comparison", or null. */
struct json;
struct json *print_json_comparison(const struct table *t, const struct table_comparison *c);
void print_json_table(const struct table *t, const struct table_options *o, struct buf *out);

#endif
