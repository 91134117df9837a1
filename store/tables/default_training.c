/* SPDX-License-Identifier: Apache-2.0 */
/* default_training.c - tables of experiments without examples: what their training steps reported
 * (spec.h). Steps that report a lot, as curricula do, show a handful; a note names the rest. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "store/metric.h"
#include "store/store.h"
#include "store/tables/spec_private.h"

enum {
    TOGETHER_MAX = 8, /* more columns than this: a table for each step */
    ALL_MAX = 8,      /* more metrics than this: a choice of them */
    CHOSEN_MAX = 7,   /* columns that fit on a line of 100 bytes */
    FILL_MIN = 4      /* a choice of less is filled up by what else there is */
};

/* What to choose, best first. INSTEAD: not beside the metric of that name, which says it better. */
static const struct {
    const char *metric, *instead, *head;
    enum table_stat stat;
    unsigned show;
    double scale;
    int digits, better;
} known[] = {
    { "validation_accuracy", NULL, "checked acc", TABLE_TRAINING, TABLE_SHOW_SD, 100.0, 1, 1 },
    { "validation_tokens", NULL, "checked tokens", TABLE_TRAINING, TABLE_SHOW_SD, 0, 1, -1 },
    { "accuracy", "validation_accuracy", "acc", TABLE_TRAINING, TABLE_SHOW_SD, 100.0, 1, 1 },
    { "tokens", "validation_tokens", "tokens", TABLE_TRAINING, TABLE_SHOW_SD, 0, 1, -1 },
    { "reward", NULL, "reward", TABLE_TRAINING, TABLE_SHOW_SD, 0, 3, 1 },
    { "loss", NULL, "loss", TABLE_TRAINING, TABLE_SHOW_SD, 0, -1, -1 },
    { "kl", NULL, "kl", TABLE_TRAINING, 0, 0, -1, 0 },
    { "generated_tokens", NULL, "k generated", TABLE_COST, 0, 1e-3, -1, 0 },
    { "flops", NULL, "GFLOP", TABLE_COST, 0, 1e-9, -1, 0 },
    { "core_seconds", NULL, "core-s", TABLE_COST, 0, 0, -1, 0 },
    { "eval_loss", NULL, "eval loss", TABLE_TRAINING, TABLE_SHOW_SD, 0, -1, -1 },
};

struct reported {
    char step[TABLE_WORD_MAX], metric[TABLE_WORD_MAX];
    uint64_t job; /* the first of the step: steps stand in the recipe's order */
    size_t place; /* 1 + index in known; 0: none of them */
    bool dropped;
};

struct report_list {
    struct reported *one;
    size_t len, steps, shown;
};

static size_t place_of(const char *metric)
{
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (strcmp(known[i].metric, metric) == 0)
            return i + 1;
    }
    return 0;
}

static int keep_reported(const struct store_run_metric *m, void *arg)
{
    struct report_list *l = arg;
    struct reported *same = NULL;
    uint64_t job = m->job;
    bool first = true;

    if (strlen(m->step) >= TABLE_WORD_MAX || strlen(m->metric) >= TABLE_WORD_MAX)
        return 0;
    for (size_t i = 0; i < l->len; i++) {
        if (strcmp(l->one[i].step, m->step) != 0)
            continue;
        first = false;
        job = l->one[i].job = MIN(l->one[i].job, job);
        if (strcmp(l->one[i].metric, m->metric) == 0)
            same = &l->one[i];
    }
    if (same)
        return 0;
    l->steps += first;
    l->one = mem_realloc(l->one, l->len + 1, sizeof *l->one);
    l->one[l->len] = (struct reported){ .job = job };
    snprintf(l->one[l->len].step, sizeof l->one->step, "%s", m->step);
    snprintf(l->one[l->len++].metric, sizeof l->one->metric, "%s", m->metric);
    return 0;
}

static int by_place(const void *a, const void *b)
{
    const struct reported *x = a, *y = b;
    int order;

    if (x->job != y->job)
        return x->job < y->job ? -1 : 1;
    order = strcmp(x->step, y->step);
    if (order == 0 && x->place != y->place)
        return !y->place || (x->place && x->place < y->place) ? -1 : 1;
    return order ? order : strcmp(x->metric, y->metric);
}

/* ---- a choice ---- */

static bool reports(const struct reported *r, size_t len, const char *metric)
{
    for (size_t i = 0; i < len; i++) {
        if (strcmp(r[i].metric, metric) == 0)
            return true;
    }
    return false;
}

/* Of the LEN metrics of a step those that known names; parts ("accuracy.3") last. */
static void choose(struct reported *r, size_t len)
{
    size_t kept = 0;

    for (size_t i = 0; i < len; i++)
        r[i].place = place_of(r[i].metric);
    qsort(r, len, sizeof *r, by_place);
    for (size_t i = 0; i < len; i++) {
        const char *instead = r[i].place ? known[r[i].place - 1].instead : NULL;
        bool taken = kept < CHOSEN_MAX && r[i].place && !(instead && reports(r, len, instead));

        r[i].dropped = !taken;
        kept += taken;
    }
    for (size_t i = 0; i < len && kept < FILL_MIN; i++) {
        if (r[i].place || strchr(r[i].metric, '.'))
            continue;
        r[i].dropped = false;
        kept++;
    }
}

static void choose_each(struct report_list *l)
{
    for (size_t i = 0, end; i < l->len; i = end) {
        for (end = i + 1; end < l->len && strcmp(l->one[end].step, l->one[i].step) == 0;)
            end++;
        if (end - i > ALL_MAX)
            choose(l->one + i, end - i);
    }
    for (size_t i = 0; i < l->len; i++)
        l->shown += !l->one[i].dropped;
}

/* ---- tables ---- */

static void add_reported(struct table_spec *t, const struct reported *r, bool nested)
{
    struct table_column *c = &t->column[t->columns_len++];

    *c = (struct table_column){ .stat = TABLE_TRAINING, .digits = -1, .aggregate = TABLE_CI };
    snprintf(c->head, sizeof c->head, "%s", r->metric);
    snprintf(c->step, sizeof c->step, "%s", r->step);
    memcpy(c->metric, r->metric, sizeof c->metric);
    if (r->place) { /* chosen */
        size_t k = r->place - 1;

        c->stat = known[k].stat;
        c->aggregate = TABLE_MEAN;
        c->show = TABLE_SHOW_VALUE | known[k].show;
        c->scale = known[k].scale;
        c->digits = known[k].digits;
        c->better = known[k].better;
        c->sum_stages = strcmp(r->metric, "core_seconds") == 0;
        snprintf(c->head, sizeof c->head, "%s", known[k].head);
    }
    if (nested) {
        memcpy(c->above[0], r->step, sizeof r->step);
        c->depth = 1;
    }
}

/* "train also reported entropy, truncated. ..." */
static void note_rest(struct table_spec *t, const struct report_list *l, const char *step)
{
    struct buf text = { 0 };
    size_t n = 0, parts = 0;

    for (size_t i = 0; i < l->len; i++) {
        if (!l->one[i].dropped || strcmp(l->one[i].step, step) != 0)
            continue;
        if (strchr(l->one[i].metric, '.')) {
            parts++;
            continue;
        }
        if (n == 0)
            buf_printf(&text, "%s also reported ", step);
        buf_printf(&text, "%s%s", n++ ? ", " : "", l->one[i].metric);
    }
    if (n == 0)
        return;
    if (parts > 0)
        buf_printf(&text, ", and %zu of them by task or level, as in \"accuracy.3\"", parts);
    buf_adds(&text, ". A table of its own shows them: measure = \"NAME\" (docs/tables.md).");
    free(t->note);
    t->note = buf_detach(&text);
}

/* Their last values over seeds, by the parameters that vary. */
int specs_of_training(struct store *s, uint64_t experiment, struct table_spec **ret,
                      size_t *ret_len, struct err *err)
{
    struct report_list l = { 0 };
    struct table_spec *list = NULL;
    size_t n = 0;
    const struct reported *last = NULL;
    int rc = store_list_run_metrics(s, experiment, NULL, NULL, keep_reported, &l, err);
    bool together;

    if (rc == 0 && l.len == 0)
        rc = err_set(err, ERR_NOT_FOUND,
                     "no step of this experiment has examples to show, and none has reported a "
                     "training metric yet");
    if (l.len > 0)
        qsort(l.one, l.len, sizeof *l.one, by_place);
    choose_each(&l);
    together = l.shown <= TOGETHER_MAX && l.shown == l.len;
    for (size_t i = 0; rc == 0 && i < l.len; i++) {
        const struct reported *r = &l.one[i];

        if (r->dropped)
            continue;
        if (n == 0 || (!together && strcmp(last->step, r->step) != 0) ||
            list[n - 1].columns_len == TABLE_COLUMNS_MAX) {
            list = mem_realloc(list, ++n, sizeof *list);
            list[n - 1] = (struct table_spec){ .best_per = "column" };
            snprintf(list[n - 1].title, sizeof list->title, "%s",
                     together && l.steps > 1 ? "Training, last values" : r->step);
            note_rest(&list[n - 1], &l, r->step);
        }
        add_reported(&list[n - 1], r, together && l.steps > 1);
        last = r;
    }
    free(l.one);
    *ret = list;
    *ret_len = n;
    return rc;
}
