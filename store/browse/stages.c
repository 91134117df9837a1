/* SPDX-License-Identifier: Apache-2.0 */
/* stages.c - the stages of a curriculum: what their jobs were told, and what they reported
 * (stages.h). The stages of a run are its jobs of kind stage, in the order of their plan. */
#include "store/browse/stages.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json.h"
#include "common/base/mem.h"
#include "common/stats/interval.h"
#include "common/stats/sample.h"
#include "store/browse/cohort.h"
#include "store/browse/curves_private.h"
#include "store/browse/measures.h"
#include "store/store_private.h"

enum {
    STAGES_MAX = 64,   /* of a run */
    BUDGETS_MAX = 256, /* of a stage */
    STAGES_RUNS = 600, /* that are read, of all groups */
    BOUNDARIES_MAX = 100,
};

/* ---- what a stage was told ---- */

struct told {
    char *step;
    uint64_t attempt; /* 0: none yet */
    bool done;
    uint64_t from, to; /* training steps, from 1 */
    uint32_t budgets;  /* 0: none, or it adapts */
    double budget[BUDGETS_MAX];
    uint64_t at[BUDGETS_MAX]; /* training step from which on it counts */
    bool adapts;
};
struct told_list {
    struct told *one;
    size_t len;
};

static void told_release(struct told_list *l)
{
    for (size_t i = 0; i < l->len; i++)
        free(l->one[i].step);
    free(l->one);
    *l = (struct told_list){ 0 };
}

/* The value of NAME in lines "name = value"; NULL: there is none. RET ends at the line's end. */
static bool param_of(const char *params, const char *name, struct buf *ret)
{
    const size_t name_len = strlen(name);

    buf_clear(ret);
    for (const char *line = params; line && *line;) {
        const size_t len = strcspn(line, "\n");

        if (len > name_len + 3 && memcmp(line, name, name_len) == 0 &&
            memcmp(line + name_len, " = ", 3) == 0) {
            buf_add(ret, line + name_len + 3, len - name_len - 3);
            return true;
        }
        line += len + (line[len] == '\n');
    }
    return false;
}

static uint64_t number_of(const char *params, const char *name)
{
    struct buf text CLEANUP(buf_release) = { 0 };

    return param_of(params, name, &text) ? strtoull(buf_str(&text), NULL, 10) : 0;
}

static void read_told(const char *params, struct told *t)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    struct json *budgets CLEANUP(json_cleanup) = NULL, *at CLEANUP(json_cleanup) = NULL;
    uint64_t first = number_of(params, "first"), updates = number_of(params, "updates");

    t->from = first + 1;
    t->to = first + MAX(updates, (uint64_t)1);
    if (param_of(params, "budgets", &text))
        (void)!json_parse(buf_str(&text), text.len, &budgets, NULL);
    if (param_of(params, "budget_at", &text))
        (void)!json_parse(buf_str(&text), text.len, &at, NULL);
    t->adapts = number_of(params, "adapt_first") > 0;
    for (size_t i = 0; budgets && i < MIN(json_len(budgets), (size_t)BUDGETS_MAX); i++) {
        t->budget[i] = json_number(json_at(budgets, i), 0.0);
        t->at[i] = first + 1 + (at ? (uint64_t)json_integer(json_at(at, i), 0) : 0);
        t->budgets++;
    }
}

static int list_told(struct store *s, uint64_t run, const char *step, struct told_list *ret,
                     struct err *err)
{
    struct stmt *st = USE(s, BROWSE_STAGE_JOBS);
    int rc;

    stmt_u64(st, ":run", run);
    stmt_text(st, ":step", step);
    while ((rc = stmt_step(st, err)) > 0) {
        if (ret->len == STAGES_MAX)
            continue;
        ret->one = mem_realloc(ret->one, ret->len + 1, sizeof *ret->one);
        struct told *t = &ret->one[ret->len++];
        *t = (struct told){ .step = mem_strdup(stmt_col_text(st, 0)),
                            .done = stmt_col(st, 3) != 0,
                            .attempt = stmt_col_u64(st, 4) };
        read_told(stmt_col_text(st, 2), t);
    }
    return rc;
}

int stages_has(struct store *s, uint64_t experiment, bool *ret, struct err *err)
{
    enum { RUNS = 8 };
    struct stmt *st = USE(s, BROWSE_SOME_RUNS);
    uint64_t run[RUNS];
    size_t n = 0;
    int rc;

    *ret = false;
    stmt_u64(st, ":experiment", experiment);
    stmt_u64(st, ":from", 0);
    stmt_u64(st, ":limit", RUNS);
    while ((rc = stmt_step(st, err)) > 0)
        if (n < RUNS)
            run[n++] = stmt_col_u64(st, 0);
    for (size_t i = 0; rc == 0 && i < n && !*ret; i++) {
        struct told_list l CLEANUP(told_release) = { 0 };

        rc = list_told(s, run[i], NULL, &l, err);
        *ret = l.len > 0;
    }
    return rc;
}

/* ---- boundaries of curves ---- */

struct boundary {
    uint64_t from, to;
    double first, last; /* budgets */
    bool differ;
};

static void add_boundary(struct boundary *b, size_t *len, const struct told *t)
{
    double first = t->budgets ? t->budget[0] : (double)NAN;
    double last = t->budgets ? t->budget[t->budgets - 1] : (double)NAN;
    size_t i = 0;

    while (i < *len && (b[i].from != t->from || b[i].to != t->to))
        i++;
    if (i == BOUNDARIES_MAX)
        return;
    if (i == *len) {
        b[(*len)++] = (struct boundary){ t->from, t->to, first, last, false };
        return;
    }
    b[i].differ = b[i].differ || isnan(first) != isnan(b[i].first) ||
                  (!isnan(first) && (first != b[i].first || last != b[i].last));
}

static int by_from(const void *a, const void *b)
{
    const struct boundary *x = a, *y = b;

    return x->from != y->from ? (x->from < y->from ? -1 : 1) : (x->to > y->to) - (x->to < y->to);
}

int stages_put_boundaries(struct store *s, const uint64_t *runs, size_t len, const char *step,
                          struct jsonw *w, struct err *err)
{
    struct boundary *b CLEANUP(mem_cleanup) = mem_calloc(BOUNDARIES_MAX, sizeof *b);
    size_t n = 0;
    char label[32];
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < len; i++) {
        struct told_list l CLEANUP(told_release) = { 0 };

        rc = list_told(s, runs[i], step, &l, err);
        for (size_t k = 0; k < l.len; k++)
            add_boundary(b, &n, &l.one[k]);
    }
    qsort(b, n, sizeof *b, by_from);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        bool one = !b[i].differ && b[i].first == b[i].last;

        snprintf(label, sizeof label, "stage %zu", i + 1);
        jsonw_open(w, '{');
        jsonw_text(w, "step", step);
        jsonw_text(w, "label", label);
        jsonw_int(w, "from", (int64_t)b[i].from);
        jsonw_int(w, "to", (int64_t)b[i].to);
        jsonw_real(w, "budget", one ? b[i].last : (double)NAN);
        jsonw_real(w, "budget_from", b[i].differ ? (double)NAN : b[i].first);
        jsonw_real(w, "budget_to", b[i].differ ? (double)NAN : b[i].last);
        jsonw_bool(w, "budgets_differ", b[i].differ);
        jsonw_close(w, '}');
    }
    return rc;
}

/* ---- what came of it ---- */

static const struct measure {
    const char *name;
    bool last; /* the last value of the stage; else the mean over its points */
} measures[] = {
    { "budget", true },
    { "difficulty", false },
    { "accuracy", false },
    { "tokens", false },
    { "reward", false },
    { "truncated", false },
    { "validation_accuracy", true },
    { "validation_tokens", true },
    { "generated_tokens", true },
    { "core_seconds", true },
};
enum { MEASURES = ARRAY_LEN(measures) };

/* Of one seed in one stage. */
struct unit {
    int64_t seed;
    double sum[MEASURES];
    uint32_t n[MEASURES];
};

struct stage {
    struct unit *unit;
    size_t units, runs, done;
    bool differ; /* runs were told otherwise */
};

struct group_stages {
    struct stage stage[STAGES_MAX];
    size_t len;
    struct told_list first; /* stages of the run with most of them */
};

static void group_release(struct group_stages **g)
{
    if (!*g)
        return;
    for (size_t i = 0; i < (*g)->len; i++)
        free((*g)->stage[i].unit);
    told_release(&(*g)->first);
    free(*g);
}

static struct unit *unit_of(struct stage *s, int64_t seed)
{
    for (size_t i = 0; i < s->units; i++)
        if (s->unit[i].seed == seed)
            return &s->unit[i];
    s->unit = mem_realloc(s->unit, s->units + 1, sizeof *s->unit);
    s->unit[s->units] = (struct unit){ .seed = seed };
    return &s->unit[s->units++];
}

static int add_reported(struct store *s, uint64_t attempt, struct unit *u, struct err *err)
{
    struct stmt *st = USE(s, BROWSE_ATTEMPT_SERIES);
    int rc;

    stmt_u64(st, ":attempt", attempt);
    while ((rc = stmt_step(st, err)) > 0) {
        const char *name = stmt_col_text(st, 0);
        uint64_t finite = stmt_col_u64(st, 2);

        for (size_t i = 0; i < MEASURES; i++) {
            if (finite == 0 || strcmp(measures[i].name, name) != 0 ||
                (measures[i].last && stmt_is_null(st, 5)))
                continue;
            u->sum[i] +=
                measures[i].last ? stmt_col_real(st, 5) : stmt_col_real(st, 6) / (double)finite;
            u->n[i]++;
        }
    }
    return rc;
}

static bool same_told(const struct told *a, const struct told *b)
{
    return a->from == b->from && a->to == b->to && a->budgets == b->budgets &&
           memcmp(a->budget, b->budget, a->budgets * sizeof *a->budget) == 0 &&
           memcmp(a->at, b->at, a->budgets * sizeof *a->at) == 0;
}

static int add_run(struct store *s, const struct cohort_run *run, struct group_stages *g,
                   struct err *err)
{
    struct told_list l CLEANUP(told_release) = { 0 };
    int rc = list_told(s, run->run, NULL, &l, err);

    for (size_t i = 0; rc == 0 && i < l.len; i++) {
        struct stage *x = &g->stage[i];

        g->len = MAX(g->len, i + 1);
        x->runs++;
        x->done += l.one[i].done;
        if (l.one[i].attempt)
            rc = add_reported(s, l.one[i].attempt, unit_of(x, run->seed), err);
        if (i < g->first.len && !same_told(&l.one[i], &g->first.one[i]))
            x->differ = true;
    }
    if (l.len > g->first.len) {
        told_release(&g->first);
        g->first = l;
        l = (struct told_list){ 0 };
    }
    return rc;
}

/* ---- output ---- */

static void put_named(struct jsonw *w, const char *name, const char *end, double v)
{
    char key[64];

    snprintf(key, sizeof key, "%s%s", name, end);
    jsonw_key(w, key);
    curves_put_number(w, v);
}

static void put_measure(const struct stage *x, size_t m, struct jsonw *w)
{
    double *v CLEANUP(mem_cleanup) = mem_calloc(MAX(x->units, 1), sizeof *v);
    size_t n = 0;

    for (size_t i = 0; i < x->units; i++)
        if (x->unit[i].n[m])
            v[n++] = x->unit[i].sum[m] / x->unit[i].n[m];
    struct stats_interval t = measure_cut(measures[m].name, stats_seeds(v, n));
    put_named(w, measures[m].name, "", n ? stats_mean(v, n) : (double)NAN);
    if (n == 0)
        return;
    put_named(w, measures[m].name, "_lo", t.valid ? t.lo : (double)NAN);
    put_named(w, measures[m].name, "_hi", t.valid ? t.hi : (double)NAN);
    put_named(w, measures[m].name, "_n", (double)n);
}

static void put_stage(const struct group_stages *g, size_t i, struct jsonw *w)
{
    const struct stage *x = &g->stage[i];
    const struct told *t = &g->first.one[i];

    jsonw_open(w, '{');
    jsonw_int(w, "stage", (int64_t)i + 1);
    jsonw_text(w, "step", t->step);
    jsonw_int(w, "from", (int64_t)t->from);
    jsonw_int(w, "to", (int64_t)t->to);
    jsonw_int(w, "runs", (int64_t)x->runs);
    jsonw_int(w, "done", (int64_t)x->done);
    jsonw_int(w, "seeds", (int64_t)x->units);
    put_named(w, "budget", "_from", t->budgets ? t->budget[0] : (double)NAN);
    put_named(w, "budget", "_to", t->budgets ? t->budget[t->budgets - 1] : (double)NAN);
    for (size_t m = 0; m < MEASURES; m++)
        put_measure(x, m, w);
    jsonw_close(w, '}');
}

static void put_planned(const struct cohort_group *c, const struct group_stages *g, struct jsonw *w)
{
    bool differ = false, adapts = false;

    for (size_t i = 0; i < g->len; i++) {
        differ = differ || g->stage[i].differ;
        adapts = adapts || g->first.one[i].adapts;
    }
    jsonw_open(w, '{');
    jsonw_text(w, "name", c->name);
    jsonw_raw(w, "value", c->value);
    jsonw_bool(w, "differ", differ); /* between the group's runs: this is one of them */
    jsonw_bool(w, "adapts", adapts); /* nobody chose its budgets */
    jsonw_open_at(w, "segments", '[');
    for (size_t i = 0; i < g->first.len; i++) {
        const struct told *t = &g->first.one[i];

        for (uint32_t k = 0; k < MAX(t->budgets, 1u); k++) {
            jsonw_open(w, '[');
            jsonw_int(w, NULL, (int64_t)(t->budgets ? t->at[k] : t->from));
            jsonw_int(w, NULL, (int64_t)(k + 1 < t->budgets ? t->at[k + 1] - 1 : t->to));
            curves_put_number(w, t->budgets ? t->budget[k] : (double)NAN);
            jsonw_close(w, ']');
        }
    }
    jsonw_close(w, ']');
    jsonw_close(w, '}');
}

static int put_groups(struct store *s, const struct cohort *c, struct jsonw *w,
                      struct jsonw *planned, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < c->len; i++) {
        struct group_stages *g CLEANUP(group_release) = mem_calloc(1, sizeof *g);

        for (size_t k = 0; rc == 0 && k < c->group[i].len; k++)
            rc = add_run(s, &c->group[i].run[k], g, err);
        if (rc < 0)
            return rc;
        jsonw_open(w, '{');
        jsonw_text(w, "name", c->group[i].name);
        jsonw_raw(w, "value", c->group[i].value);
        jsonw_int(w, "runs", (int64_t)c->group[i].rows);
        jsonw_int(w, "runs_read", (int64_t)c->group[i].len);
        jsonw_open_at(w, "stages", '[');
        for (size_t k = 0; k < g->len; k++)
            put_stage(g, k, w);
        jsonw_close(w, ']');
        jsonw_close(w, '}');
        if (g->len)
            put_planned(&c->group[i], g, planned);
    }
    return rc;
}

int stages_put(struct store *s, struct grids *g, const struct stages_question *q, struct jsonw *w,
               struct err *err)
{
    struct cohort_question who = { .experiment = q->experiment,
                                   .by = q->by,
                                   .tell = true,
                                   .filters = q->filters,
                                   .runs_max = STAGES_RUNS,
                                   .least = 4 };
    struct cohort c CLEANUP(cohort_release) = { 0 };
    struct buf planned CLEANUP(buf_release) = { 0 };
    struct jsonw p = { .to = &planned };
    int rc = cohort_make(g, &who, &c, err);

    if (rc < 0)
        return rc;
    cohort_put_by(&c, w);
    jsonw_open(&p, '[');
    jsonw_open_at(w, "groups", '[');
    rc = put_groups(s, &c, w, &p, err);
    jsonw_close(w, ']');
    jsonw_close(&p, ']');
    jsonw_raw(w, "planned", buf_str(&planned));
    jsonw_text(w, "band", "95% t interval over seeds from three seeds on, else none");
    cohort_put_state(&c, w);
    return rc;
}
