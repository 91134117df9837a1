/* SPDX-License-Identifier: Apache-2.0 */
/* import_file.c - an exported file is looked at before anything of it is believed (keep.h). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "store/keep/copy.h"
#include "store/keep/import_private.h"
#include "store/migrate.h"
#include "store/sqlite.h"

static int damaged(const char *from, const char *what, struct err *err)
{
    return err_set(err, ERR_CORRUPT, "%s is damaged: %s; nothing was imported", from, what);
}

static int no_export(const char *from, const char *why, struct err *err)
{
    return err_set(err, ERR_VERSION,
                   "%s %s; `drover export EXPERIMENT -o FILE.db` makes files that can be imported",
                   from, why);
}

/* ---- marks and version ---- */

static int check_marks(struct store *s, const char *from, int *ret_version, struct err *err)
{
    int64_t id = 0, version = 0, tables = 0;
    int rc = sqlite_number(s->db, "PRAGMA src.application_id", &id, err);

    if (rc == 0)
        rc = sqlite_number(s->db, "PRAGMA src.user_version", &version, err);
    if (rc == 0)
        rc = sqlite_number(s->db,
                           "SELECT count(*) FROM src.sqlite_schema WHERE type = 'table' AND name "
                           "IN ('export', 'blob_bytes')",
                           &tables, err);
    if (rc < 0)
        return rc;
    if (id != STORE_APPLICATION_ID)
        return no_export(from, "is no file of drover", err);
    if (version > migrate_latest())
        return err_set(err, ERR_VERSION,
                       "%s was written by a newer drover (schema %lld, this program knows %d): "
                       "use that version",
                       from, (long long)version, migrate_latest());
    if (tables != 2)
        return no_export(from, "is a store, not an exported file", err);
    *ret_version = (int)version;
    return 0;
}

static int read_head(struct store *s, const char *from, struct import_file *f,
                     struct digest *ret_checksum, struct err *err)
{
    struct stmt st = { 0 };
    int64_t format = 0;
    int rc =
        stmt_prepare(&st, s->db, "SELECT format, experiment, checksum FROM src.export", NULL, err);

    if (rc == 0)
        rc = stmt_step(&st, err);
    if (rc > 0) {
        format = stmt_col(&st, 0);
        stmt_copy_text(&st, 1, f->experiment, sizeof f->experiment);
        *ret_checksum = stmt_col_digest(&st, 2);
    }
    stmt_release(&st);
    if (rc == 0)
        return damaged(from, "its table export is empty", err);
    if (rc > 0 && format > EXPORT_FORMAT)
        return err_set(err, ERR_VERSION,
                       "%s has export format %lld, this program knows %d: use a newer drover", from,
                       (long long)format, EXPORT_FORMAT);
    return rc > 0 ? 0 : rc;
}

/* ---- structure and content ---- */

/* SQLite's own look at every page and row, and that no row refers to nothing. */
static int check_structure(struct store *s, const char *from, struct err *err)
{
    struct stmt st = { 0 };
    char word[200] = "";
    int rc = stmt_prepare(&st, s->db, "PRAGMA src.quick_check(1)", NULL, err);

    if (rc == 0 && (rc = stmt_step(&st, err)) > 0)
        stmt_copy_text(&st, 0, word, sizeof word);
    stmt_release(&st);
    if (rc < 0)
        return rc;
    if (strcmp(word, "ok") != 0)
        return damaged(from, word, err);
    rc = stmt_prepare(&st, s->db, "PRAGMA src.foreign_key_check", NULL, err);
    if (rc == 0 && (rc = stmt_step(&st, err)) > 0)
        rc = damaged(from, "rows refer to rows that are not there", err);
    stmt_release(&st);
    return rc;
}

static int check_checksum(struct store *s, const char *from, const struct digest *want,
                          struct err *err)
{
    struct digest have;
    int rc = copy_digest(s->db, "src", export_tables, &have, err);

    if (rc == 0 && !digest_equal(&have, want))
        return damaged(from, "its content does not have the checksum that it names", err);
    return rc;
}

/* The tables are exactly ours: what SQL of ours reads from them is what it expects. */
static int check_schema(struct store *s, const char *from, struct err *err)
{
    struct stmt st = { 0 };
    char what[120];
    int rc = stmt_prepare(&st, s->db,
                          "SELECT m.name FROM main.sqlite_schema AS m LEFT JOIN src.sqlite_schema "
                          "AS x ON x.type = m.type AND x.name = m.name AND x.sql = m.sql WHERE "
                          "m.type IN ('table', 'view', 'trigger') AND m.name NOT LIKE 'sqlite_%' "
                          "AND m.name NOT IN ('export', 'blob_bytes') AND x.name IS NULL LIMIT 1",
                          NULL, err);

    if (rc == 0 && (rc = stmt_step(&st, err)) > 0) {
        snprintf(what, sizeof what, "its \"%s\" is not drover's", stmt_col_text(&st, 0));
        rc = damaged(from, what, err);
    }
    stmt_release(&st);
    return rc;
}

/* ---- blobs ---- */

#define CHUNKS                                                                                     \
    "SELECT c.digest, (SELECT sum(length(x.bytes)) FROM src.blob_bytes AS x WHERE x.digest = "     \
    "c.digest), c.place, c.bytes FROM src.blob_bytes AS c ORDER BY c.digest, c.place"

/* Every chunk of every blob, in order: FN gets the blob at its first chunk and the offset. */
typedef int (*chunk_fn)(const struct digest *d, uint64_t size, uint64_t offset, const void *bytes,
                        size_t len, void *arg, struct err *err);

static int each_chunk(struct store *s, chunk_fn fn, void *arg, struct err *err)
{
    struct stmt st = { 0 };
    struct digest last = { { 0 } };
    uint64_t offset = 0;
    int rc = stmt_prepare(&st, s->db, CHUNKS, NULL, err);

    while (rc == 0 && (rc = stmt_step(&st, err)) > 0) {
        struct digest d = stmt_col_digest(&st, 0);
        uint64_t size = stmt_col_u64(&st, 1);
        const void *bytes;
        size_t len;

        bytes = stmt_col_bytes(&st, 3, &len);
        offset = digest_equal(&d, &last) ? offset : 0;
        last = d;
        rc = fn(&d, size, offset, bytes, len, arg, err);
        offset += len;
    }
    stmt_release(&st);
    return rc;
}

struct verifying {
    struct digest at;
    struct digester digester;
    uint64_t size, have, blobs;
    bool open, bad;
};

static void verify_end(struct verifying *v)
{
    struct digest found;

    if (!v->open)
        return;
    found = digest_end(&v->digester);
    v->bad = v->bad || v->have != v->size || !digest_equal(&found, &v->at);
    v->open = false;
}

static int verify_chunk(const struct digest *d, uint64_t size, uint64_t offset, const void *bytes,
                        size_t len, void *arg, struct err *err)
{
    struct verifying *v = arg;

    (void)err;
    if (offset == 0 && !(v->open && v->have == 0 && digest_equal(d, &v->at))) {
        verify_end(v);
        v->at = *d;
        v->size = size;
        v->have = 0;
        v->open = true;
        v->blobs++;
        digest_begin(&v->digester);
    }
    digest_raw(&v->digester, bytes ? bytes : "", len);
    v->have += len;
    return 0;
}

static int check_blobs(struct store *s, const char *from, struct err *err)
{
    struct verifying v = { 0 };
    int64_t promised = 0, missing = 0;
    int rc = each_chunk(s, verify_chunk, &v, err);

    verify_end(&v);
    if (rc == 0)
        rc = sqlite_number(s->db, "SELECT files FROM src.export", &promised, err);
    if (rc == 0)
        rc = sqlite_number(s->db,
                           "SELECT count(*) FROM src.blob WHERE NOT evicted AND path = '' AND "
                           "digest NOT IN (SELECT digest FROM src.blob_bytes)",
                           &missing, err);
    if (rc == 0 && v.bad)
        return damaged(from, "a blob in it does not have its digest", err);
    if (rc == 0 && (missing > 0 || v.blobs != (uint64_t)promised))
        return damaged(from, "a blob's bytes are missing", err);
    return rc;
}

struct storing {
    struct store *s;
    struct import_done *done;
};

/* What an upload began before may be there up to some place. */
static int store_chunk(const struct digest *d, uint64_t size, uint64_t offset, const void *bytes,
                       size_t len, void *arg, struct err *err)
{
    struct storing *a = arg;
    uint64_t have = 0, skip;
    bool complete = false;
    int rc = blobs_write_chunk(a->s->blobs, d, size, offset, bytes, len, &have, &complete, err);

    if (rc < 0)
        return rc;
    if (complete && have == size && offset + len == size)
        return 0;
    if (complete || have >= offset + len)
        return 0;
    if (have < offset)
        return err_set(err, ERR_CORRUPT, "a blob's chunks do not follow each other");
    skip = have - offset;
    return blobs_write_chunk(a->s->blobs, d, size, have, (const char *)bytes + skip,
                             len - (size_t)skip, &have, &complete, err);
}

static int count_new(const struct digest *d, uint64_t size, uint64_t offset, const void *bytes,
                     size_t len, void *arg, struct err *err)
{
    struct storing *a = arg;

    (void)bytes;
    (void)len;
    (void)err;
    if (offset == 0 && !blobs_have(a->s->blobs, d, NULL)) {
        a->done->blobs++;
        a->done->blob_bytes += size;
    }
    return 0;
}

int import_blobs(struct store *s, struct import_done *done, struct err *err)
{
    struct storing a = { s, done };
    int rc = each_chunk(s, count_new, &a, err);

    return rc == 0 ? each_chunk(s, store_chunk, &a, err) : rc;
}

/* ---- older files ---- */

static int copy_file(const char *from, const char *to, struct err *err)
{
    CLEANUP(mem_cleanup) char *bytes = mem_calloc(1, EXPORT_CHUNK);
    int in = open(from, O_RDONLY | O_CLOEXEC), out, rc = 0;
    ssize_t n = 0;

    if (in < 0)
        return err_errno(err, errno, "open %s", from);
    out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (out < 0)
        rc = err_errno(err, errno, "create %s", to);
    while (rc == 0 && (n = read(in, bytes, EXPORT_CHUNK)) > 0) {
        for (ssize_t at = 0, put; rc == 0 && at < n; at += put) {
            put = write(out, bytes + at, (size_t)(n - at));
            if (put < 0)
                rc = err_errno(err, errno == EFBIG ? ENOSPC : errno, "write %s", to);
        }
    }
    if (rc == 0 && n < 0)
        rc = err_errno(err, errno, "read %s", from);
    close(in);
    if (out >= 0)
        close(out);
    return rc;
}

/* A file of an older version is brought up to date as a copy beside the store. */
static int bring_up(struct store *s, const char *from, struct import_file *f, struct err *err)
{
    int rc;

    copy_detach(s->db);
    snprintf(f->temp, sizeof f->temp, "%s-import-%d", s->path, (int)getpid());
    rc = copy_file(from, f->temp, err);
    if (rc == 0)
        rc = export_renew(f->temp, err);
    return rc == 0 ? copy_attach(s->db, f->temp, err) : rc;
}

/* ---- all of it ---- */

static int look(struct store *s, const char *from, struct import_file *f, struct err *err)
{
    struct digest checksum;
    int version = 0, rc = check_marks(s, from, &version, err);

    if (rc == 0)
        rc = check_structure(s, from, err);
    if (rc == 0)
        rc = read_head(s, from, f, &checksum, err);
    if (rc == 0)
        rc = check_checksum(s, from, &checksum, err);
    if (rc == 0 && version < migrate_latest())
        rc = bring_up(s, from, f, err);
    if (rc == 0)
        rc = check_schema(s, from, err);
    return rc == 0 ? check_blobs(s, from, err) : rc;
}

int import_open(struct store *s, const char *from, struct import_file *ret, struct err *err)
{
    int rc;

    *ret = (struct import_file){ 0 };
    if (access(from, R_OK) < 0)
        return err_errno(err, errno, "open %s", from);
    rc = copy_attach(s->db, from, err);
    if (rc == 0)
        rc = look(s, from, ret, err);
    if (rc == ERR_CORRUPT && !strstr(err ? err->text : "damaged", "damaged"))
        return err_set(err, rc, "%s is not a file of drover, or is damaged; nothing was imported",
                       from);
    return rc;
}

void import_close(struct store *s, struct import_file *f)
{
    copy_detach(s->db);
    if (f->temp[0])
        (void)unlink(f->temp); /* at worst a copy stays behind */
}
