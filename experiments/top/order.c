/* SPDX-License-Identifier: Apache-2.0 */
/* order.c - which rows, in which order, on which lines. */
#include <stdlib.h>
#include <string.h>

#include "experiments/top/private.h"

struct order {
    const struct top *t;
    const struct top_view *v;
};

#define COMPARE(A, B) (((A) > (B)) - ((A) < (B)))

/* Upwards for texts, downwards for numbers: what is looked for stands first. */
static int compare(const struct top_worker *a, const struct top_worker *b, enum top_sort sort)
{
    switch (sort) {
    case TOP_NAME:
    case TOP_SORTS:
        break;
    case TOP_HOST:
        return strcmp(a->host, b->host);
    case TOP_SLOTS:
        return COMPARE(b->running, a->running);
    case TOP_QUEUE:
        return COMPARE(b->waiting, a->waiting);
    case TOP_RATE:
        return COMPARE(b->rate, a->rate);
    case TOP_DONE:
        return COMPARE(b->done, a->done);
    case TOP_FAILED:
        return COMPARE(b->failed, a->failed);
    case TOP_SEEN:
        return COMPARE(b->seen_ms, a->seen_ms);
    case TOP_STATE:
        return strcmp(a->state, b->state);
    }
    return 0;
}

static int by_view(const void *a, const void *b, void *arg)
{
    const struct order *o = arg;
    const size_t x = *(const size_t *)a, y = *(const size_t *)b;
    int order = compare(&o->t->worker[x], &o->t->worker[y], o->v->sort);

    if (order == 0)
        order = COMPARE(x, y); /* they are by name */
    return o->v->reverse ? -order : order;
}

static bool is_shown(const struct top_worker *w, const char *filter)
{
    return !*filter || strcasestr(w->name, filter) || strcasestr(w->host, filter) ||
           strcasestr(w->doing, filter) || strcasestr(w->state, filter);
}

size_t top_order(const struct top *t, const struct top_view *v, size_t *ret)
{
    struct order o = { t, v };
    size_t len = 0;

    for (size_t i = 0; i < t->workers; i++)
        if (is_shown(&t->worker[i], v->filter))
            ret[len++] = i;
    qsort_r(ret, len, sizeof(*ret), by_view, &o);
    return len;
}

static int by_activity(const void *a, const void *b, void *arg)
{
    const struct top *t = arg;
    const struct top_experiment *x = &t->experiment[*(const size_t *)a];
    const struct top_experiment *y = &t->experiment[*(const size_t *)b];
    int order = COMPARE(y->running, x->running);

    if (order == 0)
        order = COMPARE(y->rate, x->rate);
    if (order == 0)
        order = COMPARE(y->priority, x->priority);
    return order ? order : strcmp(x->name, y->name);
}

size_t top_active(const struct top *t, size_t ret[EXPERIMENTS_MAX])
{
    struct top *own = (struct top *)(uintptr_t)t;

    for (size_t i = 0; i < t->experiments; i++)
        ret[i] = i;
    qsort_r(ret, t->experiments, sizeof(*ret), by_activity, own);
    return t->experiments;
}

/* Headings, and a blank line before each. */
enum { HEAD_LINES = 4, TABLE_LINES = 2, KEY_LINES = 1, WORKERS_MIN = 3 };

static size_t causes_of(const struct top *t)
{
    size_t n = 0;

    for (int i = 0; i < TOP_CAUSES_LEN; i++)
        n += top_ended(t, (enum top_cause)i) > 0;
    return n;
}

struct top_layout top_lay_out(const struct top *t, size_t rows)
{
    struct top_layout l = { t->experiments, causes_of(t), t->workers };
    size_t left;

    if (rows == 0)
        return l;
    left = rows - MIN(rows, HEAD_LINES + TABLE_LINES + KEY_LINES + WORKERS_MIN);
    l.causes = left > TABLE_LINES ? MIN(l.causes, MAX(left / 3, TABLE_LINES + 1) - TABLE_LINES) : 0;
    left -= l.causes ? l.causes + TABLE_LINES : 0;
    l.experiments =
        left > TABLE_LINES ? MIN(l.experiments, MAX(left / 2, TABLE_LINES + 1) - TABLE_LINES) : 0;
    left -= l.experiments ? l.experiments + TABLE_LINES : 0;
    l.workers = rows > HEAD_LINES + TABLE_LINES + KEY_LINES
                    ? MIN(WORKERS_MIN + left, rows - HEAD_LINES - TABLE_LINES - KEY_LINES)
                    : 0;
    return l;
}
