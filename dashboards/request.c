/* SPDX-License-Identifier: Apache-2.0 */
#include "dashboards/request.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/nearest.h"
#include "common/base/utf8.h"

enum { ESCAPE = 3 /* bytes of "%2f" */ };

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Decode [FROM, END) to *TO, end it by NUL and move *TO behind that. What is decoded is never
 * longer than what came. */
static int decode(char **to, const char *from, const char *end, bool query, struct err *err)
{
    char *out = *to;

    while (from < end) {
        char c = *from;
        size_t step = 1;

        if (c == '%') {
            int high = end - from >= ESCAPE ? hex(from[1]) : -1;
            int low = end - from >= ESCAPE ? hex(from[2]) : -1;

            if (high < 0 || low < 0)
                return err_set(err, ERR_INVALID,
                               "a '%%' in the address stands before no two hexadecimal digits; a "
                               "percent sign itself is %%25");
            c = (char)(high * 16 + low);
            step = ESCAPE;
        } else if (query && c == '+') {
            c = ' ';
        } else if ((unsigned char)c <= ' ' || c == 0x7f) {
            return err_set(err, ERR_INVALID, "a control character or blank in the address");
        }
        if (c == '\0')
            return err_set(err, ERR_INVALID, "a zero byte in the address");
        *out++ = c;
        from += step;
    }
    *out++ = '\0';
    if (!utf8_valid(*to))
        return err_set(err, ERR_INVALID, "the address is no UTF-8");
    *to = out;
    return 0;
}

static int add_part(struct request *r, char **to, const char *from, const char *end,
                    struct err *err)
{
    char *text = *to;
    int rc;

    if (r->parts == REQUEST_PARTS_MAX)
        return err_set(err, ERR_INVALID, "more than %d parts in the path", REQUEST_PARTS_MAX);
    rc = decode(to, from, end, false, err);
    if (rc < 0)
        return rc;
    if (!text[0] || strcmp(text, ".") == 0 || strcmp(text, "..") == 0 || strchr(text, '/') ||
        strchr(text, '\\'))
        return err_set(err, ERR_INVALID,
                       "the path has a part that is empty, \".\", \"..\" or has "
                       "a slash in it");
    r->part[r->parts++] = text;
    return 0;
}

/* "/a/b" into parts; "/" has none. */
static int parse_path(struct request *r, char **to, const char *from, const char *end,
                      struct err *err)
{
    int rc = 0;

    if (from == end || *from != '/')
        return err_set(err, ERR_INVALID, "the path does not begin with a slash");
    from++;
    while (rc == 0 && from < end) {
        const char *slash = memchr(from, '/', (size_t)(end - from));
        const char *stop = slash ? slash : end;

        rc = add_part(r, to, from, stop, err);
        if (rc == 0 && slash && stop + 1 == end)
            return err_set(err, ERR_INVALID, "the path ends with a slash");
        from = slash ? stop + 1 : end;
    }
    return rc;
}

static int add_arg(struct request *r, char **to, const char *from, const char *end, struct err *err)
{
    const char *equals = memchr(from, '=', (size_t)(end - from));
    struct request_arg *a = &r->arg[r->args];
    int rc;

    if (r->args == REQUEST_ARGS_MAX)
        return err_set(err, ERR_INVALID, "more than %d parameters", REQUEST_ARGS_MAX);
    a->name = *to;
    a->value = ""; /* not a byte behind the name: what is decoded stays within what came */
    rc = decode(to, from, equals ? equals : end, true, err);
    if (rc == 0 && equals) {
        a->value = *to;
        rc = decode(to, equals + 1, end, true, err);
    }
    if (rc == 0 && !a->name[0])
        rc = err_set(err, ERR_INVALID, "a parameter without a name");
    if (rc == 0)
        r->args++;
    return rc;
}

static int parse_query(struct request *r, char **to, const char *from, const char *end,
                       struct err *err)
{
    int rc = 0;

    while (rc == 0 && from < end) {
        const char *and = memchr(from, '&', (size_t)(end - from));
        const char *stop = and? and : end;

        if (stop > from)
            rc = add_arg(r, to, from, stop, err);
        from = and? stop + 1 : end;
    }
    return rc;
}

int request_parse(struct request *ret, const char *target, size_t len, struct err *err)
{
    const char *end = target + len, *question;
    char *to = ret->text;
    int rc;

    ret->parts = ret->args = 0;
    ret->body = "";
    ret->body_len = 0;
    ret->text[0] = '\0';
    if (len > REQUEST_BYTES_MAX)
        return err_set(err, ERR_INVALID, "the address is longer than %d bytes", REQUEST_BYTES_MAX);
    question = memchr(target, '?', len);
    rc = parse_path(ret, &to, target, question ? question : end, err);
    if (rc == 0 && question)
        rc = parse_query(ret, &to, question + 1, end, err);
    return rc;
}

void request_skip(struct request *r, size_t parts)
{
    assert(parts <= r->parts);
    r->parts -= parts;
    memmove(r->part, r->part + parts, r->parts * sizeof *r->part);
}

/* ---- values ---- */

const char *request_next(const struct request *r, const char *name, size_t *at)
{
    while (*at < r->args) {
        const struct request_arg *a = &r->arg[(*at)++];

        if (strcmp(a->name, name) == 0)
            return a->value;
    }
    return NULL;
}

const char *request_text(const struct request *r, const char *name)
{
    size_t at = 0;

    return request_next(r, name, &at);
}

static bool whole_number(const char *text, int64_t *ret)
{
    char *end;

    if (text[0] != '-' && (text[0] < '0' || text[0] > '9'))
        return false; /* strtoll takes blanks and '+' */
    errno = 0;
    *ret = strtoll(text, &end, 10);
    return !errno && end != text && !*end;
}

int request_integer(const struct request *r, const char *name, int64_t fallback, int64_t min,
                    int64_t max, int64_t *ret, struct err *err)
{
    const char *text = request_text(r, name);

    *ret = fallback;
    if (!text)
        return 0;
    if (!whole_number(text, ret) || *ret < min || *ret > max)
        return err_set(err, ERR_INVALID,
                       "%s = \"%.40s\" is no whole number from %" PRId64 " to %" PRId64, name, text,
                       min, max);
    return 0;
}

int request_id(const struct request *r, size_t part, uint64_t *ret, struct err *err)
{
    const char *text = part < r->parts ? r->part[part] : "";
    int64_t id;

    *ret = 0;
    if (!whole_number(text, &id) || id <= 0)
        return err_set(err, ERR_INVALID,
                       "\"%.40s\" in the path is no id; ids are numbers from 1, as the lists give "
                       "them",
                       text);
    *ret = (uint64_t)id;
    return 0;
}

static bool known(const char *name, const char *const *names)
{
    for (; *names; names++) {
        if (strcmp(name, *names) == 0)
            return true;
    }
    return false;
}

int request_only(const struct request *r, const char *const *names, struct err *err)
{
    for (size_t i = 0; i < r->args; i++) {
        const char *name = r->arg[i].name, *near;

        if (known(name, names))
            continue;
        near = nearest_find(name, names);
        if (near)
            return err_set(err, ERR_INVALID, "unknown parameter \"%.40s\"; did you mean \"%s\"?",
                           name, near);
        if (!names[0])
            return err_set(err, ERR_INVALID, "unknown parameter \"%.40s\"; this address takes none",
                           name);
        return err_set(err, ERR_INVALID, "unknown parameter \"%.40s\"; docs/api.md lists them",
                       name);
    }
    return 0;
}
