/* SPDX-License-Identifier: Apache-2.0 */
/* screen.c - lines that replace each other on a terminal. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "experiments/cli/operate.h"

enum { LINES_FALLBACK = 24, COLUMNS_FALLBACK = 80 };

struct screen {
    bool live, keys; /* keys: standard input is a terminal, which we have changed */
    struct termios before;
    size_t drawn;
};

static volatile sig_atomic_t ended;

static void on_signal(int signal)
{
    (void)signal;
    ended = 1;
}

struct screen *screen_new(void)
{
    const struct sigaction action = { .sa_handler = on_signal };
    struct screen *s = mem_calloc(1, sizeof(*s));
    const char *term = getenv("TERM");
    struct termios raw;

    s->live = isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0;
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    s->keys = s->live && isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) == getpgrp() &&
              tcgetattr(STDIN_FILENO, &s->before) == 0;
    if (s->keys) {
        raw = s->before;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    if (s->live)
        fputs("\033[?25l", stdout); /* no cursor */
    return s;
}

void screen_free(struct screen *s)
{
    if (!s)
        return;
    if (s->live)
        fputs("\033[?25h", stdout);
    (void)fflush(stdout);
    if (s->keys)
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &s->before);
    free(s);
}

bool screen_live(const struct screen *s)
{
    return s->live;
}

static struct winsize size_of(void)
{
    struct winsize size = { .ws_row = 0 };

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row < 4 || size.ws_col < 20) {
        size.ws_row = LINES_FALLBACK;
        size.ws_col = COLUMNS_FALLBACK;
    }
    return size;
}

size_t screen_lines(const struct screen *s)
{
    return s->live ? size_of().ws_row - 1u : SIZE_MAX;
}

size_t screen_columns(const struct screen *s)
{
    return s->live ? size_of().ws_col : SIZE_MAX;
}

/* Characters, not bytes; a line that is wider would take two. */
static size_t fitting(const char *line, size_t len, size_t columns)
{
    size_t shown = 0;

    for (size_t i = 0; i < len; i++) {
        shown += ((unsigned char)line[i] & 0xc0) != 0x80;
        if (shown > columns)
            return i;
    }
    return len;
}

/* Names come from anybody: none of them moves the cursor. */
static void write_line(const char *line, size_t len)
{
    for (size_t i = 0; i < len; i++)
        putchar((unsigned char)line[i] < ' ' || line[i] == 0x7f ? '?' : line[i]);
}

void screen_draw(struct screen *s, const char *text)
{
    const size_t lines = screen_lines(s), columns = screen_columns(s);

    if (s->live && s->drawn)
        printf("\033[%zuA\r", s->drawn);
    s->drawn = 0;
    while (*text && s->drawn < lines) {
        const size_t len = strcspn(text, "\n");

        write_line(text, fitting(text, len, columns));
        fputs(s->live ? "\033[K\n" : "\n", stdout);
        text += len + (text[len] == '\n');
        s->drawn++;
    }
    if (s->live)
        fputs("\033[J", stdout);
    (void)fflush(stdout);
}

/* Was it q? */
static bool read_key(struct screen *s)
{
    char c = 0;

    if (read(STDIN_FILENO, &c, 1) <= 0)
        s->keys = false;                   /* nobody is there any more */
    return c == 'q' || c == 'Q' || c == 4; /* Ctrl-D */
}

bool screen_wait(struct screen *s, unsigned ms)
{
    const uint64_t until = clock_ms() + ms;

    while (!ended) {
        const uint64_t now = clock_ms();
        struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };

        if (now >= until)
            break;
        if (poll(&in, s->keys ? 1 : 0, (int)(until - now)) > 0 && read_key(s))
            return false;
    }
    return !ended;
}
