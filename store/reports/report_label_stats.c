/* SPDX-License-Identifier: Apache-2.0 */
/* report_label_stats.c - what a search found, in numbers: {"sets": [{experiment, step, "all":
 * STATS, "groups": [{task, level, split, ...STATS}...]}...]}; STATS: counts, sums, "lengths":
 * [[layer applications, labels]...], "per_layer": [[skip, execute, repeat]...] over the labels. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "store/reports/report_labels.h"

static const struct report_arg args[] = { REPORT_LABEL_ARGS, { 0 } };

enum { LAYERS_MAX = 256 };

struct stats {
    char task[64], split[16];
    int level;
    uint64_t n, base_correct, labelled, improved, preserved, shorter, fixed_shorter;
    uint64_t simulations, evaluations, hinted, layer_rows, layer_rows_whole, wall_us;
    uint64_t layers, label_layers; /* sums over the labelled ones */
    uint32_t depth;                /* the deepest model */
    uint64_t length[2 * LAYERS_MAX + 1];
    uint64_t at[LAYERS_MAX][3];
};

struct making {
    struct report_call *c;
    struct err *err;
    char experiment[256], step[64]; /* of the open set */
    bool open;
    struct stats *all, *group;
    size_t groups, groups_cap;
};

static void count(struct stats *s, const struct store_label_row *r)
{
    s->n++;
    s->base_correct += r->base_correct;
    s->simulations += r->simulations;
    s->evaluations += r->evaluations;
    s->hinted += r->hinted;
    s->layer_rows += r->layer_rows;
    s->layer_rows_whole += r->layer_rows_whole;
    s->wall_us += r->wall_us;
    s->depth = MAX(s->depth, MIN(r->layers, (uint32_t)LAYERS_MAX));
    if (!r->has_label)
        return;
    s->labelled++;
    s->improved += !r->base_correct;
    s->preserved += r->base_correct;
    s->shorter += r->base_correct && r->label_layers < r->layers;
    s->fixed_shorter += !r->base_correct && r->label_layers < r->layers;
    s->layers += r->layers;
    s->label_layers += r->label_layers;
    s->length[MIN(r->label_layers, (uint32_t)(2 * LAYERS_MAX))]++;
    for (uint32_t l = 0; r->routing && l < r->layers && l < LAYERS_MAX; l++)
        if (r->routing[l] >= '0' && r->routing[l] <= '2')
            s->at[l][r->routing[l] - '0']++;
}

static void put_lists(struct jsonw *w, const struct stats *s)
{
    jsonw_open_at(w, "lengths", '[');
    for (size_t i = 0; i < ARRAY_LEN(s->length); i++) {
        if (s->length[i] == 0)
            continue;
        jsonw_open(w, '[');
        jsonw_int(w, NULL, (int64_t)i);
        jsonw_int(w, NULL, (int64_t)s->length[i]);
        jsonw_close(w, ']');
    }
    jsonw_close(w, ']');
    jsonw_open_at(w, "per_layer", '[');
    for (uint32_t l = 0; l < s->depth; l++) {
        jsonw_open(w, '[');
        for (int i = 0; i < 3; i++)
            jsonw_int(w, NULL, (int64_t)s->at[l][i]);
        jsonw_close(w, ']');
    }
    jsonw_close(w, ']');
}

/* A / B, or null. */
static void put_share(struct jsonw *w, const char *name, uint64_t a, uint64_t b)
{
    if (b)
        jsonw_real(w, name, (double)a / (double)b);
    else
        jsonw_null(w, name);
}

static void put_stats(struct jsonw *w, const struct stats *s)
{
    const struct {
        const char *name;
        uint64_t v;
    } counts[] = { { "n", s->n },
                   { "base_correct", s->base_correct },
                   { "labelled", s->labelled },
                   { "improved", s->improved },
                   { "preserved", s->preserved },
                   { "unsolved", s->n - s->labelled },
                   { "simulations", s->simulations },
                   { "evaluations", s->evaluations },
                   { "hinted", s->hinted },
                   { "layer_rows", s->layer_rows },
                   { "layer_rows_whole", s->layer_rows_whole },
                   { "wall_us", s->wall_us },
                   { "layers", s->depth } };

    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        jsonw_int(w, counts[i].name, (int64_t)counts[i].v);
    put_share(w, "base", s->base_correct, s->n);
    put_share(w, "oracle", s->labelled, s->n);
    put_share(w, "improved_share", s->improved, s->labelled);
    put_share(w, "right_with_shorter", s->shorter, s->base_correct);
    put_share(w, "wrong_with_right", s->improved, s->n - s->base_correct);
    put_share(w, "wrong_with_right_shorter", s->fixed_shorter, s->n - s->base_correct);
    put_share(w, "mean_layers", s->label_layers, s->labelled);
    put_share(w, "hinted_share", s->hinted, s->evaluations);
    if (s->layer_rows_whole)
        jsonw_real(w, "saved", 1 - (double)s->layer_rows / (double)s->layer_rows_whole);
    else
        jsonw_null(w, "saved");
    put_lists(w, s);
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
    put_stats(w, m->all);
    jsonw_close(w, '}');
    jsonw_open_at(w, "groups", '[');
    for (size_t i = 0; i < m->groups; i++) {
        jsonw_open(w, '{');
        jsonw_text(w, "task", m->group[i].task);
        jsonw_int(w, "level", m->group[i].level);
        jsonw_text(w, "split", m->group[i].split);
        put_stats(w, &m->group[i]);
        jsonw_close(w, '}');
    }
    jsonw_close(w, ']');
    jsonw_close(w, '}');
    m->groups = 0;
    *m->all = (struct stats){ 0 };
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
    count(m->all, r);
    count(group_of(m, r), r);
    return 0;
}

static int make(struct report_call *c, struct err *err)
{
    struct making m = { .c = c, .err = err };
    struct store_label_filter f;
    int rc = report_label_filter(c, &f, err);

    if (rc)
        return rc;
    m.all = mem_calloc(1, sizeof *m.all);
    jsonw_open_at(&c->w, "sets", '[');
    rc = store_list_labels(c->s, &f, take, &m, err);
    rc = rc ? rc : close_set(&m);
    jsonw_close(&c->w, ']');
    free(m.all);
    free(m.group);
    return rc;
}

const struct report report_label_stats = { "label_stats", "What searches found, by task and level.",
                                           args, make };
