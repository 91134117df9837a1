/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a damaged log never gives a store that is partly older than its own file. Method: children
 * that commit, bring their log in, commit more and die with the log behind them; the log is then
 * damaged, or the file or its mark made older; what is left must be whole transactions. */
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>

#include "store/mark.h"
#include "tests/unit/store/fixture.h"

/* Enough for a log that store_tidy() brings in. */
enum { BEFORE = 200, AFTER = 8 };

static bool commit_events(struct store *s, int commits)
{
    char text[2048];
    struct err err;

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (int i = 0; i < commits; i++)
        if (store_begin(s, &err) < 0 || store_event(s, "planted", 0, 0, text, &err) < 0 ||
            store_commit(s, &err) < 0)
            return false;
    return true;
}

/* A reader at the end of the log: it may be brought in, but not begun anew. */
static bool pin(const char *path)
{
    struct sqlite3 *db;

    return sqlite3_open(path, &db) == SQLITE_OK &&
           sqlite3_exec(db, "BEGIN; SELECT count(*) FROM event", NULL, NULL, NULL) == SQLITE_OK;
}

static void write_and_die(const char *path, int after)
{
    struct store *s;
    struct err err;

    if (store_open(&s, path, "", &err) < 0)
        _exit(1);
    store_tidy_later(s);
    if (!commit_events(s, BEFORE) || !pin(path))
        _exit(2);
    store_tidy(s);
    if (!commit_events(s, after))
        _exit(3);
    (void)raise(SIGKILL);
}

static void bring_in_and_die(struct fixture *f, int after)
{
    int status;

    store_close(f->s);
    f->s = NULL;
    pid_t child = fork();
    if (child == 0)
        write_and_die(f->path, after);
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status));
}

static const char *beside(const struct fixture *f, const char *what, char out[128])
{
    snprintf(out, 128, "%s-%s", f->path, what);
    return out;
}

/* In the middle of what was brought in: behind some whole transactions of it. */
static void damage_log(const struct fixture *f)
{
    char wal[128];
    int fd = open(beside(f, "wal", wal), O_WRONLY);

    assert_int_equal(pwrite(fd, "damage", 6, 1 << 20), 6);
    close(fd);
}

/* The first line of SQLite's own check. */
static const char *integrity(const struct fixture *f, char out[512])
{
    struct sqlite3 *db;
    struct sqlite3_stmt *st;

    assert_int_equal(sqlite3_open_v2(f->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    snprintf(out, 512, "%s", (const char *)sqlite3_column_text(st, 0));
    sqlite3_finalize(st);
    sqlite3_close(db);
    return out;
}

static int64_t events(const struct fixture *f)
{
    return number(f->path, "SELECT count(*) FROM event WHERE kind = 'planted'");
}

static void expect(struct fixture *f, int64_t left, uint64_t lost)
{
    char wal[128], text[512];

    OK(store_open(&f->s, f->path, "", err));
    assert_int_equal(events(f), left);
    assert_int_equal(store_lost_commits(f->s), lost);
    assert_string_equal(integrity(f, text), "ok");
    assert_int_equal(access(beside(f, "wal-damaged", wal), F_OK), 0);
    assert_int_equal(number(f->path, "SELECT count(*) FROM event WHERE kind = 'damaged'"), 1);
    assert_true(store_was_damaged(f->s));
}

static void log_that_was_brought_in_whole_takes_nothing_with_it(void **state)
{
    struct fixture *f = *state;

    bring_in_and_die(f, 0);
    damage_log(f);
    expect(f, BEFORE, 0);
    /* Told once. */
    store_close(f->s);
    OK(store_open(&f->s, f->path, "", err));
    assert_false(store_was_damaged(f->s));
}

static void what_was_brought_in_stays_when_the_log_behind_it_goes(void **state)
{
    struct fixture *f = *state;

    bring_in_and_die(f, AFTER);
    damage_log(f);
    expect(f, BEFORE, AFTER);
}

static void log_that_lost_only_its_end_is_used(void **state)
{
    struct fixture *f = *state;
    char wal[128];
    struct stat st;

    bring_in_and_die(f, AFTER);
    /* The log has its length beforehand: its end is where the zeros begin. */
    int fd = open(beside(f, "wal", wal), O_RDWR);
    assert_int_equal(fstat(fd, &st), 0);
    off_t end = st.st_size - 1;
    for (char c = 0; end > 0 && pread(fd, &c, 1, end) == 1 && c == 0;)
        end--;
    assert_int_equal(pwrite(fd, "damage", 6, end - 5), 6);
    close(fd);
    OK(store_open(&f->s, f->path, "", err));
    assert_int_equal(store_lost_commits(f->s), 1);
    assert_int_equal(events(f), BEFORE + AFTER - 1);
    assert_int_not_equal(access(beside(f, "wal-damaged", wal), F_OK), 0);
}

static void killed_writer_s_log_is_no_damage(void **state)
{
    struct fixture *f = *state;

    for (int after = 0; after <= AFTER; after += AFTER) {
        bring_in_and_die(f, after);
        OK(store_open(&f->s, f->path, "", err));
        assert_false(store_was_damaged(f->s));
    }
    assert_int_equal(events(f), BEFORE + BEFORE + AFTER);
}

/* As if the writer had died while it brought the log in: the file is ahead of its mark. */
static void neither_whole_is_refused_and_left_as_it_is(void **state)
{
    struct fixture *f = *state;
    char mark[128], wal[128];

    bring_in_and_die(f, AFTER);
    damage_log(f);
    int fd = open(beside(f, "mark", mark), O_WRONLY);
    assert_int_equal(pwrite(fd, "0000000000000002", 16, 34), 16);
    close(fd);
    for (int i = 0; i < 2; i++) {
        FAILS(ERR_CORRUPT, "backup", store_open(&f->s, f->path, "", err));
        assert_int_equal(access(beside(f, "wal", wal), F_OK), 0);
    }
}

static void copy_file(const char *from, const char *to)
{
    struct buf bytes = { 0 };

    OK(buf_read_file(&bytes, from, 1 << 24, err));
    OK(buf_write_file(to, bytes.data, bytes.len, err));
    buf_release(&bytes);
}

static void older_file_beside_a_newer_log_is_not_mixed_with_it(void **state)
{
    struct fixture *f = *state;
    char old[128];

    copy_file(f->path, beside(f, "old", old));
    bring_in_and_die(f, AFTER);
    copy_file(old, f->path);
    expect(f, 0, BEFORE + AFTER);
}

static void log_that_is_read_is_not_moved_away(void **state)
{
    struct fixture *f = *state;
    char wal[128];
    struct store *reader;

    bring_in_and_die(f, AFTER);
    damage_log(f);
    OK(store_open_read(&reader, f->path, err));
    FAILS(ERR_CONFLICT, "dashboard", store_open(&f->s, f->path, "", err));
    assert_int_equal(access(beside(f, "wal", wal), F_OK), 0);
    store_close(reader);
    expect(f, BEFORE, AFTER);
}

/* Marks of before there was a third number: told is what was told then. */
static void mark_without_what_was_brought_in_is_read(void **state)
{
    struct fixture *f = *state;
    char mark[128];

    bring_in_and_die(f, 0);
    assert_int_equal(truncate(beside(f, "mark", mark), 34), 0);
    OK(store_open(&f->s, f->path, "", err));
    assert_false(store_was_damaged(f->s));
    assert_int_equal(events(f), BEFORE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
        T(log_that_was_brought_in_whole_takes_nothing_with_it),
        T(what_was_brought_in_stays_when_the_log_behind_it_goes),
        T(log_that_lost_only_its_end_is_used),
        T(killed_writer_s_log_is_no_damage),
        T(neither_whole_is_refused_and_left_as_it_is),
        T(older_file_beside_a_newer_log_is_not_mixed_with_it),
        T(log_that_is_read_is_not_moved_away),
        T(mark_without_what_was_brought_in_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
