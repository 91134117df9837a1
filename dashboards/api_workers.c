/* SPDX-License-Identifier: Apache-2.0 */
/* api_workers.c - /workers/timeline. */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "dashboards/api_farm.h"
#include "store/browse/jobs.h"
#include "store/browse/timeline.h"

enum { USUAL_MS = 15 * 60 * 1000, TEXTS_MAX = 300 };

/* What attempts that went wrong said; the first of a timeline. */
struct texts {
    struct {
        uint32_t attempt;
        char *text;
    } v[TEXTS_MAX];
    size_t len;
};

static void texts_release(struct texts *t)
{
    for (size_t i = 0; i < t->len; i++)
        free(t->v[i].text);
}

static int read_texts(struct store *s, const struct timeline *t, struct texts *ret, struct err *err)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < t->spans && ret->len < TEXTS_MAX; i++) {
        if (!t->span[i].attempt || t->span[i].outcome == LEDGER_OK)
            continue;
        rc = browse_attempt_text(s, t->span[i].attempt, &text, err);
        if (rc || !text.len)
            continue;
        ret->v[ret->len].attempt = t->span[i].attempt;
        ret->v[ret->len++].text = mem_strdup(buf_str(&text));
    }
    return rc;
}

/* The row of worker NAME that is here, else NULL. */
static const struct browse_worker *row_named(const struct browse_workers *list, const char *name)
{
    for (size_t i = 0; i < list->len; i++)
        if (!list->v[i].gone && strcmp(list->v[i].name, name) == 0)
            return &list->v[i];
    return NULL;
}

static const struct browse_worker *row_of(const struct browse_workers *list, uint64_t id)
{
    for (size_t i = 0; i < list->len; i++)
        if (list->v[i].id == id)
            return &list->v[i];
    return NULL;
}

/* What runs now, as spans until TO. */
static size_t open_spans(const struct farm *f, const struct browse_workers *list, int64_t now_ms,
                         int64_t to_ms, struct timeline_span *ret)
{
    size_t n = 0;

    for (size_t i = 0; i < f->running.len; i++) {
        const struct running_job *r = &f->running.v[i];
        const struct browse_worker *row = row_named(list, r->worker);

        ret[n++] = (struct timeline_span){
            .start_ms = now_ms - (int64_t)f->live->age_ms - (int64_t)(r->seconds * 1000),
            .end_ms = MAX(now_ms, to_ms),
            .job = (uint32_t)r->job,
            .worker = row ? (uint32_t)row->id : 0,
            .outcome = LEDGER_RUNNING,
        };
    }
    return n;
}

/* Spans come in the order in which the texts were read: *AT goes along. */
static void put_span(const struct farm *f, const struct timeline_span *s, const struct texts *texts,
                     size_t *at, struct jsonw *w)
{
    jsonw_open(w, '{');
    if (s->attempt)
        jsonw_int(w, "attempt", s->attempt);
    else
        jsonw_null(w, "attempt");
    jsonw_int(w, "job", s->job);
    farm_put_whose(f->v, s->job, w);
    jsonw_int(w, "start_ms", s->start_ms);
    if (s->outcome == LEDGER_RUNNING)
        jsonw_null(w, "end_ms");
    else
        jsonw_int(w, "end_ms", s->end_ms);
    jsonw_text(w, "outcome", ledger_outcome_name(s->outcome));
    if (*at < texts->len && s->attempt && texts->v[*at].attempt == s->attempt)
        jsonw_text(w, "text", texts->v[(*at)++].text);
    jsonw_close(w, '}');
}

static void put_lanes(const struct farm *f, const struct timeline *t,
                      const struct timeline_worker *x, const struct texts *texts, size_t *text,
                      struct jsonw *w)
{
    size_t at = x->first;

    jsonw_open_at(w, "lanes", '[');
    for (size_t lane = 0; lane < x->lanes; lane++) {
        jsonw_open(w, '[');
        for (; at < x->first + x->len && t->span[at].lane == lane; at++)
            put_span(f, &t->span[at], texts, text, w);
        jsonw_close(w, ']');
    }
    jsonw_close(w, ']');
}

static void put_bins(const struct timeline_worker *x, double slots, struct jsonw *w)
{
    if (!x->bin)
        return;
    jsonw_open_at(w, "bins", '[');
    for (size_t i = 0; i < TIMELINE_BINS; i++) {
        const double share = MIN((double)x->bin[i] / slots, 1.0);

        jsonw_real(w, NULL, (double)(int)(share * 1000 + 0.5) / 1000);
    }
    jsonw_close(w, ']');
}

static void put_worker(const struct farm *f, const struct timeline *t,
                       const struct timeline_worker *x, const struct browse_worker *row,
                       const struct texts *texts, size_t *text, struct jsonw *w)
{
    const double slots = row && row->slots ? row->slots : MAX((double)x->lanes, 1);
    const double window = (double)(t->to_ms - t->from_ms);

    jsonw_open(w, '{');
    jsonw_int(w, "id", x->id);
    jsonw_text(w, "name", row ? row->name : x->id ? "an older worker" : "no worker");
    jsonw_text(w, "host", row ? row->host : "");
    jsonw_int(w, "slots", (int64_t)slots);
    jsonw_text(w, "gone", row ? row->gone : NULL);
    jsonw_int(w, "attempts", (int64_t)x->n);
    jsonw_real(w, "busy", MIN(x->busy_ms / (window * slots), 1.0));
    put_lanes(f, t, x, texts, text, w);
    put_bins(x, slots, w);
    jsonw_close(w, '}');
}

static void put_timeline(const struct farm *f, const struct timeline *t,
                         const struct browse_workers *list, const struct texts *texts,
                         struct jsonw *w)
{
    size_t text = 0;

    jsonw_int(w, "from_ms", t->from_ms);
    jsonw_int(w, "to_ms", t->to_ms);
    jsonw_int(w, "attempts", (int64_t)t->n);
    jsonw_int(w, "spans", (int64_t)t->spans);
    jsonw_int(w, "bins_each", TIMELINE_BINS);
    jsonw_int(w, "forgotten", (int64_t)f->v->forgotten); /* older than what is kept in memory */
    jsonw_open_at(w, "workers", '[');
    for (size_t i = 0; i < t->workers; i++)
        put_worker(f, t, &t->worker[i], row_of(list, t->worker[i].id), texts, &text, w);
    jsonw_close(w, ']');
}

/* Without a window: the last quarter of an hour of work. */
static void usual_window(const struct farm *f, int64_t now_ms, int64_t *from, int64_t *to)
{
    if (*to == 0) {
        *to = now_ms;
        if (f->running.len == 0 && f->v->attempts) {
            const struct ledger_attempt *a = &f->v->attempt[f->v->attempts - 1];

            *to = MIN(now_ms, a->started_ms + a->ms + 1000);
            if (now_ms - *to < 60000)
                *to = now_ms;
        }
    }
    if (*from == 0)
        *from = *to - USUAL_MS;
    if (*from >= *to)
        *from = *to - 1000;
}

static void make(struct api_call *c, const struct browse_workers *workers, int64_t from, int64_t to,
                 size_t limit, struct timeline *ret)
{
    struct farm f CLEANUP(farm_release) = { 0 };

    farm_hold(&f, c);
    usual_window(&f, c->now_ms, &from, &to);
    struct timeline_span *open = mem_calloc(f.running.len + 1, sizeof(*open));
    const size_t n = open_spans(&f, workers, c->now_ms, to, open);
    timeline_make(f.v, open, n, from, to, limit, ret);
    free(open);
}

int api_timeline(struct api_call *c, struct err *err)
{
    static const char *const names[] = { "from_ms", "to_ms", "limit", NULL };
    struct browse_workers workers CLEANUP(browse_workers_release) = { 0 };
    struct farm f CLEANUP(farm_release) = { 0 };
    struct timeline t CLEANUP(timeline_release) = { 0 };
    struct texts texts CLEANUP(texts_release) = { .len = 0 };
    struct jsonw w = { .to = c->out };
    int64_t from = 0, to = 0, limit = TIMELINE_SPANS_MAX;
    int rc = request_only(c->request, names, err);

    if (!rc)
        rc = request_integer(c->request, "from_ms", 0, 1, INT64_C(1) << 53, &from, err);
    if (!rc)
        rc = request_integer(c->request, "to_ms", 0, 1, INT64_C(1) << 53, &to, err);
    if (!rc)
        rc = request_integer(c->request, "limit", TIMELINE_SPANS_MAX, 1, TIMELINE_SPANS_MAX, &limit,
                             err);
    if (!rc && from && to && from >= to)
        rc = err_set(err, ERR_INVALID, "from_ms is not before to_ms");
    if (!rc)
        rc = browse_list_workers(c->store, FARM_WORKERS_MAX, &workers, err);
    if (rc)
        return rc;
    make(c, &workers, from, to, (size_t)limit, &t);
    rc = read_texts(c->store, &t, &texts, err);
    if (rc)
        return rc;
    farm_hold(&f, c);
    jsonw_open(&w, '{');
    jsonw_int(&w, "version", 1);
    farm_put_state(&f, &w);
    put_timeline(&f, &t, &workers, &texts, &w);
    jsonw_close(&w, '}');
    return 0;
}
