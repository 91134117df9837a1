/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.c - what training reported, through store_metrics() as the coordinator does it.
 *
 * Half of the points lie in long series: the first runs, forty to a model ("long-00"...), have loss
 * and reward at 25,000 steps; so the reward of one model's runs is a million points, and of the
 * very first run both are a million by themselves. The other half is the reward of all trained
 * runs, some tens of points each. */
#include <math.h>
#include <stdlib.h>

#include "common/base/macros.h"
#include "common/base/mem.h"
#include "store/metric.h"
#include "store/store.h"
#include "tests/tools/store/make.h"

enum { SHORT_EACH = 64, GROUP = 400000, WHOLE = 1000000 };

struct writing {
    struct make *m;
    struct store *s;
    struct store_metric *point;
    uint64_t uncommitted, written;
};

/* A curve that falls or rises and wavers; six digits, as a float prints. */
static double value(const struct make_run *r, bool loss, double at, uint64_t *state)
{
    double rise = 1.0 - exp(-5.0 * at), noise = 0.05 * (make_uniform(state) - 0.5);
    double v = loss ? 3.2 - 2.6 * rise * r->quality + noise : r->quality * rise + noise;

    return rint(v * 1e6) / 1e6;
}

static void commit(struct writing *w)
{
    struct err err = { 0 };

    make_must(store_commit(w->s, &err), &err, "commit");
    make_must(store_begin(w->s, &err), &err, "begin");
    w->uncommitted = 0;
}

static void put(struct writing *w, uint64_t i, const struct make_run *r, bool loss, uint64_t n)
{
    uint64_t state = make_mix(w->m, loss ? "loss" : "reward", i, 0);
    uint64_t stride = n <= SHORT_EACH ? 10 : 1;
    struct err err = { 0 };

    for (uint64_t at = 0; at < n;) {
        uint64_t len = MIN(n - at, MAKE_LONG);

        for (uint64_t k = 0; k < len; k++) {
            w->point[k] =
                (struct store_metric){ loss ? "loss" : "reward", (at + k) * stride,
                                       value(r, loss, (double)(at + k) / (double)n, &state) };
        }
        /* What diverged ends in a number that is none. */
        if (r->fate == FATE_DIVERGED && at + len == n)
            w->point[len - 1].value = NAN;
        make_must(store_metrics(w->s, w->m->attempt[i], w->point, len, &err), &err, "metrics");
        at += len;
        w->uncommitted += len;
        w->written += len;
        if (w->uncommitted >= GROUP)
            commit(w);
    }
}

void make_metrics(struct make *m)
{
    struct writing w = { .m = m, .point = mem_calloc(MAKE_LONG, sizeof *w.point) };
    uint64_t trained = 0, longs = 0, said = 0, each;
    struct make_run r;
    struct err err = { 0 };

    for (uint64_t i = 0; i < m->runs; i++)
        trained += m->attempt[i] != 0;
    make_must(store_open(&w.s, m->path, "", &err), &err, m->path);
    make_must(store_begin(w.s, &err), &err, "begin");
    make_run(m, 0, &r);
    if (r.long_series) {
        for (uint64_t i = 0; i < m->runs; i++) {
            make_run(m, i, &r);
            if (!r.long_series)
                break;
            longs++;
            put(&w, i, &r, true, i == 0 ? WHOLE : MAKE_LONG);
            put(&w, i, &r, false, MAKE_LONG);
        }
    }
    each =
        trained > longs && m->points > w.written ? (m->points - w.written) / (trained - longs) : 0;
    for (uint64_t i = longs; i < m->runs && each > 0; i++) {
        if (m->attempt[i] == 0)
            continue;
        make_run(m, i, &r);
        put(&w, i, &r, false, each);
        if (w.written / 10000000 > said)
            make_say(m, "%llu points\n",
                     (unsigned long long)(said = w.written / 10000000) * 10000000);
    }
    make_must(store_commit(w.s, &err), &err, "commit");
    store_close(w.s);
    free(w.point);
}
