/* SPDX-License-Identifier: Apache-2.0 */
/* plot.h - one plot while it is made. Private to store/plots. */
#ifndef STORE_PLOTS_PLOT_H
#define STORE_PLOTS_PLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/jsonw.h"
#include "common/conf/cond.h"
#include "common/conf/conf.h"
#include "store/store.h"

enum {
    PLOT_STEPS_MAX = 32,
    PLOT_BY_MAX = 8,
    PLOT_POINTS_MAX = 2000,
    PLOT_NAME_MAX = 256,
    PLOT_LINES_MAX = 16
};

enum plot_kind { PLOT_CURVE, PLOT_PARETO, PLOT_ROUTING, PLOT_TRADEOFF };
enum plot_band { BAND_CI, BAND_SD, BAND_RANGE, BAND_NONE };

/* A method of a tradeoff: its steps are its dots. */
struct plot_line {
    const struct conf_value *at;
    const char *name, *step[PLOT_STEPS_MAX];
    size_t steps_len;
};

struct plot_spec {
    const struct conf_value *at; /* for errors */
    enum plot_kind kind;
    enum plot_band band;
    const char *step[PLOT_STEPS_MAX], *by[PLOT_BY_MAX];
    size_t steps_len, by_len;
    bool by_given;
    const char *metric, *x, *y, *title, *xlabel, *ylabel, *log, *experiment;
    struct cond *where; /* NULL: all runs */
    size_t points;
    struct plot_line line[PLOT_LINES_MAX]; /* of a tradeoff */
    size_t lines_len;
    const char *baseline, *task; /* NULL: none, all */
    int level;                   /* -1: all */
};

/* Plot AT, a group. The texts belong to the conf; release what is owned with plot_spec_release. */
int plot_spec_read(const struct conf_value *at, struct plot_spec *ret, struct err *err) MUST_CHECK;
void plot_spec_release(struct plot_spec *p);
const char *plot_kind_word(enum plot_kind kind);
const char *plot_band_word(enum plot_band band);

/* ---- runs.c: the runs of an experiment and the line that each belongs to ---- */

struct plot_param {
    char *name, *value;
};
struct plot_run {
    uint64_t run, seed;
    struct plot_param *param;
    size_t params_len;
    bool chosen;   /* by WHERE */
    size_t series; /* index in names */
};
struct plot_runs {
    struct plot_run *run; /* by number */
    size_t len, cap;
    char **name; /* of series, in order of first run */
    size_t names_len;
};

/* Live runs of EXPERIMENT, chosen by P's where and gathered by P's by. */
int plot_runs_load(struct plot_runs *r, struct store *s, uint64_t experiment,
                   const struct plot_spec *p, struct err *err) MUST_CHECK;
void plot_runs_release(struct plot_runs *r);
/* The chosen run with number RUN, or NULL. */
const struct plot_run *plot_runs_find(const struct plot_runs *r, uint64_t run);

/* ---- one file per kind: the member "series" ---- */

struct plot_call {
    struct store *s;
    uint64_t experiment;
    const struct plot_spec *p;
    const struct plot_runs *runs;
    struct jsonw *w;
};
int plot_curve(const struct plot_call *c, struct err *err) MUST_CHECK;
int plot_pareto(const struct plot_call *c, struct err *err) MUST_CHECK;
int plot_routing(const struct plot_call *c, struct err *err) MUST_CHECK;
int plot_tradeoff(const struct plot_call *c, struct err *err) MUST_CHECK;

/* The band of the N values X about their mean into LOW, HIGH; NaN: none. */
void plot_band_of(enum plot_band band, const double *x, size_t n, double *low, double *high);

#endif
