/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"

enum { BLOCK_BYTES = 1 << 20 }; /* a millisecond of hashing */

int file_make_dirs(const char *path, struct err *err)
{
    char *p CLEANUP(mem_cleanup) = mem_strdup(path);

    for (char *s = p + 1; *s != '\0'; s++) {
        if (*s != '/')
            continue;
        *s = '\0';
        (void)!mkdir(p, 0700); /* the last one tells */
        *s = '/';
    }
    if (mkdir(p, 0700) != 0 && errno != EEXIST)
        return err_errno(err, errno, "make folder %s", path);
    return 0;
}

int file_write_at(int fd, const void *bytes, size_t len, uint64_t offset, const char *name,
                  struct err *err)
{
    const char *p = bytes;

    while (len > 0) {
        ssize_t n = pwrite(fd, p, len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, errno, "write %s", name);
        p += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

int file_read_at(int fd, void *bytes, size_t len, uint64_t offset, const char *name,
                 struct err *err)
{
    char *p = bytes;

    while (len > 0) {
        ssize_t n = pread(fd, p, len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, errno, "read %s", name);
        if (n == 0)
            return err_set(err, ERR_CORRUPT, "%s ends at byte %llu, while it was being read", name,
                           (unsigned long long)offset);
        p += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

static void close_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

int file_digest(const char *path, struct progress *progress, struct digest *ret,
                uint64_t *ret_size_bytes, struct err *err)
{
    struct digester d;
    char *block CLEANUP(mem_cleanup) = mem_calloc(1, BLOCK_BYTES);
    int fd CLEANUP(close_fd) = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return err_errno(err, errno, "open %s", path);
    digest_begin(&d);
    for (*ret_size_bytes = 0;;) {
        ssize_t n = read(fd, block, BLOCK_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, errno, "read %s", path);
        if (n == 0)
            break;
        digest_raw(&d, block, (size_t)n);
        *ret_size_bytes += (uint64_t)n;
        progress_tick(progress);
        if (progress_stopped(progress))
            return err_set(err, ERR_CANCELLED, "stopped while reading %s", path);
    }
    *ret = digest_end(&d);
    return 0;
}

int file_copy(const char *from, const char *to, struct err *err)
{
    char *block CLEANUP(mem_cleanup) = mem_calloc(1, BLOCK_BYTES);
    int in CLEANUP(close_fd) = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        return err_errno(err, errno, "open %s", from);
    int out CLEANUP(close_fd) = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (out < 0)
        return err_errno(err, errno, "open %s", to);
    for (uint64_t offset = 0;;) {
        ssize_t n = pread(in, block, BLOCK_BYTES, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, errno, "read %s", from);
        if (n == 0)
            return 0;
        int rc = file_write_at(out, block, (size_t)n, offset, to, err);
        if (rc)
            return rc;
        offset += (uint64_t)n;
    }
}
