/* SPDX-License-Identifier: Apache-2.0 */
/* group_store.h - the parts of the group "store". */
#ifndef TESTS_BENCH_GROUP_STORE_H
#define TESTS_BENCH_GROUP_STORE_H

#include "tests/bench/bench.h"
#include "tests/bench/store_rows.h"

/* The settings of the store's writer, for those who insert without it. */
#define STORE_PRAGMAS                                                                              \
    "PRAGMA foreign_keys = ON; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"              \
    "PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0; PRAGMA cache_size = -65536;"                \
    "PRAGMA journal_size_limit = 67108864; PRAGMA wal_autocheckpoint = 4096;"

double store_seconds(void); /* wall, monotonic: what is durable waits for the disk */

/* What some work took. */
struct store_time {
    double wall, cpu; /* seconds; CPU: of the calling thread, in the kernel too */
};
struct store_time store_time(void);
/* Adds to TO what passed since START. */
void store_time_add(struct store_time *to, struct store_time start);

void store_bench_vs_sqlite(struct bench *b);
/* Fills R with all its scores. */
void store_bench_flatness(struct bench *b, struct rows *r);

void store_bench_metrics(struct bench *b);
void store_bench_tables(struct bench *b, struct rows *r); /* closes its store */
void store_bench_trials(struct bench *b);
void store_bench_runs(struct bench *b);

#endif
