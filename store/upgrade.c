/* SPDX-License-Identifier: Apache-2.0 */
#include "store/upgrade.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "store/sqlite.h"
#include "store/store_private.h"
#include "store/summary.h"

enum { BATCH = 4096 }; /* points of one series that are moved at a time */

int upgrade_due(struct store *s, bool *ret, struct err *err)
{
    int64_t from = 0;
    int rc = stmt_get(USE(s, UPGRADE_FROM), &from, err);

    *ret = from != 0;
    return rc;
}

/* Points of one attempt, on their way. */
struct moving {
    uint64_t attempt;
    struct store_metric point[BATCH];
    char *name; /* of all of them */
    size_t len;
};

static int flush(struct store *s, struct moving *m, struct err *err)
{
    int rc = m->len ? store_metrics(s, m->attempt, m->point, m->len, err) : 0;

    m->len = 0;
    return rc;
}

static int move_one(struct store *s, struct moving *m, const struct stmt *st, struct err *err)
{
    uint64_t attempt = stmt_col_u64(st, 0);
    const char *name = stmt_col_text(st, 1);
    int rc = 0;

    if (m->len == BATCH || !m->name || attempt != m->attempt || strcmp(name, m->name) != 0) {
        rc = flush(s, m, err);
        m->attempt = attempt;
        free(m->name);
        m->name = mem_strdup(name);
    }
    m->point[m->len++] = (struct store_metric){
        .name = m->name,
        .step = stmt_col_u64(st, 2),
        .value = stmt_is_null(st, 3) ? (double)NAN : stmt_col_real(st, 3),
    };
    return rc;
}

/* The rows of schema 2 into chunks. */
static int move_metrics(struct store *s, struct err *err)
{
    struct moving *m = mem_calloc(1, sizeof *m);
    struct stmt st;
    int rc = stmt_prepare(&st, s->db,
                          "SELECT attempt, name, step, value FROM metric_old "
                          "WHERE name <> '' AND step >= 0 ORDER BY attempt, name, step",
                          NULL, err);

    while (rc == 0 && (rc = stmt_step(&st, err)) > 0)
        rc = move_one(s, m, &st, err);
    if (rc == 0)
        rc = flush(s, m, err);
    stmt_release(&st);
    free(m->name);
    free(m);
    return rc == 0 ? sqlite_run(s->db, "DROP TABLE metric_old", err) : rc;
}

static int tally_families(struct store *s, struct err *err)
{
    struct store_ids ids = { 0 };
    struct stmt *st = USE(s, FAMILIES_READ);
    int rc;

    while ((rc = stmt_step(st, err)) > 0)
        store_ids_add(&ids, stmt_col_u64(st, 0));
    for (size_t i = 0; rc == 0 && i < ids.len; i++)
        rc = summary_advance(s, ids.v[i], err);
    store_ids_release(&ids);
    return rc;
}

int upgrade_run(struct store *s, struct err *err)
{
    bool due;
    int rc = upgrade_due(s, &due, err);

    if (rc < 0 || !due)
        return rc;
    rc = store_begin(s, err);
    if (rc < 0)
        return rc;
    rc = move_metrics(s, err);
    if (rc == 0)
        rc = tally_families(s, err);
    if (rc == 0)
        rc = stmt_run(USE(s, UPGRADE_DONE), err);
    if (rc < 0) {
        store_rollback(s);
        return err_wrap(err, rc, "bringing the store's rows up to date");
    }
    return store_commit(s, err);
}
