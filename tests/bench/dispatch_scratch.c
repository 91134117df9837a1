/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/dispatch_scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"

enum { AFTER_MS = 100 }; /* the programs of a bench that was killed end now */

static void remove_files(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;

    while (d && (e = readdir(d))) {
        char path[4096];

        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(path, sizeof path, "%.3000s/%.255s", dir, e->d_name);
        if (unlink(path) != 0)
            remove_files(path);
    }
    if (d)
        closedir(d);
    (void)rmdir(dir);
}

static void watch(const char *dir, const int alive[2])
{
    char byte;

    (void)setsid(); /* Ctrl-C is for the others */
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    /* Whoever waits for the end of another pipe shall not wait for this process. */
    if (alive[0] > 3)
        (void)close_range(3, (unsigned)alive[0] - 1, 0);
    (void)close_range((unsigned)alive[0] + 1, ~0u, 0);
    (void)!read(alive[0], &byte, 1);
    if (access(dir, F_OK) == 0) {
        clock_sleep_ms(AFTER_MS);
        remove_files(dir);
    }
    _exit(0);
}

bool scratch_open(struct scratch *s)
{
    const char *tmp = getenv("TMPDIR");
    int alive[2];

    *s = (struct scratch){ .alive = -1 };
    snprintf(s->dir, sizeof s->dir, "%.200s/drover-bench-XXXXXX", tmp && tmp[0] ? tmp : "/tmp");
    if (!mkdtemp(s->dir))
        return false;
    if (pipe2(alive, O_CLOEXEC) < 0)
        return true;
    s->janitor = fork();
    if (s->janitor == 0)
        watch(s->dir, alive);
    close(alive[0]);
    s->alive = alive[1];
    return true;
}

void scratch_close(struct scratch *s)
{
    if (s->janitor > 0) { /* later children may hold the pipe too: no waiting for its end */
        (void)kill(s->janitor, SIGKILL);
        (void)waitpid(s->janitor, NULL, 0);
    }
    if (s->alive >= 0)
        close(s->alive);
    remove_files(s->dir);
}
