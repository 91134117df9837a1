/* SPDX-License-Identifier: Apache-2.0 */
/* spec.c - what a table is to show: from a recipe, or by default (tables.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "common/conf/conf.h"
#include "common/tasks/task.h"
#include "store/tables/pivot.h"
#include "store/tables/tables.h"

static const struct {
    const char *word, *help;
    bool percent;
} stats[TABLE_STATS_LEN] = {
#define X(NAME, WORD, PERCENT, HELP) [NAME] = { WORD, HELP, PERCENT },
    TABLE_STATS(X)
#undef X
};

static const char *const stat_words[TABLE_STATS_LEN + 1] = {
#define X(NAME, WORD, PERCENT, HELP) [NAME] = WORD,
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

static int read_word(const struct conf_value *v, char *out, size_t size, struct err *err)
{
    const char *s;
    int rc = conf_text(v, &s, err);

    if (rc < 0)
        return rc;
    if (s[0] == '\0' || strlen(s) >= size)
        return conf_error(err, v, "1 to %zu bytes are allowed", size - 1);
    memcpy(out, s, strlen(s) + 1);
    return 0;
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
    int rc = read_word(v, c->metric, sizeof c->metric, err);

    if (rc < 0)
        return rc;
    if (c->stat != TABLE_METRIC && c->stat != TABLE_METRIC_SE)
        return conf_error(err, v, "goes with stat = \"metric\" or \"metric_se\"");
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

static int read_column(const struct conf_value *group, struct table_column *c, struct err *err)
{
    static const char *const known[] = { "head", "step", "stat", "digits", "metric", NULL };
    const struct conf_value *v;
    size_t stat = 0;
    int64_t digits = -1;
    int rc = conf_expect(group, CONF_GROUP, err);

    if (rc == 0)
        rc = conf_check_keys(group, known, err);
    if (rc == 0)
        rc = conf_need(group, "step", CONF_TEXT, &v, err);
    if (rc == 0)
        rc = read_word(v, c->step, sizeof c->step, err);
    if (rc == 0)
        rc = conf_need(group, "stat", CONF_TEXT, &v, err);
    if (rc == 0)
        rc = conf_word(v, stat_words, &stat, err);
    c->stat = (enum table_stat)stat;
    snprintf(c->head, sizeof c->head, "%s", stats[stat].word);
    if (rc == 0 && (v = conf_get(group, "head")))
        rc = read_word(v, c->head, sizeof c->head, err);
    if (rc == 0 && (v = conf_get(group, "digits")))
        rc = conf_int(v, 0, 6, &digits, err);
    if (rc == 0 && (v = conf_get(group, "metric")))
        rc = read_metric(v, c, err);
    c->digits = (int)digits;
    return rc;
}

static int read_flag(const struct conf_value *group, const char *name, bool *ret, struct err *err)
{
    const struct conf_value *v = conf_get(group, name);

    return v ? conf_bool(v, ret, err) : 0;
}

static int read_rows(const struct conf_value *group, struct table_spec *t, struct err *err)
{
    const struct conf_value *v = conf_get(group, "rows");
    int rc;

    if (!v) {
        snprintf(t->rows[0], TABLE_WORD_MAX, "task");
        snprintf(t->rows[1], TABLE_WORD_MAX, "level");
        t->rows_len = 2;
        return 0;
    }
    rc = conf_expect(v, CONF_ARRAY, err);
    if (rc == 0 && conf_len(v) > TABLE_KEYS_MAX)
        rc = conf_error(err, v, "at most %d names", TABLE_KEYS_MAX);
    for (size_t i = 0; rc == 0 && i < conf_len(v); i++)
        rc = read_word(conf_at(v, i), t->rows[t->rows_len++], TABLE_WORD_MAX, err);
    return rc;
}

static int read_table(const struct conf_value *group, struct table_spec *t, struct err *err)
{
    static const char *const known[] = { "title",           "rows",  "columns",
                                         "allow_unequal_n", "total", NULL };
    const struct conf_value *v;
    const char *title = "";
    int rc = conf_expect(group, CONF_GROUP, err);

    *t = (struct table_spec){ .total = true };
    if (rc == 0)
        rc = conf_check_keys(group, known, err);
    if (rc == 0 && (v = conf_get(group, "title")))
        rc = conf_text(v, &title, err);
    snprintf(t->title, sizeof t->title, "%s", title);
    if (rc == 0)
        rc = read_flag(group, "allow_unequal_n", &t->allow_unequal_n, err);
    if (rc == 0)
        rc = read_flag(group, "total", &t->total, err);
    if (rc == 0)
        rc = read_rows(group, t, err);
    if (rc == 0)
        rc = conf_need(group, "columns", CONF_LIST, &v, err);
    if (rc < 0)
        return rc;
    if (conf_len(v) == 0 || conf_len(v) > TABLE_COLUMNS_MAX)
        return conf_error(err, v, "1 to %d columns are allowed", TABLE_COLUMNS_MAX);
    for (size_t i = 0; rc == 0 && i < conf_len(v); i++)
        rc = read_column(conf_at(v, i), &t->column[t->columns_len++], err);
    return rc;
}

int table_specs_read(const struct conf_value *tables, struct table_spec **ret, size_t *ret_len,
                     struct err *err)
{
    size_t n = conf_len(tables);
    struct table_spec *list;
    int rc = conf_expect(tables, CONF_LIST, err);

    *ret = NULL;
    *ret_len = 0;
    if (rc < 0)
        return rc;
    list = mem_calloc(MAX(n, 1), sizeof *list);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = read_table(conf_at(tables, i), &list[i], err);
    if (rc < 0) {
        free(list);
        return rc;
    }
    *ret = list;
    *ret_len = n;
    return 0;
}

/* Do steps A and B read the same examples? Then their numbers may stand side by side. */
static bool same_examples(const struct pivot *p, const char *a, const char *b)
{
    for (int turn = 0; turn < 2; turn++) {
        for (size_t i = 0; i < p->sums_len; i++) {
            bool found = false;

            if (strcmp(p->sums[i].step, a) != 0 || p->sums[i].run != p->sums[0].run)
                continue;
            for (size_t j = 0; j < p->sums_len && !found; j++)
                found = strcmp(p->sums[j].step, b) == 0 && p->sums[j].run == p->sums[i].run &&
                        strcmp(p->sums[j].task, p->sums[i].task) == 0 &&
                        p->sums[j].level == p->sums[i].level &&
                        strcmp(p->sums[j].split, p->sums[i].split) == 0 &&
                        p->sums[j].promised == p->sums[i].promised;
            if (!found)
                return false;
        }
        { /* and the other way round */
            const char *swap = a;

            a = b;
            b = swap;
        }
    }
    return true;
}

static void add_column(struct table_spec *t, const char *head, const char *step,
                       enum table_stat stat)
{
    struct table_column *c;

    if (t->columns_len == TABLE_COLUMNS_MAX)
        return;
    c = &t->column[t->columns_len++];
    *c = (struct table_column){ .stat = stat, .digits = -1 };
    snprintf(c->head, sizeof c->head, "%s", head);
    snprintf(c->step, sizeof c->step, "%s", step);
}

/* Has STEP a task whose score is not the share of right answers, or that belongs to a group? */
static bool has_metrics(const struct pivot *p, const char *step)
{
    static const struct table_column main_metric = { .stat = TABLE_METRIC };

    for (size_t i = 0; i < p->sums_len; i++) {
        const struct sums *x = &p->sums[i];

        if (strcmp(x->step, step) == 0 &&
            (group_of(x->task) || strcmp(metric_name(&main_metric, x->task), "acc") != 0))
            return true;
    }
    return false;
}

static void add_step(struct table_spec *t, const struct pivot *p, const struct sums *first)
{
    if (t->columns_len == 0) {
        *t = (struct table_spec){ .total = true, .rows = { "task", "level" }, .rows_len = 2 };
        snprintf(t->title, sizeof t->title, "%s", first->split);
        add_column(t, "n", first->step, TABLE_N);
    }
    if (!first->search) {
        char head[TABLE_WORD_MAX];

        add_column(t, first->step, first->step, TABLE_ACCURACY_CI);
        snprintf(head, sizeof head, "%.50s metric", first->step);
        if (has_metrics(p, first->step))
            add_column(t, head, first->step, TABLE_METRIC_SE);
        return;
    }
    add_column(t, "base", first->step, TABLE_ACCURACY_CI);
    add_column(t, "oracle", first->step, TABLE_ORACLE);
    add_column(t, "layers", first->step, TABLE_LAYERS);
    add_column(t, "preserved", first->step, TABLE_PRESERVED);
    add_column(t, "improved", first->step, TABLE_IMPROVED);
}

int table_specs_default(struct store *s, uint64_t experiment, struct table_spec **ret,
                        size_t *ret_len, struct err *err)
{
    struct table_spec *list = NULL;
    struct pivot p = { 0 };
    size_t n = 0;
    int rc = pivot_load(&p, s, experiment, false, err);

    if (rc == 0 && p.sums_len == 0)
        rc = err_set(err, ERR_NOT_FOUND, "no step of this experiment has examples to show");
    for (size_t i = 0; rc == 0 && i < p.sums_len; i++) {
        const struct sums *first = &p.sums[i];
        size_t at = 0;
        bool seen = false;

        for (size_t j = 0; j < i && !seen; j++)
            seen = strcmp(p.sums[j].step, first->step) == 0;
        if (seen)
            continue;
        while (at < n && !same_examples(&p, list[at].column[0].step, first->step))
            at++;
        if (at == n) {
            list = mem_realloc(list, ++n, sizeof *list);
            list[at].columns_len = 0;
        }
        add_step(&list[at], &p, first);
    }
    pivot_release(&p);
    *ret = list;
    *ret_len = n;
    return rc;
}
