/* SPDX-License-Identifier: Apache-2.0 */
/* ways.h - the ways to search, as jobs on the model of tiny.h. */
#ifndef TESTS_UNIT_WORKER_JOBS_WAYS_H
#define TESTS_UNIT_WORKER_JOBS_WAYS_H

#include "tests/unit/worker_jobs/tiny.h"

enum { LAYERS = 4, EXAMPLES = 20 };

static inline int make_model(void **state)
{
    (void)state;
    tiny_make(LAYERS);
    return 0;
}

/* One way to search, by its parameters. */
struct way {
    const char *method, *edits, *early_stop, *total_visits;
    int64_t simulations, depth;
};
static const struct way ways[] = {
    { "progressive", "both", "none", "parent", 50, 1 },
    { "progressive", "skip", "shorter", "total", 50, 1 },
    { "all", "both", "fixed", "parent", 20, 1 },
    { "progressive", "both", "none", "total", 50, 1 },
    { "chain", "both", "none", "parent", 20, 1 },
    { "chain", "repeat", "published", "parent", 20, 1 },
    { "enumerate", "both", "none", "parent", 5, 2 },
};

static inline void start(struct fake_job *f, const struct way *w, uint64_t begin, uint64_t end)
{
    tiny_search(f, begin, end);
    fake_job_text(f, "method", w->method);
    fake_job_text(f, "edits", w->edits);
    fake_job_text(f, "early_stop", w->early_stop);
    fake_job_text(f, "total_visits", w->total_visits);
    fake_job_int(f, "simulations", w->simulations);
    fake_job_int(f, "depth", w->depth);
}

/* Labels of the examples [begin, end) into OUT[index]. */
static inline void label_shard(const struct way *w, uint64_t begin, uint64_t end, int64_t batch,
                               struct buf *out)
{
    struct fake_job f;

    start(&f, w, begin, end);
    fake_job_int(&f, "batch", batch);
    fake_job_run_or_fail(&f);
    assert_int_equal(f.results_len, end - begin);
    for (size_t i = 0; i < f.results_len; i++) {
        assert_int_equal(f.result[i]->example->index, begin + i);
        tiny_canonical(f.result[i], &out[begin + i]);
    }
    fake_job_release(&f);
}

static inline void forget(struct buf *b)
{
    for (size_t i = 0; i < EXAMPLES; i++)
        buf_release(&b[i]);
}

static inline void same_labels(const struct buf *a, const struct buf *b)
{
    for (size_t i = 0; i < EXAMPLES; i++) {
        assert_true(a[i].len > 0);
        assert_int_equal(a[i].len, b[i].len);
        assert_memory_equal(a[i].data, b[i].data, a[i].len);
    }
}

#endif
