/* SPDX-License-Identifier: Apache-2.0 */
#include "store/plots/plots.h"

#include <math.h>
#include <string.h>

#include "common/stats/interval.h"
#include "common/stats/sample.h"
#include "store/plots/plot.h"

void plot_band_of(enum plot_band band, const double *x, size_t n, double *low, double *high)
{
    struct stats_interval i;
    double mean = stats_mean(x, n), sd = stats_sd(x, n);

    *low = *high = NAN;
    if (n < 2)
        return;
    switch (band) {
    case BAND_CI:
        i = stats_seeds(x, n);
        if (i.valid) {
            *low = i.lo;
            *high = i.hi;
        }
        break;
    case BAND_SD:
        *low = mean - sd;
        *high = mean + sd;
        break;
    case BAND_RANGE:
        *low = *high = x[0];
        for (size_t k = 1; k < n; k++) {
            *low = fmin(*low, x[k]);
            *high = fmax(*high, x[k]);
        }
        break;
    case BAND_NONE:
        break;
    }
}

static void put_head(struct jsonw *w, const struct plot_spec *p)
{
    static const char *const x[] = { "training step", "", "layer", "" };
    static const char *const y[] = { "", "", "share of labels", "" };
    const bool xy = p->kind == PLOT_PARETO || p->kind == PLOT_TRADEOFF;
    const char *xlabel = xy ? p->x : x[p->kind];
    const char *ylabel = xy ? p->y : p->kind == PLOT_CURVE ? p->metric : y[p->kind];

    jsonw_text(w, "kind", plot_kind_word(p->kind));
    jsonw_text(w, "title", p->title);
    jsonw_text(w, "xlabel", p->xlabel ? p->xlabel : xlabel);
    jsonw_text(w, "ylabel", p->ylabel ? p->ylabel : ylabel);
    jsonw_text(w, "log", p->log);
    jsonw_text(w, "band", plot_band_word(p->band));
}

static int make_one(struct store *s, const struct conf_value *at, const char *experiment,
                    struct jsonw *w, struct err *err)
{
    static int (*const make[])(const struct plot_call *c,
                               struct err *err) = { [PLOT_CURVE] = plot_curve,
                                                    [PLOT_PARETO] = plot_pareto,
                                                    [PLOT_ROUTING] = plot_routing,
                                                    [PLOT_TRADEOFF] = plot_tradeoff };
    struct plot_spec p CLEANUP(plot_spec_release) = { 0 };
    struct plot_runs runs CLEANUP(plot_runs_release) = { 0 };
    struct plot_call c = { .s = s, .p = &p, .runs = &runs, .w = w };
    int rc = plot_spec_read(at, &p, err);

    if (rc == 0)
        rc = store_find_experiment(s, p.experiment ? p.experiment : experiment, &c.experiment, err);
    if (rc == 0)
        rc = plot_runs_load(&runs, s, c.experiment, &p, err);
    if (rc)
        return rc;
    jsonw_open(w, '{');
    put_head(w, &p);
    jsonw_open_at(w, "series", '[');
    rc = make[p.kind](&c, err);
    jsonw_close(w, ']');
    jsonw_close(w, '}');
    return rc;
}

static int make_all(struct store *s, const struct conf_value *root, const char *experiment,
                    struct jsonw *w, struct err *err)
{
    static const char *const keys[] = { "plots", "experiment", NULL };
    const struct conf_value *list = conf_get(root, "plots"), *name = conf_get(root, "experiment");
    int rc = 0;

    if (name && !experiment)
        rc = conf_text(name, &experiment, err);
    if (rc == 0 && !list)
        return make_one(s, root, experiment, w, err);
    rc = rc ? rc : conf_check_keys(root, keys, err);
    rc = rc ? rc : conf_expect(list, CONF_LIST, err);
    if (rc == 0 && conf_len(list) == 0)
        return conf_error(err, list, "no plot");
    for (size_t i = 0; rc == 0 && i < conf_len(list); i++)
        rc = make_one(s, conf_at(list, i), experiment, w, err);
    return rc;
}

int plots_make(struct store *s, const char *text, const char *name, const char *experiment,
               struct buf *ret, struct err *err)
{
    struct conf *c CLEANUP(conf_cleanup) = NULL;
    struct jsonw w = { .to = ret };
    int rc = conf_open_text(&c, name, text, strlen(text), err);

    if (rc)
        return rc;
    jsonw_open(&w, '{');
    jsonw_int(&w, "version", 1);
    jsonw_open_at(&w, "plots", '[');
    rc = make_all(s, conf_root(c), experiment && *experiment ? experiment : NULL, &w, err);
    jsonw_close(&w, ']');
    jsonw_close(&w, '}');
    return rc;
}
