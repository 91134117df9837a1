/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: SQLite's log is brought into the file when wal.h says so, and in what order; one that was
 * made ready holds what was committed and nothing else, and a submission is on the disk when
 * store.h says so. Method: transactions of so many pages, the file's size; a child process that is
 * killed. */
#include "tests/unit/store/small_plan.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "store/sqlite.h"
#include "store/wal.h"

/* One transaction of some PAGES pages of the log. */
static void write_pages(struct store *s, int pages)
{
    char text[1000];

    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    begin(s);
    for (int i = 0; i < 4 * pages; i++) /* nearly four rows are a page */
        OK(store_audit(s, &(struct store_deed){ .what = "refused", .text = text }, err));
    commit(s);
}

static int64_t pages_in_file(const struct fixture *f)
{
    struct stat st;

    assert_int_equal(stat(f->path, &st), 0);
    return st.st_size / 4096;
}

/* Who tidies later has the log only in the file when he says so, or when he never does. */
static void a_long_log_is_brought_in_when_it_is_asked_for_or_too_long(void **state)
{
    struct fixture *f = *state;
    int64_t before;

    store_tidy(f->s); /* nothing to do */
    write_pages(f->s, 4500);
    assert_true(pages_in_file(f) > 4000);
    store_tidy_later(f->s);
    before = pages_in_file(f);
    write_pages(f->s, 4500);
    assert_int_equal(pages_in_file(f), before);
    store_tidy(f->s);
    assert_true(pages_in_file(f) > before + 4000);
    before = pages_in_file(f);
    write_pages(f->s, 9000); /* longer than anybody who tidies lets it be */
    assert_true(pages_in_file(f) > before + 8000);
}

/* A coordinator that has little to do has the time: its commits are small. */
static void a_shorter_log_is_brought_in_after_small_commits_only(void **state)
{
    struct fixture *f = *state;
    int64_t before;

    store_tidy_later(f->s);
    before = pages_in_file(f);
    for (int i = 0; i < 10; i++)
        write_pages(f->s, 20);
    store_tidy(f->s); /* too short */
    write_pages(f->s, 400);
    store_tidy(f->s); /* a large one: more will come */
    assert_int_equal(pages_in_file(f), before);
    write_pages(f->s, 20);
    store_tidy(f->s);
    assert_true(pages_in_file(f) > before + 500);
}

static int64_t log_bytes(const struct fixture *f)
{
    char path[STORE_PATH_MAX + 8];
    struct stat st;

    snprintf(path, sizeof path, "%s-wal", f->path);
    return stat(path, &st) == 0 ? st.st_size : -1;
}

static bool disk_is_rather_full(const struct fixture *f)
{
    struct statvfs fs;

    assert_int_equal(statvfs(f->path, &fs), 0);
    return fs.f_bavail < WAL_SPARE_BYTES / fs.f_frsize;
}

static void log_made_ready_is_empty_and_keeps_its_length(void **state)
{
    struct fixture *f = *state;

    store_tidy_later(f->s);
    if (disk_is_rather_full(f)) {
        print_message("less than 1 GiB is free: nothing is made ready\n");
        return;
    }
    assert_int_equal(log_bytes(f), WAL_READY_BYTES);
    assert_int_equal(number(f->path, "SELECT count(*) FROM audit"), 0);
    write_pages(f->s, 100);
    assert_int_equal(log_bytes(f), WAL_READY_BYTES);
    assert_int_equal(number(f->path, "SELECT count(*) FROM audit"), 400);
    store_tidy_later(f->s); /* of a log that is in use */
    write_pages(f->s, 1000);
    assert_int_equal(number(f->path, "SELECT count(*) FROM audit"), 4400);
    store_close(f->s);
    f->s = NULL;
    assert_true(log_bytes(f) <= 0);
    assert_int_equal(number(f->path, "SELECT count(*) FROM audit"), 4400);
}

/* Commits COMMITS times over a log that is ready, and dies inside the next transaction. */
static void die_inside_a_transaction(const char *path, int commits)
{
    struct store *s;
    struct err err;

    if (store_open(&s, path, "", &err) < 0)
        _exit(1);
    store_tidy_later(s);
    for (int i = 0; i <= commits; i++) {
        if (store_begin(s, &err) < 0 || store_event(s, "lost", 0, 0, "x", &err) < 0)
            _exit(2);
        if (i < commits && store_commit(s, &err) < 0)
            _exit(3);
    }
    (void)kill(getpid(), SIGKILL);
}

static bool is_sound(const char *path)
{
    struct sqlite3 *db;
    int64_t sound;

    OK(sqlite_connect(&db, path, CONNECT_READ, err));
    OK(sqlite_number(db, "SELECT integrity_check = 'ok' FROM pragma_integrity_check", &sound, err));
    sqlite_disconnect(db);
    return sound;
}

static void killed_writer_leaves_a_ready_log_with_all_it_committed(void **state)
{
    struct fixture *f = *state;
    store_close(f->s);
    f->s = NULL;
    for (int commits = 0; commits < 4; commits++) {
        int64_t before = number(f->path, "SELECT count(*) FROM event");
        pid_t child = fork();

        if (child == 0)
            die_inside_a_transaction(f->path, commits);
        assert_int_equal(waitpid(child, NULL, 0), child);
        OK(store_open(&f->s, f->path, "", err));
        assert_int_equal(store_lost_commits(f->s), 0);
        assert_int_equal(number(f->path, "SELECT count(*) FROM event") - before, commits);
        assert_true(is_sound(f->path));
        store_close(f->s);
        f->s = NULL;
    }
    OK(store_open(&f->s, f->path, "", err));
}

static void mark_of(const struct fixture *f, char ret[64])
{
    char path[STORE_PATH_MAX + 8];
    FILE *file;

    snprintf(path, sizeof path, "%s-mark", f->path);
    file = fopen(path, "r");
    memset(ret, 0, 64);
    if (file) {
        assert_true(fread(ret, 1, 63, file) > 0);
        fclose(file);
    }
}

static int syncs;
static bool disk_is_broken;
static char synced[64]; /* the file's first letter after results.db-, or 'f' */

/* Whose name does FD have? */
static void note_sync(int fd)
{
    char link[32], name[256] = "";
    size_t n = strlen(synced);

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (n + 1 >= sizeof synced || readlink(link, name, sizeof name - 1) < 0)
        return;
    const char *ending = strstr(name, "results.db-");
    synced[n] = ending ? ending[strlen("results.db-")] : 'f';
    synced[n + 1] = '\0';
}

/* In place of the C library's, for SQLite too. */
__attribute__((visibility("default"))) int fdatasync(int fd)
{
    syncs++;
    note_sync(fd);
    if (disk_is_broken) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

static void a_submission_waits_for_the_disk_unless_it_is_to_be_later(void **state)
{
    struct fixture *f = *state;
    char before[64], after[64];
    struct plan p;

    write_pages(f->s, 1);
    syncs = 0;
    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    assert_true(syncs >= 1);
    assert_true(store_synced(f->s));

    store_sync_later(f->s);
    mark_of(f, before);
    syncs = 0;
    submit_plan(f->s, (struct plan_options){ .name = "two" }, &p);
    assert_int_equal(syncs, 0);
    assert_false(store_synced(f->s));
    assert_int_equal(number(f->path, "SELECT count(*) FROM experiment"), 2); /* all see it */
    mark_of(f, after);
    assert_string_equal(before, after); /* what a power cut may take is not missed */

    OK(store_sync(f->s, err));
    assert_int_equal(syncs, 1);
    assert_true(store_synced(f->s));
    mark_of(f, after);
    assert_string_not_equal(before, after);
    OK(store_sync(f->s, err));
    assert_int_equal(syncs, 1); /* once is enough */
}

static void the_next_transaction_that_writes_makes_a_submission_durable(void **state)
{
    struct fixture *f = *state;
    char before[64], after[64];
    struct plan p;

    store_sync_later(f->s);
    write_pages(f->s, 1);
    mark_of(f, before);
    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    syncs = 0;
    begin(f->s); /* writes nothing */
    commit(f->s);
    assert_int_equal(syncs, 0);
    assert_false(store_synced(f->s));
    write_pages(f->s, 1);
    assert_int_equal(syncs, 1);
    assert_true(store_synced(f->s));
    mark_of(f, after);
    assert_string_not_equal(before, after);
    begin(f->s); /* undone: the one after it waits again */
    store_rollback(f->s);
    submit_plan(f->s, (struct plan_options){ .name = "two" }, &p);
    store_close(f->s);
    OK(store_open(&f->s, f->path, "", err));
    assert_int_equal(store_lost_commits(f->s), 0);
    assert_int_equal(number(f->path, "SELECT count(*) FROM experiment"), 2);
}

static void disk_that_does_not_take_a_submission_is_told(void **state)
{
    struct fixture *f = *state;
    struct plan p;
    struct err why = { 0 };

    store_sync_later(f->s);
    write_pages(f->s, 1);
    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    disk_is_broken = true;
    assert_int_equal(store_sync(f->s, &why), ERR_IO);
    disk_is_broken = false;
    assert_non_null(strstr(why.text, "durable"));
    assert_false(store_synced(f->s));
}

/* A mark on the disk never tells of more than the log there has, nor a file of pages that no mark
 * tells of. */
static void log_is_durable_before_its_mark_and_its_mark_before_the_file(void **state)
{
    struct fixture *f = *state;
    struct plan p;

    store_tidy_later(f->s);
    store_sync_later(f->s);
    write_pages(f->s, 4500);
    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    assert_false(store_synced(f->s));
    synced[0] = '\0';
    store_tidy(f->s);
    assert_true(store_synced(f->s));
    assert_string_equal(synced, "wmwfm"); /* SQLite itself sees to the log once more */
    write_pages(f->s, 1);
    synced[0] = '\0';
    store_close(f->s);
    f->s = NULL;
    assert_string_equal(synced, "mwfm");
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_long_log_is_brought_in_when_it_is_asked_for_or_too_long),
        T(a_shorter_log_is_brought_in_after_small_commits_only),
        T(log_made_ready_is_empty_and_keeps_its_length),
        T(a_submission_waits_for_the_disk_unless_it_is_to_be_later),
        T(the_next_transaction_that_writes_makes_a_submission_durable),
        T(disk_that_does_not_take_a_submission_is_told),
        T(log_is_durable_before_its_mark_and_its_mark_before_the_file),
        T(killed_writer_leaves_a_ready_log_with_all_it_committed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
