/* SPDX-License-Identifier: Apache-2.0 */
/* attempt.h - an attempt and its job as the store's files see them. */
#ifndef STORE_ATTEMPT_H
#define STORE_ATTEMPT_H

#include "store/store_private.h"

struct attempt_row {
    uint64_t id, job, worker, incarnation;
    uint32_t epoch, job_epoch;
    enum store_outcome outcome;
    char state[16], kind[32]; /* of the job */
    uint64_t effective;       /* the attempt that gave the job's committed result; 0: none */
    uint64_t begin, end, family;
    bool needed, diverged; /* the job: others may need it; its committed result diverged */
    uint64_t shape;        /* of the job */
};

/* ERR_NOT_FOUND. */
int attempt_load(struct store *s, uint64_t attempt, struct attempt_row *ret,
                 struct err *err) MUST_CHECK;
/* The same for what a worker says: ERR_STALE when there is none, or EPOCH is another. */
int attempt_load_live(struct store *s, uint64_t attempt, uint32_t epoch, struct attempt_row *ret,
                      struct err *err) MUST_CHECK;

/* The attempt of R, begun now when it is not there. */
int attempt_take(struct store *s, const struct store_result *r, struct attempt_row *ret,
                 struct err *err) MUST_CHECK;
/* The job of an attempt that may not be written: as if it were, RUNNING. *RET_ROW: it is there.
 * ERR_STALE: there is no such job, or the attempt has another epoch. */
int attempt_load_begun(struct store *s, const struct store_begun *b, struct attempt_row *ret,
                       bool *ret_row, struct err *err) MUST_CHECK;
/* The same without a look for the attempt. */
int attempt_load_job(struct store *s, const struct store_begun *b, struct attempt_row *ret,
                     struct err *err) MUST_CHECK;
/* Write the outcome, log and metrics of R into its attempt. COMPARED: NULL, "SAME" or "DIFFERENT".
 */
int attempt_close(struct store *s, const struct store_result *r, const char *compared,
                  struct err *err) MUST_CHECK;

#endif
