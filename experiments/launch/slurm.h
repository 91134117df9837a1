/* SPDX-License-Identifier: Apache-2.0 */
/* slurm.h - Slurm, by its commands: sbatch, squeue, scancel. All of a launch's jobs are asked about
 * at once and rarely, as the controller's etiquette wants it. */
#ifndef EXPERIMENTS_LAUNCH_SLURM_H
#define EXPERIMENTS_LAUNCH_SLURM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "experiments/launch/pilots.h"

enum { SLURM_JOBS_MAX = 1000, SLURM_TIME_MS = 60000 };

/* Pilots by what became of them. */
struct slurm_counts {
    unsigned pending, running;
    unsigned done; /* COMPLETED, and those that ran to their limit, were preempted or cancelled, or
                      left with work that was cut off (exit code 75) */
    unsigned failed; /* otherwise FAILED, OUT_OF_MEMORY, BOOT_FAIL, NODE_FAIL, DEADLINE */
    bool any_reason; /* REASON is set */
    char reason[64]; /* why one of the pending waits: "Resources", "PartitionTimeLimit"... */
};

/* Lines "ID|STATE|EXIT CODE|REASON" of squeue. Words that are not known count as running. */
void slurm_parse_queue(const char *text, struct slurm_counts *ret);
/* "1234" or "1234;cluster" of sbatch --parsable; 0: neither. */
uint64_t slurm_parse_id(const char *text);

/* Is there a Slurm? ERR_NOT_FOUND with the remedy. */
int slurm_present(struct err *err) MUST_CHECK;
/* Ask for LEN pilots (one array). ERR_INVALID: what sbatch says. */
int slurm_submit(const struct pilots *p, unsigned len, const char *script, uint64_t *ret_job,
                 struct err *err) MUST_CHECK;
/* What became of the arrays JOBS. Those that Slurm does not know any more are gone: counted
 * nowhere. ERR_IO, ERR_TIMEOUT: Slurm does not answer. */
int slurm_look(const uint64_t *jobs, size_t len, struct slurm_counts *ret,
               struct err *err) MUST_CHECK;
/* PENDING: take back what has not begun. ASK: that, and USR1 to what runs: pilots drain, with all
 * of their grace. KILL: everything, at once. Unknown jobs are fine. */
enum slurm_cancel { SLURM_PENDING, SLURM_ASK, SLURM_KILL };
int slurm_cancel(const uint64_t *jobs, size_t len, enum slurm_cancel how,
                 struct err *err) MUST_CHECK;

#endif
