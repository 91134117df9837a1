/* SPDX-License-Identifier: Apache-2.0 */
/* migrate.h - the schema's version: PRAGMA application_id says that the file is ours, user_version
 * how far it is. */
#ifndef STORE_MIGRATE_H
#define STORE_MIGRATE_H

#include "common/base/err.h"

struct sqlite3;

/* The version that this program writes: the number of migrations. */
int migrate_latest(void);

/* Is the file empty (version 0) or ours, and not newer than this program? ERR_VERSION, ERR_CORRUPT.
 */
int migrate_check(struct sqlite3 *db, const char *path, int *ret_version,
                  struct err *err) MUST_CHECK;

/* The error for a file that SQLite cannot make sense of. */
int migrate_corrupt(const char *path, struct err *err);

/* Apply what is missing, each step in a transaction of its own that also raises user_version. */
int migrate_run(struct sqlite3 *db, int version, struct err *err) MUST_CHECK;

#endif
