/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: tables, SQL and reports come as JSON documents whose numbers are those of the command line;
 * a table that cannot be made hides no other; endless SQL ends and says so; nonsense is refused
 * with a remedy. Method: handlers called as the server calls them, on small stores. */
#include "tests/unit/dashboards/asking.h"

#include "common/base/clock.h"
#include "store/reports/reports.h"
#include "store/sqlite.h"
#include "store/store_private.h"
#include "store/tables/tables.h"

/* ---- tables ---- */

static struct store *reader(struct fixture *f)
{
    struct store *r;

    OK(store_open_read(&r, f->path, err));
    return r;
}

static void submit_tables(struct store *s, const char *recipe)
{
    struct store_submission sub;
    struct digest revision = key_of(recipe);

    OK(store_submit_begin(s, "exp", &revision, recipe, "exp.cfg", &sub, err));
    OK(store_submit_end(s, &sub, NULL, err));
}

static int keep_text(const struct tables_one *t, void *arg)
{
    assert_int_equal(t->rc, 0);
    buf_adds(arg, t->text);
    return 0;
}

#define TABLE(TITLE, STEP)                                                                         \
    "{ title = \"" TITLE "\"; rows = [\"task\"]; columns = ({ head = \"n\"; step = \"" STEP        \
    "\"; stat = \"n\"; }, { head = \"right\"; step = \"" STEP "\"; stat = \"accuracy\"; }); }"

static void table_that_cannot_be_made_does_not_hide_the_others(void **state)
{
    struct fixture *f = *state;
    struct plan plan;

    submit_plan(f->s, (struct plan_options){ 0 }, &plan);
    finish(f->s, plan.base, "weights", NULL);
    run_shard(f->s, plan.shard[0], 0, 2, NULL);
    run_shard(f->s, plan.shard[1], 2, 4, NULL);
    submit_tables(f->s, "tables = (" TABLE("first <b>", "labels") ", " TABLE(
                            "bad", "nosuchstep") ", " TABLE("third", "labels") ");");
    /* The new revision has no runs: the old ones count. */
    OK(sqlite_run(f->s->db, "UPDATE run SET superseded = 0", err));
    struct store *r CLEANUP(store_cleanup) = reader(f);
    struct asked a CLEANUP(asked_release) = ask(r, "/experiments/1/tables", NULL);
    if (a.rc)
        fail_msg("%s", a.err.text);
    assert_int_equal(integer(a.root, "of"), 3);
    assert_int_equal(json_len(json_get(a.root, "tables")), 2);
    assert_int_equal(json_len(json_get(a.root, "errors")), 1);
    const struct json *bad = json_at(json_get(a.root, "errors"), 0),
                      *third = json_at(json_get(a.root, "tables"), 1);
    assert_int_equal(integer(bad, "number"), 2);
    assert_non_null(strstr(json_text(json_get(bad, "text")), "nosuchstep"));
    assert_int_equal(integer(third, "number"), 3);
    assert_string_equal(json_text(json_get(third, "title")), "third");

    struct asked titles CLEANUP(asked_release) = ask(r, "/experiments/1/tables?titles=1", NULL);
    assert_int_equal(json_len(json_get(titles.root, "tables")), 3);

    struct asked latex CLEANUP(asked_release) =
        ask(r, "/experiments/1/tables?format=latex&only=1", NULL);
    struct buf text CLEANUP(buf_release) = { 0 };
    OK(tables_each(f->s, NULL, NULL, "exp", &(struct table_options){ .only = 1 }, TABLE_LATEX,
                   keep_text, &text, err));
    assert_string_equal(json_text(json_get(latex.root, "text")), buf_str(&text));
    assert_true(text.len > 100);

    struct asked cell CLEANUP(asked_release) =
        ask(r, "/experiments/1/tables/cell?table=1&row=1&column=1", NULL);
    assert_int_equal(cell.rc, 0);
    assert_true(json_number(json_get(cell.root, "value"), 0) == 4.0);
    assert_true(json_len(json_get(cell.root, "runs")) == 1);
}

static void expect_same_cells(const struct json *a, const struct json *b)
{
    static const char *const names[] = { "text", "value", "n", "seeds", "stderr" };

    for (size_t r = 0; r < json_len(json_get(a, "rows")); r++) {
        const struct json *x = json_get(json_at(json_get(a, "rows"), r), "cells"),
                          *y = json_get(json_at(json_get(b, "rows"), r), "cells");

        for (size_t c = 0; c < json_len(x); c++)
            for (size_t i = 0; i < ARRAY_LEN(names); i++) {
                const struct json *v = json_get(json_at(x, c), names[i]),
                                  *w = json_get(json_at(y, c), names[i]);
                char *one = v ? json_dump(v, 0) : strdup("none"),
                     *other = w ? json_dump(w, 0) : strdup("none");

                assert_string_equal(one, other);
                free(one);
                free(other);
            }
    }
}

static void brief_tables_have_the_numbers_of_the_command(void **state)
{
    struct fixture *f = *state;
    struct buf text CLEANUP(buf_release) = { 0 };
    struct json *long_one CLEANUP(json_cleanup) = NULL;
    struct plan plan;

    submit_plan(f->s, (struct plan_options){ 0 }, &plan);
    finish(f->s, plan.base, "weights", NULL);
    run_shard(f->s, plan.shard[0], 0, 2, NULL);
    run_shard(f->s, plan.shard[1], 2, 4, NULL);
    struct store *r CLEANUP(store_cleanup) = reader(f);
    struct asked a CLEANUP(asked_release) = ask(r, "/experiments/1/tables", NULL);
    struct asked all CLEANUP(asked_release) = ask(r, "/experiments/1/tables?families=1", NULL);
    OK(tables_text(r, NULL, NULL, "exp", NULL, TABLE_JSON, &text, err));
    OK(json_parse(buf_str(&text), text.len, &long_one, err));
    assert_true(json_len(json_get(a.root, "tables")) > 0);
    for (size_t i = 0; i < json_len(json_get(a.root, "tables")); i++) {
        const struct json *brief = json_at(json_get(a.root, "tables"), i),
                          *full = json_at(json_get(all.root, "tables"), i),
                          *command = json_at(json_get(long_one, "tables"), i);
        const struct json *cells = json_get(json_at(json_get(full, "rows"), 0), "cells");
        const struct json *last = json_at(cells, json_len(cells) - 1);

        expect_same_cells(brief, command);
        expect_same_cells(full, command);
        assert_int_equal(json_len(json_get(last, "families")), 1);
        cells = json_get(json_at(json_get(brief, "rows"), 0), "cells");
        assert_null(json_get(json_at(cells, json_len(cells) - 1), "families"));
    }
}

static void work_between_statements_stops_when_time_is_up(void **state)
{
    struct fixture *f = *state;
    struct table_options all = { .only = 0 };
    struct buf text CLEANUP(buf_release) = { 0 };
    struct plan plan;

    OK(store_check_time(f->s, err));
    store_time_limit(f->s, 1);
    clock_sleep_ms(5);
    FAILS(ERR_TIMEOUT, "longer than it may", store_check_time(f->s, err));
    store_time_limit(f->s, 0);
    OK(store_check_time(f->s, err));
    submit_plan(f->s, (struct plan_options){ 0 }, &plan);
    finish(f->s, plan.base, "weights", NULL);
    run_shard(f->s, plan.shard[0], 0, 2, NULL);
    run_shard(f->s, plan.shard[1], 2, 4, NULL);
    OK(tables_text(f->s, NULL, NULL, "exp", &all, TABLE_TEXT, &text, err));
    store_time_limit(f->s, 1); /* too few steps of SQLite for it to notice, but the cells do */
    clock_sleep_ms(5);
    FAILS(ERR_TIMEOUT, "", tables_text(f->s, NULL, NULL, "exp", &all, TABLE_TEXT, &text, err));
    store_time_limit(f->s, 0);
}

static void tables_are_refused_with_a_remedy(void **state)
{
    struct fixture *f = *state;

    submit_tables(f->s, "tables = (" TABLE("one", "labels") ");");
    refused(f->s, "/experiments/1/tables?only=2", NULL, ERR_INVALID, "there is no table 2");
    refused(f->s, "/experiments/1/tables?format=xml", NULL, ERR_INVALID, "none of text, markdown");
    refused(f->s, "/experiments/1/tables?format=markdwn", NULL, ERR_INVALID,
            "did you mean \"markdown\"");
    refused(f->s, "/experiments/1/tables?only=-1", NULL, ERR_INVALID, "only");
    refused(f->s, "/experiments/2/tables", NULL, ERR_NOT_FOUND, "no experiment 2");
    refused(f->s, "/experiments/0/tables", NULL, ERR_INVALID, "");
    refused(f->s, "/experiments/1/tables/cell?row=1", NULL, ERR_INVALID, "which cell?");
    struct asked a CLEANUP(asked_release) = ask(f->s, "/experiments/1/tables", NULL);
    assert_int_equal(a.rc, 0); /* nothing there yet: said of the table */
    assert_int_equal(json_len(json_get(a.root, "tables")), 0);
    assert_int_equal(json_len(json_get(a.root, "errors")), 1);
}

/* ---- SQL ---- */

#define ENDLESS "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT "

static void query_gives_columns_kinds_and_rows(void **state)
{
    struct store *r CLEANUP(store_cleanup) = reader(*state);
    struct asked a CLEANUP(asked_release) = ask(
        r, "/query",
        "{\"sql\": \"SELECT 1 AS n, '2026-11-22T16:49:03.123Z' AS t, '<b>' AS s, 9007199254740993 "
        "AS big, 0.5 AS x, NULL AS empty, 1795324067456 AS ended_ms, x'00ff' AS bytes\"}");

    if (a.rc)
        fail_msg("%s", a.err.text);
    static const char *const kinds[] = { "number", "time", "text", "number",
                                         "number", "text", "time", "text" };
    const struct json *row = json_at(json_get(a.root, "rows"), 0);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        assert_string_equal(json_text(json_at(json_get(a.root, "kinds"), i)), kinds[i]);
    assert_string_equal(json_text(json_at(row, 2)), "<b>");
    assert_string_equal(json_text(json_at(row, 3)), "9007199254740993");
    assert_string_equal(json_text(json_at(row, 7)), "00ff");
    assert_true(json_is_null(json_at(row, 5)));
    assert_false(json_bool(json_get(a.root, "truncated"), true));
    assert_int_equal(integer(a.root, "n"), 1);
}

static void query_ends_at_its_limits_and_says_so(void **state)
{
    struct store *r CLEANUP(store_cleanup) = reader(*state);
    struct asked rows CLEANUP(asked_release) =
        ask(r, "/query", "{\"sql\": \"" ENDLESS "i FROM n\", \"rows\": 10}");
    assert_int_equal(json_len(json_get(rows.root, "rows")), 10);
    assert_true(json_bool(json_get(rows.root, "truncated"), false));
    assert_non_null(strstr(json_text(json_get(rows.root, "why")), "more than 10 rows"));

    struct asked many CLEANUP(asked_release) =
        ask(r, "/query", "{\"sql\": \"" ENDLESS "i FROM n\"}");
    assert_int_equal(integer(many.root, "n"), 10000);

    struct asked bytes CLEANUP(asked_release) =
        ask(r, "/query", "{\"sql\": \"" ENDLESS "hex(zeroblob(30000)) FROM n\", \"rows\": 100000}");
    assert_true(bytes.out.len < API_BYTES_MAX);
    assert_true(integer(bytes.root, "n") > 50);
    assert_non_null(strstr(json_text(json_get(bytes.root, "why")), "longer than 8 MiB"));

    const uint64_t start_ms = clock_ms();
    refused(r, "/query", "{\"sql\": \"" ENDLESS "count(*) FROM n\", \"time_ms\": 60}", ERR_TIMEOUT,
            "longer than 60 ms and was stopped; narrow it");
    assert_true(clock_ms() - start_ms < 30000);
    struct asked after CLEANUP(asked_release) = ask(r, "/query", "{\"sql\": \"SELECT 1\"}");
    assert_int_equal(after.rc, 0);
}

static void query_is_refused_with_a_remedy(void **state)
{
    static const struct {
        const char *body, *part;
    } bad[] = {
        { "", "the body is no JSON object" },
        { "{", "the body is no JSON object" },
        { "[]", "the body is no JSON object" },
        { "{}", "sql is missing" },
        { "{\"sql\": 7}", "sql is a text" },
        { "{\"sql\": \"SELECT 1\\u0000DELETE\"}", "" },
        { "{\"sql\": \"SELECT 1\", \"row\": 5}", "no \"row\"; did you mean \"rows\"" },
        { "{\"sql\": \"SELECT 1\", \"rows\": 0}", "rows is a whole number from 1 to 100000" },
        { "{\"sql\": \"SELECT 1\", \"rows\": 1e300}", "rows is a whole number" },
        { "{\"sql\": \"SELECT 1\", \"rows\": 99999999999999999999}", "" },
        { "{\"sql\": \"SELECT 1\", \"time_ms\": 30001}", "from 1 to 30000" },
        { "{\"sql\": \"SELECT 1\", \"sql\": \"SELECT 2\"}", "" },
        { "{\"sql\": \"SELECT * FROM routng\"}", "did you mean routing" },
        { "{\"sql\": \"SELECT nosuch FROM run\"}", "no such column: nosuch" },
        { "{\"sql\": \"DELETE FROM label\"}", "only reading is allowed" },
        { "{\"sql\": \"SELECT 1; SELECT 2\"}", "one statement only" },
        { "{\"sql\": \"ATTACH 'x' AS y\"}", "only reading is allowed" },
        { "{\"sql\": \"\"}", "no SQL" },
    };
    struct store *r CLEANUP(store_cleanup) = reader(*state);

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        refused(r, "/query", bad[i].body, ERR_INVALID, bad[i].part);
}

/* ---- reports ---- */

static void reports_are_what_the_command_gives(void **state)
{
    struct fixture *f = *state;
    struct buf text CLEANUP(buf_release) = { 0 };
    struct plan plan;

    submit_plan(f->s, (struct plan_options){ 0 }, &plan);
    struct store *r CLEANUP(store_cleanup) = reader(f);
    struct asked a CLEANUP(asked_release) =
        ask(r, "/reports/status?args=%7B%22experiment%22%3A%22exp%22%7D", NULL);
    OK(report_make(r, "status", "{\"experiment\":\"exp\"}", NULL, &text, err));
    assert_string_equal(buf_str(&a.out), buf_str(&text));
    struct asked schema CLEANUP(asked_release) = ask(r, "/schema?name=routing", NULL);
    assert_int_equal(json_len(json_get(schema.root, "views")), 1);
    refused(r, "/reports/statos", NULL, ERR_INVALID, "did you mean \"status\"");
    refused(r, "/reports/query?args=%7B%22sql%22%3A%22SELECT%201%22%7D", NULL, ERR_INVALID, "POST");
    refused(r, "/reports/status?args=%7B%22experiment%22%3A7%7D", NULL, ERR_INVALID, "a text");
    refused(r, "/reports/status?args=%5B", NULL, ERR_INVALID, "no JSON");
    refused(r, "/schema?name=%27%3B--", NULL, ERR_NOT_FOUND, "no table or view");
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(table_that_cannot_be_made_does_not_hide_the_others),
        T(brief_tables_have_the_numbers_of_the_command),
        T(work_between_statements_stops_when_time_is_up),
        T(tables_are_refused_with_a_remedy),
        T(query_gives_columns_kinds_and_rows),
        T(query_ends_at_its_limits_and_says_so),
        T(query_is_refused_with_a_remedy),
        T(reports_are_what_the_command_gives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
