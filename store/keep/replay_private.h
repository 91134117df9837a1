/* SPDX-License-Identifier: Apache-2.0 */
/* replay_private.h - between replay.c and replay_compare.c. */
#ifndef STORE_KEEP_REPLAY_PRIVATE_H
#define STORE_KEEP_REPLAY_PRIVATE_H

#include "store/keep/keep_private.h"

struct replay_head {
    char state[16];
    bool diverged;
    uint64_t attempt, begin, end, family;
};

/* What S's job JOB is; with J, its key, kind and class too. ERR_NOT_FOUND. */
int replay_head(struct store *s, uint64_t job, struct replay_job *j, struct replay_head *ret,
                struct err *err) MUST_CHECK;

#endif
