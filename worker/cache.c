/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "worker/cache_scan.h"
#include "worker/file.h"

/* A blob whose bytes this process has hashed. */
struct verified {
    struct digest digest;
    uint64_t inode;
    UT_hash_handle hh;
};

/* A look at all blobs takes some microseconds for each: what it finds free is taken in parts. So
 * many processes may share a cache before it can grow, for a while, beyond its limit. */
enum { SHARERS = 256 };

struct cache {
    char dir[CACHE_PATH_MAX / 2]; /* leaves room for "/blob/ab/" and 64 digits */
    char run[CACHE_PATH_MAX];
    int run_lock;
    uint64_t limit_bytes;
    pthread_mutex_t mutex; /* guards what follows */
    struct verified *verified;
    uint64_t spare_bytes; /* this process may take so much without looking at all blobs again */
};

static void blob_path(const struct cache *c, const struct digest *d, char path[CACHE_PATH_MAX])
{
    char hex[DIGEST_HEX];
    digest_hex(d, hex);
    (void)snprintf(path, CACHE_PATH_MAX, "%s/blob/%.2s/%s", c->dir, hex, hex);
}

/* Make DIR/run/XXXXXX and lock it. A process that starts now may take the lock first and remove the
 * folder: try again. */
static int open_private(struct cache *c, struct err *err)
{
    char lock[CACHE_PATH_MAX + 8];

    for (int tries = 0; tries < 8; tries++) {
        (void)snprintf(c->run, sizeof(c->run), "%s/run/XXXXXX", c->dir);
        if (mkdtemp(c->run) == NULL)
            return err_errno(err, errno, "make a folder in %s/run", c->dir);
        (void)snprintf(lock, sizeof(lock), "%s/lock", c->run);
        c->run_lock = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (c->run_lock >= 0 && flock(c->run_lock, LOCK_EX | LOCK_NB) == 0 &&
            access(lock, F_OK) == 0)
            return 0;
        if (c->run_lock >= 0)
            close(c->run_lock);
        c->run_lock = -1;
    }
    return err_set(err, ERR_IO, "lock %s: taken again and again", lock);
}

int cache_open(const char *dir, uint64_t limit_bytes, struct cache **ret, struct err *err)
{
    static const char *const sub[] = { "", "/blob", "/part", "/run" };
    char path[CACHE_PATH_MAX];

    *ret = NULL;
    struct cache *c = mem_calloc(1, sizeof(*c));
    c->run_lock = -1;
    c->limit_bytes = limit_bytes;
    pthread_mutex_init(&c->mutex, NULL);
    int rc = 0;
    if ((size_t)snprintf(c->dir, sizeof(c->dir), "%s", dir) >= sizeof(c->dir))
        rc = err_set(err, ERR_LIMIT, "--cache %s: path longer than %zu bytes", dir,
                     sizeof(c->dir) - 1);
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(sub); i++) {
        (void)snprintf(path, sizeof(path), "%s%s", c->dir, sub[i]);
        rc = file_make_dirs(path, err);
    }
    if (rc == 0) {
        scan_remove_dead_runs(c->dir);
        rc = open_private(c, err);
    }
    if (rc) {
        cache_close(c);
        return rc;
    }
    *ret = c;
    return 0;
}

void cache_close(struct cache *c)
{
    struct verified *v, *next;

    if (c == NULL)
        return;
    if (c->run_lock >= 0) {
        cache_remove_tree(c->run);
        close(c->run_lock);
    }
    HASH_ITER(hh, c->verified, v, next)
    {
        HASH_DEL(c->verified, v);
        free(v);
    }
    pthread_mutex_destroy(&c->mutex);
    free(c);
}

const char *cache_private(const struct cache *c)
{
    return c->run;
}

const char *cache_folder(const struct cache *c)
{
    return c->dir;
}

uint64_t cache_limit(const struct cache *c)
{
    return c->limit_bytes;
}

void cache_unpin(struct cache_pin *pin)
{
    if (pin->fd >= 0)
        close(pin->fd);
    pin->fd = -1;
}

static bool was_verified(struct cache *c, const struct digest *d, uint64_t inode)
{
    struct verified *v = NULL;

    pthread_mutex_lock(&c->mutex);
    HASH_FIND(hh, c->verified, d, sizeof(*d), v);
    bool yes = v != NULL && v->inode == inode;
    pthread_mutex_unlock(&c->mutex);
    return yes;
}

static void set_verified(struct cache *c, const struct digest *d, uint64_t inode)
{
    struct verified *v = NULL;

    pthread_mutex_lock(&c->mutex);
    HASH_FIND(hh, c->verified, d, sizeof(*d), v);
    if (v == NULL) {
        v = mem_calloc(1, sizeof(*v));
        v->digest = *d;
        HASH_ADD(hh, c->verified, digest, sizeof(v->digest), v);
    }
    v->inode = inode;
    pthread_mutex_unlock(&c->mutex);
}

/* Pin PATH: open it, lock it, and see that it still has this name. */
static int pin_path(struct cache_pin *pin, struct stat *ret, struct err *err)
{
    struct stat now;

    pin->fd = open(pin->path, O_RDONLY | O_CLOEXEC);
    if (pin->fd < 0)
        return err_errno(err, errno, "open %s", pin->path);
    if (flock(pin->fd, LOCK_SH) != 0 || fstat(pin->fd, ret) != 0) {
        int rc = err_errno(err, errno, "lock %s", pin->path);
        cache_unpin(pin);
        return rc;
    }
    if (stat(pin->path, &now) != 0 || now.st_ino != ret->st_ino) {
        cache_unpin(pin);
        return err_set(err, ERR_NOT_FOUND, "%s was evicted", pin->path);
    }
    const struct timespec used[2] = { { .tv_nsec = UTIME_NOW }, { .tv_nsec = UTIME_OMIT } };
    (void)!futimens(pin->fd, used); /* only the order of eviction */
    return 0;
}

int cache_get(struct cache *c, const struct digest *d, uint64_t size_bytes,
              struct progress *progress, struct cache_pin *ret, struct err *err)
{
    struct digest found;
    uint64_t found_bytes = 0;
    struct stat st;

    blob_path(c, d, ret->path);
    int rc = pin_path(ret, &st, err);
    if (rc || was_verified(c, d, st.st_ino))
        return rc;
    rc = file_digest(ret->path, progress, &found, &found_bytes, err);
    if (rc == 0 && (!digest_equal(&found, d) || found_bytes != size_bytes)) {
        (void)!unlink(ret->path); /* damaged: as if it had never been there */
        rc = err_set(err, ERR_NOT_FOUND, "%s was damaged and is removed", ret->path);
    }
    if (rc) {
        cache_unpin(ret);
        return rc;
    }
    set_verified(c, d, st.st_ino);
    return 0;
}

/* Is there room that was found by an earlier scan? */
static bool take_spare(struct cache *c, uint64_t more_bytes)
{
    pthread_mutex_lock(&c->mutex);
    const bool enough = more_bytes <= c->spare_bytes;
    if (enough)
        c->spare_bytes -= more_bytes;
    pthread_mutex_unlock(&c->mutex);
    return enough;
}

/* Room for MORE_BYTES, by removing what nobody uses, under the cache's lock. */
static int make_room(struct cache *c, uint64_t more_bytes, struct err *err)
{
    char path[CACHE_PATH_MAX];

    if (take_spare(c, more_bytes))
        return 0;
    if (more_bytes > c->limit_bytes)
        return err_set(
            err, ERR_LIMIT,
            "a blob of %llu bytes does not fit in the cache of %llu: raise --cache-bytes",
            (unsigned long long)more_bytes, (unsigned long long)c->limit_bytes);
    (void)snprintf(path, sizeof(path), "%s/lock", c->dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || flock(fd, LOCK_EX) != 0) {
        int rc = err_errno(err, errno, "lock %s", path);
        if (fd >= 0)
            close(fd);
        return rc;
    }
    uint64_t left = scan_shrink(c->dir, c->limit_bytes - more_bytes);
    close(fd);
    if (left <= c->limit_bytes - more_bytes) {
        pthread_mutex_lock(&c->mutex);
        c->spare_bytes = (c->limit_bytes - more_bytes - left) / SHARERS;
        pthread_mutex_unlock(&c->mutex);
    }
    if (left > c->limit_bytes - more_bytes)
        return err_set(err, ERR_LIMIT,
                       "no room for %llu bytes in the cache %s: %llu of %llu are in use; raise "
                       "--cache-bytes",
                       (unsigned long long)more_bytes, c->dir, (unsigned long long)left,
                       (unsigned long long)c->limit_bytes);
    return 0;
}

/* Open and lock DIR/part/DIGEST, and see that it still has this name. */
static int fill_lock(struct cache_fill *f, struct err *err)
{
    struct stat st, now;

    f->fd = open(f->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (f->fd < 0)
        return err_errno(err, errno, "open %s", f->path);
    if (fstat(f->fd, &st) != 0)
        return err_errno(err, errno, "%s", f->path);
    f->have = (uint64_t)st.st_size;
    if (flock(f->fd, LOCK_EX | LOCK_NB) != 0 || stat(f->path, &now) != 0 || now.st_ino != st.st_ino)
        return err_set(err, ERR_AGAIN, "%s is being fetched by another worker", f->path);
    f->have = (uint64_t)now.st_size;
    return 0;
}

int cache_fill_begin(struct cache *c, const struct digest *d, uint64_t size_bytes,
                     struct cache_fill *ret, struct err *err)
{
    char hex[DIGEST_HEX];

    ret->digest = *d;
    ret->size_bytes = size_bytes;
    (void)snprintf(ret->path, sizeof(ret->path), "%s/part/%s", c->dir, digest_hex(d, hex));
    int rc = fill_lock(ret, err);
    if (rc == 0 && ret->have > size_bytes) {
        if (ftruncate(ret->fd, 0) != 0)
            rc = err_errno(err, errno, "truncate %s", ret->path);
        ret->have = 0;
    }
    /* What is there is counted by the scan. */
    if (rc == 0)
        rc = make_room(c, size_bytes - ret->have, err);
    if (rc)
        cache_fill_abort(ret);
    return rc;
}

int cache_fill_write(struct cache_fill *f, const void *bytes, size_t len, struct err *err)
{
    if (len > f->size_bytes - f->have)
        return err_set(err, ERR_PROTO, "%s: more bytes than its %llu", f->path,
                       (unsigned long long)f->size_bytes);
    int rc = file_write_at(f->fd, bytes, len, f->have, f->path, err);
    if (rc == 0)
        f->have += len;
    return rc;
}

int cache_fill_end(struct cache *c, struct cache_fill *f, struct progress *progress,
                   struct cache_pin *ret, struct err *err)
{
    struct digest found;
    uint64_t found_bytes = 0;
    struct stat st;

    int rc = file_digest(f->path, progress, &found, &found_bytes, err);
    if (rc == 0 && (!digest_equal(&found, &f->digest) || found_bytes != f->size_bytes)) {
        (void)!unlink(f->path);
        rc = err_set(err, ERR_CORRUPT, "%s: %llu bytes arrived with another digest", f->path,
                     (unsigned long long)found_bytes);
    }
    if (rc == 0) {
        char dir[CACHE_PATH_MAX];
        blob_path(c, &f->digest, ret->path);
        (void)snprintf(dir, sizeof(dir), "%.*s", (int)(strlen(ret->path) - 65), ret->path);
        rc = file_make_dirs(dir, err);
    }
    if (rc == 0 &&
        (rename(f->path, ret->path) != 0 || fstat(f->fd, &st) != 0 || flock(f->fd, LOCK_SH) != 0))
        rc = err_errno(err, errno, "move %s into place", f->path);
    if (rc == 0) {
        set_verified(c, &f->digest, st.st_ino);
        ret->fd = f->fd; /* the filler's lock becomes the pin */
        f->fd = -1;
    }
    cache_fill_abort(f);
    return rc;
}

void cache_fill_abort(struct cache_fill *f)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
}

void cache_offer(struct cache *c, const char *path, const struct digest *d, uint64_t size_bytes)
{
    struct cache_fill f = { .fd = -1 };
    struct cache_pin pin = { .fd = -1 };
    char blob[CACHE_PATH_MAX];

    blob_path(c, d, blob);
    if (access(blob, F_OK) == 0 || cache_fill_begin(c, d, size_bytes, &f, NULL) != 0)
        return;
    /* The file replaces the part that was locked; it is hashed again before it gets its name. */
    if (file_copy(path, f.path, NULL) == 0)
        (void)!cache_fill_end(c, &f, NULL, &pin, NULL);
    cache_fill_abort(&f);
    cache_unpin(&pin);
}

size_t cache_list(struct cache *c, struct digest *ret, size_t max)
{
    return scan_list(c->dir, ret, max);
}
