/* SPDX-License-Identifier: Apache-2.0 */
/* lesson.h - a training text made from one problem of a synthetic task: the prompt as it is asked
 * later, more places than its end where something is taught, and further questions about the same
 * facts. A model that gets one answer per prompt sees ten times fewer lessons per token. Private to
 * worker/jobs. */
#ifndef WORKER_JOBS_LESSON_H
#define WORKER_JOBS_LESSON_H

#include <stddef.h>

#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/tasks/task.h"

enum { LESSON_MAX = 256 };

/* TEXT[0..len) begins with the problem's prompt. SAY[i] is the byte that should follow text[0..i];
 * 0: nothing is taught there. At the prompt's end it is the problem's answer. */
struct lesson {
    size_t len;
    char text[LESSON_MAX + 1], say[LESSON_MAX + 1];
};

/* math: at every digit the value up to there. logic: at the second entity of a fact and at a
 * choice's letter what stands in front of it (lookup in the context needs that first); at the
 * entity asked about the one in which its chain ends, at "=" the letter; then further questions
 * about other entities, in random order from R, as many as fit into MAX_LEN bytes, each the same
 * way: "...?a=A?c=B?e=". lists: at every element the smallest so far, at the argument of "-" the
 * place from the front (the tenth: 0), at "=" the answer; then random further questions about the
 * same list: "...<3=b?a=2-1=". Other tasks: the prompt and its answer. ERR_LIMIT: the prompt alone
 * is longer than MAX_LEN or LESSON_MAX. */
int lesson_make(struct lesson *ret, const char *task, const struct example *e, struct rng *r,
                size_t max_len, struct err *err) MUST_CHECK;

#endif
