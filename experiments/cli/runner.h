/* SPDX-License-Identifier: Apache-2.0 */
/* runner.h - a plan run to its end: what `drover run` and `drover evaluate` have in common. Starts
 * a coordinator and workers (or joins those that are there), follows, prints the tables. */
#ifndef EXPERIMENTS_CLI_RUNNER_H
#define EXPERIMENTS_CLI_RUNNER_H

#include "experiments/cli/cli.h"
#include "experiments/cli/embedded.h"

struct runner {
    struct options o;
    const char *again;  /* arguments that go on with it: "run my.cfg" */
    const char *recipe; /* its name for `drover plan`, or NULL */
    size_t workers, threads;
    bool quiet, detach;
};

/* Cores that this process may use. */
size_t runner_cores(void);
/* The command's exit code; everything has been said. */
int runner_run(const struct runner *a, const struct env *env, const struct plan *plan);

#endif
