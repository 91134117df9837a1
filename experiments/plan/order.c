/* SPDX-License-Identifier: Apache-2.0 */
/* Which step comes after which: a depth-first walk that knows the chain it came by, so that a cycle
 * can be named. */
#include <string.h>

#include "common/base/buf.h"
#include "experiments/plan/step.h"

enum mark { NEW, ON_THE_WAY, PLACED };

struct walk {
    const struct point *p;
    const struct step *steps;
    enum mark mark[RECIPE_STEPS_MAX];
    size_t chain[RECIPE_STEPS_MAX], chain_len;
    size_t *order, order_len;
    struct err *err;
};

static int name_cycle(struct walk *w, size_t again)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    size_t from = 0;

    while (w->chain[from] != again)
        from++;
    for (size_t i = from; i < w->chain_len; i++)
        buf_printf(&text, "%s -> ", w->p->r->step[w->chain[i]].id);
    buf_adds(&text, w->p->r->step[again].id);
    return step_error(w->p, &w->p->r->step[again], w->err, ERR_INVALID, NULL,
                      "the steps need each other in a cycle: %s", buf_str(&text));
}

static int visit(struct walk *w, size_t i);

static int visit_needs(struct walk *w, const struct step *s)
{
    struct step_need need[STEP_NEEDS_MAX];
    const size_t len = step_needs(s, need);
    int rc = 0;

    for (size_t i = 0; !rc && i < len; i++)
        rc = visit(w, (size_t)need[i].step);
    return rc;
}

/* At most RECIPE_STEPS_MAX deep. */
static int visit(struct walk *w, size_t i)
{
    if (w->mark[i] == PLACED)
        return 0;
    if (w->mark[i] == ON_THE_WAY)
        return name_cycle(w, i);
    w->mark[i] = ON_THE_WAY;
    w->chain[w->chain_len++] = i;
    int rc = visit_needs(w, &w->steps[i]);
    if (rc)
        return rc;
    w->chain_len--;
    w->mark[i] = PLACED;
    w->order[w->order_len++] = i;
    return 0;
}

int step_order(const struct point *p, const struct step *steps, size_t len, size_t *ret_order,
               struct err *err)
{
    struct walk w = { .p = p, .steps = steps, .order = ret_order, .err = err };
    int rc = 0;

    for (size_t i = 0; !rc && i < len; i++)
        rc = visit(&w, i);
    return rc;
}
