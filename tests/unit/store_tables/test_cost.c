/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what training had cost when it met a target: the first check that meets it, stages summed
 * or not, runs that never got there, comparisons, every format, errors, and the SQL behind a cell.
 * Method: a store of two schedules and three seeds, two stages each, whose numbers are known. */
#include "tests/unit/store/small_plan.h"

#include <math.h>

#include "common/base/json.h"
#include "store/sqlite.h"
#include "store/stmt.h"
#include "store/tables/tables.h"

static uint64_t add_stage(struct store *s, struct store_submission *sub, uint64_t run,
                          const char *salt, int stage)
{
    struct store_job_spec spec = { .kind = "noop",
                                   .numeric_class = "packed-1",
                                   .step = "train",
                                   .params = "",
                                   .runs = &run,
                                   .runs_len = 1 };
    char name[64];
    uint64_t job;

    snprintf(name, sizeof name, "train %s %d", salt, stage);
    spec.key = key_of(name);
    OK(store_submit_job(s, sub, &spec, &job, err));
    return job;
}

/* Ten updates a stage. flops: 100 an update, over the chain. core_seconds: PACE an update, anew in
 * every stage. Checks every five; MET: the update whose check is the first good one (0: none). */
static void report(struct store *s, uint64_t job, int stage, double pace, uint64_t met)
{
    struct try t = start(s, job);
    struct store_result r = {
        .attempt = t.attempt, .epoch = t.epoch, .outcome = STORE_DONE, .environment = "cpu"
    };
    enum store_verdict verdict;
    uint64_t from = 10 * (uint64_t)stage;

    for (uint64_t at = from + 1; at <= from + 10; at++) {
        struct store_metric m[] = { { "flops", at, 100.0 * (double)at },
                                    { "core_seconds", at, pace * (double)(at - from) } };

        OK(store_metrics(s, t.attempt, m, 2, err));
    }
    for (uint64_t at = stage ? from + 5 : 0; at <= from + 10; at += 5) {
        bool good = met > 0 && at >= met;
        /* 0.955 - 0.01 is a little more than 0.945 as doubles go. Good accuracy alone comes first.
         */
        struct store_metric m[] = { { "validation_accuracy", at,
                                      at == 0  ? 0.955
                                      : good   ? 0.945
                                      : at > 5 ? 0.96
                                               : 0.2 },
                                    { "validation_tokens", at,
                                      good      ? 17.6
                                      : at == 0 ? 45.0
                                                : 20.0 } };

        OK(store_metrics(s, t.attempt, m, 2, err));
    }
    OK(store_job_done(s, &r, &verdict, NULL, err));
}

/* When each seed of both schedules gets there, and its core-seconds an update. */
static const uint64_t met_all[2][3] = { { 20, 20, 15 }, { 10, 5, 15 } };
static const uint64_t met_some[2][3] = { { 20, 0, 0 }, { 10, 5, 0 } };
static const double pace[2][3] = { { 2.0, 3.0, 4.0 }, { 2.0, 3.0, 4.0 } };

/* JOBS of the twelve are done. */
static uint64_t fill(struct store *s, const uint64_t met[2][3], size_t jobs, const char *recipe)
{
    static const char *const schedule[] = { "\"constant\"", "\"linear\"" };
    struct digest revision = key_of("rev");
    struct store_submission sub;
    uint64_t job[12], run;

    OK(store_submit_begin(s, "exp", &revision, recipe, "", &sub, err));
    for (size_t i = 0; i < 6; i++) {
        char seed[8], salt[16];
        struct store_param params[] = { { "schedule", schedule[i / 3] }, { "seed", seed } };
        struct digest digest;

        snprintf(seed, sizeof seed, "%zu", i % 3);
        snprintf(salt, sizeof salt, "run %zu", i);
        digest = key_of(salt);
        OK(store_submit_run(s, &sub, &digest, i % 3, params, 2, &run, err));
        for (int stage = 0; stage < 2; stage++)
            job[2 * i + (size_t)stage] = add_stage(s, &sub, run, salt, stage);
    }
    OK(store_submit_end(s, &sub, NULL, err));
    begin(s);
    for (size_t i = 0; i < jobs; i++)
        report(s, job[i], i % 2, pace[i / 6][i / 2 % 3], met[i / 6][i / 2 % 3]);
    commit(s);
    return sub.experiment;
}

#define TARGET                                                                                     \
    "target = ( { metric = \"validation_accuracy\"; at_least = \"first - 0.01\"; }, "              \
    "{ metric = \"validation_tokens\"; at_most = \"1.1 * ${vars.last}\"; } ); "
#define COLUMNS                                                                                    \
    "vars = { last = 16; }; rows = [\"schedule\"]; baseline_row = { schedule = \"constant\"; };\n" \
    "columns = ( { head = \"to target\"; step = \"train\"; " TARGET "columns = (\n"                \
    "{ head = \"core-s\"; stat = \"cost\"; metric = \"core_seconds\"; "                            \
    "show = \"mean, ratio [lo, hi]\"; },\n"                                                        \
    "{ head = \"flops\"; stat = \"cost\"; metric = \"flops\"; "                                    \
    "show = \"mean ± sd [lo, hi], reached, difference [lo, hi]\"; },\n"                           \
    "{ head = \"updates\"; stat = \"cost\"; metric = \"at_step\"; show = \"ratio\"; } ); } );"

static void text_of_table(struct fixture *f, const char *spec, enum table_format format,
                          struct buf *out)
{
    buf_clear(out);
    OK(tables_text(f->s, spec, "s.cfg", "exp", NULL, format, out, err));
}

static void has(const struct buf *out, const char *text)
{
    if (!strstr(buf_str(out), text))
        fail_msg("no \"%s\" in\n%s", text, buf_str(out));
}

static double number_at(const struct json *root, size_t row, size_t column, const char *name)
{
    const struct json *table = json_at(json_get(root, "tables"), 0);
    const struct json *cells = json_get(json_at(json_get(table, "rows"), row), "cells");
    const struct json *cell = json_at(cells, column);

    return json_number(json_get(json_get(cell, name) ? cell : json_get(cell, "comparison"), name),
                       NAN);
}

static void near(double x, double expected)
{
    if (!(fabs(x - expected) < 1e-6))
        fail_msg("%.9g is not %.9g", x, expected);
}

/* core-s: constant (2, 3, 4) x (20, 20, 15) updates = 40, 60, 60; linear 20, 15, 60: of two stages
 * the sum. flops: 2000, 2000, 1500; 1000, 500, 1500. By hand: -40.6 % = (95 / 3) / (160 / 3) - 1,
 * its interval by Fieller's formula with t(0.975, 2) = 4.3027. */
static void cost_is_that_of_the_first_check_that_meets_the_target(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_release) struct buf out = { 0 };

    fill(f->s, met_all, 12, "");
    text_of_table(f, COLUMNS, TABLE_TEXT, &out);
    has(&out, "  53.3 ");
    has(&out, "31.7 (-40.6 % [-100.0, +74.0])");
    has(&out, "1833.3 ± 288.7 [1116.2, 2550.4] (3 of 3)");
    has(&out, "1000.0 ± 500.0 [-242.1, 2242.1] (-833.3 [-2730.6, +1064.0]) (3 of 3)");
    has(&out, "-45.5 %\n"); /* of 55 / 3 updates 30 / 3 */
    has(&out, "Cost: up to the first check with validation_accuracy >= first - 0.01 and "
              "validation_tokens <= 1.1 * 16; first: at the run's first check.");
    has(&out, "Fieller");
    assert_null(strstr(buf_str(&out), "> x"));
}

/* Costs cut at 40, 60, 80 and 20, 15, 80. */
static void runs_that_never_get_there_are_a_bound(void **state)
{
    static const char *const marked = "marks = [\"best\"]; " COLUMNS;
    struct fixture *f = *state;
    CLEANUP(buf_release) struct buf out = { 0 };

    fill(f->s, met_some, 12, "");
    text_of_table(f, marked, TABLE_TEXT, &out);
    has(&out, "> 60.0 (1 of 3)");
    has(&out, "> 38.3 (~ -36.1 % [");
    has(&out, "]) (2 of 3)");
    has(&out, "> 2000.0 (1 of 3)");
    has(&out, "> 1166.7 (~ -833.3 [");
    has(&out, "> x (k of n): k of n runs met the target");
    has(&out, "~ in front of a comparison");
    assert_null(strstr(buf_str(&out), "\xc2\xb9")); /* no bound is the best */
}

static void a_baseline_that_never_gets_there_bounds_the_saving(void **state)
{
    static const uint64_t met[2][3] = { { 20, 0, 15 }, { 10, 5, 15 } };
    struct fixture *f = *state;
    CLEANUP(buf_release) struct buf out = { 0 };
    CLEANUP(json_cleanup) struct json *root = NULL;

    fill(f->s, met, 12, "");
    text_of_table(f, COLUMNS, TABLE_TEXT, &out);
    has(&out, "> 53.3 (2 of 3)");
    has(&out, "31.7 (< -40.6 % [-100.0, +74.0])");
    has(&out, "< in front of a comparison");
    text_of_table(f, COLUMNS, TABLE_JSON, &out);
    OK(json_parse(buf_str(&out), out.len, &root, err));
    has(&out,
        "\"target\": \"validation_accuracy >= first - 0.01 and validation_tokens <= 1.1 * 16\"");
    has(&out, "\"bound\": \"at_least\"");
    has(&out, "\"bound\": \"at_most\"");
    near(number_at(root, 0, 1, "reached"), 2);
    near(number_at(root, 1, 1, "reached"), 3);
    near(number_at(root, 1, 1, "value"), 95.0 / 3.0);
    near(number_at(root, 1, 1, "ratio"), -0.40625);
    near(number_at(root, 1, 1, "ratio_low"), -1.0);
    near(number_at(root, 1, 1, "ratio_high"), 0.7404682990913296);
    text_of_table(f, COLUMNS, TABLE_CSV, &out);
    has(&out,
        "to target/core-s,to target/core-s reached,to target/core-s difference,to target/core-s "
        "ratio,to target/core-s ratio low,to target/core-s ratio high,to target/core-s p");
    has(&out, "constant,53.33333333,2,");
    has(&out, "linear,31.66666667,3,-21.66666667,-0.40625,-1,0.74046829");
    text_of_table(f, COLUMNS, TABLE_LATEX, &out);
    has(&out, "$>$ 53.3 (2 of 3)");
    has(&out, "31.7 ($<$ -40.6 \\% [-100.0, +74.0])");
    text_of_table(f, "latex = \"siunitx\"; " COLUMNS, TABLE_LATEX, &out);
    has(&out, "{$>$ \\tablenum[table-format=2.1]{53.3} (2 of 3)}");
    has(&out, "S[table-format=2.1,");
}

/* 20, 15, 80 against 40, 60, 60. */
static void a_row_that_never_gets_there_is_at_least_so_dear(void **state)
{
    static const uint64_t met[2][3] = { { 20, 20, 15 }, { 10, 5, 0 } };
    struct fixture *f = *state;
    CLEANUP(buf_release) struct buf out = { 0 };

    fill(f->s, met, 12, "");
    text_of_table(f, COLUMNS, TABLE_TEXT, &out);
    has(&out, "> 38.3 (> -28.1 % [");
    has(&out, "> in front of a comparison: runs of the row");
    assert_null(strstr(buf_str(&out), "< in front"));
    assert_null(strstr(buf_str(&out), "~ in front"));
}

/* The last run's second stage is not there: it got there in its first; the one before did not. */
static void what_an_unfinished_run_may_cost_is_not_known(void **state)
{
    static const uint64_t early[2][3] = { { 20, 20, 15 }, { 10, 5, 5 } };
    struct fixture *f = *state;
    CLEANUP(buf_release) struct buf out = { 0 };
    const char *constant = "where = \"schedule == 'constant'\"; vars = { last = 16; }; rows = []; "
                           "columns = ( { head = \"core-s\"; step = \"train\"; stat = \"cost\"; "
                           "metric = \"core_seconds\"; " TARGET "} );";

    fill(f->s, early, 11, "");
    text_of_table(f, COLUMNS, TABLE_TEXT, &out);
    has(&out, "18.3 (-65.6 %"); /* 20, 15, 20 */
    assert_null(strstr(buf_str(&out), "fewer seeds"));
    buf_clear(&out);
    FAILS(ERR_NOT_FOUND, "none that the conditions let through",
          tables_text(f->s,
                      "where = \"seed == 9\"; vars = { last = 16; }; rows = []; columns = ( { "
                      "step = \"train\"; stat = \"cost\"; metric = \"flops\"; " TARGET "} );",
                      "s.cfg", "exp", NULL, TABLE_TEXT, &out, err));
    text_of_table(f, constant, TABLE_TEXT, &out);
    has(&out, "53.3");
}

static void a_run_that_may_still_get_there_is_missing(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_release) struct buf out = { 0 };

    fill(f->s, met_some, 11, ""); /* linear, seed 2: not yet, and one stage to come */
    text_of_table(f, COLUMNS, TABLE_TEXT, &out);
    has(&out, "17.5");
    has(&out, "linear) 2 of 3");
    has(&out, "fewer seeds than runs");
}

/* ---- the language --------------------------------------------------------------------------- */

static void variables_are_those_that_the_command_line_set(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_release) struct buf text = { 0 }, out = { 0 };

    buf_adds(&text, "vars = { last = 10; }; tables = ( { rows = [\"schedule\"]; columns = (\n"
                    "{ head = \"core-s\"; step = \"train\"; stat = \"cost\"; metric = "
                    "\"core_seconds\"; " TARGET "} ); } );\n"
                    "# --set seed=1\n# --set vars.last=12\n# --set vars.last=16\n");
    fill(f->s, met_all, 12, buf_str(&text));
    OK(tables_text(f->s, NULL, NULL, "exp", NULL, TABLE_TEXT, &out, err));
    has(&out, "53.3");
    has(&out, "validation_tokens <= 1.1 * 16;");
}

static void bounds_are_sums_and_products(void **state)
{
    static const struct {
        const char *bound, *shown;
        bool met;
    } cases[] = {
        { "17.6", "17.6", true },
        { "17.59999", "17.59999", false },
        { "(first - 1) * 0.4", "(first - 1) * 0.4", true },
        { "first*0.4-(1-0.6)/2-0.201", "first * 0.4 - (1 - 0.6) / 2 - 0.201", false },
        { "-(-20) - 2 - 0.4", "(-(-20)) - 2 - 0.4", true },
        { "20 - (2 + 0.4)", "20 - (2 + 0.4)", true },
        { "20 - (2 + 0.401)", "20 - (2 + 0.401)", false },
        { "1 / 2 * 36", "1 / 2 * 36", true },
        { "first / (1 - 1)", "first / (1 - 1)", false },
    };
    struct fixture *f = *state;

    fill(f->s, met_all, 12, "");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_release) struct buf spec = { 0 }, out = { 0 };

        buf_printf(
            &spec,
            "rows = [\"schedule\"]; columns = ( { step = \"train\"; stat = \"cost\"; metric "
            "= \"at_step\"; head = \"x\"; target = ( { metric = \"validation_tokens\"; at_most "
            "= \"%s\"; } ); } );",
            cases[i].bound);
        text_of_table(f, buf_str(&spec), TABLE_TEXT, &out);
        has(&out, cases[i].shown);
        has(&out, cases[i].met ? " 18.3\n" : " > 20.0 (0 of 3)\n");
    }
}

static void what_is_wrong_is_named_with_its_line(void **state)
{
    static const struct {
        const char *column, *says;
    } cases[] = {
        { "metric = \"at_step\";", "s.cfg:2: columns[0]: \"target\" is missing" },
        { "target = ( { metric = \"validation_tokens\"; at_most = 1; } );", "metric" },
        { "metric = \"flops\"; target = ();", "s.cfg:2: columns[0].target: there is no condition" },
        { "metric = \"flops\"; target = ( { metric = \"x\"; } );",
          "give at_least, at_most or both" },
        { "metric = \"flops\"; target = ( { metric = \"x\"; at_moist = 1; } );", "at_most" },
        { "metric = \"flops\"; target = ( { metric = \"x\"; at_most = true; } );",
          "s.cfg:2: columns[0].target[0].at_most: a number is expected" },
        { "metric = \"flops\"; target = ( { metric = \"x\"; at_most = \"1 +\"; } );",
          "column 4: a number, first, ${vars.NAME} or ( is expected" },
        { "metric = \"flops\"; target = ( { metric = \"x\"; at_most = \"(1\"; } );",
          "column 3: ) is expected" },
        { "metric = \"flops\"; target = ( { metric = \"x\"; at_most = \"1 2\"; } );",
          "column 3: +, -, * or / is expected" },
        { "metric = \"flops\"; target = ( { metric = \"x\"; at_most = \"${vars.lest}\"; } );",
          "there is no vars.lest; did you mean vars.last?" },
        { "metric = \"flops\"; target = ( { metric = \"x\"; at_most = \"${vars.word}\"; } );",
          "vars.word is no number" },
        { "metric = \"flops\"; target = ( { metric = \"x\"; at_most = \"${last}\"; } );",
          "${vars.NAME}" },
        { "metric = \"flops\"; target = ( { metric = \"validation_token\"; at_most = 1; } );",
          "did you mean \"validation_tokens\"?" },
        { "metric = \"flop\"; target = ( { metric = \"validation_tokens\"; at_most = 1; } );",
          "did you mean \"flops\"?" },
    };
    struct fixture *f = *state;

    fill(f->s, met_all, 12, "");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_release) struct buf spec = { 0 }, out = { 0 };

        buf_printf(
            &spec,
            "vars = { last = 16; word = \"x\"; }; rows = [\"schedule\"]; columns = (\n{ step "
            "= \"train\"; stat = \"cost\"; %s } );",
            cases[i].column);
        FAILS(ERR_INVALID, cases[i].says,
              tables_text(f->s, buf_str(&spec), "s.cfg", "exp", NULL, TABLE_TEXT, &out, err));
    }
    FAILS(ERR_INVALID, "sum_stages: goes with stat = \"cost\"",
          tables_text(f->s,
                      "columns = ( { step = \"train\"; measure = \"flops\"; sum_stages = true; "
                      "} );",
                      "s.cfg", "exp", NULL, TABLE_TEXT, &(struct buf){ 0 }, err));
}

/* ---- default tables -------------------------------------------------------------------------- */

/* A stage reports some thirty metrics: a handful of them shows, the others are named. */
static void default_tables_of_stages_show_a_handful(void **state)
{
    static const char *const more[] = {
        "accuracy",   "accuracy.1", "accuracy.2",    "budget",      "clip_fraction",
        "difficulty", "entropy",    "gradient_norm", "groups_used", "learning_rate",
        "reward",     "tokens",     "truncated",     "kl",          "generated_tokens"
    };
    struct fixture *f = *state;
    CLEANUP(buf_release) struct buf out = { 0 };
    size_t longest = 0, column = 0;

    fill(f->s, met_all, 12, "");
    begin(f->s);
    for (uint64_t attempt = 1; attempt <= 12; attempt++)
        for (size_t i = 0; i < ARRAY_LEN(more); i++) {
            struct store_metric m = { more[i], 10, i + 1 < ARRAY_LEN(more) ? 0.25 : 2500 };

            OK(store_metrics(f->s, attempt, &m, 1, err));
        }
    commit(f->s);
    OK(tables_text(f->s, NULL, NULL, "exp", NULL, TABLE_TEXT, &out, err));
    has(&out,
        "schedule  checked acc %  checked tokens         reward     kl  k generated       GFLOP  "
        "core-s\n");
    has(&out, "train also reported accuracy, tokens, budget, clip_fraction,");
    for (const char *p = strstr(buf_str(&out), "schedule"); *p && !(p[0] == '\n' && p[1] == '\n');
         p++) {
        column = *p == '\n' ? 0 : column + ((*p & 0xc0) != 0x80);
        longest = MAX(longest, column);
    }
    assert_in_range(longest, 50, 100);
}

/* ---- SQL ------------------------------------------------------------------------------------ */

static void cell_of(struct fixture *f, const char *column, struct json **ret)
{
    CLEANUP(buf_release) struct buf out = { 0 };
    struct store *reader;

    OK(store_open_read(&reader, f->path, err));
    OK(tables_cell(reader, COLUMNS, "s.cfg", "exp", 0, "schedule=linear", column, &out, err));
    OK(json_parse(buf_str(&out), out.len, ret, err));
    store_close(reader);
}

static void without_a_target_it_is_all_of_the_cost(void **state)
{
    static const char spec[] =
        "rows = [\"schedule\"]; columns = ( { head = \"x\"; step = \"train\"; "
        "stat = \"cost\"; metric = \"core_seconds\"; show = \"mean, "
        "reached\"; } );";
    struct fixture *f = *state;
    CLEANUP(buf_release) struct buf out = { 0 };
    struct store *reader;

    fill(f->s, met_all, 11, ""); /* 40, 60, 80; the last is not known yet */
    text_of_table(f, spec, TABLE_TEXT, &out);
    has(&out, "constant  60.0\n");
    has(&out, "linear    50.0\xe2\x80\xa1\n");
    buf_clear(&out);
    OK(store_open_read(&reader, f->path, err));
    OK(tables_cell(reader, spec, "s.cfg", "exp", 0, "schedule=constant", "x", &out, err));
    has(&out, "\"sql_value\": 60.0");
    store_close(reader);
}

/* Plain SQL finds the same numbers, and looks things up rather than walk over the store. */
static void sql_behind_a_cell_computes_the_same_cost(void **state)
{
    static const struct {
        const char *column;
        double value;
    } cases[] = { { "to target/core-s", 115.0 / 3.0 }, { "to target/flops", 3500.0 / 3.0 } };
    struct fixture *f = *state;
    struct sqlite3 *db;

    fill(f->s, met_some, 12, "");
    OK(sqlite_connect(&db, f->path, CONNECT_READ, err));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(json_cleanup) struct json *cell = NULL;
        CLEANUP(buf_release) struct buf sql = { 0 };
        struct stmt st;
        struct err why = { 0 };
        int rc, plans = 0;

        cell_of(f, cases[i].column, &cell);
        near(json_number(json_get(cell, "value"), NAN), cases[i].value);
        near(json_number(json_get(cell, "sql_value"), NAN), cases[i].value);
        assert_int_equal(json_len(json_get(cell, "examples")), 3);
        assert_int_equal(json_len(json_get(cell, "jobs")), 6);
        buf_printf(&sql, "EXPLAIN QUERY PLAN %s", json_text(json_at(json_get(cell, "sql"), 1)));
        OK(stmt_prepare(&st, db, buf_str(&sql), NULL, err));
        for (; (rc = stmt_step(&st, &why)) > 0; plans++) {
            static const char *const tables[] = { "SCAN run_job", "SCAN series", "SCAN job",
                                                  "SCAN metric_chunk", "SCAN attempt" };

            for (size_t k = 0; k < ARRAY_LEN(tables); k++)
                if (strncmp(stmt_col_text(&st, 3), tables[k], strlen(tables[k])) == 0)
                    fail_msg("%s", stmt_col_text(&st, 3));
        }
        assert_int_equal(rc, 0);
        assert_true(plans > 5);
        stmt_release(&st);
    }
    sqlite_disconnect(db);
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(cost_is_that_of_the_first_check_that_meets_the_target),
        T(runs_that_never_get_there_are_a_bound),
        T(a_baseline_that_never_gets_there_bounds_the_saving),
        T(a_row_that_never_gets_there_is_at_least_so_dear),
        T(what_an_unfinished_run_may_cost_is_not_known),
        T(a_run_that_may_still_get_there_is_missing),
        T(variables_are_those_that_the_command_line_set),
        T(bounds_are_sums_and_products),
        T(what_is_wrong_is_named_with_its_line),
        T(default_tables_of_stages_show_a_handful),
        T(without_a_target_it_is_all_of_the_cost),
        T(sql_behind_a_cell_computes_the_same_cost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
