/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of a plan: what they read in one run or another, and their order. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "experiments/plan/build.h"

static size_t find(const struct plan *p, const char *id)
{
    size_t i = 0;

    while (i < p->steps_len && strcmp(p->step[i].id, id) != 0)
        i++;
    return i;
}

size_t build_step(struct build *b, const char *id, const struct kind *kind)
{
    struct plan *p = b->plan;
    const size_t i = find(p, id);

    if (i < p->steps_len)
        return i;
    assert(p->steps_len < BUILD_STEPS_MAX);
    if (p->steps_len == b->step_cap) {
        b->step_cap = b->step_cap ? 2 * b->step_cap : 16;
        p->step = mem_realloc(p->step, b->step_cap, sizeof(*p->step));
    }
    p->step[p->steps_len] = (struct plan_step){ .id = build_text(b, id), .kind = kind };
    return p->steps_len++;
}

void build_reads(struct build *b, const char *id, const char *other)
{
    const size_t i = find(b->plan, id), k = find(b->plan, other);

    assert(i < b->plan->steps_len && k < b->plan->steps_len);
    b->reads[i][k] = true;
}

struct sorting {
    const struct build *b;
    bool seen[BUILD_STEPS_MAX];
    size_t order[BUILD_STEPS_MAX], placed;
};

/* One step reads another in one run and the other way round in another: then any order will do. */
static void visit(struct sorting *s, size_t i)
{
    if (s->seen[i])
        return;
    s->seen[i] = true;
    for (size_t k = 0; k < s->b->plan->steps_len; k++)
        if (s->b->reads[i][k])
            visit(s, k);
    s->order[s->placed++] = i;
}

void steps_finish(struct build *b)
{
    struct plan *p = b->plan;
    const size_t len = p->steps_len;
    struct sorting s = { .b = b };
    struct plan_step *sorted = mem_calloc(len + 1, sizeof(*sorted));

    for (size_t i = 0; i < len; i++)
        visit(&s, i);
    for (size_t i = 0; i < len; i++) {
        sorted[i] = p->step[s.order[i]];
        for (size_t k = 0; k < len; k++)
            if (b->reads[s.order[i]][s.order[k]])
                build_list_add(&sorted[i].needs, (uint32_t)k);
    }
    free(p->step);
    p->step = sorted;
}
