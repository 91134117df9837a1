/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's side. */
#include "worker/spawn/spawn.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "worker/spawn/helper.h"
#include "worker/spawn/order.h"

struct spawner {
    pid_t pid;
    int socket; /* SOCK_SEQPACKET: a message is whole, whichever thread sends it */
};

int spawner_start(struct spawner **ret, struct err *err)
{
    int pair[2];

    *ret = NULL;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return err_errno(err, errno, "the socket to the helper that starts programs");
    const pid_t worker = getpid();
    const pid_t pid = fork();
    if (pid == 0) {
        (void)close(pair[0]);
        spawn_helper_run(worker, pair[1]);
        _exit(0);
    }
    (void)close(pair[1]);
    if (pid < 0) {
        (void)close(pair[0]);
        return err_errno(err, errno, "fork the helper that starts programs");
    }
    struct spawner *s = mem_calloc(1, sizeof(*s));
    s->pid = pid;
    s->socket = pair[0];
    *ret = s;
    return 0;
}

void spawner_free(struct spawner *s)
{
    if (s == NULL)
        return;
    (void)close(s->socket);
    while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    free(s);
}

pid_t spawner_pid(const struct spawner *s)
{
    return s->pid;
}

/* Hand the three descriptors of a program to the helper. */
static bool send_descriptors(int socket, const int fd[3])
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(3 * sizeof(int))];
    } control = { 0 };
    struct spawn_header h = spawn_header_of(SPAWN_MESSAGE_FORK, 0);
    struct iovec part = { .iov_base = &h, .iov_len = sizeof(h) };
    struct msghdr m = { .msg_iov = &part,
                        .msg_iovlen = 1,
                        .msg_control = control.bytes,
                        .msg_controllen = sizeof(control.bytes) };
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(3 * sizeof(int));
    memcpy(CMSG_DATA(c), fd, 3 * sizeof(int));
    ssize_t n;
    do
        n = sendmsg(socket, &m, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof(h);
}

static void no_block(int fd)
{
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
}

/* Six descriptors: ours in OURS, the program's in THEIRS, in the order control, output, metrics. */
static bool open_all(int ours[3], int theirs[3])
{
    int pair[2];

    for (int i = 0; i < 3; i++) {
        const int failed = i == 0 ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)
                                  : pipe2(pair, O_CLOEXEC);
        if (failed)
            return false;
        ours[i] = pair[0];
        theirs[i] = pair[1];
    }
    return true;
}

static void close_some(int *fd, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (fd[i] >= 0)
            (void)close(fd[i]);
}

int program_start(struct spawner *s, const struct spawn_order *o, struct program *ret,
                  struct err *err)
{
    struct buf bytes CLEANUP(buf_release) = { 0 };
    int ours[3] = { -1, -1, -1 }, theirs[3] = { -1, -1, -1 };

    *ret = (struct program){ .control = -1, .output = -1, .metrics = -1 };
    int rc = spawn_order_encode(o, &bytes, err);
    if (rc)
        return rc;
    if (!open_all(ours, theirs))
        rc = err_errno(err, errno, "pipes for the program %s", o->path);
    else if (!send_descriptors(s->socket, theirs))
        rc = err_set(err, ERR_IO, "the helper that starts programs is gone; restart the worker");
    close_some(theirs, 3);
    if (rc == 0 && !spawn_send(ours[0], bytes.data, bytes.len))
        rc = err_set(err, ERR_IO, "the helper that starts programs did not take %s", o->path);
    if (rc) {
        close_some(ours, 3);
        return rc;
    }
    *ret = (struct program){ .control = ours[0], .output = ours[1], .metrics = ours[2] };
    for (int i = 0; i < 3; i++)
        no_block(ours[i]);
    return 0;
}

void program_stop(struct program *p)
{
    const struct spawn_header h = spawn_header_of(SPAWN_MESSAGE_STOP, 0);

    (void)spawn_send(p->control, &h, sizeof(h)); /* when nobody takes it, the end is near */
}

int program_ended(struct program *p, bool *ret_ended, struct spawn_end *ret, struct err *err)
{
    static_assert(sizeof(struct spawn_header) + sizeof(struct spawn_end_body) <= sizeof(p->part),
                  "a message of an end is held whole");
    const size_t all = sizeof(struct spawn_header) + sizeof(struct spawn_end_body);
    struct spawn_header h;
    struct spawn_end_body body;

    *ret_ended = false;
    while (p->part_len < all) {
        ssize_t n = recv(p->control, p->part + p->part_len, all - p->part_len, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return 0;
        if (n <= 0)
            return err_set(err, ERR_IO,
                           "the process that watched the program was killed; so was the program");
        p->part_len += (size_t)n;
    }
    memcpy(&h, p->part, sizeof(h));
    memcpy(&body, p->part + sizeof(h), sizeof(body));
    if (!spawn_header_fits(&h, SPAWN_MESSAGE_END, sizeof(body)) || h.len != sizeof(body))
        return err_set(err, ERR_PROTO, "what watched the program sent a damaged message");
    *ret_ended = true;
    return spawn_end_decode(&body, ret, err);
}

void program_close(struct program *p)
{
    int fd[] = { p->control, p->output, p->metrics };

    close_some(fd, ARRAY_LEN(fd));
    *p = (struct program){ .control = -1, .output = -1, .metrics = -1 };
}
