/* SPDX-License-Identifier: Apache-2.0 */
/* spec_column.c - the columns of a table as they are specified (spec.h). */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "common/conf/cond.h"
#include "common/tasks/task.h"
#include "store/tables/spec_private.h"

static const struct {
    const char *word, *help;
    bool percent;
    int better;
} stats[TABLE_STATS_LEN] = {
#define X(NAME, WORD, PERCENT, BETTER, HELP) [NAME] = { WORD, HELP, PERCENT, BETTER },
    TABLE_STATS(X)
#undef X
};

static const char *const stat_words[TABLE_STATS_LEN + 1] = {
#define X(NAME, WORD, PERCENT, BETTER, HELP) [NAME] = WORD,
    TABLE_STATS(X)
#undef X
};

const char *table_stat_word(enum table_stat stat)
{
    return stats[stat].word;
}

const char *table_stat_help(enum table_stat stat)
{
    return stats[stat].help;
}

const char *const *table_stat_words(void)
{
    return stat_words;
}

bool stat_is_percent(enum table_stat stat)
{
    return stats[stat].percent;
}

int stat_better(enum table_stat stat)
{
    return stats[stat].better;
}

/* Metrics of some task; the summaries' own besides. */
static bool is_metric(const char *name)
{
    static const char *const more[] = { "acc",      "acc_norm",   "mcc",    "f1",
                                        "macro_f1", "best_exact", "best_f1" };
    const struct task_spec *t;

    for (size_t i = 0; (t = task_at(i)) != NULL; i++)
        for (size_t k = 0; k < t->metrics_len; k++)
            if (strcmp(t->metric[k].name, name) == 0)
                return true;
    for (size_t i = 0; i < ARRAY_LEN(more); i++)
        if (strcmp(more[i], name) == 0)
            return true;
    return false;
}

static int read_metric(const struct conf_value *v, struct table_column *c, struct err *err)
{
    const char *names[256];
    const struct task_spec *t;
    const char *near;
    size_t n = 0;
    int rc = spec_word(v, c->metric, sizeof c->metric, err);

    if (rc < 0 || c->stat == TABLE_TRAINING || c->stat == TABLE_COST)
        return rc;
    if (c->stat != TABLE_METRIC && c->stat != TABLE_METRIC_SE)
        return conf_error(err, v,
                          "goes with stat = \"metric\", \"metric_se\", \"training\" or "
                          "\"cost\"");
    if (is_metric(c->metric))
        return 0;
    for (size_t i = 0; (t = task_at(i)) != NULL; i++)
        for (size_t k = 0; k < t->metrics_len && n + 1 < ARRAY_LEN(names); k++)
            names[n++] = t->metric[k].name;
    names[n] = NULL;
    near = nearest_find(c->metric, names);
    return near ? conf_error(err, v, "no task has a metric \"%s\"; did you mean \"%s\"?", c->metric,
                             near)
                : conf_error(err, v, "no task has a metric \"%s\"", c->metric);
}

/* stat = ..., or measure = a stat, a metric of some task, or what a training step reports. */
static int read_stat(const struct conf_value *group, struct table_column *c, struct err *err)
{
    const struct conf_value *v, *measure = conf_get(group, "measure");
    char word[TABLE_WORD_MAX];
    size_t stat = 0;
    int rc;

    if (measure && conf_get(group, "stat"))
        return conf_error(err, measure, "give stat or measure, not both");
    if (!measure) {
        rc = conf_need(group, "stat", CONF_TEXT, &v, err);
        if (rc == 0)
            rc = conf_word(v, stat_words, &stat, err);
        c->stat = (enum table_stat)stat;
        snprintf(c->head, sizeof c->head, "%s", stats[stat].word);
        return rc;
    }
    rc = spec_word(measure, word, sizeof word, err);
    if (rc < 0)
        return rc;
    while (stat < TABLE_STATS_LEN && strcmp(stat_words[stat], word) != 0)
        stat++;
    c->stat = stat < TABLE_STATS_LEN ? (enum table_stat)stat
              : is_metric(word)      ? TABLE_METRIC
                                     : TABLE_TRAINING;
    if (stat == TABLE_STATS_LEN)
        snprintf(c->metric, sizeof c->metric, "%s", word);
    snprintf(c->head, sizeof c->head, "%s", word);
    return 0;
}

static int read_show(const struct conf_value *v, unsigned *ret, struct err *err)
{
    static const char *const words[] = { "mean",       "value", "median", "sd",      "se",
                                         "ci",         "lo",    "hi",     "n",       "seeds",
                                         "difference", "diff",  "ratio",  "reached", NULL };
    static const unsigned compared = TABLE_SHOW_COMPARED;
    bool alone = false;
    static const unsigned bits[] = { TABLE_SHOW_VALUE, TABLE_SHOW_VALUE,      TABLE_SHOW_VALUE,
                                     TABLE_SHOW_SD,    TABLE_SHOW_SE,         TABLE_SHOW_CI,
                                     TABLE_SHOW_CI,    TABLE_SHOW_CI,         TABLE_SHOW_N,
                                     TABLE_SHOW_SEEDS, TABLE_SHOW_DIFFERENCE, TABLE_SHOW_DIFFERENCE,
                                     TABLE_SHOW_RATIO, TABLE_SHOW_REACHED };
    unsigned last = 0; /* of a difference and a ratio the one that was named last */
    const char *s;
    int rc = conf_text(v, &s, err);

    *ret = 0;
    while (rc == 0 && *s) {
        char word[TABLE_WORD_MAX];
        size_t len = 0, at = 0;

        while (isalpha((unsigned char)s[len]))
            len++;
        if (len == 0) {
            s++;
            continue;
        }
        snprintf(word, sizeof word, "%.*s", (int)MIN(len, sizeof word - 1), s);
        while (words[at] && strcmp(words[at], word) != 0)
            at++;
        if (!words[at]) {
            const char *near = nearest_find(word, words);

            return conf_error(err, v,
                              "no \"%s\" can be shown%s%s%s; a text such as \"mean ± sd\", \"mean "
                              "± se\", \"mean [lo, hi]\", \"mean (n)\", \"mean, difference [lo, "
                              "hi]\", \"mean, ratio [lo, hi]\" is expected",
                              word, near ? ", did you mean \"" : "", near ? near : "",
                              near ? "\"" : "");
        }
        alone = alone || (*ret == 0 && bits[at] & compared);
        last = bits[at] & compared ? bits[at] : last;
        /* brackets behind the difference are the difference's, those behind the ratio the ratio's
         */
        *ret |= bits[at] != TABLE_SHOW_CI || last == 0 ? bits[at]
                : last == TABLE_SHOW_RATIO             ? TABLE_SHOW_RATIO_CI
                                                       : TABLE_SHOW_DIFFERENCE_CI;
        s += len;
    }
    *ret |= alone ? 0 : TABLE_SHOW_VALUE;
    return rc;
}

static int read_scale(const struct conf_value *v, double *ret, struct err *err)
{
    static const char *const words[] = { "percent", "none", NULL };
    size_t at;
    int rc;

    if (conf_type(v) != CONF_TEXT)
        return conf_real(v, 1e-12, 1e12, ret, err);
    rc = conf_word(v, words, &at, err);
    *ret = rc == 0 && at == 0 ? 100.0 : 1.0;
    return rc;
}

/* How the number is made of the seeds' values. */
static int read_making(const struct conf_value *group, struct table_column *c, struct err *err)
{
    static const char *const aggregates[] = { "mean", "sd",  "se", "ci",    "median", "min",
                                              "max",  "sum", "n",  "seeds", NULL };
    static const char *const takes[] = { "last", "min", "max", "mean", NULL };
    static const char *const intervals[] = { "auto", "t", "bootstrap", NULL };
    static const char *const directions[] = { "higher", "lower", NULL };
    const struct conf_value *v;
    size_t at = 0;
    int rc = 0;

    if ((v = conf_get(group, "aggregate"))) {
        rc = conf_word(v, aggregates, &at, err);
        c->aggregate = (enum table_aggregate)at;
    }
    if (rc == 0 && (v = conf_get(group, "take"))) {
        if (c->stat != TABLE_TRAINING)
            return conf_error(err, v, "goes with numbers of a training step");
        rc = conf_word(v, takes, &at, err);
        c->take = (enum table_take)at;
    }
    if (rc == 0 && (v = conf_get(group, "interval"))) {
        rc = conf_word(v, intervals, &at, err);
        c->interval = (enum table_interval)at;
    }
    if (rc == 0 && (v = conf_get(group, "better"))) {
        rc = conf_word(v, directions, &at, err);
        c->better = at == 0 ? 1 : -1;
    }
    if (rc == 0 && (v = conf_get(group, "scale")))
        rc = read_scale(v, &c->scale, err);
    if (rc == 0 && (v = conf_get(group, "show")))
        rc = read_show(v, &c->show, err);
    return rc;
}

/* What groups of columns hand down. */
struct inherited {
    char above[TABLE_DEPTH_MAX][TABLE_WORD_MAX];
    size_t depth;
    const struct conf_value *step, *experiment, *baseline, *target;
    const struct conf_value *where[TABLE_DEPTH_MAX + 2]; /* all of them hold */
    size_t wheres;
};

static int read_where(const struct inherited *from, struct table_column *c, struct err *err)
{
    CLEANUP(buf_release) struct buf text = { 0 };
    struct cond *alone;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < from->wheres; i++) {
        const char *one;

        rc = spec_condition(from->where[i], &alone, err); /* the place of what is wrong in it */
        if (rc < 0)
            return rc;
        if (from->wheres == 1) {
            c->where = alone;
            return 0;
        }
        cond_free(alone);
        rc = conf_text(from->where[i], &one, err);
        if (rc == 0)
            buf_printf(&text, "%s(", i ? " and " : "");
        if (rc == 0)
            rc = spec_fill_in(from->where[i], one, &text, err);
        buf_addc(&text, ')');
    }
    return rc || from->wheres == 0 ? rc : cond_parse(buf_str(&text), &c->where, err);
}

static int read_steps(const struct inherited *from, const struct conf_value *group,
                      struct table_spec *t, struct table_column *c, struct err *err)
{
    bool by_key = false;

    for (size_t i = 0; i < t->rows_len; i++)
        by_key = by_key || strcmp(t->rows[i].name, "step") == 0;
    for (size_t i = 0; i < t->spread_len; i++)
        by_key = by_key || strcmp(t->spread[i].name, "step") == 0;
    if (!from->step) {
        const struct conf_value *v;

        return by_key ? 0 : conf_need(group, "step", CONF_TEXT, &v, err);
    }
    return spec_word(from->step, c->step, sizeof c->step, err);
}

/* What goes with stat = "cost". */
static int read_cost(const struct conf_value *group, const struct inherited *from,
                     struct table_column *c, struct err *err)
{
    static const char *const own[] = { "target", "sum_stages" };
    const struct conf_value *v = NULL;

    if (c->stat != TABLE_COST) {
        for (size_t i = 0; i < ARRAY_LEN(own) && !v; i++)
            v = conf_get(group, own[i]);
        return v ? conf_error(err, v, "goes with stat = \"cost\"") : 0;
    }
    c->sum_stages = strcmp(c->metric, "core_seconds") == 0;
    v = conf_get(group, "sum_stages");
    if (v && conf_bool(v, &c->sum_stages, err) < 0)
        return ERR_INVALID;
    if (!from->target && strcmp(c->metric, "at_step") == 0)
        return conf_need(group, "target", CONF_LIST, &v, err);
    return from->target ? spec_target(from->target, c, err) : 0;
}

static int read_column(const struct conf_value *group, const struct inherited *from,
                       struct table_spec *t, struct err *err)
{
    static const char *const known[] = { "head",      "step",       "stat",    "measure",
                                         "aggregate", "metric",     "take",    "digits",
                                         "better",    "scale",      "show",    "interval",
                                         "where",     "experiment", "columns", "baseline",
                                         "target",    "sum_stages", NULL };
    struct table_column *c = &t->column[t->columns_len++];
    const struct conf_value *v;
    int64_t digits = -1;
    int rc = conf_check_keys(group, known, err);

    *c = (struct table_column){ .source = group, .depth = from->depth };
    memcpy(c->above, from->above, sizeof c->above);
    if (rc == 0)
        rc = read_steps(from, group, t, c, err);
    if (rc == 0)
        rc = read_stat(group, c, err);
    if (rc == 0 && (v = conf_get(group, "head")))
        rc = spec_word(v, c->head, sizeof c->head, err);
    if (rc == 0 && (v = conf_get(group, "digits")))
        rc = conf_int(v, 0, 9, &digits, err);
    c->digits = (int)digits;
    if (rc == 0 && (v = conf_get(group, "metric")))
        rc = read_metric(v, c, err);
    if (rc == 0 && (c->stat == TABLE_TRAINING || c->stat == TABLE_COST) && !c->metric[0])
        rc = conf_need(group, "metric", CONF_TEXT, &v, err);
    if (rc == 0)
        rc = read_cost(group, from, c, err);
    if (rc == 0)
        rc = read_making(group, c, err);
    if (rc == 0 && from->baseline)
        rc = spec_word(from->baseline, c->baseline, sizeof c->baseline, err);
    c->baseline_source = from->baseline;
    if (rc == 0 && from->experiment)
        rc = spec_word(from->experiment, c->experiment, sizeof c->experiment, err);
    return rc ? rc : read_where(from, c, err);
}

static int read_columns(const struct conf_value *list, const struct inherited *from,
                        struct table_spec *t, struct err *err)
{
    static const char *const known[] = { "head",    "step",     "where",  "experiment",
                                         "columns", "baseline", "target", NULL };
    int rc = conf_len(list) ? 0 : conf_error(err, list, "there is no column");

    for (size_t i = 0; rc == 0 && i < conf_len(list); i++) {
        const struct conf_value *group = conf_at(list, i), *inner, *v;
        struct inherited here = *from;

        rc = conf_expect(group, CONF_GROUP, err);
        if (rc < 0)
            return rc;
        if (t->columns_len == TABLE_COLUMNS_MAX)
            return conf_error(err, group, "at most %d columns are allowed", TABLE_COLUMNS_MAX);
        here.step = (v = conf_get(group, "step")) ? v : here.step;
        here.experiment = (v = conf_get(group, "experiment")) ? v : here.experiment;
        here.baseline = (v = conf_get(group, "baseline")) ? v : here.baseline;
        here.target = (v = conf_get(group, "target")) ? v : here.target;
        if ((v = conf_get(group, "where")))
            here.where[here.wheres++] = v;
        inner = conf_get(group, "columns");
        if (!inner) {
            rc = read_column(group, &here, t, err);
            continue;
        }
        rc = conf_check_keys(group, known, err);
        if (rc == 0)
            rc = conf_need(group, "head", CONF_TEXT, &v, err);
        if (rc == 0 && here.depth == TABLE_DEPTH_MAX - 1)
            rc = conf_error(err, inner, "at most %d heads above each other", TABLE_DEPTH_MAX);
        if (rc == 0)
            rc = spec_word(v, here.above[here.depth++], TABLE_WORD_MAX, err);
        if (rc == 0)
            rc = conf_expect(inner, CONF_LIST, err);
        if (rc == 0)
            rc = read_columns(inner, &here, t, err);
    }
    return rc;
}

int spec_columns(const struct conf_value *columns, struct table_spec *t, struct err *err)
{
    const struct inherited none = { 0 };

    return read_columns(columns, &none, t, err);
}
