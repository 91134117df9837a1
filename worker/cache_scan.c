/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/cache_scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "worker/cache.h"

struct entry {
    char *path;
    const char *name; /* the last part of path */
    uint64_t size_bytes;
    struct timespec used;
};

struct entries {
    struct entry *v;
    size_t len, cap;
};

static void entries_release(struct entries *e)
{
    for (size_t i = 0; i < e->len; i++)
        free(e->v[i].path);
    free(e->v);
}

static void close_dir(DIR **d)
{
    if (*d != NULL)
        closedir(*d);
}

/* Add the regular files of the folder PATH; look into its folders down to DEPTH below it. */
static void collect(struct entries *e, const char *path, int depth)
{
    DIR *d CLEANUP(close_dir) = opendir(path);

    for (const struct dirent *x; d != NULL && (x = readdir(d)) != NULL;) {
        struct buf file CLEANUP(buf_release) = { 0 };
        struct stat st;
        if (x->d_name[0] == '.')
            continue;
        buf_printf(&file, "%s/%s", path, x->d_name);
        if (lstat(buf_str(&file), &st) != 0)
            continue; /* gone meanwhile */
        if (S_ISDIR(st.st_mode) && depth > 0)
            collect(e, buf_str(&file), depth - 1);
        if (!S_ISREG(st.st_mode))
            continue;
        if (e->len == e->cap) {
            e->cap = e->cap ? 2 * e->cap : 64;
            e->v = mem_realloc(e->v, e->cap, sizeof(*e->v));
        }
        struct entry *y = &e->v[e->len++];
        *y = (struct entry){ .size_bytes = (uint64_t)st.st_size, .used = st.st_atim };
        y->path = buf_detach(&file);
        y->name = strrchr(y->path, '/') + 1;
    }
}

static int oldest_first(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->used.tv_sec != y->used.tv_sec)
        return x->used.tv_sec < y->used.tv_sec ? -1 : 1;
    if (x->used.tv_nsec != y->used.tv_nsec)
        return x->used.tv_nsec < y->used.tv_nsec ? -1 : 1;
    return strcmp(x->path, y->path);
}

/* Remove PATH unless somebody has it locked. */
static bool remove_unused(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT;
    bool done = flock(fd, LOCK_EX | LOCK_NB) == 0 && unlink(path) == 0;
    close(fd);
    return done;
}

uint64_t scan_shrink(const char *dir, uint64_t target_bytes)
{
    struct entries e CLEANUP(entries_release) = { 0 };
    struct buf path CLEANUP(buf_release) = { 0 };
    uint64_t total = 0;

    buf_printf(&path, "%s/blob", dir);
    collect(&e, buf_str(&path), 1);
    buf_clear(&path);
    buf_printf(&path, "%s/part", dir);
    collect(&e, buf_str(&path), 0);
    for (size_t i = 0; i < e.len; i++)
        total += e.v[i].size_bytes;
    if (total <= target_bytes)
        return total;
    qsort(e.v, e.len, sizeof(*e.v), oldest_first);
    for (size_t i = 0; i < e.len && total > target_bytes; i++)
        if (e.v[i].size_bytes > 0 && remove_unused(e.v[i].path))
            total -= e.v[i].size_bytes;
    return total;
}

size_t scan_list(const char *dir, struct digest *ret, size_t max)
{
    struct entries e CLEANUP(entries_release) = { 0 };
    struct buf path CLEANUP(buf_release) = { 0 };
    size_t n = 0;

    buf_printf(&path, "%s/blob", dir);
    collect(&e, buf_str(&path), 1);
    if (e.len > 0)
        qsort(e.v, e.len, sizeof(*e.v), oldest_first);
    for (size_t i = e.len; i > 0 && n < max; i--)
        if (digest_parse(e.v[i - 1].name, &ret[n], NULL) == 0)
            n++;
    return n;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    (void)!remove(path); /* what cannot be removed stays for the next start */
    return 0;
}

void cache_remove_tree(const char *path)
{
    (void)!nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void scan_remove_dead_runs(const char *dir)
{
    struct buf runs CLEANUP(buf_release) = { 0 };

    buf_printf(&runs, "%s/run", dir);
    DIR *d CLEANUP(close_dir) = opendir(buf_str(&runs));
    for (const struct dirent *x; d != NULL && (x = readdir(d)) != NULL;) {
        struct buf run CLEANUP(buf_release) = { 0 };
        struct buf lock CLEANUP(buf_release) = { 0 };
        if (x->d_name[0] == '.')
            continue;
        buf_printf(&run, "%s/%s", buf_str(&runs), x->d_name);
        buf_printf(&lock, "%s/lock", buf_str(&run));
        int fd = open(buf_str(&lock), O_RDWR | O_CLOEXEC);
        /* Without a lock file its owner is between mkdtemp and open: leave it. */
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
            cache_remove_tree(buf_str(&run));
        if (fd >= 0)
            close(fd);
    }
}
