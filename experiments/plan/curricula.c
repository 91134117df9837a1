/* SPDX-License-Identifier: Apache-2.0 */
/* What people are shown of stage steps: each different curriculum once, and doubts about it. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "experiments/plan/build.h"
#include "experiments/plan/stage.h"

/* Above this many points a chart shows no more. */
enum { POINTS_MAX = 4096 };

void build_warning(struct build *b, const char *text)
{
    struct plan *p = b->plan;
    const char *known = build_text(b, text);

    for (size_t i = 0; i < p->warnings_len; i++)
        if (p->warning[i] == known)
            return;
    if (p->warnings_len == PLAN_WARNINGS_MAX)
        return;
    if (!p->warning)
        p->warning = mem_calloc(PLAN_WARNINGS_MAX, sizeof(*p->warning));
    p->warning[p->warnings_len++] = known;
}

void curricula_free(struct plan *p)
{
    for (size_t i = 0; i < p->curricula_len; i++)
        free(p->curriculum[i].point);
    free(p->curriculum);
    free(p->warning);
}

/* ---- doubts ---- */

static void warn(struct build *b, const struct step *s, const char *name, const char *text)
{
    struct buf out CLEANUP(buf_release) = { 0 };

    buf_printf(&out, "%s: steps[%zu].%s: %s", recipe_where(&s->from->set, name, s->from->where),
               s->from->index, name, text);
    build_warning(b, buf_str(&out));
}

static void doubt_drops(struct build *b, const struct step *s, const struct budget_schedule *c)
{
    const double steepest = budget_steepest(c), last = budget_exact(c, c->updates - 1);
    struct buf text CLEANUP(buf_release) = { 0 };

    if (steepest <= 0.5) {
        buf_printf(&text,
                   "%s: one drop multiplies the budget by %.3g; at 0.5 and below, answers of the "
                   "old length earn no length reward at all: have more, gentler drops",
                   budget_name(c->kind), steepest);
        warn(b, s,
             c->kind == BUDGET_STEPS ? "steps"
             : c->gamma > 0          ? "gamma"
                                     : "drops",
             buf_str(&text));
    }
    if (c->kind == BUDGET_EXPONENTIAL && c->gamma > 0 && last > 1.05 * (double)c->last) {
        buf_clear(&text);
        buf_printf(&text,
                   "the last update still has %.0f tokens, budget_last = %" PRId64
                   " is never reached; have more updates or a shorter interval",
                   last, c->last);
        warn(b, s, "interval", buf_str(&text));
    }
}

static void doubt_length(struct build *b, const struct step *s, const struct budget_schedule *c)
{
    const int64_t first = budget_at(c, 0), new = kind_int(s->kind, &s->params, "max_new");
    struct buf text CLEANUP(buf_release) = { 0 };

    if (first <= new)
        return;
    buf_printf(&text,
               "completions are cut at %" PRId64 " tokens, below the first budget of %" PRId64
               "; twice the budget lets the length reward fall",
               new, first);
    warn(b, s, "max_new", buf_str(&text));
}

/* ---- curricula ---- */

static void take_points(struct plan_curriculum *c, const struct budget_schedule *s)
{
    struct budget_slice slice;
    size_t cap = 0;
    uint64_t at = 0;

    while (at < s->updates && c->points_len < POINTS_MAX) {
        /* as much as fits into a slice */
        uint64_t updates = MIN(s->updates - at, BUDGET_SLICE_MAX);
        if (c->points_len == 0 && budget_slice(s, 0, s->updates, &slice, NULL) == 0)
            updates = s->updates;
        else if (budget_slice(s, at, updates, &slice, NULL) != 0)
            return;
        for (size_t i = 0; i < slice.len; i++) {
            if (c->points_len && c->point[c->points_len - 1].budget == slice.budget[i])
                continue;
            if (c->points_len == cap) {
                cap = cap ? 2 * cap : 16;
                c->point = mem_realloc(c->point, cap, sizeof(*c->point));
            }
            c->point[c->points_len++] =
                (struct plan_budget){ at + (uint64_t)slice.at[i], slice.budget[i] };
        }
        at += updates;
    }
}

static bool same(const struct plan_curriculum *a, const struct plan_curriculum *b)
{
    bool equal = a->step == b->step && a->budget == b->budget && a->difficulty == b->difficulty &&
                 a->updates == b->updates && a->stages == b->stages &&
                 a->points_len == b->points_len;

    for (size_t i = 0; equal && i < a->points_len; i++)
        equal =
            a->point[i].update == b->point[i].update && a->point[i].budget == b->point[i].budget;
    return equal;
}

static void keep(struct plan *p, struct plan_curriculum *c)
{
    for (size_t i = 0; i < p->curricula_len; i++)
        if (same(&p->curriculum[i], c)) {
            p->curriculum[i].runs++;
            free(c->point);
            return;
        }
    if (p->curricula_len == PLAN_CURRICULA_MAX) {
        p->curricula_more++;
        free(c->point);
        return;
    }
    if (!p->curriculum)
        p->curriculum = mem_calloc(PLAN_CURRICULA_MAX, sizeof(*p->curriculum));
    p->curriculum[p->curricula_len++] = *c;
}

void build_curriculum(struct build *b, const struct step *s)
{
    const struct budget_schedule schedule = stage_budget(s);
    const struct difficulty_conf difficulty = stage_difficulty(s);
    struct buf text CLEANUP(buf_release) = { 0 };
    struct plan_curriculum c = { .step = build_text(b, s->from->id),
                                 .schedule = budget_name(schedule.kind),
                                 .updates = schedule.updates,
                                 .stages = (uint64_t)kind_int(s->kind, &s->params, "stages"),
                                 .runs = 1 };

    budget_describe(&schedule, &text);
    c.budget = build_text(b, buf_str(&text));
    buf_clear(&text);
    if (difficulty.levels == 1)
        buf_adds(&text, "one level");
    else
        difficulty_describe(&difficulty, &text);
    c.difficulty = build_text(b, buf_str(&text));
    if (schedule.kind == BUDGET_ADAPTIVE) {
        c.first = schedule.first;
        c.last = schedule.last;
    } else {
        take_points(&c, &schedule);
        doubt_drops(b, s, &schedule);
    }
    doubt_length(b, s, &schedule);
    keep(b->plan, &c);
}
