/* SPDX-License-Identifier: Apache-2.0 */
/* sweep_decide.c - routings that are decided while the pass is under way: in front of a layer the
 * decider sees the rows that enter it; caches get the slots of what it decides. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/model/sweep_state.h"

/* Does Q decide? Else it goes by the one in front of it. */
static bool leads(const struct sweep_seq *q)
{
    return q->decider && q->decide_rows > 0;
}

void sweep_decide_begin(struct sweep *s)
{
    size_t leaders = 0;

    s->decider = NULL;
    for (size_t i = 0; i < s->n; i++) {
        struct sweep_seq *q = &s->seq[i];

        if (!q->decider)
            continue;
        assert(q->decided && q->start_layer == 0 && !q->start && q->decide_rows <= q->rows);
        assert(!s->decider || s->decider == q->decider);
        assert(leads(q) || (i > 0 && s->seq[i - 1].decided == q->decided));
        s->decider = q->decider;
        q->routing = q->decided;
        leaders += leads(q);
    }
    s->known = s->decider ? 0 : s->m->conf.layers;
    if (leaders > s->decision_room) {
        s->decision = mem_realloc(s->decision, leaders, sizeof(*s->decision));
        s->decision_room = leaders;
    }
}

/* What was decided for layers [FROM, known) goes to the caches and, with the last, to where the
 * rows without logits end. */
static int take(struct sweep *s, size_t from, struct err *err)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct sweep_seq *q = &s->seq[i];
        int rc = 0;

        if (!q->decider)
            continue;
        for (size_t l = from; l < s->known && !rc; l++) {
            assert(q->decided[l] <= ROUTING_REPEAT);
            rc = q->kv ? kv_decide(q->kv, l, q->decided[l], err) : 0;
        }
        if (rc)
            return rc;
        s->place[i].last_layer = sweep_last_layer(s, q);
    }
    return 0;
}

int sweep_decide(struct sweep *s, size_t layer, struct err *err)
{
    size_t n = 0, to = layer;
    int rc;

    if (layer < s->known)
        return 0;
    for (size_t i = 0; i < s->n; i++) {
        const struct sweep_seq *q = &s->seq[i];

        if (leads(q))
            s->decision[n++] = (struct sweep_decision){ .x = s->place[i].x,
                                                        .rows = q->decide_rows,
                                                        .routing = q->decided };
    }
    rc = s->decider->decide(s->decider->arg, layer, s->decision, n, &to, err);
    if (rc)
        return rc;
    assert(to > layer && to <= s->m->conf.layers);
    s->known = to;
    return take(s, layer, err);
}

void sweep_decide_end(struct sweep *s, bool done)
{
    for (size_t i = 0; i < s->n; i++) {
        struct kv *kv = s->seq[i].decider ? s->seq[i].kv : NULL;

        if (kv && done)
            kv->open = false;
        else if (kv && kv->open)
            kv_forget(kv);
    }
}
