/* SPDX-License-Identifier: Apache-2.0 */
#include "store/reports/compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "store/store_private.h"

struct job {
    uint64_t id, seed, begin, end, version;
    char *step, *kind, *class, *params, *family;
};

struct jobs {
    struct job *v;
    size_t len, cap;
};

/* One reason that keys differ, and how often. */
struct reason {
    char *what, *name, *a, *b;
    uint64_t jobs;
};
enum { REASONS_MAX = 200 }; /* per step; the rest is counted in "differ" only */

struct step {
    const char *name;
    uint64_t shared, differ, only[2], first[2];
    struct reason reason[REASONS_MAX];
    size_t len;
};

static void jobs_release(struct jobs *l)
{
    for (size_t i = 0; i < l->len; i++) {
        free(l->v[i].step);
        free(l->v[i].kind);
        free(l->v[i].class);
        free(l->v[i].params);
        free(l->v[i].family);
    }
    free(l->v);
}

static int load(struct store *s, uint64_t run, struct jobs *l, struct err *err)
{
    struct stmt *st = USE(s, REPORT_DIFF_JOBS);
    int rc;

    stmt_u64(st, ":run", run);
    while ((rc = stmt_step(st, err)) > 0) {
        if (l->len == l->cap) {
            l->cap = MAX(64, 2 * l->cap);
            l->v = mem_realloc(l->v, l->cap, sizeof(*l->v));
        }
        l->v[l->len++] = (struct job){
            .id = stmt_col_u64(st, 0),
            .step = mem_strdup(stmt_col_text(st, 1)),
            .kind = mem_strdup(stmt_col_text(st, 2)),
            .version = stmt_col_u64(st, 3),
            .class = mem_strdup(stmt_col_text(st, 4)),
            .seed = stmt_col_u64(st, 5),
            .begin = stmt_col_u64(st, 6),
            .end = stmt_col_u64(st, 7),
            .params = mem_strdup(stmt_col_text(st, 8)),
            .family = mem_strdup(stmt_col_text(st, 11)),
        };
    }
    return rc;
}

/* What a job does in its run; equal for those that stand for each other. */
static int by_place(const struct job *a, const struct job *b)
{
    int order = strcmp(a->step, b->step);

    order = order ? order : strcmp(a->kind, b->kind);
    if (!order && (a->end || b->end)) /* shards: of the same task */
        order = strcmp(a->family, b->family);
    return order ? order : (a->begin > b->begin) - (a->begin < b->begin);
}

static int by_place_and_id(const void *a, const void *b)
{
    const struct job *x = a, *y = b;
    int order = by_place(x, y);

    return order ? order : (x->id > y->id) - (x->id < y->id);
}

/* ---- reasons ---- */

static void add_reason(struct step *s, const char *what, const char *name, const char *a,
                       const char *b)
{
    for (size_t i = 0; i < s->len; i++) {
        struct reason *r = &s->reason[i];
        if (strcmp(r->what, what) == 0 && strcmp(r->name, name) == 0 && strcmp(r->a, a) == 0 &&
            strcmp(r->b, b) == 0) {
            r->jobs++;
            return;
        }
    }
    if (s->len == REASONS_MAX)
        return;
    s->reason[s->len++] =
        (struct reason){ mem_strdup(what), mem_strdup(name), mem_strdup(a), mem_strdup(b), 1 };
}

static void add_number(struct step *s, const char *what, uint64_t a, uint64_t b)
{
    char x[24], y[24];

    if (a == b)
        return;
    snprintf(x, sizeof(x), "%llu", (unsigned long long)a);
    snprintf(y, sizeof(y), "%llu", (unsigned long long)b);
    add_reason(s, what, "", x, y);
}

/* The value of NAME in lines "name = value"; "" when there is none. */
static void value_of(const char *params, const char *name, size_t name_len, struct buf *out)
{
    for (const char *line = params; *line;) {
        const size_t len = strcspn(line, "\n");
        if (len > name_len + 3 && memcmp(line, name, name_len) == 0 &&
            memcmp(line + name_len, " = ", 3) == 0) {
            buf_add(out, line + name_len + 3, len - name_len - 3);
            return;
        }
        line += len + (line[len] == '\n');
    }
}

/* Parameters of A that B has not or has with another value; with SWAPPED only those that B lacks,
 * so that both directions together tell each once. */
static void compare_params(struct step *s, const char *a, const char *b, bool swapped)
{
    for (const char *line = a; *line;) {
        struct buf name CLEANUP(buf_release) = { 0 }, x CLEANUP(buf_release) = { 0 },
                        y CLEANUP(buf_release) = { 0 };
        const size_t len = strcspn(line, "\n");
        const char *equals = memmem(line, len, " = ", 3);
        const size_t name_len = equals ? (size_t)(equals - line) : len;

        buf_add(&name, line, name_len);
        value_of(a, line, name_len, &x);
        value_of(b, line, name_len, &y);
        if (swapped && !y.len && x.len)
            add_reason(s, "parameter", buf_str(&name), "", buf_str(&x));
        else if (!swapped && strcmp(buf_str(&x), buf_str(&y)) != 0)
            add_reason(s, "parameter", buf_str(&name), buf_str(&x), buf_str(&y));
        line += len + (line[len] == '\n');
    }
}

static int load_inputs(struct store *s, uint64_t job, struct buf *out, struct err *err)
{
    struct stmt *st = USE(s, REPORT_DIFF_INPUTS);
    int rc;

    stmt_u64(st, ":job", job);
    while ((rc = stmt_step(st, err)) > 0)
        buf_printf(out, "%s = %s\n", stmt_col_text(st, 0), stmt_col_text(st, 1));
    return rc;
}

static int compare_inputs(struct store *s, struct step *to, const struct job *a,
                          const struct job *b, struct err *err)
{
    struct buf x CLEANUP(buf_release) = { 0 }, y CLEANUP(buf_release) = { 0 };
    int rc = load_inputs(s, a->id, &x, err);

    rc = rc ? rc : load_inputs(s, b->id, &y, err);
    for (const char *line = buf_str(&x); !rc && *line;) {
        struct buf name CLEANUP(buf_release) = { 0 }, p CLEANUP(buf_release) = { 0 },
                        q CLEANUP(buf_release) = { 0 };
        const size_t len = strcspn(line, "\n"), name_len = strcspn(line, " ");

        buf_add(&name, line, name_len);
        value_of(buf_str(&x), line, name_len, &p);
        value_of(buf_str(&y), line, name_len, &q);
        if (strcmp(buf_str(&p), buf_str(&q)) != 0)
            add_reason(to, "input", buf_str(&name), buf_str(&p), buf_str(&q));
        line += len + 1;
    }
    return rc;
}

static int compare(struct store *s, struct step *to, const struct job *a, const struct job *b,
                   struct err *err)
{
    const size_t before = to->len;

    to->differ++;
    if (!to->first[0]) {
        to->first[0] = a->id;
        to->first[1] = b->id;
    }
    compare_params(to, a->params, b->params, false);
    compare_params(to, b->params, a->params, true);
    add_number(to, "seed", a->seed, b->seed);
    add_number(to, "kind version", a->version, b->version);
    add_number(to, "end of the shard", a->end, b->end);
    if (strcmp(a->class, b->class) != 0)
        add_reason(to, "numeric class", "", a->class, b->class);
    int rc = compare_inputs(s, to, a, b, err);
    if (!rc && to->len == before) /* its own words are the same: it reads results of other jobs */
        add_reason(to, "results", "that it reads", "of other jobs", "of other jobs");
    return rc;
}

/* ---- walking over both ---- */

static void put_step(struct report_call *c, struct step *s)
{
    struct jsonw *w = &c->w;

    jsonw_open(w, '{');
    jsonw_text(w, "step", s->name);
    jsonw_int(w, "shared", (int64_t)s->shared);
    jsonw_int(w, "differ", (int64_t)s->differ);
    jsonw_int(w, "only_a", (int64_t)s->only[0]);
    jsonw_int(w, "only_b", (int64_t)s->only[1]);
    if (s->first[0]) {
        jsonw_open_at(w, "first", '{');
        jsonw_int(w, "a", (int64_t)s->first[0]);
        jsonw_int(w, "b", (int64_t)s->first[1]);
        jsonw_close(w, '}');
    }
    jsonw_open_at(w, "why", '[');
    for (size_t i = 0; i < s->len; i++) {
        struct reason *r = &s->reason[i];

        jsonw_open(w, '{');
        jsonw_text(w, "what", r->what);
        jsonw_text(w, "name", r->name);
        jsonw_text(w, "a", r->a);
        jsonw_text(w, "b", r->b);
        jsonw_int(w, "jobs", (int64_t)r->jobs);
        jsonw_close(w, '}');
        free(r->what);
        free(r->name);
        free(r->a);
        free(r->b);
    }
    jsonw_close(w, ']');
    jsonw_close(w, '}');
    memset(s, 0, sizeof(*s));
}

static int walk(struct report_call *c, struct jobs l[2], struct step *s, struct err *err)
{
    size_t i = 0, j = 0;
    int rc = 0;

    while (!rc && (i < l[0].len || j < l[1].len)) {
        const struct job *a = i < l[0].len ? &l[0].v[i] : NULL;
        const struct job *b = j < l[1].len ? &l[1].v[j] : NULL;
        const int order = !a ? 1 : !b ? -1 : by_place(a, b);
        const char *name = order <= 0 ? a->step : b->step;

        if (s->name && strcmp(s->name, name) != 0)
            put_step(c, s);
        s->name = name;
        if (order == 0 && a->id == b->id)
            s->shared++;
        else if (order == 0)
            rc = compare(c->s, s, a, b, err);
        else
            s->only[order > 0]++;
        i += order <= 0;
        j += order >= 0;
    }
    if (s->name)
        put_step(c, s);
    return rc;
}

int compare_jobs(struct report_call *c, const uint64_t run[2], struct err *err)
{
    struct step *s CLEANUP(mem_cleanup) = mem_calloc(1, sizeof(*s));
    struct jobs a CLEANUP(jobs_release) = { 0 }, b CLEANUP(jobs_release) = { 0 };
    int rc = load(c->s, run[0], &a, err);

    rc = rc ? rc : load(c->s, run[1], &b, err);
    if (a.len)
        qsort(a.v, a.len, sizeof(*a.v), by_place_and_id);
    if (b.len)
        qsort(b.v, b.len, sizeof(*b.v), by_place_and_id);
    struct jobs both[2] = { a, b };
    jsonw_open_at(&c->w, "steps", '[');
    rc = rc ? rc : walk(c, both, s, err);
    jsonw_close(&c->w, ']');
    return rc;
}
