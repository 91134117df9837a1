/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: metrics over whole sets are right, come with the result that completes the set, and only
 * then; what was stored by an older version stays as it was. Method: families filled by hand,
 * numbers worked out by hand (standard error of a share: sqrt(p (1 - p) / (n - 1))); a database of
 * the first schema, migrated. */
#include "tests/unit/store/scores.h"

#include "common/base/clock.h"
#include "store/sql_migrations.h"
#include "store/sqlite.h"

static void a_score_without_metrics_has_the_digest_it_always_had(void **state)
{
    struct fixture *f = *state;
    static const double logprob[] = { -1.25, -3.5, -2.0, -9.0 };
    struct store_score score = { .correct = true,
                                 .answer = "A",
                                 .layer_rows = 40,
                                 .layers = 5,
                                 .tokens = 31,
                                 .routing = (const uint8_t *)"\1\1\1\1\1",
                                 .routing_len = 5,
                                 .logprob = logprob,
                                 .logprob_len = 4,
                                 .pick = 0,
                                 .gold = 0,
                                 .truncated = 3,
                                 .generated = 2 };
    struct store_value_of values[] = { { "none", (double)NAN }, { "f1", 0.5 } };
    struct store_example_result r = { .score = &score,
                                      .example = { .id = 42,
                                                   .task = "arc_easy",
                                                   .split = "test",
                                                   .source_id = "Mercury_1",
                                                   .question = "q",
                                                   .gold = "a" } };
    enum store_verdict verdict;
    struct eval e;
    struct try t;
    char text[512];

    submit(f->s, "e", 1, 1, &e);
    begin(f->s);
    t = start(f->s, e.job[0]);
    r.attempt = t.attempt;
    r.epoch = t.epoch;
    OK(store_example_result(f->s, &r, &verdict, err));
    score.values = values;
    score.values_len = 1; /* only what does not apply */
    OK(store_example_result(f->s, &r, &verdict, err));
    assert_int_equal(verdict, STORE_REPEATED);
    score.values_len = 2;
    OK(store_example_result(f->s, &r, &verdict, err));
    assert_int_equal(verdict, STORE_INCIDENT);
    commit(f->s);
    assert_string_equal(text_of(f->path, "SELECT lower(hex(digest)) FROM score", text),
                        "cdd63a37aec133432ab04b1fdcf45f235bc5e5c754cee4ba0f3bd403074d852b");
}

static void the_last_shard_brings_the_summary(void **state)
{
    struct fixture *f = *state;
    struct eval e;

    submit(f->s, "e", 7, 3, &e);
    run_scores(f->s, e.job[2], 6, 7, choice); /* in any order */
    run_scores(f->s, e.job[0], 0, 3, choice);
    assert_int_equal(number(f->path, "SELECT count(*) FROM summary"), 0);
    assert_int_equal(number(f->path, "SELECT complete FROM family"), 3);
    run_scores(f->s, e.job[1], 3, 6, choice);
    assert_int_equal(number(f->path, "SELECT complete FROM family"), 7);
    assert_int_equal(number(f->path, "SELECT count(*) FROM summary"), 2);
    /* 0, 3, 6 of 7, and 0, 2, 4, 6 */
    assert_near(summary(f->path, 7, "acc", "value"), 3.0 / 7.0);
    assert_near(summary(f->path, 7, "acc", "stderr"), sqrt(3.0 / 7.0 * 4.0 / 7.0 / 6.0));
    assert_near(summary(f->path, 7, "acc_norm", "value"), 4.0 / 7.0);
    assert_near(summary(f->path, 7, "acc", "n"), 7);
    assert_near(summary(f->path, 7, "acc", "truncated"), 1);
    assert_true(isnan(summary(f->path, 7, "acc", "stderr_pooled")));
    assert_int_equal(number(f->path, "SELECT truncated FROM metric_summary WHERE metric = 'acc' "
                                     "AND experiment = 'e' AND step = 'score' AND n = 7"),
                     1);
    assert_int_equal(number(f->path, "SELECT truncated FROM accuracy"), 1);
}

static void every_number_of_examples_that_is_read_has_its_summary(void **state)
{
    struct fixture *f = *state;
    struct eval few, many, fewer;

    submit(f->s, "few", 4, 2, &few);
    submit(f->s, "many", 6, 6, &many); /* another shard, the same examples */
    run_scores(f->s, few.job[0], 0, 2, choice);
    run_scores(f->s, few.job[1], 2, 4, choice);
    assert_near(summary(f->path, 4, "acc", "value"), 2.0 / 4.0);
    assert_true(isnan(summary(f->path, 6, "acc", "value")));
    run_scores(f->s, many.job[0], 0, 6, choice);
    assert_near(summary(f->path, 6, "acc", "value"), 2.0 / 6.0);
    assert_int_equal(number(f->path, "SELECT count(*) FROM summary WHERE metric = 'acc'"), 2);
    /* Nothing is left to run: the submission itself brings it, once. */
    submit(f->s, "fewer", 3, 3, &fewer);
    assert_int_equal(fewer.sub.cached, 1);
    assert_near(summary(f->path, 3, "acc", "value"), 1.0 / 3.0);
    submit(f->s, "fewer again", 3, 3, &fewer);
    assert_int_equal(number(f->path, "SELECT count(*) FROM summary WHERE examples = 3"), 2);
}

static struct store_score wrong;
static void make_wrong(uint64_t i, struct store_score *score, struct store_example *example)
{
    (void)i;
    (void)example;
    score->pick = wrong.pick;
    score->gold = wrong.gold;
    score->values = wrong.values;
    score->values_len = wrong.values_len;
}

static void classes_and_metrics_out_of_range_are_refused(void **state)
{
    struct fixture *f = *state;
    struct store_value_of none = { "", 1 }, infinite = { "f1", (double)INFINITY };
    struct store_value_of many[STORE_VALUES_MAX + 1];
    struct eval e;
    struct try t;

    for (size_t i = 0; i < ARRAY_LEN(many); i++)
        many[i] = (struct store_value_of){ "x", 1 };
    submit(f->s, "e", 1, 1, &e);
    begin(f->s);
    t = start(f->s, e.job[0]);
    wrong = (struct store_score){ .pick = 64, .gold = 0 };
    FAILS(ERR_INVALID, "classes 64", send_score(f->s, t, 0, make_wrong, err));
    wrong = (struct store_score){ .pick = 0, .gold = -2 };
    FAILS(ERR_INVALID, "and -2", send_score(f->s, t, 0, make_wrong, err));
    wrong = (struct store_score){ .values = many, .values_len = ARRAY_LEN(many) };
    FAILS(ERR_INVALID, "33 metrics", send_score(f->s, t, 0, make_wrong, err));
    wrong = (struct store_score){ .values = &none, .values_len = 1 };
    FAILS(ERR_INVALID, "no name", send_score(f->s, t, 0, make_wrong, err));
    wrong = (struct store_score){ .values = &infinite, .values_len = 1 };
    FAILS(ERR_INVALID, "infinite", send_score(f->s, t, 0, make_wrong, err));
    wrong = (struct store_score){ .pick = 63, .gold = -1, .values = many, .values_len = 1 };
    OK(send_score(f->s, t, 0, make_wrong, err));
    commit(f->s);
    assert_int_equal(number(f->path, "SELECT pick = 63 AND gold_class IS NULL FROM score"), 1);
}

/* The first schema, with two scores of a family that nobody has summarised. */
static void make_old(const char *path)
{
    struct sqlite3 *db;
    char sql[64];

    OK(sqlite_connect(&db, path, CONNECT_WRITE, err));
    OK(sqlite_run(db, sql_migrations[0].text, err));
    OK(sqlite_run(
        db,
        "INSERT INTO family (id, key, kind, task, level, split)"
        "  VALUES (7, zeroblob(32), 'evaluate', 'arc_easy', 0, 'test');"
        "INSERT INTO example (id, task, level, split, number, source_id, question, gold)"
        "  VALUES (1, 'arc_easy', 0, 'test', 1, 'a', 'q', 'g'),"
        "         (2, 'arc_easy', 0, 'test', 2, 'b', 'q', 'g');"
        "INSERT INTO job (id, key, kind, kind_version, class, step, state, waiting, priority, seed,"
        "                 range_begin, range_end, retries, params, params_text, submitted_ms)"
        "  VALUES (1, zeroblob(32), 'evaluate', 1, 'c', 's', 'DONE', 0, 0, 0, 0, 2, 0, x'', '', 0);"
        "INSERT INTO attempt (id, job, epoch, incarnation, outcome, started_ms)"
        "  VALUES (1, 1, 1, 1, 'DONE', 0);"
        "INSERT INTO score (family, example, idx, attempt, correct, correct_norm, answer,"
        "                   layer_rows, layers, tokens, logprob, wall_us, digest)"
        "  VALUES (7, 1, 0, 1, 1, 0, 'A', 1, 5.0, 1, '[-1,-2]', 1, zeroblob(32)),"
        "         (7, 2, 1, 1, 1, 0, 'A', 1, 5.0, 1, '[-1,-2]', 1, zeroblob(32));"
        "PRAGMA user_version = 1",
        err));
    snprintf(sql, sizeof sql, "PRAGMA application_id = %d", STORE_APPLICATION_ID);
    OK(sqlite_run(db, sql, err));
    sqlite_disconnect(db);
}

static int setup_old(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    scratch(f);
    make_old(f->path);
    OK(store_open(&f->s, f->path, "tcp://127.0.0.1:1", err));
    *state = f;
    return 0;
}

static void an_older_store_keeps_its_rows_and_gains_summaries(void **state)
{
    struct fixture *f = *state;
    struct digest revision = key_of("r"), point = key_of("p");
    struct store_submission sub;
    uint64_t run;

    assert_int_equal(number(f->path, "SELECT count(*) FROM score WHERE metrics IS NULL AND "
                                     "pick IS NULL AND truncated = 0 AND generated = 0"),
                     2);
    assert_int_equal(number(f->path, "SELECT count(*) FROM example WHERE subset = ''"), 2);
    assert_int_equal(number(f->path, "SELECT complete FROM family"), 0);
    OK(store_submit_begin(f->s, "e", &revision, "", "", &sub, err));
    OK(store_submit_run(f->s, &sub, &point, 1, NULL, 0, &run, err));
    OK(store_submit_run_family(f->s, run, "score", 7, 2, err));
    OK(store_submit_end(f->s, &sub, NULL, err));
    assert_near(summary(f->path, 2, "acc", "value"), 1.0);
    assert_near(summary(f->path, 2, "acc_norm", "value"), 0.0);
    assert_near(summary(f->path, 2, "acc", "stderr"), 0.0);
    assert_int_equal(number(f->path, "SELECT n FROM accuracy WHERE accuracy = 1.0"), 2);
}

/* As MMLU's, in shards that come in any order. */
static void a_large_family_is_summarised_when_its_last_shard_comes(void **state)
{
    enum { N = 14042, SHARD = 50 };
    struct fixture *f = *state;
    struct eval e;
    struct store_result r = { .outcome = STORE_DONE };
    uint64_t begun = clock_ms();
    enum store_verdict verdict;

    submit(f->s, "mmlu", N, SHARD, &e);
    assert_int_equal(e.shards, 281);
    begin(f->s);
    for (size_t k = 0; k < e.shards; k++) {
        size_t shard = (k * 97 + 5) % e.shards; /* 97 is prime: each once, out of order */
        uint64_t from = shard * SHARD, to = from + SHARD < N ? from + SHARD : N;
        struct try t = start(f->s, e.job[shard]);

        for (uint64_t i = from; i < to; i++)
            OK(send_score(f->s, t, i, choice, err));
        r.attempt = t.attempt;
        r.epoch = t.epoch;
        OK(store_job_done(f->s, &r, &verdict, NULL, err));
    }
    commit(f->s);
    print_message("%d scores in %zu shards: %llu ms\n", N, e.shards,
                  (unsigned long long)(clock_ms() - begun));
    assert_int_equal(number(f->path, "SELECT complete FROM family"), N);
    assert_near(summary(f->path, N, "acc", "n"), N);
    assert_near(summary(f->path, N, "acc", "value"), (N + 2) / 3 / (double)N);
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_score_without_metrics_has_the_digest_it_always_had),
        T(the_last_shard_brings_the_summary),
        T(every_number_of_examples_that_is_read_has_its_summary),
        T(classes_and_metrics_out_of_range_are_refused),
        cmocka_unit_test_setup_teardown(an_older_store_keeps_its_rows_and_gains_summaries,
                                        setup_old, teardown),
        T(a_large_family_is_summarised_when_its_last_shard_comes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
