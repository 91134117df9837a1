/* SPDX-License-Identifier: Apache-2.0 */
/* label_set.h - searched labels as a file: one JSON object per line,
 * {"id":"16 hex","task":"math","level":3,"index":17,"base_correct":true,"routing":"11021111"} with
 * null for an example without a correct path. Canonical: members in this order, lines sorted by id,
 * each id once. Private to worker/jobs. */
#ifndef WORKER_JOBS_LABEL_SET_H
#define WORKER_JOBS_LABEL_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"

enum { LABEL_TASK_BYTES = 64, LABEL_ROUTING_BYTES = 257 };

struct label_row {
    uint64_t id;
    char task[LABEL_TASK_BYTES];
    int64_t level;
    uint64_t index;
    bool base_correct;
    char routing[LABEL_ROUTING_BYTES]; /* digits; empty: no label */
};

struct label_set {
    struct label_row *row; /* sorted by id */
    size_t len;
};

/* Read the file PATH in any order of lines. ERR_INVALID names the line; two different rows of one
 * example are ERR_CONFLICT, equal ones are one. */
int label_set_read(struct label_set *ret, const char *path, struct err *err) MUST_CHECK;
void label_set_release(struct label_set *s);
/* The row of example ID, or NULL. */
const struct label_row *label_set_find(const struct label_set *s, uint64_t id);
/* Append the canonical text of S to OUT; SOLVED_ONLY leaves out rows without a label. Returns how
 * many rows. */
size_t label_set_print(const struct label_set *s, bool solved_only, struct buf *out);

#endif
