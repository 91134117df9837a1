/* SPDX-License-Identifier: Apache-2.0 */
/* plan_rows.h - a plan as it came over the wire becomes rows of the store. */
#ifndef COORDINATOR_PLAN_ROWS_H
#define COORDINATOR_PLAN_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/wire/drover.pb-c.h"
#include "coordinator/gates.h"
#include "store/control.h"
#include "store/submit.h"

struct store;

/* What the indexes of a plan have become. */
struct plan_rows {
    struct store_submission sub;
    uint64_t *runs, *families, *jobs; /* ids in the store; jobs so far */
    struct store_changes changes;
    struct gates gates;
};

/* Begin a submission (store/submit.h) and put all of PLAN into it, in the order in which its parts
 * name one another; what RET gets is freed by plan_rows_release(), also after an error. The caller
 * ends the submission or aborts it. ERR_INVALID tells the place in the plan; else what
 * store_submit_...() say. PLAN's labels are sorted on the way. */
int plan_rows_put(struct store *store, const Drover__Plan *plan, struct plan_rows *ret,
                  struct err *err) MUST_CHECK;
void plan_rows_release(struct plan_rows *p);

/* For plan_rows_put() (plan_job.c): job I, behind those that it needs. */
int plan_job_put(struct store *store, const Drover__Plan *plan, struct plan_rows *p, size_t i,
                 struct err *err) MUST_CHECK;
/* FROM in TO, of SIZE bytes; ERR_INVALID, which calls it WHAT, when it is too long. */
int plan_text(char *to, size_t size, const char *from, const char *what,
              struct err *err) MUST_CHECK;

#endif
