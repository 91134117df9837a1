/* SPDX-License-Identifier: Apache-2.0 */
/* report_diff.c - two runs side by side: {"a": {...}, "b": {...}, "params": those that differ,
 * "steps": jobs that are the same and why the others are not, "results", "environments"}. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "store/reports/compare.h"
#include "store/store_private.h"

static const struct report_arg args[] = { { "a", ARG_TEXT, true }, { "b", ARG_TEXT, true }, { 0 } };

/* ---- rows under a name, from two statements in the same order ---- */

struct line {
    char *key;  /* its parts separated by \x1f */
    char *text; /* NULL: none */
    double value;
    int64_t n;
};

struct lines {
    struct line *v;
    size_t len, cap;
};

static void lines_release(struct lines *l)
{
    for (size_t i = 0; i < l->len; i++) {
        free(l->v[i].key);
        free(l->v[i].text);
    }
    free(l->v);
}

/* The rows of ST: the first KEYS columns name one, then a text or a number, then (if there) n. */
static int load(struct stmt *st, uint64_t run, int keys, struct lines *l, struct err *err)
{
    int rc;

    stmt_u64(st, ":run", run);
    while ((rc = stmt_step(st, err)) > 0) {
        struct buf key CLEANUP(buf_release) = { 0 };

        for (int i = 0; i < keys; i++) {
            const char *part = stmt_col_text(st, i);
            buf_printf(&key, "%s%s", i ? "\x1f" : "", part ? part : "");
        }
        if (l->len == l->cap) {
            l->cap = MAX(16, 2 * l->cap);
            l->v = mem_realloc(l->v, l->cap, sizeof(*l->v));
        }
        const char *text = stmt_col_text(st, keys);
        l->v[l->len++] = (struct line){
            .key = buf_detach(&key),
            .text = text ? mem_strdup(text) : NULL,
            .value = stmt_is_null(st, keys) ? NAN : stmt_col_real(st, keys),
            .n = stmt_columns(st) > keys + 1 ? stmt_col(st, keys + 1) : 0,
        };
    }
    return rc;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct line *)a)->key, ((const struct line *)b)->key);
}

/* Both in the order of their keys: calls FN with the two of each key, one of them NULL when only
 * the other is there. */
typedef void (*pair_fn)(struct report_call *c, const struct line *a, const struct line *b);
static void merge(struct report_call *c, struct lines *a, struct lines *b, pair_fn fn)
{
    size_t i = 0, j = 0;

    if (a->len)
        qsort(a->v, a->len, sizeof(*a->v), by_key);
    if (b->len)
        qsort(b->v, b->len, sizeof(*b->v), by_key);
    while (i < a->len || j < b->len) {
        int order = i == a->len ? 1 : j == b->len ? -1 : strcmp(a->v[i].key, b->v[j].key);

        fn(c, order <= 0 ? &a->v[i] : NULL, order >= 0 ? &b->v[j] : NULL);
        i += order <= 0;
        j += order >= 0;
    }
}

/* Both runs' rows of ST's statement as a list under KEY. */
static int put_merged(struct report_call *c, const char *key, enum stmt_id id, int keys,
                      const uint64_t run[2], pair_fn fn, struct err *err)
{
    struct lines a CLEANUP(lines_release) = { 0 }, b CLEANUP(lines_release) = { 0 };
    int rc = load(stmt_use(&c->s->q, id), run[0], keys, &a, err);

    rc = rc ? rc : load(stmt_use(&c->s->q, id), run[1], keys, &b, err);
    jsonw_open_at(&c->w, key, '[');
    if (!rc)
        merge(c, &a, &b, fn);
    jsonw_close(&c->w, ']');
    return rc;
}

/* ---- what differs ---- */

static void put_param(struct report_call *c, const struct line *a, const struct line *b)
{
    if (a && b && a->text && b->text && strcmp(a->text, b->text) == 0)
        return;
    jsonw_open(&c->w, '{');
    jsonw_text(&c->w, "name", (a ? a : b)->key);
    jsonw_text(&c->w, "a", a ? a->text : NULL);
    jsonw_text(&c->w, "b", b ? b->text : NULL);
    jsonw_close(&c->w, '}');
}

static void put_number(struct report_call *c, const struct line *a, const struct line *b)
{
    static const char *const parts[] = { "step", "task", "level", "split", "metric" };
    const char *at = (a ? a : b)->key;

    jsonw_open(&c->w, '{');
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        const char *end = strchr(at, '\x1f');
        const size_t len = end ? (size_t)(end - at) : strlen(at);
        struct buf part CLEANUP(buf_release) = { 0 };

        buf_add(&part, at, len);
        if (strcmp(parts[i], "level") == 0)
            jsonw_int(&c->w, parts[i], strtoll(buf_str(&part), NULL, 10));
        else
            jsonw_text(&c->w, parts[i], buf_str(&part));
        at = end ? end + 1 : at + len;
    }
    jsonw_real(&c->w, "a", a ? a->value : NAN);
    jsonw_real(&c->w, "b", b ? b->value : NAN);
    jsonw_real(&c->w, "difference", a && b ? b->value - a->value : NAN);
    jsonw_int(&c->w, "n_a", a ? a->n : 0);
    jsonw_int(&c->w, "n_b", b ? b->n : 0);
    jsonw_close(&c->w, '}');
}

static void put_environment(struct report_call *c, const struct line *a, const struct line *b)
{
    const char *class = (a ? a : b)->key, *environment = strchr(class, '\x1f') + 1;
    struct buf text CLEANUP(buf_release) = { 0 };

    buf_add(&text, class, (size_t)(environment - 1 - class));
    jsonw_open(&c->w, '{');
    jsonw_text(&c->w, "class", buf_str(&text));
    jsonw_text(&c->w, "environment", environment);
    jsonw_int(&c->w, "jobs_a", a ? (int64_t)a->value : 0);
    jsonw_int(&c->w, "jobs_b", b ? (int64_t)b->value : 0);
    jsonw_close(&c->w, '}');
}

static int put_run(struct report_call *c, const char *key, uint64_t run, struct err *err)
{
    struct stmt *st = USE(c->s, REPORT_RUN);

    stmt_u64(st, ":run", run);
    jsonw_open_at(&c->w, key, '{');
    int rc = put_members(c, st, err);
    rc = rc ? rc : report_put_params(c, "params", run, err);
    jsonw_close(&c->w, '}');
    return rc;
}

static int make(struct report_call *c, struct err *err)
{
    uint64_t run[2];
    int rc = report_target_run(c->s, arg_text(c, "a", ""), &run[0], err);

    rc = rc ? rc : report_target_run(c->s, arg_text(c, "b", ""), &run[1], err);
    rc = rc ? rc : put_run(c, "a", run[0], err);
    rc = rc ? rc : put_run(c, "b", run[1], err);
    rc = rc ? rc : put_merged(c, "params", STMT_REPORT_RUN_PARAMS, 1, run, put_param, err);
    rc = rc ? rc : compare_jobs(c, run, err);
    rc = rc ? rc : put_merged(c, "results", STMT_REPORT_RUN_NUMBERS, 5, run, put_number, err);
    return rc ? rc
              : put_merged(c, "environments", STMT_REPORT_DIFF_ENVIRONMENTS, 2, run,
                           put_environment, err);
}

const struct report report_diff = { "diff", "Two runs: parameters, jobs, results that differ.",
                                    args, make };
