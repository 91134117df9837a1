/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tasks/fields.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_BYTES = 64 };

bool text_is(const char *s, size_t len, const char *word)
{
    return len == strlen(word) && memcmp(s, word, len) == 0;
}

const char *text_part(const char *s, char separator, size_t i, size_t *ret_len)
{
    for (; s && i > 0; i--) {
        s = strchr(s, separator);
        s = s ? s + 1 : NULL;
    }
    if (!s)
        return NULL;
    const char *end = strchr(s, separator);
    *ret_len = end ? (size_t)(end - s) : strlen(s);
    return s;
}

/* Bytes of the blank that S of LEN bytes starts with, 0: none. What Unicode calls white space, as
 * Python's strip() takes it. */
static size_t blank_at(const char *s, size_t len)
{
    static const char *const wide[] = { "\xC2\x85", "\xC2\xA0", "\u1680", "\u2000", "\u2001",
                                        "\u2002",   "\u2003",   "\u2004", "\u2005", "\u2006",
                                        "\u2007",   "\u2008",   "\u2009", "\u200A", "\u2028",
                                        "\u2029",   "\u202F",   "\u205F", "\u3000" };

    if (len > 0 && ((*s >= '\t' && *s <= '\r') || (*s >= 0x1c && *s <= ' ')))
        return 1;
    for (size_t i = 0; i < ARRAY_LEN(wide); i++) {
        size_t n = strlen(wide[i]);
        if (n <= len && memcmp(s, wide[i], n) == 0)
            return n;
    }
    return 0;
}

void text_strip(const char *s, size_t len, struct buf *out)
{
    size_t n;

    while ((n = blank_at(s, len)) > 0) {
        s += n;
        len -= n;
    }
    for (bool more = true; more;) {
        more = false;
        for (n = 1; n <= 3 && n <= len && !more; n++)
            if (blank_at(s + len - n, n) == n) {
                len -= n;
                more = true;
            }
    }
    buf_add(out, s, len);
}

size_t text_characters(const char *s)
{
    size_t n = 0;

    for (; *s; s++)
        n += ((unsigned char)*s & 0xC0) != 0x80;
    return n;
}

/* A key NAME of LEN bytes, or a path of keys. */
static struct json *find_one(const struct json *root, const char *name, size_t len)
{
    char key[NAME_MAX_BYTES];

    if (len >= sizeof(key))
        return NULL;
    memcpy(key, name, len);
    key[len] = '\0';
    struct json *v = json_get(root, key);
    char *dot = strchr(key, '.');
    if (v || !dot)
        return v;
    *dot = '\0';
    v = json_get(root, key);
    return v ? find_one(v, dot + 1, strlen(dot + 1)) : NULL;
}

static struct json *find_any(const struct json *root, const char *spec, size_t len)
{
    while (len > 0) {
        const char *bar = memchr(spec, '|', len);
        size_t n = bar ? (size_t)(bar - spec) : len;
        struct json *v = find_one(root, spec, n);
        if (v && !json_is_null(v))
            return v;
        n += bar ? 1 : 0;
        spec += n;
        len -= n;
    }
    return NULL;
}

struct json *field_find(const struct json *root, const char *spec)
{
    return find_any(root, spec, strlen(spec));
}

bool field_text(const struct json *v, struct buf *out)
{
    if (!v || json_is_null(v))
        return false;
    if (json_is_string(v)) {
        buf_add(out, json_text(v), json_text_len(v));
    } else if (json_is_integer(v)) {
        buf_printf(out, "%" PRId64, json_integer(v, 0));
    } else if (json_is_number(v)) {
        buf_printf(out, "%.15g", json_number(v, 0));
    } else {
        char *text = json_dump(v, 0);
        buf_adds(out, text);
        free(text);
    }
    return true;
}

/* SPEC "a|b:filter" of LEN bytes. */
static int expand_field(const struct json *root, const char *spec, size_t len, struct buf *out,
                        struct err *err)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    const char *filter = memrchr(spec, ':', len);
    size_t names = filter ? (size_t)(filter - spec) : len;

    if (!field_text(find_any(root, spec, names), &text))
        return err_set(err, ERR_INVALID, "the field %.*s is missing", (int)names, spec);
    if (!filter) {
        buf_add(out, text.data, text.len);
        return 0;
    }
    text_strip(buf_str(&text), text.len, out);
    if (text_is(filter, len - names, ":dot") && out->len > 0 && out->data[out->len - 1] != '.')
        buf_addc(out, '.');
    return 0;
}

int field_expand(const struct json *root, const char *template, struct buf *out, struct err *err)
{
    while (*template) {
        size_t plain = strcspn(template, "{");
        buf_add(out, template, plain);
        template += plain;
        if (*template == '\0')
            break;
        size_t len = strcspn(template, "}");
        int rc = expand_field(root, template + 1, len - 1, out, err);
        if (rc)
            return rc;
        template += len + (template[len] == '}');
    }
    return 0;
}
