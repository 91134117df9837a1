/* SPDX-License-Identifier: Apache-2.0 */
#include "store/blobs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"

struct blobs {
    char dir[4096 + 8];
    atomic_uint_fast64_t serial; /* names of temporary files */
};

struct blobs *blobs_new(const char *store_path)
{
    struct blobs *b = mem_calloc(1, sizeof *b);

    snprintf(b->dir, sizeof b->dir, "%s-blobs", store_path);
    return b;
}

void blobs_free(struct blobs *b)
{
    free(b);
}

const char *blobs_path(const struct blobs *b, const struct digest *d, char out[BLOBS_PATH_MAX])
{
    char hex[DIGEST_HEX];

    digest_hex(d, hex);
    snprintf(out, BLOBS_PATH_MAX, "%s/%.2s/%s", b->dir, hex, hex);
    return out;
}

bool blobs_have(const struct blobs *b, const struct digest *d, uint64_t *ret_size)
{
    char path[BLOBS_PATH_MAX];
    struct stat st;

    if (stat(blobs_path(b, d, path), &st) < 0 || !S_ISREG(st.st_mode))
        return false;
    if (ret_size)
        *ret_size = (uint64_t)st.st_size;
    return true;
}

/* EFBIG is the file size limit of the process: a full disk to us. */
static int io_error(struct err *err, const char *what, const char *path)
{
    int errnum = errno == EFBIG || errno == EDQUOT ? ENOSPC : errno;

    return err_errno(err, errnum, "%s %s", what, path);
}

static int make_folder(const char *path, struct err *err)
{
    if (mkdir(path, 0755) < 0 && errno != EEXIST)
        return io_error(err, "make folder", path);
    return 0;
}

static int sync_folder(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = 0;

    if (fd < 0)
        return io_error(err, "open", path);
    if (fsync(fd) < 0)
        rc = io_error(err, "sync", path);
    close(fd);
    return rc;
}

/* FILE-blobs and the folder SUB in it; new entries are fsynced into their parents. */
static int make_folders(struct blobs *b, const char *sub, char out[BLOBS_PATH_MAX], struct err *err)
{
    char parent[sizeof b->dir];
    char *slash;
    int rc;

    snprintf(out, BLOBS_PATH_MAX, "%s/%s", b->dir, sub);
    if (access(out, F_OK) == 0)
        return 0;
    rc = make_folder(b->dir, err);
    if (rc == 0)
        rc = make_folder(out, err);
    if (rc == 0)
        rc = sync_folder(b->dir, err);
    if (rc < 0)
        return rc;
    snprintf(parent, sizeof parent, "%s", b->dir);
    slash = strrchr(parent, '/');
    if (slash && slash != parent)
        *slash = '\0';
    else
        snprintf(parent, sizeof parent, slash ? "/" : ".");
    return sync_folder(parent, err);
}

/* Give the whole, fsynced file TEMP its name. */
static int publish(struct blobs *b, const char *temp, const struct digest *d, struct err *err)
{
    char dir[BLOBS_PATH_MAX], path[BLOBS_PATH_MAX], hex[DIGEST_HEX], sub[3];
    int rc;

    snprintf(sub, sizeof sub, "%.2s", digest_hex(d, hex));
    rc = make_folders(b, sub, dir, err);
    if (rc < 0)
        return rc;
    if (rename(temp, blobs_path(b, d, path)) < 0)
        return io_error(err, "rename to", path);
    return sync_folder(dir, err);
}

static int write_all(int fd, const char *path, const void *bytes, size_t len, uint64_t offset,
                     struct err *err)
{
    const char *p = bytes;

    while (len > 0) {
        ssize_t n = pwrite(fd, p, len, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            if (n == 0)
                errno = EIO;
            return io_error(err, "write", path);
        }
        p += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

int blobs_put(struct blobs *b, const void *bytes, size_t len, struct digest *ret, struct err *err)
{
    char dir[BLOBS_PATH_MAX], temp[BLOBS_PATH_MAX + 64];
    int rc, fd;

    *ret = digest_of(bytes, len);
    if (blobs_have(b, ret, NULL))
        return 0;
    rc = make_folders(b, "part", dir, err);
    if (rc < 0)
        return rc;
    snprintf(temp, sizeof temp, "%s/put-%d-%llu", dir, (int)getpid(),
             (unsigned long long)atomic_fetch_add(&b->serial, 1));
    fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return io_error(err, "create", temp);
    rc = write_all(fd, temp, bytes, len, 0, err);
    if (rc == 0 && fsync(fd) < 0)
        rc = io_error(err, "sync", temp);
    close(fd);
    if (rc == 0)
        rc = publish(b, temp, ret, err);
    if (rc < 0)
        unlink(temp);
    return rc;
}

/* A part that has all its bytes becomes the blob, or is thrown away when they are not those of D.
 */
static int complete(struct blobs *b, const char *part, int fd, const struct digest *d,
                    uint64_t size, struct err *err)
{
    char hex[DIGEST_HEX];
    struct digest found;
    uint64_t found_size;
    int rc = fsync(fd) < 0 ? io_error(err, "sync", part) : 0;

    if (rc == 0)
        rc = digest_file(part, &found, &found_size, err);
    if (rc == 0 && (found_size != size || !digest_equal(&found, d))) {
        unlink(part);
        return err_set(err, ERR_CORRUPT,
                       "blob %s: the bytes that came do not have this digest; send it again",
                       digest_hex(d, hex));
    }
    return rc == 0 ? publish(b, part, d, err) : rc;
}

int blobs_write_chunk(struct blobs *b, const struct digest *d, uint64_t size, uint64_t offset,
                      const void *data, size_t len, uint64_t *ret_have, bool *ret_complete,
                      struct err *err)
{
    char dir[BLOBS_PATH_MAX], part[BLOBS_PATH_MAX + 80], hex[DIGEST_HEX];
    struct stat st;
    int rc, fd;

    *ret_complete = false;
    *ret_have = 0;
    if (size > INT64_MAX || offset > size || len > size - offset)
        return err_set(err, ERR_INVALID, "a chunk of %zu bytes at %llu of a blob of %llu", len,
                       (unsigned long long)offset, (unsigned long long)size);
    if (blobs_have(b, d, ret_have)) {
        *ret_complete = true;
        return 0;
    }
    rc = make_folders(b, "part", dir, err);
    if (rc < 0)
        return rc;
    snprintf(part, sizeof part, "%s/%s", dir, digest_hex(d, hex));
    fd = open(part, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return io_error(err, "open", part);
    if (fstat(fd, &st) < 0) {
        rc = io_error(err, "stat", part);
    } else {
        *ret_have = (uint64_t)st.st_size;
        if (*ret_have == offset && len > 0) {
            rc = write_all(fd, part, data, len, offset, err);
            *ret_have = rc == 0 ? offset + len : offset;
        }
    }
    if (rc == 0 && *ret_have >= size) {
        rc = complete(b, part, fd, d, size, err);
        *ret_complete = rc == 0;
        *ret_have = rc == 0 ? size : 0;
    }
    close(fd);
    return rc;
}

int blobs_read(const struct blobs *b, const struct digest *d, uint64_t offset, size_t len,
               void *out, size_t *ret_len, uint64_t *ret_size, struct err *err)
{
    char path[BLOBS_PATH_MAX];
    struct stat st;
    size_t have = 0;
    int rc = 0, fd = open(blobs_path(b, d, path), O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return err_errno(err, errno, "open blob %s", path);
    if (fstat(fd, &st) < 0)
        rc = io_error(err, "stat", path);
    while (rc == 0 && have < len) {
        ssize_t n = pread(fd, (char *)out + have, len - have, (off_t)(offset + have));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc = io_error(err, "read", path);
        if (n <= 0)
            break;
        have += (size_t)n;
    }
    close(fd);
    *ret_len = have;
    if (rc == 0 && ret_size)
        *ret_size = (uint64_t)st.st_size;
    return rc;
}

int blobs_remove(struct blobs *b, const struct digest *d, struct err *err)
{
    char path[BLOBS_PATH_MAX];

    if (unlink(blobs_path(b, d, path)) < 0)
        return err_errno(err, errno, "remove blob %s", path);
    return 0;
}
