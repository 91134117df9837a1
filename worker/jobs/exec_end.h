/* SPDX-License-Identifier: Apache-2.0 */
/* exec_end.h - how a program ended, in words. */
#ifndef WORKER_JOBS_EXEC_END_H
#define WORKER_JOBS_EXEC_END_H

#include "worker/jobs/exec_tail.h"
#include "worker/jobs/job.h"
#include "worker/spawn/spawn.h"

/* 0: PROGRAM ended with exit code 0. Else an error that says what happened, with the last words of
 * TAIL: ERR_INVALID, ERR_NOMEM, ERR_TIMEOUT, ERR_CANCELLED (it was told to stop), ERR_IO. */
int exec_end_name(const struct job *j, const char *program, const struct spawn_end *end,
                  const struct exec_tail *tail, struct err *err) MUST_CHECK;

#endif
