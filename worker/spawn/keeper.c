/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/spawn/keeper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "worker/spawn/launch.h"
#include "worker/spawn/order.h"
#include "worker/spawn/procs.h"

enum {
    POLL_MS = 50,    /* of the tree's memory, at least */
    POLL_SHARE = 20, /* and so many times what a poll took: at most 5 % of a core */
    KILL_MS = 2,     /* between two rounds of SIGKILL */
    WAIT_MS = 60000
};

enum phase {
    RUNS,
    STOPS, /* SIGTERM was sent; SIGKILL at kill_at_ms */
    KILLS  /* SIGKILL, round after round */
};

struct keeper {
    int control, signals;
    struct spawn_order order;
    pid_t program;
    struct procs tree;
    struct spawn_end end;
    enum phase phase;
    bool named; /* end.cause is decided */
    bool empty; /* no children are left */
    bool alone; /* nobody listens */
    uint64_t begin_ms, kill_at_ms, poll_at_ms, kills_since_ms, kernel_kills;
};

static void name_cause(struct keeper *k, enum spawn_cause cause)
{
    if (k->named)
        return;
    k->named = true;
    k->end.cause = cause;
}

static void kill_round(struct keeper *k)
{
    if (k->phase != KILLS)
        k->kills_since_ms = clock_ms();
    k->phase = KILLS;
    if (procs_read(&k->tree, getpid(), NULL, 0))
        procs_signal(&k->tree, SIGKILL);
}

static void begin_stop(struct keeper *k, enum spawn_cause cause)
{
    name_cause(k, cause);
    if (k->phase != RUNS)
        return;
    k->phase = STOPS;
    k->kill_at_ms = clock_ms() + k->order.grace_ms;
    if (!procs_read(&k->tree, getpid(), NULL, 0))
        return;
    procs_signal(&k->tree, SIGTERM);
    procs_signal(&k->tree, SIGCONT); /* a stopped one would not see it */
}

/* The program itself is gone: what it left behind goes too. */
static void program_over(struct keeper *k, int wait_status)
{
    const bool killed = WIFSIGNALED(wait_status);

    if (killed && WTERMSIG(wait_status) == SIGKILL && procs_kernel_kills() > k->kernel_kills) {
        k->end.kernel = !k->named;
        name_cause(k, SPAWN_MEMORY);
    }
    name_cause(k, killed ? SPAWN_SIGNALLED : SPAWN_EXITED);
    if (k->end.cause == SPAWN_SIGNALLED || k->end.cause == SPAWN_EXITED)
        k->end.status = killed ? WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
    if (k->phase == RUNS) { /* a tree that is being stopped has the rest of its grace */
        if (procs_read(&k->tree, getpid(), NULL, 0))
            k->end.left = (uint32_t)k->tree.len;
        kill_round(k);
    }
}

static void reap(struct keeper *k)
{
    for (;;) {
        struct rusage used;
        int status;
        pid_t pid = wait4(-1, &status, WNOHANG, &used);
        if (pid <= 0) {
            k->empty = pid < 0 && errno == ECHILD;
            return;
        }
        k->end.cpu_ms += (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000 +
                         (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1000;
        if (pid == k->program)
            program_over(k, status);
    }
}

static void poll_memory(struct keeper *k)
{
    const uint64_t begin_ms = clock_ms();
    uint64_t bytes = 0;

    if (procs_read(&k->tree, getpid(), NULL, 0))
        bytes = k->tree.resident_bytes;
    if (k->order.memory_bytes > 0 && bytes > k->order.memory_bytes)
        bytes = procs_resident(&k->tree);
    k->end.peak_bytes = MAX(k->end.peak_bytes, bytes);
    if (k->order.memory_bytes > 0 && bytes > k->order.memory_bytes) {
        name_cause(k, SPAWN_MEMORY);
        kill_round(k); /* no grace: it would use it to eat more */
    }
    const uint64_t now_ms = clock_ms();
    /* Without a limit the peak is for display. */
    const uint64_t idle_ms = MIN((now_ms - k->begin_ms) / 4, (uint64_t)1000);
    k->poll_at_ms = now_ms + MAX((now_ms - begin_ms) * POLL_SHARE,
                                 MAX((uint64_t)POLL_MS, k->order.memory_bytes ? 0 : idle_ms));
}

static void on_control(struct keeper *k)
{
    struct spawn_header h;

    if (spawn_receive(k->control, &h, sizeof(h)) && spawn_header_fits(&h, SPAWN_MESSAGE_STOP, 0)) {
        begin_stop(k, SPAWN_STOPPED);
        return;
    }
    k->alone = true; /* the worker is gone, or talks nonsense */
    name_cause(k, SPAWN_ABANDONED);
    kill_round(k);
}

static void on_signal(struct keeper *k)
{
    struct signalfd_siginfo info;

    while (read(k->signals, &info, sizeof(info)) == sizeof(info))
        if (info.ssi_signo == SIGUSR1) { /* the helper is gone */
            name_cause(k, SPAWN_ABANDONED);
            kill_round(k);
        }
    reap(k);
}

static void on_time(struct keeper *k)
{
    const uint64_t now_ms = clock_ms();

    if (k->phase == KILLS || (k->phase == STOPS && now_ms >= k->kill_at_ms))
        kill_round(k);
    if (k->phase == RUNS && k->order.time_ms > 0 && now_ms - k->begin_ms >= k->order.time_ms)
        begin_stop(k, SPAWN_TIME);
    if (k->phase == RUNS && now_ms >= k->poll_at_ms)
        poll_memory(k);
}

static int wait_ms(const struct keeper *k)
{
    const uint64_t now_ms = clock_ms();
    uint64_t until_ms = now_ms + WAIT_MS;

    if (k->phase == KILLS)
        return KILL_MS;
    if (k->phase == STOPS)
        until_ms = MIN(until_ms, k->kill_at_ms);
    if (k->phase == RUNS)
        until_ms = MIN(until_ms, k->poll_at_ms);
    if (k->phase == RUNS && k->order.time_ms > 0)
        until_ms = MIN(until_ms, k->begin_ms + k->order.time_ms);
    return (int)(until_ms > now_ms ? until_ms - now_ms : 0);
}

/* Until no children are left, or they cannot be killed. */
static void watch(struct keeper *k)
{
    for (reap(k); !k->empty; reap(k)) {
        struct pollfd fds[] = { { .fd = k->alone ? -1 : k->control, .events = POLLIN },
                                { .fd = k->signals, .events = POLLIN } };

        (void)poll(fds, ARRAY_LEN(fds), wait_ms(k));
        if (fds[0].revents)
            on_control(k);
        if (fds[1].revents)
            on_signal(k);
        on_time(k);
        if (k->phase == KILLS && clock_ms() - k->kills_since_ms > SPAWN_STUCK_MS)
            break;
    }
    if (!k->empty && procs_read(&k->tree, getpid(), NULL, 0))
        k->end.stuck = (uint32_t)k->tree.len;
}

static int open_signals(void)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGCHLD);
    (void)sigaddset(&set, SIGUSR1);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static char *read_order(int control, struct spawn_order *ret)
{
    struct spawn_header h;
    struct err err = { 0 };

    if (!spawn_receive(control, &h, sizeof(h)) ||
        !spawn_header_fits(&h, SPAWN_MESSAGE_ORDER, SPAWN_ORDER_MAX))
        return NULL;
    char *body = mem_calloc((size_t)h.len + 1, 1);
    if (spawn_receive(control, body, h.len) && spawn_order_decode(body, h.len, ret, &err) == 0)
        return body;
    free(body);
    return NULL;
}

static void run_program(struct keeper *k, int output, int metrics)
{
    k->begin_ms = clock_ms();
    k->poll_at_ms = k->begin_ms;
    k->kernel_kills = procs_kernel_kills();
    const int failed = spawn_launch(&k->order, output, metrics, &k->program, &k->end.step);
    (void)close(output);
    (void)close(metrics);
    if (failed) {
        k->end.cause = SPAWN_NOT_STARTED;
        k->end.status = failed;
    } else {
        watch(k);
    }
    k->end.wall_ms = clock_ms() - k->begin_ms;
    if (!k->alone)
        (void)spawn_send_end(k->control, &k->end);
    while (!k->empty && !failed && k->end.stuck > 0) { /* told; and still, when they wake up */
        kill_round(k);
        reap(k);
        clock_sleep_ms(100);
    }
}

void spawn_keeper_run(int helper, int control, int output, int metrics)
{
    struct keeper k = { .control = control };

    (void)prctl(PR_SET_NAME, "drover-keeper");
    k.signals = open_signals();
    if (k.signals < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) != 0 ||
        prctl(PR_SET_PDEATHSIG, SIGUSR1) != 0 || getppid() != helper) {
        (void)spawn_send_end(control, &(struct spawn_end){ .cause = SPAWN_NOT_STARTED,
                                                           .step = SPAWN_AT_FORK,
                                                           .status = errno });
        return;
    }
    char *bytes = read_order(control, &k.order);
    if (bytes != NULL)
        run_program(&k, output, metrics);
    spawn_order_release(&k.order);
    free(bytes);
    procs_release(&k.tree);
    (void)close(k.signals);
}
