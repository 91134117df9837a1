/* SPDX-License-Identifier: Apache-2.0 */
/* walkers.h - readings that share what their paths have in common: all walk together, layer by
 * layer; the distinct states in front of a layer that somebody executes pass it together, once, and
 * those that somebody repeats pass it once more (design: section 7). Rows without logits end at
 * their keys and values in the last layer where nobody needs a state behind it. Private to
 * worker/jobs. */
#ifndef WORKER_JOBS_WALKERS_H
#define WORKER_JOBS_WALKERS_H

#include "common/base/progress.h"
#include "worker/jobs/prefix.h"
#include "worker/jobs/reading.h"

/* A reading and the states of its question; MADE counts the passes through a layer that were made
 * for it first, ENDED those of them in which the rows without logits ended early. */
struct walker {
    struct reading *reading;
    struct prefix *prefix;
    uint64_t made, ended;
    struct prefix_state *at; /* private from here */
    size_t start;            /* steps up to this one are behind it */
    size_t like;             /* the walker of the same path that goes in its place, or itself */
};

/* Do the readings of N walkers; those of one question have the same PREFIX, whose limit is kept at
 * the end, and which is emptied when this fails. ERR_CANCELLED, ERR_NOMEM, ERR_DIVERGED. */
int walkers_run(const struct model *m, struct sweep *s, struct walker *w, size_t n,
                struct progress *progress, struct err *err) MUST_CHECK;

#endif
