/* SPDX-License-Identifier: Apache-2.0 */
/* requests.h - what a plan's jobs ask of workers, against the workers that `drover run` starts. */
#ifndef EXPERIMENTS_CLI_REQUESTS_H
#define EXPERIMENTS_CLI_REQUESTS_H

#include "experiments/cli/runner.h"

/* After runner_share(): make the workers of R such that every job of PLAN finds one that it may run
 * on. CHOSEN: --workers or --threads was given, and stays. On a computer of CORES and MEMORY_MIB
 * (0: unknown). ERR_INVALID names the step and the remedy. */
int requests_share(struct runner *r, bool chosen, const struct plan *plan, size_t cores,
                   uint64_t memory_mib, struct err *err) MUST_CHECK;
/* This computer's memory in MiB, 0: unknown. */
uint64_t requests_memory_mib(void);

#endif
