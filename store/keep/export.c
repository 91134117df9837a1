/* SPDX-License-Identifier: Apache-2.0 */
/* export.c - one experiment as a file of its own (keep.h). */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "store/keep/copy.h"
#include "store/keep/keep_private.h"
#include "store/sqlite.h"
#include "store/store_private.h"

const char *const export_tables[] = { "export", "blob_bytes", NULL };

static const char make_tables[] =
    "CREATE TABLE export (format INTEGER NOT NULL, experiment TEXT NOT NULL, exported_ms INTEGER "
    "NOT NULL, drover TEXT NOT NULL, blobs TEXT NOT NULL, files INTEGER NOT NULL, checksum BLOB "
    "NOT "
    "NULL) STRICT;"
    "CREATE TABLE blob_bytes (digest BLOB NOT NULL, place INTEGER NOT NULL, bytes BLOB NOT NULL, "
    "UNIQUE (digest, place)) STRICT;";

struct exporting {
    struct store *s; /* read */
    struct sqlite3 *db;
    enum export_blobs blobs;
    struct export_done *done;
};

/* ---- blobs ---- */

struct blob_row {
    struct digest digest;
    uint64_t size;                /* with the files that it names */
    bool user;                    /* a file of the user's */
    bool here;                    /* in the store's blob folder */
    struct store_member *members; /* of a manifest */
    size_t members_len;
};

static void free_blobs(struct blob_row *blobs, size_t len)
{
    for (size_t i = 0; i < len; i++)
        free(blobs[i].members);
    free(blobs);
}

static int by_size(const void *a, const void *b)
{
    const struct blob_row *x = a, *y = b;

    if (x->size != y->size)
        return x->size < y->size ? -1 : 1;
    return memcmp(x->digest.b, y->digest.b, DIGEST_BYTES);
}

static int look_at_blob(struct exporting *e, struct blob_row *b, bool folder, struct err *err)
{
    int rc;

    b->here = blobs_have(store_blobs(e->s), &b->digest, NULL);
    if (!folder || !b->here)
        return 0;
    rc = store_members(store_blobs(e->s), &b->digest, &b->members, &b->members_len, err);
    for (size_t i = 0; i < b->members_len; i++)
        b->size += b->members[i].size;
    return rc;
}

/* Those of the experiment, smallest first. */
static int list_blobs(struct exporting *e, struct blob_row **ret, size_t *ret_len, struct err *err)
{
    struct stmt st = { 0 };
    size_t cap = 0;
    int rc = stmt_prepare(&st, e->db, "SELECT digest, size, path <> '', folder FROM main.blob",
                          NULL, err);

    *ret = NULL;
    *ret_len = 0;
    while (rc == 0 && (rc = stmt_step(&st, err)) > 0) {
        if (*ret_len == cap) {
            cap = MAX(64, 2 * cap);
            *ret = mem_realloc(*ret, cap, sizeof **ret);
        }
        (*ret)[*ret_len] = (struct blob_row){ .digest = stmt_col_digest(&st, 0),
                                              .size = stmt_col_u64(&st, 1),
                                              .user = stmt_col(&st, 2) != 0 };
        rc = look_at_blob(e, &(*ret)[(*ret_len)++], stmt_col(&st, 3) != 0, err);
    }
    stmt_release(&st);
    if (rc == 0 && *ret_len > 0)
        qsort(*ret, *ret_len, sizeof **ret, by_size);
    return rc;
}

/* A file that two manifests name is there once. */
static int put_chunk(struct stmt *st, const struct digest *d, uint64_t place, const void *bytes,
                     size_t len, struct err *err)
{
    stmt_reset(st);
    stmt_digest(st, ":digest", d);
    stmt_u64(st, ":place", place);
    stmt_bytes(st, ":bytes", bytes, len);
    return stmt_run(st, err);
}

/* Its bytes into blob_bytes; their digest is checked on the way. An empty blob has one empty chunk.
 */
static int pack(struct exporting *e, struct stmt *st, const struct digest *d, struct err *err)
{
    CLEANUP(mem_cleanup) char *bytes = mem_calloc(1, EXPORT_CHUNK);
    struct digester digester;
    struct digest found;
    uint64_t offset = 0, size = 0;
    size_t len;
    char hex[DIGEST_HEX];
    int rc;

    digest_begin(&digester);
    do {
        rc = blobs_read(store_blobs(e->s), d, offset, EXPORT_CHUNK, bytes, &len, &size, err);
        if (rc == 0) {
            digest_raw(&digester, bytes, len);
            if (len > 0 || offset == 0)
                rc = put_chunk(st, d, offset / EXPORT_CHUNK, bytes, len, err);
        }
        offset += len;
    } while (rc == 0 && len > 0);
    found = digest_end(&digester);
    if (rc == 0 && !digest_equal(&found, d))
        return err_set(err, ERR_CORRUPT,
                       "blob %s of %s is damaged: its bytes have another digest; remove the file "
                       "and run the recipe again, or export with --blobs none",
                       digest_hex(d, hex), store_path(e->s));
    return rc;
}

static int mark_gone(struct exporting *e, const struct blob_row *b, bool gone, struct err *err)
{
    struct stmt st = { 0 };
    int rc = stmt_prepare(&st, e->db, "UPDATE main.blob SET evicted = :gone WHERE digest = :digest",
                          NULL, err);

    if (rc == 0) {
        stmt_int(&st, ":gone", gone);
        stmt_digest(&st, ":digest", &b->digest);
        rc = stmt_run(&st, err);
    }
    stmt_release(&st);
    return rc;
}

/* With the files that a manifest names; those of the user stay where they are. */
static int pack_with_members(struct exporting *e, struct stmt *st, const struct blob_row *b,
                             struct err *err)
{
    int rc = pack(e, st, &b->digest, err);

    for (size_t i = 0; rc == 0 && i < b->members_len; i++) {
        if (blobs_have(store_blobs(e->s), &b->members[i].digest, NULL))
            rc = pack(e, st, &b->members[i].digest, err);
    }
    return rc;
}

static bool travels(const struct exporting *e, const struct blob_row *b)
{
    if (e->blobs == EXPORT_NONE)
        return false;
    return e->blobs == EXPORT_ALL || e->done->blob_bytes + b->size <= EXPORT_SMALL_BYTES;
}

static int pack_one(struct exporting *e, struct stmt *st, const struct blob_row *b, struct err *err)
{
    bool packed = false;
    int rc = 0;

    if (b->here && travels(e, b)) {
        rc = pack_with_members(e, st, b, err);
        packed = true;
        e->done->blobs++;
        e->done->blob_bytes += b->size;
    } else if (b->here) {
        e->done->left_blobs++;
        e->done->left_bytes += b->size;
    } else if (b->user) {
        e->done->user_files++;
    } else {
        e->done->gone_blobs++;
    }
    return rc == 0 ? mark_gone(e, b, !packed && !b->user, err) : rc;
}

static int pack_blobs(struct exporting *e, struct err *err)
{
    struct blob_row *blobs = NULL;
    struct stmt st = { 0 };
    size_t len = 0;
    int rc = list_blobs(e, &blobs, &len, err);

    if (rc == 0)
        rc = stmt_prepare(&st, e->db,
                          "INSERT OR IGNORE INTO main.blob_bytes (digest, place, bytes) VALUES "
                          "(:digest, :place, :bytes)",
                          NULL, err);
    for (size_t i = 0; rc == 0 && i < len; i++)
        rc = pack_one(e, &st, &blobs[i], err);
    stmt_release(&st);
    free_blobs(blobs, len);
    return rc;
}

/* ---- the file ---- */

static int put_head(struct exporting *e, const char *name, struct err *err)
{
    static const char *const words[] = { "small", "all", "none" };
    struct digest checksum;
    struct stmt st = { 0 };
    int rc = copy_digest(e->db, "main", export_tables, &checksum, err);

    if (rc == 0)
        rc = stmt_prepare(&st, e->db,
                          "INSERT INTO main.export VALUES (:format, :experiment, :now, :drover, "
                          ":blobs, (SELECT count(DISTINCT digest) FROM main.blob_bytes), "
                          ":checksum)",
                          NULL, err);
    if (rc == 0) {
        stmt_int(&st, ":format", EXPORT_FORMAT);
        stmt_text(&st, ":experiment", name);
        stmt_int(&st, ":now", store_now());
        stmt_text(&st, ":drover", DROVER_VERSION);
        stmt_text(&st, ":blobs", words[e->blobs]);
        stmt_digest(&st, ":checksum", &checksum);
        rc = stmt_run(&st, err);
    }
    stmt_release(&st);
    return rc;
}

static int count(struct exporting *e, struct err *err)
{
    int64_t runs = 0, jobs = 0;
    int rc = sqlite_number(e->db, "SELECT count(*) FROM main.run", &runs, err);

    if (rc == 0)
        rc = sqlite_number(e->db, "SELECT count(*) FROM main.job", &jobs, err);
    e->done->runs = (uint64_t)runs;
    e->done->jobs = (uint64_t)jobs;
    return rc;
}

/* One transaction: one moment of the source. */
static int fill(struct exporting *e, const char *name, struct err *err)
{
    int rc = sqlite_run(e->db, make_tables, err);

    if (rc == 0)
        rc = sqlite_run(e->db, "BEGIN", err);
    if (rc == 0)
        rc = copy_select(e->db, name, NULL, err);
    if (rc == 0)
        rc = copy_insert(e->db, &e->done->rows, err);
    if (rc == 0)
        rc = pack_blobs(e, err);
    if (rc == 0)
        rc = count(e, err);
    if (rc == 0)
        rc = put_head(e, name, err);
    return rc == 0 ? sqlite_run(e->db, "COMMIT", err) : rc;
}

int export_renew(const char *path, struct err *err)
{
    static const char *const beside[] = { "-lock", "-mark" };
    struct store *s;
    int rc = store_open(&s, path, "", err);

    store_close(s);
    for (size_t i = 0; i < ARRAY_LEN(beside); i++) {
        CLEANUP(buf_release) struct buf name = { 0 };

        buf_printf(&name, "%s%s", path, beside[i]);
        (void)unlink(buf_str(&name)); /* it may not be there */
    }
    return rc;
}

/* The new file needs no journal: until it is whole nobody knows its name. */
static int open_new(struct sqlite3 **ret, const char *to, struct err *err)
{
    int rc = export_renew(to, err);

    if (rc == 0)
        rc = sqlite_connect(ret, to, CONNECT_WRITE, err);
    if (rc == 0)
        rc = sqlite_run(
            *ret,
            "PRAGMA journal_mode = DELETE; PRAGMA journal_mode = OFF; PRAGMA synchronous "
            "= OFF; PRAGMA temp_store = FILE;",
            err);
    if (rc == 0) /* the source is not ours to checkpoint */
        sqlite3_db_config(*ret, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)NULL);
    return rc;
}

static int sync_file(const char *path, uint64_t *ret_bytes, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;
    struct stat st;

    if (fd < 0)
        return err_errno(err, errno, "open %s", path);
    if (fsync(fd) < 0 || fstat(fd, &st) < 0)
        rc = err_errno(err, errno, "sync %s", path);
    else
        *ret_bytes = (uint64_t)st.st_size;
    close(fd);
    return rc;
}

/* What is full is the disk of the new file, not the store's. */
static int explain(int rc, const char *to, struct err *err)
{
    if (rc == ERR_FULL)
        return err_set(err, ERR_FULL,
                       "%s: no space left on its disk; free some, or name another file", to);
    return rc;
}

int store_export(const char *path, const char *name, const char *to, enum export_blobs blobs,
                 struct export_done *ret, struct err *err)
{
    CLEANUP(store_cleanup) struct store *s = NULL;
    struct exporting e = { .blobs = blobs, .done = ret };
    uint64_t experiment;
    int rc = store_open_read(&s, path, err);

    *ret = (struct export_done){ 0 };
    if (rc == 0)
        rc = store_find_experiment(s, name, &experiment, err);
    if (rc < 0)
        return rc;
    e.s = s;
    rc = open_new(&e.db, to, err);
    if (rc == 0)
        rc = copy_attach(e.db, path, err);
    if (rc == 0)
        rc = fill(&e, name, err);
    sqlite_disconnect(e.db);
    if (rc == 0)
        rc = sync_file(to, &ret->bytes, err);
    if (rc < 0)
        (void)unlink(to); /* it may not be there */
    return explain(rc, to, err);
}
