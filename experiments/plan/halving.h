/* SPDX-License-Identifier: Apache-2.0 */
/* halving.h - select jobs, gates and candidates. Internal to experiments/plan.
 *
 * The rungs of a run are steps s0, s1, s2...; select job k, k >= 1, stands between s(k-1) and s(k).
 * A step's level in a run is the largest k whose s(k) it is or, by whatever way, needs: its jobs
 * are gated by select job k, if that chooses among runs to which this one belongs, else by the
 * nearest before. A job's level is the least among its claims, 0 when one of them has no gate: jobs
 * of level k need nothing of a higher one, select job k needs jobs of levels below k, and so jobs
 * can be put in the order: level 0, select job 1, level 1, select job 2... */
#ifndef EXPERIMENTS_PLAN_HALVING_H
#define EXPERIMENTS_PLAN_HALVING_H

#include "experiments/plan/build.h"

struct halving;

/* Note the run that was just built. ERR_INVALID: rungs in an order in which they cannot be reached;
 * ERR_LIMIT: too many gates. Nothing when the recipe halves nothing. */
int halving_add_run(struct build *b, const struct point *p, const struct step *steps,
                    const struct built *built, const size_t *order, size_t order_len,
                    uint32_t run_index, struct err *err) MUST_CHECK;
/* Add the select jobs and renumber all jobs so that each follows what it needs. */
int halving_finish(struct build *b, struct err *err) MUST_CHECK;
void halving_free(struct halving *h); /* NULL is fine */

#endif
