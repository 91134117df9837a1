/* SPDX-License-Identifier: Apache-2.0 */
/* terminal.h - the whole of a terminal for a picture: another screen, keys one by one, and all as
 * it was when it ends, also by a signal. */
#ifndef EXPERIMENTS_CLI_TERMINAL_H
#define EXPERIMENTS_CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

/* LIVE: take the terminal (standard output is one); else nothing is touched, and only signals are
 * waited for. One at a time; SIGINT, SIGTERM, SIGHUP, SIGWINCH and SIGTSTP are taken over, and
 * blocked but for terminal_wait(): start other threads before with all signals blocked. */
struct terminal;
struct terminal *terminal_open(bool live);
void terminal_close(struct terminal *t); /* NULL is fine */

bool terminal_keys(const struct terminal *t); /* standard input brings keys */
void terminal_size(size_t *ret_rows, size_t *ret_cols);
/* In one write. */
void terminal_write(const char *bytes, size_t len);

enum terminal_event {
    TERMINAL_KEYS = 1,  /* *RET_LEN bytes were typed */
    TERMINAL_READY = 2, /* FD can be read */
    TERMINAL_FRESH = 4, /* another size, or back after a stop: the screen is empty */
    TERMINAL_LEAVE = 8, /* a signal asks to end, or nobody is there any more */
};
/* Wait for one of them, at most MS (-1: for ever): a set of bits, 0 when the time is over. */
unsigned terminal_wait(struct terminal *t, int fd, int ms, char *keys, size_t size,
                       size_t *ret_len);

#endif
