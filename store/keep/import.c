/* SPDX-License-Identifier: Apache-2.0 */
/* import.c - an exported file is merged into a store, whole or not at all (keep.h). */
#include <stdio.h>
#include <string.h>

#include "store/keep/copy.h"
#include "store/keep/import_private.h"
#include "store/sqlite.h"

struct telling {
    struct buf *report;
    uint64_t told;
};

static void tell(const struct copy_clash *c, void *arg)
{
    struct telling *t = arg;

    if (t->told++ >= IMPORT_CLASHES_SHOWN)
        return;
    buf_printf(t->report, "%s: %s is %.80s here, %.80s in the file\n", c->what ? c->what : "row",
               c->column ? c->column : "it", c->here ? c->here : "NULL",
               c->there ? c->there : "NULL");
}

static int examples(struct store *s, int64_t *ret, struct err *err)
{
    return sqlite_number(s->db,
                         "SELECT (SELECT count(*) FROM main.label WHERE family IN (SELECT new FROM "
                         "temp.map_family)) + (SELECT count(*) FROM main.score WHERE family IN "
                         "(SELECT new FROM temp.map_family))",
                         ret, err);
}

/* Inside the transaction, with nothing against it. */
static int take(struct store *s, const char *from, struct import_done *done, struct err *err)
{
    char text[STORE_PATH_MAX + 200];
    int64_t before = 0, after = 0, jobs = 0;
    int rc = import_blobs(s, done, err);

    if (rc == 0)
        rc = examples(s, &before, err);
    if (rc == 0)
        rc = copy_insert(s->db, &done->rows, err);
    if (rc == 0)
        rc = examples(s, &after, err);
    if (rc == 0)
        rc = sqlite_number(s->db, "SELECT count(*) FROM temp.map_job WHERE NOT known", &jobs, err);
    done->examples = (uint64_t)(after - before);
    done->jobs = (uint64_t)jobs;
    if (rc == 0)
        rc = import_merge(s, done, err);
    if (rc < 0 || done->rows + done->results == 0)
        return rc;
    snprintf(text, sizeof text, "experiment %s from %s: %llu rows", done->experiment, from,
             (unsigned long long)done->rows);
    return store_event(s, "imported", 0, 0, text, err);
}

static int merge(struct store *s, const char *from, const struct import_file *f, const char *as,
                 struct import_done *done, struct buf *report, struct err *err)
{
    struct telling t = { .report = report };
    int rc = copy_select(s->db, f->experiment, as, err);

    if (rc == ERR_NOT_FOUND)
        rc = err_set(err, ERR_CORRUPT, "%s is damaged: it does not hold the experiment it names",
                     from);
    if (rc == 0)
        rc = copy_clashes(s->db, tell, &t, &done->clashes, err);
    if (rc == 0 && done->clashes > 0)
        rc = err_set(err, ERR_CONFLICT, "%s clashes with %s in %llu places; nothing was changed",
                     from, s->path, (unsigned long long)done->clashes);
    return rc == 0 ? take(s, from, done, err) : rc;
}

int store_import(struct store *s, const char *from, const char *as, struct import_done *ret,
                 struct buf *report, struct err *err)
{
    struct import_file f;
    int rc;

    *ret = (struct import_done){ 0 };
    rc = import_open(s, from, &f, err);
    if (rc == 0) {
        snprintf(ret->experiment, sizeof ret->experiment, "%s", as ? as : f.experiment);
        rc = store_begin(s, err);
    }
    if (rc == 0) {
        rc = merge(s, from, &f, as, ret, report, err);
        copy_release(s->db);
        if (rc == 0)
            rc = store_commit(s, err);
        else
            store_rollback(s);
    }
    import_close(s, &f);
    return rc;
}
