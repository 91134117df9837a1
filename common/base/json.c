/* SPDX-License-Identifier: Apache-2.0 */
/* json.c - JSON values. struct json is never defined: a pointer to it is a pointer to jansson's
 * json_t. jansson has a json_integer() of its own; it is hidden here while its header is read, and
 * since the tree is built with hidden visibility ours never meets theirs at run time. */
#include "common/base/json.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"

#define json_integer jansson_integer_unused
#include <jansson.h>
#undef json_integer
/* Macros there, functions here. */
#undef json_is_object
#undef json_is_array
#undef json_is_string
#undef json_is_number
#undef json_is_integer
#undef json_is_null

/* Any value may be the root, and "\u0000" is text like any other. */
enum { LOAD_FLAGS = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL };

static json_t *theirs(const struct json *v)
{
    return (json_t *)(uintptr_t)v;
}

static struct json *ours(json_t *v)
{
    return (struct json *)v;
}

/* Building fails only for want of memory. */
static struct json *built(json_t *v)
{
    if (!v)
        abort();
    return ours(v);
}

int json_parse(const char *text, size_t len, struct json **ret, struct err *err)
{
    json_error_t e;
    json_t *root = json_loadb(text, len, LOAD_FLAGS, &e);

    if (!root)
        return err_set(err, ERR_INVALID, "line %d, column %d: %s", e.line, e.column, e.text);
    *ret = ours(root);
    return 0;
}

int json_parse_file(const char *path, size_t limit_bytes, struct json **ret, struct err *err)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    int rc = buf_read_file(&text, path, limit_bytes, err);

    if (rc < 0)
        return rc;
    rc = json_parse(buf_str(&text), text.len, ret, err);
    if (rc < 0)
        return err_wrap(err, rc, "%s", path);
    return 0;
}

void json_free(struct json *root)
{
    json_decref(theirs(root));
}

void json_cleanup(struct json **root)
{
    json_free(*root);
}

struct json *json_clone(const struct json *v)
{
    return built(json_deep_copy(theirs(v)));
}

bool json_is_object(const struct json *v)
{
    return v && json_typeof(theirs(v)) == JSON_OBJECT;
}

bool json_is_array(const struct json *v)
{
    return v && json_typeof(theirs(v)) == JSON_ARRAY;
}

bool json_is_string(const struct json *v)
{
    return v && json_typeof(theirs(v)) == JSON_STRING;
}

bool json_is_integer(const struct json *v)
{
    return v && json_typeof(theirs(v)) == JSON_INTEGER;
}

bool json_is_number(const struct json *v)
{
    return json_is_integer(v) || (v && json_typeof(theirs(v)) == JSON_REAL);
}

bool json_is_null(const struct json *v)
{
    return v && json_typeof(theirs(v)) == JSON_NULL;
}

struct json *json_get(const struct json *object, const char *key)
{
    return ours(json_object_get(theirs(object), key));
}

struct json *json_at(const struct json *array, size_t i)
{
    return ours(json_array_get(theirs(array), i));
}

size_t json_len(const struct json *array_or_object)
{
    if (json_is_array(array_or_object))
        return json_array_size(theirs(array_or_object));
    return json_object_size(theirs(array_or_object));
}

int json_each(const struct json *object, json_each_fn fn, void *arg)
{
    void *it = json_object_iter(theirs(object));
    int rc = 0;

    for (; it && rc == 0; it = json_object_iter_next(theirs(object), it))
        rc = fn(json_object_iter_key(it), ours(json_object_iter_value(it)), arg);
    return rc;
}

const char *json_text(const struct json *v)
{
    return json_string_value(theirs(v));
}

size_t json_text_len(const struct json *v)
{
    return json_string_length(theirs(v));
}

double json_number(const struct json *v, double fallback)
{
    return json_is_number(v) ? json_number_value(theirs(v)) : fallback;
}

int64_t json_integer(const struct json *v, int64_t fallback)
{
    return json_is_integer(v) ? (int64_t)json_integer_value(theirs(v)) : fallback;
}

bool json_bool(const struct json *v, bool fallback)
{
    if (!v)
        return fallback;
    if (json_typeof(theirs(v)) == JSON_TRUE)
        return true;
    return json_typeof(theirs(v)) == JSON_FALSE ? false : fallback;
}

struct json *json_new_object(void)
{
    return built(json_object());
}

struct json *json_new_array(void)
{
    return built(json_array());
}

struct json *json_new_text(const char *s)
{
    struct buf clean CLEANUP(buf_release) = { 0 };

    if (!s)
        return json_new_null();
    while (*s) {
        size_t n = utf8_len(s);

        if (n)
            buf_add(&clean, s, n);
        else
            buf_adds(&clean, "\xef\xbf\xbd");
        s += n ? n : 1;
    }
    return built(json_stringn(buf_str(&clean), clean.len));
}

struct json *json_new_integer(int64_t v)
{
    return built(json_pack("I", (json_int_t)v));
}

struct json *json_new_number(double v)
{
    return isfinite(v) ? built(json_real(v)) : json_new_null();
}

struct json *json_new_bool(bool v)
{
    return built(v ? json_true() : json_false());
}

struct json *json_new_null(void)
{
    return built(json_null());
}

void json_set(struct json *object, const char *key, struct json *value)
{
    int rc = json_object_set_new(theirs(object), key, theirs(value));

    assert(rc == 0);
}

void json_push(struct json *array, struct json *value)
{
    int rc = json_array_append_new(theirs(array), theirs(value));

    assert(rc == 0);
}

/* The number at TEXT, LEN bytes, as the shortest text that reads back as the same; its length. OUT
 * may be TEXT or before it. */
static size_t write_short(const char *text, size_t len, char *out)
{
    char number[40];

    if (len < 17 || len >= sizeof number || !memchr(text, '.', len)) {
        memmove(out, text, len);
        return len; /* few digits, or a whole number */
    }
    memcpy(number, text, len);
    number[len] = '\0';
    memcpy(out, number, len);
    for (int digits = 15; digits <= 16; digits++) {
        const double v = strtod(number, NULL);
        char shorter[40];
        const size_t n = (size_t)snprintf(shorter, sizeof shorter, "%.*g", digits, v);

        if (strtod(shorter, NULL) == v && strpbrk(shorter, ".e") && n < len) {
            memcpy(out, shorter, n);
            return n;
        }
    }
    return len;
}

/* Jansson prints 17 digits ("0.90000000000000002"): shorten the numbers of TEXT, in place. */
static void shorten_numbers(char *text)
{
    char *to = text;
    bool quoted = false;

    for (const char *at = text; *at;) {
        const size_t len = quoted ? 0 : strspn(at, "+-.0123456789e");

        /* A word with an e, like true, has no point. */
        if (len > 1) {
            to += write_short(at, len, to);
            at += len;
            continue;
        }
        if (quoted && *at == '\\')
            *to++ = *at++;
        else if (*at == '"')
            quoted = !quoted;
        *to++ = *at++;
    }
    *to = '\0';
}

char *json_dump(const struct json *v, int indent)
{
    size_t flags = JSON_PRESERVE_ORDER | JSON_ENCODE_ANY;
    char *text;

    assert(indent >= 0 && indent <= 31);
    flags |= indent ? JSON_INDENT((size_t)indent) : JSON_COMPACT;
    text = json_dumps(theirs(v), flags);
    if (!text)
        abort();
    if (indent)
        shorten_numbers(text);
    return text;
}
