/* SPDX-License-Identifier: Apache-2.0 */
/* store_rows.h - a store of evaluations for the store's figures: 40 parameters x 5 seeds x 5 steps
 * = 1,000 families, each with its shard, of so many examples; scores as a choice task gives them.
 */
#ifndef TESTS_BENCH_STORE_ROWS_H
#define TESTS_BENCH_STORE_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

enum {
    ROWS_PARAMS = 40,
    ROWS_SEEDS = 5,
    ROWS_STEPS = 5,
    ROWS_FAMILIES = ROWS_PARAMS * ROWS_SEEDS * ROWS_STEPS,
    ROWS_CHOICES = 4,
    ROWS_LAYERS = 28,
};

struct rows {
    char dir[256], path[300]; /* a scratch folder, removed by rows_close() */
    struct store *s;
    uint64_t examples; /* of a family */
    uint64_t family[ROWS_FAMILIES], job[ROWS_FAMILIES], attempt[ROWS_FAMILIES];
    uint32_t epoch[ROWS_FAMILIES];
};

/* A store with all jobs submitted and an attempt of each started. */
void rows_open(struct rows *r, uint64_t examples);
void rows_close(struct rows *r);
/* Close the store, leave the files. */
void rows_close_store(struct rows *r);

/* Everything about a score but whose it is. */
struct rows_score {
    struct store_example example;
    struct store_score score;
    double logprob[ROWS_CHOICES];
    uint8_t routing[ROWS_LAYERS];
    struct store_value_of value[1];
    char source_id[32], question[96], gold[2], answer[2];
};
/* Score of example INDEX in family F: the same whenever asked. */
void rows_score(struct rows_score *ret, size_t f, uint64_t index);

/* Place K of all scores in the order in which eight workers send them: family and index. */
void rows_place(const struct rows *r, uint64_t k, size_t *ret_family, uint64_t *ret_index);

#endif
