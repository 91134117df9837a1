/* SPDX-License-Identifier: Apache-2.0 */
/* json.h - JSON values: the only door to jansson.
 *
 * A struct json is owned by its parent or, at the root, by the caller (json_free). Getters return
 * NULL or the fallback when the member is absent or of another type, so that a reader checks only
 * what it needs. */
#ifndef COMMON_BASE_JSON_H
#define COMMON_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

struct json;

/* Parse LEN bytes; duplicate keys are refused. ERR_INVALID with "line L, column C: why". */
int json_parse(const char *text, size_t len, struct json **ret, struct err *err) MUST_CHECK;
/* Parse the file PATH of at most LIMIT_BYTES; errors name the file and line. */
int json_parse_file(const char *path, size_t limit_bytes, struct json **ret,
                    struct err *err) MUST_CHECK;
void json_free(struct json *root); /* NULL is fine */
void json_cleanup(struct json **root);
/* A deep copy, the caller's own. */
struct json *json_clone(const struct json *v);

bool json_is_object(const struct json *v);
bool json_is_array(const struct json *v);
bool json_is_string(const struct json *v);
bool json_is_number(const struct json *v);
bool json_is_integer(const struct json *v);
bool json_is_null(const struct json *v);

struct json *json_get(const struct json *object, const char *key);
struct json *json_at(const struct json *array, size_t i);
size_t json_len(const struct json *array_or_object);
/* Members of an object in the order of the text: key and value of member I (I < json_len), by an
 * iterator. */
typedef int (*json_each_fn)(const char *key, struct json *value, void *arg);
/* Calls FN for each member until it returns non-zero; returns that. */
int json_each(const struct json *object, json_each_fn fn, void *arg);

/* Values of a node; NULL / fallback for another type. json_text is valid as long as the node. */
const char *json_text(const struct json *v);
size_t json_text_len(const struct json *v);
double json_number(const struct json *v, double fallback);
int64_t json_integer(const struct json *v, int64_t fallback);
bool json_bool(const struct json *v, bool fallback);

/* Building. json_set and json_push take ownership of VALUE. */
struct json *json_new_object(void);
struct json *json_new_array(void);
struct json *
json_new_text(const char *s); /* invalid UTF-8 bytes become U+FFFD; NULL becomes null */
struct json *json_new_integer(int64_t v);
struct json *json_new_number(double v); /* NaN and infinities become null */
struct json *json_new_bool(bool v);
struct json *json_new_null(void);
void json_set(struct json *object, const char *key, struct json *value);
void json_push(struct json *array, struct json *value);
/* Text of V, insertion order kept; INDENT 0 is compact, with numbers of 17 digits (digests are made
 * of it); with an indent, for people, numbers are the shortest that read back as the same. free()
 * it. */
char *json_dump(const struct json *v, int indent) MUST_CHECK;

#endif
