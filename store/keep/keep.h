/* SPDX-License-Identifier: Apache-2.0 */
/* keep.h - keeping results: export, import, pins, gc, replay.
 *
 * An exported file is a store of one experiment: the same schema, so that every reading command and
 * any SQLite tool opens it, and two tables more:
 *   export      one row: format, experiment, when, by which version, which blobs, checksum of all
 *               other tables
 *   blob_bytes  the blobs that travel with it, in chunks of 1 MiB
 * Blobs whose bytes are not in it are marked evicted there. Files of the user never travel. */
#ifndef STORE_KEEP_KEEP_H
#define STORE_KEEP_KEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/base/buf.h"
#include "common/base/digest.h"
#include "common/base/err.h"
#include "store/store.h"

/* ---- export ---- */

enum export_blobs { EXPORT_SMALL, EXPORT_ALL, EXPORT_NONE };
/* EXPORT_SMALL: smallest first, as long as all together are at most this. */
#define EXPORT_SMALL_BYTES ((uint64_t)64 << 20)

struct export_done {
    uint64_t runs, jobs, rows;       /* rows: of all tables */
    uint64_t blobs, blob_bytes;      /* that travel */
    uint64_t left_blobs, left_bytes; /* that are here but do not travel */
    uint64_t gone_blobs, user_files; /* evicted before; named by their paths only */
    uint64_t bytes;                  /* of the file */
};
/* Write experiment NAME of the store at PATH into the new file TO, which is fsynced. On failure TO
 * is removed. Works while a coordinator writes the store: what was committed when it begins.
 * ERR_NOT_FOUND: no such experiment; ERR_FULL. */
int store_export(const char *path, const char *name, const char *to, enum export_blobs blobs,
                 struct export_done *ret, struct err *err) MUST_CHECK;

enum export_what { EXPORT_RUNS, EXPORT_SCORES, EXPORT_LABELS, EXPORT_METRICS };
extern const char *const export_what_names[]; /* "runs"..., ended by NULL */
/* Rows of the live runs of EXPERIMENT as CSV (RFC 4180) or, with JSON, one JSON object per line.
 * *RET_ROWS counts them, without the head. ERR_FULL, ERR_IO: writing to OUT failed. */
int store_export_rows(struct store *s, uint64_t experiment, enum export_what what, bool json,
                      FILE *out, uint64_t *ret_rows, struct err *err) MUST_CHECK;

/* ---- import ---- */

struct import_done {
    char experiment[256];       /* its name here */
    uint64_t rows;              /* new; 0: everything was here already */
    uint64_t jobs, results;     /* new jobs; jobs that were here and have a result now */
    uint64_t examples;          /* new labels and scores */
    uint64_t blobs, blob_bytes; /* new */
    uint64_t cancelled;         /* new jobs that had not ended: they come as CANCELLED */
    uint64_t clashes;
};
enum { IMPORT_CLASHES_SHOWN = 20 };
/* Merge the exported file FROM into S (its writer; opens its own transaction). AS: another name
 * for the experiment, or NULL. ERR_CONFLICT: it clashes with what S holds: nothing was changed,
 * the first IMPORT_CLASHES_SHOWN are appended to REPORT, one line each, and RET->clashes counts
 * them. ERR_VERSION: written by a newer drover, or no export; ERR_CORRUPT; ERR_FULL. */
int store_import(struct store *s, const char *from, const char *as, struct import_done *ret,
                 struct buf *report, struct err *err) MUST_CHECK;

/* ---- naming things ---- */

struct store_target {
    uint64_t experiment, run, job; /* exactly one is not 0 */
    char text[300];                /* "experiment quickstart", "run 17", "job 42 (search...)" */
};
enum { TARGET_EXPERIMENT = 1, TARGET_RUN = 2, TARGET_JOB = 4 };
/* What TEXT names, of the KINDS allowed: "17" a run, "j42" a job, or the first (at least 6) digits
 * of a job's key, or an experiment's name. ERR_NOT_FOUND; ERR_INVALID: several jobs' keys begin so.
 */
int store_target(struct store *s, const char *text, unsigned kinds, struct store_target *ret,
                 struct err *err) MUST_CHECK;

/* Keep all outputs of TARGET, or no longer. *RET_CHANGED: it was not so before. Opens its own
 * transaction. */
int store_pin(struct store *s, const struct store_target *target, bool on, bool *ret_changed,
              struct err *err) MUST_CHECK;
typedef int (*store_pin_fn)(const struct store_target *target, int64_t at_ms, void *arg);
int store_list_pins(struct store *s, store_pin_fn fn, void *arg, struct err *err) MUST_CHECK;

/* ---- gc ---- */

struct gc_line {            /* of one experiment; a shared blob counts for the oldest */
    const char *experiment; /* NULL: blobs that no run claims */
    uint64_t kept, kept_bytes, freed, freed_bytes;
};
typedef int (*gc_line_fn)(const struct gc_line *line, void *arg);
struct gc_done {
    uint64_t kept, kept_bytes, freed, freed_bytes;
    uint64_t orphans, orphan_bytes;        /* files that no row names; failed jobs' checkpoints */
    uint64_t parts, part_bytes;            /* uploads that were never finished */
    uint64_t database_bytes, unused_bytes; /* of the database file; unused: VACUUM would free */
};
/* Throw away the bytes of blobs that can be made again and that nothing needs (docs/operations.md);
 * DRY: only count. Results younger than KEEP_DAYS stay. Files of the user are never touched. Marks
 * first (one transaction of its own), then removes: after a crash the next gc goes on. */
int store_gc(struct store *s, bool dry, uint32_t keep_days, gc_line_fn fn, void *arg,
             struct gc_done *ret, struct err *err) MUST_CHECK;
/* Rewrite the database file without its unused pages. */
int store_vacuum(struct store *s, struct err *err) MUST_CHECK;

/* ---- replay ---- */

/* DONE jobs: of RUN (0: not asked), else SAMPLE (0: all) of those of the live runs of EXPERIMENT, a
 * choice that only SEED and the jobs' keys make. In the order of their numbers. */
int replay_choose(struct store *s, uint64_t experiment, uint64_t run, uint64_t sample,
                  uint64_t seed, struct store_ids *ret, struct err *err) MUST_CHECK;

struct replay_job {
    uint64_t job;
    struct digest key;
    char kind[32], step[64], class[64];
    bool ready;                 /* it is in the scratch store */
    char why[300];              /* else: why it cannot be replayed */
    bool ended, same;           /* after replay_compare */
    struct buf differences;     /* one per line */
    struct buf committed, here; /* environments */
};
/* Put JOB->job of S into SCRATCH (a writer, inside store_submit_begin, SUB) as a job of RUN with
 * the same key: its inputs become blobs of SCRATCH. CLASSES: the numeric classes that can be had,
 * one per line. What hinders is told in JOB->why. */
int replay_put(struct store *s, struct store *scratch, struct store_submission *sub, uint64_t run,
               const char *classes, struct replay_job *job, struct err *err) MUST_CHECK;
/* Compare the result of JOB in S with that in SCRATCH: outputs, examples, metrics. */
int replay_compare(struct store *s, struct store *scratch, struct replay_job *job,
                   struct err *err) MUST_CHECK;
/* Record the verdict on JOB. Opens its own transaction. */
int replay_record(struct store *s, const struct replay_job *job, struct err *err) MUST_CHECK;
void replay_job_release(struct replay_job *job);

#endif
