/* SPDX-License-Identifier: Apache-2.0 */
/* curve.c - a training metric along its steps: a line per setting, a band over its seeds.
 *
 * The x axis is cut into bins of equal width, one per step where there are few. Within a bin each
 * seed counts once, by the mean of its points; line and band are over seeds. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "store/metric.h"
#include "store/plots/plot.h"

struct curve {
    const struct plot_call *c;
    struct store_run_metric *series; /* without texts */
    size_t *stage;                   /* of each: index of its step */
    size_t len, cap;
    uint64_t offset[PLOT_STEPS_MAX + 1]; /* where each stage begins on the x axis */
    size_t now;                          /* the stage that is being listed */
    uint64_t total, width;               /* steps of all stages; steps in a bin */
    size_t bins;
};

static int add_series(const struct store_run_metric *m, void *arg)
{
    struct curve *v = arg;

    if (!plot_runs_find(v->c->runs, m->run) || m->n == 0)
        return 0;
    if (v->len == v->cap) {
        v->cap = v->cap ? 2 * v->cap : 64;
        v->series = mem_realloc(v->series, v->cap, sizeof(*v->series));
        v->stage = mem_realloc(v->stage, v->cap, sizeof(*v->stage));
    }
    v->stage[v->len] = v->now;
    v->series[v->len] = *m;
    v->series[v->len].step = v->series[v->len].metric = NULL;
    v->len++;
    v->offset[v->now + 1] = MAX(v->offset[v->now + 1], m->last_step + 1);
    return 0;
}

enum { KNOWN_MAX = 64 };

/* What there is, for an error: "step metric", each once. */
struct known {
    char *name[KNOWN_MAX + 1];
    size_t len;
};

static int add_known(const struct store_run_metric *m, void *arg)
{
    struct known *k = arg;
    struct buf name CLEANUP(buf_release) = { 0 };

    buf_printf(&name, "%s %s", m->step, m->metric);
    for (size_t i = 0; i < k->len; i++)
        if (strcmp(k->name[i], buf_str(&name)) == 0)
            return 0;
    if (k->len < KNOWN_MAX)
        k->name[k->len++] = mem_strdup(buf_str(&name));
    return 0;
}

static int nothing_there(const struct curve *v, struct err *err)
{
    const struct plot_spec *p = v->c->p;
    struct buf wanted CLEANUP(buf_release) = { 0 };
    struct known known = { .len = 0 };
    int rc = store_list_run_metrics(v->c->s, v->c->experiment, NULL, NULL, add_known, &known, err);

    if (rc)
        return rc;
    buf_printf(&wanted, "%s %s", p->step[0], p->metric);
    const char *near = nearest_find(buf_str(&wanted), (const char *const *)known.name);
    if (known.len == 0)
        rc = err_set(err, ERR_NOT_FOUND, "no job of the experiment has reported numbers yet");
    else if (near && strcmp(near, buf_str(&wanted)) == 0)
        rc = err_set(err, ERR_NOT_FOUND, "no run that fits has reported %s yet", p->metric);
    else
        rc = conf_error(err, p->at,
                        near ? "step \"%s\" reports no metric \"%s\"; did you mean \"%s\"?"
                             : "step \"%s\" reports no metric \"%s\"; drover query \"select "
                               "distinct step, metric from curriculum\" lists what there is%s",
                        p->step[0], p->metric, near ? near : "");
    for (size_t i = 0; i < known.len; i++)
        free(known.name[i]);
    return rc;
}

static int load(struct curve *v, struct err *err)
{
    const struct plot_spec *p = v->c->p;
    int rc = 0;

    for (v->now = 0; rc == 0 && v->now < p->steps_len; v->now++)
        rc = store_list_run_metrics(v->c->s, v->c->experiment, p->step[v->now], p->metric,
                                    add_series, v, err);
    if (rc == 0 && v->len == 0)
        return nothing_there(v, err);
    for (size_t i = 0; i < p->steps_len; i++)
        v->offset[i + 1] += v->offset[i];
    v->total = v->offset[p->steps_len];
    v->width = (v->total + p->points - 1) / p->points;
    v->bins = (size_t)((v->total + v->width - 1) / v->width);
    return rc;
}

/* One seed's points of a bin. */
struct cell {
    double sum, n, x;
};
struct target {
    const struct curve *v;
    struct cell *cell; /* [bins] */
    uint64_t offset;
};

static int add_point(const struct store_point *p, void *arg)
{
    const struct target *t = arg;
    uint64_t x = t->offset + (p->first_step + p->last_step) / 2;
    struct cell *cell = &t->cell[MIN(x / t->v->width, t->v->bins - 1)];

    if (p->finite > 0) {
        cell->sum += p->mean * (double)p->finite;
        cell->x += (double)x * (double)p->finite;
        cell->n += (double)p->finite;
    }
    return 0;
}

/* The mean over seeds of bin B and its band. CELLS: [seeds][bins]. */
static void put_bin(const struct curve *v, const struct cell *cells, size_t seeds, size_t b,
                    double *values)
{
    struct jsonw *w = v->c->w;
    double low = NAN, high = NAN, sum = 0, x = 0;
    size_t n = 0;

    for (size_t i = 0; i < seeds; i++) {
        const struct cell *cell = &cells[i * v->bins + b];
        if (cell->n == 0)
            continue;
        values[n++] = cell->sum / cell->n;
        sum += cell->sum / cell->n;
        x += cell->x / cell->n;
    }
    if (n == 0)
        return;
    plot_band_of(v->c->p->band, values, n, &low, &high);
    jsonw_open(w, '[');
    jsonw_real(w, NULL, x / (double)n);
    jsonw_real(w, NULL, sum / (double)n);
    jsonw_real(w, NULL, low);
    jsonw_real(w, NULL, high);
    jsonw_int(w, NULL, (int64_t)n);
    jsonw_close(w, ']');
}

/* Runs of line LINE, each once, into RUNS[len]; returns how many. */
static size_t runs_of(const struct curve *v, size_t line, uint64_t *runs)
{
    size_t n = 0;

    for (size_t i = 0; i < v->len; i++) {
        size_t k = 0;

        if (plot_runs_find(v->c->runs, v->series[i].run)->series != line)
            continue;
        while (k < n && runs[k] != v->series[i].run)
            k++;
        if (k == n)
            runs[n++] = v->series[i].run;
    }
    return n;
}

static int put_line(const struct curve *v, size_t line, struct err *err)
{
    uint64_t *runs CLEANUP(mem_cleanup) = mem_calloc(v->len, sizeof(*runs));
    size_t seeds = runs_of(v, line, runs);
    struct cell *cells CLEANUP(mem_cleanup) =
        mem_calloc(MAX(seeds * v->bins, (size_t)1), sizeof(*cells));
    double *values CLEANUP(mem_cleanup) = mem_calloc(MAX(seeds, (size_t)1), sizeof(*values));
    int rc = 0;

    if (seeds == 0)
        return 0;
    for (size_t i = 0; rc == 0 && i < v->len; i++) {
        size_t k = 0;

        while (k < seeds && runs[k] != v->series[i].run)
            k++;
        if (k == seeds)
            continue;
        struct target t = { v, &cells[k * v->bins], v->offset[v->stage[i]] };
        rc = store_series(v->c->s, v->series[i].series, 0, UINT64_MAX >> 1, 2 * v->c->p->points,
                          add_point, &t, err);
    }
    jsonw_open(v->c->w, '{');
    jsonw_text(v->c->w, "name", v->c->runs->name[line]);
    jsonw_open_at(v->c->w, "points", '[');
    for (size_t b = 0; rc == 0 && b < v->bins; b++)
        put_bin(v, cells, seeds, b, values);
    jsonw_close(v->c->w, ']');
    jsonw_close(v->c->w, '}');
    return rc;
}

int plot_curve(const struct plot_call *c, struct err *err)
{
    struct curve v = { .c = c };
    int rc = load(&v, err);

    for (size_t i = 0; rc == 0 && i < c->runs->names_len; i++)
        rc = put_line(&v, i, err);
    free(v.series);
    free(v.stage);
    return rc;
}
