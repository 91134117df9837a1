/* SPDX-License-Identifier: Apache-2.0 */
/* prompts.h - the prompts of a label set's examples, read again from their tasks, as the tokens
 * that a router sees: of a generated answer the prompt, of choices the context that all have.
 * Private to worker/jobs. */
#ifndef WORKER_JOBS_PROMPTS_H
#define WORKER_JOBS_PROMPTS_H

#include "common/tasks/task.h"
#include "worker/jobs/job.h"
#include "worker/jobs/label_set.h"
#include "worker/jobs/means.h"

/* Called with example AT[i] of a label set, which FN may keep (and then sets *E to { 0 }). */
typedef int (*prompts_fn)(void *arg, size_t i, struct example *e, const struct task_spec *task,
                          struct err *err);
/* The N rows AT of S, by family and index. Tasks that are read from files need the job's input
 * "task_file.TASK", or "task_file". ERR_INVALID: an example that has another id now; ERR_CANCELLED;
 * what FN returns. */
int prompts_each(struct job *j, const struct label_set *s, const size_t *at, size_t n,
                 prompts_fn fn, void *arg, struct err *err) MUST_CHECK;

/* Fill tokens and rows of E[i] for row AT[i]. ERR_INVALID also: a prompt that the tokenizer of M
 * cannot express. */
int prompts_read(struct job *j, const struct model *m, const struct label_set *s, const size_t *at,
                 size_t n, struct means_example *e, struct err *err) MUST_CHECK;

#endif
