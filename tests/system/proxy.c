/* SPDX-License-Identifier: Apache-2.0 */
/* proxy HOST:PORT [LISTEN-PORT]: a bad network between a worker and its coordinator, in user space,
 * for machines where namespaces and packet filters are not to be had. Prints the port it listens on
 * (127.0.0.1), then obeys lines of standard input, each answered by "ok":
 *
 *   cut           end all connections (both sides learn it); further ones are made
 *   refuse        end all connections and accept none until "open"
 *   halve         end the connections towards the coordinator; the worker's side stays open and
 * hears nothing: half-open hold up       bytes to the coordinator wait (one-way); "hold down" those
 * to the worker, "hold both" all: a partition delay MS      each piece of bytes waits so long open
 * back to a good network: what was held goes on stop N        like cut once N more bytes have gone
 * up: in the middle of a message
 *
 * Ends with its standard input. One thread, poll; bytes wait in bounded buffers, so a held sender
 * feels a full socket. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/macros.h"

enum { LINKS_MAX = 64, PIECES = 64, PIECE_BYTES = 16384, UP = 0, DOWN = 1 };

struct piece {
    uint64_t due_ms;
    size_t len, sent;
    char bytes[PIECE_BYTES];
};

/* One direction of a link: from fd[way] to fd[!way], a ring of pieces. */
struct pipe {
    struct piece *piece; /* PIECES of them */
    size_t first, count;
    bool ended; /* no more bytes will come */
};

struct link {
    int fd[2]; /* [UP]: the worker's, read for UP; [DOWN]: the coordinator's; -1: closed */
    struct pipe pipe[2];
};

static struct {
    struct sockaddr_in target;
    struct link link[LINKS_MAX];
    int listener;
    bool hold[2], refuse;
    uint64_t delay_ms;
    int64_t stop_after; /* bytes up; below 0: never */
} p = { .stop_after = -1 };

static void set_up(int fd)
{
    int one = 1;

    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static void end_fd(int *fd)
{
    /* At once, as a host that restarted would: what the other side sends is answered by a reset. */
    struct linger now = { .l_onoff = 1 };

    if (*fd < 0)
        return;
    (void)setsockopt(*fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    (void)close(*fd);
    *fd = -1;
}

static void end_link(struct link *l)
{
    for (int way = 0; way < 2; way++) {
        end_fd(&l->fd[way]);
        free(l->pipe[way].piece);
        l->pipe[way] = (struct pipe){ 0 };
    }
}

static void end_links(void)
{
    for (size_t i = 0; i < LINKS_MAX; i++)
        end_link(&p.link[i]);
}

static void accept_one(void)
{
    int fd = accept(p.listener, NULL, NULL);
    struct link *l = NULL;

    if (fd < 0)
        return;
    for (size_t i = 0; i < LINKS_MAX && !l; i++)
        if (p.link[i].fd[UP] < 0 && p.link[i].fd[DOWN] < 0)
            l = &p.link[i];
    int out = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    /* On one machine a connection is made or refused at once. */
    if (!l || p.refuse || out < 0 || connect(out, (struct sockaddr *)&p.target, sizeof(p.target))) {
        end_fd(&fd);
        end_fd(&out);
        return;
    }
    set_up(fd);
    set_up(out);
    end_link(l);
    l->fd[UP] = fd;
    l->fd[DOWN] = out;
    for (int way = 0; way < 2; way++)
        l->pipe[way].piece = calloc(PIECES, sizeof(struct piece));
}

static void take(struct link *l, int way, uint64_t now_ms)
{
    struct pipe *x = &l->pipe[way];
    struct piece *piece = &x->piece[(x->first + x->count) % PIECES];
    ssize_t n = read(l->fd[way], piece->bytes, PIECE_BYTES);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        x->ended = true;
        return;
    }
    if (way == UP && p.stop_after >= 0) {
        n = n < p.stop_after ? n : (ssize_t)p.stop_after;
        p.stop_after -= n;
        x->ended = p.stop_after == 0;
    }
    piece->len = (size_t)n;
    piece->sent = 0;
    piece->due_ms = now_ms + p.delay_ms;
    x->count += n > 0;
}

/* False: the link is over. */
static bool give(struct link *l, int way, uint64_t now_ms)
{
    struct pipe *x = &l->pipe[way];

    while (x->count > 0 && !p.hold[way] && l->fd[!way] >= 0) {
        struct piece *piece = &x->piece[x->first];
        if (piece->due_ms > now_ms)
            return true;
        ssize_t n =
            send(l->fd[!way], piece->bytes + piece->sent, piece->len - piece->sent, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        piece->sent += (size_t)n;
        if (piece->sent < piece->len)
            return true;
        x->first = (x->first + 1) % PIECES;
        x->count--;
    }
    /* A partition hides the end of a connection too. */
    return !x->ended || x->count > 0 || p.hold[way];
}

static void command(const char *line)
{
    long long number = 0;

    if (strcmp(line, "cut") == 0 || strcmp(line, "refuse") == 0) {
        p.refuse = line[0] == 'r';
        end_links();
    } else if (strcmp(line, "halve") == 0) {
        for (size_t i = 0; i < LINKS_MAX; i++)
            end_fd(&p.link[i].fd[DOWN]);
    } else if (strncmp(line, "hold ", 5) == 0) {
        p.hold[UP] = strcmp(line + 5, "down") != 0;
        p.hold[DOWN] = strcmp(line + 5, "up") != 0;
    } else if (sscanf(line, "delay %lld", &number) == 1) {
        p.delay_ms = (uint64_t)number;
    } else if (sscanf(line, "stop %lld", &number) == 1) {
        p.stop_after = number;
    } else if (strcmp(line, "open") == 0) {
        p.hold[UP] = p.hold[DOWN] = p.refuse = false;
        p.delay_ms = 0;
        p.stop_after = -1;
        /* A half-open connection ends when its host says so at last. */
        for (size_t i = 0; i < LINKS_MAX; i++)
            if (p.link[i].fd[UP] >= 0 && p.link[i].fd[DOWN] < 0)
                end_link(&p.link[i]);
    } else {
        printf("what is \"%s\"?\n", line);
        return;
    }
    printf("ok\n");
}

static bool obey(void)
{
    static char line[256];
    static size_t len;
    ssize_t n = read(STDIN_FILENO, line + len, sizeof(line) - 1 - len);

    if (n <= 0)
        return false;
    len += (size_t)n;
    for (char *end; (end = memchr(line, '\n', len)) != NULL;) {
        *end = '\0';
        command(line);
        len -= (size_t)(end + 1 - line);
        memmove(line, end + 1, len);
    }
    return len < sizeof(line) - 1;
}

static void turn(struct link *l, const struct pollfd *f, uint64_t now_ms)
{
    bool over = false;

    for (int way = 0; way < 2; way++) {
        struct pipe *x = &l->pipe[way];
        if (l->fd[way] >= 0 && f[way].revents && x->count < PIECES && !x->ended)
            take(l, way, now_ms);
        over = !give(l, way, now_ms) || over;
    }
    if (over)
        end_link(l);
    if (p.stop_after == 0) {
        p.stop_after = -1;
        end_links();
    }
}

static void loop(void)
{
    static struct pollfd f[2 + 2 * LINKS_MAX];

    for (;;) {
        bool wait = p.delay_ms > 0;

        f[0] = (struct pollfd){ .fd = STDIN_FILENO, .events = POLLIN };
        f[1] = (struct pollfd){ .fd = p.listener, .events = POLLIN };
        for (size_t i = 0; i < LINKS_MAX; i++)
            for (int way = 0; way < 2; way++) {
                const struct link *l = &p.link[i];
                const struct pipe *in = &l->pipe[way], *out = &l->pipe[!way];
                bool reads = in->piece && in->count < PIECES && !in->ended;
                bool writes = out->count > 0 && !p.hold[!way];
                wait = wait || writes;
                f[2 + 2 * i + (size_t)way] =
                    (struct pollfd){ .fd = reads || writes ? l->fd[way] : -1,
                                     .events = (short)((reads ? POLLIN : 0)) };
            }
        if (poll(f, ARRAY_LEN(f), wait ? 5 : 200) < 0 && errno != EINTR)
            return;
        uint64_t now_ms = clock_ms();
        if (f[0].revents && !obey())
            return;
        if (f[1].revents)
            accept_one();
        for (size_t i = 0; i < LINKS_MAX; i++)
            if (p.link[i].pipe[UP].piece)
                turn(&p.link[i], &f[2 + 2 * i], now_ms);
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof(here);
    char host[64];
    unsigned port;

    if (argc < 2 || sscanf(argv[1], "%63[^:]:%u", host, &port) != 2 || port > 65535 ||
        inet_pton(AF_INET, host, &p.target.sin_addr) != 1) {
        fprintf(stderr, "usage: proxy HOST:PORT [LISTEN-PORT]\n");
        return 2;
    }
    p.target.sin_family = AF_INET;
    p.target.sin_port = htons((uint16_t)port);
    here.sin_port = htons((uint16_t)(argc > 2 ? strtoul(argv[2], NULL, 10) : 0));
    for (size_t i = 0; i < LINKS_MAX; i++)
        p.link[i].fd[UP] = p.link[i].fd[DOWN] = -1;
    p.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (p.listener < 0 || bind(p.listener, (struct sockaddr *)&here, sizeof(here)) ||
        listen(p.listener, 64) || getsockname(p.listener, (struct sockaddr *)&here, &len)) {
        perror("proxy");
        return 1;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    printf("%u\n", ntohs(here.sin_port));
    loop();
    end_links();
    return 0;
}
