/* SPDX-License-Identifier: Apache-2.0 */
#include "store/mark.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/macros.h"
#include "store/sqlite.h"
#include "store/store_private.h"

/* "IDENTITY COMMITS BROUGHT BRINGING LAST SUM\n", each of 16 hex digits: one write, whole or not at
 * all. */
enum { MARK_BYTES = 102 };
#define HEX_IN  "%16" SCNx64
#define HEX_OUT "%016" PRIx64
/* More than a lost part of a log can have given out: attempts are reserved by the 65,536. */
#define LEAP_SQL                                                                                   \
    "UPDATE meta SET value = value + 1000000000 WHERE name = 'attempt_reserved';"                  \
    "UPDATE meta SET value = value + 1000000 WHERE name = 'incarnation'"

static bool read_fd(int fd, struct mark_numbers *ret)
{
    char text[MARK_BYTES + 1] = "";

    *ret = (struct mark_numbers){ 0 };
    if (pread(fd, text, MARK_BYTES, 0) <= 0)
        return false;
    int n =
        sscanf(text, HEX_IN " " HEX_IN " " HEX_IN " " HEX_IN " " HEX_IN " " HEX_IN, &ret->identity,
               &ret->commits, &ret->brought, &ret->bringing, &ret->last.number, &ret->last.sum);
    ret->bringing = MAX(ret->bringing, ret->brought);
    return n >= 2;
}

static void path_of(const char *store, char out[STORE_PATH_MAX + 8])
{
    (void)snprintf(out, STORE_PATH_MAX + 8, "%s-mark", store);
}

bool mark_read(const char *path, struct mark_numbers *ret)
{
    char name[STORE_PATH_MAX + 8];

    path_of(path, name);
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && read_fd(fd, ret);
    if (fd >= 0)
        (void)close(fd);
    return ok;
}

static int tell(struct store *s, struct err *err)
{
    CLEANUP(buf_release) struct buf text = { 0 };

    if (s->mark.lost > 0)
        buf_printf(&text,
                   "%" PRIu64
                   " committed transactions are gone from the end of %s (or its log %s-wal): "
                   "their results are made again. Look after the disk",
                   s->mark.lost, s->path, s->path);
    else
        buf_printf(
            &text,
            "the log of %s was damaged; as far as the mark beside it tells, the file has all "
            "of it. Look after the disk",
            s->path);
    if (s->mark.aside)
        buf_printf(&text, "; what was left of the log is %s-wal-damaged", s->path);
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

/* What the last writer left; an older copy of its store has no more than itself. */
static void take_up(struct store *s, const struct mark_numbers *last)
{
    if (last->identity != s->mark.n.identity)
        return;
    if (last->commits > s->mark.n.commits)
        s->mark.lost = last->commits - s->mark.n.commits;
    s->mark.n.brought = MIN(last->brought, s->mark.n.commits);
    s->mark.n.bringing = MIN(last->bringing, s->mark.n.commits);
    s->mark.n.last = last->last;
}

int mark_open(struct store *s, struct err *err)
{
    char path[STORE_PATH_MAX + 8];
    int64_t identity = 0, commits = 0;
    struct mark_numbers last;

    int rc = sqlite_number(s->db, "SELECT value FROM meta WHERE name = 'identity'", &identity, err);
    if (rc == 0)
        rc = sqlite_number(s->db, "SELECT value FROM meta WHERE name = 'commits'", &commits, err);
    if (rc < 0)
        return rc;
    path_of(s->path, path);
    s->mark.fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (s->mark.fd < 0)
        return err_errno(err, errno, "open %s", path);
    s->mark.n.identity = (uint64_t)identity;
    s->mark.n.commits = (uint64_t)commits;
    s->mark.changes = sqlite3_total_changes64(s->db);
    s->mark.on = true;
    if (read_fd(s->mark.fd, &last))
        take_up(s, &last);
    if (s->mark.lost > 0 || s->mark.aside)
        rc = tell(s, err);
    if (rc < 0)
        return rc;
    mark_write(s);
    /* A new store is all log yet: what it is must not go with it. And what was brought in by
     * another program has no mark. */
    mark_bring_in(s, SQLITE_CHECKPOINT_PASSIVE);
    return 0;
}

int mark_count(struct store *s, struct err *err)
{
    if (!s->mark.on || sqlite3_total_changes64(s->db) == s->mark.changes)
        return 0;
    struct stmt *st = USE(s, COMMITS_SET);
    stmt_u64(st, ":value", s->mark.n.commits + 1);
    return stmt_run(st, err);
}

void mark_committed(struct store *s)
{
    if (!s->mark.on || sqlite3_total_changes64(s->db) == s->mark.changes)
        return;
    s->mark.changes = sqlite3_total_changes64(s->db);
    s->mark.n.commits++;
    if (!s->unsynced)
        mark_write(s);
}

void mark_write(const struct store *s)
{
    char text[MARK_BYTES + 1];

    if (!s->mark.on)
        return;
    const struct mark_numbers *n = &s->mark.n;
    (void)snprintf(text, sizeof text,
                   HEX_OUT " " HEX_OUT " " HEX_OUT " " HEX_OUT " " HEX_OUT " " HEX_OUT "\n",
                   n->identity, n->commits, n->brought, n->bringing, n->last.number, n->last.sum);
    /* A mark that could not be written is an older one. */
    (void)!pwrite(s->mark.fd, text, MARK_BYTES, 0);
}

static void write_through(const struct store *s)
{
    mark_write(s);
    (void)fdatasync(s->mark.fd);
}

void mark_bring_in(struct store *s, int mode)
{
    int pages = -1, brought = -1;
    const bool news = s->mark.on && s->mark.n.brought != s->mark.n.commits;

    if (news) {
        /* What the log has is durable before it is said that it has it. */
        if (store_sync(s, NULL) < 0)
            return;
        s->mark.n.bringing = s->mark.n.commits;
        s->mark.n.last = frames_last_page(s->path);
        write_through(s);
    }
    if (sqlite3_wal_checkpoint_v2(s->db, NULL, mode, &pages, &brought) != SQLITE_OK ||
        pages != brought || !news)
        return;
    s->mark.n.brought = s->mark.n.bringing;
    write_through(s);
}

void mark_close(struct store *s)
{
    if (s->mark.on)
        (void)close(s->mark.fd);
    s->mark.on = false;
}
