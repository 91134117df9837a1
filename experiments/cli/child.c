/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/cli/child.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/parent.h"

struct start {
    const char *program;
    char *argv[CHILD_ARGS_MAX + 4];
    int log, null, pipe, report;
    pid_t parent;
};

/* Between fork and exec: only async-signal-safe calls. */
static _Noreturn void become(const struct start *s)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0);
    bool ok = getppid() == s->parent && dup2(s->null, 0) == 0 && dup2(s->log, 1) == 1 &&
              dup2(s->log, 2) == 2 && fcntl(s->pipe, F_SETFD, 0) == 0;
    if (ok)
        execv(s->program, s->argv);
    int failure = errno;
    ssize_t n = write(s->report, &failure, sizeof(failure));
    _exit(n == sizeof(failure) ? 127 : 126);
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

/* Fork, and wait until exec worked or says why not. */
static int launch(struct child *c, struct start *s, struct err *err)
{
    int report[2], failure = 0;

    if (pipe2(report, O_CLOEXEC) != 0)
        return err_errno(err, errno, "pipe");
    s->report = report[1];
    s->parent = getpid();
    pid_t pid = fork();
    if (pid == 0)
        become(s);
    close(report[1]);
    if (pid < 0) {
        close(report[0]);
        return err_errno(err, errno, "start %s", s->program);
    }
    ssize_t n = read(report[0], &failure, sizeof(failure));
    close(report[0]);
    if (n == sizeof(failure)) {
        waitpid(pid, NULL, 0);
        return err_errno(err, failure, "start %s", s->program);
    }
    c->pid = pid;
    return 0;
}

int child_start(struct child *c, const char *program, const char *const *args, const char *log,
                struct err *err)
{
    int log_fd CLEANUP(close_fd) = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    int null_fd CLEANUP(close_fd) = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int ends[2] = { -1, -1 };
    static char option[] = "--parent-fd";
    char number[16];
    size_t n = 0;

    *c = (struct child){ .pipe = -1 };
    snprintf(c->log, sizeof(c->log), "%s", log);
    if (log_fd < 0 || null_fd < 0)
        return err_errno(err, errno, "%s", log_fd < 0 ? log : "/dev/null");
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_errno(err, errno, "pipe");
    struct start s = { .program = program, .log = log_fd, .null = null_fd, .pipe = ends[0] };
    s.argv[n++] = (char *)program;
    for (; args[n - 1]; n++) {
        assert(n < CHILD_ARGS_MAX);
        s.argv[n] = (char *)args[n - 1];
    }
    snprintf(number, sizeof(number), "%d", ends[0]);
    s.argv[n++] = option;
    s.argv[n++] = number;
    int rc = launch(c, &s, err);
    close(ends[0]);
    if (rc)
        close(ends[1]);
    else
        c->pipe = ends[1];
    return rc;
}

void child_leave(struct child *c)
{
    const char word = PARENT_GOODBYE;

    if (c->pid == 0)
        return;
    (void)!write(c->pipe, &word, 1); /* a child that ended meanwhile needs no goodbye */
    close(c->pipe);
    *c = (struct child){ .pipe = -1 };
}

bool child_running(struct child *c)
{
    if (c->pid == 0)
        return false;
    pid_t got = waitpid(c->pid, &c->status, WNOHANG);
    if (got == 0 || (got < 0 && errno == EINTR))
        return true;
    c->pid = 0;
    if (c->pipe >= 0)
        close(c->pipe);
    c->pipe = -1;
    return false;
}

void child_signal(struct child *c, int signal)
{
    if (c->pid > 0)
        kill(c->pid, signal);
}

bool child_gave_up(const struct child *c)
{
    return WIFEXITED(c->status) && WEXITSTATUS(c->status) != 0;
}

const char *child_fate(const struct child *c, char *out, size_t size)
{
    if (WIFSIGNALED(c->status))
        snprintf(out, size, "signal %d (%s)", WTERMSIG(c->status), strsignal(WTERMSIG(c->status)));
    else
        snprintf(out, size, "exit code %d", WEXITSTATUS(c->status));
    return out;
}

void child_last_words(const struct child *c, char *out, size_t size)
{
    static const char more[] = "...";
    char tail[2048];
    FILE *f = fopen(c->log, "re");

    assert(size >= sizeof(more));
    *out = '\0';
    if (!f)
        return;
    if (fseek(f, -(long)sizeof(tail) + 1, SEEK_END) != 0)
        rewind(f);
    size_t len = fread(tail, 1, sizeof(tail) - 1, f);
    (void)fclose(f);
    while (len > 0 && tail[len - 1] == '\n')
        len--;
    tail[len] = '\0';
    const char *newline = strrchr(tail, '\n'), *line = newline ? newline + 1 : tail;
    if ((size_t)snprintf(out, size, "%s", line) >= size)
        memcpy(out + size - sizeof(more), more, sizeof(more));
}
