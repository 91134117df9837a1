/* SPDX-License-Identifier: Apache-2.0 */
/* pareto.c - what is gained against what it costs: a point per setting, the mean over its seeds. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "store/metric.h"
#include "store/plots/plot.h"
#include "store/run_summary.h"

static const char *const known[] = { "accuracy", "base",    "oracle", "layers",
                                     "tokens",   "seconds", "n",      NULL };

struct axis {
    const char *name;
    double *value; /* [runs]; NaN: none */
};
struct pareto {
    const struct plot_call *c;
    struct axis x, y;
};

static double of_summary(const struct store_run_summary *r, const char *name)
{
    const double n = r->n ? (double)r->n : NAN;
    const double values[] = {
        r->accuracy, r->base, r->oracle, r->layers, (double)r->tokens / n, /* per example */
        r->seconds,  n
    };

    for (size_t i = 0; known[i]; i++)
        if (strcmp(known[i], name) == 0)
            return values[i];
    return NAN;
}

static bool is_known(const char *name)
{
    for (size_t i = 0; known[i]; i++)
        if (strcmp(known[i], name) == 0)
            return true;
    return false;
}

static int add_summary(const struct store_run_summary *r, void *arg)
{
    struct pareto *p = arg;
    const struct plot_run *run = plot_runs_find(p->c->runs, r->run);
    struct axis *axes[] = { &p->x, &p->y };

    for (size_t i = 0; run && i < ARRAY_LEN(axes); i++)
        if (is_known(axes[i]->name))
            axes[i]->value[run - p->c->runs->run] = of_summary(r, axes[i]->name);
    return 0;
}

struct metric_of {
    struct pareto *p;
    struct axis *axis;
    size_t found;
};

static int add_metric(const struct store_run_metric *m, void *arg)
{
    struct metric_of *t = arg;
    const struct plot_run *run = plot_runs_find(t->p->c->runs, m->run);

    t->found++;
    if (run)
        t->axis->value[run - t->p->c->runs->run] = m->last;
    return 0;
}

static int load_metric(struct pareto *p, struct axis *axis, struct err *err)
{
    const struct plot_spec *spec = p->c->p;
    struct metric_of t = { p, axis, 0 };
    int rc =
        store_list_run_metrics(p->c->s, p->c->experiment, spec->steps_len ? spec->step[0] : NULL,
                               axis->name, add_metric, &t, err);

    if (rc == 0 && t.found == 0) {
        const char *near = nearest_find(axis->name, known);
        return near ? conf_error(err, spec->at,
                                 "\"%s\" is no measure of runs and no training "
                                 "metric; did you mean \"%s\"?",
                                 axis->name, near)
                    : conf_error(err, spec->at,
                                 "\"%s\" is no measure of runs (accuracy, base, oracle, layers, "
                                 "tokens, seconds) and no training metric",
                                 axis->name);
    }
    return rc;
}

struct dot {
    double x, xlow, xhigh, y, ylow, yhigh;
    size_t seeds;
};

static double mean_of(const double *v, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += v[i];
    return sum / (double)n;
}

static struct dot dot_of(const struct pareto *p, size_t line, double *xs, double *ys)
{
    const struct plot_runs *runs = p->c->runs;
    struct dot d = { .x = NAN, .xlow = NAN, .xhigh = NAN, .y = NAN, .ylow = NAN, .yhigh = NAN };
    size_t n = 0;

    for (size_t i = 0; i < runs->len; i++) {
        if (!runs->run[i].chosen || runs->run[i].series != line || isnan(p->x.value[i]) ||
            isnan(p->y.value[i]))
            continue;
        xs[n] = p->x.value[i];
        ys[n++] = p->y.value[i];
    }
    if (n == 0)
        return d;
    d.seeds = n;
    d.x = mean_of(xs, n);
    d.y = mean_of(ys, n);
    plot_band_of(p->c->p->band, xs, n, &d.xlow, &d.xhigh);
    plot_band_of(p->c->p->band, ys, n, &d.ylow, &d.yhigh);
    return d;
}

/* No other dot is better in one and as good in the other (x lower, y higher is better). */
static bool is_best(const struct dot *dots, size_t len, size_t i)
{
    for (size_t k = 0; k < len; k++)
        if (dots[k].seeds && dots[k].x <= dots[i].x && dots[k].y >= dots[i].y &&
            (dots[k].x < dots[i].x || dots[k].y > dots[i].y))
            return false;
    return true;
}

static void put_dot(struct jsonw *w, const char *name, const struct dot *d, bool best)
{
    jsonw_open(w, '{');
    jsonw_text(w, "name", name);
    jsonw_real(w, "x", d->x);
    jsonw_real(w, "xlow", d->xlow);
    jsonw_real(w, "xhigh", d->xhigh);
    jsonw_real(w, "y", d->y);
    jsonw_real(w, "ylow", d->ylow);
    jsonw_real(w, "yhigh", d->yhigh);
    jsonw_int(w, "seeds", (int64_t)d->seeds);
    jsonw_bool(w, "best", best);
    jsonw_close(w, '}');
}

static int put_dots(const struct pareto *p, struct err *err)
{
    const struct plot_runs *runs = p->c->runs;
    struct dot *dots CLEANUP(mem_cleanup) = mem_calloc(runs->names_len, sizeof(*dots));
    double *xs CLEANUP(mem_cleanup) = mem_calloc(runs->len, sizeof(*xs));
    double *ys CLEANUP(mem_cleanup) = mem_calloc(runs->len, sizeof(*ys));
    size_t known_dots = 0;

    for (size_t i = 0; i < runs->names_len; i++) {
        dots[i] = dot_of(p, i, xs, ys);
        known_dots += dots[i].seeds > 0;
    }
    if (known_dots == 0)
        return err_set(err, ERR_NOT_FOUND, "no run has both %s and %s yet", p->x.name, p->y.name);
    for (size_t i = 0; i < runs->names_len; i++)
        if (dots[i].seeds)
            put_dot(p->c->w, runs->name[i], &dots[i], is_best(dots, runs->names_len, i));
    return 0;
}

int plot_pareto(const struct plot_call *c, struct err *err)
{
    double *x CLEANUP(mem_cleanup) = mem_calloc(c->runs->len, sizeof(*x));
    double *y CLEANUP(mem_cleanup) = mem_calloc(c->runs->len, sizeof(*y));
    struct pareto p = { c, { c->p->x, x }, { c->p->y, y } };
    struct axis *axes[] = { &p.x, &p.y };

    for (size_t i = 0; i < c->runs->len; i++)
        x[i] = y[i] = NAN;
    int rc = store_list_run_summaries(c->s, c->experiment, false, add_summary, &p, err);
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(axes); i++)
        if (!is_known(axes[i]->name))
            rc = load_metric(&p, axes[i], err);
    return rc ? rc : put_dots(&p, err);
}
