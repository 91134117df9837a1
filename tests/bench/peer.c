/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/peer.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/mem.h"

struct peer {
    pid_t pid;
    FILE *to, *from;
    char *line;
    size_t room;
};

static cpu_set_t cores;
static bool cores_kept;

void peer_keep_cores(void)
{
    cores_kept = cores_kept || sched_getaffinity(0, sizeof(cores), &cores) == 0;
}

static void become(const char *const *argv, const char *const *env, int in, int out)
{
    for (size_t i = 0; env && env[i]; i++)
        (void)putenv((char *)env[i]);
    if (cores_kept && sched_setaffinity(0, sizeof(cores), &cores) != 0)
        _exit(127);
    if (in >= 0 && (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0))
        _exit(127);
    execv(argv[0], (char **)argv);
    _exit(127);
}

struct peer *peer_start(const char *const *argv, const char *const *env)
{
    int in[2], out[2];
    struct peer *p;

    (void)signal(SIGPIPE, SIG_IGN); /* a peer that is gone is an answer of NULL */
    if (pipe2(in, O_CLOEXEC) < 0)
        return NULL;
    if (pipe2(out, O_CLOEXEC) < 0) {
        close(in[0]);
        close(in[1]);
        return NULL;
    }
    p = mem_calloc(1, sizeof(*p));
    p->pid = fork();
    if (p->pid == 0)
        become(argv, env, in[0], out[1]);
    close(in[0]);
    close(out[1]);
    p->to = fdopen(in[1], "w");
    p->from = fdopen(out[0], "r");
    return p;
}

const char *peer_ask(struct peer *p, const char *question)
{
    ssize_t len;

    if (p->pid < 0 || fprintf(p->to, "%s\n", question) < 0 || fflush(p->to) != 0)
        return NULL;
    len = getline(&p->line, &p->room, p->from);
    return len > 0 ? p->line : NULL;
}

void peer_stop(struct peer *p)
{
    if (!p)
        return;
    fclose(p->to); /* the end of its input ends it */
    fclose(p->from);
    if (p->pid > 0)
        (void)waitpid(p->pid, NULL, 0);
    free(p->line);
    free(p);
}

bool peer_run(const char *const *argv)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0)
        become(argv, NULL, -1, -1);
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

void peer_beside(char *path, size_t size, const char *name)
{
    ssize_t len = readlink("/proc/self/exe", path, size - 1);
    char *slash;

    path[MAX(len, (ssize_t)0)] = '\0';
    slash = strrchr(path, '/');
    len = slash ? slash + 1 - path : 0;
    snprintf(path + len, size - (size_t)len, "%s", name);
}
