/* SPDX-License-Identifier: Apache-2.0 */
/* implement.h - the job kinds' functions, one file each. A new kind: a row in common/kinds/table.c,
 * a file here, a row in table.c. Private to worker/jobs. */
#ifndef WORKER_JOBS_IMPLEMENT_H
#define WORKER_JOBS_IMPLEMENT_H

#include "worker/jobs/job.h"

int pretrain_run(struct job *j, struct err *err);
int search_job_run(struct job *j, struct err *err);
int collect_run(struct job *j, struct err *err);
int evaluate_run(struct job *j, struct err *err);
int select_run(struct job *j, struct err *err);
int router_run(struct job *j, struct err *err);
int noop_run(struct job *j, struct err *err);
int stage_run(struct job *j, struct err *err);
int exec_run(struct job *j, struct err *err);

/* What people call input NAME: the path that the recipe names, else NAME itself. */
const char *job_input_name(const struct job *j, const char *name);

#endif
