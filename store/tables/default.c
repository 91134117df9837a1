/* SPDX-License-Identifier: Apache-2.0 */
/* default.c - what to show when a recipe names no tables (spec.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "store/store.h"
#include "store/tables/making.h"
#include "store/tables/spec_private.h"

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

enum { SEARCH_COLUMNS = 5 };

static void add_step(struct table_spec *t, const struct pivot *p, const struct sums *first)
{
    if (t->columns_len == 0) {
        *t = (struct table_spec){ .total = true,
                                  .rows = { { "task", "task" }, { "level", "level" } },
                                  .rows_len = 2,
                                  .best_per = "column" };
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

/* Two searches in one table have columns of the same names: their steps stand above them. */
static void nest_searches(struct table_spec *t)
{
    size_t searches = 0;

    for (size_t i = 0; i < t->columns_len; i++)
        searches += t->column[i].stat == TABLE_ORACLE;
    for (size_t i = 0; searches > 1 && i + 1 < t->columns_len; i++) {
        if (t->column[i + 1].stat != TABLE_ORACLE)
            continue;
        for (size_t k = i; k < i + SEARCH_COLUMNS && k < t->columns_len; k++) {
            struct table_column *c = &t->column[k];

            memcpy(c->above[0], c->step, sizeof c->step);
            c->depth = 1;
        }
    }
}

int table_specs_default(struct store *s, uint64_t experiment, struct table_spec **ret,
                        size_t *ret_len, struct err *err)
{
    struct table_spec *list = NULL;
    struct pivot p = { 0 };
    const char *none[] = { NULL };
    struct pivot_wants w = { .metrics = none };
    size_t n = 0;
    int rc = pivot_load(&p, s, &experiment, 1, &w, err);

    if (rc == 0 && p.sums_len == 0) {
        pivot_release(&p);
        return specs_of_training(s, experiment, ret, ret_len, err);
    }
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
            list[at] = (struct table_spec){ 0 };
        }
        add_step(&list[at], &p, first);
    }
    for (size_t i = 0; i < n; i++)
        nest_searches(&list[i]);
    pivot_release(&p);
    *ret = list;
    *ret_len = n;
    return rc;
}
