/* SPDX-License-Identifier: Apache-2.0 */
/* complete.h - outcomes of paths that a search did not try. Private to worker/jobs. */
#ifndef WORKER_JOBS_COMPLETE_H
#define WORKER_JOBS_COMPLETE_H

#include "worker/jobs/job.h"
#include "worker/jobs/label_set.h"

struct model;

/* Evaluate PATH ([paths][layers]) for the N rows AT of S where OUTCOME ([n][paths]) is -1, which
 * becomes 1 (right) or 0. Kept in the worker's cache: routers of the same labels and paths evaluate
 * once. ERR_CANCELLED, ERR_INVALID, ERR_NOMEM... */
int complete_outcomes(struct job *j, const struct model *m, const struct label_set *s,
                      const size_t *at, size_t n, const uint8_t *path, size_t paths,
                      int8_t *outcome, struct err *err) MUST_CHECK;

#endif
