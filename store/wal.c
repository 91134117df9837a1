/* SPDX-License-Identifier: Apache-2.0 */
#include "store/wal.h"

#include <assert.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/macros.h"
#include "store/mark.h"
#include "store/sqlite.h"
#include "store/store_private.h"

/* Pages: 2 MiB, where the caller tidies and has time for it; 16 MiB; and twice as many where the
 * caller should have tidied, but did not. A short log is brought in within a millisecond or two, a
 * long one takes five; but while much is written (commits of many pages) the same pages come again
 * and again, and are better brought in once. */
enum { LOG_SHORT = 512, LOG_LONG = 4096, LOG_TOO_LONG = 2 * LOG_LONG };
enum { SHORT_EVERY_MS = 100, FEW_PAGES = 64 };

/* A reader may keep it from bringing in all: the next one does, so its outcome does not matter. */
static void checkpoint_log(struct store *s)
{
    mark_bring_in(s, SQLITE_CHECKPOINT_PASSIVE);
    s->log_pages = 0;
}

/* After each commit. */
static int on_log(void *arg, struct sqlite3 *db, const char *name, int pages)
{
    struct store *s = arg;

    (void)db;
    (void)name;
    s->log_grew = pages - s->log_pages;
    s->log_pages = pages;
    s->unsynced = s->soon; /* a commit that waited has taken along what stood before it */
    s->log_full = pages >= (s->tidy_later ? LOG_TOO_LONG : LOG_LONG);
    if (!s->mark.on) /* not by store_commit() */
        wal_committed(s);
    return SQLITE_OK;
}

void wal_committed(struct store *s)
{
    if (s->log_full)
        checkpoint_log(s);
    s->log_full = false;
}

void wal_watch(struct store *s)
{
    sqlite3_wal_hook(s->db, on_log, s);
}

static bool disk_has_room(int fd)
{
    struct statvfs fs;

    return fstatvfs(fd, &fs) == 0 && fs.f_bavail >= WAL_SPARE_BYTES / fs.f_frsize;
}

/* Undone when it cannot be done. */
static void lengthen(int fd, off_t from)
{
    static const char zeros[65536];

    for (off_t at = from; at < WAL_READY_BYTES;) {
        ssize_t n = pwrite(fd, zeros, MIN(sizeof zeros, (size_t)(WAL_READY_BYTES - at)), at);

        if (n <= 0) {
            (void)!ftruncate(fd, from);
            return;
        }
        at += n;
    }
    (void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE); /* begins, and does not wait */
}

void wal_make_ready(const struct store *s)
{
    char path[STORE_PATH_MAX + 8];
    struct stat st;
    int fd;

    assert(!s->open_tx);
    (void)snprintf(path, sizeof path, "%s-wal", s->path);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0 && st.st_size < WAL_READY_BYTES && disk_has_room(fd))
        lengthen(fd, st.st_size);
    (void)close(fd);
}

void store_tidy_later(struct store *s)
{
    s->tidy_later = true;
    wal_make_ready(s);
}

void store_tidy(struct store *s)
{
    uint64_t now_ms;

    assert(!s->open_tx);
    if (s->log_pages < LOG_SHORT)
        return;
    now_ms = clock_ms();
    if (s->log_pages < LOG_LONG &&
        (s->log_grew > FEW_PAGES || now_ms < s->tidied_ms + SHORT_EVERY_MS))
        return;
    checkpoint_log(s);
    s->tidied_ms = now_ms;
}

int wal_wait(struct store *s, bool wait, struct err *err)
{
    int rc = 0;

    assert(!s->open_tx);
    if (s->half == !wait)
        return 0;
    rc = sqlite_run(s->db, wait ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL", err);
    if (rc == 0)
        s->half = !wait;
    return rc;
}

void store_sync_later(struct store *s)
{
    s->sync_later = true;
}

bool store_synced(const struct store *s)
{
    return !s->unsynced;
}

int store_sync(struct store *s, struct err *err)
{
    struct sqlite3_file *log = NULL;

    assert(!s->open_tx);
    if (!s->unsynced)
        return 0;
    /* As SQLite itself does at the end of a commit, by the file that it has open. */
    if (sqlite3_file_control(s->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) != SQLITE_OK ||
        !log || !log->pMethods || log->pMethods->xSync(log, SQLITE_SYNC_NORMAL) != SQLITE_OK)
        return err_set(err, ERR_IO, "%s-wal: what was committed cannot be made durable", s->path);
    s->unsynced = false;
    mark_write(s);
    return 0;
}
