/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: differences stand in tables with their paired intervals, from the baseline that each column
 * names. Method: the store of paper.h; intervals are computed again from the vectors by the tested
 * functions of common/stats, formats are compared with texts that were checked by hand. */
#include "tests/unit/store_tables/paper.h"

#include <math.h>

#include "common/base/json.h"
#include "common/stats/stats.h"
#include "store/vector.h"

#define ROWS   "rows = [\"schedule\"]; where = \"task == 'math'\"; "
#define BASE   "{ head = \"base\"; step = \"base\"; measure = \"accuracy\"; }"
#define LABELS "{ head = \"other\"; step = \"labels\"; measure = \"accuracy\"; }"
#define ROUTED(HEAD, MORE)                                                                         \
    "{ head = \"" HEAD "\"; step = \"routed\"; measure = \"accuracy\"; " MORE "}"

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

static double part(const struct json *root, size_t row, size_t column, const char *name)
{
    return json_number(json_get(json_get(cell(root, row, column), "comparison"), name), NAN);
}

struct found {
    const char *step;
    uint64_t family[16];
    int level[16];
    size_t len;
};

static int keep_family(const struct store_sums *x, void *arg)
{
    struct found *f = arg;

    if (strcmp(x->step, f->step) == 0 && strcmp(x->task, "math") == 0) {
        f->family[f->len] = x->family_id;
        f->level[f->len++] = x->level;
    }
    return 0;
}

/* Values of the SEED-th run's 80 examples of math, level 1 before level 2. */
static void values(struct store *s, uint64_t experiment, const char *step, const char *metric,
                   size_t seed, double x[80])
{
    struct found f = { .step = step };

    OK(store_list_sums(s, experiment, keep_family, &f, err));
    for (int level = 1; level <= 2; level++) {
        size_t seen = 0;

        for (size_t i = 0; i < f.len; i++) {
            if (f.level[i] == level && seen++ == seed)
                OK(store_vector(s, f.family[i], 40, metric, x + 40 * (level - 1), NULL, err));
        }
    }
}

static void seeds_and_examples_both_count(void **state)
{
    static const char spec[] =
        ROWS "baseline = \"base\"; columns = (" BASE
             ", " ROUTED("routed", "show = \"mean, difference [lo, hi]\"; ") ");";
    struct fixture *f = *state;
    uint64_t experiment = paper_fill(f->s, (struct paper){ 0 });
    struct json *root = make(f->s, spec);

    for (size_t r = 0; r < 2; r++) {
        double a[80], b[80], d[3][80];
        const double *rows[] = { d[0], d[1], d[2] };
        const size_t n[] = { 80, 80, 80 };
        struct stats_interval i;

        for (size_t k = 0; k < 3; k++) {
            values(f->s, experiment, "routed", "correct", 3 * r + k, a);
            values(f->s, experiment, "base", "correct", 3 * r + k, b);
            for (size_t j = 0; j < 80; j++)
                d[k][j] = a[j] - b[j];
        }
        i = stats_two_level_values(rows, n, 3, true);
        assert_true(i.valid && i.lo > -1.0 && i.hi < 1.0);
        assert_true(fabs(part(root, r, 2, "low") - i.lo) < 1e-12);
        assert_true(fabs(part(root, r, 2, "high") - i.hi) < 1e-12);
        assert_string_equal(
            json_text(json_get(json_get(cell(root, r, 2), "comparison"), "interval")), "two_level");
    }
    json_free(root);
}

static void one_seed_counts_examples(void **state)
{
    static const char spec[] = ROWS "baseline = \"base\"; columns = ("
                                    "{ head = \"base\"; step = \"base\"; measure = \"layers\"; },"
                                    "{ head = \"routed\"; step = \"routed\"; measure = \"layers\"; "
                                    "show = \"difference ci\"; } );";
    struct fixture *f = *state;
    uint64_t experiment = paper_fill(f->s, (struct paper){ .seeds = 1 });
    struct json *root = make(f->s, spec);
    double a[80], b[80];
    struct stats_paired p;

    values(f->s, experiment, "routed", "layers", 0, a);
    values(f->s, experiment, "base", "layers", 0, b);
    p = stats_paired(a, b, 80);
    assert_true(fabs(part(root, 0, 2, "low") - p.interval.lo) < 1e-12);
    assert_true(fabs(part(root, 0, 2, "high") - p.interval.hi) < 1e-12);
    assert_string_equal(json_text(json_get(json_get(cell(root, 0, 2), "comparison"), "interval")),
                        "bca_examples");
    json_free(root);
}

static void two_seeds_have_none(void **state)
{
    static const char spec[] = ROWS "baseline = \"base\"; columns = (" BASE
                                    ", " ROUTED("routed", "show = \"difference [lo, hi]\"; ") ");";
    struct fixture *f = *state;
    struct buf out = { 0 };

    paper_fill(f->s, (struct paper){ .seeds = 2 });
    OK(tables_text(f->s, spec, "s.cfg", NULL, NULL, TABLE_TEXT, &out, err));
    assert_non_null(
        strstr(buf_str(&out), "Brackets behind differences: paired 95 % interval: none"));
    assert_null(strstr(buf_str(&out), "[+"));
    buf_release(&out);
}

/* Numbers of runs: the schedules' losses, paired by seed. */
static void numbers_of_runs_have_students_t(void **state)
{
    static const char spec[] =
        "rows = [\"schedule\"]; baseline_row = { schedule = \"constant\"; }; columns = ( { head = "
        "\"loss\"; step = \"train\"; measure = \"loss\"; show = \"mean, difference [lo, hi]\"; } "
        ");";
    struct fixture *f = *state;
    struct json *root;
    double d[3];
    struct stats_interval i;

    paper_fill(f->s, (struct paper){ 0 });
    root = make(f->s, spec);
    for (int k = 0; k < 3; k++) {
        char a[32], b[32];

        snprintf(a, sizeof a, "cosine/%d", k + 1);
        snprintf(b, sizeof b, "constant/%d", k + 1);
        d[k] = 0.1 * (paper_random(a, 19) - paper_random(b, 19));
    }
    i = stats_seeds(d, 3);
    assert_true(fabs(part(root, 1, 1, "low") - i.lo) < 1e-9);
    assert_true(fabs(part(root, 1, 1, "high") - i.hi) < 1e-9);
    json_free(root);
}

static void a_column_may_have_a_baseline_of_its_own(void **state)
{
    static const char spec[] = ROWS "baseline = \"base\"; columns = (" BASE ", " LABELS
                                    ", " ROUTED("over base",
                                                "show = \"difference\"; ") ", "    //
        ROUTED("over other", "baseline = \"other\"; show = \"difference\"; ") ", " //
        ROUTED("again", "show = \"mean, difference [lo, hi]\"; ") ");";
    struct fixture *f = *state;
    struct json *root;
    bool differ = false;

    paper_fill(f->s, (struct paper){ 0 });
    root = make(f->s, spec);
    for (size_t r = 0; r < 2; r++) {
        double routed = json_number(json_get(cell(root, r, 3), "value"), NAN),
               base = json_number(json_get(cell(root, r, 1), "value"), NAN),
               other = json_number(json_get(cell(root, r, 2), "value"), NAN);

        differ = differ || base != other;
        assert_true(fabs(part(root, r, 3, "difference") - (routed - base)) < 1e-12);
        assert_true(fabs(part(root, r, 4, "difference") - (routed - other)) < 1e-12);
        assert_true(part(root, r, 5, "p_adjusted") == part(root, r, 3, "p_adjusted"));
        assert_int_equal(
            json_integer(
                json_get(json_get(json_get(cell(root, r, 4), "comparison"), "baseline"), "column"),
                0),
            2);
    }
    assert_true(differ); /* else the two baselines could be mistaken for each other */
    json_free(root);
}

/* As the recipes of dr_llm have it: a row for each step, compared with the row of one of them. */
static void methods_may_be_rows(void **state)
{
    static const char spec[] =
        "rows = ( \"task\", { key = \"step\"; values = [ \"base\", \"routed\" ]; only = true; } );"
        "where = \"schedule == 'cosine'\"; baseline_row = { step = \"base\"; };"
        "columns = ( { head = \"a\"; columns = ( { head = \"mean\"; measure = \"accuracy\"; },"
        "{ head = \"over\"; measure = \"accuracy\"; show = \"difference [lo, hi]\"; } ); },"
        "{ head = \"tokens\"; measure = \"tokens\"; } );";
    struct fixture *f = *state;
    struct buf out = { 0 };

    paper_fill(f->s, (struct paper){ 0 });
    OK(tables_text(f->s, spec, "s.cfg", NULL, NULL, TABLE_MARKDOWN, &out, err));
    assert_non_null(strstr(buf_str(&out), "| math | base | 45.8 | \xe2\x80\x93 | 9.0 |"));
    assert_non_null(strstr(buf_str(&out), "| math | routed | 79.2"));
    assert_non_null(strstr(buf_str(&out), "| +33.3 [+13.4, +51.3]"));
    assert_null(strstr(buf_str(&out), "labels"));
    buf_release(&out);
}

static void comparisons_that_stand_twice_count_once(void **state)
{
    static const char spec[] =
        ROWS "baseline = \"base\"; columns = (" BASE ", " LABELS ", " ROUTED("a", "") ", " //
        ROUTED("b", "baseline = \"other\"; ") ", " ROUTED("c", "") ");";
    struct fixture *f = *state;
    struct buf out = { 0 };

    paper_fill(f->s, (struct paper){ 0 });
    OK(tables_text(f->s, spec, "s.cfg", NULL, NULL, TABLE_TEXT, &out, err));
    /* two rows: other and routed from base, routed from other */
    assert_non_null(strstr(buf_str(&out), "Holm's correction over 6 comparisons"));
    buf_release(&out);
}

static void formats_are_as_documented(void **state)
{
    static const char spec[] =
        ROWS "baseline = \"base\"; columns = (" BASE
             ", " ROUTED("routed", "show = \"mean, difference [lo, hi]\"; ") ", " ROUTED(
                 "gain", "show = \"difference [lo, hi]\"; ") ");";
    static const char golden[] =
        "| schedule | base % | routed % | gain % |\n|:---|---:|---:|---:|\n"
        "| constant | 28.3 | 53.8 (+25.4 [+18.6, +32.2])\\*\\*\\* | +25.4 [+18.6, "
        "+32.2]\\*\\*\\* |\n"
        "| cosine | 45.8 | 79.2 (+33.3 [+13.4, +51.3])\\*\\*\\* | +33.3 [+13.4, "
        "+51.3]\\*\\*\\* |\n";
    static const char csv[] = "schedule,base,routed,routed difference,routed difference low,routed "
                              "difference high,routed p,gain,gain difference,gain difference "
                              "low,gain difference high,gain p\n";
    struct fixture *f = *state;
    struct store *reader;
    struct buf out = { 0 };

    paper_fill(f->s, (struct paper){ 0 });
    OK(tables_text(f->s, spec, "s.cfg", NULL, NULL, TABLE_MARKDOWN, &out, err));
    assert_non_null(strstr(buf_str(&out), golden));
    assert_non_null(strstr(buf_str(&out), "Brackets behind differences: paired 95 % interval: "
                                          "two-level bootstrap over seeds, then examples."));
    buf_clear(&out);
    OK(tables_text(f->s, spec, "s.cfg", NULL, NULL, TABLE_CSV, &out, err));
    assert_true(strncmp(buf_str(&out), csv, strlen(csv)) == 0);
    buf_clear(&out);
    OK(store_open_read(&reader, f->path, err));
    OK(tables_cell(reader, spec, "s.cfg", NULL, 0, "1", "gain", &out, err));
    assert_non_null(strstr(buf_str(&out), "\"interval\": \"two_level\""));
    store_close(reader);
    buf_release(&out);
}

static void wrong_names_are_refused_with_the_nearest(void **state)
{
    static const struct {
        const char *spec, *says;
    } cases[] = {
        { ROWS "columns = (" BASE ", " ROUTED("routed", "baseline = \"bas\"; ") ");",
          "did you mean \"base\"" },
        { ROWS "columns = (" BASE ", " ROUTED("routed", "show = \"difference [lo, hi]\"; ") ");",
          "there is nothing to differ from" },
        { ROWS "columns = (" BASE ", { head = \"l\"; step = \"routed\"; measure = \"layers\"; "
               "baseline = \"base\"; } );",
          "no other column shows the measure" },
        { ROWS "columns = (" BASE ", " ROUTED("routed", "show = \"diffrence\"; ") ");",
          "did you mean \"difference\"" },
    };
    struct fixture *f = *state;

    paper_fill(f->s, (struct paper){ .seeds = 1 });
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err why = { 0 };
        struct buf out = { 0 };

        assert_true(tables_text(f->s, cases[i].spec, "s.cfg", NULL, NULL, TABLE_TEXT, &out, &why) <
                    0);
        assert_non_null(strstr(why.text, cases[i].says));
        assert_non_null(strstr(why.text, "s.cfg:1"));
        buf_release(&out);
    }
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(seeds_and_examples_both_count),
        T(one_seed_counts_examples),
        T(two_seeds_have_none),
        T(numbers_of_runs_have_students_t),
        T(a_column_may_have_a_baseline_of_its_own),
        T(methods_may_be_rows),
        T(comparisons_that_stand_twice_count_once),
        T(formats_are_as_documented),
        T(wrong_names_are_refused_with_the_nearest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
