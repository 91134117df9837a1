/* SPDX-License-Identifier: Apache-2.0 */
/* group_store.c - the store at a million rows. Stores lie in a scratch folder of TMPDIR (else
 * /tmp), which should be a real disk: what is durable is part of what is measured. */
#include "tests/bench/group_store.h"

#include <stdlib.h>
#include <time.h>

#include "common/base/mem.h"

static double seconds(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

double store_seconds(void)
{
    return seconds(CLOCK_MONOTONIC);
}

struct store_time store_time(void)
{
    return (struct store_time){ seconds(CLOCK_MONOTONIC), seconds(CLOCK_THREAD_CPUTIME_ID) };
}

void store_time_add(struct store_time *to, struct store_time start)
{
    struct store_time now = store_time();

    to->wall += now.wall - start.wall;
    to->cpu += now.cpu - start.cpu;
}

void bench_store(struct bench *b)
{
    bool rows = bench_wants(b, "store.scores.flatness") || bench_wants(b, "store.table") ||
                bench_wants(b, "store.paired");

    if (bench_wants(b, "store.scores.vs_sqlite"))
        store_bench_vs_sqlite(b);
    if (bench_wants(b, "store.metrics"))
        store_bench_metrics(b);
    if (bench_wants(b, "store.trials"))
        store_bench_trials(b);
    if (bench_wants(b, "store.runs"))
        store_bench_runs(b);
    if (rows) {
        struct rows *r = mem_calloc(1, sizeof *r);

        rows_open(r, b->quick ? 200 : 10000);
        store_bench_flatness(b, r);
        store_bench_tables(b, r);
        rows_close(r);
        free(r);
    }
}
