/* SPDX-License-Identifier: Apache-2.0 */
/* checkpoint_private.h - the store's own calls of checkpoint.c. */
#ifndef STORE_CHECKPOINT_PRIVATE_H
#define STORE_CHECKPOINT_PRIVATE_H

#include "store/store_private.h"

/* ATTEMPT of JOB begins: if there is a checkpoint, it is said to go on from there, and has the
 * metrics up to there. */
int checkpoint_resume(struct store *s, uint64_t job, uint64_t attempt, struct err *err) MUST_CHECK;

/* Before a commit: the rows of files that were removed after an earlier one. After it: remove the
 * files of checkpoints that are no more; a crash in between leaves them to the next commit. */
int checkpoint_forget(struct store *s, struct err *err) MUST_CHECK;
void checkpoint_sweep(struct store *s);

#endif
