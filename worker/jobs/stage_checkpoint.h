/* SPDX-License-Identifier: Apache-2.0 */
/* stage_checkpoint.h - where a stage is, as files: one for a checkpoint inside it, a folder for the
 * stage that follows. Private to worker/jobs.
 *
 * Checkpoint: a parcel (parcel.h), its head the state as JSON (stage_state.h), its body what
 * trainer_save_state(TRAIN_STATE_ALL) writes. Folder: state.json and, unless it diverged,
 * optimiser.bin (TRAIN_STATE_MOMENTS). */
#ifndef WORKER_JOBS_STAGE_CHECKPOINT_H
#define WORKER_JOBS_STAGE_CHECKPOINT_H

#include "worker/jobs/stage_state.h"
#include "worker/train/train.h"

/* Write PATH; PATH.trainer is there meanwhile. ERR_IO, ERR_FULL, ERR_READONLY. */
int stage_checkpoint_write(const char *path, const struct stage_state *s,
                           const struct stage_conf *c, const struct trainer *t,
                           struct progress *progress, struct err *err) MUST_CHECK;
/* That of STEP updates into S and T, which are as they were after an error: ERR_CORRUPT,
 * ERR_VERSION, ERR_INVALID... SCRATCH: a file that may be written. */
int stage_checkpoint_read(const char *path, const char *scratch, uint64_t step,
                          struct stage_state *s, const struct stage_conf *c, struct trainer *t,
                          struct progress *progress, struct err *err) MUST_CHECK;

/* The state folder DIR (made): T NULL leaves the optimiser out. */
int stage_folder_write(const char *dir, const struct stage_state *s, const struct stage_conf *c,
                       const struct trainer *t, struct err *err) MUST_CHECK;
/* state.json alone; the optimiser's part into T, which must have the stage's start weights. */
int stage_folder_read(const char *dir, struct stage_state *ret, const struct stage_conf *c,
                      struct err *err) MUST_CHECK;
int stage_folder_load(const char *dir, struct trainer *t, struct err *err) MUST_CHECK;

#endif
