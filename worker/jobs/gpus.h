/* SPDX-License-Identifier: Apache-2.0 */
/* gpus.h - which of the GPUs that a worker was given a program sees. Pure.
 *
 * A batch system tells a worker its GPUs by variables of the environment. Slot I of N shows its
 * programs the ids I, I + N, I + 2N... of each list: programs of different slots have none in
 * common while there are as many ids as slots. With fewer ids than slots, slot I has id I modulo
 * their number. An empty list, or one that says that there are none, stays as it is. */
#ifndef WORKER_JOBS_GPUS_H
#define WORKER_JOBS_GPUS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"

/* The share of slot SLOT of SLOTS (0 counts as 1) in LIST: ids with commas between; of numbers also
 * "0-3". */
void gpus_share(const char *list, size_t slot, size_t slots, struct buf *out);

/* Is NAME a variable that gpus_env() gives? */
bool gpus_gives(const char *name);
/* Tell PUT the variables of a program of slot SLOT; GET is getenv but in tests.
 *
 *   CUDA_VISIBLE_DEVICES, ROCR_VISIBLE_DEVICES, GPU_DEVICE_ORDINAL, ZE_AFFINITY_MASK
 *                          those that the worker has, each with the slot's share
 *   HIP_VISIBLE_DEVICES    likewise, but not beside ROCR_VISIBLE_DEVICES, of which it counts
 *   SLURM_STEP_GPUS, SLURM_JOB_GPUS
 *                          where none of those is set: CUDA_VISIBLE_DEVICES */
void gpus_env(char *(*get)(const char *name), size_t slot, size_t slots,
              void (*put)(void *arg, const char *name, const char *value), void *arg);

#endif
