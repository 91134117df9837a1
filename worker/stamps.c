/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/stamps.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <uthash.h>

#include "common/base/mem.h"
#include "worker/file.h"

/* All 64-bit, so that no padding enters the hash. */
struct stamp {
    uint64_t device, inode, size_bytes, mtime_s, mtime_ns;
};

struct entry {
    struct stamp stamp;
    struct digest digest;
    UT_hash_handle hh;
};

struct stamps {
    pthread_mutex_t mutex;
    struct entry *entry;
};

struct stamps *stamps_new(void)
{
    struct stamps *s = mem_calloc(1, sizeof(*s));
    pthread_mutex_init(&s->mutex, NULL);
    return s;
}

void stamps_free(struct stamps *s)
{
    struct entry *e, *next;

    if (s == NULL)
        return;
    HASH_ITER(hh, s->entry, e, next)
    {
        HASH_DEL(s->entry, e);
        free(e);
    }
    pthread_mutex_destroy(&s->mutex);
    free(s);
}

static bool find(struct stamps *s, const struct stamp *stamp, struct digest *ret)
{
    struct entry *e = NULL;

    pthread_mutex_lock(&s->mutex);
    HASH_FIND(hh, s->entry, stamp, sizeof(*stamp), e);
    if (e != NULL)
        *ret = e->digest;
    pthread_mutex_unlock(&s->mutex);
    return e != NULL;
}

static void put(struct stamps *s, const struct stamp *stamp, const struct digest *d)
{
    struct entry *e = NULL;

    pthread_mutex_lock(&s->mutex);
    HASH_FIND(hh, s->entry, stamp, sizeof(*stamp), e);
    if (e == NULL) {
        e = mem_calloc(1, sizeof(*e));
        e->stamp = *stamp;
        HASH_ADD(hh, s->entry, stamp, sizeof(e->stamp), e);
    }
    e->digest = *d;
    pthread_mutex_unlock(&s->mutex);
}

bool stamps_match(struct stamps *s, const char *path, const struct digest *d, uint64_t size_bytes,
                  struct progress *progress)
{
    struct stat st;
    struct digest found;
    uint64_t found_bytes = 0;

    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size != size_bytes)
        return false;
    const struct stamp stamp = { .device = (uint64_t)st.st_dev,
                                 .inode = (uint64_t)st.st_ino,
                                 .size_bytes = (uint64_t)st.st_size,
                                 .mtime_s = (uint64_t)st.st_mtim.tv_sec,
                                 .mtime_ns = (uint64_t)st.st_mtim.tv_nsec };
    if (!find(s, &stamp, &found)) {
        /* Hashed without the mutex: two threads may do it twice, none waits. */
        if (file_digest(path, progress, &found, &found_bytes, NULL) != 0 ||
            found_bytes != size_bytes)
            return false;
        put(s, &stamp, &found);
    }
    return digest_equal(&found, d);
}
