/* SPDX-License-Identifier: Apache-2.0 */
/* store.h - the results database: one SQLite file, one writer, any number of readers.
 *
 * Beside FILE lie FILE-wal, FILE-shm (SQLite), FILE-lock (the writer's flock; content "pid
 * endpoint\n") and the folder FILE-blobs (store/blobs.h). The schema is store/sql/0001_init.sql,
 * explained for people in docs/tables.md.
 *
 * The parts:  store.h   opening, transactions, incarnation, workers, events
 *             submit.h  a plan becomes experiments, runs, jobs and claims; cancelling
 *             work.h    ready jobs, leases, attempts, results of examples and jobs, collect
 *             read.h    what the command line shows: status, lists, labels, guarded SQL
 *             metric.h  series of numbers per training step
 *             vector.h  results of a family, example by example
 *             run_summary.h  one wide row per run
 *             blobs.h   content-addressed files; thread-safe, needs no database
 *
 * Threads: a struct store is used by one thread at a time. Functions block on the disk. Nothing is
 * logged. Ids (experiment, revision, run, family, job, attempt, worker) are row numbers > 0; 0
 * means none. Every function that fails leaves the open transaction as it was before the call (each
 * is a SAVEPOINT of its own), so that one bad row does not spoil a group. Errors, besides those
 * named: ERR_FULL (disk), ERR_READONLY, ERR_IO, ERR_CORRUPT; after ERR_FULL, ERR_IO or ERR_CORRUPT
 * roll back: SQLite may have done so already. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/digest.h"
#include "common/base/err.h"

enum {
    STORE_PATH_MAX = 4096,
    STORE_ENDPOINT_MAX = 256,
    STORE_APPLICATION_ID = 0x44525652, /* "DRVR", at byte 68 of the file */
};

struct store;
struct blobs;

/* Open PATH as its one writer, creating and migrating it as needed. ENDPOINT may be "" until
 * store_set_endpoint(). ERR_CONFLICT  another process is the writer: the text names its pid and
 * endpoint ERR_VERSION   written by a newer drover, or not a drover database ERR_READONLY  the file
 * or its folder cannot be written;  ERR_FULL  no space to create it ERR_CORRUPT   not a database,
 * or damaged;  ERR_NOT_FOUND  the folder does not exist In every failing case the file is as it
 * was. */
int store_open(struct store **ret, const char *path, const char *endpoint,
               struct err *err) MUST_CHECK;

/* Open PATH for reading only, also while a writer runs. ERR_NOT_FOUND, ERR_VERSION (newer or older
 * than this program, or no drover database), ERR_CORRUPT. Writing functions must not be called
 * (asserted). */
int store_open_read(struct store **ret, const char *path, struct err *err) MUST_CHECK;

/* Rolls back an open transaction; the writer truncates the WAL and gives up the lock. NULL is fine.
 */
void store_close(struct store *s);
void store_cleanup(struct store **s); /* for CLEANUP */

/* Write ENDPOINT (where clients connect) into the lock file, for a second `drover run` that wants
 * to join. */
int store_set_endpoint(struct store *s, const char *endpoint, struct err *err) MUST_CHECK;

/* Who holds the lock of the store PATH? ERR_NOT_FOUND: nobody (or no such store). ENDPOINT may come
 * back "" when the writer has not told it yet. */
int store_lock_holder(const char *path, int *ret_pid, char ret_endpoint[STORE_ENDPOINT_MAX],
                      struct err *err) MUST_CHECK;

const char *store_path(const struct store *s);
struct blobs *
store_blobs(struct store *s); /* owned by S; the functions of blobs.h may use it from any thread */
int store_schema_version(const struct store *s);

/* One transaction at a time. What is written between begin and commit is durable (synchronous=FULL)
 * when commit has returned 0, and as if never written otherwise. A failed commit has rolled back.
 * Functions of submit.h and work.h that write need an open transaction (asserted), except where
 * their comment says that they open their own. */
int store_begin(struct store *s, struct err *err) MUST_CHECK;
int store_commit(struct store *s, struct err *err) MUST_CHECK;
void store_rollback(struct store *s); /* no transaction: nothing happens */
bool store_in_transaction(const struct store *s);
/* From now on commits leave it to the caller to bring the log into the file, which takes
 * milliseconds, by store_tidy() when he has told everybody what was committed; but for a log of
 * which nobody takes care. The log's file is made long enough for some hundred small commits. */
void store_tidy_later(struct store *s);
/* From now on the commit of a submission (store_submit_end()) does not wait for the disk: everybody
 * sees it, it survives this process, but a power cut may take it until store_sync() has returned 0
 * or a later transaction that wrote something was committed. So the time until then is the
 * caller's, for what needs no durable submission; nobody may be told yet that it is taken. Nothing
 * that was durable before is at risk. store_synced(): is nothing of that kind left? */
void store_sync_later(struct store *s);
bool store_synced(const struct store *s);
int store_sync(struct store *s, struct err *err) MUST_CHECK; /* ERR_IO; not in a transaction */
void store_tidy(struct store *s); /* not in a transaction; does nothing while the log is short */

/* Count this start of a coordinator: 1, 2, 3... Opens its own transaction; also records the event
 * "started". */
int store_new_incarnation(struct store *s, uint64_t *ret, struct err *err) MUST_CHECK;
uint64_t
store_incarnation(const struct store *s); /* of this open; 0 before store_new_incarnation */
/* Committed transactions that were there when the store was last written and are not now (mark.h):
 * its log, or all of it, was damaged or replaced. 0: none. */
uint64_t store_lost_commits(const struct store *s);
/* That, or a damaged log that took nothing with it (torn.h). It has been told as an event
 * "damaged". */
bool store_was_damaged(const struct store *s);

struct store_worker {
    uint8_t uid[16];                             /* new for every start of the process */
    const char *name, *host, *version, *classes; /* classes: separated by spaces */
    const char *environment;                     /* of its results that name none; or NULL */
    uint32_t pid, slots, threads;
};
/* Insert or refresh the row of worker W; *RET is its id. Needs a transaction. */
int store_worker_seen(struct store *s, const struct store_worker *w, uint64_t *ret,
                      struct err *err) MUST_CHECK;
/* The worker said goodbye or is considered gone, because of WHY ("goodbye", "lost"). Needs a
 * transaction. */
int store_worker_gone(struct store *s, uint64_t worker, const char *why,
                      struct err *err) MUST_CHECK;

/* Append an event: KIND is a fixed word ("incident", "lost", "started"), TEXT is for people; JOB,
 * ATTEMPT may be 0. Needs a transaction. */
int store_event(struct store *s, const char *kind, uint64_t job, uint64_t attempt, const char *text,
                struct err *err) MUST_CHECK;

/* Who did, or tried to do, what: of a person or program that speaks to the coordinator. WHAT is a
 * fixed word ("submit", "refused"...); texts may be NULL, TEXT is cut at 1000 bytes. Needs a
 * transaction. */
struct store_deed {
    const char *who;  /* name of the key, or its first digits */
    const char *role; /* view, submit, work, admin; "" without one */
    const char *peer; /* address */
    const char *what, *text;
};
int store_audit(struct store *s, const struct store_deed *d, struct err *err) MUST_CHECK;

/* A list of ids; store_ids_release() frees it and makes it empty. Start it with { 0 }. */
struct store_ids {
    uint64_t *v;
    size_t len, cap;
};
void store_ids_add(struct store_ids *ids, uint64_t id);
void store_ids_release(struct store_ids *ids);

#include "store/blobs.h"
#include "store/metric.h"
#include "store/read.h"
#include "store/run_summary.h"
#include "store/submit.h"
#include "store/vector.h"
#include "store/work.h"

#endif
