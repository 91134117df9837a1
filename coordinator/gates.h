/* SPDX-License-Identifier: Apache-2.0 */
/* gates.h - the halving of a plan, by job: which gates its claims have, which candidates a select
 * job chooses among. Private to coordinator/. */
#ifndef COORDINATOR_GATES_H
#define COORDINATOR_GATES_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/wire/wire.h"

/* Places in the plan's list, grouped: those of job J are at[begin[J]..begin[J + 1]). */
struct gates_by_job {
    size_t *begin;
    uint32_t *at;
};

struct gates {
    struct gates_by_job gate, candidate;
};

/* ERR_INVALID with the place in the plan: an index out of range, a gate whose select job is none or
 * does not stand before its job, a candidate of a job that does not select. */
int gates_of_plan(struct gates *ret, const Drover__Plan *plan, struct err *err) MUST_CHECK;
void gates_release(struct gates *g);
/* How many JOB has. */
size_t gates_len(const struct gates_by_job *g, size_t job);

#endif
