/* SPDX-License-Identifier: Apache-2.0 */
/* ready.h - jobs that may run, as the scheduler's window gets them. */
#ifndef STORE_READY_H
#define STORE_READY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/digest.h"
#include "common/base/err.h"

struct store;
struct store_ids;

enum { STORE_AFFINITY_MAX = 4 };
/* Words and PARAMS are the store's: words live as long as it, PARAMS until the next listing. */
struct store_ready {
    uint64_t job;
    uint64_t experiment; /* on whose account it runs: of those with a live claim that are not paused
                          * the one with the highest priority, then the oldest */
    int32_t priority;
    const char *kind, *numeric_class, *step;
    const char *labels; /* that its worker has to have, sorted, one space between; "" */
    uint32_t cores;
    uint64_t memory_mib; /* that it asks for; 0: does not say */
    uint32_t tries;      /* failures of its own so far: FAILED, OOM, TIMEOUT */
    uint32_t losses;     /* LOST so far, but for the blameless; they spend no retry */
    uint32_t retries;    /* allowed further tries */
    uint32_t epoch;      /* of its newest stored attempt; 0: none */
    uint32_t kind_version;
    uint64_t units;  /* examples of the shard, or 1 */
    uint64_t shape;  /* jobs of one shape (experiment, kind, version, class, step, units) take about
                      * as long as each other; > 0 */
    uint64_t est_us; /* how long: of past results of the shape; 0: not known */
    struct digest affinity[STORE_AFFINITY_MAX]; /* blobs that it reads */
    size_t affinity_len;
    /* SIMPLE: a job without inputs, families and checkpoint. These are all else that its lease
     * says, so that store_job_load() is not needed (begin and end are 0). */
    bool simple;
    struct digest key;
    uint64_t seed;
    const void *params;
    size_t params_len;
    /* SIMPLE, never done before, and nothing waits for its result. */
    bool plain;
};
/* Where a listing goes on: start with { .priority = INT32_MAX, .job = 0 }, then the last row's
 * priority and job. A job that becomes READY later may lie before the cursor: start anew after
 * store_job_done made some ready. */
struct store_cursor {
    int32_t priority;
    uint64_t job;
};
/* READY jobs on the account of EXPERIMENT (0: of any), by priority, then age, after CURSOR; at most
 * MAX into RET. Of one experiment it costs what the page costs, however many there are. */
int store_list_ready(struct store *s, uint64_t experiment, struct store_cursor cursor,
                     struct store_ready *ret, size_t max, size_t *ret_len,
                     struct err *err) MUST_CHECK;
/* JOB as a listing would give it, whatever its state; EXPERIMENT 0: nobody wants it. As a listing,
 * it ends what the one before gave. ERR_NOT_FOUND. */
int store_ready_job(struct store *s, uint64_t job, struct store_ready *ret,
                    struct err *err) MUST_CHECK;
/* Ids of experiments that have READY or WAITING jobs with a live claim. */
int store_list_active(struct store *s, struct store_ids *ret, struct err *err) MUST_CHECK;

#endif
