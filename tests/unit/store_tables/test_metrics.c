/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: benchmarks stand in tables by the metric that the field uses, with its standard error, by
 * subset and by group; what a group lacks and what was cut is said. Method: stores filled by hand
 * with counts whose numbers are worked out on paper; every format is looked into. */
#include "tests/unit/store_tables/bench.h"

#include <math.h>

#include "common/base/json.h"
#include "common/conf/conf.h"
#include "common/metrics/metrics.h"
#include "common/tasks/task.h"
#include "store/tables/tables.h"

static const struct table_options bare = { .no_footer = true };
static struct conf *conf; /* what specifications point into */

static struct table *make(struct fixture *f, uint64_t experiment, const struct table_spec *spec)
{
    struct table *t;

    OK(table_make(f->s, &experiment, 1, spec, false, &t, err));
    return t;
}

static struct table_spec by_task(void)
{
    return (struct table_spec){
        .rows = { { .name = "task", .head = "task" } },
        .rows_len = 1,
        .total = true,
        .allow_unequal_n = true,
        .columns_len = 2,
        .column = { { .head = "n", .step = "score", .stat = TABLE_N, .digits = -1, .metric = "" },
                    { .head = "score",
                      .step = "score",
                      .stat = TABLE_METRIC_SE,
                      .digits = -1,
                      .metric = "" } }
    };
}

static const struct table_cell *cell(const struct table *t, const char *row, size_t column)
{
    for (size_t r = 0; r < t->rows; r++) {
        if (strcmp(t->cell[r * t->columns].text, row) == 0)
            return &t->cell[r * t->columns + column];
    }
    fail_msg("no row %s", row);
    return NULL;
}

static void assert_near(double is, double expected)
{
    if (!(fabs(is - expected) <= 1e-12))
        fail_msg("%.17g is not %.17g", is, expected);
}

static void assert_note(const struct table *t, const char *part)
{
    for (size_t i = 0; i < t->notes; i++) {
        if (strstr(t->note[i], part))
            return;
    }
    for (size_t i = 0; i < t->notes; i++)
        print_error("note: %s\n", t->note[i]);
    fail_msg("no note says \"%s\"", part);
}

static void main_metric_of_each_task_stands_with_its_error(void **state)
{
    struct fixture *f = *state;
    const struct bench bench[] = { { "cola", 9, 6, METRIC_MCC, NULL, 0, 0, 0 },
                                   { "gsm8k", 5, 1, 0, "exact_match", 0, 0, 0 },
                                   { "piqa", 8, 6, 0, NULL, 0, 0, 0 } };
    const struct seed_run run = { 1, bench, 3 };
    struct table_spec spec = by_task();
    uint64_t experiment = fill(f->s, &run, 1);
    struct table *t = make(f, experiment, &spec);
    /* 8 of class 1, of which 6 are called so; 1 of class 0, called 1: tp 6, fn 2, fp 1, tn 0 */
    double mcc = (6.0 * 0 - 1.0 * 2) / sqrt(7.0 * 8.0 * 1.0 * 2.0);

    assert_near(cell(t, "cola", 2)->value, mcc);
    assert_true(cell(t, "cola", 2)->has_error && cell(t, "cola", 2)->error > 0.01);
    assert_near(cell(t, "gsm8k", 2)->value, 0.5);
    assert_near(cell(t, "gsm8k", 2)->error, 0.0);
    assert_near(cell(t, "piqa", 2)->value, 0.75);
    assert_near(cell(t, "piqa", 2)->error, sqrt(0.75 * 0.25 / 7));
    assert_string_equal(cell(t, "piqa", 2)->text, "75.0 \xc2\xb1 16.4");
    assert_note(t, "standard error over the examples of one model");
    assert_note(t, "Main metrics: cola mcc, gsm8k exact_match, piqa acc.");
    table_free(t);
    /* "accuracy" stays the share of right answers, whatever the main metric */
    spec.column[1] = (struct table_column){
        .head = "acc", .step = "score", .stat = TABLE_ACCURACY, .digits = -1, .metric = ""
    };
    t = make(f, experiment, &spec);
    assert_near(cell(t, "cola", 2)->value, 6.0 / 9.0);
    table_free(t);
}

static void a_column_may_name_its_metric(void **state)
{
    struct fixture *f = *state;
    const struct bench bench[] = { { "mrpc", 5, 4, METRIC_F1, NULL, 0, 0, 0 },
                                   { "piqa", 8, 6, 0, NULL, 0, 0, 0 } };
    const struct seed_run run = { 1, bench, 2 };
    struct table_spec spec = by_task();
    uint64_t experiment = fill(f->s, &run, 1);
    struct table *t;

    snprintf(spec.column[1].metric, TABLE_WORD_MAX, "f1");
    spec.column[1].stat = TABLE_METRIC;
    t = make(f, experiment, &spec);
    /* gold 1 1 1 1 0, chosen 1 1 1 1 1: tp 4, fp 1 */
    assert_near(cell(t, "mrpc", 2)->value, 8.0 / 9.0);
    assert_false(cell(t, "mrpc", 2)->has_error);
    assert_string_equal(cell(t, "mrpc", 2)->text, "88.9");
    assert_string_equal(cell(t, "piqa", 2)->text, "\xe2\x80\x93"); /* has no F1 */
    table_free(t);
}

static void every_format_carries_the_error(void **state)
{
    struct fixture *f = *state;
    const struct bench bench[] = { { "piqa", 8, 6, 0, NULL, 2, 0, 0 } };
    const struct seed_run run = { 1, bench, 1 };
    struct table_spec spec = by_task();
    uint64_t experiment = fill(f->s, &run, 1);
    struct table *t = make(f, experiment, &spec);
    CLEANUP(buf_release) struct buf out = { 0 };
    CLEANUP(json_cleanup) struct json *root = NULL;
    const struct json *one;

    table_print(t, TABLE_CSV, &bare, &out);
    assert_string_equal(buf_str(&out), "task,n,score,score stderr\npiqa,8,0.75,0.1636634177\n");
    buf_clear(&out);
    table_print(t, TABLE_LATEX, &bare, &out);
    assert_non_null(strstr(buf_str(&out), "piqa & 8 & 75.0 $\\pm$ 16.4 \\\\\n"));
    buf_clear(&out);
    table_print(t, TABLE_MARKDOWN, &bare, &out);
    assert_non_null(strstr(buf_str(&out), "| piqa | 8 | 75.0 \xc2\xb1 16.4 |\n"));
    assert_non_null(strstr(buf_str(&out), "2 prompts were longer than the context and were cut "
                                          "on the left."));
    buf_clear(&out);
    table_print(t, TABLE_TEXT, &bare, &out);
    assert_non_null(strstr(buf_str(&out), "piqa  8  75.0 \xc2\xb1 16.4\n"));
    assert_non_null(strstr(buf_str(&out), "2 prompts were longer"));
    buf_clear(&out);
    table_print(t, TABLE_JSON, &bare, &out);
    OK(json_parse(buf_str(&out), out.len, &root, err));
    one = json_at(json_get(json_at(json_get(root, "rows"), 0), "cells"), 2);
    assert_near(json_number(json_get(one, "stderr"), 0), sqrt(0.75 * 0.25 / 7));
    assert_true(json_is_null(json_get(one, "ci")));
    assert_true(json_len(json_get(root, "notes")) >= 2);
    table_free(t);
}

static void superglue_is_the_plain_mean_of_what_is_there(void **state)
{
    struct fixture *f = *state;
    const struct bench bench[] = { { "boolq", 10, 9, 0, NULL, 1, 0, 0 },
                                   { "copa", 4, 2, 0, NULL, 0, 0, 0 },
                                   { "piqa", 8, 6, 0, NULL, 0, 0, 0 } };
    const struct seed_run run = { 1, bench, 3 };
    struct table_spec spec = by_task();
    uint64_t experiment = fill(f->s, &run, 1);
    struct table *t = make(f, experiment, &spec);
    CLEANUP(buf_release) struct buf lacks = { 0 }, note = { 0 };
    const char *const have[] = { "boolq", "copa" };
    size_t members = 0, missing = task_group_lacks("superglue", have, 2, &lacks, &members);

    assert_int_equal(t->rows, 4);
    assert_string_equal(t->cell[3 * t->columns].text, "superglue"); /* behind the tasks */
    assert_true(t->total[3] && !t->total[0]);
    assert_near(cell(t, "superglue", 1)->value, 14);
    assert_near(cell(t, "superglue", 2)->value, (0.9 + 0.5) / 2);
    assert_near(cell(t, "superglue", 2)->error, sqrt(0.9 * 0.1 / 9 + 0.5 * 0.5 / 3) / 2);
    assert_int_equal(members - missing, 2);
    assert_true(missing >= 6 && strstr(buf_str(&lacks), "wsc") && strstr(buf_str(&lacks), "rte"));
    buf_printf(&note, "superglue: 2 of %zu tasks; lacks %s. Unweighted mean", members,
               buf_str(&lacks));
    assert_note(t, buf_str(&note));
    assert_note(t, "1 prompt was longer");
    table_free(t);
    spec.total = false;
    t = make(f, experiment, &spec);
    assert_int_equal(t->rows, 3);
    table_free(t);
}

static void a_single_member_makes_no_group(void **state)
{
    struct fixture *f = *state;
    const struct bench bench[] = { { "boolq", 10, 9, 0, NULL, 0, 0, 0 },
                                   { "sst2", 4, 2, 0, NULL, 0, 0, 0 } };
    const struct seed_run run = { 1, bench, 2 };
    struct table_spec spec = by_task();
    struct table *t = make(f, fill(f->s, &run, 1), &spec);

    assert_int_equal(t->rows, 2);
    table_free(t);
}

static void agieval_is_weighted_by_size_with_the_pooled_error(void **state)
{
    struct fixture *f = *state;
    const struct bench bench[] = { { "agieval_sat_math", 10, 9, 0, NULL, 0, 0, 0 },
                                   { "agieval_lsat_ar", 4, 2, 0, NULL, 0, 0, 0 } };
    const struct seed_run run = { 1, bench, 2 };
    struct table_spec spec = by_task();
    struct table *t;
    double a = 0.9 * 0.1 / 9, b = 0.5 * 0.5 / 3;

    assert_non_null(task_find("agieval_sat_math"));
    t = make(f, fill(f->s, &run, 1), &spec);
    assert_near(cell(t, "agieval", 2)->value, 11.0 / 14.0);
    assert_near(cell(t, "agieval", 2)->error, sqrt((9 * a * 10 + 3 * b * 4) / 12 / 14));
    assert_note(t, "agieval: 2 of ");
    assert_note(t, "weighted by size");
    table_free(t);
}

static void a_benchmark_can_be_seen_by_subset(void **state)
{
    struct fixture *f = *state;
    const struct bench bench[] = { { "mmlu", 10, 7, 0, NULL, 0, 6, 0 } };
    const struct seed_run run = { 1, bench, 1 };
    struct table_spec spec = by_task();
    uint64_t experiment = fill(f->s, &run, 1);
    struct table *t;
    double a = 0.0, b = 0.25 * 0.75 / 3;

    spec.rows[1] = (struct table_key){ .name = "subset", .head = "subset" };
    spec.rows_len = 2;
    spec.allow_unequal_n = false; /* parts of one benchmark differ in size */
    t = make(f, experiment, &spec);
    assert_int_equal(t->rows, 3);
    assert_string_equal(t->cell[0 * t->columns + 1].text, "a");
    assert_near(t->cell[0 * t->columns + 3].value, 1.0); /* 6 of 6 */
    assert_string_equal(t->cell[1 * t->columns + 1].text, "b");
    assert_near(t->cell[1 * t->columns + 2].value, 4);
    assert_near(t->cell[1 * t->columns + 3].value, 0.25);
    assert_near(t->cell[1 * t->columns + 3].error, sqrt(b));
    assert_string_equal(t->cell[2 * t->columns + 1].text, "all");
    assert_near(t->cell[2 * t->columns + 3].value, 0.7);
    assert_near(t->cell[2 * t->columns + 3].error, sqrt((5 * a * 6 + 3 * b * 4) / 8 / 10));
    table_free(t);
    /* The task's own row has the same error: the harness pools MMLU's subjects. */
    spec.rows_len = 1;
    t = make(f, experiment, &spec);
    assert_near(cell(t, "mmlu", 2)->error, sqrt((5 * a * 6 + 3 * b * 4) / 8 / 10));
    table_free(t);
}

static void answers_are_right_or_not_by_subset_too(void **state)
{
    struct fixture *f = *state;
    const struct bench bench[] = { { "hendrycks_math", 5, 3, 0, "exact_match", 0, 4, 0 } };
    const struct seed_run run = { 1, bench, 1 };
    struct table_spec spec = by_task();
    struct table *t;

    spec.rows[1] = (struct table_key){ .name = "subset", .head = "subset" };
    spec.rows_len = 2;
    t = make(f, fill(f->s, &run, 1), &spec);
    assert_int_equal(t->rows, 3);
    assert_near(t->cell[0 * t->columns + 3].value, 0.75); /* 3 of the first 4 */
    assert_near(t->cell[1 * t->columns + 3].value, 0.0);
    table_free(t);
}

static void a_benchmark_without_subsets_is_one(void **state)
{
    struct fixture *f = *state;
    const struct bench bench[] = { { "gsm8k", 5, 1, 0, "exact_match", 0, 0, 0 } };
    const struct seed_run run = { 1, bench, 1 };
    struct table_spec spec = by_task();
    struct table *t;

    spec.rows[1] = (struct table_key){ .name = "subset", .head = "subset" };
    spec.rows_len = 2;
    t = make(f, fill(f->s, &run, 1), &spec);
    assert_int_equal(t->rows, 1);
    assert_near(cell(t, "gsm8k", 3)->value, 0.5);
    table_free(t);
}

static void levels_are_pooled_and_whole_set_metrics_are_not(void **state)
{
    struct fixture *f = *state;
    const struct bench bench[] = { { "cola", 10, 9, METRIC_MCC, NULL, 0, 0, 1 },
                                   { "cola", 4, 2, METRIC_MCC, NULL, 0, 0, 2 } };
    const struct seed_run run = { 1, bench, 2 };
    struct table_spec spec = by_task();
    double a = 0.9 * 0.1 / 9, b = 0.5 * 0.5 / 3;
    struct table *t;

    spec.rows[1] = (struct table_key){ .name = "level", .head = "level" };
    spec.rows_len = 2;
    spec.columns_len = 3;
    spec.column[2] = (struct table_column){
        .head = "acc", .step = "score", .stat = TABLE_METRIC_SE, .digits = -1, .metric = "acc"
    };
    t = make(f, fill(f->s, &run, 1), &spec);
    assert_int_equal(t->rows, 3);
    assert_true(t->total[2]);
    assert_near(t->cell[2 * t->columns + 4].value, 11.0 / 14.0);
    assert_near(t->cell[2 * t->columns + 4].error, sqrt((9 * a * 10 + 3 * b * 4) / 12 / 14));
    assert_true(t->cell[0 * t->columns + 3].known);
    assert_false(t->cell[2 * t->columns + 3].known);
    assert_string_equal(t->cell[2 * t->columns + 3].text, "\xe2\x80\x93");
    table_free(t);
}

static void seeds_of_a_metric_have_an_interval_from_three_on(void **state)
{
    struct fixture *f = *state;
    const struct bench a = { "piqa", 10, 5, 0, NULL, 0, 0, 0 },
                       b = { "piqa", 10, 6, 0, NULL, 0, 0, 0 },
                       c = { "piqa", 10, 7, 0, NULL, 0, 0, 0 };
    const struct seed_run runs[] = { { 1, &a, 1 }, { 2, &b, 1 }, { 3, &c, 1 } };
    struct table_spec spec = by_task();
    struct table *t = make(f, fill(f->s, runs, 3), &spec);
    const struct table_cell *one = cell(t, "piqa", 2);

    assert_near(one->value, 0.6);
    assert_false(one->has_error);
    assert_true(one->interval);
    /* t(0.975, 2) = 4.302653 times 0.1 / sqrt(3) */
    assert_true(fabs(one->hi - 0.6 - 4.302653 * 0.1 / sqrt(3)) < 1e-6);
    assert_note(t, "interval over seeds");
    table_free(t);
}

static void default_tables_show_metrics_where_accuracy_is_not_all(void **state)
{
    struct fixture *f = *state;
    const struct bench bench[] = { { "cola", 9, 6, METRIC_MCC, NULL, 0, 0, 0 } };
    const struct seed_run run = { 1, bench, 1 };
    uint64_t experiment = fill(f->s, &run, 1);
    struct table_spec *specs;
    size_t n;

    OK(table_specs_default(f->s, experiment, &specs, &n, err));
    assert_int_equal(n, 1);
    assert_int_equal(specs[0].columns_len, 3);
    assert_string_equal(specs[0].column[2].head, "score metric");
    assert_int_equal(specs[0].column[2].stat, TABLE_METRIC_SE);
    table_specs_free(specs, n);
    conf_close(conf);
    conf = NULL;
}

static int read_specs(const char *text, struct table_spec **ret, size_t *n, struct err *err)
{
    int rc;

    conf_close(conf);
    conf = NULL;
    rc = conf_open_text(&conf, "r.cfg", text, strlen(text), err);
    return rc ? rc : table_specs_read(conf_get(conf_root(conf), "tables"), ret, n, err);
}

#define TABLES(COLUMN) "tables = ( {\n columns = (\n { step = \"a\"; " COLUMN " } ); } );"

static void a_recipe_names_metrics_and_misspelt_ones_are_told(void **state)
{
    struct table_spec *specs;
    size_t n;

    (void)state;
    OK(read_specs(TABLES("stat = \"metric_se\"; metric = \"mcc\";"), &specs, &n, err));
    assert_int_equal(specs[0].column[0].stat, TABLE_METRIC_SE);
    assert_string_equal(specs[0].column[0].metric, "mcc");
    assert_string_equal(specs[0].column[0].head, "metric_se");
    table_specs_free(specs, n);
    conf_close(conf);
    conf = NULL;
    FAILS(ERR_INVALID, "did you mean \"exact_match\"",
          read_specs(TABLES("stat = \"metric\"; metric = \"exact_mach\";"), &specs, &n, err));
    FAILS(ERR_INVALID, "r.cfg:3",
          read_specs(TABLES("stat = \"metric\"; metric = \"exact_mach\";"), &specs, &n, err));
    FAILS(ERR_INVALID, "goes with stat",
          read_specs(TABLES("stat = \"accuracy\"; metric = \"f1\";"), &specs, &n, err));
}

/* The store writes names of its own for metrics of the whole set: they must be the tasks'. */
static void tasks_and_store_call_metrics_of_the_whole_set_alike(void **state)
{
    const struct task_spec *t;
    size_t seen = 0;

    (void)state;
    for (size_t i = 0; (t = task_at(i)) != NULL; i++) {
        uint32_t bits = 0;

        for (size_t k = 0; k < t->metrics_len; k++)
            bits |= (uint32_t)t->metric[k].whole_set;
        for (size_t k = 0; k < t->metrics_len; k++) {
            const char *name = t->metric[k].name;
            bool known = true;

            switch (t->metric[k].whole_set) {
            case 0:
                continue;
            case METRIC_MCC:
                known = strcmp(name, "mcc") == 0;
                break;
            case METRIC_F1:
                known = strcmp(name, "f1") == 0;
                break;
            case METRIC_MACRO_F1:
                known = strcmp(name, bits & METRIC_F1 ? "macro_f1" : "f1") == 0;
                break;
            case METRIC_SQUAD_BEST:
                known = strcmp(name, "best_exact") == 0 || strcmp(name, "best_f1") == 0;
                break;
            default:
                known = false;
            }
            if (!known)
                fail_msg("%s: metric %s", t->name, name);
            seen++;
        }
    }
    assert_true(seen >= 5);
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(main_metric_of_each_task_stands_with_its_error),
        T(a_column_may_name_its_metric),
        T(every_format_carries_the_error),
        T(superglue_is_the_plain_mean_of_what_is_there),
        T(a_single_member_makes_no_group),
        T(agieval_is_weighted_by_size_with_the_pooled_error),
        T(a_benchmark_can_be_seen_by_subset),
        T(answers_are_right_or_not_by_subset_too),
        T(a_benchmark_without_subsets_is_one),
        T(levels_are_pooled_and_whole_set_metrics_are_not),
        T(seeds_of_a_metric_have_an_interval_from_three_on),
        T(default_tables_show_metrics_where_accuracy_is_not_all),
        cmocka_unit_test(a_recipe_names_metrics_and_misspelt_ones_are_told),
        cmocka_unit_test(tasks_and_store_call_metrics_of_the_whole_set_alike),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
