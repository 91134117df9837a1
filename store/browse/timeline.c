/* SPDX-License-Identifier: Apache-2.0 */
#include "store/browse/timeline.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/macros.h"
#include "common/base/mem.h"

static int by_worker(const void *a, const void *b)
{
    const struct timeline_span *x = a, *y = b;

    if (x->worker != y->worker)
        return x->worker < y->worker ? -1 : 1;
    if (x->start_ms != y->start_ms)
        return x->start_ms < y->start_ms ? -1 : 1;
    return (x->attempt > y->attempt) - (x->attempt < y->attempt);
}

static int by_lane(const void *a, const void *b)
{
    const struct timeline_span *x = a, *y = b;

    if (x->lane != y->lane)
        return x->lane < y->lane ? -1 : 1;
    return (x->start_ms > y->start_ms) - (x->start_ms < y->start_ms);
}

/* Place of worker ID in T, made when it is new. Workers come in any order here. */
static struct timeline_worker *worker_of(struct timeline *t, uint32_t id)
{
    size_t low = 0, high = t->workers;

    while (low < high) {
        const size_t mid = (low + high) / 2;

        if (t->worker[mid].id < id)
            low = mid + 1;
        else
            high = mid;
    }
    if (low < t->workers && t->worker[low].id == id)
        return &t->worker[low];
    t->worker = mem_realloc(t->worker, t->workers + 1, sizeof(*t->worker));
    memmove(t->worker + low + 1, t->worker + low, (t->workers++ - low) * sizeof(*t->worker));
    t->worker[low] = (struct timeline_worker){ .id = id };
    return &t->worker[low];
}

static bool overlaps(const struct timeline *t, int64_t start, int64_t end)
{
    return start < t->to_ms && end > t->from_ms;
}

static void count(struct timeline *t, uint32_t worker, int64_t start, int64_t end)
{
    struct timeline_worker *w = worker_of(t, worker);

    t->n++;
    w->n++;
    w->busy_ms += (double)(MIN(end, t->to_ms) - MAX(start, t->from_ms));
}

/* The busiest in spans get bins until the rest fits. */
static void choose_bins(struct timeline *t, size_t max)
{
    uint64_t left = t->n;

    while (left > max) {
        struct timeline_worker *most = NULL;

        for (size_t i = 0; i < t->workers; i++)
            if (!t->worker[i].bin && (!most || t->worker[i].n > most->n))
                most = &t->worker[i];
        most->bin = mem_calloc(TIMELINE_BINS, sizeof(*most->bin));
        left -= most->n;
    }
}

static void add_to_bins(const struct timeline *t, struct timeline_worker *w, int64_t start,
                        int64_t end)
{
    const double width = (double)(t->to_ms - t->from_ms) / TIMELINE_BINS;
    const double from = (double)(MAX(start, t->from_ms) - t->from_ms) / width;
    const double to = (double)(MIN(end, t->to_ms) - t->from_ms) / width;

    for (size_t i = (size_t)from; i < TIMELINE_BINS && (double)i < to; i++)
        w->bin[i] += (float)(MIN(to, (double)i + 1) - MAX(from, (double)i));
}

static void place(struct timeline *t, const struct timeline_span *s)
{
    struct timeline_worker *w = worker_of(t, s->worker);

    if (w->bin)
        add_to_bins(t, w, s->start_ms, s->end_ms);
    else
        t->span[t->spans++] = *s;
}

/* The first lane that is free takes it. What was measured by two clocks may overlap by a little:
 * TOLERANCE_MS of it is hidden. */
static void lay(struct timeline *t, struct timeline_worker *w)
{
    enum { TOLERANCE_MS = 20 };
    int64_t end[TIMELINE_LANES_MAX];

    for (size_t i = w->first; i < w->first + w->len; i++) {
        struct timeline_span *s = &t->span[i];
        size_t lane = 0;

        while (lane < w->lanes && end[lane] > s->start_ms + TOLERANCE_MS)
            lane++;
        if (lane == TIMELINE_LANES_MAX)
            lane--;
        if (lane == w->lanes)
            w->lanes++;
        end[lane] = s->end_ms;
        s->lane = (uint16_t)lane;
    }
    qsort(t->span + w->first, w->len, sizeof(*t->span), by_lane);
}

static void lay_all(struct timeline *t)
{
    size_t at = 0;

    qsort(t->span, t->spans, sizeof(*t->span), by_worker);
    for (size_t i = 0; i < t->workers; i++) {
        struct timeline_worker *w = &t->worker[i];

        w->first = at;
        while (at < t->spans && t->span[at].worker == w->id)
            at++;
        w->len = at - w->first;
        lay(t, w);
    }
}

static struct timeline_span span_of(const struct ledger_attempt *a)
{
    return (struct timeline_span){ .start_ms = a->started_ms,
                                   .end_ms = a->started_ms + a->ms,
                                   .attempt = a->id,
                                   .job = a->job,
                                   .worker = a->worker,
                                   .outcome = a->outcome };
}

void timeline_make(const struct ledger_view *v, const struct timeline_span *open, size_t len,
                   int64_t from_ms, int64_t to_ms, size_t max, struct timeline *ret)
{
    uint64_t kept = 0;

    *ret = (struct timeline){ .from_ms = from_ms, .to_ms = to_ms };
    for (size_t i = 0; i < v->attempts; i++) {
        const struct ledger_attempt *a = &v->attempt[i];

        if (overlaps(ret, a->started_ms, a->started_ms + MAX(a->ms, 1u)))
            count(ret, a->worker, a->started_ms, a->started_ms + a->ms);
    }
    for (size_t i = 0; i < len; i++)
        if (overlaps(ret, open[i].start_ms, open[i].end_ms))
            count(ret, open[i].worker, open[i].start_ms, open[i].end_ms);
    choose_bins(ret, max);
    for (size_t i = 0; i < ret->workers; i++)
        kept += ret->worker[i].bin ? 0 : ret->worker[i].n;
    ret->span = mem_calloc(kept + 1, sizeof(*ret->span));
    for (size_t i = 0; i < v->attempts; i++) {
        const struct timeline_span s = span_of(&v->attempt[i]);

        if (overlaps(ret, s.start_ms, MAX(s.end_ms, s.start_ms + 1)))
            place(ret, &s);
    }
    for (size_t i = 0; i < len; i++)
        if (overlaps(ret, open[i].start_ms, open[i].end_ms))
            place(ret, &open[i]);
    lay_all(ret);
}

void timeline_release(struct timeline *t)
{
    for (size_t i = 0; i < t->workers; i++)
        free(t->worker[i].bin);
    free(t->worker);
    free(t->span);
    *t = (struct timeline){ 0 };
}
