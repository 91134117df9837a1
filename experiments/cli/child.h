/* SPDX-License-Identifier: Apache-2.0 */
/* child.h - a daemon that this command started. It has a process group of its own, so that Ctrl-C
 * reaches only the command, which then stops its children in order; and it ends when the command is
 * gone, however it went, unless the command says goodbye first (common/base/parent.h). */
#ifndef EXPERIMENTS_CLI_CHILD_H
#define EXPERIMENTS_CLI_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/base/err.h"

enum { CHILD_ARGS_MAX = 16 };

struct child {
    pid_t pid;  /* 0: not running */
    int pipe;   /* open as long as we live */
    int status; /* as waitpid() gives it, once ended */
    char log[4096 + 64];
};

/* Start PROGRAM with ARGS (ended by NULL, without the name) and "--parent-fd N": a pipe that it
 * sees close when we end. Output is appended to LOG. ERR_NOT_FOUND, ERR_IO. */
int child_start(struct child *c, const char *program, const char *const *args, const char *log,
                struct err *err) MUST_CHECK;
/* Let it go on without us: it is no longer ours. */
void child_leave(struct child *c);
/* Does it run? Takes its status when it ended. */
bool child_running(struct child *c);
void child_signal(struct child *c, int signal); /* nothing when it does not run */
/* Did it end by its own decision, with an exit code that is not 0? Then starting it again in the
 * same way is no use. */
bool child_gave_up(const struct child *c);
/* "exit code 1", "signal 9 (Killed)". */
const char *child_fate(const struct child *c, char *out, size_t size);
/* The last line of its log, for an error; what does not fit is "..." at its end. SIZE >= 4. */
void child_last_words(const struct child *c, char *out, size_t size);

#endif
