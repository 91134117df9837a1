/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/manifest.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/mem.h"
#include "worker/file.h"

void manifest_release(struct manifest *m)
{
    free(m->file);
    *m = (struct manifest){ 0 };
}

static struct manifest_file *add(struct manifest *m)
{
    m->file = mem_realloc(m->file, m->len + 1, sizeof(*m->file));
    m->file[m->len] = (struct manifest_file){ 0 };
    return &m->file[m->len++];
}

/* A name that cannot lead out of a folder, nor break a line. */
static bool name_is_plain(const char *name, size_t len)
{
    return len > 0 && len < MANIFEST_NAME_MAX && name[0] != '.' &&
           strcspn(name, "/ \t\r\n") >= len && memchr(name, '\0', len) == NULL;
}

/* Decimal digits only, at most 2^63 - 1. */
static bool parse_size(const char *s, size_t len, uint64_t *ret)
{
    *ret = 0;
    if (len == 0 || len > 19)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (s[i] < '0' || s[i] > '9')
            return false;
        *ret = *ret * 10 + (uint64_t)(s[i] - '0');
    }
    return *ret <= INT64_MAX;
}

/* One line without its end. */
static bool parse_line(const char *s, size_t len, struct manifest_file *ret)
{
    const char *blank = memchr(s, ' ', len);
    if (blank == NULL || !name_is_plain(s, (size_t)(blank - s)))
        return false;
    memcpy(ret->name, s, (size_t)(blank - s));
    const char *size = blank + 1;
    size_t rest = len - (size_t)(size - s);
    blank = memchr(size, ' ', rest);
    if (blank == NULL || !parse_size(size, (size_t)(blank - size), &ret->size_bytes))
        return false;
    char hex[DIGEST_HEX] = "";
    if (rest - (size_t)(blank + 1 - size) != DIGEST_HEX - 1)
        return false;
    memcpy(hex, blank + 1, DIGEST_HEX - 1);
    return digest_parse(hex, &ret->digest, NULL) == 0;
}

int manifest_parse(struct manifest *ret, const char *text, size_t len, struct err *err)
{
    int rc = 0;
    const char *end = text + len;

    *ret = (struct manifest){ 0 };
    while (rc == 0 && text < end) {
        const char *line_end = memchr(text, '\n', (size_t)(end - text));
        if (ret->len == MANIFEST_FILES_MAX) {
            rc = err_set(err, ERR_LIMIT, "manifest: more than %d files", MANIFEST_FILES_MAX);
            break;
        }
        struct manifest_file *f = add(ret);
        if (line_end == NULL || !parse_line(text, (size_t)(line_end - text), f))
            rc =
                err_set(err, ERR_CORRUPT, "manifest, line %zu: not \"name size digest\"", ret->len);
        else if (ret->len > 1 && strcmp(f[-1].name, f->name) >= 0)
            rc = err_set(err, ERR_CORRUPT, "manifest, line %zu: %s is out of order", ret->len,
                         f->name);
        else
            text = line_end + 1;
    }
    if (rc == 0 && ret->len == 0)
        rc = err_set(err, ERR_CORRUPT, "manifest: no files");
    if (rc)
        manifest_release(ret);
    return rc;
}

static void close_dir(DIR **d)
{
    if (*d != NULL)
        closedir(*d);
}

static int by_name(const void *a, const void *b)
{
    const struct manifest_file *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static int add_file(struct manifest *m, const char *dir, const char *name,
                    struct progress *progress, struct err *err)
{
    struct buf path CLEANUP(buf_release) = { 0 };
    struct stat st;

    buf_printf(&path, "%s/%s", dir, name);
    if (stat(buf_str(&path), &st) != 0)
        return err_errno(err, errno, "%s", buf_str(&path));
    if (!S_ISREG(st.st_mode))
        return 0;
    if (!name_is_plain(name, strlen(name)))
        return err_set(err, ERR_INVALID, "%s: a file name with a blank", buf_str(&path));
    if (m->len == MANIFEST_FILES_MAX)
        return err_set(err, ERR_LIMIT, "%s: more than %d files", dir, MANIFEST_FILES_MAX);
    struct manifest_file *f = add(m);
    memcpy(f->name, name, strlen(name));
    return file_digest(buf_str(&path), progress, &f->digest, &f->size_bytes, err);
}

int manifest_of_folder(struct manifest *ret, const char *dir, struct progress *progress,
                       struct err *err)
{
    *ret = (struct manifest){ 0 };
    DIR *d CLEANUP(close_dir) = opendir(dir);
    if (d == NULL)
        return err_errno(err, errno, "%s", dir);
    int rc = 0;
    for (const struct dirent *e; rc == 0 && (e = readdir(d)) != NULL;)
        if (e->d_name[0] != '.')
            rc = add_file(ret, dir, e->d_name, progress, err);
    if (rc == 0 && ret->len == 0)
        rc = err_set(err, ERR_NOT_FOUND, "%s: no files", dir);
    if (rc) {
        manifest_release(ret);
        return rc;
    }
    qsort(ret->file, ret->len, sizeof(*ret->file), by_name);
    return 0;
}

void manifest_print(const struct manifest *m, struct buf *out)
{
    char hex[DIGEST_HEX];
    for (size_t i = 0; i < m->len; i++)
        buf_printf(out, "%s %" PRIu64 " %s\n", m->file[i].name, m->file[i].size_bytes,
                   digest_hex(&m->file[i].digest, hex));
}
