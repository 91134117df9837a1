/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/spawn/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "worker/spawn/keeper.h"
#include "worker/spawn/order.h"
#include "worker/spawn/procs.h"

enum {
    SOCKET_FD = 3,
    DESCRIPTORS = 3,   /* control, output, metrics */
    KEEPERS_MAX = 256, /* slots are at most 128 */
    SWEEP_MS = 20,
    LEAVE_MS = 10000 /* the longest that the helper outlives the worker */
};

struct helper {
    pid_t self;
    int signals;
    pid_t keeper[KEEPERS_MAX];
    size_t keepers;
    bool orphans; /* a keeper was killed: what it kept may have come to us */
    bool over;    /* the worker is gone */
};

static void close_all(const int *fd, size_t len)
{
    for (size_t i = 0; i < len; i++)
        (void)close(fd[i]);
}

/* A message with its descriptors in FD, DESCRIPTORS of them; anything else is dropped. 1: good, 0:
 * dropped, -1: the other side is closed. */
static int receive(int fd[DESCRIPTORS])
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(8 * sizeof(int))];
    } control = { 0 };
    struct spawn_header h;
    struct iovec part = { .iov_base = &h, .iov_len = sizeof(h) };
    struct msghdr m = { .msg_iov = &part,
                        .msg_iovlen = 1,
                        .msg_control = control.bytes,
                        .msg_controllen = sizeof(control.bytes) };
    int got[8];
    size_t len = 0;

    const ssize_t n = recvmsg(SOCKET_FD, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (n <= 0)
        return n < 0 && (errno == EINTR || errno == EAGAIN) ? 0 : -1;
    const struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
        len = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(got, CMSG_DATA(c), len * sizeof(int));
    }
    if (n == (ssize_t)sizeof(h) && len == DESCRIPTORS && !(m.msg_flags & MSG_CTRUNC) &&
        spawn_header_fits(&h, SPAWN_MESSAGE_FORK, 0)) {
        memcpy(fd, got, sizeof(int) * DESCRIPTORS);
        return 1;
    }
    close_all(got, len);
    return 0;
}

static void fork_keeper(struct helper *h, const int fd[DESCRIPTORS])
{
    pid_t pid = -1;

    if (h->keepers < KEEPERS_MAX)
        pid = fork();
    else
        errno = EAGAIN;
    if (pid == 0) {
        (void)close(SOCKET_FD);
        (void)close(h->signals);
        spawn_keeper_run(h->self, fd[0], fd[1], fd[2]);
        _exit(0);
    }
    if (pid > 0)
        h->keeper[h->keepers++] = pid;
    else
        (void)spawn_send_end(fd[0], &(struct spawn_end){ .cause = SPAWN_NOT_STARTED,
                                                         .step = SPAWN_AT_FORK,
                                                         .status = errno });
    close_all(fd, DESCRIPTORS);
}

/* True when no child is left. */
static bool reap(struct helper *h)
{
    for (;;) {
        int status;
        const pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid <= 0)
            return pid < 0 && errno == ECHILD;
        bool keeper = false;
        for (size_t i = 0; i < h->keepers && !keeper; i++) {
            keeper = h->keeper[i] == pid;
            if (keeper)
                h->keeper[i] = h->keeper[--h->keepers];
        }
        /* Also when an orphan ended: its children have come to us, and a sweep that read /proc
         * meanwhile may have missed them. */
        h->orphans |= !keeper || WIFSIGNALED(status);
    }
}

/* Kill what is below us and below no keeper. */
static void sweep(struct helper *h)
{
    struct procs tree = { 0 };

    if (procs_read(&tree, h->self, h->keeper, h->keepers)) {
        procs_signal(&tree, SIGKILL);
        h->orphans = tree.len > 0;
    }
    procs_release(&tree);
}

static void drain_signals(struct helper *h)
{
    struct signalfd_siginfo info;

    while (read(h->signals, &info, sizeof(info)) == sizeof(info))
        h->over |= info.ssi_signo == SIGUSR1;
}

static void serve(struct helper *h)
{
    uint64_t over_ms = 0;

    for (bool empty = true; !h->over || !empty; empty = reap(h)) {
        struct pollfd fds[] = { { .fd = h->over ? -1 : SOCKET_FD, .events = POLLIN },
                                { .fd = h->signals, .events = POLLIN } };
        int fd[DESCRIPTORS];

        (void)poll(fds, ARRAY_LEN(fds), h->orphans || h->over ? SWEEP_MS : -1);
        if (fds[1].revents)
            drain_signals(h);
        const int got = fds[0].revents ? receive(fd) : 0;
        if (got > 0)
            fork_keeper(h, fd);
        h->over |= got < 0;
        (void)reap(h);
        if (h->orphans)
            sweep(h);
        over_ms = h->over && over_ms == 0 ? clock_ms() : over_ms;
        if (h->over && clock_ms() - over_ms > LEAVE_MS)
            return;
    }
}

static int open_signals(void)
{
    static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE };
    sigset_t set;

    for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
        (void)signal(ignored[i], SIG_IGN); /* Ctrl-C is for the worker, which drains */
    (void)signal(SIGCHLD, SIG_DFL);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGCHLD);
    (void)sigaddset(&set, SIGUSR1);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

void spawn_helper_run(pid_t worker, int socket)
{
    struct helper h = { .self = getpid() };
    const int empty = open("/dev/null", O_RDWR | O_CLOEXEC);

    (void)prctl(PR_SET_NAME, "drover-spawner");
    if (socket != SOCKET_FD && dup2(socket, SOCKET_FD) != SOCKET_FD)
        return;
    if (empty >= 0) { /* standard error stays, for a message before the end */
        (void)dup2(empty, 0);
        (void)dup2(empty, 1);
    }
    (void)close_range(SOCKET_FD + 1, ~0u, 0); /* the worker's files are not ours */
    (void)fcntl(SOCKET_FD, F_SETFD, FD_CLOEXEC);
    h.signals = open_signals();
    if (h.signals < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) != 0 ||
        prctl(PR_SET_PDEATHSIG, SIGUSR1) != 0 || getppid() != worker)
        return;
    serve(&h);
}
