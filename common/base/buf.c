/* SPDX-License-Identifier: Apache-2.0 */
/* buf.c - a growing byte string; whole files in and out. */
#include "common/base/buf.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"

enum { FIRST_CAP = 64, READ_BLOCK = 1 << 16 };

char *buf_reserve(struct buf *b, size_t len)
{
    size_t need;

    assert(len < SIZE_MAX / 4 && b->len < SIZE_MAX / 4);
    need = b->len + len + 1; /* the NUL */
    if (need > b->cap) {
        size_t cap = MAX(need, MAX(b->cap + b->cap / 2, (size_t)FIRST_CAP));

        b->data = mem_realloc(b->data, cap, 1);
        b->cap = cap;
    }
    b->data[b->len + len] = '\0';
    return b->data + b->len;
}

void buf_add(struct buf *b, const void *bytes, size_t len)
{
    char *to = buf_reserve(b, len);

    if (len)
        memcpy(to, bytes, len);
    b->len += len;
    b->data[b->len] = '\0';
}

void buf_adds(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void buf_addc(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_printf(struct buf *b, const char *format, ...)
{
    char small[256];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(small, sizeof(small), format, args);
    va_end(args);
    assert(len >= 0);
    if ((size_t)len < sizeof(small)) {
        buf_add(b, small, (size_t)len);
        return;
    }
    va_start(args, format);
    (void)vsnprintf(buf_reserve(b, (size_t)len), (size_t)len + 1, format, args);
    va_end(args);
    b->len += (size_t)len;
}

const char *buf_str(const struct buf *b)
{
    if (!b->data)
        return "";
    b->data[b->len] = '\0'; /* buf_reserve's caller may have set len by hand */
    return b->data;
}

char *buf_detach(struct buf *b)
{
    char *data;

    (void)buf_reserve(b, 0);
    data = b->data;
    *b = (struct buf){ 0 };
    return data;
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    if (b->data)
        b->data[0] = '\0';
}

void buf_release(struct buf *b)
{
    free(b->data);
    *b = (struct buf){ 0 };
}

static int read_all(struct buf *b, int fd, const char *path, size_t limit_bytes, struct err *err)
{
    size_t total = 0;

    for (;;) {
        size_t want = MIN((size_t)READ_BLOCK, limit_bytes - total + 1);
        char *to = buf_reserve(b, want);
        ssize_t got = read(fd, to, want);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_errno(err, errno, "read %s", path);
        if (got == 0)
            break;
        total += (size_t)got;
        if (total > limit_bytes)
            return err_set(err, ERR_LIMIT, "%s: more than the limit of %zu bytes", path,
                           limit_bytes);
        b->len += (size_t)got;
    }
    (void)buf_reserve(b, 0);
    return 0;
}

int buf_read_file(struct buf *b, const char *path, size_t limit_bytes, struct err *err)
{
    size_t len = b->len;
    struct stat st;
    int fd, rc;

    assert(limit_bytes < SIZE_MAX / 4);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? err_errno(err, errno, "open %s", path)
                               : err_set(err, ERR_IO, "open %s: %s", path, strerror(errno));
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
        rc = err_set(err, ERR_IO, "read %s: it is a folder", path);
    else
        rc = read_all(b, fd, path, limit_bytes, err);
    (void)close(fd);
    if (rc < 0) {
        b->len = len;
        (void)buf_str(b);
    }
    return rc;
}

static int write_all(int fd, const char *path, const char *p, size_t len, struct err *err)
{
    while (len) {
        ssize_t put = write(fd, p, len);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return err_errno(err, errno, "write %s", path);
        p += put;
        len -= (size_t)put;
    }
    if (fsync(fd) < 0)
        return err_errno(err, errno, "fsync %s", path);
    return 0;
}

/* Makes a rename in PATH's folder durable. */
static int sync_folder(const char *path, struct err *err)
{
    char *folder CLEANUP(mem_cleanup) = mem_strdup(path);
    char *slash = strrchr(folder, '/');
    const char *name = ".";
    int fd, rc = 0;

    if (slash == folder)
        name = "/";
    else if (slash) {
        *slash = '\0';
        name = folder;
    }
    fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, errno, "open folder %s", name);
    if (fsync(fd) < 0 && errno != EINVAL && errno != EROFS)
        rc = err_errno(err, errno, "fsync folder %s", name);
    (void)close(fd);
    return rc;
}

int buf_write_file(const char *path, const void *bytes, size_t len, struct err *err)
{
    struct buf tmp CLEANUP(buf_release) = { 0 };
    int fd, rc;

    buf_printf(&tmp, "%s.tmp", path);
    fd = open(tmp.data, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return err_errno(err, errno, "create %s", tmp.data);
    rc = write_all(fd, tmp.data, bytes, len, err);
    if (close(fd) < 0 && rc == 0)
        rc = err_errno(err, errno, "close %s", tmp.data);
    if (rc == 0 && rename(tmp.data, path) < 0)
        rc = err_errno(err, errno, "rename %s to %s", tmp.data, path);
    if (rc < 0) {
        (void)unlink(tmp.data);
        return rc;
    }
    return sync_folder(path, err);
}
