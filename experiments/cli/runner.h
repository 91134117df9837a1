/* SPDX-License-Identifier: Apache-2.0 */
/* runner.h - a plan run to its end: what `drover run` and `drover evaluate` have in common. Starts
 * a coordinator and workers (or joins those that are there), follows, prints the tables. */
#ifndef EXPERIMENTS_CLI_RUNNER_H
#define EXPERIMENTS_CLI_RUNNER_H

#include "experiments/cli/cli.h"
#include "experiments/cli/embedded.h"

enum { RUNNER_LABELS_MAX = 16 };

struct runner {
    struct options o;
    const char *again;                        /* arguments that go on with it: "run my.cfg" */
    const char *recipe;                       /* its name for `drover plan`, or NULL */
    size_t workers, threads;                  /* 0: runner_share() chooses */
    size_t slots;                             /* of each worker: by requests_share() */
    const char *label[RUNNER_LABELS_MAX + 1]; /* that its workers have, ended by NULL */
    size_t labels_len;
    bool quiet, detach;
    bool allow_exec;      /* exec steps run */
    const char *programs; /* those that may, parted by commas; NULL: those that the plan names */
};

/* What --workers and --threads leave open: one worker per core with one thread; one worker with all
 * cores when the plan's largest model file has RUNNER_LARGE_BYTES or more, so that its weights are
 * in memory once. */
#define RUNNER_LARGE_BYTES ((uint64_t)256 << 20)
void runner_share(struct runner *r, uint64_t largest_bytes, size_t cores);
/* The command's exit code; everything has been said. */
int runner_run(struct runner *a, const struct env *env, const struct plan *plan);

#endif
