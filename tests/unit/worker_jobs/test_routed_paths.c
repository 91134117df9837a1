/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: labels, other examples' labels, random and static paths are what routed.h says, whatever
 * the shards; agreement with labels is counted; what cannot be is refused in words. Method:
 * evaluate jobs behind fake services on a random model (routed_rig.h); label sets and static paths
 * written by hand. */
#include "tests/unit/worker_jobs/routed_rig.h"

static double value_of(const Drover__Score *s, const char *name)
{
    for (size_t i = 0; i < s->n_values; i++)
        if (strcmp(s->values[i]->name, name) == 0)
            return s->values[i]->value;
    fail_msg("no value %s", name);
    return 0;
}

static void labels_beside_a_router_are_compared_with_only(void **state)
{
    static const char *const class[] = { "skip", "execute", "repeat" };
    struct fake_job base, alone, f;
    size_t exact = 0;

    (void)state;
    base_scores(&base);
    start(&alone, "router");
    fake_job_input(&alone, "router", router_dir[LABEL_ROUTER]);
    fake_job_run_or_fail(&alone);
    start_labelled(&f, "router", &base, 20);
    fake_job_input(&f, "router", router_dir[LABEL_ROUTER]);
    fake_job_run_or_fail(&f);
    for (size_t i = 0; i < EXAMPLES; i++) {
        const Drover__Score *s = f.result[i]->score;
        const char *label = label_of[i % ARRAY_LEN(label_of)];

        assert_memory_equal(s->routing.data, alone.result[i]->score->routing.data, LAYERS);
        assert_string_equal(s->answer, alone.result[i]->score->answer);
        if (i % 7 == 6 || i >= 20) {
            assert_int_equal(s->n_values, 0);
            continue;
        }
        assert_int_equal(s->n_values, 10);
        for (int c = 0; c < 3; c++) {
            double tp = 0, fp = 0, fn = 0;
            char name[32];

            for (size_t l = 0; l < LAYERS; l++) {
                bool is = s->routing.data[l] == c, should = label[l] - '0' == c;

                tp += is && should;
                fp += is && !should;
                fn += !is && should;
            }
            snprintf(name, sizeof(name), "%s_tp", class[c]);
            assert_true(value_of(s, name) == tp);
            snprintf(name, sizeof(name), "%s_fp", class[c]);
            assert_true(value_of(s, name) == fp);
            snprintf(name, sizeof(name), "%s_fn", class[c]);
            assert_true(value_of(s, name) == fn);
        }
        exact += value_of(s, "exact_path") == 1.0;
        assert_true(
            value_of(s, "exact_path") ==
            (value_of(s, "skip_tp") + value_of(s, "execute_tp") + value_of(s, "repeat_tp") ==
             LAYERS));
    }
    assert_true(exact < 20);
    fake_job_release(&base);
    fake_job_release(&alone);
    fake_job_release(&f);
}

static void path_text(const Drover__Score *s, char out[LAYERS + 1])
{
    routing_print(s->routing.data, LAYERS, out);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* What EXAMPLES run by labels and by ROUTING under SEED. */
static void run_labelled(const struct fake_job *base, const char *routing, int64_t seed, size_t n,
                         uint64_t shard, char ret[EXAMPLES][LAYERS + 1])
{
    for (uint64_t from = 0; from < EXAMPLES; from += shard) {
        struct fake_job f;

        start_labelled(&f, routing, base, n);
        fake_job_int(&f, "routing_seed", seed);
        f.lease.begin = from;
        f.lease.end = MIN(from + shard, (uint64_t)EXAMPLES);
        fake_job_run_or_fail(&f);
        for (size_t i = 0; i < f.results_len; i++)
            path_text(f.result[i]->score, ret[from + i]);
        fake_job_release(&f);
    }
}

static void shuffled_labels_are_the_same_labels_of_other_examples(void **state)
{
    char own[EXAMPLES][LAYERS + 1], one[EXAMPLES][LAYERS + 1], again[EXAMPLES][LAYERS + 1],
        two[EXAMPLES][LAYERS + 1];
    struct fake_job base;

    (void)state;
    base_scores(&base);
    run_labelled(&base, "labels", 0, EXAMPLES, EXAMPLES, own);
    run_labelled(&base, "shuffled", 1, EXAMPLES, EXAMPLES, one);
    run_labelled(&base, "shuffled", 1, EXAMPLES, 5, again);
    run_labelled(&base, "shuffled", 2, EXAMPLES, EXAMPLES, two);
    assert_memory_equal(one, again, sizeof(one));
    assert_memory_not_equal(one, two, sizeof(one));
    assert_memory_not_equal(one, own, sizeof(one));
    qsort(own, EXAMPLES, sizeof(own[0]), by_text);
    qsort(one, EXAMPLES, sizeof(one[0]), by_text);
    qsort(two, EXAMPLES, sizeof(two[0]), by_text);
    assert_memory_equal(one, own, sizeof(own));
    assert_memory_equal(two, own, sizeof(own));
    fake_job_release(&base);
}

/* With two examples the only permutation without a fixed point swaps them. */
static void shuffling_leaves_no_example_its_own_label(void **state)
{
    char own[EXAMPLES][LAYERS + 1], got[EXAMPLES][LAYERS + 1];
    struct fake_job base;

    (void)state;
    base_scores(&base);
    run_labelled(&base, "labels", 0, 2, EXAMPLES, own);
    for (int64_t seed = 0; seed < 5; seed++) {
        run_labelled(&base, "shuffled", seed, 2, EXAMPLES, got);
        assert_string_equal(got[0], own[1]);
        assert_string_equal(got[1], own[0]);
        for (size_t i = 2; i < EXAMPLES; i++) /* these take one of the two */
            assert_true(strcmp(got[i], own[0]) == 0 || strcmp(got[i], own[1]) == 0);
    }
    fake_job_release(&base);
}

static void count_digits(const char *path, size_t ret[3])
{
    ret[0] = ret[1] = ret[2] = 0;
    for (; *path; path++)
        ret[*path - '0']++;
}

static void random_paths_have_as_many_skips_and_repeats_as_the_label(void **state)
{
    char own[EXAMPLES][LAYERS + 1], one[EXAMPLES][LAYERS + 1], again[EXAMPLES][LAYERS + 1],
        two[EXAMPLES][LAYERS + 1];
    struct fake_job base;
    size_t moved = 0, other = 0;

    (void)state;
    base_scores(&base);
    run_labelled(&base, "labels", 0, EXAMPLES, EXAMPLES, own);
    run_labelled(&base, "random", 1, EXAMPLES, EXAMPLES, one);
    run_labelled(&base, "random", 1, EXAMPLES, 5, again);
    run_labelled(&base, "random", 2, EXAMPLES, EXAMPLES, two);
    assert_memory_equal(one, again, sizeof(one));
    for (size_t i = 0; i < EXAMPLES; i++) {
        size_t is[3], should[3];

        count_digits(one[i], is);
        count_digits(own[i], should);
        assert_memory_equal(is, should, sizeof(is));
        moved += strcmp(one[i], own[i]) != 0;
        other += strcmp(one[i], two[i]) != 0;
    }
    assert_true(moved > EXAMPLES / 3 && other > EXAMPLES / 3);
    run_labelled(&base, "random", 1, 3, EXAMPLES, one); /* the others take one of three labels */
    for (size_t i = 3; i < EXAMPLES; i++) {
        size_t is[3], should[3];
        bool found = false;

        count_digits(one[i], is);
        for (size_t k = 0; k < 3; k++) {
            count_digits(own[k], should);
            found = found || memcmp(is, should, sizeof(is)) == 0;
        }
        assert_true(found);
    }
    fake_job_release(&base);
}

/* ---- static paths --------------------------------------------------------------------------- */

static const char static_paths[] =
    "{\"layers\":4,\"routing\":\"110101\",\"n\":100,\"right\":40,\"accuracy\":0.4}\n"
    "{\"layers\":5,\"routing\":\"111011\",\"n\":100,\"right\":61,\"accuracy\":0.61}\n"
    "{\"layers\":5,\"routing\":\"101111\",\"n\":200,\"right\":122,\"accuracy\":0.61}\n"
    "{\"layers\":7,\"routing\":\"111211\",\"n\":100,\"right\":90,\"accuracy\":0.9}\n"
    "{\"layers\":8,\"routing\":\"112211\",\"n\":100,\"right\":90,\"accuracy\":0.9}\n";

static int run_static(const char *text, int64_t most, char ret[LAYERS + 1], struct err *err)
{
    struct fake_job f;
    char path[128];
    int rc;

    start(&f, "static");
    snprintf(path, sizeof(path), "%s/paths", f.scratch);
    assert_int_equal(buf_write_file(path, text, strlen(text), err), 0);
    fake_job_input(&f, "paths", path);
    fake_job_int(&f, "path_layers", most);
    f.lease.end = 3;
    rc = fake_job_run(&f, err);
    for (size_t i = 0; rc == 0 && i < 3; i++)
        path_text(f.result[i]->score, ret);
    fake_job_release(&f);
    return rc;
}

static void the_best_static_path_of_at_most_so_many_layers_is_taken(void **state)
{
    static const struct {
        int64_t most;
        const char *path;
    } cases[] = {
        { 0, "111211" }, { 7, "111211" }, { 6, "101111" }, { 5, "101111" }, { 4, "110101" }
    };
    struct err err = { 0 };
    char got[LAYERS + 1];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(run_static(static_paths, cases[i].most, got, &err), 0);
        assert_string_equal(got, cases[i].path);
    }
}

/* ---- refusals ------------------------------------------------------------------------------- */

static void assert_says(int rc, const struct err *err, const char *const *words)
{
    assert_int_equal(rc, ERR_INVALID);
    for (; *words; words++)
        if (!strstr(err->text, *words))
            fail_msg("\"%s\" lacks \"%s\"", err->text, *words);
}

#define SAYS(RC, ERR, ...) assert_says(RC, ERR, (const char *const[]){ __VA_ARGS__, NULL })

static void bad_static_paths_are_named(void **state)
{
    char got[LAYERS + 1];
    struct err err = { 0 };

    (void)state;
    SAYS(run_static(static_paths, 3, got, &err), &err, "at most 3 layer", "path_layers", "has 4");
    SAYS(run_static("", 0, got, &err), &err, "no paths");
    SAYS(run_static("{\"routing\":\"11111\",\"n\":2,\"right\":1}\n", 0, got, &err), &err, "paths:1",
         "5 layers", "6 layers");
    SAYS(run_static("\n{\"routing\":\"100011\",\"n\":2,\"right\":1}\n", 0, got, &err), &err,
         "paths:2", "100011");
    SAYS(run_static("{\"routing\":\"111111\",\"n\":2,\"right\":3}\n", 0, got, &err), &err,
         "\"right\"");
    SAYS(run_static("{\"routing\":11,\"n\":2,\"right\":1}\n", 0, got, &err), &err, "\"routing\"");
    assert_int_not_equal(run_static("{\"routing\":", 0, got, &err), 0);
}

static int run_path(const int64_t *path, size_t len, struct err *err)
{
    struct param_value v = { .type = PARAM_INTS, .ints = (int64_t *)path, .len = len };
    struct fake_job f;
    int rc;

    start(&f, "path");
    f.lease.end = 2;
    assert_int_equal(params_set(&f.job.params, "path", &v, err), 0);
    rc = fake_job_run(&f, err);
    fake_job_release(&f);
    return rc;
}

static void a_path_outside_the_limits_is_refused(void **state)
{
    static const int64_t good[] = { 1, 0, 0, 2, 1, 1 }, skips[] = { 1, 0, 0, 0, 1, 1 };
    static const int64_t more[] = { 1, 3, 1, 1, 1, 1 };
    struct err err = { 0 };

    (void)state;
    assert_int_equal(run_path(good, 6, &err), 0);
    SAYS(run_path(skips, 6, &err), &err, "path", "in a row");
    SAYS(run_path(more, 6, &err), &err, "path");
    SAYS(run_path(good, 5, &err), &err, "5 entries", "6 layers");
}

static int run_router(const struct router_conf *c, struct err *err)
{
    struct fake_job f;
    char dir[128];
    int rc;

    start(&f, "router");
    snprintf(dir, sizeof(dir), "%s/router", f.scratch);
    if (c)
        save_router(c, dir);
    fake_job_input(&f, "router", dir);
    f.lease.end = 2;
    rc = fake_job_run(&f, err);
    assert_int_equal(rc < 0 ? 0 : 2, f.results_len);
    fake_job_release(&f);
    return rc;
}

static void a_router_of_another_model_is_refused(void **state)
{
    struct router_conf c = router_conf_of(DIM, LAYERS);
    struct err err = { 0 };

    (void)state;
    assert_int_equal(run_router(&c, &err), 0);
    c.model = digest_of("another", 7);
    SAYS(run_router(&c, &err), &err, "model");
    c = router_conf_of(DIM + 8, LAYERS);
    SAYS(run_router(&c, &err), &err, "24", "16");
    c = router_conf_of(DIM, LAYERS + 2);
    SAYS(run_router(&c, &err), &err, "8", "6");
    assert_int_not_equal(run_router(NULL, &err), 0);
    assert_non_null(strstr(err.text, "router"));
}

static int run_labels(const struct fake_job *base, const char *routing, size_t n, const char *task,
                      const char *model, bool deep, struct err *err)
{
    struct fake_job f;
    char path[128];
    int rc;

    start(&f, routing);
    snprintf(path, sizeof(path), "%s/labels", f.scratch);
    write_labels(path, base, n, task, model, deep);
    fake_job_input(&f, "labels", path);
    f.lease.end = 2;
    rc = fake_job_run(&f, err);
    fake_job_release(&f);
    return rc;
}

static void labels_that_do_not_fit_are_refused(void **state)
{
    static const char *const routings[] = { "labels", "shuffled", "random" };
    struct fake_job base;
    struct err err = { 0 };

    (void)state;
    base_scores(&base);
    for (size_t i = 0; i < ARRAY_LEN(routings); i++) {
        SAYS(run_labels(&base, routings[i], 4, "math", "another", false, &err), &err,
             "another model");
        SAYS(run_labels(&base, routings[i], 4, "math", model_dir, true, &err), &err, "7 layers",
             "6 layers");
        if (i > 0)
            SAYS(run_labels(&base, routings[i], 4, "logic", model_dir, false, &err), &err,
                 "math level 1", "it has logic level 1");
    }
    SAYS(run_labels(&base, "shuffled", 1, "math", model_dir, false, &err), &err, "single example");
    assert_int_equal(run_labels(&base, "random", 1, "math", model_dir, false, &err), 0);
    fake_job_release(&base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_beside_a_router_are_compared_with_only),
        cmocka_unit_test(shuffled_labels_are_the_same_labels_of_other_examples),
        cmocka_unit_test(shuffling_leaves_no_example_its_own_label),
        cmocka_unit_test(random_paths_have_as_many_skips_and_repeats_as_the_label),
        cmocka_unit_test(the_best_static_path_of_at_most_so_many_layers_is_taken),
        cmocka_unit_test(bad_static_paths_are_named),
        cmocka_unit_test(a_path_outside_the_limits_is_refused),
        cmocka_unit_test(a_router_of_another_model_is_refused),
        cmocka_unit_test(labels_that_do_not_fit_are_refused),
    };

    return cmocka_run_group_tests(tests, make_all, remove_all);
}
