/* SPDX-License-Identifier: Apache-2.0 */
/* loop.h - an event loop on one thread: transports, timers, signals, wake-ups from other threads.
 *
 * One round: poll; signals; the wake-up; due timers in order of time (ties: order of creation); up
 * to LOOP_BATCH events of each transport; then the after-functions, once. So work that came in
 * together can be committed together. Functions run on the loop's thread, never within each other.
 */
#ifndef COMMON_NET_LOOP_H
#define COMMON_NET_LOOP_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/net/transport.h"

enum {
    LOOP_BATCH = 256, /* events of a transport in one round: bounds the wait of timers and of the
                         first sender */
    LOOP_TRANSPORTS_MAX = 4,
    LOOP_TIMERS_MAX = 16,
    LOOP_AFTERS_MAX = 4,
};

struct loop;
typedef void (*loop_fn)(void *arg);
typedef void (*loop_event_fn)(void *arg, const struct transport_event *event);
typedef void (*loop_signal_fn)(void *arg, int signal);

/* ERR_IO when the system gives no descriptor. */
int loop_new(struct loop **ret, struct err *err) MUST_CHECK;
/* Transports stay open: they belong to the caller. NULL is fine. */
void loop_free(struct loop *l);

/* FN(ARG, event) for every event of T, which must outlive the loop or be taken out. Too many:
 * asserted. */
void loop_add_transport(struct loop *l, struct transport *t, loop_event_fn fn, void *arg);
void loop_remove_transport(struct loop *l, struct transport *t);

/* A timer, off at first; its number is for loop_timer_set. It is off again when FN is called. */
int loop_add_timer(struct loop *l, loop_fn fn, void *arg);
/* Call its function at AT_MS of clock_ms(), or soon after; UINT64_MAX turns it off. */
void loop_timer_set(struct loop *l, int timer, uint64_t at_ms);

/* FN(ARG, signal) for each of the LEN SIGNALS. They are blocked in the calling thread, from which
 * all other threads must be started afterwards. Once per loop (asserted). ERR_IO. */
int loop_add_signals(struct loop *l, const int *signals, size_t len, loop_signal_fn fn, void *arg,
                     struct err *err) MUST_CHECK;

/* FN(ARG) on the loop's thread some time after one or more calls of loop_wake, which any thread may
 * make. */
void loop_on_wake(struct loop *l, loop_fn fn, void *arg);
void loop_wake(struct loop *l);

/* FN(ARG) at the end of every round. */
void loop_add_after(struct loop *l, loop_fn fn, void *arg);

/* Rounds until loop_stop. 0, or ERR_IO when poll fails. */
int loop_run(struct loop *l, struct err *err) MUST_CHECK;
/* One round that waits at most TIMEOUT_MS. */
int loop_step(struct loop *l, uint64_t timeout_ms, struct err *err) MUST_CHECK;
/* From a function of the loop: the current round is the last. */
void loop_stop(struct loop *l);

#endif
