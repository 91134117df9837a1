/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a backup is the store of one moment, whole, sound and a store itself, while a writer goes
 * on; nothing is ever replaced, and nothing is left of one that was not made. Method: a writer in
 * this process that commits between the steps of the copy; files that are in the way, a copy that
 * is given up at every step, a damaged store. */
#include "store/backup.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "store/sqlite.h"
#include "store/stmt.h"
#include "tests/unit/store/simple_jobs.h"

struct watching {
    struct fixture *f;
    struct simple x;
    unsigned calls, stop_at; /* stop_at 0: never */
    uint64_t done, total;
    bool write;
};

static bool on_progress(uint64_t done, uint64_t total, void *arg)
{
    struct watching *w = arg;

    assert_true(done <= total && done >= w->done);
    w->done = done;
    w->total = total;
    if (++w->calls == w->stop_at)
        return false;
    if (w->write) { /* a writer is not in the way, nor seen */
        char name[40];

        snprintf(name, sizeof name, "meanwhile %u", w->calls);
        struct simple x = { .name = name, .n = 200 };
        submit_simple(w->f->s, &x);
        store_ids_release(&x.job);
    }
    return true;
}

static void target(const struct fixture *f, char out[512])
{
    snprintf(out, 512, "%s/copy.db", f->dir);
}

static int copy(struct fixture *f, struct watching *w, bool blobs, const char *path,
                struct store_backup_done *done, struct err *err)
{
    struct store *reader;
    const struct store_backup how = { path, blobs, on_progress, w };

    w->f = f;
    int rc = store_open_read(&reader, f->path, err);

    if (rc < 0)
        return rc;
    rc = store_backup(reader, &how, done, err);
    store_close(reader);
    return rc;
}

static void check_sound(const char *path)
{
    struct sqlite3 *db;
    struct stmt st;

    OK(sqlite_connect(&db, path, CONNECT_READ, err));
    OK(stmt_prepare(&st, db, "PRAGMA integrity_check", NULL, err));
    assert_int_equal(stmt_step(&st, NULL), 1);
    assert_string_equal(stmt_col_text(&st, 0), "ok");
    stmt_release(&st);
    sqlite_disconnect(db);
}

/* Names in the folder that begin with "copy". */
static unsigned left(const struct fixture *f)
{
    DIR *d = opendir(f->dir);
    const struct dirent *e;
    unsigned n = 0;

    assert_non_null(d);
    while ((e = readdir(d)) != NULL)
        n += strncmp(e->d_name, "copy", 4) == 0;
    closedir(d);
    return n;
}

static void fill(struct fixture *f)
{
    struct simple x = { .name = "exp", .n = 3000 };

    submit_simple(f->s, &x);
    store_ids_release(&x.job);
}

static void it_is_the_store_of_one_moment_while_a_writer_goes_on(void **state)
{
    struct fixture *f = *state;
    struct watching w = { .write = true };
    struct store_backup_done done;
    struct store *s;
    char path[512];
    struct stat st;

    fill(f);
    target(f, path);
    OK(copy(f, &w, false, path, &done, err));
    assert_true(w.calls > 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, done.bytes);
    assert_int_equal(number(path, "SELECT count(*) FROM job"), 3000);
    assert_int_equal(number(path, "SELECT count(*) FROM experiment"), 1);
    assert_int_equal(number(f->path, "SELECT count(*) FROM experiment"), 1 + w.calls);
    check_sound(path);
    OK(store_open(&s, path, "", err)); /* a store itself */
    struct simple more = { .name = "more", .n = 5 };
    submit_simple(s, &more);
    store_ids_release(&more.job);
    assert_int_equal(store_lost_commits(s), 0);
    store_close(s);
    assert_int_equal(number(path, "SELECT count(*) FROM job"), 3005);
}

static void nothing_is_replaced(void **state)
{
    static const char *const names[] = { "copy.db", "copy.db-wal", "copy.db-mark",
                                         "copy.db-journal", "copy.db-blobs" };
    struct fixture *f = *state;
    struct store_backup_done done;
    char path[512], other[600];

    fill(f);
    target(f, path);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct watching w = { .calls = 0 };
        struct stat st;

        snprintf(other, sizeof other, "%s/%s", f->dir, names[i]);
        close(open(other, O_CREAT | O_WRONLY, 0600));
        FAILS(ERR_CONFLICT, "is there already", copy(f, &w, true, path, &done, err));
        assert_int_equal(left(f), 1);
        assert_int_equal(stat(other, &st), 0);
        assert_int_equal(st.st_size, 0);
        assert_int_equal(unlink(other), 0);
    }
    struct watching w = { .calls = 0 };
    snprintf(other, sizeof other, "%s/none/copy.db", f->dir);
    FAILS(ERR_NOT_FOUND, "none", copy(f, &w, false, other, &done, err));
    FAILS(ERR_INVALID, "empty", copy(f, &w, false, "", &done, err));
}

static void nothing_is_left_of_one_that_was_given_up(void **state)
{
    struct fixture *f = *state;
    struct watching whole = { .calls = 0 };
    struct store_backup_done done;
    char path[512];

    fill(f);
    target(f, path);
    OK(copy(f, &whole, true, path, &done, err));
    assert_int_equal(whole.done, whole.total);
    assert_int_equal(unlink(path), 0);
    snprintf(path + strlen(path), 16, "-blobs");
    assert_int_equal(rmdir(path), 0);
    target(f, path);
    for (unsigned i = 1; i <= whole.calls; i++) {
        struct watching w = { .stop_at = i };

        FAILS(ERR_CANCELLED, "given up", copy(f, &w, true, path, &done, err));
        assert_int_equal(left(f), 0);
    }
}

static void files_of_results_come_along_as_links(void **state)
{
    struct fixture *f = *state;
    struct watching w = { .calls = 0 };
    struct store_backup_done done;
    struct digest d[3];
    struct store *s;
    char path[512], file[BLOBS_PATH_MAX], mine[BLOBS_PATH_MAX];
    struct stat a, b;

    fill(f);
    for (int i = 0; i < 3; i++)
        OK(blobs_put(store_blobs(f->s), "some bytes" + i, (size_t)(10 - i), &d[i], err));
    target(f, path);
    OK(copy(f, &w, true, path, &done, err));
    assert_int_equal(done.files, 3);
    assert_int_equal(done.file_bytes, 10 + 9 + 8);
    assert_int_equal(done.links, 3);
    OK(store_open_read(&s, path, err));
    for (int i = 0; i < 3; i++) {
        assert_true(blobs_have(store_blobs(s), &d[i], NULL));
        assert_int_equal(stat(blobs_path(store_blobs(s), &d[i], mine), &a), 0);
        assert_int_equal(stat(blobs_path(store_blobs(f->s), &d[i], file), &b), 0);
        assert_int_equal(a.st_ino, b.st_ino);
    }
    OK(blobs_remove(store_blobs(f->s), &d[0], err)); /* the backup keeps it */
    assert_true(blobs_have(store_blobs(s), &d[0], NULL));
    store_close(s);
}

static void a_damaged_store_gives_no_backup(void **state)
{
    struct fixture *f = *state;
    struct watching w = { .calls = 0 };
    struct store_backup_done done;
    char path[512], junk[4096];
    struct stat st;

    fill(f);
    store_close(f->s);
    f->s = NULL;
    assert_int_equal(stat(f->path, &st), 0);
    int fd = open(f->path, O_WRONLY);
    memset(junk, 0xa5, sizeof junk);
    for (off_t at = st.st_size / 2 / 4096 * 4096; at < st.st_size; at += 4096)
        assert_int_equal(pwrite(fd, junk, sizeof junk, at), sizeof junk);
    close(fd);
    target(f, path);
    FAILS(ERR_CORRUPT, "backup", copy(f, &w, true, path, &done, err));
    assert_int_equal(left(f), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_is_the_store_of_one_moment_while_a_writer_goes_on, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(nothing_is_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_left_of_one_that_was_given_up, setup, teardown),
        cmocka_unit_test_setup_teardown(files_of_results_come_along_as_links, setup, teardown),
        cmocka_unit_test_setup_teardown(a_damaged_store_gives_no_backup, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
