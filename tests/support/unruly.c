/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/unruly.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"

enum { METRICS_FD = 3, FOREVER_S = 600, KILL_LIMIT_MS = 20000, CHUNK = 4 << 20 };

static void say(const char *line)
{
    (void)!write(METRICS_FD, line, strlen(line));
}

static void sleep_forever(void)
{
    const unsigned long end_ms = (unsigned long)clock_ms() + FOREVER_S * 1000ul;
    while (clock_ms() < end_ms)
        (void)pause();
}

static void deaf(void)
{
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    (void)signal(SIGINT, SIG_IGN);
}

/* The way of daemons: nothing ties it to who started it. It lives when this returns. */
static void leave_daemon(void)
{
    const pid_t leaver = fork();

    if (leaver != 0) {
        (void)waitpid(leaver, NULL, 0);
        return;
    }
    (void)setsid();
    if (fork() != 0)
        _exit(0);
    deaf();
    sleep_forever();
    _exit(0);
}

static int ignore_term(int argc, char **argv)
{
    (void)argc, (void)argv;
    deaf();
    say("{\"progress\": 0.5}\n");
    sleep_forever();
    return 0;
}

static int daemons(int argc, char **argv)
{
    (void)argc, (void)argv;
    for (int i = 0; i < 3; i++)
        leave_daemon();
    deaf();
    say("{\"progress\": 0.5}\n");
    sleep_forever();
    return 0;
}

/* Its children outlive it. */
static int orphans(int argc, char **argv)
{
    (void)argc, (void)argv;
    leave_daemon();
    leave_daemon();
    return 0;
}

static int fill_pipe(int argc, char **argv)
{
    char block[65536];
    const int fd = argc > 2 ? (int)strtol(argv[2], NULL, 10) : METRICS_FD;

    memset(block, 'x', sizeof(block));
    for (unsigned i = 0; i < (argc > 3 ? (unsigned)strtol(argv[3], NULL, 10) : 10000000u); i++)
        if (write(fd, block, sizeof(block)) < 0)
            return 1;
    return 0;
}

static int garbage(int argc, char **argv)
{
    (void)argc, (void)argv;
    say("Traceback (most recent call last):\n");
    say("{\"metric\": \"loss\", \"value\": }\n");
    say("\xff\xfe\x00 bytes\n");
    say("[1, 2, 3]\n\n");
    say("{\"metric\": \"loss\", \"step\": -3, \"value\": 1}\n");
    say("{\"metric\": \"loss\", \"step\": 1, \"value\": \"much\"}\n");
    say("{\"metric\": \"loss\", \"step\": 2, \"value\": 0.25}\n");
    say("{\"metric\": \"cut off");
    return 0;
}

static int eat_memory(int argc, char **argv)
{
    (void)argc, (void)argv;
    deaf();
    if (fork() == 0) { /* the tree counts, not the program alone */
        for (unsigned i = 0; i < 128; i++) {
            char *p = malloc(CHUNK);
            if (p == NULL)
                _exit(3);
            memset(p, 1, CHUNK);
            clock_sleep_ms(2);
        }
        sleep_forever(); /* and keeps it, for who looks late */
    }
    (void)wait(NULL);
    return 0;
}

static int close_pipe(int argc, char **argv)
{
    (void)argc, (void)argv;
    say("{\"metric\": \"loss\", \"step\": 1, \"value\": 0.5}\n");
    (void)close(METRICS_FD);
    clock_sleep_ms(200);
    return 0;
}

static int kill_self(int argc, char **argv)
{
    (void)raise(argc > 2 ? (int)strtol(argv[2], NULL, 10) : SIGSEGV);
    return 0;
}

static int leave(int argc, char **argv)
{
    return argc > 2 ? (int)strtol(argv[2], NULL, 10) : 0;
}

/* The one that watches it, as a hostile program would. */
static int kill_keeper(int argc, char **argv)
{
    (void)argc, (void)argv;
    leave_daemon();
    (void)kill(getppid(), SIGKILL);
    sleep_forever();
    return 0;
}

/* Forks as fast as it can, with children that do the same; bounded so that a bug is no disaster. */
static int fork_storm(int argc, char **argv)
{
    (void)argc, (void)argv;
    deaf();
    for (int depth = 0; depth < 6; depth++) {
        (void)!fork();
        (void)!fork();
        if (depth > 2)
            (void)setsid();
        if (depth >= 3)
            break;
    }
    sleep_forever();
    return 0;
}

static int environment(int argc, char **argv)
{
    extern char **environ;

    (void)argc, (void)argv;
    for (char **e = environ; *e != NULL; e++)
        puts(*e);
    return 0;
}

static int stopped(int argc, char **argv)
{
    (void)argc, (void)argv;
    (void)raise(SIGSTOP);
    sleep_forever();
    return 0;
}

static const struct {
    const char *word;
    int (*run)(int argc, char **argv);
} table[] = {
    { "ignore-term", ignore_term }, { "daemons", daemons },       { "orphans", orphans },
    { "fill-pipe", fill_pipe },     { "garbage", garbage },       { "eat-memory", eat_memory },
    { "close-pipe", close_pipe },   { "kill-self", kill_self },   { "exit", leave },
    { "kill-keeper", kill_keeper }, { "fork-storm", fork_storm }, { "environment", environment },
    { "stopped", stopped },
};

int unruly_main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof(table) / sizeof(table[0]); i++)
        if (strcmp(argv[1], table[i].word) == 0)
            return table[i].run(argc, argv);
    return 99;
}

static bool marked(const char *pid, const char *mark)
{
    static char text[262144];
    char path[64];
    bool found = false;

    (void)snprintf(path, sizeof(path), "/proc/%.20s/environ", pid);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return false;
    const size_t len = fread(text, 1, sizeof(text) - 1, f);
    (void)fclose(f);
    text[len] = '\0';
    for (const char *at = text; !found && at < text + len; at += strlen(at) + 1)
        found = strcmp(at, mark) == 0;
    return found;
}

/* SIGNAL to all that hold MARK, 0: to none. Returns how many. */
static unsigned each_marked(const char *mark, int signal)
{
    unsigned n = 0;
    DIR *proc = opendir("/proc");

    for (const struct dirent *d = proc ? readdir(proc) : NULL; d != NULL; d = readdir(proc)) {
        const pid_t pid = (pid_t)strtol(d->d_name, NULL, 10);

        if (!isdigit((unsigned char)d->d_name[0]) || pid == getpid() || !marked(d->d_name, mark))
            continue;
        n++;
        if (signal != 0)
            (void)kill(pid, signal);
    }
    if (proc != NULL)
        (void)closedir(proc);
    return n;
}

unsigned unruly_marked(const char *mark)
{
    return each_marked(mark, 0);
}

void unruly_kill(const char *mark)
{
    const uint64_t begin_ms = clock_ms();

    while (each_marked(mark, SIGKILL) > 0 && clock_ms() - begin_ms < KILL_LIMIT_MS)
        clock_sleep_ms(10);
}
