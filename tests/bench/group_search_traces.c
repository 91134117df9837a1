/* SPDX-License-Identifier: Apache-2.0 */
/* group_search_traces.c - what searches cost: recorded paths (traces/) of searches in lockstep on
 * prompts of 48 tokens (logic, level 6), by a model of 12 layers and width 128 trained for
 * TRAIN_STEPS steps. Here a model trained for a few steps runs them, because no cost depends on
 * weights. --record makes the traces anew. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/kinds/kinds.h"
#include "tests/bench/bench.h"
#include "tests/bench/embedded.h"
#include "tests/bench/trace.h"
#include "tests/bench/traces.h"

enum {
    TRAIN_STEPS = 60, /* of the model whose searches were recorded */
    STEPS = 20,
    PAIRS = 5,
    REPEATS = 3,
    BLOCK_ROWS = 96, /* what a thread takes through a layer at a time */
    BLOCKS = 40,
};

/* The recorded searches: progressive, with the kind's defaults but for the widening, which is
 * narrower so that paths have two edits on average within 50 simulations too. */
static struct search_params params_of(uint32_t simulations)
{
    const struct kind *k = kind_at(KIND_SEARCH);
    const struct params none = { 0 };

    return (struct search_params){ .simulations = simulations,
                                   .round = (uint32_t)kind_int(k, &none, "round"),
                                   .exploration = kind_real(k, &none, "exploration"),
                                   .length_penalty = kind_real(k, &none, "length_penalty"),
                                   .random_child = kind_real(k, &none, "random_child"),
                                   .widen_factor = simulations < 100 ? 0.8 : 1.2,
                                   .widen_power = 0.6 };
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

struct bed *bed_open(uint64_t steps, size_t threads)
{
    struct bed *d = mem_calloc(1, sizeof(*d));
    struct task_source *source;
    struct embedded e;
    struct err err = { 0 };
    const struct task_query query = { .task = "logic", .level = 6, .split = SPLIT_TRAIN };

    d->pool = pool_new(threads);
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

static void record(const char *folder)
{
    static const struct {
        uint32_t simulations;
        size_t examples;
    } size[] = { { 50, 32 }, { 200, 16 } };
    struct bed *d = bed_open(TRAIN_STEPS, BED_THREADS);

    for (size_t i = 0; i < ARRAY_LEN(size); i++) {
        struct search_params p = params_of(size[i].simulations);
        char path[512], comment[512];

        snprintf(path, sizeof(path), "%s/trace%u.txt", folder, p.simulations);
        snprintf(comment, sizeof(comment),
                 "# Recorded by drover-bench search --record: %zu progressive searches of %u\n"
                 "# simulations in lockstep (round %u, c %g, lambda %g, random child %g, widening "
                 "%g v^%g,\n# seed 1), training examples 0.. of logic level 6, by a model of 12 "
                 "layers and width 128\n# after %d steps. A simulation that met a known path "
                 "asked for nothing.\n",
                 size[i].examples, p.simulations, p.round, p.exploration, p.length_penalty,
                 p.random_child, p.widen_factor, p.widen_power, TRAIN_STEPS);
        (void)trace_record(path, comment, &p, d->evaluator, d->at, size[i].examples,
                           d->model->conf.layers);
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

/* Work made over that of whole paths. In the last layer of a path only the row with logits passes
 * all of it, in both; the others count as what they cost there. FULL: as a whole layer. */
static double share_of(const struct bed *d, const struct evaluator_stats *s, bool full)
{
    const double rows = (double)s->layer_rows_whole / (double)s->needed;
    const double less = full ? 0 : (rows - 1) * (1 - ending(&d->model->conf));

    return ((double)s->layer_rows - less * (double)s->ended) /
           ((double)s->layer_rows_whole - less * (double)s->evaluations);
}

/* Shares of the whole trace; their spread is over its examples. */
static void measure_shares(struct bench *b, struct bed *d, const char *which, double limit)
{
    double share[BED_EXAMPLES], full[BED_EXAMPLES], hit[BED_EXAMPLES];
    struct evaluator_stats all = { 0 };
    char name[64], file[512];
    struct trace t;

    snprintf(file, sizeof(file), "%s/traces/trace%s.txt", DROVER_BENCH_FOLDER, which);
    trace_read(&t, file);
    struct outcome *o = mem_calloc(t.len, sizeof(*o));
    bed_run(d, &t, o);
    for (size_t i = 0; i < t.examples; i++) {
        const struct evaluator_stats s = evaluator_stats(d->evaluator, i);
        share[i] = share_of(d, &s, false);
        full[i] = share_of(d, &s, true);
        hit[i] = (double)s.found / (double)s.needed;
        all.evaluations += s.evaluations;
        all.needed += s.needed;
        all.found += s.found;
        all.layer_rows += s.layer_rows;
        all.layer_rows_whole += s.layer_rows_whole;
        all.ended += s.ended;
    }
    struct figure f = bench_figure(share, t.examples);
    f.median = share_of(d, &all, false);
    snprintf(name, sizeof(name), "search.rows_share.trace%s", which);
    bench_report(b, name, "ratio", f, BETTER_LOWER, limit);
    f = bench_figure(full, t.examples);
    f.median = share_of(d, &all, true);
    snprintf(name, sizeof(name), "search.rows_share.trace%s.full", which);
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

/* Flops per second and thread of the products of a layer with nothing between them. */
static double bare_rate(const struct model *m, float *y, const float *x)
{
    double flop = 0;
    uint64_t ns = 0;

    for (size_t l = 0; l < m->conf.layers; l++) {
        const struct packed *w[] = { &m->layer[l].wqkv, &m->layer[l].wo, &m->layer[l].w13,
                                     &m->layer[l].w2 };
        const uint64_t start = clock_ns();

        for (size_t i = 0; i < BLOCKS; i++)
            for (size_t k = 0; k < ARRAY_LEN(w); k++) {
                m->kern->gemm(y, w[k]->n, x, w[k]->k, w[k], BLOCK_ROWS, 0, w[k]->n);
                flop += 2.0 * (double)(BLOCK_ROWS * w[k]->k * w[k]->n);
            }
        ns += clock_ns() - start;
    }
    return flop * 1e9 / (double)ns;
}

static void measure_gemm(struct bench *b, struct bed *d)
{
    const struct model_conf *c = &d->model->conf;
    float *x = mem_aligned(BLOCK_ROWS * c->hidden, sizeof(float));
    float *y = mem_aligned(BLOCK_ROWS * 4 * c->hidden, sizeof(float));
    double share[PAIRS], inside[PAIRS], all[PAIRS];
    struct trace t;

    trace_read(&t, DROVER_BENCH_FOLDER "/traces/trace50.txt");
    struct outcome *o = mem_calloc(t.len, sizeof(*o));
    for (size_t i = 0; i < BLOCK_ROWS * c->hidden; i++)
        x[i] = (float)(i % 17) * 0.1f - 0.8f;
    for (size_t i = 0; i < PAIRS; i++) {
        double in[REPEATS], out[REPEATS], whole[REPEATS];
        for (size_t j = 0; j < REPEATS; j++) { /* in turns; the best is the one not interrupted */
            sweep_measure(evaluator_sweep(d->evaluator), true);
            bed_run(d, &t, o);
            const struct sweep_stats s = sweep_stats(evaluator_sweep(d->evaluator));
            sweep_measure(evaluator_sweep(d->evaluator), false);
            in[j] = (double)s.gemm_flop * 1e9 / (double)s.gemm_ns;
            whole[j] = (double)s.gemm_ns / ((double)s.total_ns * (double)pool_threads(d->pool));
            out[j] = bare_rate(d->model, y, x);
        }
        inside[i] = bench_figure(in, REPEATS).max;
        share[i] = inside[i] / bench_figure(out, REPEATS).max;
        all[i] = bench_figure(whole, REPEATS).max;
    }
    bench_report(b, "search.gemm_share", "ratio", bench_figure(share, PAIRS), BETTER_HIGHER, 0.7);
    bench_report(b, "search.gemm.inside", "GFLOP/s", bench_scale(bench_figure(inside, PAIRS), 1e-9),
                 BETTER_HIGHER, NAN);
    bench_report(b, "search.gemm.time", "ratio", bench_figure(all, PAIRS), BETTER_HIGHER, NAN);
    free(o);
    free(x);
    free(y);
    trace_release(&t);
}

void bench_search_traces(struct bench *b)
{
    if (b->record) {
        record(b->record);
        return;
    }
    struct bed *d = bed_open(b->quick ? 2 : STEPS, BED_THREADS);
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
