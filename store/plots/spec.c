/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "store/plots/plot.h"

static const char *const keys[] = { "kind",  "step",     "metric", "x",      "y",
                                    "by",    "where",    "band",   "points", "title",
                                    "log",   "xlabel",   "ylabel", "plots",  "experiment",
                                    "lines", "baseline", "task",   "level",  NULL };
static const char *const kinds[] = { "curve", "pareto", "routing", "tradeoff", NULL };
static const char *const bands[] = { "ci", "sd", "range", "none", NULL };
static const char *const logs[] = { "", "x", "y", "xy", NULL };

const char *plot_kind_word(enum plot_kind kind)
{
    return kinds[kind];
}

const char *plot_band_word(enum plot_band band)
{
    return bands[band];
}

static int read_text(const struct conf_value *at, const char *key, const char **ret,
                     struct err *err)
{
    const struct conf_value *v = conf_get(at, key);

    return v ? conf_text(v, ret, err) : 0;
}

static int read_word(const struct conf_value *at, const char *key, const char *const *words,
                     size_t *ret, struct err *err)
{
    const struct conf_value *v = conf_get(at, key);

    return v ? conf_word(v, words, ret, err) : 0;
}

/* A text, or a list of texts. */
static int read_texts(const struct conf_value *at, const char *key, const char **ret, size_t max,
                      size_t *ret_len, struct err *err)
{
    const struct conf_value *v = conf_get(at, key);
    int rc = 0;

    *ret_len = 0;
    if (!v)
        return 0;
    if (conf_type(v) == CONF_TEXT) {
        *ret_len = 1;
        return conf_text(v, &ret[0], err);
    }
    rc = conf_expect(v, CONF_ARRAY, err);
    if (rc == 0 && conf_len(v) > max)
        return conf_error(err, v, "%zu entries, at most %zu are allowed", conf_len(v), max);
    for (size_t i = 0; rc == 0 && i < conf_len(v); i++)
        rc = conf_text(conf_at(v, i), &ret[(*ret_len)++], err);
    return rc;
}

static int read_where(const struct conf_value *at, struct plot_spec *p, struct err *err)
{
    const struct conf_value *v = conf_get(at, "where");
    struct err why = { 0 };
    const char *text;
    int rc = v ? conf_text(v, &text, err) : 0;

    if (rc || !v)
        return rc;
    rc = cond_parse(text, &p->where, &why);
    return rc ? conf_error(err, v, "%s", why.text) : 0;
}

static int check(const struct plot_spec *p, struct err *err)
{
    if (p->kind == PLOT_CURVE && !p->metric)
        return conf_error(err, p->at,
                          "a curve needs metric, e.g. metric = \"reward\"; drover query \"select "
                          "distinct step, metric from curriculum\" lists them");
    if (p->kind == PLOT_CURVE && p->steps_len == 0)
        return conf_error(err, p->at, "a curve needs step, e.g. step = \"train\"");
    if (p->kind == PLOT_ROUTING && p->steps_len != 1)
        return conf_error(err, p->at, "a routing plot needs step: one search step");
    if (p->kind == PLOT_PARETO && p->steps_len > 1)
        return conf_error(err, p->at, "a pareto plot takes one step");
    if (p->kind == PLOT_TRADEOFF && p->lines_len == 0)
        return conf_error(
            err, p->at,
            "a tradeoff needs lines, e.g. lines = ( { name = \"static paths\"; steps = "
            "[\"static_6\", \"static_7\"]; } )");
    if (p->kind != PLOT_TRADEOFF && p->lines_len > 0)
        return conf_error(err, p->at, "lines belong to a tradeoff: say kind = \"tradeoff\"");
    return 0;
}

static int read_line(const struct conf_value *at, struct plot_line *ret, struct err *err)
{
    static const char *const known[] = { "name", "steps", NULL };
    const struct conf_value *name, *steps;
    int rc = conf_expect(at, CONF_GROUP, err);

    ret->at = at;
    rc = rc ? rc : conf_check_keys(at, known, err);
    rc = rc ? rc : conf_need(at, "name", CONF_TEXT, &name, err);
    rc = rc ? rc : conf_text(name, &ret->name, err);
    rc = rc ? rc : read_texts(at, "steps", ret->step, PLOT_STEPS_MAX, &ret->steps_len, err);
    if (rc)
        return rc;
    steps = conf_get(at, "steps");
    return ret->steps_len ? 0 : conf_error(err, steps ? steps : at, "a line needs steps");
}

static int read_lines(const struct conf_value *at, struct plot_spec *p, struct err *err)
{
    const struct conf_value *list = conf_get(at, "lines"), *level = conf_get(at, "level");
    int64_t number = -1;
    int rc = list ? conf_expect(list, CONF_LIST, err) : 0;

    if (rc == 0 && list && conf_len(list) > PLOT_LINES_MAX)
        return conf_error(err, list, "%zu lines, at most %d are allowed", conf_len(list),
                          PLOT_LINES_MAX);
    for (size_t i = 0; rc == 0 && list && i < conf_len(list); i++)
        rc = read_line(conf_at(list, i), &p->line[p->lines_len++], err);
    rc = rc ? rc : read_text(at, "baseline", &p->baseline, err);
    rc = rc ? rc : read_text(at, "task", &p->task, err);
    rc = rc || !level ? rc : conf_int(level, 0, 1000, &number, err);
    p->level = (int)number;
    return rc;
}

static int read_points(const struct conf_value *at, struct plot_spec *p, struct err *err)
{
    const struct conf_value *v = conf_get(at, "points");
    int64_t points = 200;
    int rc = v ? conf_int(v, 2, PLOT_POINTS_MAX, &points, err) : 0;

    p->points = (size_t)points;
    return rc;
}

int plot_spec_read(const struct conf_value *at, struct plot_spec *ret, struct err *err)
{
    size_t kind = PLOT_CURVE, band = BAND_CI, log = 0;
    struct plot_spec *p = ret;
    const struct conf_value *v;

    *p = (struct plot_spec){ .at = at, .title = "", .x = "layers", .y = "accuracy" };
    int rc = conf_expect(at, CONF_GROUP, err);
    rc = rc ? rc : conf_check_keys(at, keys, err);
    rc = rc ? rc : conf_need(at, "kind", CONF_TEXT, &v, err);
    rc = rc ? rc : read_word(at, "kind", kinds, &kind, err);
    rc = rc ? rc : read_word(at, "band", bands, &band, err);
    rc = rc ? rc : read_word(at, "log", logs, &log, err);
    rc = rc ? rc : read_texts(at, "step", p->step, PLOT_STEPS_MAX, &p->steps_len, err);
    rc = rc ? rc : read_texts(at, "by", p->by, PLOT_BY_MAX, &p->by_len, err);
    rc = rc ? rc : read_text(at, "metric", &p->metric, err);
    rc = rc ? rc : read_text(at, "x", &p->x, err);
    rc = rc ? rc : read_text(at, "y", &p->y, err);
    rc = rc ? rc : read_text(at, "title", &p->title, err);
    rc = rc ? rc : read_text(at, "xlabel", &p->xlabel, err);
    rc = rc ? rc : read_text(at, "ylabel", &p->ylabel, err);
    rc = rc ? rc : read_text(at, "experiment", &p->experiment, err);
    rc = rc ? rc : read_lines(at, p, err);
    rc = rc ? rc : read_points(at, p, err);
    rc = rc ? rc : read_where(at, p, err);
    if (rc)
        return rc;
    p->by_given = conf_get(at, "by") != NULL;
    p->kind = (enum plot_kind)kind;
    p->band = (enum plot_band)band;
    p->log = logs[log];
    return check(p, err);
}

void plot_spec_release(struct plot_spec *p)
{
    cond_free(p->where);
    p->where = NULL;
}
