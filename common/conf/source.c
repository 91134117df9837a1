/* SPDX-License-Identifier: Apache-2.0 */
/* source.c - putting includes in, line by line. */
#include "common/conf/source.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/conf/conf.h"

void source_release(struct source *s)
{
    buf_release(&s->text);
    for (size_t i = 0; i < s->files_len; i++)
        free(s->files[i]);
    free(s->lines);
    *s = (struct source){ 0 };
}

static const struct source_line *line_at(const struct source *s, unsigned line)
{
    static const struct source_line none = { 0, 1 };

    if (s->lines_len == 0)
        return &none;
    /* A parser may speak of the line behind the last one. */
    return &s->lines[line == 0 ? 0 : MIN((size_t)line - 1, s->lines_len - 1)];
}

const char *source_file(const struct source *s, unsigned line)
{
    return s->files[line_at(s, line)->file];
}

unsigned source_line(const struct source *s, unsigned line)
{
    return line_at(s, line)->line;
}

static void add_line(struct source *s, const char *text, size_t len, unsigned file, unsigned line)
{
    if (s->lines_len == s->lines_cap) {
        s->lines_cap = s->lines_cap ? 2 * s->lines_cap : 64;
        s->lines = mem_realloc(s->lines, s->lines_cap, sizeof(*s->lines));
    }
    s->lines[s->lines_len++] = (struct source_line){ file, line };
    buf_add(&s->text, text, len);
    buf_addc(&s->text, '\n');
}

/* State of the text at the start of a line, as libconfig's scanner has it. */
enum inside { NOTHING, COMMENT, STRING };

static enum inside follow(enum inside in, const char *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = p[i], next = i + 1 < len ? p[i + 1] : '\0';

        if (in == COMMENT) {
            if (c == '*' && next == '/') {
                in = NOTHING;
                i++;
            }
        } else if (in == STRING) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in = NOTHING;
        } else if (c == '#' || (c == '/' && next == '/')) {
            return NOTHING;
        } else if (c == '/' && next == '*') {
            in = COMMENT;
            i++;
        } else if (c == '"') {
            in = STRING;
        }
    }
    return in;
}

/* The name in a line @include "name"; its length, 0 when the line is none, -1 when it is malformed.
 */
static long include_name(const char *p, size_t len, const char **ret)
{
    static const char word[] = "@include";
    size_t i = 0;
    const char *end;

    while (i < len && (p[i] == ' ' || p[i] == '\t'))
        i++;
    if (len - i < sizeof(word) - 1 || memcmp(p + i, word, sizeof(word) - 1) != 0)
        return 0;
    i += sizeof(word) - 1;
    while (i < len && (p[i] == ' ' || p[i] == '\t'))
        i++;
    if (i == len || p[i] != '"')
        return -1;
    *ret = p + i + 1;
    end = memchr(*ret, '"', len - i - 1);
    return end && end > *ret ? end - *ret : -1;
}

static int add_file(struct source *s, const char *path, int depth, struct err *err);

static int add_include(struct source *s, unsigned file, unsigned line, const char *name, long len,
                       int depth, struct err *err)
{
    struct buf path CLEANUP(buf_release) = { 0 };
    const char *here = s->files[file], *slash = strrchr(here, '/');
    int rc;

    if (len < 0)
        return err_set(err, ERR_INVALID, "%s:%u: write @include \"FILE\"", here, line);
    if (name[0] != '/' && slash)
        buf_add(&path, here, (size_t)(slash - here) + 1);
    buf_add(&path, name, (size_t)len);
    if (depth == CONF_INCLUDE_DEPTH_MAX)
        return err_set(err, ERR_LIMIT, "%s:%u: files include each other more than %d deep", here,
                       line, CONF_INCLUDE_DEPTH_MAX);
    rc = add_file(s, buf_str(&path), depth + 1, err);
    /* A wrong line inside the other file names its own place; a missing file is this line's fault.
     */
    if (rc == ERR_NOT_FOUND || rc == ERR_IO)
        return err_wrap(err, ERR_INVALID, "%s:%u: @include", here, line);
    return rc;
}

static int add_text(struct source *s, const char *text, size_t len, bool includes, int depth,
                    struct err *err)
{
    unsigned file = (unsigned)s->files_len - 1, line = 0;
    enum inside in = NOTHING;
    int rc = 0;

    if (memchr(text, '\0', len))
        return err_set(err, ERR_INVALID, "%s: not a text file: it has NUL bytes", s->files[file]);
    while (len > 0 && rc == 0) {
        const char *end = memchr(text, '\n', len), *name = NULL;
        size_t n = end ? (size_t)(end - text) : len;
        long name_len = in == NOTHING ? include_name(text, n, &name) : 0;

        line++;
        if (name_len == 0)
            add_line(s, text, n, file, line);
        else if (includes)
            rc = add_include(s, file, line, name, name_len, depth, err);
        else
            rc = err_set(err, ERR_INVALID, "%s:%u: @include is not allowed here", s->files[file],
                         line);
        if (s->text.len > CONF_FILE_MAX)
            rc = err_set(err, ERR_LIMIT, "%s: more than %d bytes with its includes", s->files[0],
                         CONF_FILE_MAX);
        in = follow(in, text, n);
        n += end != NULL;
        text += n;
        len -= n;
    }
    return rc;
}

static int name_file(struct source *s, const char *name, struct err *err)
{
    if (s->files_len == SOURCE_FILES_MAX)
        return err_set(err, ERR_LIMIT, "%s: more than %d included files", s->files[0],
                       SOURCE_FILES_MAX);
    s->files[s->files_len++] = mem_strdup(name);
    return 0;
}

static int add_file(struct source *s, const char *path, int depth, struct err *err)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    int rc = buf_read_file(&text, path, CONF_FILE_MAX, err);

    if (rc < 0)
        return rc;
    rc = name_file(s, path, err);
    return rc < 0 ? rc : add_text(s, buf_str(&text), text.len, true, depth, err);
}

int source_read(struct source *s, const char *path, struct err *err)
{
    return add_file(s, path, 0, err);
}

int source_set(struct source *s, const char *name, const char *text, size_t len, struct err *err)
{
    int rc = name_file(s, name, err);

    return rc < 0 ? rc : add_text(s, text, len, false, 0, err);
}
