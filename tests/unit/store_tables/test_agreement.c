/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what paths cost and how they agree with labels adds up over levels, the same from the rows
 * of single examples, from stored vectors and from the SQL behind; the task's accuracy stays.
 * Method: a store filled by hand; a judge that counts layers one by one. */
#include "tests/unit/store/small_plan.h"

#include <math.h>

#include "common/base/json.h"
#include "store/tables/tables.h"

enum { LAYERS = 6, LEVELS = 2, N = 15 };

static const char *const path[] = { "111111", "101111", "111211", "100112", "111101" };
static const char *const label[] = { "111111", "111111", "111211", "101112" };

static const char *path_of(uint64_t level, uint64_t i)
{
    return path[(i * level + i / 4) % ARRAY_LEN(path)];
}

/* NULL: the example has none. */
static const char *label_of(uint64_t level, uint64_t i)
{
    return i % 5 == 4 ? NULL : label[(i + level) % ARRAY_LEN(label)];
}

static uint64_t generated_of(uint64_t i)
{
    return i % 4;
}

static void compare(const char *routing, const char *should, double count[3][3], bool *ret_exact)
{
    memset(count, 0, 9 * sizeof(double));
    *ret_exact = strcmp(routing, should) == 0;
    for (size_t l = 0; l < LAYERS; l++)
        for (int c = 0; c < 3; c++) {
            bool is = routing[l] - '0' == c, want = should[l] - '0' == c;

            count[c][0] += is && want;
            count[c][1] += is && !want;
            count[c][2] += !is && want;
        }
}

static void send(struct store *s, struct try t, uint64_t level, uint64_t i)
{
    static const char *const names[3][3] = { { "skip_tp", "skip_fp", "skip_fn" },
                                             { "execute_tp", "execute_fp", "execute_fn" },
                                             { "repeat_tp", "repeat_fp", "repeat_fn" } };
    struct store_value_of values[10];
    uint8_t routing[LAYERS];
    double count[3][3], layers = 0;
    bool exact;
    struct store_score score = { .correct = i % 3 == 0,
                                 .answer = "1",
                                 .tokens = 9,
                                 .routing = routing,
                                 .routing_len = LAYERS,
                                 .pick = -1,
                                 .gold = -1,
                                 .generated = generated_of(i) };
    struct store_example_result r = { .attempt = t.attempt,
                                      .epoch = t.epoch,
                                      .score = &score,
                                      .wall_us = 10,
                                      .example = { .id = 1000u * level + i,
                                                   .index = i,
                                                   .task = "math",
                                                   .split = "test",
                                                   .level = (int)level,
                                                   .question = "q",
                                                   .gold = "1" } };
    enum store_verdict verdict;

    for (size_t l = 0; l < LAYERS; l++) {
        routing[l] = (uint8_t)(path_of(level, i)[l] - '0');
        layers += routing[l];
    }
    score.layers = layers;
    if (label_of(level, i)) {
        compare(path_of(level, i), label_of(level, i), count, &exact);
        values[0] = (struct store_value_of){ "exact_path", exact };
        for (size_t k = 0; k < 9; k++)
            values[k + 1] = (struct store_value_of){ names[k / 3][k % 3], count[k / 3][k % 3] };
        score.values = values;
        score.values_len = ARRAY_LEN(values);
    }
    OK(store_example_result(s, &r, &verdict, err));
    assert_int_equal(verdict, STORE_STORED);
}

static void submit(struct store *s, uint64_t job[LEVELS])
{
    struct digest revision = key_of("rev"), point = key_of("point");
    struct store_submission sub;
    uint64_t run;

    OK(store_submit_begin(s, "exp", &revision, "", "", &sub, err));
    OK(store_submit_run(s, &sub, &point, 1, NULL, 0, &run, err));
    for (size_t i = 0; i < LEVELS; i++) {
        struct store_job_family jf = { 0 };
        struct store_family f = { .kind = "evaluate", .split = "test", .level = (int)i + 1 };
        struct store_job_spec spec = { .kind = "evaluate",
                                       .numeric_class = "packed-1",
                                       .step = "score",
                                       .params = "",
                                       .end = N,
                                       .runs = &run,
                                       .runs_len = 1,
                                       .families = &jf,
                                       .families_len = 1 };
        char name[64];

        snprintf(f.task, sizeof f.task, "math");
        snprintf(name, sizeof name, "family %zu", i);
        f.key = key_of(name);
        OK(store_submit_family(s, &f, &jf.family, err));
        OK(store_submit_run_family(s, run, "score", jf.family, N, err));
        snprintf(name, sizeof name, "job %zu", i);
        spec.key = key_of(name);
        OK(store_submit_job(s, &sub, &spec, &job[i], err));
    }
    OK(store_submit_end(s, &sub, NULL, err));
}

static void fill(struct store *s, bool done)
{
    struct store_ids ready = { 0 };
    uint64_t job[LEVELS];

    submit(s, job);
    for (size_t i = 0; i < LEVELS; i++) {
        struct store_result r = { .outcome = STORE_DONE, .environment = "cpu" };
        enum store_verdict verdict;
        struct try t;

        begin(s);
        t = start(s, job[i]);
        for (uint64_t k = 0; k < N; k++)
            send(s, t, i + 1, k);
        r.attempt = t.attempt;
        r.epoch = t.epoch;
        if (done)
            OK(store_job_done(s, &r, &verdict, &ready, err));
        commit(s);
    }
    store_ids_release(&ready);
}

/* LEVEL 0: both. */
static void judge(uint64_t level, double ret[8])
{
    double sum[3][3] = { { 0 } }, applications = 0, changed = 0, exact = 0, known = 0, n = 0;
    double f1 = 0, present = 0;

    for (uint64_t v = 1; v <= LEVELS; v++)
        for (uint64_t i = 0; i < N && (!level || v == level); i++) {
            double count[3][3], layers = 0;
            bool same;

            for (size_t l = 0; l < LAYERS; l++) {
                layers += path_of(v, i)[l] - '0';
                changed += path_of(v, i)[l] != '1';
            }
            applications += layers * (generated_of(i) > 1 ? (double)generated_of(i) : 1.0);
            n++;
            if (!label_of(v, i))
                continue;
            compare(path_of(v, i), label_of(v, i), count, &same);
            exact += same;
            known++;
            for (size_t k = 0; k < 9; k++)
                sum[k / 3][k % 3] += count[k / 3][k % 3];
        }
    ret[0] = applications / n;
    ret[1] = changed / n / LAYERS;
    ret[2] = exact / known;
    for (size_t c = 0; c < 3; c++) {
        ret[3 + c] = 2 * sum[c][0] / (2 * sum[c][0] + sum[c][1] + sum[c][2]);
        f1 += ret[3 + c];
        present++;
    }
    ret[6] = f1 / present;
    ret[7] = 1.0 / 3;
}

static void cell(struct store *reader, const char *row, size_t column, double want)
{
    static const char spec[] =
        "rows = [\"task\", \"level\"]; columns = (\n"
        "{ step = \"score\"; stat = \"applications\"; },\n"
        "{ step = \"score\"; stat = \"non_execute\"; },\n"
        "{ step = \"score\"; stat = \"exact_path\"; }, { step = \"score\"; stat = \"f1_skip\"; },\n"
        "{ step = \"score\"; stat = \"f1_execute\"; },\n"
        "{ step = \"score\"; stat = \"f1_repeat\"; }, { step = \"score\"; stat = \"macro_f1\"; },\n"
        "{ step = \"score\"; stat = \"metric\"; metric = \"acc\"; } );";
    struct buf out = { 0 };
    struct json *root;
    double value, sql;
    char number_of[8];

    snprintf(number_of, sizeof(number_of), "%zu", column + 1);
    OK(tables_cell(reader, spec, "s.cfg", "exp", 0, row, number_of, &out, err));
    OK(json_parse(buf_str(&out), out.len, &root, err));
    value = json_number(json_get(root, "value"), NAN);
    sql = json_number(json_get(root, "sql_value"), NAN);
    if (!(fabs(value - want) < 1e-12) || !(fabs(sql - want) < 1e-12))
        fail_msg("row %s, column %zu: %.17g, SQL %.17g; wanted %.17g", row, column, value, sql,
                 want);
    json_free(root);
    buf_release(&out);
}

static void assert_cells(const struct fixture *f)
{
    static const char *const rows[] = { "3", "1", "2" };
    struct store *reader;

    OK(store_open_read(&reader, f->path, err));
    for (size_t level = 0; level <= LEVELS; level++) {
        double want[8];

        judge(level, want);
        for (size_t c = 0; c < 8; c++)
            cell(reader, rows[level], c, want[c]);
    }
    store_close(reader);
}

static void cells_are_the_judges_while_results_come(void **state)
{
    struct fixture *f = *state;

    fill(f->s, false);
    assert_int_equal(number(f->path, "SELECT count(*) FROM vector"), 0);
    assert_cells(f);
}

static void cells_are_the_judges_when_all_is_there(void **state)
{
    struct fixture *f = *state;

    fill(f->s, true);
    assert_true(number(f->path, "SELECT count(*) FROM vector WHERE metric = 'skip_tp'") == LEVELS);
    assert_true(number(f->path, "SELECT count(*) FROM vector WHERE metric = 'non_execute'") ==
                LEVELS);
    /* Agreement is no metric of the task, which has its accuracy as ever. */
    assert_true(number(f->path, "SELECT count(*) FROM metric_summary WHERE metric = 'acc'") ==
                LEVELS);
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
