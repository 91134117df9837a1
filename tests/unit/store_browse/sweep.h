/* SPDX-License-Identifier: Apache-2.0 */
/* sweep.h - a store with one sweep of runs whose values are at random: what tests of the
 * dashboard's grids share. Rows are written by plain SQL on the writer's connection. */
#ifndef TESTS_UNIT_STORE_BROWSE_SWEEP_H
#define TESTS_UNIT_STORE_BROWSE_SWEEP_H

#include "tests/unit/store/fixture.h"

#include <math.h>

#include "common/base/rng.h"
#include "store/sqlite.h"
#include "store/store_private.h"

static inline void sql(struct fixture *f, const char *format, ...) PRINTF_LIKE(2, 3);
static inline void sql(struct fixture *f, const char *format, ...)
{
    char text[2048];
    va_list ap;

    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    OK(sqlite_run(f->s->db, text, err));
}

static inline void add_experiment(struct fixture *f, uint64_t id, const char *name)
{
    sql(f, "INSERT INTO experiment (id, name, submitted_ms) VALUES (%llu, '%s', 1)",
        (unsigned long long)id, name);
    sql(f,
        "INSERT INTO revision (id, experiment, number, digest, recipe, path, submitted_ms) "
        "VALUES (%llu, %llu, 1, randomblob(32), '', '', 1)",
        (unsigned long long)id, (unsigned long long)id);
}

static inline const char *some_method(struct rng *r)
{
    static const char *const words[] = { "\"cosine\"", "\"constant\"", "\"linear\"",
                                         "\"Cos\"",    "\"10\"",       "\"a\\\"b\"" };

    return words[rng_below(r, ARRAY_LEN(words))];
}

/* Values with many ties, and nothing here and there. */
static inline void set_measures(struct fixture *f, uint64_t run, struct rng *r)
{
    bool known = rng_below(r, 5) > 0;

    sql(f,
        "UPDATE run_summary SET accuracy = %s, oracle = %s, n = %d, tokens = %d, wall_ms = %d, "
        "last_ms = %s, failed = %d, done = %d, jobs = 5, ready = %d, waiting = 0 WHERE run = %llu",
        known ? (rng_below(r, 2) ? "0.5" : "round(abs(random() % 1000) / 1000.0, 2)") : "NULL",
        rng_below(r, 3) ? "NULL" : "abs(random() % 7) / 7.0", known ? 10 : 0,
        (int)rng_below(r, 100000), (int)rng_below(r, 300),
        rng_below(r, 2) ? "NULL" : "1700000000000", (int)rng_below(r, 10) == 0,
        (int)rng_below(r, 6), (int)rng_below(r, 2), (unsigned long long)run);
}

/* RUN of EXPERIMENT: params lr (numbers), method (words), mixed (both, or missing). */
static inline void add_run(struct fixture *f, uint64_t experiment, uint64_t run, struct rng *r)
{
    sql(f,
        "INSERT INTO run (id, experiment, digest, seed, revision) VALUES (%llu, %llu, "
        "randomblob(32), %d, %llu)",
        (unsigned long long)run, (unsigned long long)experiment, (int)rng_below(r, 4),
        (unsigned long long)experiment);
    sql(f, "INSERT INTO param VALUES (%llu, 'train.lr', '%g')", (unsigned long long)run,
        (double)(1 + rng_below(r, 40)) / 8.0);
    sql(f, "INSERT INTO param VALUES (%llu, 'train.method', '%s')", (unsigned long long)run,
        some_method(r));
    if (rng_below(r, 3) && rng_below(r, 2))
        sql(f, "INSERT INTO param VALUES (%llu, 'mixed', '%d')", (unsigned long long)run,
            (int)rng_below(r, 30) - 15);
    else if (rng_below(r, 2))
        sql(f, "INSERT INTO param VALUES (%llu, 'mixed', '\"w%d\"')", (unsigned long long)run,
            (int)rng_below(r, 9));
    set_measures(f, run, r);
}

static inline void fill(struct fixture *f, uint64_t experiment, size_t runs, uint64_t seed)
{
    struct rng r = rng_stream("sweep", seed, 0);

    sql(f, "BEGIN");
    add_experiment(f, experiment, experiment == 1 ? "one" : "two");
    for (size_t i = 0; i < runs; i++)
        add_run(f, experiment, experiment * 1000000 + 2 * i, &r);
    sql(f, "COMMIT");
}

#endif
