/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: tables of experiments without examples show what their training steps reported; several
 * steps make one number, for the table as for the SQL behind a cell. Method: a store of two
 * settings and three seeds whose two steps report known losses. */
#include "tests/unit/store/small_plan.h"

#include <math.h>

#include "common/base/json.h"
#include "store/tables/tables.h"

static uint64_t add_training(struct store *s, struct store_submission *sub, uint64_t run,
                             const char *step, const char *salt)
{
    struct store_job_spec spec = { .kind = "noop",
                                   .numeric_class = "packed-1",
                                   .step = step,
                                   .params = "",
                                   .runs = &run,
                                   .runs_len = 1 };
    char name[64];
    uint64_t job;

    snprintf(name, sizeof name, "%s %s", step, salt);
    spec.key = key_of(name);
    OK(store_submit_job(s, sub, &spec, &job, err));
    return job;
}

/* Two values of "windows", three seeds each: steps z, then a, report loss; JOBS of the
 * twelve are done. */
static uint64_t fill_training(struct store *s, size_t jobs)
{
    const char *const windows[] = { "1", "2" };
    struct digest revision = key_of("rev");
    struct store_submission sub;
    uint64_t job[12], run;

    OK(store_submit_begin(s, "exp", &revision, "", "", &sub, err));
    for (size_t i = 0; i < 6; i++) {
        char seed[8], salt[16];
        struct store_param params[] = { { "seed", seed }, { "windows", windows[i / 3] } };
        struct digest digest;

        snprintf(seed, sizeof seed, "%zu", i % 3);
        snprintf(salt, sizeof salt, "run %zu", i);
        digest = key_of(salt);
        OK(store_submit_run(s, &sub, &digest, i % 3, params, 2, &run, err));
        job[2 * i] = add_training(s, &sub, run, "z", salt);
        job[2 * i + 1] = add_training(s, &sub, run, "a", salt);
    }
    OK(store_submit_end(s, &sub, NULL, err));
    begin(s);
    for (size_t i = 0; i < jobs; i++) {
        struct try t = start(s, job[i]);
        struct store_metric m[] = { { "loss", 0, 9.0 },
                                    { "loss", 5, (double)(i / 2) + 1.0 + 10.0 * (double)(i % 2) } };

        struct store_result r = {
            .attempt = t.attempt, .epoch = t.epoch, .outcome = STORE_DONE, .environment = "cpu"
        };
        enum store_verdict verdict;

        OK(store_metrics(s, t.attempt, m, 2, err));
        OK(store_job_done(s, &r, &verdict, NULL, err));
    }
    commit(s);
    return sub.experiment;
}

static void default_tables_show_training_where_there_are_no_examples(void **state)
{
    struct fixture *f = *state;
    uint64_t experiment = fill_training(f->s, 12);
    struct table_spec *specs;
    struct table *t;
    size_t n;

    OK(table_specs_default(f->s, experiment, &specs, &n, err));
    assert_int_equal(n, 1);
    assert_int_equal(specs[0].columns_len, 2);
    assert_string_equal(specs[0].column[0].above[0], "z"); /* the recipe's order */
    assert_string_equal(specs[0].column[1].above[0], "a");
    OK(table_make(f->s, &experiment, 1, &specs[0], true, &t, err));
    assert_int_equal(t->rows, 2);
    assert_int_equal(t->columns, 3);
    assert_string_equal(t->cell[0].text, "1");
    assert_string_equal(t->cell[1].text, "2.000 [-0.484, 4.484]"); /* last values 1, 2, 3 */
    assert_string_equal(t->cell[5].text, "15.000 [12.516, 17.484]");
    table_free(t);
    table_specs_free(specs, n);
}

static void runs_that_have_not_reported_yet_are_missing(void **state)
{
    static const char spec[] = "rows = [\"windows\"]; columns = (\n"
                               "{ head = \"loss\"; step = \"a\"; measure = \"loss\"; },\n"
                               "{ head = \"seconds\"; step = \"a\"; stat = \"seconds\"; } );";
    struct table_options strict = { .strict = true };
    struct fixture *f = *state;
    struct buf out = { 0 };

    fill_training(f->s, 11);
    OK(tables_text(f->s, spec, "s.cfg", "exp", NULL, TABLE_TEXT, &out, err));
    assert_non_null(strstr(buf_str(&out), "fewer seeds than runs: loss (windows 2) 2 of 3; "
                                          "seconds (windows 2) 2 of 3."));
    FAILS(ERR_INVALID, "s.cfg:2: columns[0]: windows 2: column \"loss\" has 2 of 3 seeds",
          tables_text(f->s, spec, "s.cfg", "exp", &strict, TABLE_TEXT, &out, err));
    buf_release(&out);
}

static double cell_of(struct fixture *f, const char *spec, const char *column, double *ret_sql)
{
    struct store *reader;
    struct buf out = { 0 };
    struct json *cell;
    double ret;

    OK(store_open_read(&reader, f->path, err));
    OK(tables_cell(reader, spec, "s.cfg", "exp", 0, "1", column, &out, err));
    OK(json_parse(buf_str(&out), out.len, &cell, err));
    ret = json_number(json_get(cell, "value"), NAN);
    *ret_sql = json_number(json_get(cell, "sql_value"), NAN);
    json_free(cell);
    buf_release(&out);
    store_close(reader);
    return ret;
}

static void several_training_steps_are_one_number(void **state)
{
    static const char spec[] =
        "rows = [\"windows\"]; columns = (\n"
        "{ head = \"a\"; step = \"z a\"; measure = \"loss\"; },\n"
        "{ head = \"z\"; step = \"a z\"; measure = \"loss\"; },\n"
        "{ head = \"least\"; step = \"a z\"; measure = \"loss\"; take = \"min\"; },\n"
        "{ head = \"most\"; step = \"a z\"; measure = \"loss\"; take = \"max\"; },\n"
        "{ head = \"mean\"; step = \"a z\"; measure = \"loss\"; take = \"mean\"; } );";
    static const struct {
        const char *column;
        double value;
    } cases[] = {
        { "a", 12.0 }, { "z", 2.0 }, { "least", 2.0 }, { "most", 12.0 }, { "mean", 8.0 }
    };
    struct fixture *f = *state;
    double sql;

    fill_training(f->s, 12);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_true(cell_of(f, spec, cases[i].column, &sql) == cases[i].value);
        assert_true(sql == cases[i].value);
    }
}

static void default_tables_of_nothing_say_so(void **state)
{
    struct fixture *f = *state;
    struct digest revision = key_of("rev");
    struct store_submission sub;
    struct table_spec *specs;
    size_t n;

    OK(store_submit_begin(f->s, "exp", &revision, "", "", &sub, err));
    OK(store_submit_end(f->s, &sub, NULL, err));
    FAILS(ERR_NOT_FOUND, "none has reported a training metric",
          table_specs_default(f->s, sub.experiment, &specs, &n, err));
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(default_tables_show_training_where_there_are_no_examples),
        T(default_tables_of_nothing_say_so),
        T(runs_that_have_not_reported_yet_are_missing),
        T(several_training_steps_are_one_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
