/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/spawn/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct failure {
    int step, number;
};

/* Descriptors 0 to 3 are the program's; what it gets must not lie there before. */
static int above(int fd)
{
    return fcntl(fd, F_DUPFD_CLOEXEC, 16);
}

static void default_signals(void)
{
    sigset_t none;

    for (int i = 1; i < NSIG; i++)
        (void)signal(i, SIG_DFL); /* some cannot be set: they are as they should be */
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* When memory runs out the kernel shall end the program, not the worker. */
static void first_to_go(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    (void)!write(fd, "500", 3); /* a help only */
    (void)close(fd);
}

static bool place_descriptors(int output, int metrics)
{
    const int empty = open("/dev/null", O_RDONLY | O_CLOEXEC);

    return empty >= 0 && dup2(above(empty), 0) == 0 && dup2(output, 1) == 1 &&
           dup2(output, 2) == 2 && dup2(metrics, 3) == 3 &&
           close_range(4, ~0u, CLOSE_RANGE_CLOEXEC) == 0;
}

/* The child: returns only when it failed. */
static struct failure become(const struct spawn_order *o, int output, int metrics, pid_t keeper)
{
    const struct rlimit no_core = { 0, 0 };

    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != keeper || setsid() < 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !place_descriptors(output, metrics))
        return (struct failure){ SPAWN_AT_FORK, errno };
    default_signals();
    (void)setrlimit(RLIMIT_CORE, &no_core);
    first_to_go();
    if (chdir(o->cwd) != 0)
        return (struct failure){ SPAWN_AT_CWD, errno };
    (void)execve(o->path, (char *const *)(uintptr_t)o->argv, (char *const *)(uintptr_t)o->env);
    return (struct failure){ SPAWN_AT_EXEC, errno };
}

int spawn_launch(const struct spawn_order *o, int output, int metrics, pid_t *ret,
                 enum spawn_step *ret_step)
{
    struct failure failure = { SPAWN_AT_FORK, 0 };
    const pid_t keeper = getpid();
    int news[2], high[3];

    *ret_step = SPAWN_AT_FORK;
    if (pipe2(news, O_CLOEXEC) != 0)
        return errno;
    *ret = fork();
    if (*ret == 0) {
        high[0] = above(output);
        high[1] = above(metrics);
        high[2] = above(news[1]);
        failure = become(o, high[0], high[1], keeper);
        (void)!write(high[2], &failure, sizeof(failure));
        _exit(127);
    }
    const int fork_errno = errno;
    (void)close(news[1]);
    const bool told = *ret > 0 && read(news[0], &failure, sizeof(failure)) == sizeof(failure);
    (void)close(news[0]);
    if (*ret < 0)
        return fork_errno;
    if (!told)
        return 0; /* the pipe closed with execve */
    (void)waitpid(*ret, NULL, 0);
    *ret_step = (enum spawn_step)failure.step;
    return failure.number ? failure.number : ECHILD;
}
