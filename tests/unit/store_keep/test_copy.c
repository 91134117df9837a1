/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: an experiment travels whole: export and import give the same rows, twice is once, what
 * clashes changes nothing, and no table or column of the schema is forgotten. Method: copy_tables
 * against the schema of a new store; every row of every table compared as text; stores with plans
 * whose shards, results and sharing are drawn from a seed; damaged and altered files. */
#include "tests/unit/store_keep/keep_fixture.h"

#include "store/keep/keep_private.h"
#include "store/sql_migrations.h"

/* ---- the table of tables ---- */

static bool is_one_of(const char *const *names, const char *name)
{
    for (; *names; names++) {
        if (strcmp(*names, name) == 0)
            return true;
    }
    return false;
}

static const struct copy_table *find_table(const char *name)
{
    for (size_t i = 0; i < copy_tables_len; i++) {
        if (strcmp(copy_tables[i].name, name) == 0)
            return &copy_tables[i];
    }
    return NULL;
}

/* Does copy_tables say of column NAME of T what the schema says: key, reference? */
static void check_column(struct store *s, const struct copy_table *t, const char *name)
{
    struct copy_columns cs;
    char sql[400], of[64] = "";
    struct stmt st;

    copy_columns_parse(t, t->columns, &cs);
    snprintf(sql, sizeof sql,
             "SELECT \"table\" FROM pragma_foreign_key_list('%s') WHERE \"from\" = '%s'", t->name,
             name);
    OK(stmt_prepare(&st, s->db, sql, NULL, err));
    if (stmt_step(&st, NULL) > 0)
        stmt_copy_text(&st, 0, of, sizeof of);
    stmt_release(&st);
    for (size_t i = 0; i < cs.len; i++) {
        if (strcmp(cs.c[i].name, name) != 0)
            continue;
        if (strcmp(cs.c[i].of, of) != 0)
            fail_msg("store/keep/copy_tables.c: column %s of table %s refers to \"%s\", not \"%s\"",
                     name, t->name, of, cs.c[i].of);
        return;
    }
    fail_msg(
        "store/keep/copy_tables.c does not tell column %s of table %s: add it (\"%s%s%s\", with "
        "\"*\" if it is part of the natural key, \"=\" if both stores must agree on it)",
        name, t->name, name, of[0] ? ">" : "", of);
}

static void every_table_and_column_of_the_schema_is_told(void **state)
{
    struct fixture *f = *state;
    struct stmt tables, columns;
    size_t seen = 0, words = 0;

    OK(stmt_prepare(&tables, f->s->db,
                    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE "
                    "'sqlite_%'",
                    NULL, err));
    while (stmt_step(&tables, NULL) > 0) {
        const struct copy_table *t = find_table(stmt_col_text(&tables, 0));
        char sql[200];

        if (is_one_of(copy_not, stmt_col_text(&tables, 0)))
            continue;
        if (!t)
            fail_msg(
                "store/keep/copy_tables.c does not tell table %s: say how it is exported, or put "
                "it into copy_not",
                stmt_col_text(&tables, 0));
        snprintf(sql, sizeof sql, "SELECT name FROM pragma_table_info('%s')", t->name);
        OK(stmt_prepare(&columns, f->s->db, sql, NULL, err));
        for (; stmt_step(&columns, NULL) > 0; seen++)
            check_column(f->s, t, stmt_col_text(&columns, 0));
        stmt_release(&columns);
    }
    stmt_release(&tables);
    for (size_t i = 0; i < copy_tables_len; i++) {
        struct copy_columns cs;

        copy_columns_parse(&copy_tables[i], copy_tables[i].columns, &cs);
        words += cs.len;
    }
    assert_int_equal(seen, words); /* and nothing that the schema does not have */
}

/* ---- round trips ---- */

static void a_copy_in_an_empty_store_has_the_same_rows(void **state)
{
    struct fixture *f = *state, g;
    struct export_done out;
    struct import_done in;
    struct buf report = { 0 };
    struct digest weights;
    char file[128];

    fill_store(f->s, "exp", 4, 1);
    export_to(f, "exp", EXPORT_SMALL, file, &out);
    assert_true(out.rows > 40);
    assert_int_equal(out.blobs, 2);
    scratch(&g);
    OK(store_open(&g.s, g.path, "", err));
    OK(store_import(g.s, file, NULL, &in, &report, err));
    assert_string_equal(in.experiment, "exp");
    assert_int_equal(in.rows, out.rows);
    same_rows(f->s, g.s, true);
    weights = digest_of("weights", 7);
    assert_true(blobs_have(store_blobs(g.s), &weights, NULL));

    struct buf before = { 0 }, after = { 0 };
    dump(g.s, true, &before);
    OK(store_import(g.s, file, NULL, &in, &report, err));
    dump(g.s, true, &after);
    assert_int_equal(in.rows + in.results + in.blobs, 0);
    assert_string_equal(buf_str(&before), buf_str(&after));
    buf_release(&before);
    buf_release(&after);
    buf_release(&report);
    drop(&g);
}

static void an_exported_file_is_a_store_that_readers_open(void **state)
{
    struct fixture *f = *state;
    struct export_done out;
    char file[128];

    fill_store(f->s, "exp", 4, 1);
    fill_store(f->s, "other", 8, 3);
    export_to(f, "exp", EXPORT_NONE, file, &out);
    assert_int_equal(number(file, "SELECT count(*) FROM experiment"), 1);
    assert_int_equal(number(file, "SELECT count(*) FROM routing"),
                     number(f->path, "SELECT count(*) FROM routing WHERE experiment = 'exp'"));
    assert_int_equal(number(file, "SELECT count(*) FROM blob_bytes"), 0);
    assert_int_equal(number(file, "SELECT count(*) FROM blob WHERE evicted"), 2);
    assert_int_equal(out.left_blobs, 2);
}

/* Numbers differ from store to store; what the rows say by their natural keys does not. */
static const char *const meanings[] = {
    "SELECT group_concat(x, ' ') FROM (SELECT lower(hex(key)) || state || kind || step || "
    "coalesce((SELECT group_concat(o.name || lower(hex(b.digest))) FROM job_output AS o JOIN blob "
    "AS b ON b.id = o.blob WHERE o.job = job.id), '') AS x FROM job WHERE id IN (SELECT job FROM "
    "run_job JOIN run ON run.id = run JOIN experiment AS e ON e.id = run.experiment WHERE e.name = "
    "'a') ORDER BY key)",
    "SELECT group_concat(x, ' ') FROM (SELECT printf('%x', sum(r.idx * 7 + length(r.routing) + "
    "r.layer_rows)) || task || count(*) AS x FROM routing AS r WHERE experiment = 'a' GROUP BY "
    "step, task)",
    "SELECT group_concat(x, ' ') FROM (SELECT lower(hex(run.digest)) || seed || superseded || "
    "(SELECT group_concat(name || value) FROM param WHERE param.run = run.id) AS x FROM run JOIN "
    "experiment AS e ON e.id = run.experiment WHERE e.name = 'a' ORDER BY run.digest)",
    "SELECT count(*) || ' ' || coalesce(sum(value), 0) FROM curriculum WHERE experiment = 'a'",
};

static void random_experiments_keep_their_meaning_beside_others(void **state)
{
    struct fixture *f = *state, g;
    struct buf report = { 0 };

    for (uint64_t seed = 1; seed <= (TESTS_SANITIZED ? 5 : 12); seed++) {
        struct fixture a;
        struct export_done out;
        struct import_done in;
        char file[128], one[512], two[512];

        scratch(&a);
        OK(store_open(&a.s, a.path, "", err));
        fill_store(a.s, "b", 2 + seed % 5, 1 + seed % 3); /* shares jobs and examples with "a" */
        fill_store(a.s, "a", 3 + seed % 7, 1 + seed % 4);
        scratch(&g);
        OK(store_open(&g.s, g.path, "", err));
        fill_store(g.s, seed % 2 ? "c" : "b", 1 + seed % 9, 2 + seed % 2);
        export_to(&a, "a", EXPORT_ALL, file, &out);
        OK(store_import(g.s, file, NULL, &in, &report, err));
        for (size_t i = 0; i < ARRAY_LEN(meanings); i++)
            assert_string_equal(text_of(a.path, meanings[i], one),
                                text_of(g.path, meanings[i], two));
        assert_int_equal(integrity(g.s), 0);
        drop(&a);
        drop(&g);
    }
    buf_release(&report);
    (void)f;
}

/* The other store's shards are other jobs; its examples complete what was begun here. */
static void a_result_that_was_missing_here_is_taken_and_sets_free_what_waits(void **state)
{
    struct fixture *f = *state, g;
    struct buf report = { 0 };
    struct import_done in;
    struct export_done out;
    struct store_ready ready[16];
    struct plan p;
    char file[128], word[16];

    fill_store(f->s, "exp", 4, 2);
    export_to(f, "exp", EXPORT_SMALL, file, &out);
    scratch(&g);
    OK(store_open(&g.s, g.path, "", err));
    submit_plan(g.s, (struct plan_options){ .name = "mine" }, &p); /* nothing of it is done */
    OK(store_import(g.s, file, NULL, &in, &report, err));
    assert_true(in.results >= 3); /* base, two shards; fill_store's set is another job */
    assert_string_equal(job_state(g.s, p.base, word), "DONE");
    assert_string_equal(job_state(g.s, p.shard[0], word), "DONE");
    if (strcmp(job_state(g.s, p.set, word), "DONE") != 0)
        assert_int_equal(ready_jobs(g.s, 0, ready), 1);
    drop(&g);
    buf_release(&report);
}

static void what_had_not_ended_comes_as_cancelled_and_goes_on_when_asked(void **state)
{
    struct fixture *f = *state, g;
    struct buf report = { 0 };
    struct import_done in;
    struct export_done out;
    struct store_ready ready[16];
    enum store_verdict verdict;
    struct plan p;
    struct try t;
    char file[128];

    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    finish(f->s, p.base, "weights", NULL);
    begin(f->s);
    t = start(f->s, p.shard[0]);
    OK(send_label(f->s, t.attempt, t.epoch, 0, "8", &verdict, err));
    commit(f->s);
    export_to(f, "exp", EXPORT_SMALL, file, &out);
    assert_int_equal(number(file, "SELECT count(*) FROM attempt WHERE outcome = 'RUNNING'"), 1);
    scratch(&g);
    OK(store_open(&g.s, g.path, "", err));
    OK(store_import(g.s, file, NULL, &in, &report, err));
    assert_int_equal(in.cancelled, 3);
    assert_int_equal(number(g.path, "SELECT count(*) FROM attempt WHERE outcome = 'LOST'"), 1);
    assert_int_equal(ready_jobs(g.s, 0, ready), 0);
    submit_plan(g.s, (struct plan_options){ 0 }, &p);
    assert_int_equal(ready_jobs(g.s, 0, ready), 2);
    assert_int_equal(p.sub.cached, 1);
    run_shard(g.s, p.shard[0], 0, 2, NULL); /* the example that came is known to be the same */
    assert_int_equal(number(g.path, "SELECT count(*) FROM label WHERE repeats = 1"), 1);
    drop(&g);
    buf_release(&report);
}

/* Who has the later set of points? An older file does not turn it back. */
static void a_later_revision_supersedes_and_an_older_one_does_not(void **state)
{
    static const char last[] = "SELECT number FROM experiment JOIN revision ON revision.id = "
                               "experiment.revision",
                      old[] = "SELECT count(*) FROM run WHERE superseded",
                      dead[] = "SELECT count(*) FROM run_job JOIN run ON run.id = run WHERE live = "
                               "superseded";
    struct fixture *f = *state, g;
    struct buf report = { 0 };
    struct import_done in;
    struct export_done out;
    struct plan p;
    char first[128], second[160];

    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    finish(f->s, p.base, "weights", NULL);
    export_to(f, "exp", EXPORT_SMALL, first, &out);
    snprintf(second, sizeof second, "%s.first", first);
    assert_int_equal(rename(first, second), 0);
    submit_plan(f->s, (struct plan_options){ .revision = "rev2", .point = "point2" }, &p);
    export_to(f, "exp", EXPORT_SMALL, first, &out); /* with both */
    scratch(&g);
    OK(store_open(&g.s, g.path, "", err));
    OK(store_import(g.s, second, NULL, &in, &report, err));
    assert_int_equal(number(g.path, last), 1);
    OK(store_import(g.s, first, NULL, &in, &report, err));
    assert_int_equal(number(g.path, last), 2);
    assert_int_equal(number(g.path, old), 1);
    assert_int_equal(number(g.path, dead), 0);
    OK(store_import(g.s, second, NULL, &in, &report, err));
    assert_int_equal(in.rows, 0);
    assert_int_equal(number(g.path, last), 2);
    assert_int_equal(number(g.path, old), 1);
    assert_int_equal(number(g.path, dead), 0);
    drop(&g);
    buf_release(&report);
}

/* A file of schema 2, as an older drover would have written it. */
static void a_file_of_an_older_version_is_brought_up_to_date(void **state)
{
    static const char rows[] =
        "INSERT INTO experiment (id, name, submitted_ms) VALUES (1, 'old', 5);"
        "INSERT INTO revision VALUES (1, 1, 1, randomblob(32), 'name = old;', '', 5);"
        "UPDATE experiment SET revision = 1;"
        "INSERT INTO run VALUES (1, 1, randomblob(32), 7, 1, 0);"
        "INSERT INTO job (id, key, kind, kind_version, class, step, state, waiting, priority, "
        "seed, range_begin, range_end, retries, params, params_text, submitted_ms) VALUES (1, "
        "randomblob(32), 'pretrain', 1, 'c', 'base', 'DONE', 0, 0, 0, 0, 0, 0, x'', '', 5);"
        "INSERT INTO run_job VALUES (1, 1, 'base', 1);"
        "INSERT INTO attempt (id, job, epoch, incarnation, outcome, started_ms, ended_ms) VALUES "
        "(1, 1, 1, 1, 'DONE', 6, 7);"
        "UPDATE job SET attempt = 1;"
        "INSERT INTO metric VALUES (1, 'loss', 1, 0.5), (1, 'loss', 2, 0.25);"
        "CREATE TABLE export (format INTEGER NOT NULL, experiment TEXT NOT NULL, exported_ms "
        "INTEGER NOT NULL, drover TEXT NOT NULL, blobs TEXT NOT NULL, files INTEGER NOT NULL, "
        "checksum BLOB NOT NULL) STRICT;"
        "CREATE TABLE blob_bytes (digest BLOB NOT NULL, place INTEGER NOT NULL, bytes BLOB NOT "
        "NULL, UNIQUE (digest, place)) STRICT;";
    struct fixture *f = *state;
    struct buf report = { 0 };
    struct digest checksum;
    struct import_done in;
    struct sqlite3 *db;
    struct stmt st;
    char file[128], left[160];

    snprintf(file, sizeof file, "%s/old.db", f->dir);
    OK(sqlite_connect(&db, file, CONNECT_WRITE, err));
    OK(sqlite_run(db, sql_migrations[0].text, err));
    OK(sqlite_run(db, sql_migrations[1].text, err));
    OK(sqlite_run(db, "PRAGMA application_id = 1146246738; PRAGMA user_version = 2", err));
    OK(sqlite_run(db, rows, err));
    OK(copy_digest(db, "main", export_tables, &checksum, err));
    OK(stmt_prepare(&st, db, "INSERT INTO export VALUES (1, 'old', 9, '0', 'none', 0, :sum)", NULL,
                    err));
    stmt_digest(&st, ":sum", &checksum);
    OK(stmt_run(&st, err));
    stmt_release(&st);
    sqlite_disconnect(db);
    OK(store_import(f->s, file, NULL, &in, &report, err));
    assert_int_equal(in.jobs, 1);
    assert_int_equal(number(f->path, "SELECT count(*) FROM curriculum WHERE experiment = 'old' AND "
                                     "value IN (0.5, 0.25)"),
                     2);
    assert_int_equal(number(f->path, "SELECT seed FROM run_result WHERE experiment = 'old'"), 7);
    snprintf(left, sizeof left, "%s-import-%d", f->path, (int)getpid());
    assert_int_equal(access(left, F_OK), -1);
    OK(store_import(f->s, file, NULL, &in, &report, err));
    assert_int_equal(in.rows, 0);
    buf_release(&report);
}

/* ---- clashes ---- */

static void spoil(const char *path, const char *sql)
{
    struct store *s;

    OK(store_open(&s, path, "", err));
    OK(sqlite_run(s->db, sql, err));
    store_close(s);
}

static void clashing_results_are_all_told_and_change_nothing(void **state)
{
    static const struct {
        const char *sql, *told;
    } cases[] = {
        { "UPDATE label SET digest = zeroblob(32) WHERE idx < 3", "label in family" },
        { "UPDATE job_output SET blob = (SELECT max(id) FROM blob) WHERE job = 1", "output model" },
        { "UPDATE label SET idx = idx + 100", "idx" },
        { "UPDATE param SET value = '7'", "parameter lr" },
        { "UPDATE run SET seed = 99", "seed" },
        { "UPDATE revision SET digest = zeroblob(32)", "another set of points" },
        { "UPDATE job SET diverged = 1 WHERE id = 1", "diverged" },
        { "UPDATE job SET params = x'00' WHERE id = 1", "params" },
    };
    struct fixture *f = *state;
    struct export_done out;
    char file[128];

    fill_store(f->s, "exp", 4, 2);
    export_to(f, "exp", EXPORT_SMALL, file, &out);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture g;
        struct import_done in;
        struct buf report = { 0 }, before = { 0 }, after = { 0 };

        scratch(&g);
        OK(store_open(&g.s, g.path, "", err));
        fill_store(g.s, "exp", 4, 2);
        store_close(g.s);
        spoil(g.path, cases[i].sql);
        OK(store_open(&g.s, g.path, "", err));
        dump(g.s, true, &before);
        FAILS(ERR_CONFLICT, "nothing was changed",
              store_import(g.s, file, NULL, &in, &report, err));
        if (in.clashes == 0 || !strstr(buf_str(&report), cases[i].told))
            fail_msg("%s: %s", cases[i].sql, buf_str(&report));
        dump(g.s, true, &after);
        assert_string_equal(buf_str(&before), buf_str(&after));
        buf_release(&report);
        buf_release(&before);
        buf_release(&after);
        drop(&g);
    }
}

static void a_clash_of_points_goes_away_under_another_name(void **state)
{
    struct fixture *f = *state, g;
    struct export_done out;
    struct import_done in;
    struct buf report = { 0 };
    char file[128];

    fill_store(f->s, "exp", 4, 2);
    export_to(f, "exp", EXPORT_SMALL, file, &out);
    scratch(&g);
    OK(store_open(&g.s, g.path, "", err));
    fill_store(g.s, "exp", 4, 2);
    OK(sqlite_run(g.s->db, "UPDATE revision SET digest = zeroblob(32)", err));
    OK(store_import(g.s, file, "theirs", &in, &report, err));
    assert_string_equal(in.experiment, "theirs");
    assert_int_equal(number(g.path, "SELECT count(*) FROM experiment"), 2);
    assert_int_equal(number(g.path, "SELECT count(*) FROM routing WHERE experiment = 'theirs'"), 4);
    assert_int_equal(in.examples, 0); /* the same results */
    drop(&g);
    buf_release(&report);
}

/* ---- files that are not what they say ---- */

static void refused(struct fixture *f, const char *file, int code, const char *part)
{
    struct import_done in;
    struct buf report = { 0 }, before = { 0 }, after = { 0 };
    struct err err = { 0 };
    int rc;

    dump(f->s, true, &before);
    rc = store_import(f->s, file, NULL, &in, &report, &err);
    if (rc != code || !strstr(err.text, part))
        fail_msg("got %s: %s; not %s: %s", err_name(rc), err.text, err_name(code), part);
    dump(f->s, true, &after);
    assert_string_equal(buf_str(&before), buf_str(&after));
    buf_release(&report);
    buf_release(&before);
    buf_release(&after);
}

static void altered_files_are_refused(void **state)
{
    static const struct {
        const char *sql, *part;
        int code;
    } cases[] = {
        { "PRAGMA user_version = 999", "schema 999, this program knows", ERR_VERSION },
        { "PRAGMA application_id = 7", "is no file of drover", ERR_VERSION },
        { "DROP TABLE export", "not an exported file", ERR_VERSION },
        { "UPDATE export SET format = 12", "export format 12, this program knows 1", ERR_VERSION },
        { "DELETE FROM export", "is empty", ERR_CORRUPT },
        { "UPDATE label SET base_answer = 'x' WHERE idx = 1", "checksum", ERR_CORRUPT },
        { "UPDATE blob_bytes SET bytes = zeroblob(length(bytes))", "its digest", ERR_CORRUPT },
        { "DELETE FROM blob_bytes", "bytes are missing", ERR_CORRUPT },
        { "CREATE TABLE other (x); DROP TABLE log; CREATE VIEW log AS SELECT 1", "damaged",
          ERR_CORRUPT },
        { "PRAGMA foreign_keys = OFF; DELETE FROM family", "refer to rows", ERR_CORRUPT },
    };
    struct fixture *f = *state, g;
    struct export_done out;
    char file[128];

    scratch(&g);
    OK(store_open(&g.s, g.path, "", err));
    fill_store(g.s, "exp", 4, 2);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct sqlite3 *db;

        export_to(&g, "exp", EXPORT_SMALL, file, &out);
        OK(sqlite_connect(&db, file, CONNECT_WRITE, err));
        OK(sqlite_run(db, cases[i].sql, err));
        sqlite_disconnect(db);
        refused(f, file, cases[i].code, cases[i].part);
    }
    refused(f, g.path, ERR_VERSION, "not an exported file");
    refused(f, "/nonexistent/file.db", ERR_NOT_FOUND, "nonexistent");
    refused(f, "CMakeLists.txt", ERR_CORRUPT, "not a file of drover");
    drop(&g);
}

static void a_file_torn_or_flipped_anywhere_is_refused_or_imported_whole(void **state)
{
    struct fixture *f = *state, g;
    struct export_done out;
    char file[128];
    struct buf bytes = { 0 };

    scratch(&g);
    OK(store_open(&g.s, g.path, "", err));
    fill_store(g.s, "exp", 4, 2);
    export_to(&g, "exp", EXPORT_SMALL, file, &out);
    OK(buf_read_file(&bytes, file, 1 << 26, err));
    for (uint32_t i = 0; i < (TESTS_SANITIZED ? 24 : 60); i++) {
        struct import_done in;
        struct buf report = { 0 };
        struct err why = { 0 };
        struct digest where = digest_of(&i, sizeof i);
        size_t at = (size_t)(digest_u64(&where) % bytes.len);
        struct fixture h;
        int rc;

        if (i % 2) { /* torn */
            OK(buf_write_file(file, bytes.data, at, err));
        } else {
            bytes.data[at] ^= 0x40;
            OK(buf_write_file(file, bytes.data, bytes.len, err));
            bytes.data[at] ^= 0x40;
        }
        scratch(&h);
        OK(store_open(&h.s, h.path, "", err));
        rc = store_import(h.s, file, NULL, &in, &report, &why);
        if (rc == 0) /* a byte that nothing depends on */
            same_rows(g.s, h.s, false);
        else
            assert_int_equal(number(h.path, "SELECT count(*) FROM job"), 0);
        buf_release(&report);
        drop(&h);
    }
    buf_release(&bytes);
    drop(&g);
    (void)f;
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(every_table_and_column_of_the_schema_is_told),
        T(a_copy_in_an_empty_store_has_the_same_rows),
        T(an_exported_file_is_a_store_that_readers_open),
        T(random_experiments_keep_their_meaning_beside_others),
        T(a_result_that_was_missing_here_is_taken_and_sets_free_what_waits),
        T(what_had_not_ended_comes_as_cancelled_and_goes_on_when_asked),
        T(a_later_revision_supersedes_and_an_older_one_does_not),
        T(a_file_of_an_older_version_is_brought_up_to_date),
        T(clashing_results_are_all_told_and_change_nothing),
        T(a_clash_of_points_goes_away_under_another_name),
        T(altered_files_are_refused),
        T(a_file_torn_or_flipped_anywhere_is_refused_or_imported_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
