/* SPDX-License-Identifier: Apache-2.0 */
/* static_paths.h - the best paths for all examples together, as a file: one JSON object per line,
 *   {"layers":7,"routing":"11110111","n":4000,"right":3500,"accuracy":0.875}
 * by number of layer applications, ascending, then by how many of the N examples they answer
 * rightly; ties: the order of labels. Private to worker/jobs. */
#ifndef WORKER_JOBS_STATIC_PATHS_H
#define WORKER_JOBS_STATIC_PATHS_H

#include "worker/jobs/label_set.h"

/* The paths that were evaluated for every example of S: of each length the BEAM (>= 1) best, and
 * with EACH the best for the examples of each family (task and level) too; appended to OUT, each
 * once, the best first; *RET_LEN of them. ERR_INVALID: S has no example or none of whose paths are
 * known, or no path but every layer once was evaluated for all; the text begins with PATH. */
int static_paths_choose(const struct label_set *s, const char *path, size_t beam, bool each,
                        struct buf *out, size_t *ret_len, struct err *err) MUST_CHECK;

/* What a line says of its path: right for RIGHT of N examples. */
struct static_score {
    int64_t n, right; /* 0 <= right <= n, 1 <= n <= INT32_MAX */
};
/* The legal paths of the file PATH for a model of LAYERS: [*RET_LEN][layers] and, unless
 * RET_SCORE is NULL, what each line says; both for free(). Errors begin with file:line. */
int static_paths_read(const char *path, size_t layers, uint8_t **ret,
                      struct static_score **ret_score, size_t *ret_len, struct err *err) MUST_CHECK;

#endif
