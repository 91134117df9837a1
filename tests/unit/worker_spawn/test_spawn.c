/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: whatever a program does, its end is named and nothing of it stays behind; not when it is
 * stopped, not when the worker, the helper or the keeper dies.
 * Method: this program runs itself as a badly behaved one (tests/support/unruly.h) under a real
 * helper; processes are found by a mark in their environment, another one in every test. The helper
 * is forked first, as in the worker. How soon something ends is not asserted here, for a computer
 * may be busy: only that it does (system test 0026 measures). Whatever a failed test leaves is
 * killed behind it. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "tests/support/unruly.h"
#include "worker/spawn/order.h"
#include "worker/spawn/procs.h"

enum { LIMIT_MS = 60000 };

static struct spawner *spawner;
static char self[4096], mark[64];
static pid_t forked; /* a process of the present test, 0: none */

struct options {
    uint64_t memory_bytes, time_ms, grace_ms;
    uint64_t stop_ms; /* 0: never stopped; else so long behind its first word */
    const char *path, *cwd;
    bool no_drain; /* leave its pipes alone */
};

struct outcome {
    struct spawn_end end;
    size_t output_bytes, metrics_bytes;
    char output[65536], metrics[4096];
    int code;
    uint64_t stopped_ms; /* from the stop to the end */
};

static void take(int *fd, char *into, size_t size, size_t *len)
{
    char block[65536];

    if (*fd < 0)
        return;
    const ssize_t n = read(*fd, block, sizeof(block));
    if (n == 0) {
        (void)close(*fd);
        *fd = -1;
    }
    for (ssize_t i = 0; i < n; i++, (*len)++)
        if (*len < size - 1)
            into[*len] = block[i];
}

static int try_start(const char *const *words, const struct options *o, struct program *p)
{
    const char *argv[8] = { "unruly" };
    const char *env[] = { mark, "EMPTY=", NULL };
    struct err err = { 0 };

    for (size_t i = 0; words[i] != NULL && i < 6; i++)
        argv[i + 1] = words[i];
    const struct spawn_order order = { .path = o->path ? o->path : self,
                                       .cwd = o->cwd ? o->cwd : "/",
                                       .argv = argv,
                                       .env = env,
                                       .memory_bytes = o->memory_bytes,
                                       .time_ms = o->time_ms,
                                       .grace_ms = o->grace_ms };
    return program_start(spawner, &order, p, &err);
}

static struct program start(const char *const *words, const struct options *o)
{
    struct program p;

    assert_int_equal(try_start(words, o, &p), 0);
    return p;
}

static void follow(struct program *p, const struct options *o, struct outcome *r)
{
    const uint64_t begin_ms = clock_ms();
    uint64_t word_ms = 0, stop_ms = 0;
    struct err err = { 0 };

    *r = (struct outcome){ 0 };
    for (bool ended = false; !ended && r->code == 0;) {
        struct pollfd fds[] = { { .fd = p->control, .events = POLLIN },
                                { .fd = o->no_drain ? -1 : p->output, .events = POLLIN },
                                { .fd = o->no_drain ? -1 : p->metrics, .events = POLLIN } };
        assert_true(clock_ms() - begin_ms < LIMIT_MS);
        (void)poll(fds, ARRAY_LEN(fds), 10);
        if (fds[1].revents)
            take(&p->output, r->output, sizeof(r->output), &r->output_bytes);
        if (fds[2].revents)
            take(&p->metrics, r->metrics, sizeof(r->metrics), &r->metrics_bytes);
        if (word_ms == 0 && (r->metrics_bytes > 0 || o->no_drain))
            word_ms = clock_ms();
        if (o->stop_ms && word_ms && !stop_ms && clock_ms() - word_ms >= o->stop_ms) {
            stop_ms = clock_ms();
            program_stop(p);
        }
        r->code = program_ended(p, &ended, &r->end, &err);
    }
    r->stopped_ms = stop_ms ? clock_ms() - stop_ms : 0;
    for (int i = 0; i < 64 && p->output >= 0 && !o->no_drain; i++)
        take(&p->output, r->output, sizeof(r->output), &r->output_bytes);
}

static struct outcome outcome;

static const struct outcome *run_words(const char *const *words, struct options o)
{
    struct program p = start(words, &o);

    follow(&p, &o, &outcome);
    program_close(&p);
    return &outcome;
}

#define RUN(OPTIONS, ...)                                                                          \
    run_words((const char *const[]){ __VA_ARGS__, NULL }, (struct options)OPTIONS)
#define ARGS(...)                                                                                  \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

static void assert_nothing_left(void)
{
    const uint64_t begin_ms = clock_ms();

    while (unruly_marked(mark) > 0 && clock_ms() - begin_ms < LIMIT_MS)
        clock_sleep_ms(10);
    assert_int_equal(unruly_marked(mark), 0);
}

/* Its first word: all its processes live then. Counting until there are enough would not do: those
 * that fork and leave count too. */
static bool has_spoken(const struct program *p)
{
    struct pollfd word = { .fd = p->metrics, .events = POLLIN };

    return poll(&word, 1, LIMIT_MS) == 1 && (word.revents & POLLIN);
}

static int set_up(void **state)
{
    static unsigned tests;

    (void)state;
    (void)snprintf(mark, sizeof(mark), "DROVER_TEST_MARK=%ld.%u", (long)getpid(), tests++);
    return 0;
}

/* What a failed assertion left behind: it would hold the pipe of who runs the tests. */
static int tear_down(void **state)
{
    (void)state;
    if (forked > 0) {
        (void)kill(forked, SIGKILL);
        (void)waitpid(forked, NULL, 0);
        forked = 0;
    }
    unruly_kill(mark);
    return 0;
}

static void exit_codes_and_signals_are_told(void **state)
{
    (void)state;
    const struct outcome *r = RUN(ARGS(0), "exit", "0");
    assert_int_equal(r->end.cause, SPAWN_EXITED);
    assert_int_equal(r->end.status, 0);
    r = RUN(ARGS(0), "exit", "7");
    assert_int_equal(r->end.cause, SPAWN_EXITED);
    assert_int_equal(r->end.status, 7);
    r = RUN(ARGS(0), "kill-self", "6");
    assert_int_equal(r->end.cause, SPAWN_SIGNALLED);
    assert_int_equal(r->end.status, SIGABRT);
    assert_nothing_left();
}

static void what_cannot_be_executed_is_named_by_its_errno(void **state)
{
    (void)state;
    const struct outcome *r = RUN(ARGS(.path = "/nowhere/program"), "x");
    assert_int_equal(r->end.cause, SPAWN_NOT_STARTED);
    assert_int_equal(r->end.step, SPAWN_AT_EXEC);
    assert_int_equal(r->end.status, ENOENT);
    r = RUN(ARGS(.path = "/etc"), "x");
    assert_int_equal(r->end.status, EACCES);
    r = RUN(ARGS(.cwd = "/nowhere"), "x");
    assert_int_equal(r->end.step, SPAWN_AT_CWD);
    assert_int_equal(r->end.status, ENOENT);
}

static void one_that_ignores_sigterm_is_killed_behind_the_grace(void **state)
{
    (void)state;
    const struct outcome *r = RUN(ARGS(.grace_ms = 300, .stop_ms = 50), "ignore-term");
    assert_int_equal(r->end.cause, SPAWN_STOPPED);
    assert_true(r->stopped_ms >= 250);
    assert_int_equal(unruly_marked(mark), 0);
}

static void daemons_end_with_the_program(void **state)
{
    (void)state;
    const struct outcome *r = RUN(ARGS(.grace_ms = 100, .stop_ms = 200), "daemons");
    assert_int_equal(r->end.cause, SPAWN_STOPPED);
    assert_int_equal(unruly_marked(mark), 0);
    r = RUN(ARGS(0), "orphans");
    assert_int_equal(r->end.cause, SPAWN_EXITED);
    assert_int_equal(r->end.left, 2);
    assert_int_equal(unruly_marked(mark), 0);
}

static void a_storm_of_forks_and_a_stopped_one_end_too(void **state)
{
    (void)state;
    const struct outcome *r = RUN(ARGS(.time_ms = 300, .grace_ms = 50), "fork-storm");
    assert_int_equal(r->end.cause, SPAWN_TIME);
    assert_int_equal(unruly_marked(mark), 0);
    r = RUN(ARGS(.time_ms = 200, .grace_ms = 100), "stopped");
    assert_int_equal(r->end.cause, SPAWN_TIME);
    assert_int_equal(r->end.stuck, 0);
    assert_int_equal(unruly_marked(mark), 0);
}

static void a_full_pipe_hinders_no_stop(void **state)
{
    (void)state;
    const struct outcome *r =
        RUN(ARGS(.grace_ms = 100, .stop_ms = 200, .no_drain = true), "fill-pipe", "3");
    assert_int_equal(r->end.cause, SPAWN_STOPPED);
    r = RUN(ARGS(.grace_ms = 100, .stop_ms = 200, .no_drain = true), "fill-pipe", "1");
    assert_int_equal(r->end.cause, SPAWN_STOPPED);
    assert_int_equal(unruly_marked(mark), 0);
}

static void memory_of_the_whole_tree_is_bounded(void **state)
{
    (void)state;
    const struct outcome *r = RUN(ARGS(.memory_bytes = 256 << 20), "eat-memory");
    assert_int_equal(r->end.cause, SPAWN_MEMORY);
    assert_false(r->end.kernel);
    assert_true(r->end.peak_bytes > 256u << 20);
    assert_int_equal(unruly_marked(mark), 0);
}

static void the_environment_is_what_was_ordered(void **state)
{
    char want[128];

    (void)state;
    const struct outcome *r = RUN(ARGS(0), "environment");
    (void)snprintf(want, sizeof(want), "%s\nEMPTY=\n", mark);
    assert_string_equal(r->output, want);
}

static void a_keeper_that_its_program_kills_is_noticed(void **state)
{
    (void)state;
    const struct outcome *r = RUN(ARGS(0), "kill-keeper");
    assert_int_equal(r->code, ERR_IO);
    assert_nothing_left();
    r = RUN(ARGS(0), "exit", "0"); /* the helper lives on */
    assert_int_equal(r->end.cause, SPAWN_EXITED);
}

static void a_closed_program_is_killed_at_once(void **state)
{
    const struct options o = { .grace_ms = 600000 };
    struct program p = start((const char *const[]){ "daemons", NULL }, &o);

    (void)state;
    assert_true(has_spoken(&p));
    assert_int_equal(unruly_marked(mark), 4);
    program_close(&p);
    assert_nothing_left();
}

/* A worker of its own: a spawner, a program of four processes. Never returns, asserts nothing. */
static void be_a_worker(pid_t parent, int told)
{
    const struct options o = { .grace_ms = 600000 };
    struct program p;
    struct err err = { 0 };

    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent ||
        spawner_start(&spawner, &err) != 0 ||
        try_start((const char *const[]){ "daemons", NULL }, &o, &p) != 0 || !has_spoken(&p))
        _exit(1);
    const pid_t helper = spawner_pid(spawner);
    (void)!write(told, &helper, sizeof(helper));
    for (;;)
        (void)poll(NULL, 0, p.control);
}

static void all_goes_when_the_worker_or_the_helper_dies(void **state)
{
    (void)state;
    for (int who = 0; who < 2; who++) {
        const pid_t self_pid = getpid();
        int told[2];
        pid_t helper = 0;

        assert_int_equal(pipe(told), 0);
        forked = fork();
        if (forked == 0)
            be_a_worker(self_pid, told[1]);
        (void)close(told[1]);
        assert_int_equal(read(told[0], &helper, sizeof(helper)), sizeof(helper));
        (void)close(told[0]);
        assert_int_equal(unruly_marked(mark), 4);
        assert_int_equal(kill(who ? helper : forked, SIGKILL), 0);
        assert_nothing_left();
        assert_int_equal(kill(forked, SIGKILL), 0);
        assert_int_equal(waitpid(forked, NULL, 0), forked);
        forked = 0;
    }
}

static void orders_are_checked_byte_by_byte(void **state)
{
    const char *argv[] = { "a", "b c", NULL }, *env[] = { "X=1", NULL };
    const struct spawn_order o = { .path = "/bin/x",
                                   .cwd = "/tmp",
                                   .argv = argv,
                                   .env = env,
                                   .memory_bytes = 5,
                                   .time_ms = 6,
                                   .grace_ms = 7 };
    struct buf bytes CLEANUP(buf_release) = { 0 };
    struct spawn_order back;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(spawn_order_encode(&o, &bytes, &err), 0);
    const char *body = bytes.data + sizeof(struct spawn_header);
    const size_t len = bytes.len - sizeof(struct spawn_header);
    assert_int_equal(spawn_order_decode(body, len, &back, &err), 0);
    assert_string_equal(back.argv[1], "b c");
    assert_null(back.argv[2]);
    assert_string_equal(back.env[0], "X=1");
    assert_int_equal(back.grace_ms, 7);
    spawn_order_release(&back);
    for (size_t cut = 0; cut < len; cut++) { /* exact copies, so that ASan sees reading beyond */
        char *copy = mem_dup(body, cut ? cut : 1);
        assert_int_equal(spawn_order_decode(copy, cut, &back, &err), ERR_PROTO);
        free(copy);
    }
    for (size_t at = 0; at < 32; at++) { /* any other number in the fixed part */
        char *copy = mem_dup(body, len);
        copy[at] = (char)0xff;
        if (spawn_order_decode(copy, len, &back, &err) == 0)
            spawn_order_release(&back);
        else
            assert_true(at >= 24);
        free(copy);
    }
    struct spawn_end end;
    const struct spawn_end_body wrong = { .cause = SPAWN_CAUSES };
    assert_int_equal(spawn_end_decode(&wrong, &end, &err), ERR_PROTO);
}

static void nonsense_from_the_worker_ends_the_program(void **state)
{
    const struct options o = { .grace_ms = 600000 };
    struct program p = start((const char *const[]){ "ignore-term", NULL }, &o);

    (void)state;
    assert_true(has_spoken(&p));
    assert_true(spawn_send(p.control, "0123456789abcdef0123456789abcdef", 32));
    assert_nothing_left();
    program_close(&p);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(exit_codes_and_signals_are_told),
        TEST(what_cannot_be_executed_is_named_by_its_errno),
        TEST(one_that_ignores_sigterm_is_killed_behind_the_grace),
        TEST(daemons_end_with_the_program),
        TEST(a_storm_of_forks_and_a_stopped_one_end_too),
        TEST(a_full_pipe_hinders_no_stop),
        TEST(memory_of_the_whole_tree_is_bounded),
        TEST(the_environment_is_what_was_ordered),
        TEST(a_keeper_that_its_program_kills_is_noticed),
        TEST(a_closed_program_is_killed_at_once),
        TEST(all_goes_when_the_worker_or_the_helper_dies),
        TEST(orders_are_checked_byte_by_byte),
        TEST(nonsense_from_the_worker_ends_the_program),
    };
    struct err err = { 0 };

    if (argc > 1)
        return unruly_main(argc, argv);
    if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0 ||
        spawner_start(&spawner, &err) != 0)
        return 1;
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    spawner_free(spawner);
    return failed;
}
