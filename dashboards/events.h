/* SPDX-License-Identifier: Apache-2.0 */
/* events.h - who wants to be told of changes: a list of listeners with a few bytes each, sent as
 * server-sent events. It knows nothing of HTTP: a listener is somebody who reads when he is woken.
 *
 * A change is told at once, further ones at most once in EVENTS_APART_MS with the latest numbers;
 * a comment line after EVENTS_ALIVE_MS of silence keeps proxies and tunnels awake, and finds out
 * who has left. Thread-safe. */
#ifndef DASHBOARDS_EVENTS_H
#define DASHBOARDS_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dashboards/lookout.h"

enum {
    EVENTS_LISTENERS_MAX = 128, /* more than that many windows on one machine; 1 KiB each */
    EVENTS_APART_MS = 1000,
    EVENTS_ALIVE_MS = 15000,
};

struct events;
struct listener;

struct events *events_new(void);
/* All listeners must have left. NULL is fine. */
void events_free(struct events *e);

/* Somebody listens from now on; his first event is there at once. WAKE(ARG) is called, under the
 * lock of E and from another thread, when he sleeps and there is something to read, or the end.
 * NULL: EVENTS_LISTENERS_MAX are there, or it is the end. */
struct listener *events_join(struct events *e, void (*wake)(void *arg), void *arg);
void events_leave(struct listener *l);

enum events_read { EVENTS_SOME, EVENTS_NONE, EVENTS_END };
/* Up to LEN bytes into TO. EVENTS_NONE: he sleeps from now on; SLEEP(ARG) was called before anybody
 * could wake him. */
enum events_read events_take(struct listener *l, char *to, size_t len, size_t *ret_len,
                             void (*sleep)(void *arg), void *arg);

/* What is known now, at NOW_MS of the monotonic clock; called some times a second. */
void events_tick(struct events *e, const struct lookout_state *state, uint64_t now_ms);
/* Everybody is told to go. */
void events_end(struct events *e);
size_t events_count(struct events *e);

#endif
