/* SPDX-License-Identifier: Apache-2.0 */
/* attempts.h - one attempt, two names. The core names attempts and epochs by itself; workers and
 * store use the store's row number and epoch. Both names are found here, also for some time after
 * the attempt's end, since late messages come. Ids of the core are above 2^40 and row numbers
 * below, so a name that is not here is never taken for another. */
#ifndef COORDINATOR_ATTEMPTS_H
#define COORDINATOR_ATTEMPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/digest.h"

/* An experiment wants the job, under this step. */
struct attempt_claim {
    uint64_t experiment;
    char step[64], what[40];
};

struct attempt {
    uint64_t core, row; /* names */
    uint32_t core_epoch, row_epoch;
    uint64_t job;
    bool ended;
    char step[64];
    uint64_t done, total; /* as the worker last told, for display */
    uint64_t begun_ms;    /* when it was added, or found after a restart; for display */
    /* Who wants the job: looked up when somebody asks (CLAIMS_KNOWN), forgotten by a submission. */
    struct attempt_claim *claims;
    size_t claims_len;
    bool claims_known;
    struct attempt *prev, *next; /* among the running ones */
};

struct attempts;
struct attempts *attempts_new(void);
void attempts_free(struct attempts *a);

/* Add an attempt; both names must be new (asserted). Valid until ATTEMPTS_ENDED_MAX further ones
 * ended. */
enum { ATTEMPTS_ENDED_MAX = 65536 }; /* 280 bytes each: 18 MB */
struct attempt *attempts_add(struct attempts *a, uint64_t core, uint32_t core_epoch, uint64_t row,
                             uint32_t row_epoch, uint64_t job);
void attempts_end(struct attempts *a, struct attempt *t);
struct attempt *attempts_by_core(const struct attempts *a, uint64_t core);
struct attempt *attempts_by_row(const struct attempts *a, uint64_t row);
/* The first of the running attempts, oldest first; the others by .next. NULL: none. */
struct attempt *attempts_running(const struct attempts *a);
/* Who wants the jobs is to be looked up anew. */
void attempts_forget_claims(struct attempts *a);

#endif
