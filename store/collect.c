/* SPDX-License-Identifier: Apache-2.0 */
/* collect.c - the label rows that a collect job reads, as the canonical text of a label set
 * (work.h). */
#include <stdlib.h>
#include <string.h>

#include "common/base/jsonw.h"
#include "common/base/mem.h"
#include "store/gate.h"
#include "store/read.h"

struct line {
    uint64_t id;
    char *text;
};

struct collecting {
    struct store *s;
    struct line *line;
    size_t len, cap;
    struct buf right, wrong; /* of one row */
    struct buf *header;      /* [families] */
};

static void add_quoted(struct buf *out, const char *text)
{
    jsonw_text(&(struct jsonw){ .to = out }, NULL, text);
}

/* Digits: nothing to escape. */
static void add_path(struct buf *list, const char *routing)
{
    buf_adds(list, list->len ? ",\"" : "\"");
    buf_adds(list, routing);
    buf_addc(list, '"');
}

/* All that the search of LABEL evaluated, in order of discovery. */
static int read_paths(struct collecting *c, uint64_t label, struct err *err)
{
    struct stmt *st = USE(c->s, COLLECT_PATHS);
    int rc;

    buf_clear(&c->right);
    buf_clear(&c->wrong);
    stmt_u64(st, ":label", label);
    while ((rc = stmt_step(st, err)) > 0)
        add_path(stmt_col_real(st, 1) > 0.5 ? &c->right : &c->wrong, stmt_col_text(st, 0));
    return rc;
}

static int print_row(struct collecting *c, const struct store_family *f, const struct stmt *st,
                     struct err *err)
{
    struct buf b = { 0 };
    int rc = read_paths(c, stmt_col_u64(st, 6), err);

    if (rc < 0)
        return rc;
    buf_printf(&b, "{\"id\":\"%016llx\",\"task\":", (unsigned long long)stmt_col_u64(st, 0));
    add_quoted(&b, f->task);
    buf_printf(&b, ",\"level\":%d,\"split\":", f->level);
    add_quoted(&b, f->split);
    buf_printf(&b, ",\"index\":%lld,\"base_correct\":%s,\"routing\":", (long long)stmt_col(st, 1),
               stmt_col(st, 2) ? "true" : "false");
    if (stmt_is_null(st, 3))
        buf_adds(&b, "null");
    else
        add_quoted(&b, stmt_col_text(st, 3));
    buf_printf(&b, ",\"simulations\":%lld,\"evaluations\":%lld", (long long)stmt_col(st, 4),
               (long long)stmt_col(st, 5));
    buf_printf(&b, ",\"right\":[%s],\"wrong\":[%s]}\n", buf_str(&c->right), buf_str(&c->wrong));
    if (c->len == c->cap) {
        c->cap = MAX(256, 2 * c->cap);
        c->line = mem_realloc(c->line, c->cap, sizeof *c->line);
    }
    c->line[c->len++] = (struct line){ stmt_col_u64(st, 0), buf_detach(&b) };
    return 0;
}

static int print_header(struct collecting *c, const struct store_family *f, int64_t layers,
                        struct buf *ret, struct err *err)
{
    struct store_family_model m;
    char hex[DIGEST_HEX];
    int rc = store_family_model(c->s, f->id, &m, err);

    if (rc < 0)
        return rc;
    buf_printf(ret, "{\"family\":\"%s\",\"kind\":", digest_hex(&f->key, hex));
    add_quoted(ret, f->kind);
    buf_adds(ret, ",\"task\":");
    add_quoted(ret, f->task);
    buf_printf(ret, ",\"level\":%d,\"split\":", f->level);
    add_quoted(ret, f->split);
    buf_adds(ret, ",\"prompts\":");
    add_quoted(ret, m.prompts);
    buf_printf(ret, ",\"fewshot\":%d,\"model\":\"%s\",\"layers\":%lld}\n", m.fewshot,
               digest_hex(&m.model, hex), (long long)layers);
    return 0;
}

static int collect_family(struct collecting *c, const struct store_family *f, struct buf *header,
                          struct err *err)
{
    bool search = strcmp(f->kind, "search") == 0;
    struct stmt *st = search ? USE(c->s, COLLECT) : USE(c->s, COLLECT_SCORES);
    uint64_t n = 0;
    int64_t layers = 0;
    int rc;

    stmt_u64(st, ":family", f->id);
    stmt_u64(st, ":examples", f->examples ? f->examples : INT64_MAX);
    while ((rc = stmt_step(st, err)) > 0) {
        n++;
        layers = stmt_col(st, 7);
        if (!search && stmt_is_null(st, 3))
            rc = err_set(err, ERR_INVALID,
                         "task %s, level %d, split %s: example %016llx was not evaluated by one "
                         "path; such scores are no labels",
                         f->task, f->level, f->split, (unsigned long long)stmt_col_u64(st, 0));
        else
            rc = print_row(c, f, st, err);
        if (rc < 0) {
            stmt_reset(st);
            return rc;
        }
    }
    if (rc == 0 && f->examples && n != f->examples)
        rc = err_set(err, ERR_NOT_FOUND,
                     "task %s, level %d, split %s: %llu of %llu labels are stored", f->task,
                     f->level, f->split, (unsigned long long)n, (unsigned long long)f->examples);
    return rc == 0 && n > 0 ? print_header(c, f, layers, header, err) : rc;
}

static int compare_lines(const void *a, const void *b)
{
    const struct line *x = a, *y = b;

    return x->id != y->id ? (x->id < y->id ? -1 : 1) : strcmp(x->text, y->text);
}

/* A header begins with its family's key. */
static int compare_headers(const void *a, const void *b)
{
    return strcmp(buf_str(a), buf_str(b));
}

static int collect(struct collecting *c, const struct store_job *j, struct buf *ret,
                   struct err *err)
{
    int rc = 0;

    c->header = mem_calloc(MAX(j->families_len, (size_t)1), sizeof *c->header);
    for (size_t i = 0; rc == 0 && i < j->families_len; i++)
        rc = collect_family(c, &j->families[i], &c->header[i], err);
    if (rc < 0)
        return rc;
    qsort(c->header, j->families_len, sizeof *c->header, compare_headers);
    for (size_t i = 0; i < j->families_len; i++)
        buf_adds(ret, buf_str(&c->header[i]));
    if (c->len > 0)
        qsort(c->line, c->len, sizeof *c->line, compare_lines);
    for (size_t i = 0; i < c->len; i++)
        buf_adds(ret, c->line[i].text);
    return 0;
}

int store_collect(struct store *s, uint64_t job, struct buf *ret, struct err *err)
{
    CLEANUP(store_job_release) struct store_job j = { 0 };
    struct collecting c = { .s = s };
    int rc = store_job_load(s, job, &j, err);

    if (rc == 0 && strcmp(j.kind, "select") == 0)
        return measure_candidates(s, &j, ret, err);
    rc = rc == 0 ? collect(&c, &j, ret, err) : rc;
    for (size_t i = 0; c.header && i < j.families_len; i++)
        buf_release(&c.header[i]);
    free(c.header);
    for (size_t i = 0; i < c.len; i++)
        free(c.line[i].text);
    free(c.line);
    buf_release(&c.right);
    buf_release(&c.wrong);
    return rc;
}
