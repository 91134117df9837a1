/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "coordinator/core/core.h"

/* What the largest event and the longest lease may add; see SCHED_ACTIONS_MAX.
 */
enum { EVENT_ROOM = 11000 };

void out_begin(struct sched *s, struct sched_actions *ret)
{
    ret->len = ret->stores_len = 0;
    s->out = ret;
    s->later_len = 0;
    s->work_left = false;
}

struct sched_action *act(struct sched *s, enum sched_action_kind kind)
{
    assert(s->out->stores_len + s->later_len < SCHED_ACTIONS_MAX);
    struct sched_action *a = kind <= ACT_COMPARE ? &s->out->v[s->out->stores_len++]
                                                 : &s->out->v[SCHED_ACTIONS_MAX - ++s->later_len];
    *a = (struct sched_action){ .kind = kind };
    return a;
}

struct sched_action *act_lease(struct sched *s, enum sched_action_kind kind, const struct lease *l)
{
    struct sched_action *a = act(s, kind);
    a->attempt = l->attempt;
    a->epoch = l->epoch;
    a->begun_ms = l->begun_ms;
    a->job = l->job != NONE ? s->jobs[l->job].row.id : 0;
    a->worker = l->worker != NONE ? s->workers[l->worker].id : 0;
    return a;
}

struct sched_action *act_trace(struct sched *s, enum sched_trace trace, const struct lease *l)
{
    struct sched_action *a = l ? act_lease(s, ACT_TRACE, l) : act(s, ACT_TRACE);
    a->trace = trace;
    return a;
}

/* Bring the others, kept in reverse at the end, behind the STOREs. */
void out_end(struct sched *s)
{
    struct sched_action *v = s->out->v;
    uint32_t first = SCHED_ACTIONS_MAX - s->later_len, last = SCHED_ACTIONS_MAX - 1;
    for (uint32_t i = first, j = last; i < j; i++, j--) {
        struct sched_action a = v[i];
        v[i] = v[j];
        v[j] = a;
    }
    for (uint32_t i = 0; i < s->later_len; i++)
        v[s->out->stores_len + i] = v[first + i];
    s->out->len = s->out->stores_len + s->later_len;
    s->out = NULL;
}

bool out_room(struct sched *s)
{
    if (s->out->stores_len + s->later_len + EVENT_ROOM <= SCHED_ACTIONS_MAX)
        return true;
    s->work_left = true;
    return false;
}
