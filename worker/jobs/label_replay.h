/* SPDX-License-Identifier: Apache-2.0 */
/* label_replay.h - labels put to the test: the default path and the label's path of each example
 * are run again, whole and without any memo, and must answer as the search said they did. */
#ifndef WORKER_JOBS_LABEL_REPLAY_H
#define WORKER_JOBS_LABEL_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/progress.h"
#include "common/tasks/task.h"
#include "worker/kernels/pool.h"
#include "worker/model/model.h"

/* What a search said of one example. */
struct label_claim {
    uint64_t id, index;
    bool base_correct;
    char *base_answer;
    char *routing; /* digits; NULL: without label */
    char *answer;  /* by ROUTING, which is right */
    char *what;    /* "experiment/step", for people */
};
void label_claim_release(struct label_claim *c);

/* Where they come from; all borrowed. */
struct label_replay {
    const struct model *model;
    const char *model_name;
    struct pool *pool; /* may be NULL */
    struct task_query query;
    size_t batch; /* examples together; changes no bit */
};

/* Path ROUTING (NULL: the default path) of claim C gave another outcome. */
struct label_disagreement {
    const struct label_claim *claim;
    const char *routing, *expected_answer, *got_answer;
    bool expected_correct, got_correct;
};

struct label_replay_report {
    void *arg;
    void (*disagree)(void *arg, const struct label_disagreement *d);
    void (*done)(void *arg, size_t labels, size_t evaluations); /* more of them, after each batch */
};

/* Replay N claims, in this order. ERR_INVALID: a routing that is none of the model's, an index at
 * which the task has another example; ERR_CANCELLED at the stop of PROGRESS (may be NULL). */
int label_replay_run(const struct label_replay *r, const struct label_claim *c, size_t n,
                     const struct label_replay_report *report, struct progress *progress,
                     struct err *err) MUST_CHECK;

#endif
