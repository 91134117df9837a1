/* SPDX-License-Identifier: Apache-2.0 */
/* label_set.h - searched labels as a file: JSON, one object per line. First one header per family,
 * sorted by its key,
 *   {"family":"64 hex","kind":"search","task":"math","level":3,"split":"train",
 *    "prompts":"harness","fewshot":-1,"model":"64 hex","layers":8}
 * then the examples, sorted by id, each id once,
 *   {"id":"16 hex","task":"math","level":3,"split":"train","index":17,"base_correct":true,
 *    "routing":"11021111","simulations":50,"evaluations":38,
 *    "right":["11111111","11021111"],"wrong":["01111111"]}
 * (each on one line) with routing null for an example without a right path, and all evaluated paths
 * in order of discovery. Canonical: members in this order; no costs, so that equal searches give
 * equal bytes. Rows of an evaluate step have the routing that was used, base_correct says whether
 * it answered rightly, and right and wrong are empty. A set is of one model. Private to
 * worker/jobs. */
#ifndef WORKER_JOBS_LABEL_SET_H
#define WORKER_JOBS_LABEL_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/digest.h"
#include "common/base/err.h"
#include "worker/jobs/job.h"

enum { LABEL_TASK_BYTES = 64, LABEL_LAYERS_MAX = 256 };

/* Where rows come from. */
struct label_family {
    struct digest key, model;
    char kind[16], task[LABEL_TASK_BYTES], split[16], prompts[32];
    int64_t level, fewshot;
    uint32_t layers;
};

/* Paths are numbers into the set's list of distinct ones. */
struct label_row {
    uint64_t id, index; /* index: place in the task's list */
    uint32_t family;    /* family[family] has its task, level, split */
    uint32_t simulations, evaluations;
    int32_t routing;   /* the label's path; -1: none */
    uint32_t seen_len; /* evaluated paths: of label_seen(), the first right_len answer rightly */
    uint32_t right_len;
    size_t seen; /* use label_seen() */
    bool base_correct;
};

struct label_set {
    struct label_row *row; /* sorted by id */
    size_t len;
    struct label_family *family; /* sorted by key */
    size_t families_len;
    struct digest model; /* of all rows */
    size_t layers;       /* of the model; 0 in an empty set */
    size_t paths_len;    /* distinct paths, numbered as they first stand in the file */
    /* use label_path(), label_seen() */
    uint8_t *path; /* [paths_len][layers] */
    uint32_t *seen;
    size_t seen_len;
};

/* Read the file PATH in any order of lines. ERR_INVALID names file:line and the field: values out
 * of range, paths outside the limits of search, a label that is not among its right paths, families
 * of several models. Two different rows of one example are ERR_CONFLICT, equal ones are one. */
int label_set_read(struct label_set *ret, const char *path, struct err *err) MUST_CHECK;
void label_set_release(struct label_set *s);
/* The row of example ID, or NULL. */
const struct label_row *label_set_find(const struct label_set *s, uint64_t id);
/* Path PATH of the set: layers bytes, per layer 0 skip, 1 execute, 2 repeat. */
const uint8_t *label_path(const struct label_set *s, uint32_t path);
/* The label of R: layers bytes, or NULL. */
const uint8_t *label_routing(const struct label_set *s, const struct label_row *r);
/* Numbers of the paths that were evaluated for R: right_len right ones, then wrong ones, each in
 * order of discovery. */
const uint32_t *label_seen(const struct label_set *s, const struct label_row *r);

/* S, which is the job's input INPUT, must be of the job's model (its input "model") with LAYERS
 * layers. ERR_INVALID names both models and the remedy. An empty set is of any model. */
int label_set_check(const struct label_set *s, const struct job *j, const char *input,
                    size_t layers, struct err *err) MUST_CHECK;
/* The job's input "labels", read and checked. */
int label_set_open(struct label_set *ret, const struct job *j, size_t layers,
                   struct err *err) MUST_CHECK;

/* Append the canonical text of S to OUT; rows with LEAVE_OUT[i] (NULL: none) are left out, headers
 * stay. Returns how many rows. */
size_t label_set_print(const struct label_set *s, const bool *leave_out, struct buf *out);

#endif
