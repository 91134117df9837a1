/* SPDX-License-Identifier: Apache-2.0 */
#include "store/torn.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/mark.h"
#include "store/sqlite.h"
#include "store/store_private.h"

#define LOG_DAMAGED "-wal-damaged"

struct sibling {
    char path[STORE_PATH_MAX + 16];
};

static struct sibling sibling(const struct store *s, const char *ending)
{
    struct sibling ret;

    (void)snprintf(ret.path, sizeof ret.path, "%s%s", s->path, ending);
    return ret;
}

static bool has_log(const struct store *s)
{
    struct stat st;

    return stat(sibling(s, "-wal").path, &st) == 0 && st.st_size > 0;
}

/* Transactions of the store that IDENTITY tells, as the file alone (CONNECT_FROZEN) or the file
 * with its log has them; -1 when pages do not fit together or it is another store. Fails where it
 * may go better next time. */
static int count_commits(const struct store *s, enum connect_mode mode, uint64_t identity,
                         int64_t *ret, struct err *err)
{
    struct sqlite3 *db;
    int64_t found = 0, commits = 0;
    int rc = sqlite_connect(&db, s->path, mode, err);

    if (rc == 0)
        rc = sqlite_number(db, "SELECT value FROM meta WHERE name = 'identity'", &found, err);
    if (rc == 0)
        rc = sqlite_number(db, "SELECT value FROM meta WHERE name = 'commits'", &commits, err);
    sqlite_disconnect(db);
    *ret = rc == 0 && (uint64_t)found == identity ? commits : -1;
    return rc == ERR_CORRUPT || rc == ERR_INVALID ? 0 : rc;
}

/* Who reads holds a lock on the file all the time. A connection that asks for the file alone before
 * it reads anything gets it or is refused; sqlite_connect() would have read. */
static int check_alone(const struct store *s, struct err *err)
{
    struct sqlite3 *db;
    int rc = 0;

    if (sqlite3_open_v2(s->path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK) {
        rc = sqlite_error(db, err, "%s", s->path);
        sqlite3_close_v2(db);
        return rc;
    }
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)NULL);
    (void)sqlite3_exec(db, "PRAGMA locking_mode = EXCLUSIVE; SELECT count(*) FROM sqlite_schema",
                       NULL, NULL, NULL);
    /* Whatever else is wrong with the log is why it goes. */
    if ((sqlite3_errcode(db) & 0xff) == SQLITE_BUSY)
        rc = err_set(err, ERR_CONFLICT,
                     "%s: its log is damaged and has to be moved aside, but a program reads it: "
                     "end that (a dashboard?) and start again",
                     s->path);
    sqlite3_close_v2(db);
    return rc;
}

static int move_log(struct store *s, struct err *err)
{
    struct sibling log = sibling(s, "-wal"), aside = sibling(s, LOG_DAMAGED);
    int rc = check_alone(s, err);

    if (rc < 0)
        return rc;
    if (rename(log.path, aside.path) < 0)
        return err_errno(err, errno, "rename %s to %s", log.path, aside.path);
    (void)unlink(sibling(s, "-shm").path); /* the log's index */
    s->mark.aside = true;
    return 0;
}

int torn_set_aside(struct store *s, struct err *err)
{
    struct mark_numbers mark;
    int64_t file, both;

    if (!has_log(s) || !mark_read(s->path, &mark))
        return 0;
    int rc = count_commits(s, CONNECT_FROZEN, mark.identity, &file, err);
    if (rc < 0 || file < 0) /* of another store */
        return rc;
    if (file < (int64_t)mark.brought) /* an older copy of the file */
        return move_log(s, err);
    rc = count_commits(s, CONNECT_READ, mark.identity, &both, err);
    if (rc < 0 || both >= file)
        return rc;
    if (file == (int64_t)mark.brought)
        return move_log(s, err);
    return err_set(err, ERR_CORRUPT,
                   "%s: its log %s-wal is damaged, and was being brought in when the last writer "
                   "ended: what is whole cannot be told. Put a backup in its place, or move "
                   "both away and run again",
                   s->path, s->path);
}
