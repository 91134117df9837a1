/* SPDX-License-Identifier: Apache-2.0 */
/* loop.c - the event loop. libzmq's descriptors are edge-triggered: one that was read once stays
 * quiet though messages wait. So before every poll each transport is asked whether it has
 * something, and then poll does not wait. */
#include "common/net/loop.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"

struct loop {
    struct {
        struct transport *transport; /* NULL: a free place */
        loop_event_fn fn;
        void *arg;
    } transports[LOOP_TRANSPORTS_MAX];
    struct {
        uint64_t at_ms;
        loop_fn fn;
        void *arg;
    } timers[LOOP_TIMERS_MAX];
    int timers_len;
    struct {
        loop_fn fn;
        void *arg;
    } afters[LOOP_AFTERS_MAX], wake;
    size_t afters_len;
    int wake_fd, signal_fd;
    loop_signal_fn signal_fn;
    void *signal_arg;
    bool stopping;
};

int loop_new(struct loop **ret, struct err *err)
{
    struct loop *l = mem_calloc(1, sizeof(*l));

    l->signal_fd = -1;
    l->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (l->wake_fd < 0) {
        int rc = err_set(err, ERR_IO, "eventfd: %s", strerror(errno));

        free(l);
        return rc;
    }
    *ret = l;
    return 0;
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    (void)close(l->wake_fd);
    if (l->signal_fd >= 0)
        (void)close(l->signal_fd);
    free(l);
}

void loop_add_transport(struct loop *l, struct transport *t, loop_event_fn fn, void *arg)
{
    size_t i = 0;

    while (i < LOOP_TRANSPORTS_MAX && l->transports[i].transport)
        i++;
    assert(i < LOOP_TRANSPORTS_MAX);
    l->transports[i].transport = t;
    l->transports[i].fn = fn;
    l->transports[i].arg = arg;
}

void loop_remove_transport(struct loop *l, struct transport *t)
{
    for (size_t i = 0; i < LOOP_TRANSPORTS_MAX; i++)
        if (l->transports[i].transport == t)
            l->transports[i].transport = NULL;
}

int loop_add_timer(struct loop *l, loop_fn fn, void *arg)
{
    assert(l->timers_len < LOOP_TIMERS_MAX);
    l->timers[l->timers_len].at_ms = UINT64_MAX;
    l->timers[l->timers_len].fn = fn;
    l->timers[l->timers_len].arg = arg;
    return l->timers_len++;
}

void loop_timer_set(struct loop *l, int timer, uint64_t at_ms)
{
    assert(timer >= 0 && timer < l->timers_len);
    l->timers[timer].at_ms = at_ms;
}

int loop_add_signals(struct loop *l, const int *signals, size_t len, loop_signal_fn fn, void *arg,
                     struct err *err)
{
    sigset_t set;

    assert(l->signal_fd < 0);
    sigemptyset(&set);
    for (size_t i = 0; i < len; i++)
        sigaddset(&set, signals[i]);
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
        return err_set(err, ERR_IO, "block signals: %s", strerror(errno));
    l->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (l->signal_fd < 0)
        return err_set(err, ERR_IO, "signalfd: %s", strerror(errno));
    l->signal_fn = fn;
    l->signal_arg = arg;
    return 0;
}

void loop_on_wake(struct loop *l, loop_fn fn, void *arg)
{
    l->wake.fn = fn;
    l->wake.arg = arg;
}

void loop_wake(struct loop *l)
{
    uint64_t one = 1;

    /* It fails only when the counter is full, and then the loop wakes up anyway. */
    (void)!write(l->wake_fd, &one, sizeof(one));
}

void loop_add_after(struct loop *l, loop_fn fn, void *arg)
{
    assert(l->afters_len < LOOP_AFTERS_MAX);
    l->afters[l->afters_len].fn = fn;
    l->afters[l->afters_len++].arg = arg;
}

void loop_stop(struct loop *l)
{
    l->stopping = true;
}

/* How long poll may wait. */
static int wait_ms(struct loop *l, uint64_t timeout_ms)
{
    uint64_t now_ms = clock_ms();

    for (size_t i = 0; i < LOOP_TRANSPORTS_MAX; i++) {
        struct transport *t = l->transports[i].transport;

        if (!t)
            continue;
        if (transport_pending(t))
            return 0;
        timeout_ms = MIN(timeout_ms, transport_retry_ms(t));
    }
    for (int i = 0; i < l->timers_len; i++) {
        uint64_t at_ms = l->timers[i].at_ms;

        if (at_ms != UINT64_MAX)
            timeout_ms = MIN(timeout_ms, at_ms > now_ms ? at_ms - now_ms : 0);
    }
    return (int)MIN(timeout_ms, (uint64_t)60000);
}

static void run_signals(struct loop *l)
{
    struct signalfd_siginfo info;

    while (read(l->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        l->signal_fn(l->signal_arg, (int)info.ssi_signo);
}

static void run_wake(struct loop *l)
{
    uint64_t count;

    if (read(l->wake_fd, &count, sizeof(count)) == (ssize_t)sizeof(count) && l->wake.fn)
        l->wake.fn(l->wake.arg);
}

/* Those that are due when the round begins, so that a timer which sets itself again cannot hold the
 * loop. */
static void run_timers(struct loop *l)
{
    uint64_t now_ms = clock_ms();
    bool due[LOOP_TIMERS_MAX];

    for (int i = 0; i < l->timers_len; i++)
        due[i] = l->timers[i].at_ms <= now_ms;
    for (;;) {
        int first = -1;

        for (int i = 0; i < l->timers_len; i++)
            if (due[i] && (first < 0 || l->timers[i].at_ms < l->timers[first].at_ms))
                first = i;
        if (first < 0)
            return;
        due[first] = false;
        if (l->timers[first].at_ms == UINT64_MAX)
            continue; /* turned off by an earlier one */
        l->timers[first].at_ms = UINT64_MAX;
        l->timers[first].fn(l->timers[first].arg);
    }
}

static void run_transports(struct loop *l)
{
    struct transport_event event;

    for (size_t i = 0; i < LOOP_TRANSPORTS_MAX; i++)
        for (int n = 0; n < LOOP_BATCH; n++) {
            struct transport *t = l->transports[i].transport;

            if (!t || !transport_next(t, &event))
                break;
            l->transports[i].fn(l->transports[i].arg, &event);
        }
}

int loop_step(struct loop *l, uint64_t timeout_ms, struct err *err)
{
    struct pollfd fds[2 + LOOP_TRANSPORTS_MAX * TRANSPORT_FDS_MAX];
    nfds_t len = 0;

    fds[len++] = (struct pollfd){ .fd = l->wake_fd, .events = POLLIN };
    fds[len++] = (struct pollfd){ .fd = l->signal_fd, .events = POLLIN };
    for (size_t i = 0; i < LOOP_TRANSPORTS_MAX; i++) {
        int of_transport[TRANSPORT_FDS_MAX];
        size_t n;

        if (!l->transports[i].transport)
            continue;
        n = transport_fds(l->transports[i].transport, of_transport);
        for (size_t k = 0; k < n; k++)
            fds[len++] = (struct pollfd){ .fd = of_transport[k], .events = POLLIN };
    }
    if (poll(fds, len, wait_ms(l, timeout_ms)) < 0 && errno != EINTR)
        return err_set(err, ERR_IO, "poll: %s", strerror(errno));
    if (l->signal_fd >= 0)
        run_signals(l);
    run_wake(l);
    run_timers(l);
    run_transports(l);
    for (size_t i = 0; i < l->afters_len; i++)
        l->afters[i].fn(l->afters[i].arg);
    return 0;
}

int loop_run(struct loop *l, struct err *err)
{
    l->stopping = false;
    while (!l->stopping) {
        int rc = loop_step(l, UINT64_MAX, err);

        if (rc < 0)
            return rc;
    }
    return 0;
}
