/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what searches know of each other's examples reaches the next one, once, in one order, and
 * nothing else does; a label set names its model and prompts; filters choose the labels they say;
 * a store of schema 6 keeps its labels. Method: families by hand with the same and other
 * evaluations; expected text in full; a store made by SQL in the old schema. */
#include "tests/unit/store/small_plan.h"

#include "common/base/json.h"
#include "store/hint.h"
#include "store/migrate.h"
#include "store/sql_migrations.h"
#include "store/sqlite.h"

struct search {
    uint64_t run, family, job;
};

/* An experiment NAME with one search of EXAMPLES examples in one shard. */
static struct search submit(struct store *s, const char *name, const char *evaluation,
                            uint64_t examples, const char *params)
{
    struct digest revision = key_of(name), point = key_of(name), model = key_of("weights");
    struct store_submission sub = { 0 };
    struct search ret;
    struct store_family family = {
        .key = key_of(name), .kind = "search", .task = "math", .split = "train", .level = 1
    };
    struct store_input in = { .name = "model", .source = STORE_BLOB, .digest = model };
    struct store_job_family jf;
    struct store_job_spec spec = { .kind = "search",
                                   .numeric_class = "packed-1",
                                   .step = "labels",
                                   .kind_version = 2,
                                   .params = "p",
                                   .params_len = 1,
                                   .params_text = params,
                                   .end = examples,
                                   .inputs = &in,
                                   .inputs_len = 1,
                                   .families_len = 1,
                                   .runs_len = 1 };

    if (evaluation)
        family.evaluation = key_of(evaluation);
    OK(store_submit_begin(s, name, &revision, "x", "x.cfg", &sub, err));
    OK(store_submit_file(s, &model, 7, "/models/weights", false, err));
    OK(store_submit_run(s, &sub, &point, 1, NULL, 0, &ret.run, err));
    OK(store_submit_family(s, &family, &ret.family, err));
    OK(store_submit_run_family(s, ret.run, "labels", ret.family, examples, err));
    jf = (struct store_job_family){ ret.family, 0 };
    spec.families = &jf;
    spec.runs = &ret.run;
    spec.key = key_of(name);
    OK(store_submit_job(s, &sub, &spec, &ret.job, err));
    OK(store_submit_end(s, &sub, NULL, err));
    return ret;
}

struct path {
    const char *routing;
    double reward;
    const char *answer;
};

/* A result for example I of T's shard with these paths. */
static void send(struct store *s, struct try t, uint64_t i, const struct path *p, size_t n)
{
    struct store_entry log[8] = { 0 };
    uint8_t bytes[8][4];
    enum store_verdict verdict;
    struct store_label label = { .base_correct = p[0].reward > 0,
                                 .layers = 4,
                                 .label_layers = 4,
                                 .simulations = 50,
                                 .evaluations = (uint32_t)n,
                                 .hinted = 1,
                                 .base_answer = p[0].answer,
                                 .label_answer = "",
                                 .log = log,
                                 .log_len = n };
    struct store_example_result r = {
        .attempt = t.attempt,
        .epoch = t.epoch,
        .label = &label,
        .example = { .id = 0xA0 + i,
                     .index = i,
                     .task = "math",
                     .split = "train",
                     .level = 1,
                     .source_id = "x",
                     .question = "x=",
                     .gold = "7" },
    };

    for (size_t k = 0; k < n; k++) {
        for (size_t l = 0; l < 4; l++)
            bytes[k][l] = (uint8_t)(p[k].routing[l] - '0');
        log[k] = (struct store_entry){ .parent = (int32_t)k - 1,
                                       .routing = bytes[k],
                                       .routing_len = 4,
                                       .reward = p[k].reward,
                                       .answer = p[k].answer,
                                       .visits = 1 };
        if (p[k].reward > 0 && !label.has_label) {
            label.has_label = true;
            label.routing = bytes[k];
            label.routing_len = 4;
            label.label_answer = p[k].answer;
            label.label_layers = 0;
            for (size_t l = 0; l < 4; l++)
                label.label_layers += bytes[k][l];
        }
    }
    OK(store_example_result(s, &r, &verdict, err));
    assert_int_equal(verdict, STORE_STORED);
}

static void expect_hint(struct store *s, uint64_t job, size_t limit, const char *expected)
{
    CLEANUP(buf_release) struct buf text = { 0 };
    struct store_job j;

    OK(store_job_load(s, job, &j, err));
    OK(store_hint(s, &j, limit, &text, err));
    assert_string_equal(buf_str(&text), expected);
    store_job_release(&j);
}

#define LINE_0                                                                                     \
    "{\"id\":\"00000000000000a0\",\"paths\":[[\"0111\",0,\"6\"],[\"1011\",1,\"7\"],[\"1111\",1,"   \
    "\"7\"],[\"1121\",0,\"say \\\"9\\\"\"]]}\n"
#define LINE_1 "{\"id\":\"00000000000000a1\",\"paths\":[[\"1111\",0,\"3\"]]}\n"

static void hint_merges_what_searches_of_the_same_evaluation_found(void **state)
{
    struct fixture *f = *state;
    static const struct path a0[] = { { "1111", 1, "7" },
                                      { "1121", 0, "say \"9\"" },
                                      { "1011", 1, "7" } };
    static const struct path b0[] = { { "1111", 1, "7" }, { "0111", 0, "6" } };
    static const struct path c0[] = { { "1111", 0, "5" }, { "1012", 1, "7" } };
    static const struct path a1[] = { { "1111", 0, "3" } };
    struct search a = submit(f->s, "a", "same", 2, ""), b = submit(f->s, "b", "same", 2, ""),
                  c = submit(f->s, "c", "other", 2, ""), n = submit(f->s, "n", NULL, 2, ""),
                  o = submit(f->s, "o", NULL, 2, ""), d = submit(f->s, "d", "same", 2, "");

    expect_hint(f->s, d.job, 1 << 20, "");
    begin(f->s);
    send(f->s, start(f->s, a.job), 0, a0, ARRAY_LEN(a0));
    send(f->s, start(f->s, b.job), 0, b0, ARRAY_LEN(b0));
    send(f->s, start(f->s, c.job), 0, c0, ARRAY_LEN(c0));
    send(f->s, start(f->s, n.job), 0, c0, ARRAY_LEN(c0));
    send(f->s, start(f->s, b.job), 1, a1, ARRAY_LEN(a1));
    commit(f->s);
    expect_hint(f->s, d.job, 1 << 20, LINE_0 LINE_1);
    /* Its own results are no hint, nor what it needs no more; no evaluation is no common one. */
    expect_hint(f->s, a.job, 1 << 20, LINE_1);
    expect_hint(f->s, o.job, 1 << 20, "");
    /* Whole lines within the limit. */
    expect_hint(f->s, d.job, strlen(LINE_0) + 5, LINE_0);
    expect_hint(f->s, d.job, strlen(LINE_0) - 1, "");
}

static void hint_leaves_out_what_is_contradicted_or_no_text(void **state)
{
    struct fixture *f = *state;
    static const struct path a0[] = { { "1111", 1, "7" }, { "1011", 1, "7" } };
    static const struct path b0[] = { { "1111", 1, "7" },
                                      { "1011", 0, "8" },
                                      { "1101", 1, "\xff" } };
    struct search a = submit(f->s, "a", "same", 1, ""), b = submit(f->s, "b", "same", 1, ""),
                  d = submit(f->s, "d", "same", 1, "");

    begin(f->s);
    send(f->s, start(f->s, a.job), 0, a0, ARRAY_LEN(a0));
    send(f->s, start(f->s, b.job), 0, b0, ARRAY_LEN(b0));
    commit(f->s);
    expect_hint(f->s, d.job, 1 << 20,
                "{\"id\":\"00000000000000a0\",\"paths\":[[\"1111\",1,\"7\"]]}\n");
}

static void an_evaluation_comes_with_a_later_plan_and_stays(void **state)
{
    struct fixture *f = *state;
    struct search a = submit(f->s, "a", NULL, 1, "");

    assert_int_equal(number(f->path, "SELECT evaluation IS NULL FROM family"), 1);
    assert_int_equal(submit(f->s, "a", "same", 1, "").family, a.family);
    assert_int_equal(number(f->path, "SELECT length(evaluation) FROM family"), 32);
    (void)submit(f->s, "a", NULL, 1, "");
    assert_int_equal(number(f->path, "SELECT length(evaluation) FROM family"), 32);
}

static void family_names_model_and_prompts(void **state)
{
    struct fixture *f = *state;
    struct store_family_model m;
    struct digest weights = key_of("weights");
    struct search a = submit(f->s, "a", NULL, 1, "task = \"math\"\n"),
                  b = submit(f->s, "b", NULL, 1,
                             "task = \"math\"\nprompts = \"dr_llm\"\nfewshot = 2\n");

    OK(store_family_model(f->s, a.family, &m, err));
    assert_true(digest_equal(&m.model, &weights));
    assert_string_equal(m.prompts, "harness");
    assert_int_equal(m.fewshot, -1);
    OK(store_family_model(f->s, b.family, &m, err));
    assert_string_equal(m.prompts, "dr_llm");
    assert_int_equal(m.fewshot, 2);
    FAILS(ERR_NOT_FOUND, "submit the recipe again", store_family_model(f->s, 99, &m, err));
}

static int count(const struct store_label_row *row, void *arg)
{
    uint64_t *bits = arg;

    *bits |= 1u << row->index;
    return 0;
}

static void expect_labels(struct store *s, struct store_label_filter filter, uint64_t expected)
{
    uint64_t bits = 0;

    filter.level = -1;
    OK(store_list_labels(s, &filter, count, &bits, err));
    assert_int_equal(bits, expected);
}

static void filters_choose_the_labels_that_they_say(void **state)
{
    struct fixture *f = *state;
    static const struct path shorter[] = { { "1111", 1, "7" } }; /* 0: preserved, 4 layers */
    static const struct path fixed[] = { { "1111", 0, "6" }, { "1011", 1, "7" } }; /* 1: improved */
    static const struct path longer[] = { { "1111", 0, "6" },
                                          { "1121", 1, "7" } }; /* 2: improved */
    static const struct path lost[] = { { "1111", 0, "6" } };   /* 3: unsolved */
    struct search a = submit(f->s, "a", NULL, 4, "");
    struct try t;

    begin(f->s);
    t = start(f->s, a.job);
    send(f->s, t, 0, shorter, 1);
    send(f->s, t, 1, fixed, 2);
    send(f->s, t, 2, longer, 2);
    send(f->s, t, 3, lost, 1);
    commit(f->s);
    expect_labels(f->s, (struct store_label_filter){ 0 }, 0xf);
    expect_labels(f->s, (struct store_label_filter){ .improved = true }, 0x6);
    expect_labels(f->s, (struct store_label_filter){ .preserved = true }, 0x1);
    expect_labels(f->s, (struct store_label_filter){ .unsolved = true, .preserved = true }, 0x9);
    expect_labels(f->s, (struct store_label_filter){ .shorter = true }, 0x2);
    expect_labels(f->s, (struct store_label_filter){ .min_layers = 4 }, 0x5);
    expect_labels(f->s, (struct store_label_filter){ .max_layers = 4 }, 0x3);
    expect_labels(f->s, (struct store_label_filter){ .at = { { 1, '0' } }, .at_len = 1 }, 0x2);
    expect_labels(f->s, (struct store_label_filter){ .at = { { 2, '2' } }, .at_len = 1 }, 0x4);
    expect_labels(f->s, (struct store_label_filter){ .at = { { 9, '1' } }, .at_len = 1 }, 0);
    expect_labels(f->s, (struct store_label_filter){ .split = "test" }, 0);
    expect_labels(f->s, (struct store_label_filter){ .run = a.run, .limit = 2 }, 0x3);
    expect_labels(f->s, (struct store_label_filter){ .run = a.run + 1 }, 0);
    assert_int_equal(number(f->path, "SELECT sum(evaluations - hinted) FROM routing"), 2);
    assert_int_equal(number(f->path, "SELECT count(*) FROM routing WHERE improved"), 2);
}

static void store_of_schema_6_keeps_its_labels(void **state)
{
    struct fixture f;
    struct sqlite3 *db;

    (void)state;
    scratch(&f);
    OK(sqlite_connect(&db, f.path, CONNECT_WRITE, err));
    for (int i = 0; i < 6; i++)
        OK(sqlite_run(db, sql_migrations[i].text, err));
    OK(sqlite_run(db,
                  "INSERT INTO family (id, key, kind, task, level, split) VALUES (1, "
                  "zeroblob(32), 'search', 'math', 1, 'train');"
                  "INSERT INTO experiment (id, name, submitted_ms) VALUES (1, 'e', 0);"
                  "INSERT INTO revision (id, experiment, number, digest, recipe, path, "
                  "submitted_ms) VALUES (1, 1, 1, zeroblob(32), '', '', 0);"
                  "INSERT INTO run (id, experiment, digest, seed, revision) VALUES (1, 1, "
                  "zeroblob(32), 1, 1);"
                  "INSERT INTO run_family (run, step, family, examples) VALUES (1, 'l', 1, 1);"
                  "INSERT INTO job (id, key, kind, kind_version, class, step, state, waiting, "
                  "priority, seed, range_begin, range_end, retries, params, params_text, "
                  "submitted_ms) VALUES (1, zeroblob(32), 'search', 1, 'c', 'l', 'DONE', 0, 0, 1, "
                  "0, 1, 0, x'', '', 0);"
                  "INSERT INTO attempt (id, job, epoch, incarnation, outcome, started_ms) VALUES "
                  "(1, 1, 1, 1, 'DONE', 0);"
                  "INSERT INTO example (id, task, level, split, number, source_id, question, gold)"
                  " VALUES (1, 'math', 1, 'train', 5, '', '', '');"
                  "INSERT INTO label (family, example, idx, attempt, base_correct, has_label, "
                  "routing, layers, label_layers, simulations, evaluations, layer_rows, "
                  "layer_rows_whole, base_answer, label_answer, wall_us, digest) VALUES "
                  "(1, 1, 0, 1, 0, 1, '10', 2, 1, 50, 30, 1, 4, 'a', 'b', 9, zeroblob(32));"
                  "PRAGMA user_version = 6",
                  err));
    {
        char text[64];

        snprintf(text, sizeof text, "PRAGMA application_id = %d", STORE_APPLICATION_ID);
        OK(sqlite_run(db, text, err));
    }
    sqlite_disconnect(db);
    OK(store_open(&f.s, f.path, "", err));
    store_close(f.s);
    assert_int_equal(number(f.path, "SELECT hinted FROM label"), 0);
    assert_int_equal(number(f.path, "SELECT evaluation IS NULL FROM family"), 1);
    assert_int_equal(
        number(f.path, "SELECT saved = 0.75 AND improved AND wall_us = 9 FROM routing"), 1);
    remove_tree(f.dir);
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(hint_merges_what_searches_of_the_same_evaluation_found),
        T(hint_leaves_out_what_is_contradicted_or_no_text),
        T(an_evaluation_comes_with_a_later_plan_and_stays),
        T(family_names_model_and_prompts),
        T(filters_choose_the_labels_that_they_say),
        cmocka_unit_test(store_of_schema_6_keeps_its_labels),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
