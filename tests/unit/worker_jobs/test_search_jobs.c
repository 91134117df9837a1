/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a label is a function of (model, example, parameters, seed): whatever is searched beside
 * it and in whatever shards; and a job's words do what they say. Method: a tiny model of 4 layers,
 * real search jobs behind fake services, messages compared byte for byte. */
#include "tests/unit/worker_jobs/ways.h"

#include "worker/search/search.h"

static void labels_do_not_depend_on_batch_or_order_of_shards(void **state)
{
    static const int64_t batch[] = { 3, 16 };

    (void)state;
    for (size_t w = 0; w < ARRAY_LEN(ways); w++) {
        struct buf one[EXAMPLES] = { 0 };

        label_shard(&ways[w], 0, EXAMPLES, 1, one);
        for (size_t b = 0; b < ARRAY_LEN(batch); b++) {
            struct buf together[EXAMPLES] = { 0 }, shards[EXAMPLES] = { 0 };

            label_shard(&ways[w], 0, EXAMPLES, batch[b], together);
            same_labels(one, together);
            label_shard(&ways[w], 13, EXAMPLES, batch[b], shards);
            label_shard(&ways[w], 0, 5, batch[b], shards);
            label_shard(&ways[w], 5, 13, batch[b], shards);
            same_labels(one, shards);
            forget(together);
            forget(shards);
        }
        forget(one);
    }
}

static void ways_differ_from_each_other(void **state)
{
    struct buf all[ARRAY_LEN(ways)] = { 0 };

    (void)state;
    for (size_t w = 0; w < ARRAY_LEN(ways); w++) {
        struct buf one[EXAMPLES] = { 0 };

        label_shard(&ways[w], 0, EXAMPLES, 16, one);
        for (size_t i = 0; i < EXAMPLES; i++)
            buf_add(&all[w], one[i].data, one[i].len);
        for (size_t v = 0; v < w; v++)
            assert_false(all[v].len == all[w].len &&
                         memcmp(all[v].data, all[w].data, all[w].len) == 0);
        forget(one);
    }
    for (size_t w = 0; w < ARRAY_LEN(ways); w++)
        buf_release(&all[w]);
}

/* Simulations of F's example I were cut short. */
static bool stopped(const struct fake_job *f, size_t i, const struct way *w)
{
    return f->result[i]->label->simulations < w->simulations;
}

static void check_words(const struct way *w, const struct fake_job *f)
{
    bool chain = strcmp(w->method, "chain") == 0, shorter = strcmp(w->early_stop, "shorter") == 0;
    size_t short_of_right = 0;

    for (size_t i = 0; i < f->results_len; i++) {
        const Drover__Label *l = f->result[i]->label;

        for (size_t k = 0; k < l->n_log; k++) {
            const uint8_t *routing = l->log[k]->routing.data;

            if (strcmp(w->edits, "skip") == 0)
                assert_null(memchr(routing, 2, LAYERS));
            if (strcmp(w->edits, "repeat") == 0)
                assert_null(memchr(routing, 0, LAYERS));
            if (chain)
                assert_int_equal(l->log[k]->parent, (int)k - 1);
        }
        if (strcmp(w->early_stop, "none") == 0 && strcmp(w->method, "enumerate") != 0)
            assert_false(stopped(f, i, w));
        if (strcmp(w->early_stop, "fixed") == 0)
            assert_true(!stopped(f, i, w) || !l->base_correct);
        if (strcmp(w->method, "enumerate") == 0)
            assert_int_equal(l->n_log, routing_count(LAYERS, EDITS_BOTH, (size_t)w->depth));
        short_of_right += stopped(f, i, w) && l->base_correct;
    }
    assert_true(!shorter || short_of_right > 0);
}

static void jobs_do_what_their_words_say(void **state)
{
    (void)state;
    for (size_t w = 0; w < ARRAY_LEN(ways); w++) {
        struct fake_job f;

        start(&f, &ways[w], 0, EXAMPLES);
        fake_job_run_or_fail(&f);
        check_words(&ways[w], &f);
        fake_job_release(&f);
    }
}

static void another_seed_searches_otherwise(void **state)
{
    struct fake_job a, b;
    size_t differ = 0;

    (void)state;
    start(&a, &ways[4], 0, EXAMPLES);
    fake_job_run_or_fail(&a);
    start(&b, &ways[4], 0, EXAMPLES);
    b.lease.seed = 2;
    fake_job_run_or_fail(&b);
    for (size_t i = 0; i < EXAMPLES; i++) {
        struct buf x CLEANUP(buf_release) = { 0 }, y CLEANUP(buf_release) = { 0 };

        tiny_canonical(a.result[i], &x);
        tiny_canonical(b.result[i], &y);
        differ += x.len != y.len || memcmp(x.data, y.data, x.len) != 0;
    }
    assert_true(differ > EXAMPLES / 2);
    fake_job_release(&a);
    fake_job_release(&b);
}

static void finished_examples_leave_their_place_in_the_batch_to_others(void **state)
{
    struct buf want[EXAMPLES] = { 0 };
    struct fake_job all, rest;
    size_t seen = 0;

    (void)state;
    label_shard(&ways[0], 0, EXAMPLES, 1, want);
    start(&all, &ways[0], 0, EXAMPLES);
    fake_job_run_or_fail(&all);
    start(&rest, &ways[0], 0, EXAMPLES);
    fake_job_int(&rest, "batch", 4);
    for (size_t i = 0; i < EXAMPLES; i += 3)
        rest.finished[rest.lease.n_finished++] = all.result[i]->example->id;
    fake_job_run_or_fail(&rest);
    for (size_t i = 0; i < EXAMPLES; i++)
        if (i % 3 != 0) {
            struct buf got CLEANUP(buf_release) = { 0 };

            tiny_canonical(rest.result[seen++], &got);
            assert_int_equal(got.len, want[i].len);
            assert_memory_equal(got.data, want[i].data, got.len);
        }
    assert_int_equal(rest.results_len, seen);
    assert_int_equal(atomic_load(&rest.progress.done), EXAMPLES);
    forget(want);
    fake_job_release(&all);
    fake_job_release(&rest);
}

static void contradicting_parameters_end_the_job_by_name(void **state)
{
    static const struct {
        struct way way;
        const char *word;
    } bad[] = {
        { { "enumerate", "both", "fixed", "parent", 5, 2 }, "early_stop" },
        { { "enumerate", "both", "none", "total", 5, 2 }, "total_visits" },
        { { "chain", "both", "none", "total", 5, 1 }, "total_visits" },
        { { "progressive", "both", "none", "parent", 5, 2 }, "depth: 2" },
        { { "progressive", "both", "none", "parent", 7, 1 }, "multiple of round" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct fake_job f;
        struct err err = { 0 };

        start(&f, &bad[i].way, 0, 1);
        assert_int_equal(fake_job_run(&f, &err), ERR_INVALID);
        if (!strstr(err.text, bad[i].word))
            fail_msg("\"%s\" does not name %s", err.text, bad[i].word);
        fake_job_release(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_do_not_depend_on_batch_or_order_of_shards),
        cmocka_unit_test(ways_differ_from_each_other),
        cmocka_unit_test(jobs_do_what_their_words_say),
        cmocka_unit_test(another_seed_searches_otherwise),
        cmocka_unit_test(finished_examples_leave_their_place_in_the_batch_to_others),
        cmocka_unit_test(contradicting_parameters_end_the_job_by_name),
    };

    return cmocka_run_group_tests(tests, make_model, tiny_remove);
}
