/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/cli/git.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/mem.h"

/* The head of the answer is some 200 bytes; behind it one changed file is enough. */
enum { WAIT_MS = 2000, ANSWER_MAX = 64 * 1024 };

extern char **environ;

/* The environment, but that git takes no lock (it would refresh its index), looks nowhere but from
 * the folder upwards, and speaks English. */
static char **make_environment(void)
{
    static char locks[] = "GIT_OPTIONAL_LOCKS=0", language[] = "LC_ALL=C";
    size_t len = 0, kept = 0;

    while (environ[len])
        len++;
    char **out = mem_calloc(len + 3, sizeof(*out));
    for (size_t i = 0; i < len; i++)
        if (strncmp(environ[i], "GIT_", 4) != 0 && strncmp(environ[i], "LC_ALL=", 7) != 0)
            out[kept++] = environ[i];
    out[kept++] = locks;
    out[kept] = language;
    return out;
}

/* Starts git with its output into *RET_FD; 0 when that fails. */
static pid_t start(const char *folder, int *ret_fd)
{
    static const char *const words[] = {
        "git", "-C", NULL, "status", "--porcelain=2", "--branch", "--untracked-files=normal",
        "--",  ".",  NULL
    };
    char *argv[ARRAY_LEN(words)];
    char **environment CLEANUP(mem_cleanup) = make_environment();
    posix_spawn_file_actions_t actions;
    int pipe_fd[2];
    pid_t pid = 0;

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        argv[i] = (char *)words[i];
    argv[2] = (char *)folder;
    if (pipe2(pipe_fd, O_CLOEXEC) != 0)
        return 0;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, pipe_fd[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    if (posix_spawnp(&pid, "git", &actions, NULL, argv, environment) != 0)
        pid = 0;
    posix_spawn_file_actions_destroy(&actions);
    close(pipe_fd[1]);
    *ret_fd = pipe_fd[0];
    if (!pid)
        close(pipe_fd[0]);
    return pid;
}

/* All of its output; false when that takes too long. More than ANSWER_MAX is cut. */
static bool read_answer(int fd, struct buf *out)
{
    const uint64_t until = clock_ms() + WAIT_MS;

    while (out->len < ANSWER_MAX) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        const uint64_t now = clock_ms();
        int ready = now < until ? poll(&p, 1, (int)(until - now)) : 0;

        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return false;
        ssize_t got = read(fd, buf_reserve(out, 4096), 4096);
        if (got <= 0)
            return got == 0;
        out->len += (size_t)got;
        out->data[out->len] = '\0';
    }
    return true;
}

/* What stands behind "# KEY " in a line of TEXT, up to its end; "" when it is not there. */
static void take(const char *text, const char *key, char *out, size_t size)
{
    const char *at = strstr(text, key);

    *out = '\0';
    if (at)
        snprintf(out, size, "%.*s", (int)strcspn(at + strlen(key), "\n"), at + strlen(key));
    for (char *c = out; *c; c++)
        if (*c == ' ')
            *c = '-'; /* "(no branch)": the state's words are separated by blanks */
}

static bool has_changes(const char *text)
{
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n')
        if (*line != '#' && *line != '\n')
            return true;
    return false;
}

const char *cli_git_state(const char *folder, char out[GIT_STATE_MAX])
{
    struct buf answer CLEANUP(buf_release) = { 0 };
    char commit[80], branch[120];
    int fd = -1, status = 0;

    *out = '\0';
    pid_t pid = start(*folder ? folder : ".", &fd);
    if (!pid)
        return out;
    bool whole = read_answer(fd, &answer);
    close(fd);
    if (!whole || answer.len >= ANSWER_MAX)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    const bool ended_well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!whole || (!ended_well && answer.len < ANSWER_MAX))
        return out;
    take(buf_str(&answer), "# branch.oid ", commit, sizeof(commit));
    take(buf_str(&answer), "# branch.head ", branch, sizeof(branch));
    if (*commit)
        snprintf(out, GIT_STATE_MAX, "%s %s %s", commit, *branch ? branch : "-",
                 has_changes(buf_str(&answer)) ? "changed" : "clean");
    return out;
}
