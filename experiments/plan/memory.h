/* SPDX-License-Identifier: Apache-2.0 */
/* memory.h - what a plan owns besides its arrays. Internal to experiments/plan. */
#ifndef EXPERIMENTS_PLAN_MEMORY_H
#define EXPERIMENTS_PLAN_MEMORY_H

#include <uthash.h>

#include "experiments/plan/build.h"

struct plan_text {
    char *s;
    UT_hash_handle hh;
};

struct plan_params {
    struct params p;
    struct plan_params *next;
};

struct plan_memory {
    struct plan_text *texts;    /* hash of interned strings */
    struct plan_params *params; /* list */
};

void memo_release(struct build *b);

#endif
