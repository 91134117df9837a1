/* SPDX-License-Identifier: Apache-2.0 */
/* cost.c - what training had cost when it first met a target (pivot.h, docs/tables.md).
 *
 * A run's stages are the jobs of one step, in order. A check is a training step at which all
 * metrics of the target were reported; those at step 0 are before any training and do not count.
 * The cost is a number that only grows: over the whole chain, or (sum_stages) anew in every stage.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "store/metric.h"
#include "store/tables/cost.h"
#include "store/tables/pivot.h"

/* Each point by itself. */
#define POINTS_MAX ((size_t)1 << 40)

/* A series of a metric that some column wants. */
struct one_series {
    size_t run;
    uint64_t job, series;
    const char *step, *metric; /* interned */
    double most;
};

struct series_list {
    struct pivot *p;
    const struct table_column *const *cost;
    struct one_series *one;
    size_t len, cap;
};

static bool wanted(const struct series_list *l, const char *metric)
{
    for (size_t i = 0; l->cost[i]; i++) {
        if (strcmp(l->cost[i]->metric, metric) == 0)
            return true;
        for (size_t k = 0; k < l->cost[i]->targets; k++)
            if (strcmp(l->cost[i]->target[k].metric, metric) == 0)
                return true;
    }
    return false;
}

static int keep(const struct store_run_metric *m, void *arg)
{
    struct series_list *l = arg;
    size_t run = pivot_run_index(l->p, m->run);

    if (run == SIZE_MAX || !wanted(l, m->metric))
        return 0;
    if (l->len == l->cap) {
        l->cap = MAX(64, 2 * l->cap);
        l->one = mem_realloc(l->one, l->cap, sizeof *l->one);
    }
    l->one[l->len++] = (struct one_series){ .run = run,
                                            .job = m->job,
                                            .series = m->series,
                                            .step = names_intern(&l->p->names, m->step),
                                            .metric = names_intern(&l->p->names, m->metric),
                                            .most = m->max };
    return 0;
}

/* ---- checks ---- */

struct check {
    uint64_t job, at;
    double x[TABLE_TARGETS_MAX]; /* NaN: not reported there */
};

struct chain {
    struct pivot *p;
    const struct table_column *c;
    const struct one_series *one; /* of one run and step, by job */
    size_t len;
    struct check *check;
    size_t checks, cap;
    size_t target; /* whose points come now */
    uint64_t job;
};

static int by_place(const void *a, const void *b)
{
    const struct check *x = a, *y = b;

    if (x->job != y->job)
        return x->job < y->job ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

static int keep_check(const struct store_point *p, void *arg)
{
    struct chain *h = arg;
    struct check *to;

    if (h->checks == h->cap) {
        h->cap = MAX(64, 2 * h->cap);
        h->check = mem_realloc(h->check, h->cap, sizeof *h->check);
    }
    to = &h->check[h->checks++];
    *to = (struct check){ .job = h->job, .at = p->first_step };
    for (size_t i = 0; i < TABLE_TARGETS_MAX; i++)
        to->x[i] = i == h->target && p->finite > 0 ? p->mean : NAN;
    return 0;
}

/* One check per place, with the numbers of all metrics. */
static void join_checks(struct chain *h)
{
    size_t n = 0;

    if (h->checks > 0)
        qsort(h->check, h->checks, sizeof *h->check, by_place);
    for (size_t i = 0; i < h->checks; i++) {
        if (n == 0 || by_place(&h->check[n - 1], &h->check[i]) != 0) {
            h->check[n++] = h->check[i];
            continue;
        }
        for (size_t k = 0; k < h->c->targets; k++)
            if (!isnan(h->check[i].x[k]))
                h->check[n - 1].x[k] = h->check[i].x[k];
    }
    h->checks = n;
}

static int load_checks(struct chain *h, struct err *err)
{
    int rc = 0;

    h->checks = 0;
    for (size_t t = 0; t < h->c->targets; t++)
        for (size_t i = 0; rc == 0 && i < h->len; i++) {
            if (strcmp(h->one[i].metric, h->c->target[t].metric) != 0)
                continue;
            h->target = t;
            h->job = h->one[i].job;
            rc = store_series(h->p->s, h->one[i].series, 0, UINT64_MAX, POINTS_MAX, keep_check, h,
                              err);
        }
    if (rc == 0)
        join_checks(h);
    return rc;
}

bool cost_holds(const struct table_target *t, double x, double first)
{
    double bound = amount_value(&t->bound, first);
    double room = COST_ROOM * fmax(1.0, fabs(bound)); /* 0.955 - 0.01 is not quite 0.945 */

    return isfinite(x) && isfinite(bound) && (t->most ? x <= bound + room : x >= bound - room);
}

/* The first check that meets the target, or NULL. *RET_ANY: some check has all its metrics. */
static const struct check *find_hit(const struct chain *h, bool *ret_any)
{
    double first[TABLE_TARGETS_MAX];
    const struct check *ret = NULL;

    *ret_any = false;
    for (size_t k = 0; k < h->c->targets; k++) {
        first[k] = NAN;
        for (size_t i = 0; i < h->checks && isnan(first[k]); i++)
            first[k] = h->check[i].x[k];
    }
    for (size_t i = 0; i < h->checks && !ret; i++) {
        bool whole = true, met = h->check[i].at > 0;

        for (size_t k = 0; k < h->c->targets; k++) {
            whole = whole && !isnan(h->check[i].x[k]);
            met = met && cost_holds(&h->c->target[k], h->check[i].x[k], first[k]);
        }
        *ret_any = *ret_any || whole;
        ret = met ? &h->check[i] : NULL;
    }
    return ret;
}

/* ---- cost ---- */

static int keep_most(const struct store_point *p, void *arg)
{
    double *most = arg;

    if (p->finite > 0)
        *most = fmax(*most, p->max);
    return 0;
}

static double join_stages(const struct table_column *c, double so_far, double x)
{
    return isnan(so_far) ? x : isnan(x) ? so_far : c->sum_stages ? so_far + x : fmax(so_far, x);
}

/* Up to HIT, or to the end when it is NULL. NaN: not reported. */
static int spent(const struct chain *h, const struct check *hit, double *ret, struct err *err)
{
    bool steps = strcmp(h->c->metric, COST_STEPS) == 0;
    int rc = 0;

    *ret = steps && hit ? (double)hit->at : NAN;
    for (size_t i = 0; steps && !hit && i < h->checks; i++)
        *ret = fmax(*ret, (double)h->check[i].at);
    for (size_t i = 0; rc == 0 && !steps && i < h->len; i++) {
        const struct one_series *x = &h->one[i];
        double most = NAN;

        if (strcmp(x->metric, h->c->metric) != 0 || (hit && x->job > hit->job))
            continue;
        if (hit && x->job == hit->job)
            rc = store_series(h->p->s, x->series, 0, hit->at, 1, keep_most, &most, err);
        else
            most = x->most;
        *ret = join_stages(h->c, *ret, most);
    }
    return rc;
}

static struct digest number_of(uint64_t id)
{
    struct digest d = { { 0 } };

    memcpy(d.b, &id, sizeof id);
    return d;
}

static int add_fact(struct chain *h, struct err *err)
{
    const struct check *hit;
    struct sums *x;
    double cost = NAN;
    bool any = false;
    int rc = load_checks(h, err);

    hit = rc == 0 ? find_hit(h, &any) : NULL;
    rc = rc ? rc : spent(h, hit, &cost, err);
    if (rc < 0 || (!any && h->c->targets > 0) || isnan(cost))
        return rc;
    x = pivot_new_sums(h->p);
    x->run = h->one[0].run;
    x->step = h->one[0].step;
    x->number = cost_name(h->p, h->c);
    x->last = x->least = x->most = x->average = cost;
    x->censored = hit == NULL;
    for (size_t i = 0; i < h->len; i++)
        x->family = number_of(h->one[i].job);
    x->n = x->promised = 1;
    return 0;
}

int cost_load(struct pivot *p, uint64_t experiment, const struct table_column *const *cost,
              struct err *err)
{
    struct series_list l = { .p = p, .cost = cost };
    struct chain h = { .p = p };
    int rc = store_list_run_metrics(p->s, experiment, NULL, NULL, keep, &l, err);

    for (size_t c = 0; cost[c]; c++) {
        bool again = false;

        for (size_t i = 0; i < c; i++)
            again = again || cost_name(p, cost[i]) == cost_name(p, cost[c]);
        h.c = cost[c];
        for (size_t i = 0, end; rc == 0 && !again && i < l.len; i = end) {
            for (end = i + 1;
                 end < l.len && l.one[end].run == l.one[i].run && l.one[end].step == l.one[i].step;)
                end++;
            h.one = l.one + i;
            h.len = end - i;
            rc = add_fact(&h, err);
        }
    }
    free(h.check);
    free(l.one);
    return rc;
}

void cost_wait(struct pivot *p, size_t from)
{
    for (size_t i = from; i < p->sums_len; i++) {
        const struct sums *waits = &p->sums[i];

        if (!waits->number || waits->n > 0 || strncmp(waits->number, COST_NAME, strlen(COST_NAME)))
            continue;
        for (size_t k = from; k < p->sums_len; k++) {
            struct sums *x = &p->sums[k];

            if (x->number != waits->number || x->run != waits->run || x->step != waits->step ||
                !x->censored)
                continue;
            x->n = 0;
            x->last = x->least = x->most = x->average = NAN;
            x->censored = false;
        }
    }
}

/* ---- names ---- */

void cost_print_target(const struct table_column *c, struct buf *out)
{
    for (size_t i = 0; i < c->targets; i++) {
        buf_printf(out, "%s%s %s ", i ? " and " : "", c->target[i].metric,
                   c->target[i].most ? "<=" : ">=");
        amount_print(&c->target[i].bound, NULL, out);
    }
}

const char *cost_name(struct pivot *p, const struct table_column *c)
{
    CLEANUP(buf_release) struct buf name = { 0 };

    buf_printf(&name, COST_NAME "%s%s; ", c->metric, c->sum_stages ? " of all stages" : "");
    cost_print_target(c, &name);
    return names_intern(&p->names, buf_str(&name));
}
