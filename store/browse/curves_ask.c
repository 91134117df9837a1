/* SPDX-License-Identifier: Apache-2.0 */
/* curves_ask.c - what steps report, and the answer around the curves (curves.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "store/browse/curves_private.h"
#include "store/browse/stages.h"
#include "store/store_private.h"

enum {
    STEPS_MAX = 64,
    LOOKED_AT = 32,    /* runs whose steps are looked at for one that reports a metric */
    METRICS_MAX = 512, /* distinct ones of an experiment */
};

/* ---- the list of metrics ---- */

struct known_metric {
    char *step, *metric;
    uint64_t series, points, job;
};
struct known_metrics {
    struct known_metric one[METRICS_MAX];
    size_t len;
};

static void known_free(struct known_metrics **k)
{
    for (size_t i = 0; *k && i < (*k)->len; i++) {
        free((*k)->one[i].step);
        free((*k)->one[i].metric);
    }
    free(*k);
}

static int add_metrics_of(struct store *s, uint64_t run, struct known_metrics *k, struct err *err)
{
    struct stmt *st = USE(s, BROWSE_RUN_METRICS);
    size_t at = 0;
    int rc;

    stmt_u64(st, ":run", run);
    while ((rc = stmt_step(st, err)) > 0) {
        const char *step = stmt_col_text(st, 0), *metric = stmt_col_text(st, 1);
        size_t tried = 0;

        for (; tried < k->len; tried++, at++) { /* they come in much the same order */
            at = at < k->len ? at : 0;
            if (strcmp(k->one[at].metric, metric) == 0 && strcmp(k->one[at].step, step) == 0)
                break;
        }
        if (tried == k->len) {
            if (k->len == METRICS_MAX)
                continue;
            at = k->len++;
            k->one[at] = (struct known_metric){ mem_strdup(step), mem_strdup(metric), 0, 0, 0 };
        }
        k->one[at].series++;
        k->one[at].points += stmt_col_u64(st, 2);
        k->one[at].job = MAX(k->one[at].job, stmt_col_u64(st, 3));
        at++;
    }
    return rc;
}

static int some_runs(struct store *s, uint64_t experiment, uint64_t from, uint64_t *ret, size_t cap,
                     size_t *len, struct err *err)
{
    struct stmt *st = USE(s, BROWSE_SOME_RUNS);
    int rc = 0;

    stmt_u64(st, ":experiment", experiment);
    stmt_u64(st, ":from", from);
    stmt_u64(st, ":limit", cap - *len);
    while (*len < cap && (rc = stmt_step(st, err)) > 0)
        ret[(*len)++] = stmt_col_u64(st, 0);
    stmt_reset(st);
    return *len < cap ? rc : 0;
}

static int by_step(const void *a, const void *b)
{
    const struct known_metric *x = a, *y = b;
    int order = strcmp(x->step, y->step);

    return order ? order : strcmp(x->metric, y->metric);
}

static int list_metrics(struct store *s, uint64_t experiment, size_t runs, struct known_metrics *k,
                        bool *ret_all, struct err *err)
{
    uint64_t *run CLEANUP(mem_cleanup) = mem_calloc(runs, sizeof *run);
    size_t len = 0;
    int rc = some_runs(s, experiment, 0, run, runs, &len, err);

    for (size_t i = 0; rc == 0 && i < len; i++)
        rc = add_metrics_of(s, run[i], k, err);
    if (k->len)
        qsort(k->one, k->len, sizeof *k->one, by_step);
    *ret_all = len < runs;
    return rc;
}

int curves_put_metrics(struct store *s, uint64_t experiment, size_t runs, struct jsonw *w,
                       struct err *err)
{
    struct known_metrics *k CLEANUP(known_free) = mem_calloc(1, sizeof *k);
    bool all = true;
    int rc = list_metrics(s, experiment, runs, k, &all, err);

    if (rc < 0)
        return rc;
    jsonw_open_at(w, "metrics", '[');
    for (size_t i = 0; i < k->len; i++) {
        jsonw_open(w, '{');
        jsonw_text(w, "step", k->one[i].step);
        jsonw_text(w, "metric", k->one[i].metric);
        jsonw_int(w, "series", (int64_t)k->one[i].series);
        jsonw_int(w, "points", (int64_t)k->one[i].points);
        jsonw_close(w, '}');
    }
    jsonw_close(w, ']');
    if (!all) /* counts are of so many runs */
        jsonw_int(w, "metrics_of", (int64_t)runs);
    return 0;
}

int curves_usual_metric(struct store *s, uint64_t experiment, struct buf *ret, struct err *err)
{
    static const char *const usual[] = { "reward", "accuracy", "loss", NULL };
    struct known_metrics *k CLEANUP(known_free) = mem_calloc(1, sizeof *k);
    const char *best = NULL;
    bool all;
    int rc = list_metrics(s, experiment, CURVES_METRICS_RUNS, k, &all, err);

    if (rc < 0)
        return rc;
    for (size_t u = 0; usual[u] && !best; u++)
        for (size_t i = 0; i < k->len && !best; i++)
            best = strcmp(k->one[i].metric, usual[u]) == 0 ? usual[u] : NULL;
    if (best || k->len)
        buf_adds(ret, best ? best : k->one[0].metric);
    return 0;
}

/* ---- which step ---- */

struct steps {
    char *name[STEPS_MAX];
    uint64_t job[STEPS_MAX];
    size_t len;
};

static void steps_release(struct steps *s)
{
    for (size_t i = 0; i < s->len; i++)
        free(s->name[i]);
}

static int add_steps(struct curves *c, uint64_t run, struct steps *to, struct err *err)
{
    struct stmt *st = USE(c->s, BROWSE_CURVE_STEPS);
    int rc;

    stmt_u64(st, ":run", run);
    stmt_text(st, ":metric", c->q->metric);
    while ((rc = stmt_step(st, err)) > 0) {
        size_t i = 0;

        while (i < to->len && strcmp(to->name[i], stmt_col_text(st, 0)) != 0)
            i++;
        if (i < to->len || i == STEPS_MAX)
            continue;
        to->name[i] = mem_strdup(stmt_col_text(st, 0));
        to->job[i] = stmt_col_u64(st, 1);
        to->len++;
    }
    return rc;
}

/* Steps that report the metric, of a few runs of each group. */
static int find_steps(struct curves *c, struct steps *to, struct err *err)
{
    const struct cohort *all = c->cohort;
    size_t each = MAX(LOOKED_AT / MAX(all->len, 1), (size_t)1);
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < c->groups; i++)
        for (size_t k = 0; rc == 0 && k < MIN(each, all->group[i].len); k++)
            rc = add_steps(c, all->group[i].run[k].run, to, err);
    return rc;
}

static int not_reported(struct curves *c, struct err *err)
{
    struct known_metrics *k CLEANUP(known_free) = mem_calloc(1, sizeof *k);
    const char *names[METRICS_MAX + 1] = { NULL };
    bool all, known = false;
    int rc = list_metrics(c->s, c->q->experiment, CURVES_METRICS_RUNS, k, &all, err);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < k->len; i++) {
        names[i] = k->one[i].metric;
        known = known || strcmp(names[i], c->q->metric) == 0;
    }
    if (known || k->len == 0)
        return 0; /* just not by these runs, or not yet */
    const char *near = nearest_find(c->q->metric, names);
    return err_set(err, ERR_INVALID,
                   near ? "no step reports \"%.80s\"; did you mean \"%s\"?"
                        : "no step reports \"%.80s\"; /experiments/:id lists what they do",
                   c->q->metric, near);
}

static int choose_step(struct curves *c, struct steps *steps, struct err *err)
{
    size_t last = 0;
    int rc = find_steps(c, steps, err);

    if (rc == 0 && steps->len == 0)
        return not_reported(c, err);
    for (size_t i = 1; i < steps->len; i++)
        last = steps->job[i] > steps->job[last] ? i : last;
    if (c->q->step && c->q->step[0])
        buf_adds(&c->step, c->q->step);
    else if (steps->len)
        buf_adds(&c->step, steps->name[last]);
    return rc;
}

/* ---- the answer ---- */

static void put_head(const struct curves *c, const struct steps *steps, struct jsonw *w)
{
    jsonw_text(w, "metric", c->q->metric);
    jsonw_text(w, "step", c->step.len ? buf_str(&c->step) : NULL);
    jsonw_open_at(w, "steps", '[');
    for (size_t i = 0; i < steps->len; i++)
        jsonw_text(w, NULL, steps->name[i]);
    jsonw_close(w, ']');
    cohort_put_by(c->cohort, w);
    jsonw_text(w, "x", "step");
}

static void put_tail(const struct curves *c, struct jsonw *w)
{
    jsonw_text(w, "band",
               c->q->each
                   ? "least to greatest of the points drawn together"
                   : "95% t interval over seeds from three seeds on, else least to greatest");
    jsonw_int(w, "points_total", (int64_t)c->points);
    jsonw_int(w, "bucket_steps", (int64_t)c->width);
    jsonw_bool(w, "groups_cut", c->cohort->cut || c->cohort->len > c->groups);
    cohort_put_state(c->cohort, w);
}

static int put_stages(const struct curves *c, struct jsonw *w, struct err *err)
{
    enum { RUNS = 24 };
    uint64_t run[RUNS];
    size_t n = 0;
    int rc;

    for (size_t i = 0, group = SIZE_MAX; i < c->len && n < RUNS; i++)
        if (c->line[i].group != group) { /* one run of each group */
            group = c->line[i].group;
            run[n++] = c->line[i].run;
        }
    jsonw_open_at(w, "stages", '[');
    rc = n ? stages_put_boundaries(c->s, run, n, buf_str(&c->step), w, err) : 0;
    jsonw_close(w, ']');
    return rc;
}

static int ask(struct curves *c, struct jsonw *w, struct err *err)
{
    struct steps steps CLEANUP(steps_release) = { .len = 0 };
    int rc = choose_step(c, &steps, err);

    if (rc == 0)
        rc = curves_choose(c, err);
    if (rc < 0)
        return rc;
    put_head(c, &steps, w);
    rc = curves_draw(c, w, err);
    if (rc == 0)
        rc = put_stages(c, w, err);
    put_tail(c, w);
    return rc;
}

int curves_put(struct store *s, struct grids *g, const struct curves_question *q, struct jsonw *w,
               struct err *err)
{
    struct cohort_question who = { .experiment = q->experiment,
                                   .by = q->by,
                                   .tell = q->run == 0,
                                   .filters = q->filters,
                                   .run = q->run,
                                   .runs_max = CURVES_TRIES * CURVES_SAMPLE,
                                   .least = CURVES_TRIES * CURVES_GROUP_LEAST };
    struct cohort cohort CLEANUP(cohort_release) = { 0 };
    struct curves c CLEANUP(curves_release) = { .s = s, .q = q, .cohort = &cohort };
    int rc = cohort_make(g, &who, &cohort, err);

    c.groups = MIN(cohort.len, (size_t)CURVES_GROUPS_MAX);
    return rc ? rc : ask(&c, w, err);
}
