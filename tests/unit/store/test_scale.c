/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what the writer keeps beside the rows always equals what the rows say: tallies, vectors,
 * summaries of runs, sums for tables; results sent in batches end as those sent one by one; a store
 * of schema 2 loses nothing. Method: random histories (plans with other points, shard sizes and
 * numbers of examples; jobs that finish, fail, diverge; cancelling; results that come again) with
 * plain SQL over the rows as the oracle, asked after each step; a store written by SQL in the old
 * schema. */
#include "tests/unit/store/scores.h"

#include "store/migrate.h"
#include "store/sql_migrations.h"
#include "store/sqlite.h"

static uint64_t state = 88172645463325252u;

static uint64_t draw(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* run_summary from scratch, by the definition of its columns. */
#define SCRATCH                                                                                    \
    "SELECT run.id, run.experiment, count(job.id), total(job.state = 'WAITING'),"                  \
    " total(job.state = 'READY'), total(job.state = 'DONE'), total(job.state = 'FAILED'),"         \
    " total(job.state = 'SKIPPED'), total(job.state = 'CANCELLED'), total(job.diverged),"          \
    " total(attempt.wall_ms), total(attempt.wall_ms) / 1000.0,"                                    \
    " (SELECT sum(correct) * 1.0 / count(*) FROM score JOIN run_family USING (family) JOIN family" \
    "  ON family.id = score.family WHERE run = run.id AND idx < examples AND complete >= "         \
    "examples)"                                                                                    \
    ", (SELECT sum(base_correct) * 1.0 / count(*) FROM label JOIN run_family USING (family) JOIN " \
    "  family ON family.id = label.family WHERE run = run.id AND idx < examples AND complete >= "  \
    "  examples),"                                                                                 \
    " (SELECT sum(has_label) * 1.0 / count(*) FROM label JOIN run_family USING (family) JOIN "     \
    "  family ON family.id = label.family WHERE run = run.id AND idx < examples AND complete >= "  \
    "  examples),"                                                                                 \
    " (SELECT count(*) FROM score JOIN run_family USING (family) JOIN family ON family.id = "      \
    "  score.family WHERE run = run.id AND idx < examples AND complete >= examples),"              \
    " (SELECT total(tokens) FROM score JOIN run_family USING (family) JOIN family ON family.id = " \
    "  score.family WHERE run = run.id AND idx < examples AND complete >= examples),"              \
    " (SELECT min(started_ms) FROM run_job JOIN attempt USING (job) WHERE run_job.run = run.id"    \
    "  AND ended_ms IS NOT NULL),"                                                                 \
    " (SELECT max(ended_ms) FROM run_job JOIN attempt USING (job) WHERE run_job.run = run.id)"     \
    " FROM run LEFT JOIN run_job ON run_job.run = run.id LEFT JOIN job ON job.id = run_job.job"    \
    " LEFT JOIN attempt ON attempt.id = job.attempt GROUP BY run.id"

#define KEPT                                                                                       \
    "SELECT run, experiment, jobs, waiting, ready, done, failed, skipped, cancelled, diverged,"    \
    " wall_ms, seconds, accuracy, base, oracle, n, tokens, first_ms, last_ms FROM run_summary"

static void check_summaries(struct fixture *f)
{
    char text[512];

    if (number(f->path, "SELECT count(*) FROM (" KEPT " EXCEPT " SCRATCH ")") == 0 &&
        number(f->path, "SELECT count(*) FROM (" SCRATCH " EXCEPT " KEPT ")") == 0)
        return;
    fail_msg("run_summary: %s",
             text_of(f->path,
                     "SELECT group_concat(format('%d %d %d %d %d %d', run, waiting, ready, done, "
                     "failed, wall_ms), '; ') FROM run_summary",
                     text));
}

/* Tallies against their rows. Sums of small whole numbers are exact, layers included. */
static void check_tallies(struct fixture *f)
{
    assert_int_equal(
        number(
            f->path,
            "SELECT count(*) FROM tally WHERE part = 0 AND search = 1 AND (n, correct, labelled,"
            " preserved, improved, layers_label, layers_all, layers_base, repeats) <>"
            " (SELECT count(*), sum(base_correct), sum(has_label), sum(base_correct AND has_label),"
            " sum(NOT base_correct AND has_label), total(label_layers * has_label), "
            " total(label_layers), total(layers), sum(repeats) FROM label"
            " WHERE label.family = tally.family AND idx < examples)"),
        0);
    assert_int_equal(
        number(f->path,
               "SELECT count(*) FROM tally WHERE search = 0 AND (n, correct, correct_norm,"
               " layers_all, tokens, generated, truncated, repeats) <> (SELECT count(*),"
               " sum(correct), sum(correct_norm), total(layers), sum(tokens), sum(generated),"
               " sum(truncated > 0), sum(repeats) FROM score JOIN example ON example.id = example"
               " WHERE score.family = tally.family AND idx < examples"
               " AND (part = 0 OR example.subset = tally.subset))"),
        0);
    assert_int_equal(
        number(f->path, "SELECT count(*) FROM run_family JOIN family ON family.id = family "
                        "WHERE examples > 0 AND complete >= examples AND NOT EXISTS (SELECT 1 FROM "
                        "tally WHERE tally.family = run_family.family AND tally.examples = "
                        "run_family.examples AND part = 0)"),
        0);
}

/* Let a ready job end in one of the ways there are. */
static void work(struct fixture *f)
{
    struct store_ready ready[16];
    size_t n = ready_jobs(f->s, 0, ready);
    struct store_job j;
    enum store_verdict verdict;
    uint64_t how = draw() % 10;
    struct store_result r = { .wall_ms = draw() % 5000, .environment = "cpu" };
    struct store_output out = { .name = "model", .digest = key_of("w"), .size_bytes = 1 };
    struct try t;
    int rc = 0;

    if (n == 0)
        return;
    OK(store_job_load(f->s, ready[draw() % n].job, &j, err));
    OK(blobs_put(store_blobs(f->s), "w", 1, &out.digest, err));
    begin(f->s);
    t = start(f->s, j.id);
    r.attempt = t.attempt;
    r.epoch = t.epoch;
    for (uint64_t i = j.begin; i < j.end; i++)
        rc |= send_label(f->s, t.attempt, t.epoch, i, "8", &verdict, NULL);
    assert_int_equal(rc, 0);
    if (draw() % 3 == 0 && j.end > j.begin) /* again */
        OK(send_label(f->s, t.attempt, t.epoch, j.begin, "8", &verdict, err));
    r.outcome = how < 6 ? STORE_DONE : how == 6 ? STORE_DIVERGED : STORE_FAILED;
    r.outputs = &out;
    r.outputs_len = j.end == j.begin && r.outcome == STORE_DONE;
    if (r.outcome == STORE_FAILED)
        OK(store_attempt_end(f->s, &r, how == 8, NULL, err));
    else
        OK(store_job_done(f->s, &r, &verdict, NULL, err));
    commit(f->s);
    store_job_release(&j);
}

static void plan_something(struct fixture *f)
{
    static const char *const names[] = { "exp", "other" };
    char point[16], revision[16];
    struct plan_options o = { .name = names[draw() % 2],
                              .revision = revision,
                              .point = point,
                              .examples = 2 + 2 * (draw() % 4),
                              .shard = 1 + draw() % 3 };
    struct plan p;

    snprintf(point, sizeof point, "p%d", (int)(draw() % 3));
    snprintf(revision, sizeof revision, "r%d", (int)(draw() % 4));
    submit_plan(f->s, o, &p);
}

static void kept_rows_equal_those_from_scratch(void **state_)
{
    struct fixture *f = *state_;

    plan_something(f);
    for (int step = 0; step < 150; step++) {
        uint64_t what = draw() % 20;

        if (what < 4) {
            plan_something(f);
        } else if (what == 4) {
            struct err err = { 0 };

            begin(f->s);
            (void)!store_cancel(f->s, draw() % 2 ? "exp" : "other", NULL, &err); /* may not be */
            commit(f->s);
        } else {
            work(f);
        }
        check_summaries(f);
        check_tallies(f);
    }
    assert_true(number(f->path, "SELECT count(*) FROM tally WHERE search = 1") > 1);
    assert_true(number(f->path, "SELECT count(*) FROM attempt WHERE outcome = 'FAILED'") > 3);
    assert_true(number(f->path, "SELECT count(*) FROM attempt WHERE outcome = 'DONE'") > 5);
}

struct seen {
    const char *path;
    size_t rows;
};

static int check_sums(const struct store_sums *x, void *arg)
{
    struct seen *seen = arg;
    char sql[512];

    snprintf(sql, sizeof sql,
             "SELECT count(*) = %d AND total(correct) = %d AND total(correct_norm) = %d AND "
             "total(layers) = %.17g AND total(repeats) = %d AND total(truncated > 0) = %d FROM "
             "score JOIN example ON example.id = example WHERE family = %d AND idx < 30 AND "
             "('%s' = '' OR subset = '%s')",
             (int)x->n, (int)x->correct, (int)x->norm, x->layers_all, (int)x->repeats,
             (int)x->truncated, (int)x->family_id, x->subset, x->subset);
    assert_int_equal(number(seen->path, sql), 1);
    seen->rows++;
    return 0;
}

/* Parts "x" and "y", metrics that do not always apply, all numbers exact in binary. */
static void mixed(uint64_t i, struct store_score *score, struct store_example *example)
{
    static struct store_value_of value[2];

    choice(i, score, example);
    example->subset = i % 3 ? "x" : "y";
    score->layers = 4.0 + (double)(i % 8) / 8;
    score->tokens = 5 + i;
    score->generated = i % 4;
    value[0] = (struct store_value_of){ "f1", i % 5 == 0 ? NAN : (double)i / 64 };
    value[1] = (struct store_value_of){ "third", (double)i / 3 };
    score->values = value;
    score->values_len = 2;
}

static void check_vector(struct store *s, uint64_t family, const char *metric, uint64_t n,
                         double expected(uint64_t i))
{
    double v[64];
    uint64_t have = 0;

    OK(store_vector(s, family, n, metric, v, &have, err));
    for (uint64_t i = 0; i < n; i++) {
        double e = i < have ? expected(i) : (double)NAN;

        if (isnan(e) ? !isnan(v[i]) : v[i] != e)
            fail_msg("%s %d: %.17g is not %.17g", metric, (int)i, v[i], e);
    }
}

static double is_correct(uint64_t i)
{
    return i % 3 == 0;
}
static double is_norm(uint64_t i)
{
    return i % 2 == 0;
}
static double is_f1(uint64_t i)
{
    return i % 5 == 0 ? (double)NAN : (double)i / 64;
}
static double is_third(uint64_t i)
{
    return (double)i / 3;
}
static double is_layers(uint64_t i)
{
    return 4.0 + (double)(i % 8) / 8;
}
static double is_tokens(uint64_t i)
{
    return 5.0 + (double)i;
}

static void check_vectors(struct store *s, uint64_t family, uint64_t n)
{
    check_vector(s, family, "acc", n, is_correct);
    check_vector(s, family, "correct", n, is_correct);
    check_vector(s, family, "acc_norm", n, is_norm);
    check_vector(s, family, "f1", n, is_f1);
    check_vector(s, family, "third", n, is_third);
    check_vector(s, family, "layers", n, is_layers);
    check_vector(s, family, "tokens", n, is_tokens);
}

static void sums_and_vectors_equal_the_rows_before_and_after_completion(void **state_)
{
    struct fixture *f = *state_;
    struct eval e;
    struct seen seen = { .path = f->path };
    double v[4];

    submit(f->s, "exp", 30, 10, &e);
    run_scores(f->s, e.job[0], 0, 10, mixed);
    OK(store_list_sums(f->s, e.sub.experiment, check_sums, &seen, err));
    OK(store_list_subset_sums(f->s, e.sub.experiment, check_sums, &seen, err));
    assert_int_equal(seen.rows, 3);
    check_vectors(f->s, e.family, 10);
    FAILS(ERR_NOT_FOUND, "no metric \"em\"", store_vector(f->s, e.family, 4, "em", v, NULL, err));
    run_scores(f->s, e.job[1], 10, 20, mixed);
    assert_int_equal(number(f->path, "SELECT count(*) FROM tally"), 0);
    run_scores(f->s, e.job[2], 20, 30, mixed);
    assert_int_equal(number(f->path, "SELECT count(*) FROM tally"), 3);
    seen.rows = 0;
    OK(store_list_sums(f->s, e.sub.experiment, check_sums, &seen, err));
    OK(store_list_subset_sums(f->s, e.sub.experiment, check_sums, &seen, err));
    assert_int_equal(seen.rows, 3);
    check_vectors(f->s, e.family, 30);
    check_vectors(f->s, e.family, 7);
    FAILS(ERR_NOT_FOUND, "it has correct, correct_norm, third, f1, layers",
          store_vector(f->s, e.family, 4, "em", v, NULL, err));
    FAILS(ERR_NOT_FOUND, "no family", store_vector(f->s, 99, 4, "acc", v, NULL, err));
    check_tallies(f);
    check_summaries(f);
    submit(f->s, "exp", 20, 10, &e); /* a shorter wish later */
    check_tallies(f);
    check_summaries(f);
}

static void a_repeated_result_is_counted_in_every_tally_that_holds_it(void **state_)
{
    struct fixture *f = *state_;
    struct eval a, b;
    struct try t;

    submit(f->s, "exp", 30, 30, &a);
    submit(f->s, "other", 10, 10, &b);
    begin(f->s);
    t = start(f->s, a.job[0]);
    commit(f->s);
    run_scores(f->s, a.job[0], 0, 30, mixed);
    begin(f->s);
    OK(send_score(f->s, t, 4, mixed, err));
    OK(send_score(f->s, t, 25, mixed, err));
    OK(send_score(f->s, t, 25, mixed, err));
    commit(f->s);
    check_tallies(f);
    assert_int_equal(number(f->path, "SELECT repeats FROM tally WHERE examples = 30 AND part = 0"),
                     3);
    assert_int_equal(number(f->path, "SELECT sum(repeats) FROM tally WHERE part > 0 AND "
                                     "examples = 30"),
                     3);
}

/* One result of a batch. */
struct one {
    struct store_score score;
    struct store_example_result result;
};

static void fill(struct one *o, struct try t, uint64_t i)
{
    o->score = (struct store_score){
        .answer = "a", .layers = 5, .tokens = 10, .layer_rows = 50, .pick = -1, .gold = -1
    };
    o->result = (struct store_example_result){ .attempt = t.attempt,
                                               .epoch = t.epoch,
                                               .score = &o->score,
                                               .example = { .id = 1000 + i,
                                                            .index = i,
                                                            .task = "cola",
                                                            .split = "validation",
                                                            .source_id = "x",
                                                            .question = "q",
                                                            .gold = "g" } };
}

static void batch_has_the_verdicts_of_single_results(void **state_)
{
    struct fixture *f = *state_;
    struct one one[8];
    struct store_example_result r[8];
    enum store_verdict verdict[8];
    int rc[8];
    struct err e = { 0 };
    struct eval ev;
    struct try t;

    submit(f->s, "exp", 30, 30, &ev);
    begin(f->s);
    t = start(f->s, ev.job[0]);
    for (uint64_t i = 0; i < 8; i++)
        fill(&one[i], t, i);
    one[2].result.epoch = 77;
    one[3].result.example.index = 30;
    one[4].score.routing = (const uint8_t *)"\1\3";
    one[4].score.routing_len = 2;
    fill(&one[5], t, 0); /* the first again */
    fill(&one[6], t, 1);
    one[6].score.answer = "b"; /* the second, other bits */
    for (size_t i = 0; i < 8; i++) {
        r[i] = one[i].result;
        r[i].score = &one[i].score;
    }
    assert_int_equal(store_example_results(f->s, r, 8, verdict, rc, &e), 0);
    commit(f->s);
    assert_int_equal(rc[2], ERR_STALE);
    assert_int_equal(rc[3], ERR_INVALID);
    assert_int_equal(rc[4], ERR_INVALID);
    assert_non_null(strstr(e.text, "epoch"));
    assert_int_equal(rc[0] | rc[1] | rc[5] | rc[6] | rc[7], 0);
    assert_int_equal(verdict[0], STORE_STORED);
    assert_int_equal(verdict[5], STORE_REPEATED);
    assert_int_equal(verdict[6], STORE_INCIDENT);
    assert_int_equal(verdict[7], STORE_STORED);
    assert_int_equal(number(f->path, "SELECT count(*) FROM score"), 3);
    assert_int_equal(number(f->path, "SELECT count(*) FROM example"), 3);
    assert_int_equal(number(f->path, "SELECT sum(repeats) FROM score"), 1);
    assert_int_equal(number(f->path, "SELECT count(*) FROM event WHERE kind = 'incident'"), 1);
}

/* The writer leaves bound what did not change, and texts by their address: rows from one buffer
 * with other words in it, and numbers that come and go, must be the rows that were sent. */
static void a_row_holds_its_own_values(void **state_)
{
    struct fixture *f = *state_;
    enum store_verdict verdict;
    char answer[2] = "a";
    uint8_t routing[9] = { 0 };
    struct eval ev;
    struct try t;

    submit(f->s, "exp", 30, 30, &ev);
    begin(f->s);
    t = start(f->s, ev.job[0]);
    for (uint64_t i = 0; i < 9; i++) {
        struct one one;

        fill(&one, t, i);
        answer[0] = (char)('a' + i);
        routing[i] = 2;
        one.result.score = &one.score;
        one.score.answer = answer;
        one.score.routing = routing;
        one.score.routing_len = sizeof routing;
        one.score.correct = i % 2;
        one.score.pick = (int)(i % 3) - 1;
        OK(store_example_result(f->s, &one.result, &verdict, err));
        assert_int_equal(verdict, STORE_STORED);
    }
    commit(f->s);
    assert_int_equal(number(f->path, "SELECT count(*) FROM score WHERE answer = char(97 + idx) AND "
                                     "correct = idx % 2 AND coalesce(pick, -1) = idx % 3 - 1 AND "
                                     "routing = substr('222222222', 1, idx + 1) || "
                                     "substr('000000000', idx + 2)"),
                     9);
}

static void what_a_rollback_took_is_not_remembered(void **state_)
{
    struct fixture *f = *state_;
    struct eval ev;
    struct try t;

    submit(f->s, "exp", 30, 30, &ev);
    begin(f->s);
    t = start(f->s, ev.job[0]);
    OK(send_score(f->s, t, 3, choice, err));
    store_rollback(f->s);
    begin(f->s);
    FAILS(ERR_STALE, "no attempt", send_score(f->s, t, 3, choice, err));
    t = start(f->s, ev.job[0]);
    OK(send_score(f->s, t, 4, choice, err));
    OK(send_score(f->s, t, 3, choice, err));
    commit(f->s);
    assert_int_equal(number(f->path, "SELECT count(*) FROM score JOIN example ON "
                                     "example.id = score.example AND number = 1000 + idx"),
                     2);
}

/* A store as drover wrote it with schema 2: two runs of one experiment, a search and an evaluation
 * that are complete, one that is not, metrics of two attempts. */
static void write_old_store(const char *path)
{
    struct sqlite3 *db;
    struct buf sql = { 0 };

    OK(sqlite_connect(&db, path, CONNECT_WRITE, err));
    OK(sqlite_run(db, sql_migrations[0].text, err));
    OK(sqlite_run(db, sql_migrations[1].text, err));
    buf_printf(&sql, "PRAGMA application_id = %d; PRAGMA user_version = 2;", STORE_APPLICATION_ID);
    buf_adds(
        &sql,
        "BEGIN;"
        "INSERT INTO experiment VALUES (1, 'old', NULL, 5, 0);"
        "INSERT INTO revision VALUES (1, 1, 1, zeroblob(32), '', '', 5);"
        "UPDATE experiment SET revision = 1;"
        "INSERT INTO run VALUES (1, 1, zeroblob(32), 1, 1, 0),"
        " (2, 1, randomblob(32), 2, 1, 0);"
        "INSERT INTO family (id, key, kind, task, level, split, complete) VALUES"
        " (1, zeroblob(32), 'search', 'math', 1, 'train', 0),"
        " (2, randomblob(32), 'evaluate', 'cola', 0, 'test', 20),"
        " (3, randomblob(32), 'evaluate', 'cola', 0, 'test', 0);"
        "INSERT INTO run_family VALUES (1, 'labels', 1, 20), (1, 'score', 2, 20),"
        " (2, 'score', 3, 20);"
        "INSERT INTO job (id, key, kind, kind_version, class, step, state, waiting, priority, seed,"
        " range_begin, range_end, retries, params, params_text, submitted_ms) VALUES"
        " (1, zeroblob(32), 'pretrain', 1, 'p', 'base', 'DONE', 0, 0, 1, 0, 0, 0, x'', '', 5),"
        " (2, randomblob(32), 'evaluate', 1, 'p', 'score', 'READY', 0, 0, 1, 0, 20, 0, x'',"
        " '', 5);"
        "INSERT INTO run_job VALUES (1, 1, 'base', 1), (2, 1, 'base', 1), (2, 2, 'score', 1);"
        "INSERT INTO attempt (id, job, epoch, incarnation, outcome, started_ms, ended_ms, wall_ms)"
        " VALUES (1, 1, 1, 1, 'LOST', 10, 15, 5), (2, 1, 2, 1, 'DONE', 20, 90, 70);"
        "UPDATE job SET attempt = 2 WHERE id = 1;"
        "WITH RECURSIVE i (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM i WHERE n < 19)"
        " INSERT INTO example (id, task, level, split, number, source_id, question, gold, subset)"
        " SELECT n + 1, 'cola', 0, 'test', n, '', '', '', 's' || (n % 3) FROM i;"
        "INSERT INTO label SELECT id, 1, id, id - 1, 2, id % 2, id % 3 > 0, '11', 2, 2, 5, 5, 1, 1,"
        " '', '', 1, id % 4, zeroblob(32) FROM example;"
        "INSERT INTO score SELECT NULL, 2, id, id - 1, 2, id % 2, id % 3 > 0, 'a', 1, id / 8.0, id,"
        " NULL, NULL, 1, 0, zeroblob(32), '{\"f1\":0.' || id || '}', NULL, NULL, 0, 0, 0"
        " FROM example;"
        "INSERT INTO score SELECT NULL, 3, id, id - 1, 2, id % 2, id % 3 > 0, 'a', 1, id / 8.0, id,"
        " NULL, NULL, 1, 0, zeroblob(32), NULL, NULL, NULL, 0, 0, 0 FROM example WHERE id < 9;"
        "WITH RECURSIVE i (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM i WHERE n < 5999)"
        " INSERT INTO metric SELECT 1 + n % 2, CASE WHEN n % 3 THEN 'loss' ELSE 'lr' END,"
        " n * (1 + n % 2), CASE WHEN n % 50 = 1 THEN NULL ELSE random() / 1e19 END FROM i;"
        "CREATE TABLE keep AS SELECT * FROM curriculum;"
        "COMMIT");
    OK(sqlite_run(db, buf_str(&sql), err));
    sqlite_disconnect(db);
    buf_release(&sql);
}

static void store_of_schema_2_loses_nothing(void **state_)
{
    struct fixture *f = *state_;
    char path[96];
    struct store *s;
    double v[20];
    uint64_t n;

    store_close(f->s);
    f->s = NULL;
    snprintf(path, sizeof path, "%s/old.db", f->dir);
    write_old_store(path);
    FAILS(ERR_VERSION, "brings it up to date", store_open_read(&s, path, err));
    OK(store_open(&s, path, "", err));
    assert_int_equal(number(path, "SELECT count(*) FROM keep"), 6000); /* two runs claim the job */
    assert_int_equal(number(path, "SELECT count(*) FROM (SELECT * FROM keep EXCEPT SELECT * FROM "
                                  "curriculum)"),
                     0);
    assert_int_equal(number(path, "SELECT count(*) FROM curriculum"), 6000);
    assert_int_equal(number(path, "SELECT sum(n) FROM series"), 6000);
    assert_int_equal(number(path, "SELECT count(*) FROM sqlite_schema WHERE name = 'metric_old'"),
                     0);
    snprintf(f->path, sizeof f->path, "%s", path);
    f->s = s;
    check_tallies(f);
    check_summaries(f);
    assert_int_equal(number(path, "SELECT count(*) FROM tally WHERE part = 0"), 2);
    assert_int_equal(number(path, "SELECT count(*) FROM tally WHERE part > 0"), 6);
    assert_int_equal(number(path, "SELECT count(*) FROM summary"), 1);
    OK(store_vector(s, 2, 20, "f1", v, &n, err));
    assert_true(n == 20 && v[4] == 0.5 && v[9] == 0.10);
    OK(store_vector(s, 1, 20, "improved", v, &n, err));
    assert_true(v[0] == 0.0 && v[1] == 1.0 && v[2] == 0.0);
    store_close(f->s);
    OK(store_open(&f->s, path, "", err)); /* a second time nothing is left to do */
    check_summaries(f);
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(kept_rows_equal_those_from_scratch),
        T(sums_and_vectors_equal_the_rows_before_and_after_completion),
        T(a_repeated_result_is_counted_in_every_tally_that_holds_it),
        T(a_row_holds_its_own_values),
        T(batch_has_the_verdicts_of_single_results),
        T(what_a_rollback_took_is_not_remembered),
        T(store_of_schema_2_loses_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
