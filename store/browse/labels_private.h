/* SPDX-License-Identifier: Apache-2.0 */
/* labels_private.h - what the files about labels share. Private to store/browse. */
#ifndef STORE_BROWSE_LABELS_PRIVATE_H
#define STORE_BROWSE_LABELS_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/browse/labels.h"

enum { LABEL_BUCKETS = 4096, LABEL_LISTS = 16 };

/* The sums of the first EXAMPLES examples of a family: of its labels up to number DONE, and, while
 * a pass goes on, of those up to LAST that stand before place BEGIN. */
struct label_entry {
    uint64_t family, examples;
    struct label_stats sum;
    uint64_t done, last;
    int64_t begin;
    bool passing;
    size_t bytes;              /* as counted in the cache */
    struct label_entry *chain; /* of the bucket */
    struct label_entry *newer, *older;
};

/* A list that took long to make. */
struct label_list {
    uint64_t experiment, run, revision;
    int64_t submitted_ms;
    uint64_t made_ms, cost_ms;
    struct label_sets sets;
};

struct label_cache {
    pthread_mutex_t lock;
    atomic_uint_fast64_t version;
    size_t bytes, bytes_max;
    struct label_entry *bucket[LABEL_BUCKETS], *newest, *oldest;
    struct label_list list[LABEL_LISTS];
};

void label_sets_copy(const struct label_sets *from, struct label_sets *to);

#endif
