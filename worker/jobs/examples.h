/* SPDX-License-Identifier: Apache-2.0 */
/* examples.h - the loop that search and evaluate share: the examples of the shard that are not
 * durable yet are worked on, a few at a time, and sent one by one in their order, each acked before
 * the next. Private to worker/jobs. */
#ifndef WORKER_JOBS_EXAMPLES_H
#define WORKER_JOBS_EXAMPLES_H

#include "common/tasks/task.h"
#include "worker/jobs/job.h"

/* The job's task by its parameter. ERR_INVALID. */
int job_task(const struct job *j, const struct task_spec **ret, struct err *err) MUST_CHECK;

/* Work on the N examples of E: put a label or a score into each of RESULT, whose memory stays the
 * callee's and valid until the next call. */
typedef int (*job_examples_fn)(void *arg, const struct example *const *e, size_t n,
                               Drover__ExampleResult *result, struct err *err);
/* Examples lease->begin..end-1, in order, at most BATCH together. ERR_CANCELLED when stopped in
 * front of one of them, ERR_STALE, or what FN returns. */
int job_each_example(struct job *j, size_t batch, job_examples_fn fn, void *arg,
                     struct err *err) MUST_CHECK;

#endif
