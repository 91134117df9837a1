/* SPDX-License-Identifier: Apache-2.0 */
/* group_search_traces.c - what searches cost: recorded paths (traces/) of searches in lockstep on
 * prompts of 48 tokens (logic, level 6), evaluated by a model of 12 layers and width 128 that was
 * trained for a few steps, because no cost depends on weights. --record makes the traces anew, from
 * searches of a trained model. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/kinds/kinds.h"
#include "tests/bench/bench.h"
#include "tests/bench/embedded.h"
#include "tests/bench/trace.h"
#include "tests/bench/traces.h"

enum {
    STEPS = 20,
    PAIRS = 5,
    BLOCK_ROWS = 96, /* what a thread takes through a layer at a time */
    BLOCKS = 40,
};

/* The recorded searches: progressive, five evaluations per round, all edits. What differs from the
 * kind's defaults makes them go deep where paths are right: rewards count for more than length
 * (lambda 0.5 for 3) and than visits (c 0.2 for 1.8), no random child, and many children of the
 * root, few below (widening 2 v^0.4 for 1.5 v^0.6). */
static struct search_params params_of(uint32_t simulations)
{
    const struct kind *k = kind_at(KIND_SEARCH);
    const struct params none = { 0 };

    return (struct search_params){ .simulations = simulations,
                                   .round = (uint32_t)kind_int(k, &none, "round"),
                                   .exploration = 0.2,
                                   .length_penalty = 0.5,
                                   .random_child = 0,
                                   .widen_factor = 2,
                                   .widen_power = 0.4 };
}

static void make_deep(struct embedded *e)
{
    e->conf.model.layers = 12;
    e->conf.model.dim = 128;
    e->conf.model.heads = e->conf.model.kv_heads = 4;
    e->conf.model.head_dim = 32;
    e->conf.model.hidden = 512;
    e->conf.learning_rate = 2e-3;
    e->problems.batch = 64;
}

static void train_model(struct bed *d, uint64_t steps)
{
    struct embedded e;
    struct err err = { 0 };

    snprintf(d->folder, sizeof(d->folder), "/tmp/drover-bench-XXXXXX");
    if (!mkdtemp(d->folder)) {
        perror("drover-bench: mkdtemp");
        exit(1);
    }
    embedded_open_as(&e, TRAIN_GEMM_PACKED, steps, d->pool, make_deep);
    embedded_train(&e);
    bench_must(model_save(d->folder, &e.conf.model, trainer_weights(e.trainer), e.tok, &err), &err,
               "model");
    d->model = embedded_finish(&e);
}

struct bed *bed_open(const char *model, uint64_t steps, size_t threads)
{
    struct bed *d = mem_calloc(1, sizeof(*d));
    struct task_source *source;
    struct err err = { 0 };
    const struct task_query query = { .task = "logic", .level = 6, .split = SPLIT_TRAIN };

    d->pool = pool_new(threads);
    if (model)
        bench_must(model_open(&d->model, model, NULL, NULL, &err), &err, "model");
    else
        train_model(d, steps);
    const struct evaluator_conf conf = {
        .model = d->model,
        .task = task_find("logic"),
        .pool = d->pool,
        .cache_bytes =
            (uint64_t)kind_int(kind_at(KIND_SEARCH), &(struct params){ 0 }, "cache_bytes"),
    };
    bench_must(evaluator_new(&d->evaluator, &conf, &err), &err, "evaluator");
    bench_must(task_open(&source, &query, &err), &err, "task");
    d->example = mem_calloc(BED_EXAMPLES, sizeof(*d->example));
    for (size_t i = 0; i < BED_EXAMPLES; i++) {
        bench_must(task_get(source, i, &d->example[i], &err), &err, "example");
        d->at[i] = &d->example[i];
    }
    task_close(source);
    return d;
}

static void remove_folder(const char *folder)
{
    static const char *const files[] = { "model.safetensors", "config.json", "tokenizer.json",
                                         "tokenizer_config.json", "prompts.txt" };
    char path[128];

    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
        (void)unlink(path); /* not every measurement makes each */
    }
    (void)rmdir(folder);
}

void bed_close(struct bed *d)
{
    evaluator_free(d->evaluator);
    for (size_t i = 0; i < BED_EXAMPLES; i++)
        example_release(&d->example[i]);
    free(d->example);
    model_free(d->model);
    pool_free(d->pool);
    if (d->folder[0])
        remove_folder(d->folder);
    free(d);
}

void bed_run(struct bed *d, const struct trace *t, struct outcome *ret)
{
    struct err err = { 0 };

    bench_must(evaluator_begin(d->evaluator, d->at, t->examples, &err), &err, "examples");
    for (size_t i = 0; i < t->rounds; i++)
        bench_must(evaluator_run(d->evaluator, t->path + t->round[i], t->round[i + 1] - t->round[i],
                                 true, ret + t->round[i], NULL, &err),
                   &err, "evaluation");
}

/* ------------------------------------------------------------------------------------------- */

/* Searches of the model in FOLDER, written there. */
static void record(const char *folder)
{
    static const struct {
        uint32_t simulations;
        size_t examples;
    } size[] = { { 50, 64 }, { 200, 32 } };
    struct bed *d = bed_open(folder, 0, BED_THREADS);
    const struct model_conf *c = &d->model->conf;

    for (size_t i = 0; i < ARRAY_LEN(size); i++) {
        struct search_params p = params_of(size[i].simulations);
        char path[512], comment[512];

        snprintf(path, sizeof(path), "%s/trace%u.txt", folder, p.simulations);
        snprintf(
            comment, sizeof(comment),
            "# Recorded by drover-bench search --record FOLDER: %zu progressive searches of %u "
            "simulations\n# in lockstep (round %u, exploration %g, length_penalty %g, "
            "random_child %g, widening\n# %g v^%g, seed 1), training examples 0.. of logic "
            "level 6, by the model in FOLDER, of %zu\n# layers and width %zu. A simulation "
            "that met a known path asked for nothing and is left out.\n",
            size[i].examples, p.simulations, p.round, p.exploration, p.length_penalty,
            p.random_child, p.widen_factor, p.widen_power, c->layers, c->dim);
        (void)trace_record(path, comment, &p, d->evaluator, d->at, size[i].examples, c->layers);
    }
    bed_close(d);
}

static void report_one(struct bench *b, const char *name, const char *unit, double value)
{
    bench_report(b, name, unit, bench_figure(&value, 1), BETTER_HIGHER, NAN);
}

/* Multiply-adds of a row that ends at its keys and values, of those of a whole layer. */
static double ending(const struct model_conf *c)
{
    const double kv = 2.0 * (double)(c->kv_heads * c->head_dim * c->dim);
    const double q = 2.0 * (double)(c->heads * c->head_dim * c->dim);

    return kv / (q + kv + 3.0 * (double)(c->hidden * c->dim));
}

/* Layer applications made, weighted by token rows, over those of each path run whole. */
static double share_of(const struct evaluator_stats *s)
{
    return (double)s->layer_rows / (double)s->layer_rows_whole;
}

/* The same of work: in the last layer of a path only the row with logits passes all of it, here and
 * in a whole path; the others count as what they cost there. */
static double work_of(const struct bed *d, const struct evaluator_stats *s)
{
    const double rows = (double)s->layer_rows_whole / (double)s->needed;
    const double less = (rows - 1) * (1 - ending(&d->model->conf));

    return ((double)s->layer_rows - less * (double)s->ended) /
           ((double)s->layer_rows_whole - less * (double)s->evaluations);
}

/* Shares of the whole trace; their spread is over its examples. */
static void measure_shares(struct bench *b, struct bed *d, const char *which, double limit)
{
    double share[BED_EXAMPLES], work[BED_EXAMPLES], hit[BED_EXAMPLES];
    struct evaluator_stats all = { 0 };
    char name[64], file[512];
    struct trace t;

    snprintf(file, sizeof(file), "%s/traces/trace%s.txt", DROVER_BENCH_FOLDER, which);
    trace_read(&t, file);
    struct outcome *o = mem_calloc(t.len, sizeof(*o));
    bed_run(d, &t, o);
    for (size_t i = 0; i < t.examples; i++) {
        const struct evaluator_stats s = evaluator_stats(d->evaluator, i);
        share[i] = share_of(&s);
        work[i] = work_of(d, &s);
        hit[i] = (double)s.found / (double)s.needed;
        all.evaluations += s.evaluations;
        all.needed += s.needed;
        all.found += s.found;
        all.layer_rows += s.layer_rows;
        all.layer_rows_whole += s.layer_rows_whole;
        all.ended += s.ended;
    }
    struct figure f = bench_figure(share, t.examples);
    f.median = share_of(&all);
    snprintf(name, sizeof(name), "search.rows_share.trace%s", which);
    bench_report(b, name, "ratio", f, BETTER_LOWER, limit);
    f = bench_figure(work, t.examples);
    f.median = work_of(d, &all);
    snprintf(name, sizeof(name), "search.work_share.trace%s", which);
    bench_report(b, name, "ratio", f, BETTER_LOWER, NAN);
    f = bench_figure(hit, t.examples);
    f.median = (double)all.found / (double)all.needed;
    snprintf(name, sizeof(name), "search.hit_rate%s%s", which[0] == '5' ? "" : ".trace",
             which[0] == '5' ? "" : which);
    bench_report(b, name, "ratio", f, BETTER_HIGHER, NAN);
    snprintf(name, sizeof(name), "search.trace%s.edits", which);
    report_one(b, name, "per path", trace_edits(&t));
    snprintf(name, sizeof(name), "search.trace%s.changes", which);
    report_one(b, name, "layers", trace_changes(&t));
    free(o);
    trace_release(&t);
}

/* Of real searches, whose paths depend on what they find: other examples in each measurement. */
static void measure_searches(struct bench *b, struct bed *d)
{
    const struct search_params p = params_of(50);
    const size_t n = BED_EXAMPLES / BED_LANES;
    double rate[BED_EXAMPLES];

    for (size_t i = 0; i < n; i++) {
        const uint64_t start = clock_ns();
        const size_t simulations =
            trace_search(&p, d->evaluator, d->at + i * BED_LANES, BED_LANES, d->model->conf.layers);
        rate[i] = (double)simulations * 1e9 / (double)(clock_ns() - start);
    }
    bench_report(b, "search.simulations_per_s", "1/s", bench_figure(rate, n), BETTER_HIGHER, NAN);
}

static uint64_t cpu_ns(clockid_t clock)
{
    struct timespec t;

    (void)clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The products of a layer with nothing between them, on every thread of the pool at once. */
struct bare {
    const struct model *m;
    float *x, *y[BED_THREADS];
    double flop[BED_THREADS];
    uint64_t ns[BED_THREADS];
};

static void multiply_bare(void *arg, size_t i, size_t thread)
{
    struct bare *b = arg;
    const uint64_t start = cpu_ns(CLOCK_THREAD_CPUTIME_ID);

    (void)thread;
    for (size_t l = 0; l < b->m->conf.layers; l++) {
        const struct packed *w[] = { &b->m->layer[l].wqkv, &b->m->layer[l].wo, &b->m->layer[l].w13,
                                     &b->m->layer[l].w2 };

        for (size_t j = 0; j < BLOCKS; j++)
            for (size_t k = 0; k < ARRAY_LEN(w); k++) {
                b->m->kern->gemm(b->y[i], w[k]->n, b->x, w[k]->k, w[k], BLOCK_ROWS, 0, w[k]->n);
                b->flop[i] += 2.0 * (double)(BLOCK_ROWS * w[k]->k * w[k]->n);
            }
    }
    b->ns[i] += cpu_ns(CLOCK_THREAD_CPUTIME_ID) - start;
}

/* Flops per second of a thread. */
static double bare_rate(struct bare *b, struct pool *pool)
{
    double flop = 0, ns = 0;

    for (size_t i = 0; i < BED_THREADS; i++) {
        b->flop[i] = 0;
        b->ns[i] = 0;
    }
    pool_run(pool, multiply_bare, b, BED_THREADS);
    for (size_t i = 0; i < BED_THREADS; i++) {
        flop += b->flop[i];
        ns += (double)b->ns[i];
    }
    return flop * 1e9 / ns;
}

static void bare_open(struct bare *b, const struct model *m)
{
    const size_t n = BLOCK_ROWS * 4 * m->conf.hidden;

    *b = (struct bare){ .m = m, .x = mem_aligned(n, sizeof(float)) };
    for (size_t i = 0; i < n; i++)
        b->x[i] = (float)(i % 17) * 0.1f - 0.8f;
    for (size_t i = 0; i < BED_THREADS; i++)
        b->y[i] = mem_aligned(n, sizeof(float));
}

static void bare_close(struct bare *b)
{
    free(b->x);
    for (size_t i = 0; i < BED_THREADS; i++)
        free(b->y[i]);
}

/* Times are the threads' on the CPU, in turns: what else runs here counts for little. */
static void measure_gemm(struct bench *b, struct bed *d)
{
    double share[PAIRS], inside[PAIRS], part[PAIRS], paths[PAIRS];
    struct bare bare;
    struct trace t;

    trace_read(&t, DROVER_BENCH_FOLDER "/traces/trace50.txt");
    struct outcome *o = mem_calloc(t.len, sizeof(*o));
    bare_open(&bare, d->model);
    for (size_t i = 0; i < PAIRS; i++) {
        const double before = bare_rate(&bare, d->pool);
        const uint64_t start = cpu_ns(CLOCK_PROCESS_CPUTIME_ID);

        sweep_measure(evaluator_sweep(d->evaluator), true);
        bed_run(d, &t, o);
        const struct sweep_stats s = sweep_stats(evaluator_sweep(d->evaluator));
        sweep_measure(evaluator_sweep(d->evaluator), false);
        const double ns = (double)(cpu_ns(CLOCK_PROCESS_CPUTIME_ID) - start);
        part[i] = (double)s.gemm_ns / ns;
        paths[i] = (double)t.len * 1e9 / ns;
        inside[i] = (double)s.gemm_flop * 1e9 / (double)s.gemm_ns;
        share[i] = 2 * inside[i] / (before + bare_rate(&bare, d->pool));
    }
    bench_report(b, "search.gemm_share", "ratio", bench_figure(share, PAIRS), BETTER_HIGHER, 0.7);
    bench_report(b, "search.gemm.inside", "GFLOP/s", bench_scale(bench_figure(inside, PAIRS), 1e-9),
                 BETTER_HIGHER, NAN);
    bench_report(b, "search.gemm.time", "ratio", bench_figure(part, PAIRS), BETTER_HIGHER, NAN);
    bench_report(b, "search.trace50.paths_per_cpu_s", "1/s", bench_figure(paths, PAIRS),
                 BETTER_HIGHER, NAN);
    free(o);
    bare_close(&bare);
    trace_release(&t);
}

void bench_search_traces(struct bench *b)
{
    if (b->record) {
        record(b->record);
        return;
    }
    struct bed *d = bed_open(NULL, b->quick ? 2 : STEPS, BED_THREADS);
    if (bench_wants(b, "search.rows_share.trace"))
        measure_shares(b, d, "50", 0.45);
    if (bench_wants(b, "search.rows_share.trace"))
        measure_shares(b, d, "200", 0.38);
    if (bench_wants(b, "search.gemm_share"))
        measure_gemm(b, d);
    if (bench_wants(b, "search.simulations_per_s"))
        measure_searches(b, d);
    if (bench_wants(b, "search.vs_torch"))
        bench_search_torch(b, d);
    bed_close(d);
}
