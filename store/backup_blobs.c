/* SPDX-License-Identifier: Apache-2.0 */
/* backup_blobs.c - the files of the results. They never change, so a link is as good as a copy. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "store/backup_private.h"
#include "store/store_private.h"

enum { FOLDERS_MAX = 16, CHUNK = 8 << 20 };

struct walk {
    const char *from, *to;
    const struct store_backup *how;
    uint64_t *done, *total;
    struct store_backup_done *ret;
};
typedef int (*file_fn)(struct walk *w, const char *from, const char *to, const struct stat *st,
                       struct err *err);

static int failed(struct err *err, const char *path)
{
    return err_errno(err, errno, "%s", path);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

void backup_blobs_remove(const char *folder)
{
    (void)nftw(folder, remove_one, FOLDERS_MAX, FTW_DEPTH | FTW_PHYS);
}

/* ---- what is done with a file ---- */

static int count(struct walk *w, const char *from, const char *to, const struct stat *st,
                 struct err *err)
{
    (void)from;
    (void)to;
    (void)err;
    w->ret->files++;
    w->ret->file_bytes += (uint64_t)st->st_size;
    return 0;
}

static int copy_bytes(struct walk *w, int in, int out, const char *from, const char *to,
                      struct err *err)
{
    for (;;) {
        ssize_t n = copy_file_range(in, NULL, out, NULL, CHUNK, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 &&
            (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP)) {
            CLEANUP(mem_cleanup) char *bytes = mem_calloc(1, CHUNK);

            n = read(in, bytes, CHUNK);
            if (n > 0)
                n = write(out, bytes, (size_t)n) == n ? n : -1;
        }
        if (n < 0)
            return failed(err, errno == ENOSPC || errno == EDQUOT ? to : from);
        if (n == 0)
            return fsync(out) < 0 ? failed(err, to) : 0;
        *w->done += (uint64_t)n;
        if (w->how->progress && !w->how->progress(*w->done, *w->total, w->how->arg))
            return err_set(err, ERR_CANCELLED, "the backup was given up");
    }
}

static int copy_file(struct walk *w, const char *from, const char *to, struct err *err)
{
    int in = open(from, O_RDONLY | O_CLOEXEC), out, rc;

    if (in < 0)
        return failed(err, from);
    out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    rc = out < 0 ? failed(err, to) : copy_bytes(w, in, out, from, to, err);
    (void)close(in);
    if (out >= 0)
        (void)close(out);
    return rc;
}

static int take(struct walk *w, const char *from, const char *to, const struct stat *st,
                struct err *err)
{
    (void)count(w, from, to, st, err);
    if (link(from, to) < 0) {
        if (errno == EXDEV || errno == EPERM || errno == EMLINK || errno == EOPNOTSUPP)
            return copy_file(w, from, to, err);
        return failed(err, to);
    }
    w->ret->links++;
    *w->done += (uint64_t)st->st_size;
    return 0;
}

/* ---- the folders ---- */

static int walk_folder(struct walk *w, const char *name, file_fn fn, struct err *err)
{
    char from[STORE_PATH_MAX + 400], to[STORE_PATH_MAX + 400];
    const struct dirent *e;
    struct stat st;
    DIR *d;
    int rc = 0;

    (void)snprintf(from, sizeof from, "%s/%s", w->from, name);
    d = opendir(from);
    if (!d)
        return failed(err, from);
    (void)snprintf(to, sizeof to, "%s/%s", w->to, name);
    if (fn == take && mkdir(to, 0755) < 0)
        rc = failed(err, to);
    while (rc == 0 && (e = readdir(d)) != NULL) {
        (void)snprintf(from, sizeof from, "%s/%s/%s", w->from, name, e->d_name);
        (void)snprintf(to, sizeof to, "%s/%s/%s", w->to, name, e->d_name);
        /* One that gc took away meanwhile is not missed. */
        if (e->d_name[0] != '.' && lstat(from, &st) == 0 && S_ISREG(st.st_mode))
            rc = fn(w, from, to, &st, err);
    }
    (void)closedir(d);
    (void)snprintf(to, sizeof to, "%s/%s", w->to, name);
    return rc == 0 && fn == take ? backup_sync(to, err) : rc;
}

/* Folders "ab"; parts of uploads lie elsewhere and are left out. */
static int walk(struct walk *w, file_fn fn, struct err *err)
{
    DIR *d = opendir(w->from);
    const struct dirent *e;
    int rc = 0;

    if (!d)
        return errno == ENOENT ? 0 : failed(err, w->from);
    while (rc == 0 && (e = readdir(d)) != NULL)
        if (strlen(e->d_name) == 2 && strspn(e->d_name, "0123456789abcdef") == 2)
            rc = walk_folder(w, e->d_name, fn, err);
    (void)closedir(d);
    return rc;
}

/* Bytes that links cannot save. */
static bool other_disk(const char *from, const char *to)
{
    struct stat a, b;

    return stat(from, &a) == 0 && stat(to, &b) == 0 && a.st_dev != b.st_dev;
}

int backup_blobs(const char *store, const char *to, const struct store_backup *how, uint64_t *done,
                 uint64_t *total, struct store_backup_done *ret, struct err *err)
{
    char from[STORE_PATH_MAX + 16];
    struct walk w = { from, to, how, done, total, ret };
    int rc;

    (void)snprintf(from, sizeof from, "%s-blobs", store);
    rc = walk(&w, count, err);
    if (rc < 0)
        return rc;
    *total += ret->file_bytes;
    ret->links = 0;
    if (mkdir(to, 0755) < 0)
        return failed(err, to);
    if (other_disk(from, to))
        rc = backup_room(to, *total, err);
    if (rc == 0) {
        ret->files = ret->file_bytes = 0;
        rc = walk(&w, take, err);
    }
    if (rc == 0)
        rc = backup_sync(to, err);
    if (rc < 0)
        backup_blobs_remove(to);
    return rc;
}
