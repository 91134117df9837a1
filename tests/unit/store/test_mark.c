/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a log that lost committed transactions is told, never read in silence; a tail that was not
 * committed is no loss. Method: children that commit and die with their log behind them; the log is
 * then cut, overwritten, thrown away, replaced. */
#include "store/mark.h"
#include "tests/unit/store/planted.h"

static void write_events(struct store *s, void *arg)
{
    if (!commit_events(s, *(int *)arg))
        _exit(2);
}

static void commit_and_die(struct fixture *f, int commits)
{
    write_and_die(f, write_events, &commits);
}

static void expect_loss(struct fixture *f, uint64_t lost)
{
    char text[512];
    int64_t reserved = 0;

    OK(store_open(&f->s, f->path, "", err));
    assert_int_equal(store_lost_commits(f->s), lost);
    assert_int_equal(number(f->path, "SELECT count(*) FROM event WHERE kind = 'damaged'"),
                     lost > 0);
    reserved = number(f->path, "SELECT value FROM meta WHERE name = 'attempt_reserved'");
    assert_true(lost > 0 ? reserved >= 1000000000 : reserved < 1000000000);
    if (lost > 0)
        assert_non_null(
            strstr(text_of(f->path, "SELECT text FROM event WHERE kind = 'damaged'", text),
                   "committed transactions are gone"));
    /* Told once. */
    store_close(f->s);
    OK(store_open(&f->s, f->path, "", err));
    assert_int_equal(store_lost_commits(f->s), 0);
}

static void killed_writer_has_lost_nothing(void **state)
{
    commit_and_die(*state, 8);
    expect_loss(*state, 0);
    assert_int_equal(events(*state), 8);
}

static void log_that_was_cut_short_is_told(void **state)
{
    struct fixture *f = *state;
    char wal[128];
    struct stat st;

    commit_and_die(f, 8);
    assert_int_equal(stat(beside(f, "wal", wal), &st), 0);
    assert_int_equal(truncate(wal, st.st_size - 1), 0);
    expect_loss(f, 1);
    assert_int_equal(events(f), 7);
}

static void log_that_was_overwritten_in_its_midst_is_told(void **state)
{
    struct fixture *f = *state;
    char wal[128];
    struct stat st;

    commit_and_die(f, 8);
    assert_int_equal(stat(beside(f, "wal", wal), &st), 0);
    int fd = open(wal, O_WRONLY);
    assert_int_equal(pwrite(fd, "damage", 6, st.st_size / 2), 6);
    close(fd);
    OK(store_open(&f->s, f->path, "", err));
    assert_true(store_lost_commits(f->s) >= 2);
    assert_int_equal(events(f) + (int64_t)store_lost_commits(f->s), 8);
}

static void log_that_was_thrown_away_is_told(void **state)
{
    struct fixture *f = *state;
    char wal[128];

    commit_and_die(f, 8);
    assert_int_equal(unlink(beside(f, "wal", wal)), 0);
    expect_loss(f, 8);
    assert_int_equal(events(f), 0);
}

static void another_program_that_brings_in_the_log_does_no_harm(void **state)
{
    struct fixture *f = *state;
    char command[256];

    commit_and_die(f, 8);
    /* As `sqlite3 FILE` does: the last one to close it empties the log. */
    (void)snprintf(command, sizeof command, "%s", f->path);
    struct store *s;
    OK(store_open(&s, command, "", err));
    store_close(s);
    expect_loss(f, 0);
    assert_int_equal(events(f), 8);
}

static void mark_of_another_store_says_nothing(void **state)
{
    struct fixture *f = *state;
    char mark[128];

    commit_and_die(f, 8);
    OK(store_open(&f->s, f->path, "", err));
    store_close(f->s);
    f->s = NULL;
    /* Another store under the same name. */
    assert_int_equal(unlink(f->path), 0);
    expect_loss(f, 0);
    store_close(f->s);
    /* Rubbish, and nothing at all. */
    int fd = open(beside(f, "mark", mark), O_WRONLY | O_TRUNC);
    assert_int_equal(write(fd, "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", 40), 40);
    close(fd);
    expect_loss(f, 0);
    store_close(f->s);
    assert_int_equal(unlink(mark), 0);
    expect_loss(f, 0);
}

static void transaction_that_changes_nothing_is_not_counted(void **state)
{
    struct fixture *f = *state;
    int64_t before = number(f->path, "SELECT value FROM meta WHERE name = 'commits'");

    for (int i = 0; i < 5; i++) {
        OK(store_begin(f->s, err));
        OK(store_commit(f->s, err));
    }
    assert_int_equal(number(f->path, "SELECT value FROM meta WHERE name = 'commits'"), before);
    OK(store_begin(f->s, err));
    OK(store_event(f->s, "planted", 0, 0, "x", err));
    store_rollback(f->s);
    OK(store_begin(f->s, err));
    OK(store_event(f->s, "planted", 0, 0, "x", err));
    OK(store_commit(f->s, err));
    assert_int_equal(number(f->path, "SELECT value FROM meta WHERE name = 'commits'"), before + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
        T(killed_writer_has_lost_nothing),
        T(log_that_was_cut_short_is_told),
        T(log_that_was_overwritten_in_its_midst_is_told),
        T(log_that_was_thrown_away_is_told),
        T(another_program_that_brings_in_the_log_does_no_harm),
        T(mark_of_another_store_says_nothing),
        T(transaction_that_changes_nothing_is_not_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
