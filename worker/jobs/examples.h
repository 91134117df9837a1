/* SPDX-License-Identifier: Apache-2.0 */
/* examples.h - the loop that search and evaluate share: each example of the shard that is not
 * durable yet is worked on and sent, and its ack awaited, before the next. Private to worker/jobs.
 */
#ifndef WORKER_JOBS_EXAMPLES_H
#define WORKER_JOBS_EXAMPLES_H

#include "common/tasks/task.h"
#include "worker/jobs/job.h"

/* The job's task by its parameter. ERR_INVALID. */
int job_task(const struct job *j, const struct task_spec **ret, struct err *err) MUST_CHECK;

/* Work on one example: put a label or a score into RESULT, whose memory stays the callee's and
 * valid until the next call. */
typedef int (*job_example_fn)(void *arg, const struct example *e, Drover__ExampleResult *result,
                              struct err *err);
/* Examples lease->begin..end-1, in order. ERR_CANCELLED when stopped between two of them,
 * ERR_STALE, or what FN returns. */
int job_each_example(struct job *j, job_example_fn fn, void *arg, struct err *err) MUST_CHECK;

#endif
