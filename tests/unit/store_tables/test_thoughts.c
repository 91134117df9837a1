/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: lengths and forms of responses with visible reasoning are columns of tables, the mean over
 * answers that were not cut among them, the same from rows, from stored vectors and from the SQL
 * behind; the task's accuracy stays. Method: a store filled by hand; means worked out here. */
#include "tests/unit/store/small_plan.h"

#include <math.h>

#include "common/base/json.h"
#include "store/tables/tables.h"

enum { N = 12 };

/* Of response I: tokens, thinking, cut, well-formed. */
static void response(uint64_t i, double ret[4])
{
    ret[2] = i % 4 == 3;
    ret[0] = ret[2] > 0 ? 128 : 5 + (double)(i * i % 41);
    ret[1] = ret[0] - 5;
    ret[3] = i % 3 != 0;
}

static void send(struct store *s, struct try t, uint64_t i)
{
    struct store_value_of values[5];
    double v[4];
    struct store_score score = { .correct = i % 3 == 0,
                                 .answer = "1",
                                 .tokens = 9,
                                 .layers = 2,
                                 .pick = -1,
                                 .gold = -1,
                                 .values = values };
    struct store_example_result r = { .attempt = t.attempt,
                                      .epoch = t.epoch,
                                      .score = &score,
                                      .wall_us = 10,
                                      .example = { .id = 1000u + i,
                                                   .index = i,
                                                   .task = "math",
                                                   .split = "test",
                                                   .level = 1,
                                                   .question = "q",
                                                   .gold = "1" } };
    enum store_verdict verdict;

    response(i, v);
    values[0] = (struct store_value_of){ "response_tokens", v[0] };
    values[1] = (struct store_value_of){ "think_tokens", v[1] };
    values[2] = (struct store_value_of){ "truncated", v[2] };
    values[3] = (struct store_value_of){ "well_formed", v[3] };
    values[4] = (struct store_value_of){ "untruncated_tokens", v[0] };
    score.values_len = v[2] > 0 ? 4 : 5;
    OK(store_example_result(s, &r, &verdict, err));
    assert_int_equal(verdict, STORE_STORED);
}

static uint64_t submit(struct store *s)
{
    struct digest revision = key_of("rev"), point = key_of("point");
    struct store_submission sub;
    struct store_job_family jf = { 0 };
    struct store_family f = {
        .kind = "evaluate", .split = "test", .level = 1, .key = key_of("family")
    };
    struct store_job_spec spec = { .kind = "evaluate",
                                   .numeric_class = "packed-1",
                                   .step = "score",
                                   .params = "",
                                   .end = N,
                                   .runs_len = 1,
                                   .families = &jf,
                                   .families_len = 1,
                                   .key = key_of("job") };
    uint64_t run, job;

    snprintf(f.task, sizeof f.task, "math");
    OK(store_submit_begin(s, "exp", &revision, "", "", &sub, err));
    OK(store_submit_run(s, &sub, &point, 1, NULL, 0, &run, err));
    OK(store_submit_family(s, &f, &jf.family, err));
    OK(store_submit_run_family(s, run, "score", jf.family, N, err));
    spec.runs = &run;
    OK(store_submit_job(s, &sub, &spec, &job, err));
    OK(store_submit_end(s, &sub, NULL, err));
    return job;
}

static void fill(struct store *s, bool done)
{
    struct store_result r = { .outcome = STORE_DONE, .environment = "cpu" };
    struct store_ids ready = { 0 };
    uint64_t job = submit(s);
    enum store_verdict verdict;
    struct try t;

    begin(s);
    t = start(s, job);
    for (uint64_t k = 0; k < N; k++)
        send(s, t, k);
    r.attempt = t.attempt;
    r.epoch = t.epoch;
    if (done)
        OK(store_job_done(s, &r, &verdict, &ready, err));
    commit(s);
    store_ids_release(&ready);
}

static void judge(double ret[6])
{
    double sum[4] = { 0 }, whole = 0, n = 0;

    for (uint64_t i = 0; i < N; i++) {
        double v[4];

        response(i, v);
        for (size_t k = 0; k < 4; k++)
            sum[k] += v[k];
        whole += v[2] > 0 ? 0 : v[0];
        n += v[2] > 0 ? 0 : 1;
    }
    for (size_t k = 0; k < 4; k++)
        ret[k] = sum[k] / N;
    ret[4] = whole / n;
    ret[5] = 1.0 / 3;
}

static void assert_cells(const struct fixture *f)
{
    static const char spec[] = "rows = [\"level\"]; columns = (\n"
                               "{ step = \"score\"; stat = \"response_tokens\"; },\n"
                               "{ step = \"score\"; stat = \"think_tokens\"; },\n"
                               "{ step = \"score\"; stat = \"truncated\"; },\n"
                               "{ step = \"score\"; measure = \"well_formed\"; },\n"
                               "{ step = \"score\"; stat = \"untruncated_tokens\"; },\n"
                               "{ step = \"score\"; stat = \"metric\"; metric = \"acc\"; } );";
    struct store *reader;
    double want[6];

    judge(want);
    OK(store_open_read(&reader, f->path, err));
    for (size_t c = 0; c < 6; c++) {
        struct buf out = { 0 };
        struct json *root;
        char number_of[8];

        snprintf(number_of, sizeof(number_of), "%zu", c + 1);
        OK(tables_cell(reader, spec, "s.cfg", "exp", 0, "1", number_of, &out, err));
        OK(json_parse(buf_str(&out), out.len, &root, err));
        assert_true(fabs(json_number(json_get(root, "value"), NAN) - want[c]) < 1e-12);
        assert_true(fabs(json_number(json_get(root, "sql_value"), NAN) - want[c]) < 1e-12);
        json_free(root);
        buf_release(&out);
    }
    store_close(reader);
}

static void cells_are_the_judges_while_results_come(void **state)
{
    struct fixture *f = *state;

    fill(f->s, false);
    assert_cells(f);
}

static void cells_are_the_judges_when_all_is_there(void **state)
{
    struct fixture *f = *state;

    fill(f->s, true);
    assert_true(number(f->path, "SELECT count(*) FROM vector WHERE metric = 'think_tokens'") == 1);
    assert_true(number(f->path, "SELECT count(*) FROM metric_summary WHERE metric = 'acc'") == 1);
    assert_cells(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(cells_are_the_judges_while_results_come, setup, teardown),
        cmocka_unit_test_setup_teardown(cells_are_the_judges_when_all_is_there, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
