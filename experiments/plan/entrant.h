/* SPDX-License-Identifier: Apache-2.0 */
/* entrant.h - what halving.c notes of each run and select.c makes select jobs of. Internal to
 * experiments/plan. */
#ifndef EXPERIMENTS_PLAN_ENTRANT_H
#define EXPERIMENTS_PLAN_ENTRANT_H

#include "experiments/plan/halving.h"

/* A run in front of a select job. */
struct entrant {
    struct digest candidate;
    uint64_t seed;
    uint32_t run;
    struct digest *part; /* what decides: families with counts or jobs, sorted */
    size_t parts_len;
    uint32_t *job;
    size_t jobs_len;
};

struct halving {
    int step[RECIPE_RUNGS_MAX], score[RECIPE_RUNGS_MAX];
    struct {
        struct entrant *v;
        size_t len, cap;
        uint32_t job; /* the select job behind the rung */
    } rung[RECIPE_RUNGS_MAX];
    bool reads[RECIPE_STEPS_MAX]
              [RECIPE_RUNGS_MAX]; /* the step waits for select job K in some run */
    struct plan_gate *gate;       /* BY is a level until the select jobs are there */
    size_t gates_len, gates_cap;
};

#endif
