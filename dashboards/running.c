/* SPDX-License-Identifier: Apache-2.0 */
#include "dashboards/running.h"

#include <stdlib.h>

#include "common/base/mem.h"

static int by_job(const void *a, const void *b)
{
    const struct running_job *x = a, *y = b;

    return (x->job > y->job) - (x->job < y->job);
}

static void count(struct running *r, const struct ledger_view *v)
{
    for (size_t k = 0; k < r->len; k++)
        for (size_t i = 0; i < v->experiments; i++)
            r->of[i] += ledger_step_of(&v->experiment[i], r->own[k].job) >= 0;
}

void running_make(const struct live_view *live, const struct ledger_view *v, struct running *ret)
{
    const Drover__Status *s = live->status;
    const size_t n = s ? s->n_running : 0;

    *ret = (struct running){ .own = mem_calloc(n + 1, sizeof(*ret->own)),
                             .of = mem_calloc(v->experiments + 1, sizeof(*ret->of)) };
    for (size_t i = 0; i < n; i++) {
        const Drover__RunningJob *m = s->running[i];

        /* What has ended since it was asked is the store's word. */
        if (m->job < v->jobs && v->state[m->job] != LEDGER_READY)
            continue;
        ret->own[ret->len++] =
            (struct running_job){ m->job, m->done, m->total, m->seconds, m->worker };
    }
    qsort(ret->own, ret->len, sizeof(*ret->own), by_job);
    ret->v = ret->own;
    ret->all = s ? MAX(s->running_all, n) - n + ret->len : 0;
    count(ret, v);
}

void running_release(struct running *r)
{
    free(r->own);
    free(r->of);
    *r = (struct running){ 0 };
}

const struct running_job *running_find(const struct running *r, uint64_t job)
{
    const struct running_job key = { .job = job };

    return r->len ? bsearch(&key, r->own, r->len, sizeof(*r->own), by_job) : NULL;
}

void running_steps(const struct running *r, const struct ledger_experiment *e, uint64_t *ret_steps)
{
    for (size_t i = 0; i < e->steps; i++)
        ret_steps[i] = 0;
    for (size_t k = 0; k < r->len; k++) {
        const int step = ledger_step_of(e, r->own[k].job);

        if (step >= 0)
            ret_steps[step]++;
    }
}

uint64_t running_of(const struct running *r, const struct ledger_view *v,
                    const struct ledger_experiment *e)
{
    return r->of[e - v->experiment];
}

void running_put_coordinator(const struct live_view *live, struct jsonw *w)
{
    if (!live->pid) {
        jsonw_null(w, "coordinator");
        return;
    }
    jsonw_open_at(w, "coordinator", '{');
    jsonw_int(w, "pid", live->pid);
    jsonw_text(w, "endpoint", live->endpoint);
    if (live->here)
        jsonw_int(w, "incarnation", (int64_t)live->status->incarnation);
    else
        jsonw_text(w, "why", live->why);
    jsonw_close(w, '}');
}
