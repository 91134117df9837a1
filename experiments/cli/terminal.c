/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/cli/terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "common/base/macros.h"
#include "common/base/mem.h"

enum { ROWS_FALLBACK = 24, COLS_FALLBACK = 80, ROWS_MAX = 1000, COLS_MAX = 1000 };

/* Another screen, no cursor; and back. */
#define ENTER "\033[?1049h\033[?25l\033[m\033[2J"
#define LEAVE "\033[m\033[?25h\033[?1049l"

struct terminal {
    bool live, keys;
    struct termios before;
    sigset_t waiting; /* the signals that are blocked while it waits */
};

static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGTSTP };
static volatile sig_atomic_t leave, resized, stopped;

static void on_signal(int signal)
{
    if (signal == SIGWINCH)
        resized = 1;
    else if (signal == SIGTSTP)
        stopped = 1;
    else
        leave = 1;
}

void terminal_write(const char *bytes, size_t len)
{
    while (len > 0) {
        const ssize_t n = write(STDOUT_FILENO, bytes, len);

        if (n < 0 && errno != EINTR && errno != EAGAIN) {
            leave = 1;
            return;
        }
        bytes += MAX(n, 0);
        len -= (size_t)MAX(n, 0);
    }
}

/* Keys as they are pressed, without echo; Ctrl-C and Ctrl-Z stay signals. */
static void enter(struct terminal *t)
{
    struct termios raw = t->before;

    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_iflag &= ~(tcflag_t)(ICRNL | IXON);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    if (t->keys)
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
    if (t->live)
        terminal_write(ENTER, strlen(ENTER));
}

static void go_back(struct terminal *t)
{
    if (t->live)
        terminal_write(LEAVE, strlen(LEAVE));
    if (t->keys)
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &t->before);
}

struct terminal *terminal_open(bool live)
{
    const struct sigaction action = { .sa_handler = on_signal };
    struct terminal *t = mem_calloc(1, sizeof(*t));
    sigset_t mine;

    sigemptyset(&mine);
    for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
        sigaddset(&mine, signals[i]);
        (void)sigaction(signals[i], &action, NULL);
    }
    (void)sigprocmask(SIG_BLOCK, &mine, &t->waiting);
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        sigdelset(&t->waiting, signals[i]);
    t->live = live;
    t->keys = live && isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) == getpgrp() &&
              tcgetattr(STDIN_FILENO, &t->before) == 0;
    enter(t);
    return t;
}

void terminal_close(struct terminal *t)
{
    if (!t)
        return;
    go_back(t);
    free(t);
}

bool terminal_keys(const struct terminal *t)
{
    return t->keys;
}

void terminal_size(size_t *ret_rows, size_t *ret_cols)
{
    struct winsize size;

    *ret_rows = ROWS_FALLBACK;
    *ret_cols = COLS_FALLBACK;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0)
        return;
    *ret_rows = MIN(size.ws_row, ROWS_MAX);
    *ret_cols = MIN(size.ws_col, COLS_MAX);
}

/* Ctrl-Z: the shell gets its terminal back until it says SIGCONT. */
static void stop(struct terminal *t)
{
    go_back(t);
    (void)raise(SIGSTOP);
    enter(t);
}

static unsigned take_signals(struct terminal *t)
{
    unsigned events = 0;

    if (stopped && t->live) {
        stopped = 0;
        stop(t);
        events |= TERMINAL_FRESH;
    }
    if (resized)
        events |= TERMINAL_FRESH;
    resized = 0;
    if (leave)
        events |= TERMINAL_LEAVE;
    return events;
}

unsigned terminal_wait(struct terminal *t, int fd, int ms, char *keys, size_t size, size_t *ret_len)
{
    struct pollfd in[2] = { { .fd = fd, .events = POLLIN },
                            { .fd = STDIN_FILENO, .events = POLLIN } };
    const struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };
    unsigned events = 0;
    ssize_t n;

    *ret_len = 0;
    if (!leave && ppoll(in, t->keys ? 2 : 1, ms < 0 ? NULL : &time, &t->waiting) > 0) {
        if (in[0].revents)
            events |= TERMINAL_READY;
        if (t->keys && in[1].revents) {
            n = read(STDIN_FILENO, keys, size);
            *ret_len = (size_t)MAX(n, 0);
            events |= n > 0 ? TERMINAL_KEYS : TERMINAL_LEAVE;
        }
    }
    return events | take_signals(t);
}
