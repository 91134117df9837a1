/* SPDX-License-Identifier: Apache-2.0 */
/* lookout.h - looks on while others write the store: a number that grows with every change,
 * whatever it is that changed.
 *
 * One thread with a reading connection asks SQLite some times a second whether somebody committed
 * (no query of ours, no open transaction), and whether the file under that path is still the same
 * one. What hangs on the store but is kept by others (grids, what the coordinator says) counts too:
 * their numbers are asked for. */
#ifndef DASHBOARDS_LOOKOUT_H
#define DASHBOARDS_LOOKOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"

enum {
    LOOKOUT_BUSY_MS = 250,    /* between two looks, while somebody asks or listens */
    LOOKOUT_IDLE_MS = 1000,   /* else */
    LOOKOUT_ASKED_MS = 30000, /* for so long after a question */
};

/* What is known. */
struct lookout_state {
    uint64_t change;     /* 1, 2, 3... */
    uint64_t live;       /* grows when what the coordinator says changed */
    uint64_t generation; /* grows when the file was replaced: connections are to be opened anew */
    struct err trouble;  /* code ERR_OK: the store can be read */
};

struct lookout;

/* CHANGES and LIVE give numbers of others that count (either may be NULL); TICK is called after
 * every look, on the thread of the lookout. All with ARG. */
struct lookout_calls {
    uint64_t (*changes)(void *arg);
    uint64_t (*live)(void *arg);
    void (*tick)(void *arg, const struct lookout_state *state);
    void *arg;
};

/* The store at PATH, which can be read now. Errors as of store_open_read(). CALLS is copied. */
int lookout_start(struct lookout **ret, const char *path, const struct lookout_calls *calls,
                  struct err *err) MUST_CHECK;
void lookout_stop(struct lookout *w); /* the thread ends; the state stays. NULL is fine */
void lookout_free(struct lookout *w); /* stops; NULL is fine */

/* Any thread. */
void lookout_state(struct lookout *w, struct lookout_state *ret);
/* Grows when the store changed; LIVE: or when what the coordinator says did. */
uint64_t lookout_change(struct lookout *w, bool live);
/* Somebody asks: look often for a while. */
void lookout_asked(struct lookout *w);

#endif
