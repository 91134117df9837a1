/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what is read of a log without SQLite is what SQLite has in it. Method: logs that SQLite
 * wrote, with several page sizes, begun anew, with a transaction that was given up behind the last
 * one; what the last page is is looked up in the file after SQLite brought the log in; each byte of
 * the first frames damaged. */
#include <sqlite3.h>

#include "store/frames.h"
#include "tests/unit/store/fixture.h"

struct plain {
    char dir[64], path[96], wal[112];
    struct sqlite3 *db;
};

static void sql(struct plain *p, const char *text)
{
    char *error = NULL;

    if (sqlite3_exec(p->db, text, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s: %s", text, error);
}

static void plain_open(struct plain *p, const char *name, int page_bytes)
{
    char text[96];

    snprintf(p->path, sizeof p->path, "%s/%s.db", p->dir, name);
    snprintf(p->wal, sizeof p->wal, "%s-wal", p->path);
    assert_int_equal(sqlite3_open(p->path, &p->db), SQLITE_OK);
    snprintf(text, sizeof text, "PRAGMA page_size = %d; PRAGMA journal_mode = WAL", page_bytes);
    sql(p, text);
    sql(p, "PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (x)");
}

static void add_rows(struct plain *p, int rows)
{
    char text[160];

    snprintf(text, sizeof text,
             "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) "
             "INSERT INTO t SELECT hex(randomblob(400)) FROM n",
             rows);
    sql(p, text);
}

static void bring_in(struct plain *p)
{
    assert_int_equal(sqlite3_wal_checkpoint_v2(p->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL),
                     SQLITE_OK);
}

static int setup_plain(void **state)
{
    struct plain *p = calloc(1, sizeof *p);

    snprintf(p->dir, sizeof p->dir, "/tmp/drover-store-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    *state = p;
    return 0;
}

static int teardown_plain(void **state)
{
    struct plain *p = *state;

    sqlite3_close(p->db);
    remove_tree(p->dir);
    free(p);
    return 0;
}

static void last_page_is_in_the_file_once_the_log_is_and_not_before(void **state)
{
    static const int sizes[] = { 512, 4096, 65536 };
    struct plain *p = *state;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char name[16];
        snprintf(name, sizeof name, "of-%d", sizes[i]);
        plain_open(p, name, sizes[i]);
        for (int round = 1; round < 5; round++) { /* the log is begun anew each time */
            add_rows(p, 100 * round);
            add_rows(p, 1); /* the last page once more */
            struct last_page last = frames_last_page(p->path);
            assert_true(last.number > 0);
            assert_true(frames_readable(p->path));
            assert_false(frames_in_file(p->db, &last));
            bring_in(p);
            assert_true(frames_in_file(p->db, &last));
        }
        sqlite3_close(p->db);
        p->db = NULL;
    }
}

/* The cache is too small for it, so its pages go to the log before it is given up. */
static void transaction_that_was_given_up_does_not_count(void **state)
{
    struct plain *p = *state;
    struct stat before, after;

    plain_open(p, "given-up", 4096);
    sql(p, "PRAGMA cache_size = 10");
    add_rows(p, 10);
    struct last_page last = frames_last_page(p->path);
    assert_int_equal(stat(p->wal, &before), 0);
    sql(p, "BEGIN");
    add_rows(p, 1000);
    sql(p, "ROLLBACK");
    assert_int_equal(stat(p->wal, &after), 0);
    assert_true(after.st_size > before.st_size + 100 * 4096);
    struct last_page now = frames_last_page(p->path);
    assert_int_equal(now.number, last.number);
    assert_true(now.sum == last.sum);
    bring_in(p);
    assert_true(frames_in_file(p->db, &last));
}

static void nothing_is_told_of_no_log(void **state)
{
    struct plain *p = *state;
    struct last_page none = { 0 };

    plain_open(p, "none", 4096);
    bring_in(p);
    assert_false(frames_in_file(p->db, &none));
    none.number = 1000000;
    assert_false(frames_in_file(p->db, &none));
    sqlite3_close(p->db);
    p->db = NULL;
    assert_int_equal(frames_last_page(p->path).number, 0);
    assert_false(frames_readable(p->path));
    assert_int_equal(frames_last_page("/nowhere/at/all").number, 0);
    int fd = open(p->wal, O_WRONLY | O_CREAT, 0644);
    for (int i = 0; i < 3; i++) { /* empty, short, zeros */
        assert_int_equal(frames_last_page(p->path).number, 0);
        assert_false(frames_readable(p->path));
        assert_int_equal(ftruncate(fd, i == 0 ? 20 : 1 << 20), 0);
    }
    close(fd);
}

/* How many transactions SQLite reads of a copy: 0 or 1. */
static int read_by_sqlite(const struct plain *p)
{
    struct sqlite3 *db;
    struct sqlite3_stmt *st = NULL;

    assert_int_equal(sqlite3_open_v2(p->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM sqlite_schema WHERE name = 'u'",
                                        -1, &st, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    int n = sqlite3_column_int(st, 0);
    sqlite3_finalize(st);
    sqlite3_close(db);
    return n;
}

static void flip(const struct plain *p, off_t at)
{
    unsigned char byte;
    int fd = open(p->wal, O_RDWR);

    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

static void is_readable_where_sqlite_reads_it_whatever_byte_is_damaged(void **state)
{
    struct plain *p = *state;
    char shm[112];
    struct stat st;
    int readable = 0, damaged = 0;

    plain_open(p, "flipped", 512);
    add_rows(p, 20); /* older frames, behind the new ones */
    bring_in(p);
    sqlite3_db_config(p->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)NULL);
    sql(p, "CREATE TABLE u (x)"); /* begins the log anew */
    sqlite3_close(p->db);
    p->db = NULL;
    snprintf(shm, sizeof shm, "%s-shm", p->path);
    assert_int_equal(stat(p->wal, &st), 0);
    for (off_t at = 0; at < st.st_size; at += at < 600 ? 1 : 97) {
        flip(p, at);
        (void)unlink(shm); /* so that SQLite reads the log itself */
        int want = read_by_sqlite(p);
        if (frames_readable(p->path) != (want == 1))
            fail_msg("byte %d: SQLite reads %d", (int)at, want);
        readable += want;
        damaged += !want;
        flip(p, at);
    }
    assert_true(readable > 0 && damaged > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup_plain, teardown_plain)
        T(last_page_is_in_the_file_once_the_log_is_and_not_before),
        T(transaction_that_was_given_up_does_not_count),
        T(nothing_is_told_of_no_log),
        T(is_readable_where_sqlite_reads_it_whatever_byte_is_damaged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
