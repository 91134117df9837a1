/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: labels and scores are functions of (model, example, parameters): whatever the shards,
 * threads, cache or attempt; the finished are skipped; search, collect and evaluate agree about
 * every example. Method: a tiny model trained for a moment, real job kinds behind fake services
 * (tiny.h), messages compared byte for byte. */
#include "tests/unit/worker_jobs/tiny.h"

#include "worker/search/search.h"

enum { LAYERS = 4, EXAMPLES = 12 };

static int make_model(void **state)
{
    (void)state;
    tiny_make(LAYERS);
    return 0;
}

/* A job on math level 1, examples [begin, end) of the training split. */
static void start(struct fake_job *f, enum kind_id kind, uint64_t begin, uint64_t end)
{
    fake_job_init(f, kind);
    fake_job_input(f, "model", tiny_dir);
    fake_job_text(f, "task", "math");
    fake_job_int(f, "level", 1);
    fake_job_text(f, "split", "train");
    fake_job_int(f, "examples", EXAMPLES);
    f->lease.begin = begin;
    f->lease.end = end;
    if (kind == KIND_SEARCH) {
        fake_job_int(f, "simulations", 20);
        fake_job_int(f, "round", 5);
    }
}

/* The message without what may differ: the wall time and, when COSTS is false, the work done. */
static void canonical(const Drover__ExampleResult *r, bool costs, struct buf *out)
{
    Drover__ExampleResult copy = *r;
    Drover__Label label;
    size_t size;

    copy.wall_us = 0;
    if (copy.label && !costs) {
        label = *copy.label;
        label.layer_rows = 0;
        copy.label = &label;
    }
    size = drover__example_result__get_packed_size(&copy);
    out->len += drover__example_result__pack(&copy, (uint8_t *)buf_reserve(out, size));
}

static void add_canonical(const struct fake_job *f, bool costs, struct buf *out)
{
    for (size_t i = 0; i < f->results_len; i++)
        canonical(f->result[i], costs, out);
}

static void assert_same(const struct buf *a, const struct buf *b)
{
    assert_int_equal(a->len, b->len);
    assert_memory_equal(a->data, b->data, a->len);
}

/* All examples by jobs of SHARD examples. */
static void run_shards(enum kind_id kind, uint64_t shard, struct pool *pool, int64_t cache_bytes,
                       bool costs, struct buf *out)
{
    for (uint64_t begin = 0; begin < EXAMPLES; begin += shard) {
        struct fake_job f;

        start(&f, kind, begin, MIN(begin + shard, (uint64_t)EXAMPLES));
        f.job.pool = pool;
        if (kind == KIND_SEARCH)
            fake_job_int(&f, "cache_bytes", cache_bytes);
        fake_job_run_or_fail(&f);
        add_canonical(&f, costs, out);
        fake_job_release(&f);
    }
}

static void labels_do_not_depend_on_shards_or_threads(void **state)
{
    struct buf want CLEANUP(buf_release) = { 0 };
    struct pool *two = pool_new(2), *three = pool_new(3);
    static const uint64_t shard[] = { 1, 5, 7 };

    (void)state;
    run_shards(KIND_SEARCH, EXAMPLES, NULL, 1 << 20, true, &want);
    for (size_t i = 0; i < ARRAY_LEN(shard); i++) {
        struct buf got CLEANUP(buf_release) = { 0 };

        run_shards(KIND_SEARCH, shard[i], i == 1 ? two : three, 1 << 20, true, &got);
        assert_same(&got, &want);
    }
    pool_free(two);
    pool_free(three);
}

static void labels_do_not_depend_on_the_prefix_cache(void **state)
{
    static const int64_t bytes[] = { 0, 3000, 20000 };
    struct buf want CLEANUP(buf_release) = { 0 };

    (void)state;
    run_shards(KIND_SEARCH, EXAMPLES, NULL, 1 << 20, false, &want);
    for (size_t i = 0; i < ARRAY_LEN(bytes); i++) {
        struct buf got CLEANUP(buf_release) = { 0 };

        run_shards(KIND_SEARCH, EXAMPLES, NULL, bytes[i], false, &got);
        assert_same(&got, &want);
    }
}

static void every_path_is_paid_once_and_the_label_once_more(void **state)
{
    struct fake_job without, with;

    (void)state;
    start(&without, KIND_SEARCH, 0, EXAMPLES);
    fake_job_int(&without, "round", 1); /* paths of one round share their beginnings */
    fake_job_int(&without, "cache_bytes", 0);
    fake_job_run_or_fail(&without);
    start(&with, KIND_SEARCH, 0, EXAMPLES);
    fake_job_int(&with, "round", 1);
    fake_job_run_or_fail(&with);
    for (size_t i = 0; i < EXAMPLES; i++) {
        const Drover__Label *l = without.result[i]->label;
        uint64_t rows = 1 + strlen(without.result[i]->example->source_id), layers = 0;

        for (size_t k = 0; k < l->n_log; k++)
            layers += routing_length(l->log[k]->routing.data, LAYERS);
        if (l->has_label) /* its replay */
            layers += l->label_layers;
        assert_int_equal(l->layer_rows, layers * rows);
        assert_true(l->layer_rows_whole >= 20 * rows);
        assert_true(with.result[i]->label->layer_rows < l->layer_rows);
    }
    fake_job_release(&without);
    fake_job_release(&with);
}

static void finished_examples_are_skipped(void **state)
{
    struct buf want CLEANUP(buf_release) = { 0 }, got CLEANUP(buf_release) = { 0 };
    struct fake_job all, rest;

    (void)state;
    start(&all, KIND_SEARCH, 0, EXAMPLES);
    fake_job_run_or_fail(&all);
    assert_int_equal(all.results_len, EXAMPLES);
    assert_int_equal(atomic_load(&all.progress.done), EXAMPLES);
    assert_int_equal(atomic_load(&all.progress.total), EXAMPLES);

    start(&rest, KIND_SEARCH, 0, EXAMPLES);
    for (size_t i = 0; i < EXAMPLES; i++) {
        assert_int_equal(all.result[i]->example->index, i);
        assert_int_equal(all.result[i]->attempt, 7);
        assert_int_equal(all.result[i]->epoch, 3);
        if (i % 3 != 1)
            rest.finished[rest.lease.n_finished++] = all.result[i]->example->id;
        else
            canonical(all.result[i], true, &want);
    }
    fake_job_run_or_fail(&rest);
    add_canonical(&rest, true, &got);
    assert_same(&got, &want);
    assert_int_equal(atomic_load(&rest.progress.done), EXAMPLES);
    fake_job_release(&all);
    fake_job_release(&rest);
}

static void job_ends_when_it_is_stopped_or_stale(void **state)
{
    struct fake_job f;
    struct err err = { 0 };

    (void)state;
    start(&f, KIND_SEARCH, 0, EXAMPLES);
    f.stop_after = 2;
    assert_int_equal(fake_job_run(&f, &err), ERR_CANCELLED);
    assert_int_equal(f.results_len, 2);
    fake_job_release(&f);

    start(&f, KIND_EVALUATE, 0, EXAMPLES);
    f.fail_at = 4;
    assert_int_equal(fake_job_run(&f, &err), ERR_STALE);
    assert_int_equal(f.results_len, 3);
    fake_job_release(&f);
}

/* ------------------------------------------------------------------------------------------- */

static void add_path(struct buf *out, ProtobufCBinaryData routing)
{
    buf_addc(out, '"');
    for (size_t k = 0; k < routing.len; k++)
        buf_addc(out, (char)('0' + routing.data[k]));
    buf_addc(out, '"');
}

static void add_log(const Drover__Label *l, const char *name, bool right, struct buf *out)
{
    const char *comma = "";

    buf_printf(out, ",\"%s\":[", name);
    for (size_t k = 0; k < l->n_log; k++) {
        if ((l->log[k]->reward > 0) != right)
            continue;
        buf_adds(out, comma);
        add_path(out, l->log[k]->routing);
        comma = ",";
    }
    buf_addc(out, ']');
}

static void add_header(size_t layers, struct buf *out)
{
    struct digest model = digest_of(tiny_dir, strlen(tiny_dir)); /* as fake_job_input */
    char hex[DIGEST_HEX];

    buf_printf(out,
               "{\"family\":\"%064d\",\"kind\":\"search\",\"task\":\"math\",\"level\":1,"
               "\"split\":\"train\",\"prompts\":\"harness\",\"fewshot\":-1,\"model\":\"%s\","
               "\"layers\":%zu}\n",
               7, digest_hex(&model, hex), layers);
}

/* The rows that the coordinator would put together, backwards. */
static void results_text(const struct fake_job *search, struct buf *out)
{
    add_header(LAYERS, out);
    for (size_t i = search->results_len; i-- > 0;) {
        const Drover__Example *e = search->result[i]->example;
        const Drover__Label *l = search->result[i]->label;

        buf_printf(out, "{\"id\":\"%016llx\",\"task\":\"%s\",\"level\":%d,\"split\":\"%s\",",
                   (unsigned long long)e->id, e->task, e->level, e->split);
        buf_printf(out,
                   "\"index\":%llu,\"base_correct\":%s,\"routing\":", (unsigned long long)e->index,
                   l->base_correct ? "true" : "false");
        if (l->has_label)
            add_path(out, l->routing);
        else
            buf_adds(out, "null");
        buf_printf(out, ",\"simulations\":%u,\"evaluations\":%u", l->simulations, l->evaluations);
        add_log(l, "right", true, out);
        add_log(l, "wrong", false, out);
        buf_adds(out, "}\n");
    }
}

static void collect(const struct buf *results, const char *keep, struct buf *out)
{
    char path[128];
    struct fake_job f;
    struct err err = { 0 };

    fake_job_init(&f, KIND_COLLECT);
    snprintf(path, sizeof(path), "%s/results", f.scratch);
    assert_int_equal(buf_write_file(path, results->data, results->len, &err), 0);
    fake_job_input(&f, "results", path);
    fake_job_text(&f, "keep", keep);
    fake_job_run_or_fail(&f);
    assert_int_equal(f.job.outputs_len, 1);
    assert_string_equal(f.job.output[0].name, "labels");
    buf_add(out, f.bytes.data, f.bytes.len);
    fake_job_release(&f);
}

static void evaluate_agrees_with_what_search_saw(void **state)
{
    struct buf results CLEANUP(buf_release) = { 0 }, labels CLEANUP(buf_release) = { 0 };
    struct fake_job search, base, oracle;
    char path[128];
    struct err err = { 0 };
    size_t solved = 0, changed = 0;

    (void)state;
    start(&search, KIND_SEARCH, 0, EXAMPLES);
    fake_job_run_or_fail(&search);
    results_text(&search, &results);
    collect(&results, "all", &labels);
    start(&base, KIND_EVALUATE, 0, EXAMPLES);
    fake_job_run_or_fail(&base);
    start(&oracle, KIND_EVALUATE, 0, EXAMPLES);
    snprintf(path, sizeof(path), "%s/labels", oracle.scratch);
    assert_int_equal(buf_write_file(path, labels.data, labels.len, &err), 0);
    fake_job_input(&oracle, "labels", path);
    fake_job_text(&oracle, "routing", "labels");
    fake_job_run_or_fail(&oracle);
    for (size_t i = 0; i < EXAMPLES; i++) {
        const Drover__Label *l = search.result[i]->label;
        const Drover__Score *b = base.result[i]->score, *o = oracle.result[i]->score;

        assert_int_equal(b->correct, l->base_correct);
        assert_string_equal(b->answer, l->base_answer);
        assert_int_equal(b->layer_rows, LAYERS * b->tokens);
        assert_true(b->layers == (double)LAYERS);
        assert_int_equal(o->correct, l->has_label);
        assert_string_equal(o->answer, l->has_label ? l->label_answer : l->base_answer);
        assert_int_equal(o->layer_rows, l->label_layers * o->tokens);
        if (l->has_label)
            assert_memory_equal(o->routing.data, l->routing.data, LAYERS);
        solved += l->has_label;
        changed += l->has_label && !l->base_correct;
    }
    assert_true(solved > 0 && solved < EXAMPLES); /* else this test says little */
    assert_true(changed > 0);
    fake_job_release(&search);
    fake_job_release(&base);
    fake_job_release(&oracle);
}

static void scores_do_not_depend_on_shards_or_threads(void **state)
{
    struct buf want CLEANUP(buf_release) = { 0 }, got CLEANUP(buf_release) = { 0 };
    struct pool *pool = pool_new(2);

    (void)state;
    run_shards(KIND_EVALUATE, EXAMPLES, NULL, 0, true, &want);
    run_shards(KIND_EVALUATE, 5, pool, 0, true, &got);
    assert_same(&got, &want);
    pool_free(pool);
}

static void evaluate_in_batches(int64_t batch, struct buf *out)
{
    struct fake_job f;

    start(&f, KIND_EVALUATE, 0, EXAMPLES);
    fake_job_int(&f, "batch", batch);
    f.finished[f.lease.n_finished++] = 4711; /* nobody's */
    fake_job_run_or_fail(&f);
    assert_int_equal(f.results_len, EXAMPLES);
    for (size_t i = 0; i < EXAMPLES; i++)
        assert_int_equal(f.result[i]->example->index, i);
    add_canonical(&f, true, out);
    fake_job_release(&f);
}

static void scores_do_not_depend_on_the_batch(void **state)
{
    static const int64_t batch[] = { 2, 5, 16 };
    struct buf want CLEANUP(buf_release) = { 0 };

    (void)state;
    evaluate_in_batches(1, &want);
    for (size_t i = 0; i < ARRAY_LEN(batch); i++) {
        struct buf got CLEANUP(buf_release) = { 0 };

        evaluate_in_batches(batch[i], &got);
        assert_same(&got, &want);
    }
}

static void finished_examples_are_skipped_inside_a_batch(void **state)
{
    struct buf want CLEANUP(buf_release) = { 0 }, got CLEANUP(buf_release) = { 0 };
    struct fake_job all, rest;

    (void)state;
    start(&all, KIND_EVALUATE, 0, EXAMPLES);
    fake_job_run_or_fail(&all);
    start(&rest, KIND_EVALUATE, 0, EXAMPLES);
    fake_job_int(&rest, "batch", 3);
    for (size_t i = 0; i < EXAMPLES; i++)
        if (i == 0 || i % 4 == 2 || i == EXAMPLES - 1)
            rest.finished[rest.lease.n_finished++] = all.result[i]->example->id;
        else
            canonical(all.result[i], true, &want);
    fake_job_run_or_fail(&rest);
    add_canonical(&rest, true, &got);
    assert_same(&got, &want);
    assert_int_equal(atomic_load(&rest.progress.done), EXAMPLES);
    fake_job_release(&all);
    fake_job_release(&rest);
}

static void set_path(struct fake_job *f, const int64_t *path, size_t len)
{
    fake_job_text(f, "routing", "path");
    fake_job_ints(f, "path", path, len);
}

static void one_path_serves_all_examples(void **state)
{
    static const int64_t path[] = { 1, 0, 2, 1, 1 };
    struct fake_job f;
    struct err err = { 0 };
    struct buf a CLEANUP(buf_release) = { 0 }, b CLEANUP(buf_release) = { 0 };

    (void)state;
    for (int batch = 1; batch <= 16; batch += 15) {
        start(&f, KIND_EVALUATE, 0, EXAMPLES);
        fake_job_int(&f, "batch", batch);
        set_path(&f, path, LAYERS);
        fake_job_run_or_fail(&f);
        for (size_t i = 0; i < EXAMPLES; i++) {
            const Drover__Score *s = f.result[i]->score;

            for (size_t l = 0; l < LAYERS; l++)
                assert_int_equal(s->routing.data[l], path[l]);
            assert_true(s->layers == 4.0); /* 1 + 0 + 2 + 1 */
        }
        add_canonical(&f, true, batch == 1 ? &a : &b);
        fake_job_release(&f);
    }
    assert_same(&a, &b);
    start(&f, KIND_EVALUATE, 0, 1);
    set_path(&f, path, LAYERS + 1);
    assert_int_equal(fake_job_run(&f, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "5 entries"));
    assert_non_null(strstr(err.text, "4 layers"));
    fake_job_release(&f);
}

static void label_of_another_depth_is_refused(void **state)
{
    struct buf line CLEANUP(buf_release) = { 0 };
    struct fake_job f, base;
    char path[128];
    struct err err = { 0 };

    (void)state;
    start(&base, KIND_EVALUATE, 0, 1);
    fake_job_run_or_fail(&base);
    add_header(LAYERS + 1, &line);
    buf_printf(&line,
               "{\"id\":\"%016llx\",\"task\":\"math\",\"level\":1,\"split\":\"train\",\"index\":0,"
               "\"base_correct\":true,\"routing\":\"11111\",\"simulations\":5,\"evaluations\":1,"
               "\"right\":[\"11111\"],\"wrong\":[]}\n",
               (unsigned long long)base.result[0]->example->id);
    start(&f, KIND_EVALUATE, 0, 1);
    snprintf(path, sizeof(path), "%s/labels", f.scratch);
    assert_int_equal(buf_write_file(path, line.data, line.len, &err), 0);
    fake_job_input(&f, "labels", path);
    fake_job_text(&f, "routing", "labels");
    assert_int_equal(fake_job_run(&f, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "5 layers"));
    fake_job_release(&f);
    fake_job_release(&base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_do_not_depend_on_shards_or_threads),
        cmocka_unit_test(labels_do_not_depend_on_the_prefix_cache),
        cmocka_unit_test(every_path_is_paid_once_and_the_label_once_more),
        cmocka_unit_test(finished_examples_are_skipped),
        cmocka_unit_test(job_ends_when_it_is_stopped_or_stale),
        cmocka_unit_test(evaluate_agrees_with_what_search_saw),
        cmocka_unit_test(scores_do_not_depend_on_shards_or_threads),
        cmocka_unit_test(scores_do_not_depend_on_the_batch),
        cmocka_unit_test(finished_examples_are_skipped_inside_a_batch),
        cmocka_unit_test(one_path_serves_all_examples),
        cmocka_unit_test(label_of_another_depth_is_refused),
    };

    return cmocka_run_group_tests(tests, make_model, tiny_remove);
}
