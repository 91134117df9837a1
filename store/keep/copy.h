/* SPDX-License-Identifier: Apache-2.0 */
/* copy.h - one experiment from a store to another: a closed selection of rows, renumbered.
 *
 * Works by SQL between two attached databases: "src" is read, "main" is written, inside the
 * caller's transaction of main. What is selected: the experiment, its revisions, runs and claims;
 * the jobs that its runs claim, with all that these need; the families that its runs read and the
 * examples of them that its runs and jobs ask for; the jobs whose attempts gave those; and
 * everything that belongs to such a row. Claims of other experiments stay behind. A selection of a
 * copy is the whole copy.
 *
 * Rows that main has already, found by their natural key (a job's key, a blob's digest...), are
 * shared: columns that say what a result is must be equal (else it is a clash), others stay as main
 * has them. Row numbers are kept where main's table is empty, else new.
 *
 * copy_tables describes every table of the schema once; tests/unit/store_keep/test_copy.c compares
 * it with the schema, so that a new table or column cannot be forgotten. */
#ifndef STORE_KEEP_COPY_H
#define STORE_KEEP_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/digest.h"
#include "common/base/err.h"

struct sqlite3;

/* A table. COLUMNS: words "name", each followed by marks:
 *   !       its row number
 *   *       part of the natural key
 *   =       says what the result is: equal in both stores, or it is a clash
 *   >TABLE  refers to a row of TABLE
 * Without mark: main's value stays when main has the row. */
struct copy_table {
    const char *name, *columns;
    const char *from; /* the selected rows as "... CROSS JOIN src.NAME AS s ON ..."; NULL: those in
                         temp.map_NAME, for tables that others refer to */
    const char *with; /* rows come only with a new row that this column refers to */
    const char *unique; /* columns of a second unique key, as COLUMNS without marks but ">" */
    const char *says;   /* SQL that names row s for people; NULL: never clashes */
};
extern const struct copy_table copy_tables[];
extern const size_t copy_tables_len;
/* Tables that are never copied: NULL-terminated. */
extern const char *const copy_not[];

struct copy_clash {
    const char *what;         /* "job 12ab34..., output model" */
    const char *column;       /* what differs */
    const char *here, *there; /* values as text */
};
typedef void (*copy_clash_fn)(const struct copy_clash *c, void *arg);

/* Fill temp tables with the selection of experiment NAME of src (ERR_NOT_FOUND) and the row numbers
 * that its rows have or will have in main. AS: its name in main; NULL: the same. */
int copy_select(struct sqlite3 *db, const char *name, const char *as, struct err *err) MUST_CHECK;
/* After copy_select: call FN for every clash. *RET is their number. Writes nothing. */
int copy_clashes(struct sqlite3 *db, copy_clash_fn fn, void *arg, uint64_t *ret,
                 struct err *err) MUST_CHECK;
/* After copy_select, without clashes: insert what main does not have. *RET counts the rows. */
int copy_insert(struct sqlite3 *db, uint64_t *ret, struct err *err) MUST_CHECK;
/* Drop the temp tables. */
void copy_release(struct sqlite3 *db);

/* Digest of the whole content of DATABASE ("main", "src"): every table but SQLite's own and those
 * named in SKIP (NULL-terminated), row by row in the order of their primary keys. */
int copy_digest(struct sqlite3 *db, const char *database, const char *const *skip,
                struct digest *ret, struct err *err) MUST_CHECK;

/* Attach PATH for reading as "src": also while its writer runs, also from a folder that cannot be
 * written. DB must know URIs (sqlite.h's writers do). */
int copy_attach(struct sqlite3 *db, const char *path, struct err *err) MUST_CHECK;
void copy_detach(struct sqlite3 *db);

#endif
