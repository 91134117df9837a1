/* SPDX-License-Identifier: Apache-2.0 */
/* collect.c - the label rows that a collect job reads, as canonical text (work.h). */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "store/gate.h"

struct line {
    uint64_t id;
    char *text;
};

static int compare_lines(const void *a, const void *b)
{
    const struct line *x = a, *y = b;

    return x->id < y->id ? -1 : x->id > y->id;
}

/* Task names and routings hold nothing that JSON would have to escape, but a row is a row: be safe.
 */
static void add_quoted(struct buf *out, const char *s)
{
    buf_addc(out, '"');
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            buf_printf(out, "\\%c", *s);
        else if ((unsigned char)*s < 0x20)
            buf_printf(out, "\\u%04x", (unsigned)*s);
        else
            buf_addc(out, *s);
    }
    buf_addc(out, '"');
}

static char *print_line(const struct stmt *st)
{
    struct buf b = { 0 };
    const char *routing = stmt_col_text(st, 5);

    buf_printf(&b, "{\"id\":\"%016llx\",\"task\":", (unsigned long long)stmt_col_u64(st, 0));
    add_quoted(&b, stmt_col_text(st, 1));
    buf_printf(&b, ",\"level\":%lld,\"index\":%lld,\"base_correct\":%s,\"routing\":",
               (long long)stmt_col(st, 2), (long long)stmt_col(st, 3),
               stmt_col(st, 4) ? "true" : "false");
    if (routing)
        add_quoted(&b, routing);
    else
        buf_adds(&b, "null");
    buf_adds(&b, "}\n");
    return buf_detach(&b);
}

static int collect_family(struct store *s, const struct store_family *f, struct buf *ret,
                          struct err *err)
{
    struct stmt *st = USE(s, COLLECT);
    struct line *lines = NULL;
    size_t n = 0, cap = 0;
    int rc;

    stmt_u64(st, ":family", f->id);
    stmt_u64(st, ":examples", f->examples ? f->examples : INT64_MAX);
    while ((rc = stmt_step(st, err)) > 0) {
        if (n == cap) {
            cap = MAX(256, 2 * cap);
            lines = mem_realloc(lines, cap, sizeof *lines);
        }
        lines[n++] = (struct line){ stmt_col_u64(st, 0), print_line(st) };
    }
    if (rc == 0 && f->examples && n != f->examples)
        rc = err_set(err, ERR_NOT_FOUND,
                     "task %s, level %d, split %s: %zu of %llu labels are stored", f->task,
                     f->level, f->split, n, (unsigned long long)f->examples);
    if (n > 0)
        qsort(lines, n, sizeof *lines, compare_lines);
    for (size_t i = 0; i < n; i++) {
        if (rc == 0)
            buf_adds(ret, lines[i].text);
        free(lines[i].text);
    }
    free(lines);
    return rc;
}

static void release_job(struct store_job *j)
{
    store_job_release(j);
}

int store_collect(struct store *s, uint64_t job, struct buf *ret, struct err *err)
{
    CLEANUP(release_job) struct store_job j = { 0 };
    int rc = store_job_load(s, job, &j, err);

    if (rc == 0 && strcmp(j.kind, "select") == 0)
        return measure_candidates(s, &j, ret, err);
    for (size_t i = 0; rc == 0 && i < j.families_len; i++)
        rc = collect_family(s, &j.families[i], ret, err);
    return rc;
}
