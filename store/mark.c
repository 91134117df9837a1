/* SPDX-License-Identifier: Apache-2.0 */
#include "store/mark.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/sqlite.h"
#include "store/store_private.h"

/* "IDENTITY COMMITS\n", both of 16 hex digits: one write, whole or not at all. */
enum { MARK_BYTES = 34 };
/* More than a lost part of a log can have given out: attempts are reserved by the 65,536. */
#define LEAP_SQL                                                                                   \
    "UPDATE meta SET value = value + 1000000000 WHERE name = 'attempt_reserved';"                  \
    "UPDATE meta SET value = value + 1000000 WHERE name = 'incarnation'"

/* False: there is none, or it is no mark of ours. */
static bool read_mark(int fd, uint64_t *ret_identity, uint64_t *ret_commits)
{
    char text[MARK_BYTES + 1] = "";

    return pread(fd, text, MARK_BYTES, 0) == MARK_BYTES &&
           sscanf(text, "%16" SCNx64 " %16" SCNx64, ret_identity, ret_commits) == 2;
}

static int tell(struct store *s, uint64_t lost, struct err *err)
{
    CLEANUP(buf_release) struct buf text = { 0 };

    buf_printf(&text,
               "%" PRIu64
               " committed transactions are gone from the end of %s (or its log %s-wal): "
               "their results are made again. Look after the disk",
               lost, s->path, s->path);
    int rc = store_begin(s, err);
    if (rc == 0)
        rc = sqlite_run(s->db, LEAP_SQL, err);
    if (rc == 0)
        rc = store_event(s, "damaged", 0, 0, buf_str(&text), err);
    if (rc == 0)
        rc = store_commit(s, err);
    if (rc < 0)
        store_rollback(s);
    return rc;
}

int mark_open(struct store *s, struct err *err)
{
    char path[STORE_PATH_MAX + 8];
    int64_t identity = 0, commits = 0;
    uint64_t marked_identity, marked;

    int rc = sqlite_number(s->db, "SELECT value FROM meta WHERE name = 'identity'", &identity, err);
    if (rc == 0)
        rc = sqlite_number(s->db, "SELECT value FROM meta WHERE name = 'commits'", &commits, err);
    if (rc < 0)
        return rc;
    (void)snprintf(path, sizeof path, "%s-mark", s->path);
    s->mark.fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (s->mark.fd < 0)
        return err_errno(err, errno, "open %s", path);
    s->mark.identity = (uint64_t)identity;
    s->mark.commits = (uint64_t)commits;
    s->mark.changes = sqlite3_total_changes64(s->db);
    s->mark.on = true;
    /* A new store is all log yet: what it is must not go with it. */
    if (commits == 0)
        (void)sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    if (!read_mark(s->mark.fd, &marked_identity, &marked) || marked_identity != s->mark.identity ||
        marked <= s->mark.commits)
        return 0;
    s->mark.lost = marked - s->mark.commits;
    return tell(s, s->mark.lost, err);
}

int mark_count(struct store *s, struct err *err)
{
    if (!s->mark.on || sqlite3_total_changes64(s->db) == s->mark.changes)
        return 0;
    struct stmt *st = USE(s, COMMITS_SET);
    stmt_u64(st, ":value", s->mark.commits + 1);
    return stmt_run(st, err);
}

void mark_committed(struct store *s)
{
    if (!s->mark.on || sqlite3_total_changes64(s->db) == s->mark.changes)
        return;
    s->mark.changes = sqlite3_total_changes64(s->db);
    s->mark.commits++;
    if (!s->unsynced)
        mark_write(s);
}

void mark_write(const struct store *s)
{
    char text[MARK_BYTES + 1];

    if (!s->mark.on)
        return;
    (void)snprintf(text, sizeof text, "%016" PRIx64 " %016" PRIx64 "\n", s->mark.identity,
                   s->mark.commits);
    /* A mark that could not be written is an older one. */
    (void)!pwrite(s->mark.fd, text, MARK_BYTES, 0);
}

void mark_close(struct store *s)
{
    if (s->mark.on)
        (void)close(s->mark.fd);
    s->mark.on = false;
}
