/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include <assert.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "store/cache.h"
#include "store/checkpoint_private.h"
#include "store/later.h"
#include "store/lock.h"
#include "store/mark.h"
#include "store/migrate.h"
#include "store/plain.h"
#include "store/shape.h"
#include "store/sqlite.h"
#include "store/store_private.h"
#include "store/torn.h"
#include "store/upgrade.h"
#include "store/wal.h"
#include "store/words.h"

int64_t store_now(void)
{
    return clock_wall_ms();
}

static struct store *store_new(const char *path, bool writer)
{
    struct store *s = mem_calloc(1, sizeof *s);

    s->lock_fd = -1;
    s->writer = writer;
    snprintf(s->path, sizeof s->path, "%s", path);
    return s;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    store_rollback(s);
    if (s->db)
        (void)!store_sync(s, NULL); /* the checkpoint below does it too */
    cache_free(s->cache);
    words_free(s->words);
    later_free(s);
    plain_free(s);
    shapes_forget(s);
    buf_release(&s->page);
    for (size_t i = 0; i < ARRAY_LEN(s->scratch); i++)
        buf_release(&s->scratch[i]);
    stmts_release(&s->q);
    if (s->db && s->writer) /* readers may keep it from becoming empty; nothing is lost then */
        mark_bring_in(s, SQLITE_CHECKPOINT_TRUNCATE);
    sqlite_disconnect(s->db);
    mark_close(s);
    lock_drop(s->lock_fd);
    blobs_free(s->blobs);
    free(s);
}

void store_cleanup(struct store **s)
{
    store_close(*s);
}

/* The file must be writable before SQLite gets it: it would fall back to reading, and fail at the
 * first write only. */
static int check_writable(const char *path, struct err *err)
{
    if (access(path, F_OK) == 0 && access(path, W_OK) < 0)
        return err_set(
            err, ERR_READONLY,
            "%s cannot be written (%s): make it writable, or name another file with --store", path,
            strerror(errno));
    return 0;
}

/* "Read-only" alone does not tell what to do. */
static int explain(int rc, const char *path, struct err *err)
{
    if (rc == ERR_READONLY)
        return err_set(err, ERR_READONLY,
                       "%s cannot be written: its folder or its disk is read-only; name another "
                       "file with --store",
                       path);
    if (rc == ERR_FULL)
        return err_set(
            err, ERR_FULL,
            "%s: no space left on its disk; free some, or name another file with --store", path);
    return rc;
}

static int writer_setup(struct store *s, struct err *err)
{
    int version;
    int rc = migrate_check(s->db, s->path, &version, err);

    if (rc == 0)
        rc = sqlite_run(
            s->db,
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = OFF;"
            /* 32 MiB of pages: each commit of SQLite 3.40 looks at all pages of its cache once,
             * with 128 MiB a million jobs take a third more. */
            "PRAGMA journal_size_limit = " WAL_KEEP_BYTES "; PRAGMA cache_size = -32768;",
            err);
    wal_watch(s);
    if (rc == 0)
        rc = migrate_run(s->db, version, err);
    if (rc == 0)
        rc = later_register(s, err);
    if (rc == 0)
        rc = plain_register(s->db, s, err);
    if (rc == 0)
        rc = stmts_prepare(&s->q, s->db, err);
    if (rc == 0)
        rc = upgrade_run(s, err);
    return rc;
}

int store_open(struct store **ret, const char *path, const char *endpoint, struct err *err)
{
    struct store *s;
    int rc;

    *ret = NULL;
    if (strlen(path) >= STORE_PATH_MAX)
        return err_set(err, ERR_LIMIT, "the store's path is longer than %d bytes",
                       STORE_PATH_MAX - 1);
    rc = check_writable(path, err);
    if (rc < 0)
        return rc;
    s = store_new(path, true);
    rc = lock_take(path, endpoint, &s->lock_fd, err);
    if (rc == 0)
        rc = torn_set_aside(s, err);
    if (rc == 0)
        rc = sqlite_connect(&s->db, path, CONNECT_WRITE, err);
    if (rc == 0)
        rc = writer_setup(s, err);
    if (rc == 0)
        rc = mark_open(s, err);
    if (rc < 0) {
        store_close(s);
        return explain(rc, path, err);
    }
    s->blobs = blobs_new(path);
    *ret = s;
    return 0;
}

/* In a folder that we may not write, a database in WAL mode without its WAL can only be read as an
 * immutable file. */
static int connect_reader(struct store *s, struct err *err)
{
    int64_t tables;
    int rc = sqlite_connect(&s->db, s->path, CONNECT_READ, err);

    if (rc == 0)
        rc = sqlite_number(s->db, "SELECT count(*) FROM sqlite_schema", &tables, err);
    if (rc != ERR_READONLY)
        return rc;
    sqlite_disconnect(s->db);
    rc = sqlite_connect(&s->db, s->path, CONNECT_FROZEN, err);
    return rc;
}

/* Rows of an older schema that still wait for the writer, who was killed on the way. */
static int check_upgraded(struct store *s, struct err *err)
{
    bool due = false;
    int rc = upgrade_due(s, &due, err);

    if (rc < 0 || !due)
        return rc;
    return err_set(err, ERR_VERSION,
                   "%s is being brought up to date: wait for its writer, or `drover run` on it",
                   s->path);
}

int store_open_read(struct store **ret, const char *path, struct err *err)
{
    struct store *s;
    int rc = 0, version;

    *ret = NULL;
    if (access(path, F_OK) < 0 && errno == ENOENT)
        return err_set(err, ERR_NOT_FOUND,
                       "no store at %s; `drover run RECIPE` makes one, or name it with --store",
                       path);
    if (access(path, R_OK) < 0)
        return err_set(err, ERR_IO, "%s cannot be read: %s", path, strerror(errno));
    s = store_new(path, false);
    rc = connect_reader(s, err);
    if (rc == 0)
        rc = migrate_check(s->db, path, &version, err);
    else if (rc == ERR_CORRUPT && torn_explain(s, err) == 0)
        rc = migrate_corrupt(path, err);
    if (rc == 0 && version < migrate_latest())
        rc = err_set(
            err, ERR_VERSION,
            "%s has schema %d, this program reads %d: `drover run` on it brings it up to date",
            path, version, migrate_latest());
    if (rc == 0)
        rc = torn_check(s, err);
    if (rc == 0)
        rc = sqlite_run(s->db, "PRAGMA query_only = ON", err);
    if (rc == 0)
        rc = stmts_prepare(&s->q, s->db, err);
    if (rc == 0)
        rc = check_upgraded(s, err);
    if (rc < 0) {
        store_close(s);
        return rc;
    }
    s->blobs = blobs_new(path);
    *ret = s;
    return 0;
}

int store_set_endpoint(struct store *s, const char *endpoint, struct err *err)
{
    assert(s->writer);
    return lock_write(s->lock_fd, s->path, endpoint, err);
}

int store_lock_holder(const char *path, int *ret_pid, char ret_endpoint[STORE_ENDPOINT_MAX],
                      struct err *err)
{
    return lock_holder(path, ret_pid, ret_endpoint, STORE_ENDPOINT_MAX, err);
}

const char *store_path(const struct store *s)
{
    return s->path;
}

struct blobs *store_blobs(struct store *s)
{
    return s->blobs;
}

int store_schema_version(const struct store *s)
{
    (void)s;
    return migrate_latest(); /* a store that is open has this one */
}

uint64_t store_incarnation(const struct store *s)
{
    return s->incarnation;
}

uint64_t store_lost_commits(const struct store *s)
{
    return s->mark.lost;
}

bool store_was_damaged(const struct store *s)
{
    return s->mark.lost > 0 || s->mark.aside;
}

static int begin(struct store *s, bool soon, struct err *err)
{
    int rc;

    assert(s->writer && !s->open_tx);
    rc = wal_wait(s, !soon, err);
    if (rc == 0)
        rc = stmt_run(USE(s, BEGIN), err);
    s->open_tx = rc == 0;
    s->soon = rc == 0 && soon;
    return rc;
}

int store_begin(struct store *s, struct err *err)
{
    return begin(s, false, err);
}

int store_begin_soon(struct store *s, struct err *err)
{
    return begin(s, s->sync_later, err);
}

int store_commit(struct store *s, struct err *err)
{
    int rc;

    assert(s->open_tx);
    if (sqlite3_get_autocommit(s->db)) {
        s->open_tx = false;
        return err_set(err, ERR_IO, "commit: the transaction was rolled back by an earlier error");
    }
    const uint64_t swept = s->swept;
    rc = plain_commit(s, err);
    const int64_t before = plain_changes(s);
    if (rc == 0)
        rc = later_flush(s, err);
    if (rc == 0)
        rc = shapes_flush(s, err);
    if (rc == 0)
        rc = checkpoint_forget(s, err);
    if (rc == 0)
        rc = mark_count(s, err);
    plain_own_changes(s, before);
    if (rc == 0)
        rc = stmt_run(USE(s, COMMIT), err);
    if (rc == 0)
        mark_committed(s);
    if (rc < 0)
        store_rollback(s);
    s->open_tx = false;
    if (rc == 0)
        wal_committed(s);
    if (rc == 0 && swept > 0)
        s->swept = 0;
    if (rc == 0 && !s->unsynced) /* files do not go before the rows that say so are durable */
        checkpoint_sweep(s);
    return rc;
}

void store_rollback(struct store *s)
{
    if (s->open_tx && !sqlite3_get_autocommit(s->db))
        (void)!sqlite_run(s->db, "ROLLBACK",
                          NULL); /* fails only when there is nothing to roll back */
    if (s->open_tx) {
        plain_forget(s);
        later_forget(s);
        shapes_forget(s);
    }
    s->open_tx = false;
    cache_forget(s->cache);
}

bool store_in_transaction(const struct store *s)
{
    return s->open_tx;
}

int item_check(struct store *s, struct err *err)
{
    assert(s->open_tx);
    if (sqlite3_get_autocommit(s->db))
        return err_set(err, ERR_IO, "the transaction was rolled back by an earlier error");
    return 0;
}

int item_begin(struct store *s, struct err *err)
{
    int rc = item_check(s, err);

    return rc < 0 ? rc : stmt_run(USE(s, SAVEPOINT), err);
}

int item_end(struct store *s, int rc, struct err *err)
{
    if (rc == 0)
        return stmt_run(USE(s, SAVEPOINT_RELEASE), err);
    cache_forget(s->cache);
    if (!sqlite3_get_autocommit(s->db)) { /* else SQLite has undone everything */
        (void)!stmt_run(USE(s, SAVEPOINT_UNDO), NULL);
        (void)!stmt_run(USE(s, SAVEPOINT_RELEASE), NULL);
    }
    return rc;
}

void store_ids_add(struct store_ids *ids, uint64_t id)
{
    if (ids->len == ids->cap) {
        ids->cap = MAX(16, 2 * ids->cap);
        ids->v = mem_realloc(ids->v, ids->cap, sizeof *ids->v);
    }
    ids->v[ids->len++] = id;
}

void store_ids_release(struct store_ids *ids)
{
    free(ids->v);
    *ids = (struct store_ids){ 0 };
}
