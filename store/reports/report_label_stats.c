/* SPDX-License-Identifier: Apache-2.0 */
/* report_label_stats.c - what a search found, in numbers: {"sets": [{experiment, step, "all":
 * STATS, "groups": [{task, level, split, ...STATS}...]}...]}; STATS: counts, sums, "lengths":
 * [[layer applications, labels]...], "per_layer": [[skip, execute, repeat]...] over the labels. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "store/label_stats.h"
#include "store/reports/report_labels.h"

static const struct report_arg args[] = { REPORT_LABEL_ARGS, { 0 } };

struct stats {
    char task[64], split[16];
    int level;
    struct label_stats sum;
};

struct making {
    struct report_call *c;
    struct err *err;
    char experiment[256], step[64]; /* of the open set */
    bool open;
    struct label_stats all;
    struct stats *group;
    size_t groups, groups_cap;
};

static void forget_set(struct making *m)
{
    for (size_t i = 0; i < m->groups; i++)
        label_stats_release(&m->group[i].sum);
    m->groups = 0;
    label_stats_release(&m->all);
}

static int close_set(struct making *m)
{
    struct jsonw *w = &m->c->w;

    if (!m->open)
        return 0;
    jsonw_open(w, '{');
    jsonw_text(w, "experiment", m->experiment);
    jsonw_text(w, "step", m->step);
    jsonw_open_at(w, "all", '{');
    label_stats_put(&m->all, w);
    jsonw_close(w, '}');
    jsonw_open_at(w, "groups", '[');
    for (size_t i = 0; i < m->groups; i++) {
        jsonw_open(w, '{');
        jsonw_text(w, "task", m->group[i].task);
        jsonw_int(w, "level", m->group[i].level);
        jsonw_text(w, "split", m->group[i].split);
        label_stats_put(&m->group[i].sum, w);
        jsonw_close(w, '}');
    }
    jsonw_close(w, ']');
    jsonw_close(w, '}');
    forget_set(m);
    m->open = false;
    return report_fits(m->c, m->err);
}

/* Rows come sorted by experiment, step, task, level, split. */
static struct stats *group_of(struct making *m, const struct store_label_row *r)
{
    struct stats *s = m->groups ? &m->group[m->groups - 1] : NULL;

    if (s && strcmp(s->task, r->task) == 0 && s->level == r->level &&
        strcmp(s->split, r->split) == 0)
        return s;
    if (m->groups == m->groups_cap) {
        m->groups_cap = MAX((size_t)16, 2 * m->groups_cap);
        m->group = mem_realloc(m->group, m->groups_cap, sizeof *m->group);
    }
    s = &m->group[m->groups++];
    *s = (struct stats){ .level = r->level };
    snprintf(s->task, sizeof s->task, "%s", r->task);
    snprintf(s->split, sizeof s->split, "%s", r->split);
    return s;
}

static int take(const struct store_label_row *r, void *arg)
{
    struct making *m = arg;
    int rc = 0;

    if (m->open && (strcmp(m->experiment, r->experiment) != 0 || strcmp(m->step, r->step) != 0))
        rc = close_set(m);
    if (rc)
        return rc;
    if (!m->open) {
        snprintf(m->experiment, sizeof m->experiment, "%s", r->experiment);
        snprintf(m->step, sizeof m->step, "%s", r->step);
        m->open = true;
    }
    label_stats_add(&m->all, r);
    label_stats_add(&group_of(m, r)->sum, r);
    return 0;
}

static int make(struct report_call *c, struct err *err)
{
    struct making m = { .c = c, .err = err };
    struct store_label_filter f;
    int rc = report_label_filter(c, &f, err);

    if (rc)
        return rc;
    jsonw_open_at(&c->w, "sets", '[');
    rc = store_list_labels(c->s, &f, take, &m, err);
    rc = rc ? rc : close_set(&m);
    jsonw_close(&c->w, ']');
    forget_set(&m);
    free(m.group);
    return rc;
}

const struct report report_label_stats = { "label_stats", "What searches found, by task and level.",
                                           args, make };
