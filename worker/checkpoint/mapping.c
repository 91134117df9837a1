/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkpoint/mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"

static int map_fd(struct mapping *m, int fd, struct err *err)
{
    struct stat st;
    void *at;

    if (fstat(fd, &st) < 0)
        return err_errno(err, errno, "stat %s", m->path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_INVALID, "%s is no file", m->path);
    m->size = (size_t)st.st_size;
    if (m->size == 0)
        return 0;
    at = mmap(NULL, m->size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (at == MAP_FAILED)
        return errno == ENOMEM
                   ? err_set(err, ERR_NOMEM, "map the %zu bytes of %s", m->size, m->path)
                   : err_errno(err, errno, "map %s", m->path);
    m->data = at;
    return 0;
}

int mapping_open(struct mapping *m, const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc;

    *m = (struct mapping){ 0 };
    if (fd < 0)
        return errno == ENOENT ? err_errno(err, errno, "open %s", path)
                               : err_set(err, ERR_IO, "open %s: %s", path, strerror(errno));
    m->path = mem_strdup(path);
    rc = map_fd(m, fd, err);
    (void)close(fd);
    if (rc)
        mapping_close(m);
    return rc;
}

void mapping_close(struct mapping *m)
{
    if (m->data)
        (void)munmap((void *)(uintptr_t)m->data, m->size);
    free(m->path);
    *m = (struct mapping){ 0 };
}

void mapping_drop(const void *at, size_t len)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uintptr_t begin = ((uintptr_t)at + page - 1) / page * page,
              end = ((uintptr_t)at + len) / page * page;

    if (begin < end)
        (void)madvise((void *)begin, end - begin, MADV_DONTNEED);
}
