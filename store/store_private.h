/* SPDX-License-Identifier: Apache-2.0 */
/* store_private.h - what the files of the store share. */
#ifndef STORE_STORE_PRIVATE_H
#define STORE_STORE_PRIVATE_H

#include "common/base/buf.h"
#include "store/mark.h"
#include "store/stmt.h"
#include "store/store.h"

struct sqlite3;
struct words;
struct later;
struct plains;
struct shape;

struct store {
    struct sqlite3 *db;
    struct stmts q;
    struct blobs *blobs;
    char path[STORE_PATH_MAX];
    int lock_fd; /* -1: a reader */
    bool writer;
    bool open_tx; /* store_begin() was called; SQLite may have rolled back since (see item_begin) */
    uint64_t deadline_ms; /* store_time_limit() */
    uint64_t incarnation; /* 0 until store_new_incarnation() */
    uint64_t swept;       /* rows of checkpoint_gone up to this one are no files any more */
    struct cache *cache;  /* NULL until the first result (cache.h) */
    struct words *words;  /* NULL until the first (words.h) */
    struct buf page;      /* parameters of the last listing */
    bool sums_later;      /* triggers leave sums of runs to us (later.h) */
    struct later *later, *later_last;
    struct plains *plains; /* NULL until the first */
    bool tidy_later;       /* store_tidy_later() */
    bool sync_later;       /* store_sync_later() */
    bool soon;             /* the transaction is one whose commit does not wait for the disk */
    bool half;             /* SQLite is set so: synchronous=NORMAL */
    bool unsynced;         /* something is committed that store_sync() has to make durable */
    bool log_full;         /* it has to be brought in after this commit */
    int log_pages;         /* since it was last brought into the file, or was to be */
    int log_grew;          /* by the last commit */
    uint64_t tidied_ms;    /* when it was by store_tidy() */
    bool kept;             /* some rows are kept until the commit (plain.h) */
    struct shape *shapes, *shapes_dirty, *shape_last; /* shape.h */
    struct {
        bool on, aside; /* aside: the log was (torn.h) */
        int fd;
        struct mark_numbers n;
        uint64_t lost;   /* transactions that its last user had committed */
        int64_t changes; /* of the connection, when n.commits was last raised */
    } mark;
    struct buf scratch[3]; /* texts of the row that is written: their memory is kept */
};

void plain_write(struct store *s); /* plain.c */

/* store_begin(), but where store_sync_later() was called the commit does not wait for the disk. */
int store_begin_soon(struct store *s, struct err *err) MUST_CHECK;

/* Statement ID, reset; it finds written what is kept for the commit (plain.h). */
static inline struct stmt *store_use(struct store *s, enum stmt_id id)
{
    if (s->kept && id != STMT_PLAIN_JOB && id != STMT_SHAPE_GET && id != STMT_JOB_PUT)
        plain_write(s);
    return stmt_use(&s->q, id);
}
/* Statement NAME of queries.sql. */
#define USE(S, NAME) store_use(S, STMT_##NAME)

/* Every writing function runs between these: what it did is undone when it fails. The first refuses
 * with ERR_IO when SQLite has rolled the transaction back because of an earlier error (full disk).
 * item_end returns RC. */
int item_begin(struct store *s, struct err *err) MUST_CHECK;
int item_end(struct store *s, int rc, struct err *err) MUST_CHECK;
/* For those that check everything before they write: only the check of the first. */
int item_check(struct store *s, struct err *err) MUST_CHECK;

int64_t store_now(void); /* wall milliseconds, for rows */

/* Row of the blob with DIGEST, made when it is not there. */
int blob_row(struct store *s, const struct digest *digest, uint64_t size, const char *path,
             bool folder, uint64_t *ret, struct err *err) MUST_CHECK;
/* Are the bytes there: in the blob folder, or the user's file at PATH? */
bool blob_present(const struct store *s, const struct digest *digest, const char *path);

/* How many examples of FAMILY with index in [BEGIN, END) are stored; KIND tells labels from scores.
 */
int count_examples(struct store *s, const char *kind, uint64_t family, uint64_t begin, uint64_t end,
                   uint64_t *ret, struct err *err) MUST_CHECK;
/* Results of KIND are labels (search), not scores. */
bool kind_is_search(const char *kind);

/* Put JOB (whose state is not DONE) into WAITING, READY or SKIPPED as its needs say, with fresh
 * tries. */
int job_settle(struct store *s, uint64_t job, int32_t priority, uint32_t retries,
               struct err *err) MUST_CHECK;

/* JOB ended without a result to build on: every job behind it becomes SKIPPED, but not behind
 * select jobs, which can do without; those that it made READY are added to READY (may be NULL). */
int skip_behind(struct store *s, uint64_t job, struct store_ids *ready, uint32_t *ret_count,
                struct err *err) MUST_CHECK;

/* Routing bytes 0..2 to "0122..." in OUT. ERR_INVALID for other bytes. */
struct buf;
/* The first layer whose byte is above 2; LEN: there is none. */
size_t routing_bad(const uint8_t *routing, size_t len);
int routing_text(const uint8_t *routing, size_t len, struct buf *out, struct err *err) MUST_CHECK;

#endif
