/* SPDX-License-Identifier: Apache-2.0 */
/* progress.h - what a compute thread shares with the network thread: a counter that proves that
 * work goes on (raised at least every 2 s of work), units for display, and the request to stop. */
#ifndef COMMON_BASE_PROGRESS_H
#define COMMON_BASE_PROGRESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct progress {
    atomic_uint_fast64_t counter;     /* only its change matters */
    atomic_uint_fast64_t done, total; /* examples or training steps; total 0: unknown */
    atomic_bool stop;  /* set by the network thread: finish soon, return ERR_CANCELLED */
    atomic_bool drain; /* with stop: the worker leaves and the job will go on elsewhere, so saving
                        * what it has is worth a few seconds */
};

static inline void progress_tick(struct progress *p)
{
    if (p)
        atomic_fetch_add_explicit(&p->counter, 1, memory_order_relaxed);
}

static inline bool progress_stopped(struct progress *p)
{
    return p && atomic_load_explicit(&p->stop, memory_order_relaxed);
}

/* Stopped, and still wanted: save a checkpoint, then return ERR_CANCELLED. */
static inline bool progress_draining(struct progress *p)
{
    return progress_stopped(p) && atomic_load_explicit(&p->drain, memory_order_relaxed);
}

#endif
