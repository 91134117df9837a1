/* SPDX-License-Identifier: Apache-2.0 */
/* outlook.h - a plan against what a store or coordinator knows: what is there, what is left to do,
 * how long it will take and how much it will write. */
#ifndef EXPERIMENTS_CLI_OUTLOOK_H
#define EXPERIMENTS_CLI_OUTLOOK_H

#include "experiments/cli/cli.h"
#include "experiments/cli/expect.h"

/* One step of the plan, in its order. */
struct outlook_step {
    uint64_t done, failed, pending,
        fresh;           /* jobs: in the store with a result; failed, cancelled or
                            skipped there; waiting or ready there; unknown to it */
    uint64_t units_left; /* examples (or jobs) that have no result */
    struct expect_past past;
    bool same; /* past attempts had the same parameters */
    struct expect work;
    double bytes; /* that its outputs will take; NaN: unknown */
};

struct outlook {
    bool asked; /* a store was there to be asked */
    struct outlook_step *step;
    struct expect work, wall;          /* of everything that is left; unknown steps count 0 */
    size_t unknown;                    /* steps with work left and no past */
    double bytes;                      /* known ones */
    uint64_t files;                    /* outside files read */
    double files_bytes, largest_bytes; /* the largest: a model or file */
    size_t slots;
};

/* P against the store of O, or its coordinator; without either, nothing is known. SLOTS 0: those of
 * the coordinator's workers, else this host's cores. Release with outlook_release(). */
int outlook_make(const struct plan *p, const struct options *o, size_t slots, struct outlook *ret,
                 struct err *err) MUST_CHECK;
void outlook_release(struct outlook *l);

#endif
