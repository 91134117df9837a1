/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkpoint/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int outfile_open(struct outfile *f, const char *path, struct err *err)
{
    *f = (struct outfile){ .path = path };
    buf_printf(&f->tmp, "%s.tmp", path);
    f->fd = open(buf_str(&f->tmp), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (f->fd < 0) {
        int rc = err_errno(err, errno, "create %s", buf_str(&f->tmp));

        buf_release(&f->tmp);
        return rc;
    }
    return 0;
}

int outfile_write(struct outfile *f, const void *bytes, size_t len, struct err *err)
{
    const char *p = bytes;

    while (len) {
        ssize_t put = write(f->fd, p, len);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return err_errno(err, errno, "write %s", buf_str(&f->tmp));
        p += put;
        len -= (size_t)put;
    }
    return 0;
}

/* Makes the rename durable. */
static int sync_folder(const char *path, struct err *err)
{
    CLEANUP(buf_release) struct buf folder = { 0 };
    const char *slash = strrchr(path, '/');
    int fd, rc = 0;

    buf_add(&folder, slash ? path : ".", slash ? (size_t)(slash - path) + (slash == path) : 1);
    fd = open(buf_str(&folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, errno, "open folder %s", buf_str(&folder));
    if (fsync(fd) < 0 && errno != EINVAL && errno != EROFS)
        rc = err_errno(err, errno, "fsync folder %s", buf_str(&folder));
    (void)close(fd);
    return rc;
}

int outfile_close(struct outfile *f, int rc, struct err *err)
{
    if (!rc && fsync(f->fd) < 0)
        rc = err_errno(err, errno, "fsync %s", buf_str(&f->tmp));
    if (close(f->fd) < 0 && !rc)
        rc = err_errno(err, errno, "close %s", buf_str(&f->tmp));
    if (!rc && rename(buf_str(&f->tmp), f->path) < 0)
        rc = err_errno(err, errno, "rename %s to %s", buf_str(&f->tmp), f->path);
    if (rc)
        (void)unlink(buf_str(&f->tmp));
    else
        rc = sync_folder(f->path, err);
    buf_release(&f->tmp);
    return rc;
}
