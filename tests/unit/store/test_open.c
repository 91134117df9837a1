/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a store opens, migrates and locks as store.h says; refuses what it must with a text that
 * tells the remedy; and loses nothing committed when its process dies or its disk fills. Method:
 * scratch folders; child processes that are killed inside a transaction; a tail of the WAL cut off
 * or overwritten; a file size limit as a full disk. */
#include "tests/unit/store/small_plan.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "store/migrate.h"
#include "store/sqlite.h"

/* Run SQL on PATH by a connection of the test's own, as another program would. */
static void other_program(const char *path, const char *sql)
{
    struct sqlite3 *db;

    OK(sqlite_connect(&db, path, CONNECT_WRITE, err));
    OK(sqlite_run(db, sql, err));
    sqlite_disconnect(db);
}

static void new_store_has_its_marks_and_settings(void **state)
{
    struct fixture *f = *state;
    struct sqlite3 *db;
    int64_t n;

    assert_int_equal(store_schema_version(f->s), migrate_latest());
    OK(sqlite_connect(&db, f->path, CONNECT_READ, err));
    OK(sqlite_number(db, "PRAGMA application_id", &n, err));
    assert_int_equal(n, STORE_APPLICATION_ID);
    OK(sqlite_number(db, "PRAGMA user_version", &n, err));
    assert_int_equal(n, migrate_latest());
    OK(sqlite_number(
        db,
        "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE '%STRICT%'"
        " AND name NOT LIKE 'sqlite_%'",
        &n, err));
    assert_int_equal(n, 0);
    sqlite_disconnect(db);
}

static void reopened_store_keeps_what_it_holds(void **state)
{
    struct fixture *f = *state;
    struct plan p;

    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    store_close(f->s);
    OK(store_open(&f->s, f->path, "", err));
    assert_int_equal(number(f->path, "SELECT count(*) FROM job"), 4);
}

static void clean_close_empties_the_wal(void **state)
{
    struct fixture *f = *state;
    struct plan p;
    struct stat st;
    char wal[128];

    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    store_close(f->s);
    f->s = NULL;
    snprintf(wal, sizeof wal, "%s-wal", f->path);
    assert_true(stat(wal, &st) < 0 || st.st_size == 0);
}

static void newer_store_is_refused_and_left_alone(void **state)
{
    struct fixture *f = *state;
    struct store *s;
    char sql[64];

    store_close(f->s);
    f->s = NULL;
    snprintf(sql, sizeof sql, "PRAGMA user_version = %d", migrate_latest() + 1);
    other_program(f->path, sql);
    FAILS(ERR_VERSION, "written by a newer drover", store_open(&s, f->path, "", err));
    assert_null(s);
    FAILS(ERR_VERSION, "written by a newer drover", store_open_read(&s, f->path, err));
    assert_null(s);
}

static void database_of_another_program_is_refused(void **state)
{
    struct fixture *f = *state;
    char path[128];
    struct store *s;

    snprintf(path, sizeof path, "%s/other.db", f->dir);
    other_program(path, "CREATE TABLE x (a)");
    FAILS(ERR_VERSION, "another program", store_open(&s, path, "", err));
    FAILS(ERR_VERSION, "another program", store_open_read(&s, path, err));
}

static void file_that_is_no_database_is_refused(void **state)
{
    struct fixture *f = *state;
    char path[128], junk[5000];
    struct store *s;

    memset(junk, 'x', sizeof junk);
    snprintf(path, sizeof path, "%s/notes.txt", f->dir);
    OK(buf_write_file(path, junk, sizeof junk, err));
    FAILS(ERR_CORRUPT, "not a database", store_open(&s, path, "", err));
    FAILS(ERR_CORRUPT, "not a database", store_open_read(&s, path, err));
}

static void missing_store_and_missing_folder_are_named(void **state)
{
    struct fixture *f = *state;
    char path[128];
    struct store *s;

    snprintf(path, sizeof path, "%s/none.db", f->dir);
    FAILS(ERR_NOT_FOUND, "no store at", store_open_read(&s, path, err));
    snprintf(path, sizeof path, "%s/none/results.db", f->dir);
    FAILS(ERR_NOT_FOUND, "folder does not exist", store_open(&s, path, "", err));
}

static void second_writer_is_told_pid_and_endpoint(void **state)
{
    struct fixture *f = *state;
    char endpoint[STORE_ENDPOINT_MAX], text[64];
    struct store *s;
    int pid;

    snprintf(text, sizeof text, "process %d, a coordinator at tcp://127.0.0.1:1", (int)getpid());
    FAILS(ERR_CONFLICT, text, store_open(&s, f->path, "", err));
    OK(store_set_endpoint(f->s, "tcp://127.0.0.1:4242", err));
    OK(store_lock_holder(f->path, &pid, endpoint, err));
    assert_int_equal(pid, getpid());
    assert_string_equal(endpoint, "tcp://127.0.0.1:4242");
    store_close(f->s);
    FAILS(ERR_NOT_FOUND, "nobody writes", store_lock_holder(f->path, &pid, endpoint, err));
    OK(store_open(&f->s, f->path, "", err));
}

static void reader_works_while_the_writer_is_inside_a_transaction(void **state)
{
    struct fixture *f = *state;
    struct plan p;

    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    begin(f->s);
    OK(store_event(f->s, "lost", 0, 0, "not yet", err));
    assert_int_equal(number(f->path, "SELECT count(*) FROM event WHERE kind = 'lost'"), 0);
    commit(f->s);
    assert_int_equal(number(f->path, "SELECT count(*) FROM event WHERE kind = 'lost'"), 1);
}

static void rollback_leaves_nothing(void **state)
{
    struct fixture *f = *state;

    begin(f->s);
    OK(store_event(f->s, "lost", 0, 0, "x", err));
    store_rollback(f->s);
    assert_false(store_in_transaction(f->s));
    begin(f->s);
    commit(f->s);
    assert_int_equal(number(f->path, "SELECT count(*) FROM event"), 0);
}

/* Writes events in groups of 10 for ever, telling how many are committed; dies by kill -9. */
static void write_until_killed(const char *path, int told)
{
    struct store *s;
    struct err err;

    if (store_open(&s, path, "", &err) < 0)
        _exit(1);
    for (int group = 1;; group++) {
        if (store_begin(s, &err) < 0)
            _exit(2);
        for (int i = 0; i < 10; i++) {
            if (store_event(s, "lost", 0, 0, "0123456789012345678901234567890123456789", &err) < 0)
                _exit(3);
        }
        if (store_commit(s, &err) < 0 || write(told, &group, sizeof group) != sizeof group)
            _exit(4);
    }
}

static void killed_writer_loses_no_committed_group_and_keeps_no_half(void **state)
{
    struct fixture *f = *state;
    int64_t rows;

    store_close(f->s);
    for (int round = 0; round < 5; round++) {
        int told[2], groups = 0, group;
        int64_t before = number(f->path, "SELECT count(*) FROM event");
        pid_t child;

        assert_int_equal(pipe(told), 0);
        child = fork();
        if (child == 0)
            write_until_killed(f->path, told[1]);
        close(told[1]);
        while (groups < 3 + round && read(told[0], &group, sizeof group) == sizeof group)
            groups = group;
        kill(child, SIGKILL);
        while (read(told[0], &group, sizeof group) == sizeof group)
            groups = group;
        waitpid(child, NULL, 0);
        close(told[0]);
        OK(store_open(&f->s, f->path, "", err));
        rows = number(f->path, "SELECT count(*) FROM event") - before;
        store_close(f->s);
        assert_true(groups >= 3 + round);
        assert_true(rows >= 10 * groups &&
                    rows <= 10 * (groups + 1)); /* killed after a commit, before it was told */
        assert_int_equal(rows % 10, 0);
    }
    OK(store_open(&f->s, f->path, "", err));
}

/* A child commits GROUPS groups and dies inside the next, leaving its WAL behind. */
static void die_inside_a_transaction(const char *path, int groups)
{
    struct store *s;
    struct err err;

    if (store_open(&s, path, "", &err) < 0)
        _exit(1);
    for (int g = 0; g <= groups; g++) {
        if (store_begin(s, &err) < 0 || store_event(s, "lost", 0, 0, "x", &err) < 0)
            _exit(2);
        if (g < groups && store_commit(s, &err) < 0)
            _exit(3);
    }
    _exit(0);
}

static void torn_tail_of_the_wal_costs_only_what_was_not_committed_whole(void **state)
{
    struct fixture *f = *state;
    char wal[128], junk[3000];
    struct stat st;
    int status, fd;
    pid_t child;

    store_close(f->s);
    f->s = NULL;
    child = fork();
    if (child == 0)
        die_inside_a_transaction(f->path, 4);
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    snprintf(wal, sizeof wal, "%s-wal", f->path);
    assert_int_equal(stat(wal, &st), 0);
    assert_true(st.st_size > 0);
    memset(junk, 0xA5,
           sizeof junk); /* a write that was under way: behind the last commit there is rubbish */
    fd = open(wal, O_WRONLY | O_APPEND);
    assert_int_equal(write(fd, junk, sizeof junk), sizeof junk);
    close(fd);
    OK(store_open(&f->s, f->path, "", err));
    assert_int_equal(number(f->path, "SELECT count(*) FROM event"), 4);
    assert_int_equal(store_lost_commits(f->s), 0);
    store_close(f->s);
    f->s = NULL;

    child = fork();
    if (child == 0)
        die_inside_a_transaction(f->path, 4);
    waitpid(child, &status, 0);
    assert_int_equal(stat(wal, &st), 0);
    assert_int_equal(truncate(wal, st.st_size - 100),
                     0); /* the last commit's page is torn: a prefix is left */
    OK(store_open(&f->s, f->path, "", err));
    assert_int_equal(number(f->path, "SELECT count(*) FROM event WHERE kind = 'lost'"), 7);
}

/* As a user who may not write, since root may write everywhere. Returns the child's exit code. */
static int as_nobody(void (*body)(const struct fixture *f), const struct fixture *f)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        if (geteuid() == 0 && setuid(65534) < 0)
            _exit(99);
        body(f);
        _exit(0);
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void expect_readonly(const struct fixture *f)
{
    struct store *s;
    struct err err = { 0 };

    if (store_open(&s, f->path, "", &err) != ERR_READONLY || !strstr(err.text, "cannot be written"))
        _exit(1);
    if (store_open_read(&s, f->path, &err) < 0) /* reading still works */
        _exit(2);
    store_close(s);
}

static void read_only_folder_is_named_and_reading_still_works(void **state)
{
    struct fixture *f = *state;

    store_close(f->s);
    f->s = NULL;
    assert_int_equal(chmod(f->dir, 0555), 0);
    assert_int_equal(as_nobody(expect_readonly, f), 0);
    assert_int_equal(chmod(f->dir, 0755), 0);
    OK(store_open(&f->s, f->path, "", err));
}

static void read_only_file_is_named(void **state)
{
    struct fixture *f = *state;

    store_close(f->s);
    f->s = NULL;
    assert_int_equal(chmod(f->dir, 0777), 0);
    assert_int_equal(chmod(f->path, 0444), 0);
    assert_int_equal(as_nobody(expect_readonly, f), 0);
}

/* A file size limit stands for the full disk: what is committed stays, the rest fails with
 * ERR_FULL. */
static void write_until_full(const struct fixture *f)
{
    struct rlimit limit = { 1 << 19, 1 << 19 };
    struct store *s;
    struct err err = { 0 };
    struct digest d;
    int rc = 0, committed = 0;
    char big[4000], *blob = calloc(1, 1 << 20);
    int fd;

    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    signal(SIGXFSZ, SIG_IGN);
    if (store_open(&s, f->path, "", &err) < 0 || setrlimit(RLIMIT_FSIZE, &limit) < 0)
        _exit(1);
    for (int i = 0; i < 1000 && rc == 0; i++) {
        rc = store_begin(s, &err);
        for (int j = 0; j < 4 && rc == 0; j++)
            rc = store_event(s, "lost", 0, 0, big, &err);
        if (rc == 0)
            rc = store_commit(s, &err);
        else
            store_rollback(s);
        committed += rc == 0;
    }
    if (rc != ERR_FULL || !strstr(err.text, "no space left") || committed == 0)
        _exit(2);
    if (blobs_put(store_blobs(s), blob, 1 << 20, &d, &err) != ERR_FULL ||
        blobs_have(store_blobs(s), &d, NULL))
        _exit(3);
    free(blob);
    fd = open("committed", O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0 || write(fd, &committed, sizeof committed) != sizeof committed)
        _exit(4);
    _exit(0); /* no clean close: there is no room for it */
}

static void full_disk_fails_clearly_and_keeps_what_was_committed(void **state)
{
    struct fixture *f = *state;
    int status, committed = 0, fd;
    pid_t child;

    store_close(f->s);
    f->s = NULL;
    child = fork();
    if (child == 0) {
        if (chdir(f->dir) < 0)
            _exit(9);
        write_until_full(f);
    }
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    char path[128];
    snprintf(path, sizeof path, "%s/committed", f->dir);
    fd = open(path, O_RDONLY);
    assert_int_equal(read(fd, &committed, sizeof committed), sizeof committed);
    close(fd);
    OK(store_open(&f->s, f->path, "", err));
    assert_int_equal(number(f->path, "SELECT count(*) FROM event"), 4 * committed);
}

static void aborted_submission_leaves_the_old_plan_as_it_was(void **state)
{
    struct fixture *f = *state;
    struct digest d = key_of("rev");
    struct store_submission sub;
    struct plan p;
    uint64_t job;
    struct store_job_spec bad = { .key = key_of("x"),
                                  .kind = "search",
                                  .numeric_class = "c",
                                  .step = "s",
                                  .begin = 3,
                                  .end = 1 };

    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    OK(store_submit_begin(f->s, "exp", &d, "", "", &sub, err));
    FAILS(ERR_INVALID, "examples 3..1", store_submit_job(f->s, &sub, &bad, &job, err));
    store_submit_abort(f->s);
    assert_int_equal(number(f->path, "SELECT count(*) FROM run_job WHERE live = 1"), 4);
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(new_store_has_its_marks_and_settings),
        T(reopened_store_keeps_what_it_holds),
        T(clean_close_empties_the_wal),
        T(newer_store_is_refused_and_left_alone),
        T(database_of_another_program_is_refused),
        T(file_that_is_no_database_is_refused),
        T(missing_store_and_missing_folder_are_named),
        T(second_writer_is_told_pid_and_endpoint),
        T(reader_works_while_the_writer_is_inside_a_transaction),
        T(rollback_leaves_nothing),
        T(killed_writer_loses_no_committed_group_and_keeps_no_half),
        T(torn_tail_of_the_wal_costs_only_what_was_not_committed_whole),
        T(read_only_folder_is_named_and_reading_still_works),
        T(read_only_file_is_named),
        T(full_disk_fails_clearly_and_keeps_what_was_committed),
        T(aborted_submission_leaves_the_old_plan_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
