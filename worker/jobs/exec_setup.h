/* SPDX-License-Identifier: Apache-2.0 */
/* exec_setup.h - what a program is given: folders, inputs, arguments, environment, a JSON file; and
 * what it must leave. */
#ifndef WORKER_JOBS_EXEC_SETUP_H
#define WORKER_JOBS_EXEC_SETUP_H

#include "common/kinds/command.h"
#include "worker/jobs/job.h"
#include "worker/jobs/policy.h"

struct exec_value {
    char name[COMMAND_NAME_MAX + 8]; /* "seed", "input.data", "lr" */
    char *text;
};

struct exec_setup {
    char work[4200], out[4200]; /* its working folder, and where its outputs go */
    struct exec_value *value;
    size_t values_len;
    struct command_output output[COMMAND_OUTPUTS_MAX];
    size_t outputs_len;
    char **argv, **env; /* ended by NULL */
    size_t argv_len, env_len;
};

/* Folders, inputs (fetched), DROVER_JOB's file, arguments and environment. Errors are those of the
 * services and of command_check(). */
int exec_setup(struct exec_setup *s, struct job *j, const struct policy *policy,
               struct err *err) MUST_CHECK;
void exec_setup_release(struct exec_setup *s);

/* The declared outputs are there and of the right form: made blobs. ERR_INVALID names what is
 * missing. */
int exec_outputs(const struct exec_setup *s, struct job *j, struct err *err) MUST_CHECK;

#endif
