/* SPDX-License-Identifier: Apache-2.0 */
#include "store/torn.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/frames.h"
#include "store/lock.h"
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

/* A bringing in was begun and not ended. */
static bool cut_short(const struct mark_numbers *mark)
{
    return mark->bringing > mark->brought;
}

static bool has_bytes(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && st.st_size > 0;
}

static bool has_log(const struct store *s)
{
    return has_bytes(sibling(s, "-wal").path);
}

/* A backup is not in WAL mode (backup.c; fileformat2.html, offset 18): nothing was ever brought
 * into it. */
static bool is_backup(struct sqlite3 *db)
{
    unsigned char version;

    return sqlite_file_bytes(db, 18, &version, 1) && version == 1;
}

/* Beside a number of transactions. */
enum { UNSOUND = -1, OTHER_STORE = -2 };

/* Transactions of the store that IDENTITY tells, as DB has them. Fails where it may go better next
 * time. */
static int count_commits(struct sqlite3 *db, uint64_t identity, int64_t *ret, struct err *err)
{
    int64_t found = 0, commits = 0;
    int rc = sqlite_number(db, "SELECT value FROM meta WHERE name = 'identity'", &found, err);

    if (rc == 0)
        rc = sqlite_number(db, "SELECT value FROM meta WHERE name = 'commits'", &commits, err);
    *ret = (uint64_t)found == identity ? commits : OTHER_STORE;
    if (rc == ERR_CORRUPT || rc == ERR_INVALID) {
        *ret = UNSOUND;
        return 0;
    }
    return rc;
}

/* By a connection that reads the log too. */
static int count_both(const struct store *s, uint64_t identity, int64_t *ret, struct err *err)
{
    struct sqlite3 *db;
    int rc = sqlite_connect(&db, s->path, CONNECT_READ, err);

    *ret = UNSOUND;
    if (rc == 0)
        rc = count_commits(db, identity, ret, err);
    sqlite_disconnect(db);
    return rc == ERR_CORRUPT ? 0 : rc;
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

static int refuse(const struct store *s, struct err *err)
{
    return err_set(
        err, ERR_CORRUPT,
        "%s: its log (-wal) was being brought into it when the last writer ended, and is "
        "%s since: the file has pages of before and after. Put a backup in its place, or "
        "move it away with what is beside it, and run again; drover doctor says more",
        s->path, has_log(s) ? "damaged" : "gone");
}

/* Can bringing in, cut short, go on, or is it done? THERE is what the file with its log has. The
 * transactions' count stands in a page that is brought in early: the file may have the last count
 * and not the pages behind it. */
static bool all_there(const struct store *s, struct sqlite3 *db, const struct mark_numbers *mark,
                      int64_t there)
{
    if (there != (int64_t)mark->bringing)
        return there > (int64_t)mark->bringing;
    return frames_in_file(db, &mark->last) || frames_readable(s->path);
}

/* FILE sees the file alone. */
static int look(struct store *s, struct sqlite3 *file, struct mark_numbers mark, struct err *err)
{
    const bool log = has_log(s);
    int64_t alone, both;

    if (!log && is_backup(file))
        return 0;
    int rc = count_commits(file, mark.identity, &alone, err);
    if (rc < 0 || alone == OTHER_STORE)
        return rc;
    if (alone >= 0 && alone < (int64_t)mark.brought) /* an older copy of the file */
        return log ? move_log(s, err) : 0;
    if (alone == (int64_t)mark.bringing && frames_in_file(file, &mark.last))
        mark.brought = mark.bringing; /* it was done, only not said */
    both = alone;
    if (log)
        rc = count_both(s, mark.identity, &both, err);
    if (rc < 0)
        return rc;
    if (cut_short(&mark))
        return all_there(s, file, &mark, both) ? 0 : refuse(s, err);
    if (both >= alone)
        return 0;
    /* More than the mark knows: another program brought it in, or began to. */
    return alone == (int64_t)mark.brought ? move_log(s, err) : refuse(s, err);
}

/* The file alone; sqlite_connect() would have read of it, and it may be unsound. */
static int connect_alone(const struct store *s, struct sqlite3 **ret, struct err *err)
{
    CLEANUP(buf_release) struct buf uri = { 0 };

    sqlite_uri(s->path, "?immutable=1", &uri);
    if (sqlite3_open_v2(buf_str(&uri), ret, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL) ==
        SQLITE_OK)
        return 0;
    return sqlite_error(*ret, err, "%s", s->path);
}

int torn_set_aside(struct store *s, struct err *err)
{
    struct mark_numbers mark;
    struct sqlite3 *file;

    if (!has_bytes(s->path) || !mark_read(s->path, &mark) || (!has_log(s) && !cut_short(&mark)))
        return 0;
    int rc = connect_alone(s, &file, err);
    if (rc == 0)
        rc = look(s, file, mark, err);
    sqlite3_close_v2(file);
    return rc;
}

/* Is what S sees as MARK says? *ERR says what is wrong. */
static int compare(const struct store *s, const struct mark_numbers *mark, struct err *err)
{
    int64_t there;
    int rc = count_commits(s->db, mark->identity, &there, err);

    if (rc < 0 || there == OTHER_STORE)
        return rc;
    if (cut_short(mark) ? all_there(s, s->db, mark, there) : there >= (int64_t)mark->brought)
        return 0;
    if (has_log(s))
        return err_set(err, ERR_CORRUPT,
                       "%s: its log (-wal) is damaged, and with it the store would be read as it "
                       "never was. Start drover coordinator on it, which sets that right or says "
                       "what to do",
                       s->path);
    return there < (int64_t)mark->brought || is_backup(s->db) ? 0 : refuse(s, err);
}

static bool has_writer(const struct store *s)
{
    char endpoint[STORE_ENDPOINT_MAX];
    int pid;

    return lock_holder(s->path, &pid, endpoint, sizeof endpoint, NULL) == 0;
}

int torn_check(const struct store *s, struct err *err)
{
    struct mark_numbers mark;

    if (!mark_read(s->path, &mark) || compare(s, &mark, NULL) == 0 || has_writer(s))
        return 0;
    /* Nobody writes now, but somebody may have a moment ago. */
    return mark_read(s->path, &mark) ? compare(s, &mark, err) : 0;
}

int torn_explain(const struct store *s, struct err *err)
{
    struct mark_numbers mark;

    return mark_read(s->path, &mark) && cut_short(&mark) ? refuse(s, err) : 0;
}
