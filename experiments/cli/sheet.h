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
void sheet_real(struct sheet *s, double v, int decimals); /* JSON and CSV get all digits */
size_t sheet_rows(const struct sheet *s);

/* The rows as an array of objects; json_free() it. */
struct json *sheet_json(const struct sheet *s) MUST_CHECK;
/* JSON: {"version": 1, "rows": [...]}. */
void sheet_print(const struct sheet *s, enum sheet_format format, FILE *to);

/* Print V and a newline, then free it. */
void print_json(struct json *v, FILE *to);

#endif
