/* SPDX-License-Identifier: Apache-2.0 */
/* replaying.h - jobs of a store run again in a scratch store beside it, by a coordinator and
 * workers of our own, and compared. The store is only read; verdicts are recorded when nobody else
 * has it.
 */
#ifndef EXPERIMENTS_CLI_REPLAYING_H
#define EXPERIMENTS_CLI_REPLAYING_H

#include "experiments/cli/cli.h"
#include "store/keep/keep.h"

struct replaying {
    const char *store, *folder; /* folder: of the daemons */
    size_t workers, threads;
    bool quiet;
    struct replay_job *job; /* .job filled in; the rest is told on return */
    size_t len;
    size_t same, different, failed, skipped; /* failed: no result came of it */
    bool recorded;
    char why_not[400]; /* recorded */
};

/* Run and compare all of them. ERR_CANCELLED: interrupted. Errors of single jobs are theirs. */
int replay_all(struct replaying *r, struct err *err) MUST_CHECK;
void replaying_release(struct replaying *r);

#endif
