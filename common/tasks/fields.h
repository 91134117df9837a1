/* SPDX-License-Identifier: Apache-2.0 */
/* fields.h - fields of a record and templates over them: inside common/tasks only. */
#ifndef COMMON_TASKS_FIELDS_H
#define COMMON_TASKS_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/json.h"

/* The first of the '|'-separated fields of SPEC that ROOT has and that is not null, else NULL. A
 * name is a key, or a path "a.b" of keys. */
struct json *field_find(const struct json *root, const char *spec);
/* Append the value as text: numbers in decimal (51.0 is 51), lists and objects as JSON. False (OUT
 * as it was) when V is NULL or null. */
bool field_text(const struct json *v, struct buf *out);
/* Append TEMPLATE (adapters.h) with ROOT's fields. ERR_INVALID names the field that is missing. */
int field_expand(const struct json *root, const char *template, struct buf *out,
                 struct err *err) MUST_CHECK;
/* Append S without outer blanks. */
void text_strip(const char *s, size_t len, struct buf *out);
/* Unicode characters of S. */
size_t text_characters(const char *s);
/* Part I of S, separated by SEPARATOR: its start, *RET_LEN its length; NULL when there are fewer.
 */
const char *text_part(const char *s, char separator, size_t i, size_t *ret_len);
bool text_is(const char *s, size_t len, const char *word);

#endif
