/* SPDX-License-Identifier: Apache-2.0 */
/* group_search.c - what prefix reuse and the memo save: layer applications (weighted by token rows)
 * that a search of 50 simulations makes, replay of the label included, over those of running every
 * simulated path whole. On a model of the quickstart's shape after 300 steps: the share
 * depends on which paths are tried, not on how good the model is. */
#include <math.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/kinds/kinds.h"
#include "tests/bench/bench.h"
#include "tests/bench/embedded.h"
#include "worker/jobs/evaluator.h"
#include "worker/kernels/blas.h"
#include "worker/search/search.h"

enum {
    STEPS = 300,
    STEPS_QUICK = 60,
    EXAMPLES = 10,
    EXAMPLES_QUICK = 2,
    FAMILIES = 12,
    ROUND_MAX = 256
};

struct searcher {
    struct evaluator *evaluator;
    struct outcome outcome[ROUND_MAX];
};

static int evaluate(void *arg, const uint8_t *const *routing, size_t n, double *reward,
                    struct err *err)
{
    struct searcher *s = arg;
    struct evaluation v[ROUND_MAX] = { { 0 } };
    for (size_t i = 0; i < n; i++)
        v[i] = (struct evaluation){ .routing = routing[i] };
    int rc = evaluator_run(s->evaluator, v, n, true, s->outcome, NULL, err);
    for (size_t i = 0; i < n && rc == 0; i++)
        reward[i] = s->outcome[i].correct ? 1.0 : 0.0;
    return rc;
}

static struct search_params default_params(void)
{
    const struct kind *k = kind_at(KIND_SEARCH);
    const struct params none = { 0 };
    return (struct search_params){ .simulations = 50,
                                   .round = (uint32_t)kind_int(k, &none, "round"),
                                   .exploration = kind_real(k, &none, "exploration"),
                                   .length_penalty = kind_real(k, &none, "length_penalty"),
                                   .random_child = kind_real(k, &none, "random_child"),
                                   .widen_factor = kind_real(k, &none, "widen_factor"),
                                   .widen_power = kind_real(k, &none, "widen_power") };
}

/* Search one example; adds to layer rows made and to those of whole paths. */
static void search_one(struct searcher *s, const struct model *m, const struct example *e,
                       double *made, double *whole)
{
    const struct search_params params = default_params();
    struct search_result result = { 0 };
    struct err err = { 0 };
    const uint64_t before = evaluator_layer_rows(s->evaluator);
    bench_must(evaluator_begin(s->evaluator, &e, 1, &err), &err, "example");
    bench_must(search_run(&params, m->conf.layers, 1, e->id, evaluate, s, &result, &err), &err,
               "search");
    if (result.has_label) {
        const struct evaluation label = { .routing = result.label };
        bench_must(evaluator_run(s->evaluator, &label, 1, false, s->outcome, NULL, &err), &err,
                   "replay");
    }
    *made += (double)(evaluator_layer_rows(s->evaluator) - before);
    *whole += (double)(result.path_layers * s->outcome[0].rows);
    search_result_release(&result);
}

/* The share over EXAMPLES training examples of one task and level. */
static double search_family(const struct model *m, const char *task, int level, size_t examples,
                            double *made, double *whole)
{
    struct searcher s = { 0 };
    struct task_source *source;
    struct err err = { 0 };
    double own_made = 0, own_whole = 0;
    const uint64_t cache =
        (uint64_t)kind_int(kind_at(KIND_SEARCH), &(struct params){ 0 }, "cache_bytes");
    const struct evaluator_conf conf = { .model = m,
                                         .task = task_find(task),
                                         .cache_bytes = cache };
    const struct task_query query = { .task = task, .level = level, .split = SPLIT_TRAIN };
    bench_must(evaluator_new(&s.evaluator, &conf, &err), &err, "evaluator");
    bench_must(task_open(&source, &query, &err), &err, "task");
    for (size_t i = 0; i < examples; i++) {
        struct example e;
        bench_must(task_get(source, i, &e, &err), &err, "example");
        search_one(&s, m, &e, &own_made, &own_whole);
        example_release(&e);
    }
    task_close(source);
    evaluator_free(s.evaluator);
    *made += own_made;
    *whole += own_whole;
    return own_made / own_whole;
}

static struct model *train_model(uint64_t steps)
{
    struct embedded e;
    struct pool *pool = pool_new(2);
    embedded_open(&e, TRAIN_GEMM_PACKED, steps, pool);
    struct model *m = embedded_finish(&e);
    pool_free(pool);
    return m;
}

static void measure_n50(struct bench *b)
{
    struct model *m = train_model(b->quick ? STEPS_QUICK : STEPS);
    const size_t examples = b->quick ? EXAMPLES_QUICK : EXAMPLES;
    double share[FAMILIES], made = 0, whole = 0;
    for (size_t i = 0; i < FAMILIES; i++)
        share[i] =
            search_family(m, i < 6 ? "math" : "logic", (int)(i % 6) + 1, examples, &made, &whole);
    struct figure f = bench_figure(share, FAMILIES); /* spread over tasks and levels */
    f.median = made / whole;
    f.n = FAMILIES * examples;
    bench_report(b, "search.rows_share.n50", "ratio", f, BETTER_LOWER, 0.6);
    model_free(m);
}

void bench_search(struct bench *b)
{
    blas_init();
    bench_search_traces(b);
    if (b->record)
        return;
    if (bench_wants(b, "search.rows_share.n50"))
        measure_n50(b);
    bench_search_router(b);
}
