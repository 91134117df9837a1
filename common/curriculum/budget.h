/* SPDX-License-Identifier: Apache-2.0 */
/* budget.h - token budgets over the updates of a curriculum: pure functions of the update.
 *
 * A schedule is piecewise constant: drops cut the UPDATES into drops + 1 equal parts (part k starts
 * at the first update t with t * (drops + 1) >= k * updates), or come one every INTERVAL updates,
 * and the budget falls between them from FIRST to LAST: linear by equal amounts, exponential by
 * equal factors, cosine along half a wave; an exponential by gamma and interval instead has
 * max(last, first * gamma^floor(t / interval)).
 * Formulas and sources: docs/curricula.md. */
#ifndef COMMON_CURRICULUM_BUDGET_H
#define COMMON_CURRICULUM_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"

/* The words of the parameter "schedule", in the order of the table of job kinds. */
enum budget_kind {
    BUDGET_NONE, /* no budget: plain GRPO */
    BUDGET_CONSTANT,
    BUDGET_LINEAR,
    BUDGET_EXPONENTIAL,
    BUDGET_COSINE,
    BUDGET_STEPS,
    BUDGET_ADAPTIVE, /* adaptive.h decides as training goes; FIRST to LAST are its bounds */
    BUDGET_KINDS
};

struct budget_schedule {
    enum budget_kind kind;
    uint64_t updates;        /* of the whole curriculum */
    int64_t first, last;     /* tokens */
    uint64_t drops;          /* linear, cosine, and exponential without gamma */
    double gamma;            /* exponential by a factor; 0: by drops */
    uint64_t interval;       /* updates between two drops; 0: equal parts (not with gamma) */
    const int64_t *steps;    /* BUDGET_STEPS: the budgets... */
    const int64_t *steps_at; /* ...and the update each begins at; NULL: spread evenly */
    size_t steps_len;
    size_t steps_at_len; /* 0 or steps_len */
};

const char *budget_name(enum budget_kind kind); /* "none", "constant"... */
const char *budget_help(enum budget_kind kind); /* one sentence */
enum budget_kind budget_find(const char *name); /* BUDGET_KINDS when unknown */

/* Is the schedule possible? ERR_INVALID with a sentence and remedy, and the parameter at fault
 * ("budget_first", "gamma", "interval", "drops", "steps"...) in RET_FIELD (may be NULL). */
int budget_check(const struct budget_schedule *s, const char **ret_field,
                 struct err *err) MUST_CHECK;

/* The budget of UPDATE (from 0) in whole tokens, rounded to the nearest, at least 1; 0 for
 * BUDGET_NONE. Of an adaptive schedule: FIRST. S must have passed budget_check. */
int64_t budget_at(const struct budget_schedule *s, uint64_t update);
/* Before it is rounded. */
double budget_exact(const struct budget_schedule *s, uint64_t update);

/* The smallest factor of one drop, 1 when there is none. At 0.5 and below a completion of the old
 * length earns no length reward at all (reference of the rule: docs/curricula.md). */
double budget_steepest(const struct budget_schedule *s);

/* What updates first .. first + updates - 1 see: budget[i] counts from offset at[i] (from FIRST; at
 * [0] = 0) to the next; neighbours differ. Empty without budgets. */
enum { BUDGET_SLICE_MAX = 256 };
struct budget_slice {
    int64_t budget[BUDGET_SLICE_MAX], at[BUDGET_SLICE_MAX];
    size_t len;
};
/* ERR_LIMIT: more than BUDGET_SLICE_MAX budgets in one slice. */
int budget_slice(const struct budget_schedule *s, uint64_t first, uint64_t updates,
                 struct budget_slice *ret, struct err *err) MUST_CHECK;
/* The budget at OFFSET of a slice given as a job's two lists; 0 when LEN is 0. */
int64_t budget_slice_at(const int64_t *budget, const int64_t *at, size_t len, uint64_t offset);
/* Are a job's two lists a slice of UPDATES updates? at[0] = 0, rising, below UPDATES; budgets of
 * at least 1; as many of one as of the other. */
int budget_slice_check(const int64_t *budget, size_t budget_len, const int64_t *at, size_t at_len,
                       uint64_t updates, struct err *err) MUST_CHECK;

/* The schedule in words: "256 to 87 tokens in 3 equal factors of 0.698", appended to OUT. */
void budget_describe(const struct budget_schedule *s, struct buf *out);

#endif
