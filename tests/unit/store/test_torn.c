/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a damaged log never gives a store that is partly older than its own file. Method: children
 * that commit, bring their log in, commit more and die with the log behind them, or die in the
 * midst of bringing it in; the log is then damaged or removed, or the file or its mark made older;
 * what is left must be whole transactions, or is refused. */
#include <sqlite3.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "store/backup.h"
#include "store/mark.h"
#include "tests/unit/store/planted.h"

/* Enough for a log that store_tidy() brings in. */
enum { BEFORE = 200, AFTER = 8, PART = 65536 };

struct bringing {
    const char *path;
    int after;   /* so many commits */
    off_t limit; /* bytes */
};

/* A reader at the end of the log: it may be brought in, but not begun anew. */
static bool pin(const char *path)
{
    struct sqlite3 *db;

    return sqlite3_open(path, &db) == SQLITE_OK &&
           sqlite3_exec(db, "BEGIN; SELECT count(*) FROM event", NULL, NULL, NULL) == SQLITE_OK;
}

static void bring_in(struct store *s, void *arg)
{
    const struct bringing *how = arg;

    store_tidy_later(s);
    if (!commit_events(s, BEFORE) || !pin(how->path))
        _exit(2);
    store_tidy(s);
    if (!commit_events(s, how->after))
        _exit(3);
}

static void bring_in_and_die(struct fixture *f, int after)
{
    write_and_die(f, bring_in, &(struct bringing){ .path = f->path, .after = after });
}

/* No write beyond the limit: SIGXFSZ then. Pages are brought in in their order, so those before the
 * limit are from the log by then, and the others are as they were. */
static void bring_in_up_to(struct store *s, void *arg)
{
    const struct bringing *how = arg;
    struct rlimit limit = { (rlim_t)how->limit, RLIM_INFINITY };

    store_tidy_later(s);
    if (!commit_events(s, BEFORE) || setrlimit(RLIMIT_FSIZE, &limit) < 0)
        _exit(2);
    store_tidy(s);
}

static off_t size_of(const struct fixture *f)
{
    struct stat st;

    assert_int_equal(stat(f->path, &st), 0);
    return st.st_size;
}

/* The file says that it is longer than it is. */
static void die_while_bringing_in(struct fixture *f)
{
    off_t limit = size_of(f) + PART;

    write_and_die(f, bring_in_up_to, &(struct bringing){ .limit = limit });
    assert_int_equal(size_of(f), limit);
}

static void run(const struct fixture *f, const char *sql)
{
    struct sqlite3 *db;

    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* The same in pages that were there before: nothing shows it. */
static void die_while_bringing_in_unseen(struct fixture *f)
{
    assert_true(commit_events(f->s, 2 * BEFORE));
    store_close(f->s);
    run(f, "DELETE FROM event");
    OK(store_open(&f->s, f->path, "", err));
    off_t size = size_of(f);
    write_and_die(f, bring_in_up_to, &(struct bringing){ .limit = size - PART });
    assert_int_equal(size_of(f), size);
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

/* Brought in by a program that keeps no mark, and damaged after that: how much the file has is not
 * known. */
static void neither_whole_is_refused_and_left_as_it_is(void **state)
{
    struct fixture *f = *state;
    char wal[128];
    struct sqlite3 *db;

    bring_in_and_die(f, AFTER);
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA wal_checkpoint", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)NULL);
    sqlite3_close(db);
    damage_log(f);
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
    struct sqlite3 *reader;

    bring_in_and_die(f, AFTER);
    damage_log(f);
    assert_int_equal(sqlite3_open_v2(f->path, &reader, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM event", NULL, NULL, NULL),
                     SQLITE_OK);
    FAILS(ERR_CONFLICT, "dashboard", store_open(&f->s, f->path, "", err));
    assert_int_equal(access(beside(f, "wal", wal), F_OK), 0);
    sqlite3_close(reader);
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

static void bringing_in_that_was_cut_short_goes_on(void **state)
{
    struct fixture *f = *state;
    char text[512];

    die_while_bringing_in(f);
    assert_int_equal(events(f), BEFORE);
    OK(store_open(&f->s, f->path, "", err));
    assert_false(store_was_damaged(f->s));
    assert_string_equal(integrity(f, text), "ok");
    store_close(f->s);
    OK(store_open(&f->s, f->path, "", err));
    assert_false(store_was_damaged(f->s));
    assert_int_equal(events(f), BEFORE);
}

static void refused(struct fixture *f, const char *why)
{
    struct store *reader;

    for (int i = 0; i < 2; i++) {
        FAILS(ERR_CORRUPT, why, store_open(&f->s, f->path, "", err));
        FAILS(ERR_CORRUPT, why, store_open_read(&reader, f->path, err));
    }
}

static void half_brought_in_and_no_log_is_refused(void **state)
{
    struct fixture *f = *state;
    char wal[128], shm[128];

    die_while_bringing_in(f);
    assert_int_equal(unlink(beside(f, "wal", wal)), 0);
    refused(f, "is gone since");
    assert_int_equal(unlink(beside(f, "shm", shm)), 0);
    refused(f, "is gone since");
}

static void half_brought_in_unseen_and_no_log_is_refused(void **state)
{
    struct fixture *f = *state;
    char wal[128];

    die_while_bringing_in_unseen(f);
    assert_int_equal(unlink(beside(f, "wal", wal)), 0);
    run(f, "SELECT count(*) FROM event");
    refused(f, "is gone since");
}

static void half_brought_in_and_half_a_log_is_refused(void **state)
{
    struct fixture *f = *state;
    char wal[128];

    die_while_bringing_in(f);
    damage_log(f);
    refused(f, "is damaged");
    assert_int_equal(truncate(beside(f, "wal", wal), 1 << 20), 0);
    refused(f, "is damaged");
}

/* The count is in the file already, and not a frame of the log can be read: it looks as it should.
 */
static void half_brought_in_and_a_log_without_its_beginning_is_refused(void **state)
{
    struct fixture *f = *state;
    char wal[128];

    die_while_bringing_in_unseen(f);
    int fd = open(beside(f, "wal", wal), O_WRONLY);
    assert_int_equal(pwrite(fd, "damage", 6, 200), 6);
    close(fd);
    refused(f, "is damaged");
}

/* sqlite3 FILE after the kill: it ends what was begun, and takes the log away. */
static void another_program_that_brought_it_in_since_does_no_harm(void **state)
{
    struct fixture *f = *state;
    char wal[128];

    for (int i = 0; i < 2; i++) {
        if (i == 0)
            die_while_bringing_in(f);
        else
            die_while_bringing_in_unseen(f);
        run(f, "SELECT count(*) FROM event");
        assert_int_not_equal(access(beside(f, "wal", wal), F_OK), 0);
        assert_int_equal(events(f), BEFORE);
        OK(store_open(&f->s, f->path, "", err));
        assert_false(store_was_damaged(f->s));
    }
}

/* Killed behind the last page and before the mark: as if it had been marked. */
static void brought_in_and_not_said_is_brought_in(void **state)
{
    struct fixture *f = *state;
    char mark[128];

    bring_in_and_die(f, AFTER);
    int fd = open(beside(f, "mark", mark), O_WRONLY);
    assert_int_equal(pwrite(fd, "0000000000000000", 16, 34), 16);
    close(fd);
    damage_log(f);
    expect(f, BEFORE, AFTER);
}

static void bring_in_past_a_reader(struct store *s, void *arg)
{
    const struct bringing *how = arg;

    store_tidy_later(s);
    if (!commit_events(s, BEFORE / 2) || !pin(how->path) || !commit_events(s, BEFORE / 2))
        _exit(2);
    store_tidy(s);
    if (!commit_events(s, how->after))
        _exit(3);
}

/* Up to where the reader is the file is whole; only its log has the rest. */
static void bringing_in_that_a_reader_holds_up_is_no_damage(void **state)
{
    struct fixture *f = *state;
    struct mark_numbers mark;

    write_and_die(f, bring_in_past_a_reader, &(struct bringing){ .path = f->path, .after = AFTER });
    assert_true(mark_read(f->path, &mark));
    assert_true(mark.brought < mark.bringing);
    assert_int_equal(mark.commits, mark.bringing + AFTER);
    assert_int_equal(events(f), BEFORE + AFTER);
    OK(store_open(&f->s, f->path, "", err));
    assert_false(store_was_damaged(f->s));
    assert_true(mark_read(f->path, &mark));
    assert_int_equal(mark.brought, mark.commits);
}

/* A process that reads all the time from GO on; ends when STOP is closed. */
static pid_t start_reader(const char *path, int go, int ready, int stop)
{
    char c = 0;
    pid_t child = fork();

    if (child != 0)
        return child;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || read(go, &c, 1) != 1 || !pin(path) ||
        write(ready, &c, 1) != 1)
        _exit(1);
    (void)!read(stop, &c, 1);
    _exit(0);
}

struct held_up {
    int go, ready;
};

static void bring_in_half_held_up(struct store *s, void *arg)
{
    const struct held_up *how = arg;
    char c = 0;

    store_tidy_later(s);
    if (!commit_events(s, BEFORE / 2) || write(how->go, &c, 1) != 1 ||
        read(how->ready, &c, 1) != 1 || !commit_events(s, BEFORE / 2))
        _exit(2);
    store_tidy(s);
}

/* The next writer cannot bring it in either; what he marks must not forget what the file has. */
static void how_much_the_file_has_is_known_while_a_reader_holds_it_up(void **state)
{
    struct fixture *f = *state;
    struct mark_numbers before, after;
    int go[2], ready[2], stop[2];

    assert_true(commit_events(f->s, 1));
    store_close(f->s);
    f->s = NULL;
    assert_true(pipe(go) == 0 && pipe(ready) == 0 && pipe(stop) == 0);
    pid_t reader = start_reader(f->path, go[0], ready[1], stop[0]);
    write_and_die(f, bring_in_half_held_up, &(struct held_up){ go[1], ready[0] });
    assert_true(mark_read(f->path, &before));
    assert_true(before.brought > 0 && before.bringing > before.brought);
    OK(store_open(&f->s, f->path, "", err));
    assert_true(mark_read(f->path, &after));
    assert_int_equal(after.brought, before.brought);
    assert_true(after.bringing >= before.bringing);
    assert_int_equal(events(f), 1 + BEFORE);
    assert_int_equal(kill(reader, SIGKILL), 0);
    waitpid(reader, NULL, 0);
    for (int i = 0; i < 2; i++) {
        close(go[i]);
        close(ready[i]);
        close(stop[i]);
    }
}

/* What the refusal asks for: a backup of before, or one of just then, is whole and needs no log. */
static void backup_in_its_place_is_taken(void **state)
{
    struct fixture *f = *state;
    struct store_backup_done done;
    struct store *reader;
    char older[128], latest[128], wal[128], shm[128];

    OK(store_open_read(&reader, f->path, err));
    OK(store_backup(reader, &(struct store_backup){ .path = beside(f, "older", older) }, &done,
                    err));
    store_close(reader);
    die_while_bringing_in(f);
    OK(store_open_read(&reader, f->path, err));
    OK(store_backup(reader, &(struct store_backup){ .path = beside(f, "latest", latest) }, &done,
                    err));
    store_close(reader);
    for (int i = 0; i < 2; i++) {
        (void)unlink(beside(f, "wal", wal));
        (void)unlink(beside(f, "shm", shm));
        copy_file(i == 0 ? older : latest, f->path);
        assert_int_equal(events(f), i == 0 ? 0 : BEFORE);
        OK(store_open(&f->s, f->path, "", err));
        assert_int_equal(store_lost_commits(f->s), i == 0 ? BEFORE : 0);
        if (i == 0) /* as it was, but for the mark */
            store_close(f->s);
    }
}

/* Who only reads sets nothing right, so he is told; a store that was put back is older and whole.
 */
static void reader_is_told_of_a_log_that_does_not_fit(void **state)
{
    struct fixture *f = *state;
    struct store *reader;

    bring_in_and_die(f, AFTER);
    OK(store_open_read(&reader, f->path, err));
    store_close(reader);
    damage_log(f);
    FAILS(ERR_CORRUPT, "drover coordinator", store_open_read(&reader, f->path, err));
    expect(f, BEFORE, AFTER);
    OK(store_open_read(&reader, f->path, err));
    store_close(reader);
}

/* He has looked, and what he marks meanwhile is ahead of what a reader sees for moments. */
static void reader_beside_a_writer_need_not_look(void **state)
{
    struct fixture *f = *state;
    struct store *reader;
    char mark[128];

    assert_true(commit_events(f->s, 1));
    int fd = open(beside(f, "mark", mark), O_WRONLY);
    assert_int_equal(pwrite(fd, "00000000000fffff", 16, 51), 16);
    close(fd);
    OK(store_open_read(&reader, f->path, err));
    store_close(reader);
    store_close(f->s);
    fd = open(mark, O_WRONLY);
    assert_int_equal(pwrite(fd, "00000000000fffff", 16, 51), 16);
    close(fd);
    FAILS(ERR_CORRUPT, "gone since", store_open_read(&reader, f->path, err));
    FAILS(ERR_CORRUPT, "gone since", store_open(&f->s, f->path, "", err));
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
        T(bringing_in_that_was_cut_short_goes_on),
        T(half_brought_in_and_no_log_is_refused),
        T(half_brought_in_unseen_and_no_log_is_refused),
        T(half_brought_in_and_half_a_log_is_refused),
        T(half_brought_in_and_a_log_without_its_beginning_is_refused),
        T(another_program_that_brought_it_in_since_does_no_harm),
        T(brought_in_and_not_said_is_brought_in),
        T(bringing_in_that_a_reader_holds_up_is_no_damage),
        T(how_much_the_file_has_is_known_while_a_reader_holds_it_up),
        T(backup_in_its_place_is_taken),
        T(reader_is_told_of_a_log_that_does_not_fit),
        T(reader_beside_a_writer_need_not_look),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
