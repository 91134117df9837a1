/* SPDX-License-Identifier: Apache-2.0 */
/* lockstep.h - the searches of several examples side by side: each round asks the evaluator for
 * what all of them want to know, so that every pass is full. Labels are those of one search after
 * the other. Private to worker/jobs. */
#ifndef WORKER_JOBS_LOCKSTEP_H
#define WORKER_JOBS_LOCKSTEP_H

#include "common/base/progress.h"
#include "worker/jobs/evaluator.h"
#include "worker/jobs/hint.h"
#include "worker/search/search.h"

struct answer {
    char text[OUTCOME_ANSWER_BYTES];
};

/* One example's search. */
struct seeker {
    const struct example *example;
    struct search *machine;
    struct search_result result; /* at the end */
    struct answer *answer;       /* of the entries, in their order */
    bool *hinted;                /* of the entries: known by the hint */
    size_t answers_len, answers_cap;
    uint64_t rows, evaluated; /* token rows of the evaluations made, and their number */
    /* The present round. */
    const uint8_t *const *asked;
    size_t asked_len, asked_hinted;
    double *reward; /* [asked_len] */
};
void seeker_release(struct seeker *s);

struct lockstep {
    const struct search_params *params;
    size_t layers;
    uint64_t seed;
    struct evaluator *evaluator;
    const struct hint *hint;   /* may be NULL */
    struct progress *progress; /* may be NULL */
};
/* Search the N examples of E, begun at the evaluator in that order, and replay their labels, whole
 * and alone. RET: [n], released by the caller also after an error. ERR_INTERNAL: a label that its
 * replay contradicts; or what the evaluator returns. */
int lockstep_run(const struct lockstep *l, const struct example *const *e, size_t n,
                 struct seeker *ret, struct err *err) MUST_CHECK;

/* Index of ROUTING among the entries of S; result.evaluations when it is none. */
size_t seeker_entry(const struct seeker *s, const uint8_t *routing, size_t layers);

#endif
