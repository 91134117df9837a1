/* SPDX-License-Identifier: Apache-2.0 */
/* offer.h - what a launch's pilots offer, as far as it is known, and whether a job can run on one.
 * Pure.
 *
 * Before a pilot has joined, only what its options say is known, and what is not known is taken to
 * be enough; those that joined show the rest (several: the best of each). */
#ifndef EXPERIMENTS_LAUNCH_OFFER_H
#define EXPERIMENTS_LAUNCH_OFFER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "experiments/launch/pilots.h"

struct offer {
    struct buf labels, classes; /* " gpu big ", with a space around each; "": none; */
    bool seen;                  /* a pilot has joined: everything is known */
    uint32_t slots, cores;      /* cores, 0: not known */
    uint64_t memory_mib;        /* 0: not known */
};
void offer_release(struct offer *o); /* also for CLEANUP */

/* What the options P of a launch say. */
void offer_of_pilots(const struct pilots *p, struct offer *ret);
/* A pilot has joined. */
struct offer_worker {
    char *const *label, *const *class;
    size_t labels, classes;
    uint32_t slots, cores;
    uint64_t memory_mib;
};
void offer_learn(struct offer *o, const struct offer_worker *w);

/* What jobs ask for. */
struct offer_wish {
    const char *class;  /* numeric class */
    const char *labels; /* with a space between; "" */
    uint32_t cores;     /* 0: a slot */
    uint64_t memory_mib;
};
/* How many slots of a pilot such a job takes; 0: no pilot can run it. */
uint32_t offer_slots(const struct offer *o, const struct offer_wish *w);

#endif
