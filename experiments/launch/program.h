/* SPDX-License-Identifier: Apache-2.0 */
/* program.h - another program, run to its end: sbatch, squeue, ssh. */
#ifndef EXPERIMENTS_LAUNCH_PROGRAM_H
#define EXPERIMENTS_LAUNCH_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"

enum { PROGRAM_OUTPUT_MAX = 16 << 20 };

struct program_end {
    int code;            /* exit code; 128 + the signal that ended it */
    struct buf out, err; /* what it wrote; cut at PROGRAM_OUTPUT_MAX */
};
void program_release(struct program_end *e); /* also for CLEANUP */

/* Run ARGV (ended by NULL; found by PATH) with INPUT as its standard input. ERR_NOT_FOUND: there is
 * no such program; ERR_TIMEOUT: it took longer than TIME_MS and was killed; ERR_IO. A code other
 * than 0 is no error here. */
int program_run(const char *const *argv, const char *input, size_t input_len, uint32_t time_ms,
                struct program_end *ret, struct err *err) MUST_CHECK;
/* "sbatch failed (exit code 1): what it said". Sets ERR and returns ERR_INVALID. */
int program_failed(const char *name, const struct program_end *e, struct err *err);

#endif
