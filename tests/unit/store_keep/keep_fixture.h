/* SPDX-License-Identifier: Apache-2.0 */
/* keep_fixture.h - stores with something to keep, and a look at every row of them. */
#ifndef TESTS_UNIT_STORE_KEEP_FIXTURE_H
#define TESTS_UNIT_STORE_KEEP_FIXTURE_H

#include "tests/unit/store/small_plan.h"

#include "store/keep/copy_private.h"
#include "store/keep/keep.h"
#include "store/sqlite.h"
#include "store/store_private.h"

/* Experiment NAME with all its jobs done: base (output "weights"), shards of SIZE over EXAMPLES
 * labels, set. Examples and the base are the same in every store. */
static inline void fill_store(struct store *s, const char *name, uint64_t examples, uint64_t size)
{
    struct store_metric metrics[] = { { "loss", 1, 2.5 }, { "loss", 2, 1.0 / 3 } };
    struct plan p;
    char word[16], set[64];

    submit_plan(
        s,
        (struct plan_options){
            .name = name, .revision = name, .point = name, .examples = examples, .shard = size },
        &p);
    if (strcmp(job_state(s, p.base, word), "DONE") != 0) {
        struct try t = finish(s, p.base, "weights", NULL);

        begin(s);
        OK(store_metrics(s, t.attempt, metrics, 2, err));
        OK(store_event(s, "note", p.base, t.attempt, "for the test", err));
        commit(s);
    }
    for (size_t i = 0; i < p.shards; i++) {
        uint64_t end = (i + 1) * size < examples ? (i + 1) * size : examples;
        struct store_result r = { .outcome = STORE_DONE, .log = "a log", .environment = "cpu" };
        enum store_verdict verdict;
        struct try t;

        if (strcmp(job_state(s, p.shard[i], word), "DONE") == 0)
            continue;
        begin(s);
        t = start(s, p.shard[i]);
        for (uint64_t at = i * size; at < end; at++)
            OK(send_label(s, t.attempt, t.epoch, at, "8", &verdict, err));
        r.attempt = t.attempt;
        r.epoch = t.epoch;
        OK(store_job_done(s, &r, &verdict, NULL, err));
        commit(s);
    }
    snprintf(set, sizeof set, "labels of %d", (int)examples);
    if (strcmp(job_state(s, p.set, word), "DONE") != 0)
        finish(s, p.set, set, NULL);
}

/* Export NAME of F's store to a new file in its folder. */
static inline void export_to(struct fixture *f, const char *name, enum export_blobs blobs,
                             char file[128], struct export_done *ret)
{
    snprintf(file, 128, "%s/out.db", f->dir);
    unlink(file);
    OK(store_export(f->path, name, file, blobs, ret, err));
}

static inline void drop(struct fixture *f)
{
    store_close(f->s);
    remove_tree(f->dir);
}

static inline void dump_value(const struct stmt *st, int i, struct buf *out)
{
    size_t len;
    const unsigned char *bytes;
    int type = stmt_type(st, i);

    if (type != 4) { /* SQLITE_BLOB */
        buf_printf(out, "|%d:%s", type, stmt_col_text(st, i) ? stmt_col_text(st, i) : "NULL");
        return;
    }
    bytes = stmt_col_bytes(st, i, &len);
    buf_adds(out, "|x");
    for (size_t k = 0; k < len; k++)
        buf_printf(out, "%02x", bytes[k]);
}

/* Every row of every table; not META, SHAPE and AUDIT, and EVENTS when told so: they tell of the
 * store itself. */
static inline void dump(struct store *s, bool all, struct buf *out)
{
    struct stmt tables, rows;

    OK(stmt_prepare(&tables, s->db,
                    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE "
                    "'sqlite_%' ORDER BY name",
                    NULL, err));
    while (stmt_step(&tables, NULL) > 0) {
        const char *name = stmt_col_text(&tables, 0);
        char sql[128];

        if (strcmp(name, "meta") == 0 || strcmp(name, "shape") == 0 || strcmp(name, "audit") == 0)
            continue;
        snprintf(sql, sizeof sql, "SELECT * FROM \"%s\"%s ORDER BY 1, 2", name,
                 strcmp(name, "event") == 0 && !all ? " WHERE job IS NOT NULL" : "");
        OK(stmt_prepare(&rows, s->db, sql, NULL, err));
        while (stmt_step(&rows, NULL) > 0) {
            buf_adds(out, name);
            for (int i = 0; i < stmt_columns(&rows); i++)
                dump_value(&rows, i, out);
            buf_addc(out, '\n');
        }
        stmt_release(&rows);
    }
    stmt_release(&tables);
}

/* But for events without a job. */
static inline void same_rows(struct store *a, struct store *b, bool tell)
{
    struct buf one = { 0 }, two = { 0 };
    const char *x, *y;

    dump(a, false, &one);
    dump(b, false, &two);
    x = buf_str(&one);
    y = buf_str(&two);
    while (*x && *x == *y) {
        x++;
        y++;
    }
    if (*x != *y) {
        while (x > buf_str(&one) && x[-1] != '\n')
            x--, y--;
        fail_msg("rows differ%s:\n%.300s\n%.300s", tell ? "" : " (damaged file)", x, y);
    }
    buf_release(&one);
    buf_release(&two);
}

/* Rows that refer to nothing, and pages that are wrong. */
static inline int64_t integrity(struct store *s)
{
    int64_t n = -1;

    OK(sqlite_number(s->db,
                     "SELECT (SELECT count(*) FROM pragma_foreign_key_check) + (SELECT "
                     "count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok')",
                     &n, err));
    return n;
}

#endif
