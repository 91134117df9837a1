/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what a search found and cost is told of the examples to which it applies, and the SQL
 * behind says the same. Method: a store filled by hand with counts that can be worked out on paper.
 */
#include "tests/unit/store/small_plan.h"

#include <math.h>

#include "common/base/json.h"
#include "store/tables/tables.h"

/* Of N examples BASE are right by the default path, of these SHORTER by a shorter one too; RESCUED
 * of the others by some path. */
struct part {
    int level;
    uint64_t n, base, shorter, rescued;
};
static const struct part parts[] = { { 1, 20, 18, 9, 2 }, { 2, 20, 8, 2, 3 } };

static void send(struct store *s, struct try t, const struct part *p, uint64_t i)
{
    bool base = i < p->base, label = i < p->base + p->rescued;
    uint8_t routing[8] = { 1, 1, 1, 1, 1, 1, 1, i < p->shorter ? 0 : base ? 1 : 2 };
    struct store_label found = { .base_correct = base,
                                 .has_label = label,
                                 .routing = routing,
                                 .routing_len = 8,
                                 .layers = 8,
                                 .label_layers = label ? 7u + routing[7] : 8,
                                 .simulations = 50,
                                 .evaluations = 30 + (uint32_t)i,
                                 .layer_rows = 1000 * i,
                                 .base_answer = "1",
                                 .label_answer = "2" };
    struct store_example_result r = { .attempt = t.attempt,
                                      .epoch = t.epoch,
                                      .label = &found,
                                      .wall_us = 1500 * i,
                                      .example = { .id = 1000u * (uint64_t)p->level + i,
                                                   .index = i,
                                                   .task = "math",
                                                   .split = "train",
                                                   .level = p->level,
                                                   .question = "q",
                                                   .gold = "1" } };
    enum store_verdict verdict;

    OK(store_example_result(s, &r, &verdict, err));
    assert_int_equal(verdict, STORE_STORED);
}

static void fill(struct store *s)
{
    struct digest revision = key_of("rev"), point = key_of("point");
    struct store_submission sub;
    uint64_t run, job[ARRAY_LEN(parts)];

    OK(store_submit_begin(s, "exp", &revision, "", "", &sub, err));
    OK(store_submit_run(s, &sub, &point, 1, NULL, 0, &run, err));
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        struct store_job_family jf = { 0 };
        struct store_family f = { .kind = "search", .split = "train", .level = parts[i].level };
        struct store_job_spec spec = { .kind = "search",
                                       .numeric_class = "packed-1",
                                       .step = "labels",
                                       .params = "",
                                       .end = parts[i].n,
                                       .runs = &run,
                                       .runs_len = 1,
                                       .families = &jf,
                                       .families_len = 1 };
        char name[64];

        snprintf(f.task, sizeof f.task, "math");
        snprintf(name, sizeof name, "family %zu", i);
        f.key = key_of(name);
        OK(store_submit_family(s, &f, &jf.family, err));
        OK(store_submit_run_family(s, run, "labels", jf.family, parts[i].n, err));
        snprintf(name, sizeof name, "job %zu", i);
        spec.key = key_of(name);
        OK(store_submit_job(s, &sub, &spec, &job[i], err));
    }
    OK(store_submit_end(s, &sub, NULL, err));
    begin(s);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        struct try t = start(s, job[i]);

        for (uint64_t k = 0; k < parts[i].n; k++)
            send(s, t, &parts[i], k);
    }
    commit(s);
}

static void cell(struct store *reader, const char *row, const char *column, double want)
{
    static const char spec[] =
        "rows = [\"task\", \"level\"]; columns = (\n"
        "{ step = \"labels\"; stat = \"shorter\"; }, { step = \"labels\"; stat = \"rescued\"; },\n"
        "{ step = \"labels\"; stat = \"evaluations\"; }, { step = \"labels\"; stat = \"rows\"; },\n"
        "{ step = \"labels\"; stat = \"time_ms\"; } );";
    struct buf out = { 0 };
    struct json *root;
    double value, sql;

    OK(tables_cell(reader, spec, "s.cfg", "exp", 0, row, column, &out, err));
    OK(json_parse(buf_str(&out), out.len, &root, err));
    value = json_number(json_get(root, "value"), NAN);
    sql = json_number(json_get(root, "sql_value"), NAN);
    if (!(fabs(value - want) < 1e-12) || !(fabs(sql - want) < 1e-12))
        fail_msg("row %s, column %s: %.17g, SQL %.17g; wanted %.17g", row, column, value, sql,
                 want);
    json_free(root);
    buf_release(&out);
}

static void shares_of_right_and_wrong_examples_and_costs_equal_their_sql(void **state)
{
    struct fixture *f = *state;
    struct store *reader;

    fill(f->s);
    OK(store_open_read(&reader, f->path, err));
    cell(reader, "1", "1", 9.0 / 18);
    cell(reader, "2", "1", 2.0 / 8);
    cell(reader, "3", "1", 11.0 / 26); /* both levels */
    cell(reader, "1", "2", 1.0);
    cell(reader, "2", "2", 3.0 / 12);
    cell(reader, "3", "2", 5.0 / 14);
    cell(reader, "3", "3", 39.5);
    cell(reader, "3", "4", 9500.0);
    cell(reader, "2", "5", 14.25);
    store_close(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            shares_of_right_and_wrong_examples_and_costs_equal_their_sql, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
