/* SPDX-License-Identifier: Apache-2.0 */
/* gc.c - throwing away bytes that can be made again (keep.h).
 *
 * A blob, and the files that it names when it is a manifest (members.c), stays when
 *   - it is no job's output: nobody could make it again;
 *   - a job that a live claim wants and that is not done reads it;
 *   - it is a final output of the latest revision: of a done job that a run which is not superseded
 *     claims, and no done job of such a run made a later one of it (a stage's checkpoint is not
 *     final when the next stage has made its own);
 *   - it is pinned, by its job, a run that claims it, or such a run's experiment;
 *   - it was made in the last KEEP_DAYS.
 * Checkpoints of jobs that go on stay, those of jobs that failed go.
 * Marks come first, in a transaction; then files go. What is marked and still there is removed by
 * the next gc, as are files that no row names, when they are older than an hour. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "store/keep/keep_private.h"
#include "store/sqlite.h"
#include "store/store_private.h"

enum { ORPHAN_SECONDS = 3600 };
#define DAY_MS INT64_C(86400000)

/* ---- what stays ---- */

static const char *const choosing[] = {
    "CREATE TEMP TABLE gc_keep (id INTEGER PRIMARY KEY)",
    /* What stays and what it names; what was counted. */
    "CREATE TEMP TABLE gc_file (digest BLOB PRIMARY KEY) WITHOUT ROWID",
    "CREATE TEMP TABLE gc_seen (digest BLOB PRIMARY KEY) WITHOUT ROWID",
    "CREATE TEMP TABLE gc_live AS SELECT DISTINCT c.job AS job FROM run JOIN run_job AS c ON c.run "
    "= run.id JOIN job ON job.id = c.job WHERE run.superseded = 0 AND job.state = 'DONE'",
    "CREATE UNIQUE INDEX temp.gc_live_job ON gc_live (job)",
    /* Given, not made. */
    "INSERT OR IGNORE INTO gc_keep SELECT b.id FROM blob AS b WHERE b.id NOT IN (SELECT blob FROM "
    "job_output)",
    /* Wanted by what is not done. */
    "INSERT OR IGNORE INTO gc_keep SELECT coalesce(i.blob, x.blob) FROM job AS j JOIN job_input AS "
    "i ON i.job = j.id LEFT JOIN job_output AS x ON x.job = i.producer AND x.name = i.output WHERE "
    "j.state <> 'DONE' AND coalesce(i.blob, x.blob) IS NOT NULL AND EXISTS (SELECT 1 FROM run_job "
    "AS c WHERE c.job = j.id AND c.live = 1)",
    /* Final. */
    "INSERT OR IGNORE INTO gc_keep SELECT x.blob FROM gc_live AS l CROSS JOIN job_output AS x ON "
    "x.job = l.job WHERE NOT EXISTS (SELECT 1 FROM job_input AS i JOIN gc_live AS n ON n.job = "
    "i.job JOIN job_output AS y ON y.job = i.job AND y.name = x.name WHERE i.producer = x.job AND "
    "i.output = x.name)",
    /* Pinned. */
    "INSERT OR IGNORE INTO gc_keep SELECT x.blob FROM pin JOIN job_output AS x ON x.job = pin.job",
    "INSERT OR IGNORE INTO gc_keep SELECT x.blob FROM pin JOIN run_job AS c ON c.run = pin.run "
    "JOIN "
    "job_output AS x ON x.job = c.job",
    "INSERT OR IGNORE INTO gc_keep SELECT x.blob FROM pin JOIN run ON run.experiment = "
    "pin.experiment JOIN run_job AS c ON c.run = run.id JOIN job_output AS x ON x.job = c.job",
};

static const char young[] =
    "INSERT OR IGNORE INTO gc_keep SELECT x.blob FROM job_output AS x JOIN job AS j ON j.id = "
    "x.job JOIN attempt AS a ON a.id = j.attempt WHERE a.ended_ms >= :since";

/* The oldest experiment that claims a job which made or reads the blob. */
static const char owners[] =
    "CREATE TEMP TABLE gc_owner AS SELECT u.blob AS blob, min(run.experiment) AS experiment FROM "
    "(SELECT blob, job FROM job_output UNION ALL SELECT blob, job FROM job_input WHERE blob IS NOT "
    "NULL) AS u JOIN run_job AS c ON c.job = u.job JOIN run ON run.id = c.run GROUP BY u.blob";

static void forget(struct store *s)
{
    (void)!sqlite_run(s->db,
                      "DROP TABLE IF EXISTS temp.gc_keep; DROP TABLE IF EXISTS temp.gc_file; DROP "
                      "TABLE IF EXISTS temp.gc_seen; DROP TABLE IF EXISTS temp.gc_live; DROP "
                      "TABLE IF EXISTS temp.gc_owner",
                      NULL); /* temp tables: at worst they stay */
}

static int choose(struct store *s, uint32_t keep_days, struct err *err)
{
    struct stmt st = { 0 };
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(choosing); i++)
        rc = sqlite_run(s->db, choosing[i], err);
    if (rc == 0 && keep_days > 0) {
        rc = stmt_prepare(&st, s->db, young, NULL, err);
        if (rc == 0) {
            stmt_int(&st, ":since", store_now() - keep_days * DAY_MS);
            rc = stmt_run(&st, err);
        }
        stmt_release(&st);
    }
    return rc == 0 ? sqlite_run(s->db, owners, err) : rc;
}

/* ---- blobs ---- */

struct gone {
    struct digest digest;
    uint64_t id;
    bool back; /* was thrown away, is here again and stays */
};

struct collecting {
    struct store *s;
    bool dry;
    struct gc_done *done;
    struct gone *gone;
    size_t len, cap;
    struct stmt file, seen, stays; /* on the temp tables */
};

static void add_gone(struct collecting *c, uint64_t id, const struct digest *d, bool back)
{
    if (c->len == c->cap) {
        c->cap = MAX(64, 2 * c->cap);
        c->gone = mem_realloc(c->gone, c->cap, sizeof *c->gone);
    }
    c->gone[c->len++] = (struct gone){ *d, id, back };
}

static int tell_line(struct gc_line *line, const char *name, gc_line_fn fn, void *arg)
{
    line->experiment = name;
    return line->kept + line->freed > 0 ? fn(line, arg) : 0;
}

/* 1: D was not in the temp table that ST inserts into. */
static int insert_digest(struct collecting *c, struct stmt *st, const struct digest *d,
                         struct err *err)
{
    int64_t n = 0;
    int rc;

    stmt_reset(st);
    stmt_digest(st, ":digest", d);
    rc = stmt_run(st, err);
    if (rc == 0)
        rc = stmt_get(USE(c->s, CHANGES), &n, err);
    return rc < 0 ? rc : n > 0;
}

static int stays(struct collecting *c, const struct digest *d, struct err *err)
{
    int64_t n = 0;
    int rc;

    stmt_reset(&c->stays);
    stmt_digest(&c->stays, ":digest", d);
    rc = stmt_get(&c->stays, &n, err);
    return rc < 0 ? rc : n != 0;
}

static int keep_members(struct collecting *c, const struct digest *d, struct err *err)
{
    CLEANUP(mem_cleanup) struct store_member *members = NULL;
    size_t len = 0;
    int rc = store_members(c->s->blobs, d, &members, &len, err);

    for (size_t i = 0; rc >= 0 && i < len; i++)
        rc = insert_digest(c, &c->file, &members[i].digest, err);
    return rc < 0 ? rc : 0;
}

/* Digests of all that stays: rows, and the files that manifests among them name. */
static int list_files(struct collecting *c, struct err *err)
{
    struct stmt st = { 0 };
    int rc = stmt_prepare(&c->file, c->s->db, "INSERT OR IGNORE INTO temp.gc_file VALUES (:digest)",
                          NULL, err);

    if (rc == 0)
        rc = stmt_prepare(&c->seen, c->s->db, "INSERT OR IGNORE INTO temp.gc_seen VALUES (:digest)",
                          NULL, err);
    if (rc == 0)
        rc = stmt_prepare(&c->stays, c->s->db,
                          "SELECT EXISTS (SELECT 1 FROM temp.gc_file WHERE digest = :digest)", NULL,
                          err);
    if (rc == 0)
        rc = stmt_prepare(&st, c->s->db,
                          "SELECT b.digest, b.folder FROM temp.gc_keep AS k CROSS JOIN blob AS b "
                          "ON b.id = k.id",
                          NULL, err);
    while (rc == 0 && (rc = stmt_step(&st, err)) > 0) {
        struct digest d = stmt_col_digest(&st, 0);
        bool folder = stmt_col(&st, 1) != 0 && blobs_have(c->s->blobs, &d, NULL);

        rc = MIN(insert_digest(c, &c->file, &d, err), 0);
        if (rc == 0 && folder)
            rc = keep_members(c, &d, err);
    }
    stmt_release(&st);
    return rc;
}

/* Every blob of ours, by experiment. The user's files have a path. */
static const char list[] =
    "SELECT b.id, b.digest, k.id IS NOT NULL, e.name, b.evicted, b.folder FROM blob AS b LEFT JOIN "
    "temp.gc_keep AS k ON k.id = b.id LEFT JOIN temp.gc_owner AS o ON o.blob = b.id LEFT JOIN "
    "experiment AS e ON e.id = o.experiment WHERE b.path = '' ORDER BY e.id IS NULL, e.id, b.id";

static void count_blob(struct collecting *c, struct gc_line *line, bool kept, uint64_t size)
{
    line->kept += kept;
    line->kept_bytes += kept ? size : 0;
    line->freed += !kept;
    line->freed_bytes += kept ? 0 : size;
    c->done->kept += kept;
    c->done->kept_bytes += kept ? size : 0;
    c->done->freed += !kept;
    c->done->freed_bytes += kept ? 0 : size;
}

/* A file of the blob folder: counted once, and on the list when it goes. ID: of its row, 0: a
 * member of a manifest. */
static int sort_file(struct collecting *c, struct gc_line *line, uint64_t id,
                     const struct digest *d, bool kept, bool evicted, struct err *err)
{
    uint64_t size;
    int rc;

    if (!blobs_have(c->s->blobs, d, &size))
        return 0;
    rc = insert_digest(c, &c->seen, d, err);
    if (rc <= 0)
        return rc;
    if (!kept || evicted)
        add_gone(c, id, d, kept);
    count_blob(c, line, kept, size);
    return 0;
}

static int sort_members(struct collecting *c, struct gc_line *line, const struct digest *d,
                        struct err *err)
{
    CLEANUP(mem_cleanup) struct store_member *members = NULL;
    size_t len = 0;
    int rc = store_members(c->s->blobs, d, &members, &len, err);

    for (size_t i = 0; rc == 0 && i < len; i++) {
        int kept = stays(c, &members[i].digest, err);

        rc = kept < 0 ? kept : sort_file(c, line, 0, &members[i].digest, kept != 0, false, err);
    }
    return rc;
}

/* Row ST of LIST. */
static int sort_blob(struct collecting *c, const struct stmt *st, struct gc_line *line,
                     struct err *err)
{
    struct digest d = stmt_col_digest(st, 1);
    int rc = sort_file(c, line, stmt_col_u64(st, 0), &d, stmt_col(st, 2) != 0, stmt_col(st, 4) != 0,
                       err);

    if (rc == 0 && stmt_col(st, 5) != 0 && blobs_have(c->s->blobs, &d, NULL))
        rc = sort_members(c, line, &d, err);
    return rc;
}

static int sort_blobs(struct collecting *c, gc_line_fn fn, void *arg, struct err *err)
{
    CLEANUP(mem_cleanup) char *name = NULL;
    struct gc_line line = { 0 };
    struct stmt st = { 0 };
    int rc = stmt_prepare(&st, c->s->db, list, NULL, err);

    while (rc == 0 && (rc = stmt_step(&st, err)) > 0) {
        const char *owner = stmt_col_text(&st, 3);
        bool same = owner && name ? strcmp(owner, name) == 0 : owner == NULL && name == NULL;

        rc = 0;
        if (!same) {
            rc = tell_line(&line, name, fn, arg);
            line = (struct gc_line){ 0 };
            free(name);
            name = owner ? mem_strdup(owner) : NULL;
        }
        if (rc == 0)
            rc = sort_blob(c, &st, &line, err);
    }
    stmt_release(&st);
    return rc == 0 ? tell_line(&line, name, fn, arg) : rc;
}

static int mark(struct collecting *c, struct err *err)
{
    struct stmt st = { 0 };
    char text[120];
    int rc =
        stmt_prepare(&st, c->s->db, "UPDATE blob SET evicted = :gone WHERE id = :id", NULL, err);

    for (size_t i = 0; rc == 0 && i < c->len; i++) {
        if (c->gone[i].id == 0)
            continue;
        stmt_u64(&st, ":id", c->gone[i].id);
        stmt_int(&st, ":gone", !c->gone[i].back);
        rc = stmt_run(&st, err);
    }
    stmt_release(&st);
    snprintf(text, sizeof text, "%llu files thrown away, %llu bytes",
             (unsigned long long)c->done->freed, (unsigned long long)c->done->freed_bytes);
    return rc == 0 && c->done->freed > 0 ? store_event(c->s, "gc", 0, 0, text, err) : rc;
}

static int remove_gone(struct collecting *c, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < c->len; i++) {
        if (!c->gone[i].back)
            rc = blobs_remove(c->s->blobs, &c->gone[i].digest, err);
        if (rc == ERR_NOT_FOUND)
            rc = 0;
    }
    return rc;
}

/* ---- checkpoints of jobs that failed: tried again they begin anew ---- */

static int drop_checkpoints(struct collecting *c, struct err *err)
{
    struct stmt *st = USE(c->s, CHECKPOINTS_FAILED_SIZE);
    int rc = stmt_step(st, err);

    if (rc <= 0)
        return rc;
    c->done->orphans += stmt_col_u64(st, 0);
    c->done->orphan_bytes += stmt_col_u64(st, 1);
    stmt_reset(st);
    return c->dry ? 0 : stmt_run(USE(c->s, CHECKPOINTS_FAILED), err);
}

/* ---- files that nothing names ---- */

static int has_row(struct store *s, const struct digest *d, bool *ret, struct err *err)
{
    struct stmt *st = USE(s, CHECKPOINT_NAMED);
    int64_t named = 0;
    int rc;

    stmt_digest(st, ":digest", d);
    rc = stmt_get(st, &named, err);
    *ret = named != 0;
    if (rc < 0 || *ret)
        return rc;
    st = USE(s, BLOB_GET);

    stmt_digest(st, ":digest", d);
    rc = stmt_step(st, err);
    *ret = rc > 0;
    stmt_reset(st);
    return rc < 0 ? rc : 0;
}

static int look_at_file(struct collecting *c, const char *path, const char *name, bool part,
                        struct err *err)
{
    struct digest d;
    struct stat st;
    bool named = false;
    int rc = 0;

    if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode) ||
        st.st_mtime > store_now() / 1000 - ORPHAN_SECONDS)
        return 0;
    if (!part && digest_parse(name, &d, NULL) < 0)
        return 0; /* not a blob's name: not ours */
    if (!part)
        rc = has_row(c->s, &d, &named, err);
    if (rc == 0 && !part && !named)
        rc = stays(c, &d, err);
    named = named || rc > 0;
    if (rc < 0 || named)
        return MIN(rc, 0);
    c->done->parts += part;
    c->done->part_bytes += part ? (uint64_t)st.st_size : 0;
    c->done->orphans += !part;
    c->done->orphan_bytes += part ? 0 : (uint64_t)st.st_size;
    if (!c->dry && unlink(path) < 0 && errno != ENOENT)
        return err_errno(err, errno, "remove %s", path);
    return 0;
}

static int look_in_folder(struct collecting *c, const char *folder, bool part, struct err *err)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    int rc = 0;

    if (!dir)
        return errno == ENOENT ? 0 : err_errno(err, errno, "open %s", folder);
    while (rc == 0 && (entry = readdir(dir))) {
        CLEANUP(buf_release) struct buf path = { 0 };

        if (entry->d_name[0] == '.')
            continue;
        buf_printf(&path, "%s/%s", folder, entry->d_name);
        rc = look_at_file(c, buf_str(&path), entry->d_name, part, err);
    }
    closedir(dir);
    return rc;
}

static int look_for_orphans(struct collecting *c, struct err *err)
{
    int rc = 0;

    for (int i = -1; rc == 0 && i < 256; i++) {
        CLEANUP(buf_release) struct buf folder = { 0 };

        if (i < 0)
            buf_printf(&folder, "%s-blobs/part", store_path(c->s));
        else
            buf_printf(&folder, "%s-blobs/%02x", store_path(c->s), (unsigned)i);
        rc = look_in_folder(c, buf_str(&folder), i < 0, err);
    }
    return rc;
}

/* ---- all of it ---- */

static int measure(struct store *s, struct gc_done *done, struct err *err)
{
    int64_t pages = 0, unused = 0, size = 0;
    int rc = sqlite_number(s->db, "PRAGMA page_count", &pages, err);

    if (rc == 0)
        rc = sqlite_number(s->db, "PRAGMA freelist_count", &unused, err);
    if (rc == 0)
        rc = sqlite_number(s->db, "PRAGMA page_size", &size, err);
    done->database_bytes = (uint64_t)(pages * size);
    done->unused_bytes = (uint64_t)(unused * size);
    return rc;
}

int store_gc(struct store *s, bool dry, uint32_t keep_days, gc_line_fn fn, void *arg,
             struct gc_done *ret, struct err *err)
{
    struct collecting c = { .s = s, .dry = dry, .done = ret };
    int rc;

    *ret = (struct gc_done){ 0 };
    rc = store_begin(s, err);
    if (rc < 0)
        return rc;
    rc = choose(s, keep_days, err);
    if (rc == 0)
        rc = list_files(&c, err);
    if (rc == 0)
        rc = sort_blobs(&c, fn, arg, err);
    if (rc == 0)
        rc = drop_checkpoints(&c, err);
    if (rc == 0 && !dry)
        rc = mark(&c, err);
    if (rc == 0)
        rc = store_commit(s, err); /* a dry one has changed temp tables only */
    else
        store_rollback(s);
    if (rc == 0 && !dry)
        rc = remove_gone(&c, err);
    if (rc == 0)
        rc = look_for_orphans(&c, err);
    free(c.gone);
    stmt_release(&c.file);
    stmt_release(&c.seen);
    stmt_release(&c.stays);
    forget(s);
    return rc == 0 ? measure(s, ret, err) : rc;
}

int store_vacuum(struct store *s, struct err *err)
{
    return sqlite_run(s->db, "VACUUM; PRAGMA optimize", err);
}
