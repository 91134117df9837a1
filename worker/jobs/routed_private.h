/* SPDX-License-Identifier: Apache-2.0 */
/* routed_private.h - inside of routed*.c. */
#ifndef WORKER_JOBS_ROUTED_PRIVATE_H
#define WORKER_JOBS_ROUTED_PRIVATE_H

#include "worker/jobs/label_set.h"
#include "worker/jobs/routed.h"

/* The examples of one task and level in a label set, in a random order. */
struct circle {
    const struct label_set *set; /* borrowed */
    uint64_t seed;
    struct circle_place {
        uint64_t hash;
        const struct label_row *row;
    } * place; /* sorted */
    size_t len;
};
/* SET is J's input "labels". ERR_INVALID: it has no example of the job's task and level; the text
 * says what it has. */
int circle_make(struct circle *c, const struct label_set *set, const struct job *j,
                struct err *err) MUST_CHECK;
void circle_release(struct circle *c);
/* The example itself, or who stands in for it. */
const struct label_row *circle_find(const struct circle *c, uint64_t id);
/* The next one in the circle. ERR_INVALID: the example is alone there. */
int circle_next(const struct circle *c, uint64_t id, const struct label_row **ret,
                struct err *err) MUST_CHECK;
/* A random path like that of ROW's label. */
int circle_random(const struct circle *c, const struct label_row *row, uint64_t id, uint8_t *ret,
                  struct err *err) MUST_CHECK;

/* The most accurate path of the file PATH (a select step's) with at most MOST layer applications
 * (0: any) into ROUTING; ties: the better label. ERR_INVALID names line and field. */
int static_path_read(const char *path, size_t layers, size_t most, uint8_t *routing,
                     struct err *err) MUST_CHECK;

#endif
