/* SPDX-License-Identifier: Apache-2.0 */
/* conf.h - checked loading of libconfig files: the only door to libconfig.
 *
 * A file is parsed whole; then callers walk values. Every value knows where it came from, and every
 * error reads "file:line: key: problem; remedy" with ERR_INVALID. Example of a walk over steps = (
 * { id = "x"; }, ... ):
 *
 *     const struct conf_value *steps, *id;
 *     rc = conf_need(conf_root(c), "steps", CONF_LIST, &steps, err);
 *     for (size_t i = 0; rc == 0 && i < conf_len(steps); i++) {
 *         rc = conf_expect(conf_at(steps, i), CONF_GROUP, err);
 *         if (rc == 0) rc = conf_need(conf_at(steps, i), "id", CONF_TEXT, &id, err);
 *         ...
 *
 * Values live as long as their struct conf. Not thread-safe while opening; reading is. Nothing here
 * logs. */
#ifndef COMMON_CONF_CONF_H
#define COMMON_CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"

enum {
    CONF_FILE_MAX = 1 << 20, /* bytes of one file, includes included: people write them by hand */
    CONF_INCLUDE_DEPTH_MAX = 8,
};

enum conf_type {
    CONF_GROUP,
    CONF_LIST,
    CONF_ARRAY,
    CONF_INT,
    CONF_REAL,
    CONF_BOOL,
    CONF_TEXT,
    CONF_TYPES
};

struct conf;
struct conf_value;

/* Parse the file PATH. Names after @include are relative to the folder of the
 * file that holds them. ERR_NOT_FOUND, ERR_IO; ERR_LIMIT for a file too long or includes too deep;
 * ERR_INVALID "file:line: ..." for syntax, a key given twice, a missing include. */
int conf_open(struct conf **ret, const char *path, struct err *err) MUST_CHECK;
/* The same from LEN bytes of TEXT; NAME stands for the file in errors. @include is refused. For
 * tests and fuzzing. */
int conf_open_text(struct conf **ret, const char *name, const char *text, size_t len,
                   struct err *err) MUST_CHECK;
void conf_close(struct conf *c); /* NULL is fine */
void conf_cleanup(struct conf **c);

/* The outermost group. */
const struct conf_value *conf_root(const struct conf *c);
/* The file's text with every @include line replaced by the text it names: what a store keeps of a
 * recipe. */
const char *conf_source(const struct conf *c);
/* As given to conf_open. */
const char *conf_path(const struct conf *c);

enum conf_type conf_type(const struct conf_value *v);
const char *
conf_type_name(enum conf_type type); /* "group", "list", "array", "integer", ... for people */
const char *
conf_name(const struct conf_value *v); /* "" for elements of lists and arrays and for the root */
const char *conf_file(const struct conf_value *v);
unsigned conf_line(const struct conf_value *v);
/* "steps[2].simulations" appended to OUT; nothing for the root. */
void conf_key(const struct conf_value *v, struct buf *out);

/* Children of a group, list or array in the order of the file; 0 and NULL for scalars and beyond
 * the end. */
size_t conf_len(const struct conf_value *v);
const struct conf_value *conf_at(const struct conf_value *v, size_t i);
/* Member NAME of a group (NAME has no dots), NULL when absent or V is no group. */
const struct conf_value *conf_get(const struct conf_value *group, const char *name);
/* NULL for the root. */
const struct conf_value *conf_parent(const struct conf_value *v);

/* Fill ERR with "file:line: key: " before the formatted text; returns ERR_INVALID. */
int conf_error(struct err *err, const struct conf_value *v, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* V has TYPE. An integer passes for CONF_REAL, and an empty list for CONF_ARRAY and the other way
 * round. */
int conf_expect(const struct conf_value *v, enum conf_type type, struct err *err) MUST_CHECK;
/* Member NAME of GROUP, present and of TYPE (rules as above). */
int conf_need(const struct conf_value *group, const char *name, enum conf_type type,
              const struct conf_value **ret, struct err *err) MUST_CHECK;
/* Every member of GROUP is one of KNOWN (NULL-terminated); else the error names the nearest known
 * key, or lists them all when none is near. */
int conf_check_keys(const struct conf_value *group, const char *const *known,
                    struct err *err) MUST_CHECK;

/* Typed values with ranges (inclusive; no range when MIN > MAX); the error names type or range. */
int conf_int(const struct conf_value *v, int64_t min, int64_t max, int64_t *ret,
             struct err *err) MUST_CHECK;
int conf_real(const struct conf_value *v, double min, double max, double *ret,
              struct err *err) MUST_CHECK;
int conf_bool(const struct conf_value *v, bool *ret, struct err *err) MUST_CHECK;
/* *RET belongs to the conf. */
int conf_text(const struct conf_value *v, const char **ret, struct err *err) MUST_CHECK;
/* Text that is one of WORDS (NULL-terminated); *RET is its index. */
int conf_word(const struct conf_value *v, const char *const *words, size_t *ret,
              struct err *err) MUST_CHECK;

#endif
