/* SPDX-License-Identifier: Apache-2.0 */
/* backup.c - pages of one snapshot, in steps, into a file that gets its name last. */
#include "store/backup.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "store/backup_private.h"
#include "store/sqlite.h"
#include "store/store_private.h"

enum { STEP_PAGES = 512, BUSY_MS = 10, CHECK_OPS = 100000 };

struct copying {
    const struct store_backup *how;
    struct store_backup_done *ret;
    uint64_t done, total;
    char temp[STORE_PATH_MAX + 32];
    bool stopped;
};

/* ---- files ---- */

/* "a/b" -> "a", "b" -> ".", "/b" -> "/". */
static void folder_of(const char *path, char out[STORE_PATH_MAX])
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        (void)snprintf(out, STORE_PATH_MAX, ".");
    else
        (void)snprintf(out, STORE_PATH_MAX, "%.*s", (int)(slash == path ? 1 : slash - path), path);
}

int backup_sync(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;

    if (fd < 0 || fsync(fd) < 0)
        rc = err_errno(err, errno, "%s", path);
    if (fd >= 0)
        (void)close(fd);
    return rc;
}

int backup_sync_folder_of(const char *path, struct err *err)
{
    char folder[STORE_PATH_MAX];

    folder_of(path, folder);
    return backup_sync(folder, err);
}

int backup_room(const char *path, uint64_t bytes, struct err *err)
{
    char folder[STORE_PATH_MAX];
    struct statvfs fs;

    folder_of(path, folder);
    if (statvfs(folder, &fs) < 0)
        return err_errno(err, errno, "folder %s", folder);
    uint64_t room = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (room < bytes)
        return err_set(err, ERR_FULL,
                       "%s takes %.1f MiB, and %.1f MiB are free there; choose another disk", path,
                       (double)bytes / (1 << 20), (double)room / (1 << 20));
    return 0;
}

static int check_free(const char *path, const char *suffix, struct err *err)
{
    char name[STORE_PATH_MAX + 16];
    struct stat st;

    (void)snprintf(name, sizeof name, "%s%s", path, suffix);
    if (lstat(name, &st) == 0)
        return err_set(err, ERR_CONFLICT,
                       "%s is there already; a backup never replaces anything: choose another name",
                       name);
    if (errno != ENOENT)
        return err_errno(err, errno, "%s", name);
    return 0;
}

static int check_target(const struct store_backup *how, struct err *err)
{
    /* A log beside the new file would be taken for its own. */
    static const char *const beside[] = { "", "-wal", "-journal", "-mark" };
    int rc = 0;

    if (!*how->path || strlen(how->path) >= STORE_PATH_MAX - 64)
        return err_set(err, ERR_INVALID, "the backup's path is %s; name a file",
                       *how->path ? "too long" : "empty");
    for (size_t i = 0; i < ARRAY_LEN(beside) && rc == 0; i++)
        rc = check_free(how->path, beside[i], err);
    return rc == 0 && how->blobs ? check_free(how->path, "-blobs", err) : rc;
}

/* TEMP gets the name PATH, unless there is something by now. */
static int publish(const char *temp, const char *path, struct err *err)
{
    int rc = renameat2(AT_FDCWD, temp, AT_FDCWD, path, RENAME_NOREPLACE);

    if (rc < 0 && (errno == EINVAL || errno == ENOSYS)) /* not every file system has it */
        rc = access(path, F_OK) == 0 ? (errno = EEXIST, -1) : rename(temp, path);
    if (rc < 0 && errno == EEXIST)
        return check_free(path, "", err);
    if (rc < 0)
        return err_errno(err, errno, "%s", path);
    return backup_sync_folder_of(path, err);
}

/* ---- pages ---- */

static bool goes_on(struct copying *c)
{
    if (!c->stopped && c->how->progress && !c->how->progress(c->done, c->total, c->how->arg))
        c->stopped = true;
    return !c->stopped;
}

static int stopped(struct err *err)
{
    return err_set(err, ERR_CANCELLED, "the backup was given up");
}

static int copy_pages(struct copying *c, sqlite3_backup *b, uint64_t page, uint64_t before,
                      struct err *err)
{
    int rc;

    do {
        rc = sqlite3_backup_step(b, STEP_PAGES);
        uint64_t all = (uint64_t)sqlite3_backup_pagecount(b);
        c->done = before + (all - (uint64_t)sqlite3_backup_remaining(b)) * page;
        if (rc == SQLITE_BUSY || rc == SQLITE_LOCKED)
            (void)sqlite3_sleep(BUSY_MS);
        if (rc != SQLITE_DONE && !goes_on(c))
            return stopped(err);
    } while (rc == SQLITE_OK || rc == SQLITE_BUSY || rc == SQLITE_LOCKED);
    return rc == SQLITE_DONE ? 0 : ERR_IO;
}

/* All of SOURCE, whose snapshot is open, into DB. */
static int copy_database(struct copying *c, struct sqlite3 *source, struct sqlite3 *db,
                         uint64_t page, struct err *err)
{
    sqlite3_backup *b = sqlite3_backup_init(db, "main", source, "main");
    int rc;

    if (!b)
        return sqlite_error(db, err, "%s", c->how->path);
    rc = copy_pages(c, b, page, c->done, err);
    if (sqlite3_backup_finish(b) != SQLITE_OK && rc != ERR_CANCELLED)
        return sqlite_error(db, err, "%s", c->how->path);
    return rc;
}

/* Of the copy: a large one takes its time. */
static int on_check(void *arg)
{
    return goes_on(arg) ? 0 : 1;
}

static int check(struct copying *c, struct sqlite3 *db, struct err *err)
{
    struct stmt st = { 0 };
    int rc;

    sqlite3_progress_handler(db, CHECK_OPS, on_check, c);
    rc = stmt_prepare(&st, db, "PRAGMA quick_check(1)", NULL, err);
    if (rc == 0)
        rc = stmt_step(&st, err);
    if (rc > 0 && strcmp(stmt_col_text(&st, 0), "ok") != 0)
        rc = err_set(err, ERR_CORRUPT,
                     "the copy is not sound (%s), so neither is the store: drover doctor",
                     stmt_col_text(&st, 0));
    stmt_release(&st);
    sqlite3_progress_handler(db, 0, NULL, NULL);
    return c->stopped ? stopped(err) : MIN(rc, 0);
}

/* A file of its own, that nobody else has open: no log beside it. */
static int write_copy(struct copying *c, struct sqlite3 *source, uint64_t page, struct err *err)
{
    struct sqlite3 *db = NULL;
    int rc = sqlite_connect(&db, c->temp, CONNECT_WRITE, err);

    if (rc == 0)
        rc = sqlite_run(db, "PRAGMA synchronous = FULL", err);
    if (rc == 0)
        rc = copy_database(c, source, db, page, err);
    if (rc == 0)
        rc = sqlite_run(db, "PRAGMA journal_mode = DELETE", err);
    if (rc == 0)
        rc = check(c, db, err);
    sqlite_disconnect(db);
    return rc == 0 ? backup_sync(c->temp, err) : rc;
}

static int copy(struct copying *c, struct store *s, struct err *err)
{
    char blobs[STORE_PATH_MAX + 16];
    int64_t pages = 0, page = 0;
    int rc = sqlite_number(s->db, "PRAGMA page_count", &pages, err); /* takes the snapshot */

    if (rc == 0)
        rc = sqlite_number(s->db, "PRAGMA page_size", &page, err);
    if (rc < 0)
        return rc;
    c->ret->bytes = c->total = (uint64_t)pages * (uint64_t)page;
    rc = backup_room(c->how->path, c->total, err);
    (void)snprintf(blobs, sizeof blobs, "%s-blobs", c->how->path);
    /* The files first: what the snapshot names is there as long as it is (drover gc waits for the
     * writer's lock, and what it takes away can be made again). */
    if (rc == 0 && c->how->blobs)
        rc = backup_blobs(s->path, blobs, c->how, &c->done, &c->total, c->ret, err);
    if (rc < 0)
        return rc;
    rc = write_copy(c, s->db, (uint64_t)page, err);
    if (rc == 0)
        rc = publish(c->temp, c->how->path, err);
    if (rc < 0 && c->how->blobs)
        backup_blobs_remove(blobs);
    return rc;
}

int store_backup(struct store *s, const struct store_backup *how, struct store_backup_done *ret,
                 struct err *err)
{
    struct copying c = { .how = how, .ret = ret };
    char journal[sizeof c.temp + 16];
    int rc;

    assert(!s->writer);
    *ret = (struct store_backup_done){ 0 };
    rc = check_target(how, err);
    if (rc < 0)
        return rc;
    (void)snprintf(c.temp, sizeof c.temp, "%s.part-%d", how->path, (int)getpid());
    (void)unlink(c.temp);
    rc = sqlite_run(s->db, "BEGIN", err);
    if (rc < 0)
        return rc;
    rc = copy(&c, s, err);
    (void)!sqlite_run(s->db, "ROLLBACK", NULL);
    if (rc < 0) {
        (void)unlink(c.temp);
        (void)snprintf(journal, sizeof journal, "%s-journal", c.temp);
        (void)unlink(journal);
        return err_wrap(err, rc, "backup");
    }
    return 0;
}
