/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: cells are compared with the right baseline by the right test, Holm's correction counts
 * every comparison, and the best is the best of the right cells. Method: the store of paper.h,
 * whose outcomes are known functions; what the table says is computed again here from the vectors,
 * by the tested functions of common/stats. */
#include "tests/unit/store_tables/paper.h"

#include <math.h>

#include "common/base/json.h"
#include "common/stats/stats.h"
#include "store/vector.h"

static struct json *make(struct store *s, const char *spec)
{
    struct json *root = NULL;
    struct buf out = { 0 };

    OK(tables_text(s, spec, "s.cfg", NULL, NULL, TABLE_JSON, &out, err));
    OK(json_parse(buf_str(&out), out.len, &root, err));
    buf_release(&out);
    return root;
}

/* Cell (ROW, COLUMN) of the first table, keys among the columns. */
static const struct json *cell(const struct json *root, size_t row, size_t column)
{
    const struct json *table = json_at(json_get(root, "tables"), 0);

    return json_at(json_get(json_at(json_get(table, "rows"), row), "cells"), column);
}

static const struct json *comparison(const struct json *root, size_t row, size_t column)
{
    return json_get(cell(root, row, column), "comparison");
}

struct found {
    const char *step, *task;
    int level;
    uint64_t seed_min;
    uint64_t family[8];
    size_t len;
    uint64_t runs[2];
};

static int keep_family(const struct store_sums *x, void *arg)
{
    struct found *f = arg;

    if (strcmp(x->step, f->step) == 0 && strcmp(x->task, f->task) == 0 && x->level == f->level)
        f->family[f->len++] = x->family_id;
    return 0;
}

/* Families of STEP: those of the constant schedule's seeds come first. */
static struct found families(struct store *s, uint64_t experiment, const char *step,
                             const char *task, int level)
{
    struct found f = { .step = step, .task = task, .level = level };

    OK(store_list_sums(s, experiment, keep_family, &f, err));
    return f;
}

/* Means over SEEDS families from FROM on, per example. */
static void means(struct store *s, const struct found *f, size_t from, size_t seeds, double *ret)
{
    double x[40];

    for (size_t i = 0; i < 40; i++)
        ret[i] = 0.0;
    for (size_t k = 0; k < seeds; k++) {
        OK(store_vector(s, f->family[from + k], 40, "correct", x, NULL, err));
        for (size_t i = 0; i < 40; i++)
            ret[i] += x[i] / (double)seeds;
    }
}

static void baseline_column_is_compared_over_examples(void **state)
{
    static const char spec[] =
        "rows = [\"schedule\"]; where = \"task == 'story'\"; baseline = \"base\";\n"
        "columns = ( { head = \"base\"; step = \"base\"; measure = \"accuracy\"; },\n"
        "            { head = \"routed\"; step = \"routed\"; measure = \"accuracy\"; },\n"
        "            { head = \"layers\"; step = \"routed\"; measure = \"layers\"; } );";
    struct fixture *f = *state;
    uint64_t experiment = paper_fill(f->s, (struct paper){ 0 });
    struct found base = families(f->s, experiment, "base", "story", 0),
                 routed = families(f->s, experiment, "routed", "story", 0);
    struct json *root = make(f->s, spec);
    double a[40], b[40], p[2], adjusted[2];

    assert_int_equal(base.len, 6);
    for (size_t r = 0; r < 2; r++) { /* constant, cosine */
        struct stats_difference d;

        means(f->s, &routed, 3 * r, 3, a);
        means(f->s, &base, 3 * r, 3, b);
        d = stats_paired_t(a, b, 40);
        p[r] = d.p;
        assert_true(fabs(json_number(json_get(comparison(root, r, 2), "difference"), NAN) -
                         d.difference) < 1e-12);
        assert_true(fabs(json_number(json_get(comparison(root, r, 2), "p"), NAN) - p[r]) < 1e-12);
        assert_string_equal(json_text(json_get(comparison(root, r, 2), "test")),
                            "paired_t_examples");
        assert_true(json_bool(json_get(cell(root, r, 1), "baseline"), false));
        assert_true(json_is_null(comparison(root, r, 1)));
        assert_true(json_is_null(comparison(root, r, 3))); /* no baseline of its measure */
    }
    stats_holm(p, 2, adjusted);
    for (size_t r = 0; r < 2; r++)
        assert_true(fabs(json_number(json_get(comparison(root, r, 2), "p_adjusted"), NAN) -
                         adjusted[r]) < 1e-12);
    json_free(root);
}

static void one_model_against_another_is_mcnemar(void **state)
{
    static const char spec[] =
        "rows = [\"task\"]; where = \"task == 'story' and schedule == 'constant'\";\n"
        "baseline = \"base\"; columns = (\n"
        "  { head = \"base\"; step = \"base\"; measure = \"accuracy\"; },\n"
        "  { head = \"routed\"; step = \"routed\"; measure = \"accuracy\"; } );";
    struct fixture *f = *state;
    uint64_t experiment = paper_fill(f->s, (struct paper){ .seeds = 1 }), only_a = 0, only_b = 0;
    struct found base = families(f->s, experiment, "base", "story", 0),
                 routed = families(f->s, experiment, "routed", "story", 0);
    struct json *root = make(f->s, spec);
    double a[40], b[40];

    means(f->s, &routed, 0, 1, a);
    means(f->s, &base, 0, 1, b);
    for (size_t i = 0; i < 40; i++) {
        only_a += a[i] > b[i];
        only_b += b[i] > a[i];
    }
    assert_true(only_a > 0);
    assert_string_equal(json_text(json_get(comparison(root, 0, 2), "test")), "mcnemar");
    assert_true(fabs(json_number(json_get(comparison(root, 0, 2), "p"), NAN) -
                     stats_mcnemar(only_a, only_b)) < 1e-12);
    json_free(root);
}

static void numbers_of_runs_are_compared_over_seeds(void **state)
{
    static const char spec[] =
        "rows = [\"schedule\"]; baseline_row = { schedule = \"constant\"; };\n"
        "columns = ( { step = \"train\"; measure = \"loss\"; } );";
    struct fixture *f = *state;
    struct json *root;

    paper_fill(f->s, (struct paper){ 0 });
    root = make(f->s, spec);
    assert_string_equal(json_text(json_get(comparison(root, 1, 1), "test")), "paired_t_seeds");
    assert_true(json_is_null(comparison(root, 0, 1)));
    json_free(root);
}

static void seeds_that_differ_are_compared_by_welch(void **state)
{
    static const char spec[] =
        "rows = [\"schedule\"]; baseline_row = \"schedule == 'constant'\";\n"
        "where = \"schedule == 'cosine' or seed <= 2\"; allow_unequal_n = true;\n"
        "columns = ( { step = \"train\"; measure = \"loss\"; } );";
    struct fixture *f = *state;
    struct json *root;

    paper_fill(f->s, (struct paper){ 0 });
    root = make(f->s, spec);
    assert_string_equal(json_text(json_get(comparison(root, 1, 1), "test")), "welch_t_seeds");
    json_free(root);
}

/* Lists of one task from other files have other examples: their places say nothing. */
static void other_examples_are_not_paired(void **state)
{
    static const char spec[] =
        "rows = [\"schedule\"]; where = \"task == 'story'\"; baseline = \"base\";\n"
        "columns = ( { head = \"base\"; step = \"base\"; measure = \"accuracy\"; },\n"
        "            { head = \"routed\"; step = \"routed\"; measure = \"accuracy\"; } );";
    struct fixture *f = *state;
    struct json *root;

    paper_fill(f->s, (struct paper){ .other_examples = true });
    root = make(f->s, spec);
    assert_string_equal(json_text(json_get(comparison(root, 0, 2), "test")), "paired_t_seeds");
    json_free(root);
}

static void best_is_of_its_column_row_or_group(void **state)
{
    static const struct {
        const char *per;
        bool best[2][2]; /* rows constant and cosine; columns base and routed */
    } cases[] = {
        { "column", { { false, false }, { true, true } } },
        { "row", { { false, true }, { false, true } } },
        { "schedule", { { false, false }, { false, false } } }, /* nobody to beat */
    };
    struct fixture *f = *state;

    paper_fill(f->s, (struct paper){ 0 });
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char spec[600];
        struct json *root;

        snprintf(spec, sizeof spec,
                 "rows = [\"schedule\"]; where = \"task == 'story'\"; marks = [\"best\"]; best_per "
                 "= \"%s\";\ncolumns = ( { head = \"base\"; step = \"base\"; measure = "
                 "\"accuracy\"; }, { head = \"routed\"; step = \"routed\"; measure = \"accuracy\"; "
                 "} );",
                 cases[i].per);
        root = make(f->s, spec);
        for (size_t r = 0; r < 2; r++)
            for (size_t c = 0; c < 2; c++)
                assert_int_equal(json_bool(json_get(cell(root, r, 1 + c), "best"), false),
                                 cases[i].best[r][c]);
        json_free(root);
    }
}

static void checksum_is_of_numbers_not_of_looks(void **state)
{
    static const char *const specs[] = {
        "rows = [\"schedule\"]; columns = ( { step = \"base\"; measure = \"accuracy\"; } );",
        "rows = [\"schedule\"]; columns = ( { step = \"base\"; measure = \"accuracy\"; digits = 4; "
        "} );",
        "rows = [\"schedule\"]; where = \"seed > 1\"; columns = ( { step = \"base\"; measure = "
        "\"accuracy\"; } );",
    };
    struct fixture *f = *state;
    char sum[3][80];

    paper_fill(f->s, (struct paper){ 0 });
    for (size_t i = 0; i < 3; i++) {
        struct json *root = make(f->s, specs[i]);

        snprintf(sum[i], sizeof sum[i], "%s",
                 json_text(json_get(json_get(json_at(json_get(root, "tables"), 0), "footer"),
                                    "checksum")));
        json_free(root);
    }
    assert_string_equal(sum[0], sum[1]);
    assert_string_not_equal(sum[0], sum[2]);
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(baseline_column_is_compared_over_examples),
        T(one_model_against_another_is_mcnemar),
        T(numbers_of_runs_are_compared_over_seeds),
        T(seeds_that_differ_are_compared_by_welch),
        T(other_examples_are_not_paired),
        T(best_is_of_its_column_row_or_group),
        T(checksum_is_of_numbers_not_of_looks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
