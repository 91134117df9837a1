/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: tables say what the rows say, refuse what would mislead, and look as they should. Method:
 * stores filled by hand with known counts; golden texts; recipes as text. */
#include "tests/unit/store/small_plan.h"

#include "common/base/json.h"
#include "common/conf/conf.h"
#include "store/tables/tables.h"

static const struct table_options bare = { .no_footer = true };
static struct conf *conf; /* what specifications point into */

/* What one family of one run holds: of N examples BASE are right by the default path and BASE +
 * MORE have a label. For an evaluation: BASE are right. */
struct part {
    const char *step, *kind, *task;
    int level;
    uint64_t promised, n, base, more;
};

static void send(struct store *s, struct try t, const struct part *p, uint64_t i)
{
    uint8_t routing[8] = { 1, 1, 1, 1, 1, 1, 1, 0 };
    struct store_label label = { .base_correct = i < p->base,
                                 .has_label = i < p->base + p->more,
                                 .routing = routing,
                                 .routing_len = 8,
                                 .layers = 8,
                                 .label_layers = i < p->base + p->more ? 7 : 8,
                                 .base_answer = "1",
                                 .label_answer = "2" };
    struct store_score score = {
        .correct = i < p->base, .correct_norm = i < p->base, .answer = "1", .layers = 8, .tokens = 9
    };
    struct store_example_result r = { .attempt = t.attempt,
                                      .epoch = t.epoch,
                                      .example = { .id = 1000u * (uint64_t)p->level + i,
                                                   .index = i,
                                                   .task = p->task,
                                                   .split = "train",
                                                   .level = p->level,
                                                   .question = "q",
                                                   .gold = "1" } };
    enum store_verdict verdict;

    if (strcmp(p->kind, "search") == 0)
        r.label = &label;
    else
        r.score = &score;
    OK(store_example_result(s, &r, &verdict, err));
    assert_int_equal(verdict, STORE_STORED);
}

/* A job over the whole of part P for RUN; SALT makes the family the run's own. */
static void add_part(struct store *s, struct store_submission *sub, uint64_t run,
                     const struct part *p, const char *salt, struct store_family *f,
                     uint64_t *ret_job)
{
    struct store_job_family jf = { 0 };
    struct store_input labels = { .name = "labels", .source = STORE_BLOB };
    struct store_job_spec spec = { .kind = p->kind,
                                   .numeric_class = "packed-1",
                                   .step = p->step,
                                   .params = "",
                                   .end = p->promised,
                                   .runs = &run,
                                   .runs_len = 1,
                                   .families = &jf,
                                   .families_len = 1 };
    char name[128];

    snprintf(name, sizeof name, "%s %s %s %d", salt, p->step, p->task, p->level);
    *f = (struct store_family){ .key = key_of(name), .split = "train", .level = p->level };
    snprintf(f->kind, sizeof f->kind, "%s", p->kind);
    snprintf(f->task, sizeof f->task, "%s", p->task);
    OK(store_submit_family(s, f, &f->id, err));
    OK(store_submit_run_family(s, run, p->step, f->id, p->promised, err));
    jf.family = f->id;
    snprintf(name, sizeof name, "job %s %s %s %d", salt, p->step, p->task, p->level);
    spec.key = key_of(name);
    if (strstr(p->step, "oracle")) { /* follows labels */
        labels.digest = key_of("labels");
        spec.inputs = &labels;
        spec.inputs_len = 1;
    }
    OK(store_submit_job(s, sub, &spec, ret_job, err));
}

struct run_plan {
    uint64_t seed;
    const char *salt, *param; /* param: value of "windows", or NULL */
    const struct part *parts;
    size_t len;
};

static uint64_t fill(struct store *s, const struct run_plan *runs, size_t len)
{
    struct digest revision = key_of("rev");
    struct store_submission sub;
    struct store_family f;
    uint64_t job[16][16];

    OK(store_submit_begin(s, "exp", &revision, "", "", &sub, err));
    for (size_t r = 0; r < len; r++) {
        char seed[24], point[64];
        struct store_param params[] = { { "seed", seed }, { "windows", runs[r].param } };
        struct digest digest;
        uint64_t run;

        snprintf(seed, sizeof seed, "%d", (int)runs[r].seed);
        snprintf(point, sizeof point, "%s %s", seed, runs[r].param ? runs[r].param : "");
        digest = key_of(point);
        OK(store_submit_run(s, &sub, &digest, runs[r].seed, params, runs[r].param ? 2 : 1, &run,
                            err));
        for (size_t i = 0; i < runs[r].len; i++)
            add_part(s, &sub, run, &runs[r].parts[i], runs[r].salt, &f, &job[r][i]);
    }
    OK(store_submit_end(s, &sub, NULL, err));
    begin(s);
    for (size_t r = 0; r < len; r++) {
        for (size_t i = 0; i < runs[r].len; i++) {
            struct try t = start(s, job[r][i]);
            bool shared = false;

            for (size_t q = 0; q < r; q++)
                shared = shared || strcmp(runs[q].salt, runs[r].salt) == 0;
            for (uint64_t k = 0; k < runs[r].parts[i].n && !shared; k++)
                send(s, t, &runs[r].parts[i], k);
        }
    }
    commit(s);
    return sub.experiment;
}

static struct table_spec labels_spec(void)
{
    return (struct table_spec){
        .title = "Labels",
        .rows = { { .name = "task", .head = "task" }, { .name = "level", .head = "level" } },
        .rows_len = 2,
        .total = true,
        .column = { { .head = "n", .step = "labels", .stat = TABLE_N, .digits = -1, .metric = "" },
                    { .head = "base",
                      .step = "labels",
                      .stat = TABLE_ACCURACY_CI,
                      .digits = -1,
                      .metric = "" },
                    { .head = "best path",
                      .step = "labels",
                      .stat = TABLE_ORACLE,
                      .digits = -1,
                      .metric = "" },
                    { .head = "layers",
                      .step = "labels",
                      .stat = TABLE_LAYERS,
                      .digits = -1,
                      .metric = "" },
                    { .head = "preserved",
                      .step = "labels",
                      .stat = TABLE_PRESERVED,
                      .digits = -1,
                      .metric = "" },
                    { .head = "improved",
                      .step = "labels",
                      .stat = TABLE_IMPROVED,
                      .digits = -1,
                      .metric = "" } },
        .columns_len = 6,
    };
}

static const struct part two_levels[] = {
    { "labels", "search", "math", 1, 20, 20, 18, 2 },
    { "labels", "search", "math", 2, 20, 20, 10, 5 },
    { "labels", "search", "logic", 1, 20, 20, 0, 0 },
};

/* clang-format off */
static const char golden[] =
    "Labels\n"
    "\n"
    "task   level   n              base %  best path (oracle) %  layers  preserved %  improved %\n"
    "-----  -----  --  ------------------  --------------------  ------  -----------  ----------\n"
    "logic      1  20     0.0 [0.0, 16.8]                   0.0       \xe2\x80\x93          0.0         0.0\n"
    "math       1  20  90.0 [65.4, 100.0]                 100.0    7.00         90.0        10.0\n"
    "math       2  20   50.0 [27.9, 71.4]                  75.0    7.00         50.0        25.0\n"
    "math     all  40   70.0 [54.2, 82.6]                  87.5    7.00         70.0        17.5\n"
    "\n"
    "Oracle: labels come from a search that knows the answers; an upper bound for a router, not "
    "its result.\n"
    "Brackets: 95 % interval, BCa bootstrap over the examples of one model; it says nothing about "
    "other seeds.\n"
    "\xe2\x80\x93: no result.\n";
/* clang-format on */

static void text_is_as_it_should_be(void **state)
{
    struct fixture *f = *state;
    struct run_plan run = { 1, "a", NULL, two_levels, 3 };
    uint64_t experiment = fill(f->s, &run, 1);
    struct table_spec spec = labels_spec();
    struct buf out = { 0 };
    struct table *t;

    OK(table_make(f->s, &experiment, 1, &spec, false, &t, err));
    table_print(t, TABLE_TEXT, &bare, &out);
    assert_string_equal(buf_str(&out), golden);
    buf_release(&out);
    table_free(t);
}

static void other_formats_carry_the_same_numbers(void **state)
{
    struct fixture *f = *state;
    struct run_plan run = { 1, "a", NULL, two_levels, 2 };
    uint64_t experiment = fill(f->s, &run, 1);
    struct table_spec spec = labels_spec();
    struct buf out = { 0 };
    struct table *t;

    spec.columns_len = 2;
    OK(table_make(f->s, &experiment, 1, &spec, false, &t, err));
    table_print(t, TABLE_MARKDOWN, &bare, &out);
    assert_string_equal(buf_str(&out), "**Labels**\n\n"
                                       "| task | level | n | base % |\n"
                                       "|:---|---:|---:|---:|\n"
                                       "| math | 1 | 20 | 90.0 [65.4, 100.0] |\n"
                                       "| math | 2 | 20 | 50.0 [27.9, 71.4] |\n"
                                       "| **math** | **all** | **40** | **70.0 [54.2, 82.6]** |\n"
                                       "\nBrackets: 95 % interval, BCa bootstrap over the examples "
                                       "of one model; it says nothing about "
                                       "other seeds.\n");
    buf_clear(&out);
    table_print(t, TABLE_CSV, &bare, &out);
    assert_string_equal(buf_str(&out), "task,level,n,base,base low,base high\n"
                                       "math,1,20,0.9,0.6539305315,1\n"
                                       "math,2,20,0.5,0.2787240513,0.7136589365\n"
                                       "math,all,40,0.7,0.5419582229,0.8264772415\n");
    buf_clear(&out);
    table_print(t, TABLE_LATEX, &bare, &out);
    assert_non_null(
        strstr(buf_str(&out),
               "\\begin{tabular}{lrrr}\n\\toprule\ntask & level & n & base \\% \\\\\n\\midrule\n"
               "math & 1 & 20 & 90.0 [65.4, 100.0] \\\\\n"));
    assert_non_null(strstr(buf_str(&out), "\\bottomrule\n\\end{tabular}\n"));
    buf_release(&out);
    table_free(t);
}

static void json_cells_can_be_traced(void **state)
{
    struct fixture *f = *state;
    struct run_plan run = { 1, "a", NULL, two_levels, 2 };
    uint64_t experiment = fill(f->s, &run, 1);
    struct table_spec spec = labels_spec();
    struct digest family = key_of("a labels math 1");
    struct buf out = { 0 };
    struct json *root;
    const struct json *cell;
    struct table *t;
    char hex[DIGEST_HEX];

    OK(table_make(f->s, &experiment, 1, &spec, false, &t, err));
    table_print(t, TABLE_JSON, &bare, &out);
    OK(json_parse(buf_str(&out), out.len, &root, err));
    cell = json_at(json_get(json_at(json_get(root, "rows"), 0), "cells"), 3);
    assert_true(json_number(json_get(cell, "value"), 0) == 0.9);
    assert_int_equal(json_integer(json_get(cell, "n"), 0), 20);
    assert_int_equal(json_integer(json_get(cell, "seeds"), 0), 1);
    assert_int_equal(json_len(json_get(cell, "ci")), 2);
    assert_string_equal(json_text(json_at(json_get(cell, "families"), 0)),
                        digest_hex(&family, hex));
    cell = json_at(json_get(json_at(json_get(root, "rows"), 2), "cells"), 3);
    assert_int_equal(json_len(json_get(cell, "families")), 2);
    json_free(root);
    buf_release(&out);
    table_free(t);
}

static const struct table_cell *find_cell(const struct table *t, size_t row, size_t column)
{
    assert_true(row < t->rows && column < t->columns);
    return &t->cell[row * t->columns + column];
}

static void seeds_are_averaged_and_shared_results_count_once(void **state)
{
    struct fixture *f = *state;
    const struct part a[] = { { "score", "evaluate", "math", 1, 10, 10, 9, 0 } };
    const struct part b[] = { { "score", "evaluate", "math", 1, 10, 10, 6, 0 } };
    const struct part c[] = { { "score", "evaluate", "math", 1, 10, 10, 3, 0 } };
    struct run_plan runs[] = { { 1, "a", NULL, a, 1 },
                               { 2, "b", NULL, b, 1 },
                               { 3, "c", NULL, c, 1 },
                               { 4, "a", NULL, a, 1 } };
    struct table_spec spec = { .rows = { { .name = "task", .head = "task" } },
                               .rows_len = 1,
                               .columns_len = 2,
                               .column = { { .head = "acc",
                                             .step = "score",
                                             .stat = TABLE_ACCURACY_CI,
                                             .digits = -1,
                                             .metric = "" },
                                           { .head = "seeds",
                                             .step = "score",
                                             .stat = TABLE_SEEDS,
                                             .digits = -1,
                                             .metric = "" } } };
    uint64_t experiment = fill(f->s, runs, 4);
    const struct table_cell *cell;
    struct table *t;

    OK(table_make(f->s, &experiment, 1, &spec, false, &t, err));
    cell = find_cell(t, 0, 1);
    assert_true(cell->value > 0.599 && cell->value < 0.601);
    assert_int_equal(cell->seeds, 3);
    assert_int_equal(cell->n, 10);
    assert_true(cell->interval && cell->lo < 0.45 && cell->hi > 0.75);
    assert_string_equal(find_cell(t, 0, 2)->text, "3");
    table_free(t);
}

static void two_seeds_have_no_interval(void **state)
{
    struct fixture *f = *state;
    const struct part a[] = { { "score", "evaluate", "math", 1, 10, 10, 9, 0 } };
    const struct part b[] = { { "score", "evaluate", "math", 1, 10, 10, 6, 0 } };
    struct run_plan runs[] = { { 1, "a", NULL, a, 1 }, { 2, "b", NULL, b, 1 } };
    struct table_spec spec = { .rows = { { .name = "task", .head = "task" } },
                               .rows_len = 1,
                               .columns_len = 1,
                               .column = { { .head = "acc",
                                             .step = "score",
                                             .stat = TABLE_ACCURACY_CI,
                                             .digits = -1,
                                             .metric = "" } } };
    uint64_t experiment = fill(f->s, runs, 2);
    struct table *t;

    OK(table_make(f->s, &experiment, 1, &spec, false, &t, err));
    assert_string_equal(find_cell(t, 0, 1)->text, "75.0");
    assert_int_equal(t->notes, 1);
    assert_string_equal(t->note[0], "Two seeds: no interval below three.");
    table_free(t);
}

static void runs_of_different_parameters_are_never_averaged(void **state)
{
    struct fixture *f = *state;
    const struct part a[] = { { "score", "evaluate", "math", 1, 10, 10, 9, 0 } };
    const struct part b[] = { { "score", "evaluate", "math", 1, 10, 10, 6, 0 } };
    struct run_plan runs[] = { { 1, "a", "16", a, 1 }, { 1, "b", "2", b, 1 } };
    struct table_spec spec = { .rows = { { .name = "task", .head = "task" } },
                               .rows_len = 1,
                               .columns_len = 1,
                               .column = { { .head = "acc",
                                             .step = "score",
                                             .stat = TABLE_ACCURACY,
                                             .digits = -1,
                                             .metric = "" } } };
    uint64_t experiment = fill(f->s, runs, 2);
    struct table *t;

    OK(table_make(f->s, &experiment, 1, &spec, false, &t, err));
    assert_int_equal(t->rows, 2);
    assert_string_equal(t->head[0].text, "windows");
    assert_string_equal(find_cell(t, 0, 0)->text, "2"); /* by number, not by text */
    assert_string_equal(find_cell(t, 0, 2)->text, "60.0");
    assert_string_equal(find_cell(t, 1, 2)->text, "90.0");
    table_free(t);
}

static void unequal_n_is_refused_unless_allowed(void **state)
{
    struct fixture *f = *state;
    const struct part parts[] = { { "a", "evaluate", "math", 1, 10, 10, 9, 0 },
                                  { "a", "evaluate", "math", 2, 12, 12, 9, 0 },
                                  { "b", "evaluate", "math", 1, 20, 20, 6, 0 },
                                  { "c", "evaluate", "math", 1, 10, 4, 4, 0 } };
    struct run_plan run = { 1, "a", NULL, parts, 4 };
    struct table_spec spec = { .title = "T",
                               .rows = { { .name = "task", .head = "task" },
                                         { .name = "level", .head = "level" } },
                               .rows_len = 2,
                               .columns_len = 2,
                               .column = { { .head = "one",
                                             .step = "a",
                                             .stat = TABLE_ACCURACY,
                                             .digits = -1,
                                             .metric = "" },
                                           { .head = "two",
                                             .step = "b",
                                             .stat = TABLE_ACCURACY,
                                             .digits = -1,
                                             .metric = "" } } };
    uint64_t experiment = fill(f->s, &run, 1);
    struct table *t;

    FAILS(ERR_INVALID, "columns \"one\" and \"two\" rest on 10 and 20 examples",
          table_make(f->s, &experiment, 1, &spec, false, &t, err));
    spec.columns_len = 1;
    OK(table_make(f->s, &experiment, 1, &spec, false, &t, err));
    table_free(t);
    spec.total = true;
    FAILS(ERR_INVALID, "would mix results of 10 and 12 examples",
          table_make(f->s, &experiment, 1, &spec, false, &t, err));
    snprintf(spec.column[0].step, TABLE_WORD_MAX, "c");
    FAILS(ERR_INVALID, "has 4 of 10 examples",
          table_make(f->s, &experiment, 1, &spec, false, &t, err));
    snprintf(spec.column[0].step, TABLE_WORD_MAX, "a");
    spec.columns_len = 2;
    spec.allow_unequal_n = true;
    OK(table_make(f->s, &experiment, 1, &spec, false, &t, err));
    assert_int_equal(t->rows, 3);
    table_free(t);
}

static void unknown_step_is_named_with_those_there_are(void **state)
{
    struct fixture *f = *state;
    struct run_plan run = { 1, "a", NULL, two_levels, 3 };
    uint64_t experiment = fill(f->s, &run, 1);
    struct table_spec spec = labels_spec();
    struct table *t;

    snprintf(spec.column[1].step, TABLE_WORD_MAX, "lables");
    FAILS(ERR_INVALID,
          "column \"base\": no step \"lables\" with examples in this experiment (labels)",
          table_make(f->s, &experiment, 1, &spec, false, &t, err));
}

static void evaluation_that_follows_labels_is_called_oracle(void **state)
{
    struct fixture *f = *state;
    const struct part parts[] = { { "by_oracle", "evaluate", "math", 1, 10, 10, 9, 0 },
                                  { "plain", "evaluate", "math", 1, 10, 10, 9, 0 } };
    struct run_plan run = { 1, "a", NULL, parts, 2 };
    struct table_spec spec = { .rows = { { .name = "task", .head = "task" } },
                               .rows_len = 1,
                               .columns_len = 2,
                               .column = { { .head = "labels",
                                             .step = "by_oracle",
                                             .stat = TABLE_ACCURACY,
                                             .digits = -1,
                                             .metric = "" },
                                           { .head = "base",
                                             .step = "plain",
                                             .stat = TABLE_ACCURACY,
                                             .digits = -1,
                                             .metric = "" } } };
    uint64_t experiment = fill(f->s, &run, 1);
    struct table *t;

    OK(table_make(f->s, &experiment, 1, &spec, false, &t, err));
    assert_string_equal(t->head[1].text, "labels (oracle) %");
    assert_string_equal(t->head[2].text, "base %");
    table_free(t);
}

static void default_tables_put_steps_on_the_same_examples_side_by_side(void **state)
{
    struct fixture *f = *state;
    const struct part parts[] = { { "labels", "search", "math", 1, 10, 10, 5, 2 },
                                  { "train_base", "evaluate", "math", 1, 10, 10, 9, 0 },
                                  { "test_base", "evaluate", "math", 1, 30, 30, 9, 0 } };
    struct run_plan run = { 1, "a", NULL, parts, 3 };
    uint64_t experiment = fill(f->s, &run, 1);
    struct table_spec *specs;
    struct table *t;
    size_t n;

    OK(table_specs_default(f->s, experiment, &specs, &n, err));
    assert_int_equal(n, 2);
    assert_int_equal(specs[0].columns_len, 7);
    assert_string_equal(specs[0].column[6].head, "train_base");
    assert_int_equal(specs[1].columns_len, 2);
    for (size_t i = 0; i < n; i++) {
        OK(table_make(f->s, &experiment, 1, &specs[i], false, &t, err));
        table_free(t);
    }
    table_specs_free(specs, n);
    conf_close(conf);
    conf = NULL;
}

static void texts_of_parameters_are_shown_as_they_were_written(void **state)
{
    struct fixture *f = *state;
    struct run_plan runs[] = { { 1, "a", "\"x\\\\y \\\"z\\\"\"", two_levels, 3 },
                               { 1, "b", "[1, 0]", two_levels, 3 } };
    uint64_t experiment = fill(f->s, runs, 2);
    struct table_spec spec = labels_spec();
    struct buf out = { 0 };
    struct table *t;

    OK(table_make(f->s, &experiment, 1, &spec, false, &t, err));
    assert_string_equal(t->cell[0].text, "[1, 0]");
    assert_string_equal(t->cell[(t->rows - 1) * t->columns].text, "x\\y \"z\"");
    table_print(t, TABLE_LATEX, &bare, &out); /* no argument of the \\ in front of it */
    assert_non_null(strstr(buf_str(&out), "\n{}[1, 0] & "));
    buf_release(&out);
    table_free(t);
}

static int read_specs(const char *text, struct table_spec **ret, size_t *n, struct err *err)
{
    int rc;

    conf_close(conf);
    conf = NULL;
    rc = conf_open_text(&conf, "r.cfg", text, strlen(text), err);
    return rc ? rc : table_specs_read(conf_get(conf_root(conf), "tables"), ret, n, err);
}

static void recipe_says_what_to_show(void **state)
{
    struct table_spec *specs;
    size_t n;

    (void)state;
    OK(read_specs(
        "tables = ( { title = \"T\"; rows = [\"task\"]; allow_unequal_n = true; total = false;\n"
        "  columns = ( { head = \"n\"; step = \"labels\"; stat = \"n\"; },\n"
        "              { step = \"labels\"; stat = \"accuracy_ci\"; digits = 2; } ); } );",
        &specs, &n, err));
    assert_int_equal(n, 1);
    assert_string_equal(specs[0].title, "T");
    assert_int_equal(specs[0].rows_len, 1);
    assert_true(specs[0].allow_unequal_n);
    assert_false(specs[0].total);
    assert_string_equal(specs[0].column[1].head, "accuracy_ci");
    assert_int_equal(specs[0].column[1].stat, TABLE_ACCURACY_CI);
    assert_int_equal(specs[0].column[1].digits, 2);
    table_specs_free(specs, n);
    conf_close(conf);
    conf = NULL;
}

static void errors_of_a_recipe_have_their_line(void **state)
{
    static const struct {
        const char *text, *part;
    } cases[] = {
        { "tables = 3;", "r.cfg:1" },
        { "tables = ( {\n columns = ( ); } );", "r.cfg:2" },
        { "tables = ( {\n columns = (\n { step = \"a\"; stat = \"acuracy\"; } ); } );", "r.cfg:3" },
        { "tables = ( {\n columns = (\n { step = \"a\"; stat = \"acuracy\"; } ); } );",
          "accuracy" },
        { "tables = ( {\n columns = (\n { stat = \"n\"; } ); } );", "step" },
        { "tables = ( {\n colums = ( ); } );", "columns" },
        { "tables = ( {\n rows = [1]; columns = ( { step = \"a\"; stat = \"n\"; } ); } );",
          "r.cfg:2" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct table_spec *specs;
        size_t n;

        FAILS(ERR_INVALID, cases[i].part, read_specs(cases[i].text, &specs, &n, err));
    }
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(text_is_as_it_should_be),
        T(other_formats_carry_the_same_numbers),
        T(json_cells_can_be_traced),
        T(seeds_are_averaged_and_shared_results_count_once),
        T(two_seeds_have_no_interval),
        T(runs_of_different_parameters_are_never_averaged),
        T(unequal_n_is_refused_unless_allowed),
        T(unknown_step_is_named_with_those_there_are),
        T(evaluation_that_follows_labels_is_called_oracle),
        T(default_tables_put_steps_on_the_same_examples_side_by_side),
        T(texts_of_parameters_are_shown_as_they_were_written),
        T(recipe_says_what_to_show),
        T(errors_of_a_recipe_have_their_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
