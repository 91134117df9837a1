/* SPDX-License-Identifier: Apache-2.0 */
#include "store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "store/store.h"

enum { TAKE_TRIES = 10, TAKE_PAUSE_MS = 10 };

static int lock_path(const char *path, char out[STORE_PATH_MAX + 8], struct err *err)
{
    if (strlen(path) >= STORE_PATH_MAX)
        return err_set(err, ERR_LIMIT, "the store's path is longer than %d bytes",
                       STORE_PATH_MAX - 1);
    snprintf(out, STORE_PATH_MAX + 8, "%s-lock", path);
    return 0;
}

/* "pid endpoint\n" of an open lock file; 0 and "" while its holder has not written yet. */
static void read_holder(int fd, int *ret_pid, char *ret_endpoint, size_t size)
{
    char text[STORE_ENDPOINT_MAX + 32] = "";
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    char *rest = text;

    *ret_pid = n > 0 ? (int)strtol(text, &rest, 10) : 0;
    rest += strspn(rest, " ");
    snprintf(ret_endpoint, size, "%.*s", (int)strcspn(rest, "\n"), rest);
}

int lock_write(int fd, const char *path, const char *endpoint, struct err *err)
{
    char text[STORE_ENDPOINT_MAX + 32];
    int n;

    if (strlen(endpoint) >= STORE_ENDPOINT_MAX)
        return err_set(err, ERR_LIMIT, "an endpoint longer than %d bytes", STORE_ENDPOINT_MAX - 1);
    n = snprintf(text, sizeof text, "%d %s\n", (int)getpid(), endpoint);
    if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) != n)
        return err_errno(err, errno, "write %s-lock", path);
    return 0;
}

/* 0 or errno. Somebody who asks lock_holder() holds the lock for an instant: that must not turn a
 * writer away. */
static int take(int fd)
{
    for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
        if (errno != EWOULDBLOCK || i == TAKE_TRIES)
            return errno;
        clock_sleep_ms(TAKE_PAUSE_MS);
    }
    return 0;
}

int lock_take(const char *path, const char *endpoint, int *ret_fd, struct err *err)
{
    char name[STORE_PATH_MAX + 8];
    int rc = lock_path(path, name, err), fd, held;

    if (rc < 0)
        return rc;
    fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
        held = errno;
        return err_errno(err, held,
                         held == ENOENT ? "open %s (the folder does not exist: make it first)"
                                        : "open %s",
                         name);
    }
    held = take(fd);
    if (held) {
        int pid;
        char other[STORE_ENDPOINT_MAX];

        if (held == EWOULDBLOCK) {
            read_holder(fd, &pid, other, sizeof other);
            rc =
                err_set(err, ERR_CONFLICT,
                        "%s is in use by process %d%s%s; end it, or name another file with --store",
                        path, pid, other[0] ? ", a coordinator at " : "", other);
        } else {
            rc = err_errno(err, held, "lock %s", name);
        }
        close(fd);
        return rc;
    }
    rc = lock_write(fd, path, endpoint, err);
    if (rc < 0) {
        close(fd);
        return rc;
    }
    *ret_fd = fd;
    return 0;
}

void lock_drop(int fd)
{
    if (fd < 0)
        return;
    /* Emptied, not removed: removing would let two processes lock two files of the same name. */
    if (ftruncate(fd, 0) < 0) {
        /* nothing depends on it: the flock tells who holds it */
    }
    close(fd);
}

int lock_holder(const char *path, int *ret_pid, char *ret_endpoint, size_t size, struct err *err)
{
    char name[STORE_PATH_MAX + 8];
    int rc = lock_path(path, name, err), fd;

    if (rc < 0)
        return rc;
    fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, errno, "open %s", name);
    if (flock(fd, LOCK_SH | LOCK_NB) == 0) {
        rc = err_set(err, ERR_NOT_FOUND, "nobody writes %s", path);
    } else {
        read_holder(fd, ret_pid, ret_endpoint, size);
        rc = 0;
    }
    close(fd);
    return rc;
}
