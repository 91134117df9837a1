/* SPDX-License-Identifier: Apache-2.0 */
/* hint.h - outcomes that earlier searches found for the same evaluations: a memo. It saves
 * evaluations and changes no bit of a label, whatever it holds of which searches.
 *
 * JSON lines, one example each, in any order, an example also more than once:
 *     {"id":"16 hex digits","paths":[["11011",1,"7"],...]}
 * a path, its reward (0 or 1) and its answer. What cannot be used is left out without a word: paths
 * of another number of layers, paths that two lines judge differently, a last line without its end.
 * Private to worker/jobs. */
#ifndef WORKER_JOBS_HINT_H
#define WORKER_JOBS_HINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

struct hint;

struct hint_outcome {
    bool correct;
    const char *answer; /* at most OUTCOME_ANSWER_BYTES - 1 bytes; valid until hint_free */
};

/* Read the file PATH for a model of LAYERS. ERR_CORRUPT with the line and what is wrong there. */
int hint_read(struct hint **ret, const char *path, size_t layers, struct err *err) MUST_CHECK;
void hint_free(struct hint *h); /* NULL is fine */
/* What H (may be NULL) knows about ROUTING of example ID. */
bool hint_find(const struct hint *h, uint64_t id, const uint8_t *routing, struct hint_outcome *ret);
size_t hint_len(const struct hint *h); /* usable outcomes */

#endif
