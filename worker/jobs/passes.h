/* SPDX-License-Identifier: Apache-2.0 */
/* passes.h - the parts of questions under routings through the sweep, every path whole, in passes
 * of bounded memory. Private to worker/jobs. */
#ifndef WORKER_JOBS_PASSES_H
#define WORKER_JOBS_PASSES_H

#include "common/base/progress.h"
#include "worker/jobs/reading.h"

/* Do N readings. ERR_CANCELLED, ERR_NOMEM, ERR_DIVERGED. */
int passes_run(const struct model *m, struct sweep *s, struct reading *r, size_t n,
               struct progress *progress, struct err *err) MUST_CHECK;

#endif
