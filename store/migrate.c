/* SPDX-License-Identifier: Apache-2.0 */
#include "store/migrate.h"

#include <stdint.h>
#include <stdio.h>

#include "store/sql_migrations.h"
#include "store/sqlite.h"
#include "store/store.h"

int migrate_latest(void)
{
    return (int)ARRAY_LEN(sql_migrations);
}

int migrate_corrupt(const char *path, struct err *err)
{
    return err_set(err, ERR_CORRUPT,
                   "%s is not a database, or is damaged; name another file with --store", path);
}

int migrate_check(struct sqlite3 *db, const char *path, int *ret_version, struct err *err)
{
    int64_t id, version, tables;
    int rc = sqlite_number(db, "PRAGMA application_id", &id, err);

    if (rc == 0)
        rc = sqlite_number(db, "PRAGMA user_version", &version, err);
    if (rc == 0)
        rc = sqlite_number(db, "SELECT count(*) FROM sqlite_schema", &tables, err);
    if (rc == ERR_CORRUPT)
        return migrate_corrupt(path, err);
    if (rc < 0)
        return err_wrap(err, rc, "%s", path);
    if (id != STORE_APPLICATION_ID && (id != 0 || version != 0 || tables != 0))
        return err_set(err, ERR_VERSION,
                       "%s is a database of another program; name another file with --store", path);
    if (version > migrate_latest())
        return err_set(err, ERR_VERSION,
                       "%s was written by a newer drover (schema %lld, this program knows %d): use "
                       "that version, or "
                       "name another file with --store",
                       path, (long long)version, migrate_latest());
    *ret_version = (int)version;
    return 0;
}

int migrate_run(struct sqlite3 *db, int version, struct err *err)
{
    for (int i = version; i < migrate_latest(); i++) {
        char after[160];
        int rc = sqlite_run(db, "BEGIN IMMEDIATE", err);

        snprintf(after, sizeof after,
                 "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
                 STORE_APPLICATION_ID, i + 1);
        if (rc == 0)
            rc = sqlite_run(db, sql_migrations[i].text, err);
        if (rc == 0)
            rc = sqlite_run(db, after, err);
        if (rc < 0) {
            (void)!sqlite_run(db, "ROLLBACK", NULL); /* the first error is the one to tell */
            return err_wrap(err, rc, "migration %s", sql_migrations[i].name);
        }
    }
    return 0;
}
