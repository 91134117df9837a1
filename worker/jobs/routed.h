/* SPDX-License-Identifier: Apache-2.0 */
/* routed.h - which path each example of an evaluate job goes. Private to worker/jobs.
 *
 *   base      every layer once
 *   path      one path for all, from the parameters
 *   static    the best path of a select step, of at most path_layers layer applications
 *   labels    the example's label; every layer once without one
 *   shuffled  another example's label: the label set's examples of the same task and level stand in
 *             a circle whose order routing_seed gives, and each takes what the next would run by
 *             "labels"
 *   random    a random path with as many skips and repeats as the example's label has
 *   router    what a router decides on the prompt, in the pass itself
 *
 * An example that the label set lacks takes, for shuffled and random, a random example of its task
 * and level there in its stead. A path is a function of (parameters, inputs, example): of no shard
 * or batch. */
#ifndef WORKER_JOBS_ROUTED_H
#define WORKER_JOBS_ROUTED_H

#include "worker/jobs/evaluator.h"
#include "worker/jobs/job.h"

struct routed;
/* From J's parameters and inputs, for its MODEL (borrowed). ERR_INVALID and others name the input
 * and the remedy: a router or labels of another model, a path outside the limits of search, none
 * that is short enough, a task and level without labels. */
int routed_new(struct routed **ret, const struct job *j, const struct model *model,
               struct err *err) MUST_CHECK;
void routed_free(struct routed *r);

/* V's path for E: routing, or who decides it. Either way ROUTING ([layers], the caller's) is the
 * path once V was run. */
int routed_choose(struct routed *r, const struct example *e, uint8_t *routing, struct evaluation *v,
                  struct err *err) MUST_CHECK;
/* The label of example ID that its path is compared with; NULL: none, or the path is it. */
const uint8_t *routed_label(const struct routed *r, uint64_t id);

#endif
