/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/launch/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"

extern char **environ;

enum { IN, OUT, ERRORS, PIPES };

struct pipes {
    int ours[PIPES], theirs[PIPES]; /* -1: closed */
};

static void shut(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static void shut_all(struct pipes *p)
{
    for (int i = 0; i < PIPES; i++) {
        shut(&p->ours[i]);
        shut(&p->theirs[i]);
    }
}

static int open_pipes(struct pipes *p, struct err *err)
{
    for (int i = 0; i < PIPES; i++)
        p->ours[i] = p->theirs[i] = -1;
    for (int i = 0; i < PIPES; i++) {
        int fd[2];

        if (pipe2(fd, O_CLOEXEC) < 0)
            return err_errno(err, errno, "pipe");
        p->ours[i] = fd[i == IN];
        p->theirs[i] = fd[i != IN];
        (void)fcntl(p->ours[i], F_SETFL, O_NONBLOCK);
    }
    return 0;
}

static int start(const char *const *argv, const struct pipes *p, pid_t *ret, struct err *err)
{
    posix_spawn_file_actions_t actions;
    int rc;

    posix_spawn_file_actions_init(&actions);
    for (int i = 0; i < PIPES; i++)
        posix_spawn_file_actions_adddup2(&actions, p->theirs[i], i);
    rc = posix_spawnp(ret, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (rc == ENOENT)
        return err_set(err, ERR_NOT_FOUND, "there is no program %s on this computer (PATH)",
                       argv[0]);
    return rc == 0 ? 0 : err_errno(err, rc, "start %s", argv[0]);
}

/* One read; false: its end. */
static bool take(int fd, struct buf *to)
{
    char piece[4096];
    ssize_t n = read(fd, piece, sizeof(piece));

    if (n > 0 && to->len < PROGRAM_OUTPUT_MAX)
        buf_add(to, piece, (size_t)n);
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* False: it takes no more. */
static bool give(int fd, const char *input, size_t len, size_t *at)
{
    ssize_t n = *at < len ? write(fd, input + *at, len - *at) : 0;

    if (n > 0)
        *at += (size_t)n;
    return *at < len && (n > 0 || errno == EAGAIN || errno == EINTR);
}

/* Until it has closed its output; false: out of time. */
static bool talk(struct pipes *p, const char *input, size_t len, uint64_t until_ms,
                 struct program_end *e)
{
    size_t at = 0;

    if (len == 0)
        shut(&p->ours[IN]);
    while (p->ours[OUT] >= 0 || p->ours[ERRORS] >= 0) {
        struct pollfd f[PIPES];
        const uint64_t now = clock_ms();

        for (int i = 0; i < PIPES; i++)
            f[i] = (struct pollfd){ .fd = p->ours[i], .events = i == IN ? POLLOUT : POLLIN };
        if (now >= until_ms || (poll(f, PIPES, (int)(until_ms - now)) < 0 && errno != EINTR))
            return false;
        if (f[IN].revents && !give(p->ours[IN], input, len, &at))
            shut(&p->ours[IN]);
        if (f[OUT].revents && !take(p->ours[OUT], &e->out))
            shut(&p->ours[OUT]);
        if (f[ERRORS].revents && !take(p->ours[ERRORS], &e->err))
            shut(&p->ours[ERRORS]);
    }
    return true;
}

void program_release(struct program_end *e)
{
    buf_release(&e->out);
    buf_release(&e->err);
}

int program_run(const char *const *argv, const char *input, size_t input_len, uint32_t time_ms,
                struct program_end *ret, struct err *err)
{
    const struct sigaction ignore = { .sa_handler = SIG_IGN };
    struct sigaction before;
    struct pipes p;
    pid_t pid = 0;
    int status = 0;
    bool whole = false;
    int rc = open_pipes(&p, err);

    *ret = (struct program_end){ .code = 0 };
    if (rc == 0)
        rc = start(argv, &p, &pid, err);
    for (int i = 0; i < PIPES; i++)
        shut(&p.theirs[i]);
    if (rc == 0) {
        (void)sigaction(SIGPIPE, &ignore, &before); /* it may not want all of its input */
        whole = talk(&p, input, input_len, clock_ms() + time_ms, ret);
        (void)sigaction(SIGPIPE, &before, NULL);
        if (!whole)
            (void)kill(pid, SIGKILL);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            continue;
    }
    shut_all(&p);
    if (rc == 0 && !whole)
        rc = err_set(err, ERR_TIMEOUT, "%s took longer than %u s and was ended", argv[0],
                     time_ms / 1000);
    ret->code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return rc;
}

int program_failed(const char *name, const struct program_end *e, struct err *err)
{
    const char *said = e->err.len ? buf_str((struct buf *)(uintptr_t)&e->err)
                                  : buf_str((struct buf *)(uintptr_t)&e->out);

    return err_set(err, ERR_INVALID, "%s failed (exit code %d): %.*s", name, e->code,
                   (int)strcspn(said, "\n"), said);
}
