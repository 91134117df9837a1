/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/made.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "worker/file.h"

enum { LOOK_MS = 100, KEPT_MAX = 4096 };

/* A folder that is there, by its lock file. */
struct kept {
    char lock[CACHE_PATH_MAX];
    uint64_t bytes;
    struct timespec used;
};

void made_close(struct made *m)
{
    if (m->fd >= 0)
        close(m->fd);
    m->fd = -1;
}

static bool exists(const struct made *m)
{
    char whole[CACHE_PATH_MAX + 8];

    (void)snprintf(whole, sizeof(whole), "%s/whole", m->path);
    return access(whole, F_OK) == 0;
}

/* Open M's lock file and lock it as MODE says, and see that it still has its name. */
static int lock_file(struct made *m, const char *lock, int mode, struct progress *progress,
                     struct err *err)
{
    for (;;) {
        struct stat own, now;

        m->fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (m->fd < 0)
            return err_errno(err, errno, "open %s", lock);
        while (flock(m->fd, mode | LOCK_NB) != 0) {
            if (errno != EWOULDBLOCK && errno != EINTR) {
                int rc = err_errno(err, errno, "lock %s", lock);
                made_close(m);
                return rc;
            }
            if (progress_stopped(progress)) {
                made_close(m);
                return err_set(err, ERR_CANCELLED, "stopped while another job makes %s", m->path);
            }
            progress_tick(progress);
            (void)usleep(LOOK_MS * 1000);
        }
        if (fstat(m->fd, &own) == 0 && stat(lock, &now) == 0 && own.st_ino == now.st_ino)
            return 0;
        made_close(m);
    }
}

static size_t list_kept(const char *folder, struct kept *kept)
{
    DIR *d = opendir(folder);
    size_t n = 0;

    for (const struct dirent *x; d && n < KEPT_MAX && (x = readdir(d)) != NULL;) {
        size_t len = strlen(x->d_name);
        char text[32] = "";
        struct stat st;

        if (len != DIGEST_HEX - 1 + 5 || strcmp(x->d_name + len - 5, ".lock") != 0)
            continue;
        if ((size_t)snprintf(kept[n].lock, sizeof(kept[n].lock), "%s/%s", folder, x->d_name) >=
            sizeof(kept[n].lock))
            continue;
        int fd = open(kept[n].lock, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            continue;
        if (fstat(fd, &st) == 0 && read(fd, text, sizeof(text) - 1) >= 0) {
            kept[n].used = st.st_mtim;
            kept[n++].bytes = strtoull(text, NULL, 10);
        }
        close(fd);
    }
    if (d)
        (void)closedir(d);
    return n;
}

static int by_use(const void *a, const void *b)
{
    const struct timespec *x = &((const struct kept *)a)->used,
                          *y = &((const struct kept *)b)->used;

    if (x->tv_sec != y->tv_sec)
        return x->tv_sec < y->tv_sec ? -1 : 1;
    return (x->tv_nsec > y->tv_nsec) - (x->tv_nsec < y->tv_nsec);
}

/* Remove K's folder unless somebody uses it. */
static bool remove_kept(const struct kept *k)
{
    char folder[CACHE_PATH_MAX];
    int fd = open(k->lock, O_RDWR | O_CLOEXEC);
    bool locked = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;

    if (locked) {
        (void)snprintf(folder, sizeof(folder), "%.*s", (int)strlen(k->lock) - 5, k->lock);
        cache_remove_tree(folder);
        (void)!unlink(k->lock);
    }
    if (fd >= 0)
        close(fd);
    return locked;
}

/* Until BYTES more fit. OWN is the lock file of the one that wants them. */
static int make_room(const char *folder, const char *own, uint64_t bytes, uint64_t limit_bytes,
                     struct err *err)
{
    struct kept *kept CLEANUP(mem_cleanup) = mem_calloc(KEPT_MAX, sizeof(*kept));
    size_t n = list_kept(folder, kept);
    uint64_t sum = 0;

    qsort(kept, n, sizeof(*kept), by_use);
    for (size_t i = 0; i < n; i++)
        sum += strcmp(kept[i].lock, own) == 0 ? 0 : kept[i].bytes;
    for (size_t i = 0; i < n && (bytes > limit_bytes || sum > limit_bytes - bytes); i++)
        if (strcmp(kept[i].lock, own) != 0 && remove_kept(&kept[i]))
            sum -= MIN(sum, kept[i].bytes);
    if (bytes <= limit_bytes && sum <= limit_bytes - bytes)
        return 0;
    return err_set(
        err, ERR_LIMIT,
        "%llu bytes of features do not fit: half of the worker's --cache-bytes, %llu, is "
        "for them, and %llu are in use; raise --cache-bytes, or take fewer examples or "
        "windows",
        (unsigned long long)bytes, (unsigned long long)limit_bytes, (unsigned long long)sum);
}

/* An empty folder for the holder of the exclusive lock. */
static int begin(struct made *m, const char *folder, const char *lock, uint64_t bytes,
                 uint64_t limit_bytes, struct err *err)
{
    char text[32];
    int len = snprintf(text, sizeof(text), "%llu\n", (unsigned long long)bytes), rc;

    cache_remove_tree(m->path);
    rc = make_room(folder, lock, bytes, limit_bytes, err);
    if (rc)
        return rc;
    if (ftruncate(m->fd, 0) != 0)
        return err_errno(err, errno, "write %s", lock);
    rc = file_write_at(m->fd, text, (size_t)len, 0, lock, err);
    return rc ? rc : file_make_dirs(m->path, err);
}

int made_open(struct made *m, const char *dir, const struct digest *key, uint64_t bytes,
              uint64_t limit_bytes, struct progress *progress, bool *ret_whole, struct err *err)
{
    char hex[DIGEST_HEX], folder[CACHE_PATH_MAX / 2], lock[CACHE_PATH_MAX];
    int rc;

    if ((size_t)snprintf(folder, sizeof(folder), "%s/made", dir) >= sizeof(folder))
        return err_set(err, ERR_LIMIT, "the cache's path is too long: %s", dir);
    (void)snprintf(m->path, sizeof(m->path), "%s/%s", folder, digest_hex(key, hex));
    (void)snprintf(lock, sizeof(lock), "%s/%s.lock", folder, hex);
    rc = file_make_dirs(folder, err);
    *ret_whole = false;
    for (bool alone = false; rc == 0; alone = !*ret_whole) {
        rc = lock_file(m, lock, alone ? LOCK_EX : LOCK_SH, progress, err);
        if (rc)
            return rc;
        *ret_whole = exists(m);
        if (*ret_whole != alone)
            break;
        made_close(m); /* a lock cannot be raised or lowered for certain: take the other one */
    }
    if (rc == 0 && *ret_whole) {
        const struct timespec now[2] = { { .tv_nsec = UTIME_NOW }, { .tv_nsec = UTIME_NOW } };

        (void)!futimens(m->fd, now);
    } else if (rc == 0) {
        rc = begin(m, folder, lock, bytes, limit_bytes, err);
    }
    if (rc)
        made_close(m);
    return rc;
}

int made_whole(struct made *m, struct err *err)
{
    char whole[CACHE_PATH_MAX + 8];
    int fd;

    (void)snprintf(whole, sizeof(whole), "%s/whole", m->path);
    fd = open(whole, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(err, errno, "write %s", whole);
    close(fd);
    (void)!flock(m->fd, LOCK_SH);
    return 0;
}
