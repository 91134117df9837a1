/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: tables of a paper look as they should in every format, and every number in them is what
 * plain SQLite computes from the rows. Method: a fixed store (paper.h); texts in golden/ (written
 * anew with DROVER_GOLDEN_WRITE=1); the SQL that each cell names is run by the sqlite3 program. */
#include "tests/unit/store_tables/paper.h"

#include <math.h>

#include "common/base/json.h"
#include "common/conf/conf.h"
#include "tests/unit/store_tables/paper_spec.h"

static struct buf print(struct store *s, const char *spec, enum table_format format,
                        struct table_options o)
{
    struct buf out = { 0 };

    OK(tables_text(s, spec, "paper.cfg", NULL, &o, format, &out, err));
    return out;
}

/* Times of day are of no matter: "last result 2026-..." becomes "last result TIME". */
static void blank_times(struct buf *b)
{
    struct buf out = { 0 };
    const char *p = buf_str(b), *next;

    while ((next = strstr(p, " UTC")) != NULL) {
        buf_add(&out, p, (size_t)(next - p) - 19);
        buf_adds(&out, "TIME");
        p = next + 4;
    }
    buf_adds(&out, p);
    buf_release(b);
    *b = out;
}

static void golden_texts_are_as_they_were(void **state)
{
    static const char *const ends[TABLE_FORMATS] = { "txt", "md", "csv", "tex", "json" };
    struct fixture *f = *state;
    const char *write = getenv("DROVER_GOLDEN_WRITE");

    paper_fill(f->s, (struct paper){ 0 });
    for (enum table_format format = TABLE_TEXT; format < TABLE_FORMATS; format++) {
        struct buf text =
            print(f->s, paper_spec, format, (struct table_options){ .csv_footer = true });
        struct buf expected = { 0 };
        char path[128];

        snprintf(path, sizeof path, "tests/unit/store_tables/golden/paper.%s", ends[format]);
        blank_times(&text);
        if (write)
            OK(buf_write_file(path, buf_str(&text), text.len, err));
        OK(buf_read_file(&expected, path, 1 << 20, err));
        assert_string_equal(buf_str(&text), buf_str(&expected));
        buf_release(&text);
        buf_release(&expected);
    }
}

/* What the sqlite3 program says to SQL about the store at PATH. */
static double ask_sqlite(const char *path, const char *dir, const char *sql)
{
    char file[128], command[400], answer[64] = "";
    FILE *pipe;

    snprintf(file, sizeof file, "%s/question.sql", dir);
    OK(buf_write_file(file, sql, strlen(sql), err));
    snprintf(command, sizeof command, "sqlite3 -readonly -bail -cmd '.mode list' '%s' < '%s' 2>&1",
             path, file);
    pipe = popen(command, "r");
    assert_non_null(pipe);
    (void)!fgets(answer, sizeof answer, pipe);
    if (pclose(pipe) != 0)
        fail_msg("sqlite3: %s\n%s", answer, sql);
    return answer[0] && answer[0] != '\n' ? strtod(answer, NULL) : NAN;
}

static void check_cell(struct fixture *f, const struct store *writer, size_t table,
                       const struct json *shown, size_t row, size_t column)
{
    struct store *reader = NULL;
    struct json *cell = NULL;
    struct buf out = { 0 };
    char r[24], c[24];
    const char *sql;
    double value, said;

    (void)writer;
    snprintf(r, sizeof r, "%zu", row + 1);
    snprintf(c, sizeof c, "%zu", column + 1);
    OK(store_open_read(&reader, f->path, err));
    OK(tables_cell(reader, paper_spec, "paper.cfg", "", table + 1, r, c, &out, err));
    OK(json_parse(buf_str(&out), out.len, &cell, err));
    sql = json_text(json_at(json_get(cell, "sql"), 1));
    assert_non_null(sql);
    value = json_number(json_get(shown, "value"), NAN);
    said = ask_sqlite(f->path, f->dir, sql);
    if (isnan(value) ? !isnan(said) : !(fabs(value - said) <= 1e-12 * fmax(1.0, fabs(value))))
        fail_msg("table %zu, row %zu, column %zu: shown %.17g, SQL %.17g\n%s", table + 1, row + 1,
                 column + 1, value, said, sql);
    assert_true(isnan(value) || json_len(json_get(cell, "runs")) > 0);
    assert_true(isnan(value) || json_len(json_get(cell, "jobs")) > 0);
    assert_true(isnan(value) || json_len(json_get(cell, "attempts")) > 0);
    assert_true(isnan(value) || json_len(json_get(cell, "examples")) > 0);
    json_free(cell);
    buf_release(&out);
    store_close(reader);
}

static size_t check_table(struct fixture *f, size_t i, const struct json *table)
{
    const struct json *rows = json_get(table, "rows"), *columns = json_get(table, "columns");
    size_t checked = 0;

    for (size_t r = 0; r < json_len(rows); r++) {
        const struct json *cells = json_get(json_at(rows, r), "cells");
        size_t number = 0;

        for (size_t c = 0; c < json_len(columns); c++) {
            if (json_bool(json_get(json_at(columns, c), "key"), false))
                continue;
            check_cell(f, f->s, i, json_at(cells, c), r, number++);
            checked++;
        }
    }
    return checked;
}

static void every_cell_is_what_plain_sqlite_computes(void **state)
{
    struct fixture *f = *state;
    struct json *root = NULL;
    struct buf text;
    size_t checked = 0;

    paper_fill(f->s, (struct paper){ .examples = 17, .lacks = "cosine/2/routed" });
    text = print(f->s, paper_spec, TABLE_JSON, (struct table_options){ 0 });
    OK(json_parse(buf_str(&text), text.len, &root, err));
    for (size_t i = 0; i < json_len(json_get(root, "tables")); i++)
        checked += check_table(f, i, json_at(json_get(root, "tables"), i));
    assert_true(checked > 100);
    json_free(root);
    buf_release(&text);
}

/* The first cell of COLUMN, counted with the keys, of what SPEC shows. */
static double first_value(struct fixture *f, const char *spec, size_t column)
{
    struct json *root = NULL;
    struct buf text = print(f->s, spec, TABLE_JSON, (struct table_options){ 0 });
    const struct json *row;
    double ret;

    OK(json_parse(buf_str(&text), text.len, &root, err));
    row = json_at(json_get(json_at(json_get(root, "tables"), 0), "rows"), 0);
    ret = json_number(json_get(json_at(json_get(row, "cells"), column), "value"), NAN);
    json_free(root);
    buf_release(&text);
    return ret;
}

static void conditions_on_examples_leave_numbers_of_runs_alone(void **state)
{
    static const char columns[] =
        "rows = [\"task\"]; columns = ( { step = \"routed\"; measure = \"accuracy\"; },\n"
        "{ head = \"loss\"; step = \"train\"; measure = \"loss\"; } );";
    struct fixture *f = *state;
    char some[400], all[400];

    paper_fill(f->s, (struct paper){ .examples = 17 });
    snprintf(all, sizeof all, "where = \"schedule == 'cosine'\"; %s", columns);
    snprintf(some, sizeof some, "where = \"task == 'math' and schedule == 'cosine'\"; %s", columns);
    assert_true(isfinite(first_value(f, all, 2)));
    assert_true(first_value(f, some, 2) == first_value(f, all, 2));
}

static void strict_refuses_what_is_missing(void **state)
{
    static const char spec[] =
        "rows = [\"task\"]; spread = [\"schedule\"]; allow_unequal_n = true;\n"
        "columns = ( { step = \"routed\"; measure = \"accuracy\"; } );";
    struct fixture *f = *state;
    struct table_options strict = { .strict = true };
    struct buf out = { 0 };

    paper_fill(f->s, (struct paper){ .lacks = "cosine/2/routed" });
    OK(tables_text(f->s, spec, "s.cfg", "paper", NULL, TABLE_TEXT, &out, err));
    assert_non_null(strstr(buf_str(&out), "\xe2\x80\xa1: fewer seeds than runs: accuracy % (task "
                                          "math) 2 of 3; accuracy % (task story) 2 of 3."));
    FAILS(ERR_INVALID, "s.cfg:2: columns[0]: task math: column \"accuracy\" has 2 of 3 seeds",
          tables_text(f->s, spec, "s.cfg", "paper", &strict, TABLE_TEXT, &out, err));
    buf_release(&out);
}

static void diverged_runs_count_and_are_named(void **state)
{
    static const char spec[] =
        "rows = [\"schedule\"]; columns = ( { step = \"train\"; measure = \"loss\"; } );";
    struct fixture *f = *state;
    struct buf out = { 0 };

    paper_fill(f->s, (struct paper){ .diverged = "cosine/1" });
    OK(tables_text(f->s, spec, "s.cfg", "", NULL, TABLE_TEXT, &out, err));
    assert_non_null(strstr(buf_str(&out), "1 of 6 runs diverged."));
    assert_non_null(strstr(buf_str(&out), "\xc2\xa7: diverged seeds are counted in: loss "
                                          "(schedule cosine) 1 of 3."));
    buf_release(&out);
}

static void several_experiments_stand_in_one_table(void **state)
{
    static const char spec[] = "experiments = [\"paper\", \"again\"]; rows = [\"task\", "
                               "\"schedule\"]; total = false; spread = [\"experiment\"];\n"
                               "columns = ( { head = \"acc\"; step = \"base\"; measure = "
                               "\"accuracy\"; } );";
    struct fixture *f = *state;
    struct json *root = NULL;
    struct buf out = { 0 };

    paper_fill(f->s, (struct paper){ .examples = 8 });
    paper_fill(f->s, (struct paper){ .examples = 8, .name = "again", .salt = "x" });
    OK(tables_text(f->s, spec, "s.cfg", NULL, NULL, TABLE_JSON, &out, err));
    OK(json_parse(buf_str(&out), out.len, &root, err));
    assert_int_equal(
        json_len(json_get(json_get(json_at(json_get(root, "tables"), 0), "footer"), "experiments")),
        2);
    json_free(root);
    buf_clear(&out);
    OK(tables_text(f->s, spec, "s.cfg", NULL, NULL, TABLE_TEXT, &out, err));
    assert_non_null(strstr(buf_str(&out), "again"));
    buf_release(&out);
}

static const struct {
    const char *text, *part;
    enum err_code code;
} wrong_specs[] = {
    { "experiment = \"papr\";\nrows = [\"task\"]; columns = ( { step = \"base\"; stat = "
      "\"n\"; } );",
      "s.cfg:1: experiment: no experiment \"papr\" in the store; did you mean \"paper\"?",
      ERR_NOT_FOUND },
    { "rows = [\n\"tsk\"]; columns = ( { step = \"base\"; stat = \"n\"; } );",
      "s.cfg:2: rows[0]: no key or parameter \"tsk\"; did you mean \"task\"?", ERR_INVALID },
    { "rows = [\"schedul\"]; columns = ( { step = \"base\"; stat = \"n\"; } );",
      "no key or parameter \"schedul\"", ERR_INVALID },
    { "rows = [\"task\"]; columns = (\n{ step = \"bse\"; stat = \"n\"; } );",
      "s.cfg:2: columns[0]: column \"n\": no step \"bse\" with examples in this experiment "
      "(labels, base, routed); did you mean \"base\"?",
      ERR_INVALID },
    { "rows = [\"task\"]; columns = (\n{ step = \"base\"; measure = \"acuracy\"; } );",
      "no task has a metric \"acuracy\" and no step of this experiment reported one; did you "
      "mean \"accuracy\"? (reported: loss, reward)",
      ERR_INVALID },
    { "rows = [\"task\"]; columns = (\n{ step = \"train\"; measure = \"los\"; } );",
      "did you mean \"loss\"?", ERR_INVALID },
    { "rows = [\"task\"]; columns = (\n{ step = \"base\"; stat = \"acuracy\"; } );",
      "s.cfg:2: columns[0].stat", ERR_INVALID },
    { "rows = [\"task\"]; colums = ();", "did you mean \"columns\"?", ERR_INVALID },
    { "rows = [\"task\"]; where = \"tsk == 'math'\"; columns = ( { step = \"base\"; stat = "
      "\"n\"; } );",
      "s.cfg:1: where: no key or parameter \"tsk\"; did you mean \"task\"?", ERR_INVALID },
    { "rows = [\"task\"]; where = \"task = = 3\"; columns = ( { step = \"base\"; stat = "
      "\"n\"; } );",
      "s.cfg:1: where: column", ERR_INVALID },
    { "rows = [\"task\"]; baseline = \"bas\"; columns = ( { head = \"base\"; step = \"base\"; "
      "stat = \"accuracy\"; } );",
      "s.cfg:1: baseline: no column is called \"bas\"; did you mean \"base\"?", ERR_INVALID },
    { "rows = [\"task\"]; baseline_row = \"schedule == 'constant'\"; columns = ( { step = "
      "\"base\"; stat = \"accuracy\"; where = \"schedule == 'cosine'\"; } );",
      "s.cfg:1: baseline_row: \"schedule\" is no key of the rows, which are task", ERR_INVALID },
    { "rows = [\"schedule\"]; baseline_row = \"schedule == 'linear'\"; columns = ( { step = "
      "\"base\"; stat = \"accuracy\"; } );",
      "no row of the table is the baseline", ERR_INVALID },
    { "rows = [\"task\"]; marks = [\"significance\"]; columns = ( { step = \"base\"; stat = "
      "\"accuracy\"; } );",
      "significance needs a baseline", ERR_INVALID },
    { "rows = [\"task\"]; columns = ( { step = \"base\"; stat = \"accuracy\"; show = \"mean "
      "sdd\"; } );",
      "no \"sdd\" can be shown, did you mean \"sd\"", ERR_INVALID },
    { "rows = [\"task\"]; columns = ( { stat = \"accuracy\"; } );",
      "columns[0]: \"step\" is missing", ERR_INVALID },
    { "rows = [\"task\"]; label = \"a b\"; columns = ( { step = \"base\"; stat = \"n\"; } );",
      "s.cfg:1: label: letters", ERR_INVALID },
    { "rows = [\"task\", \"task\"]; columns = ( { step = \"base\"; stat = \"n\"; } );",
      "is there twice", ERR_INVALID },
    { "rows = [\"train.schedule\", \"schedule\"]; columns = ( { step = \"base\"; stat = "
      "\"n\"; } );",
      "are the same", ERR_INVALID },
    { "rows = [\"task\"]; columns = ();", "there is no column", ERR_INVALID },
    { "\ntables = ();", "s.cfg:2: tables: there is no table", ERR_INVALID },
    { "rows = [\"task\"]; where = \"seed > 99\"; columns = ( { step = \"base\"; stat = \"n\"; } );",
      "there are results, but none that the conditions let through", ERR_NOT_FOUND },
};

static void what_does_not_exist_is_named_with_its_line(void **state)
{
    struct fixture *f = *state;

    paper_fill(f->s, (struct paper){ .examples = 4 });
    for (size_t i = 0; i < ARRAY_LEN(wrong_specs); i++) {
        struct buf out = { 0 };

        FAILS(wrong_specs[i].code, wrong_specs[i].part,
              tables_text(f->s, wrong_specs[i].text, "s.cfg", NULL, NULL, TABLE_TEXT, &out, err));
        buf_release(&out);
    }
}

static void cells_that_are_not_there_are_named_with_those_that_are(void **state)
{
    struct fixture *f = *state;
    struct store *reader = NULL;
    struct buf out = { 0 };

    paper_fill(f->s, (struct paper){ .examples = 4 });
    OK(store_open_read(&reader, f->path, err));
    OK(tables_cell(reader, paper_spec, "p", "", 1, "schedule=cosine", "Stories/Model/base", &out,
                   err));
    assert_non_null(strstr(buf_str(&out), "\"column\": \"Stories/Model/base %\""));
    OK(tables_cell(reader, paper_spec, "p", "", 2, "task=math,level=1,schedule=cosine", "acc", &out,
                   err));
    FAILS(ERR_INVALID, "there are 5 tables; say which by --table 1..5",
          tables_cell(reader, paper_spec, "p", "", 0, "1", "1", &out, err));
    FAILS(ERR_NOT_FOUND, "there is no row 9; there are 2",
          tables_cell(reader, paper_spec, "p", "", 1, "9", "1", &out, err));
    FAILS(ERR_NOT_FOUND, "no row is \"schedule=linear\"",
          tables_cell(reader, paper_spec, "p", "", 1, "schedule=linear", "1", &out, err));
    FAILS(ERR_INVALID, "more than one row is \"task=math\"",
          tables_cell(reader, paper_spec, "p", "", 2, "task=math", "acc", &out, err));
    FAILS(ERR_INVALID, "the rows have no key \"schedul\"",
          tables_cell(reader, paper_spec, "p", "", 1, "schedul=cosine", "1", &out, err));
    FAILS(ERR_NOT_FOUND, "no column is \"akk\"",
          tables_cell(reader, paper_spec, "p", "", 1, "1", "akk", &out, err));
    buf_release(&out);
    store_close(reader);
}

/* A file that was cut off anywhere says so, and nothing else happens. */
static void a_specification_cut_off_is_refused(void **state)
{
    const size_t len = strlen(paper_spec);

    (void)state;
    for (size_t i = 0; i + 3 < len; i++) {
        const char *names[TABLE_EXPERIMENTS_MAX];
        struct table_spec *spec = NULL;
        size_t n, specs;
        struct conf *c = NULL;
        struct err err = { 0 };
        int rc = conf_open_text(&c, "s.cfg", paper_spec, i, &err);

        if (rc == 0)
            rc = table_file_read(conf_root(c), names, &n, &spec, &specs, &err);
        assert_int_equal(rc, ERR_INVALID);
        assert_null(spec);
        conf_close(c);
    }
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(golden_texts_are_as_they_were),
        T(every_cell_is_what_plain_sqlite_computes),
        T(conditions_on_examples_leave_numbers_of_runs_alone),
        T(strict_refuses_what_is_missing),
        T(diverged_runs_count_and_are_named),
        T(several_experiments_stand_in_one_table),
        T(what_does_not_exist_is_named_with_its_line),
        T(a_specification_cut_off_is_refused),
        T(cells_that_are_not_there_are_named_with_those_that_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
