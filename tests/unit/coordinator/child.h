/* SPDX-License-Identifier: Apache-2.0 */
/* child.h - a coordinator in a child process, for the tests of this folder. */
#ifndef TESTS_UNIT_COORDINATOR_CHILD_H
#define TESTS_UNIT_COORDINATOR_CHILD_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/macros.h"
#include "common/net/transport.h"
#include "coordinator/server.h"

struct coordinator {
    char folder[64], store[96], ready[96], listen[96], log[96];
    char endpoint[TRANSPORT_ENDPOINT_MAX];
    pid_t pid;
    uint32_t lease_ms, reattach_ms;
    rlim_t file_max; /* 0: none; more bytes in a file fail as a full disk does */
};

static FILE *log_file;

static inline void log_line(const char *line, void *arg)
{
    (void)arg;
    (void)fprintf(log_file, "%s\n", line);
    (void)fflush(log_file);
}

/* The child's whole life; its exit code is the daemon's. */
static inline int coordinate(const struct coordinator *c)
{
    struct server_options o = server_options_default();
    struct server *s = NULL;
    struct err err = { 0 };
    int rc;

    if (c->file_max) {
        struct rlimit limit = { c->file_max, c->file_max };

        (void)signal(SIGXFSZ, SIG_IGN);
        (void)setrlimit(RLIMIT_FSIZE, &limit);
    }
    log_file = fopen(c->log, "a");
    log_init("coordinator", LOG_DEBUG);
    log_set_sink(log_line, NULL);
    o.store_path = c->store;
    o.listen = c->listen;
    o.ready_file = c->ready;
    o.lease_ms = c->lease_ms;
    o.renew_ms = MIN(o.renew_ms, c->lease_ms / 2);
    o.heartbeat_ms = MIN(o.heartbeat_ms, c->lease_ms / 2);
    o.reattach_ms = c->reattach_ms;
    o.insecure = true; /* keys: tests/system/0027-keys.sh */
    rc = server_new(&s, &o, &err);
    if (rc == 0)
        rc = server_run(s, &err);
    if (rc < 0)
        log_error("end", "reason=\"%s\"", err.text);
    server_free(s);
    (void)fclose(log_file);
    return rc < 0 ? 1 : 0;
}

/* For main(): the program was started by coordinator_spawn(). */
static inline bool coordinator_asked(int argc, char **argv)
{
    return argc == 9 && strcmp(argv[1], "--coordinate") == 0;
}

static inline int coordinator_main(char **argv)
{
    struct coordinator c = { .lease_ms = (uint32_t)strtoul(argv[6], NULL, 10),
                             .reattach_ms = (uint32_t)strtoul(argv[7], NULL, 10),
                             .file_max = strtoul(argv[8], NULL, 10) };

    (void)snprintf(c.store, sizeof(c.store), "%s", argv[2]);
    (void)snprintf(c.listen, sizeof(c.listen), "%s", argv[3]);
    (void)snprintf(c.ready, sizeof(c.ready), "%s", argv[4]);
    (void)snprintf(c.log, sizeof(c.log), "%s", argv[5]);
    return coordinate(&c);
}

/* This very program, started anew: a fork alone would inherit libzmq's locks without its threads.
 */
static inline void coordinator_spawn(struct coordinator *c)
{
    char lease[16], reattach[16], file_max[24];

    (void)snprintf(lease, sizeof(lease), "%u", c->lease_ms);
    (void)snprintf(reattach, sizeof(reattach), "%u", c->reattach_ms);
    (void)snprintf(file_max, sizeof(file_max), "%llu", (unsigned long long)c->file_max);
    c->pid = fork();
    assert_true(c->pid >= 0);
    if (c->pid > 0)
        return;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* it would hold the pipe of who runs the tests */
    (void)execl("/proc/self/exe", "test-coordinator", "--coordinate", c->store, c->listen, c->ready,
                c->log, lease, reattach, file_max, (char *)NULL);
    _exit(127);
}

static inline void coordinator_start(struct coordinator *c)
{
    struct buf b CLEANUP(buf_release) = { 0 };
    struct err err = { 0 };

    (void)unlink(c->ready);
    coordinator_spawn(c);
    while (buf_read_file(&b, c->ready, 1000, &err) < 0) {
        assert_int_equal(waitpid(c->pid, NULL, WNOHANG), 0);
        clock_sleep_ms(2);
    }
    (void)snprintf(c->endpoint, sizeof(c->endpoint), "%.*s", (int)b.len - 1, buf_str(&b));
    (void)snprintf(c->listen, sizeof(c->listen), "%.90s",
                   c->endpoint); /* the same one after a restart */
}

static inline bool coordinator_lives(const struct coordinator *c)
{
    siginfo_t info = { 0 };

    assert_int_equal(waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT), 0);
    return info.si_pid == 0;
}

/* Its exit code, or minus the signal. */
static inline int coordinator_wait(struct coordinator *c)
{
    int status = 0;

    assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
    c->pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static inline int coordinator_end(struct coordinator *c, int signal)
{
    assert_int_equal(kill(c->pid, signal), 0);
    return coordinator_wait(c);
}

static inline void coordinator_init(struct coordinator *c)
{
    *c = (struct coordinator){ .lease_ms = 30000, .reattach_ms = 60000 };
    (void)snprintf(c->folder, sizeof(c->folder), "/tmp/test-coordinator-XXXXXX");
    assert_non_null(mkdtemp(c->folder));
    (void)snprintf(c->store, sizeof(c->store), "%s/results.db", c->folder);
    (void)snprintf(c->ready, sizeof(c->ready), "%s/ready", c->folder);
    (void)snprintf(c->log, sizeof(c->log), "%s/log", c->folder);
    (void)snprintf(c->listen, sizeof(c->listen), "tcp://127.0.0.1:*");
}

#endif
