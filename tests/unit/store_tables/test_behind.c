/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the SQL behind cells of subsets, of groups of tasks and of metrics of a whole set says what
 * the cell says. Method: a store filled by hand, every cell of two tables; (tables without these:
 * test_paper.c, by the sqlite3 program.) */
#include "tests/unit/store_tables/bench.h"

#include <math.h>

#include "common/base/json.h"
#include "store/tables/tables.h"

/* Every cell of SPEC: its value is what the SQL behind it says; returns how many have one. */
static size_t check_sql(struct store *reader, const char *spec, size_t rows, size_t columns)
{
    size_t known = 0;

    for (size_t r = 1; r <= rows; r++) {
        for (size_t c = 1; c <= columns; c++) {
            struct buf out = { 0 };
            struct json *root;
            char row[24], column[24];
            double value, sql;

            snprintf(row, sizeof row, "%zu", r);
            snprintf(column, sizeof column, "%zu", c);
            OK(tables_cell(reader, spec, "s.cfg", "exp", 0, row, column, &out, err));
            OK(json_parse(buf_str(&out), out.len, &root, err));
            value = json_number(json_get(root, "value"), NAN);
            sql = json_number(json_get(root, "sql_value"), NAN);
            if (isnan(value) != isnan(sql) || fabs(value - sql) > 1e-12)
                fail_msg("row %zu, column %zu: %.17g, SQL %.17g", r, c, value, sql);
            known += !isnan(value);
            json_free(root);
            buf_release(&out);
        }
    }
    return known;
}

static void sql_behind_subsets_groups_and_whole_sets_says_the_same(void **state)
{
    static const char columns[] =
        "columns = ( { step = \"score\"; stat = \"metric\"; }, { step = \"score\"; measure = "
        "\"accuracy\"; },\n{ step = \"score\"; stat = \"n\"; }, { step = \"score\"; measure = "
        "\"tokens\"; },\n{ step = \"score\"; measure = \"f1\"; }, { step = \"score\"; measure = "
        "\"mcc\"; } );";
    struct fixture *f = *state;
    const struct bench bench[] = {
        { "agieval_aqua_rat", 8, 3, 0, NULL, 0, 0, 0 },
        { "agieval_math", 5, 4, 0, NULL, 0, 0, 0 },
        { "cola", 9, 6, 1, NULL, 0, 0, 0 },
        { "mmlu", 10, 7, 0, NULL, 0, 6, 0 },
        { "mnli", 4, 1, 0, NULL, 0, 0, 0 },
        { "mnli_mismatch", 8, 5, 0, NULL, 0, 0, 0 },
        { "mrpc", 7, 5, 2, NULL, 0, 0, 0 },
    };
    const struct bench other[] = { { "cola", 9, 7, 1, NULL, 0, 0, 0 },
                                   { "mmlu", 10, 4, 0, NULL, 0, 3, 0 } };
    const struct seed_run runs[] = { { 1, bench, 7 }, { 2, other, 2 } };
    struct store *reader;
    char spec[600];

    fill(f->s, runs, 2);
    OK(store_open_read(&reader, f->path, err));
    snprintf(spec, sizeof spec, "allow_unequal_n = true; rows = [\"task\"]; %s", columns);
    assert_int_equal(check_sql(reader, spec, 9, 6), 38); /* 7 tasks, 2 groups */
    snprintf(spec, sizeof spec, "allow_unequal_n = true; rows = [\"task\", \"subset\"]; %s",
             columns);
    assert_true(check_sql(reader, spec, 9, 6) > 30);
    store_close(reader);
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(sql_behind_subsets_groups_and_whole_sets_says_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
