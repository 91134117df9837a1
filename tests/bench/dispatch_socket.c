/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/dispatch_socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "tests/bench/group_store.h"

enum { START_MS = 5000, CREW_MAX = 4 };

static struct sockaddr_in loopback(uint16_t port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

/* ---- servers ---- */

bool daemon_prepare(struct daemon_peer *d)
{
    struct sockaddr_in a = loopback(0);
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool good = bind(fd, (struct sockaddr *)&a, len) == 0 &&
                getsockname(fd, (struct sockaddr *)&a, &len) == 0;

    close(fd);
    *d = (struct daemon_peer){ .port = ntohs(a.sin_port) };
    snprintf(d->port_text, sizeof d->port_text, "%u", d->port);
    return good && scratch_open(&d->scratch);
}

bool daemon_start(struct daemon_peer *d, const char *const *argv)
{
    struct wire_peer *w;
    pid_t parent = getpid();
    bool there = false;

    if (access(argv[0], X_OK) != 0)
        return false;
    d->pid = fork();
    if (d->pid == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
            _exit(127);
        execv(argv[0], (char **)argv);
        _exit(127);
    }
    w = malloc(sizeof *w);
    for (int ms = 0; w && !there && ms < START_MS; ms++) {
        there = wire_open(w, d->port);
        if (there)
            wire_close(w);
        else if (waitpid(d->pid, NULL, WNOHANG) == d->pid)
            d->pid = 0;
        if (d->pid == 0)
            break;
        if (!there)
            clock_sleep_ms(1);
    }
    free(w);
    return there;
}

void daemon_stop(struct daemon_peer *d)
{
    if (d->pid > 0) {
        (void)kill(d->pid, SIGKILL);
        (void)waitpid(d->pid, NULL, 0);
    }
    scratch_close(&d->scratch);
}

/* ---- connections ---- */

bool wire_open(struct wire_peer *w, uint16_t port)
{
    struct sockaddr_in a = loopback(port);
    int on = 1;

    w->in_at = w->in_len = w->out_len = 0;
    w->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (w->fd >= 0 && connect(w->fd, (struct sockaddr *)&a, sizeof a) == 0 &&
        setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0)
        return true;
    wire_close(w);
    return false;
}

void wire_close(struct wire_peer *w)
{
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
}

bool wire_flush(struct wire_peer *w)
{
    size_t at = 0;

    while (at < w->out_len) {
        ssize_t n = send(w->fd, w->out + at, w->out_len - at, MSG_NOSIGNAL);

        if (n <= 0)
            return false;
        at += (size_t)n;
    }
    w->out_len = 0;
    return true;
}

void wire_put(struct wire_peer *w, const void *bytes, size_t len)
{
    if (w->out_len + len > sizeof w->out)
        (void)wire_flush(w); /* a broken connection is seen by the next read */
    memcpy(w->out + w->out_len, bytes, len);
    w->out_len += len;
}

static bool receive(struct wire_peer *w)
{
    ssize_t n;

    if (w->in_at > 0) {
        memmove(w->in, w->in + w->in_at, w->in_len - w->in_at);
        w->in_len -= w->in_at;
        w->in_at = 0;
    }
    n = recv(w->fd, w->in + w->in_len, sizeof w->in - w->in_len, 0);
    if (n <= 0)
        return false;
    w->in_len += (size_t)n;
    return true;
}

const uint8_t *wire_take(struct wire_peer *w, size_t len)
{
    while (w->in_len - w->in_at < len)
        if (!receive(w))
            return NULL;
    w->in_at += len;
    return w->in + w->in_at - len;
}

const char *wire_line(struct wire_peer *w)
{
    for (;;) {
        uint8_t *begin = w->in + w->in_at, *end = memmem(begin, w->in_len - w->in_at, "\r\n", 2);

        if (end) {
            *end = '\0';
            w->in_at = (size_t)(end + 2 - w->in);
            return (const char *)begin;
        }
        if (!receive(w))
            return NULL;
    }
}

bool wire_waiting(const struct wire_peer *w)
{
    return w->in_len > w->in_at;
}

/* ---- children ---- */

struct crew {
    int ready, go; /* a child writes a byte to one, then waits for the end of the other */
};

void crew_ready(struct crew *c)
{
    char byte = 0;

    if (write(c->ready, &byte, 1) == 1)
        (void)!read(c->go, &byte, 1);
}

static bool gather(const pid_t *pid, size_t count)
{
    bool good = true;

    for (size_t i = 0; i < count; i++) {
        int status = 1;

        good &= pid[i] > 0 && waitpid(pid[i], &status, 0) == pid[i] && WIFEXITED(status) &&
                WEXITSTATUS(status) == 0;
    }
    return good;
}

double crew_run(size_t count, crew_fn fn, void *arg)
{
    int ready[2], go[2];
    pid_t pid[CREW_MAX], parent = getpid();
    double start;
    bool good = true;

    if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(go, O_CLOEXEC) < 0)
        return NAN;
    for (size_t i = 0; i < count && i < CREW_MAX; i++) {
        pid[i] = fork();
        if (pid[i] == 0) {
            struct crew c = { ready[1], go[0] };

            (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
            close(go[1]);
            close(ready[0]);
            _exit(getppid() == parent && fn(&c, i, arg) ? 0 : 1);
        }
    }
    close(ready[1]);
    close(go[0]);
    for (size_t i = 0; i < count; i++) {
        char byte;

        good &= read(ready[0], &byte, 1) == 1; /* fewer when a child failed before */
    }
    start = store_seconds();
    close(go[1]);
    good &= gather(pid, count);
    close(ready[0]);
    return good ? store_seconds() - start : NAN;
}
