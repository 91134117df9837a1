/* SPDX-License-Identifier: Apache-2.0 */
/* records.h - a file as a list of JSON objects: inside common/tasks only.
 *
 * Line-based files are kept as text with one offset per record and parsed again when asked. */
#ifndef COMMON_TASKS_RECORDS_H
#define COMMON_TASKS_RECORDS_H

#include "common/tasks/adapters.h"

struct records;

/* LABELS: a file with one label per record, or NULL. SUBJECT: put into every record as "@subject"
 * and, with blanks for '_', "@topic"; or NULL. ERR_INVALID names file and line. */
int records_open(struct records **ret, const struct adapter *a, const char *path,
                 const char *labels, const char *subject, struct err *err) MUST_CHECK;
void records_close(struct records *r);
size_t records_len(const struct records *r);
/* Record I as a new object (json_free it), *RET_ROOT NULL when the row is to be dropped. */
int records_get(const struct records *r, size_t i, struct json **ret_root,
                struct err *err) MUST_CHECK;
/* The number for people: a line, a row, a question. */
size_t records_number(const struct records *r, size_t i);
/* Put "path:line: " (or "path: record n: ") before the error and return ERR_INVALID. */
int records_refuse(const struct records *r, size_t i, struct err *err);

/* nested.c: records inside records. FN is called with the indices of each: article, paragraph,
 * question; question, answer, 0 (a flat MultiRC record is one part). *_record: a flat object with
 * title, context, question, id, answers (texts); paragraph, question, answer, label (NULL: ROOT
 * itself is flat). */
typedef void (*part_fn)(const uint32_t part[3], void *arg);
void squad_each(const struct json *tree, part_fn fn, void *arg);
struct json *squad_record(const struct json *tree, const uint32_t part[3]);
void multi_each(const struct json *root, part_fn fn, void *arg);
struct json *multi_record(const struct json *root, const uint32_t part[3]);

/* csv.c: rows of RFC-4180 text or of tab separated lines. */
struct row {
    size_t offset, len, line; /* the row's text, without its end; line it starts in, from 1 */
};
/* The row that starts at AT; *RET_NEXT where the next starts. ERR_INVALID: a quote is never closed,
 * or closed in the middle of a field. */
int csv_row(const char *text, size_t len, size_t at, size_t line, struct row *ret, size_t *ret_next,
            size_t *ret_next_line, struct err *err) MUST_CHECK;
/* Field from *AT in a row's text (LEN bytes) appended to OUT; *AT behind it. False behind the last.
 * Start with *AT = 0. */
bool csv_field(const char *row, size_t len, size_t *at, bool *more, struct buf *out);
bool tsv_field(const char *row, size_t len, size_t *at, bool *more, struct buf *out);

#endif
