/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/parent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/mem.h"

struct parent {
    int fd, stop_fd;
    void (*wake)(void *arg);
    void *arg;
    _Atomic enum parent_state state;
    pthread_t thread;
};

static void *run(void *arg)
{
    struct parent *p = arg;
    struct pollfd fds[2] = { { .fd = p->fd, .events = POLLIN },
                             { .fd = p->stop_fd, .events = POLLIN } };
    char word;

    for (;;) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return NULL;
        if (fds[1].revents)
            return NULL;
        if (fds[0].revents == 0)
            continue;
        ssize_t n = read(p->fd, &word, 1);
        if ((n > 0 && word != PARENT_GOODBYE) || (n < 0 && (errno == EINTR || errno == EAGAIN)))
            continue;
        atomic_store(&p->state, n > 0 ? PARENT_LEFT : PARENT_GONE);
        p->wake(p->arg);
        return NULL;
    }
}

int parent_watch(struct parent **ret, int fd, void (*wake)(void *arg), void *arg, struct err *err)
{
    *ret = NULL;
    if (fcntl(fd, F_GETFD) < 0)
        return err_set(err, ERR_INVALID, "--parent-fd %d: %s", fd, strerror(errno));
    struct parent *p = mem_calloc(1, sizeof(*p));
    p->fd = fd;
    p->wake = wake;
    p->arg = arg;
    p->stop_fd = eventfd(0, EFD_CLOEXEC);
    int failed = p->stop_fd < 0 ? errno : pthread_create(&p->thread, NULL, run, p);
    if (failed) {
        if (p->stop_fd >= 0)
            close(p->stop_fd);
        free(p);
        return err_set(err, ERR_NOMEM, "watch the parent: %s", strerror(failed));
    }
    *ret = p;
    return 0;
}

enum parent_state parent_state(const struct parent *p)
{
    return p != NULL ? atomic_load(&p->state) : PARENT_HERE;
}

void parent_free(struct parent *p)
{
    const uint64_t one = 1;

    if (p == NULL)
        return;
    (void)!write(p->stop_fd, &one, sizeof(one)); /* cannot fail for a fresh eventfd */
    (void)pthread_join(p->thread, NULL);
    close(p->stop_fd);
    free(p);
}
