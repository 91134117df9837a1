/* SPDX-License-Identifier: Apache-2.0 */
/* sheet.h - rows and columns for people (libsmartcols), as CSV or as JSON. */
#ifndef EXPERIMENTS_CLI_SHEET_H
#define EXPERIMENTS_CLI_SHEET_H

#include <stdint.h>
#include <stdio.h>

#include "common/base/json.h"
#include "common/base/macros.h"

struct sheet;

enum sheet_format { SHEET_TERMINAL, SHEET_CSV, SHEET_JSON };

struct sheet *sheet_new(void);
void sheet_free(struct sheet *s); /* NULL is fine */
void sheet_cleanup(struct sheet **s);

/* Columns first, then rows: sheet_row, then one cell per column from left to right. Numbers stand
 * right. */
void sheet_column(struct sheet *s, const char *name);
void sheet_row(struct sheet *s);
void sheet_text(struct sheet *s, const char *text); /* NULL: nothing there (JSON null) */
void sheet_int(struct sheet *s, int64_t v);
enum { SHEET_ALL = -1, SHEET_SECONDS = -2 };
/* DECIMALS SHEET_ALL: as many as it needs; SHEET_SECONDS: 3, of large numbers 1. JSON and CSV get
 * all digits. */
void sheet_real(struct sheet *s, double v, int decimals);
/* Text, number or nothing, as V is; true and false are "yes" and "no". NULL is fine. */
void sheet_value(struct sheet *s, const struct json *v, int decimals);
size_t sheet_rows(const struct sheet *s);

/* LIST (objects) as a table for people under TITLE (NULL: none); nothing when it is empty. COLUMNS
 * says which members: "member" or "member=heading", separated by blanks; a column in which no row
 * has anything is left out, one written "?member" also when all are 0. At most MAX rows (0: all),
 * then a line that counts the rest. */
void sheet_list(const struct json *list, const char *title, const char *columns, size_t max,
                FILE *to);

/* CSV and JSON: print the rows that are complete and forget them, so that a million of them need no
 * memory; SHEET_TERMINAL keeps them, since widths depend on all. sheet_print() prints the rest and
 * what belongs behind it. */
void sheet_flush(struct sheet *s, enum sheet_format format, FILE *to);

/* The rows as an array of objects; json_free() it. */
struct json *sheet_json(const struct sheet *s) MUST_CHECK;
/* JSON: {"version": 1, "rows": [...]}, an object per row; of equal column names the second is
 * "name_2". In a terminal long texts are cut to its width. */
void sheet_print(struct sheet *s, enum sheet_format format, FILE *to);

/* Print V and a newline, then free it. */
void print_json(struct json *v, FILE *to);

#endif
