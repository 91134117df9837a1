/* SPDX-License-Identifier: Apache-2.0 */
/* What a run is in a halved recipe: the levels of its steps, its gates, and where it enters. */

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "experiments/plan/entrant.h"

void halving_free(struct halving *h)
{
    if (!h)
        return;
    for (size_t k = 0; k < RECIPE_RUNGS_MAX; k++) {
        for (size_t i = 0; i < h->rung[k].len; i++) {
            free(h->rung[k].v[i].part);
            free(h->rung[k].v[i].job);
        }
        free(h->rung[k].v);
    }
    free(h->gate);
    free(h);
}

static struct halving *halving_of(struct build *b)
{
    const struct recipe_halving *from = &b->r->halving;

    if (b->halving)
        return b->halving;
    b->halving = mem_calloc(1, sizeof(*b->halving));
    for (size_t k = 0; k < from->rungs_len; k++) {
        b->halving->step[k] = recipe_find(b->r, from->rung[k].step);
        b->halving->score[k] = recipe_find(b->r, from->rung[k].score);
    }
    return b->halving;
}

/* ---- levels of the steps of a run ---- */

struct levels {
    uint64_t reach[RECIPE_STEPS_MAX]; /* a bit for itself and for each step that it needs */
    uint32_t level[RECIPE_STEPS_MAX];
};

static void need(struct levels *l, size_t step, int other)
{
    if (other < 0)
        return;
    l->reach[step] |= l->reach[other];
    l->level[step] = MAX(l->level[step], l->level[other]);
}

static int rung_of(const struct build *b, size_t step)
{
    for (size_t k = 0; k < b->r->halving.rungs_len; k++)
        if (b->halving->step[k] == (int)step)
            return (int)k;
    return -1;
}

static int find_levels(const struct build *b, const struct step *steps, const size_t *order,
                       size_t order_len, struct levels *l, struct err *err)
{
    const struct recipe_halving *h = &b->r->halving;

    for (size_t i = 0; i < order_len; i++) {
        const size_t s = order[i];
        const int k = rung_of(b, s);
        l->reach[s] = UINT64_C(1) << s;
        struct step_need reads[STEP_NEEDS_MAX];
        const size_t reads_len = step_needs(&steps[s], reads);
        for (size_t n = 0; n < reads_len; n++)
            need(l, s, reads[n].step);
        if (k >= 0 && l->level[s] > (uint32_t)k)
            return err_set(err, ERR_INVALID, "%s: \"%s\" needs \"%s\", a later rung",
                           h->rung[k].where, h->rung[k].step, h->rung[l->level[s]].step);
        if (k >= 0)
            l->level[s] = (uint32_t)k;
    }
    return 0;
}

/* Rung K of the run at P: *RET, does the run stand in front of its select job? */
static int check_rung(const struct build *b, const struct point *p, const struct levels *l,
                      size_t k, bool *ret, struct err *err)
{
    const struct recipe_rung *rung = &b->r->halving.rung[k];
    const size_t step = (size_t)b->halving->step[k], score = (size_t)b->halving->score[k];

    *ret = !point_lacks(p, step);
    if (!*ret)
        return 0;
    if (point_lacks(p, score))
        return err_set(
            err, ERR_INVALID,
            "%s: the score \"%s\" is no part of a run that has \"%s\"; give them the same "
            "condition",
            rung->where, rung->score, rung->step);
    if (!(l->reach[score] >> step & 1))
        return err_set(
            err, ERR_INVALID,
            "%s: the score \"%s\" does not need \"%s\", so it cannot tell how good that is",
            rung->where, rung->score, rung->step);
    if (l->level[score] > k)
        return err_set(err, ERR_INVALID, "%s: the score \"%s\" needs \"%s\", a later rung",
                       rung->where, rung->score, b->r->halving.rung[l->level[score]].step);
    return 0;
}

/* ---- a run ---- */

static struct digest candidate_of(const struct plan_run *run)
{
    struct digester d;

    digest_begin(&d);
    digest_add_text(&d, "candidate-1");
    build_digest_params(run, &d);
    return digest_end(&d);
}

static int digest_order(const void *a, const void *b)
{
    return memcmp(a, b, DIGEST_BYTES);
}

static void add_entrant(struct build *b, size_t k, const struct built *score, uint32_t run_index)
{
    struct halving *h = b->halving;
    const struct plan *p = b->plan;

    if (h->rung[k].len == h->rung[k].cap) {
        h->rung[k].cap = h->rung[k].cap ? 2 * h->rung[k].cap : 64;
        h->rung[k].v = mem_realloc(h->rung[k].v, h->rung[k].cap, sizeof(*h->rung[k].v));
    }
    struct entrant *e = &h->rung[k].v[h->rung[k].len++];
    *e = (struct entrant){ .candidate = candidate_of(&p->run[run_index]),
                           .seed = p->run[run_index].seed,
                           .run = run_index };
    /* Of stages the last decides: its job needs the others. */
    const bool chain = p->job[score->jobs.v[0]].kind->id == KIND_STAGE;
    const size_t from = chain ? score->jobs.len - 1 : 0;
    e->jobs_len = score->jobs.len - from;
    e->job = mem_calloc(e->jobs_len + 1, sizeof(*e->job));
    e->parts_len = score->families_len ? score->families_len : e->jobs_len;
    e->part = mem_calloc(e->parts_len + 1, sizeof(*e->part));
    for (size_t i = 0; i < e->jobs_len; i++)
        e->job[i] = score->jobs.v[from + i];
    for (size_t i = 0; i < e->parts_len; i++) {
        struct digester d;
        digest_begin(&d);
        if (score->families_len) {
            digest_add_bytes(&d, p->family[score->family[i].index].key.b, DIGEST_BYTES);
            digest_add_u64(&d, score->family[i].examples);
        } else {
            digest_add_bytes(&d, p->job[e->job[i]].key.b, DIGEST_BYTES);
        }
        e->part[i] = digest_end(&d);
    }
    qsort(e->part, e->parts_len, sizeof(*e->part), digest_order);
}

static int by_job(const void *a, const void *b)
{
    const struct plan_gate *x = a, *y = b;

    if (x->job != y->job)
        return x->job < y->job ? -1 : 1;
    return (x->by > y->by) - (x->by < y->by);
}

/* The gates of the run at levels LEVEL[step]; a job that two steps share has the lower one. */
static int add_gates(struct halving *h, const struct built *built, const uint32_t *level,
                     const size_t *order, size_t order_len, uint32_t run, struct err *err)
{
    struct plan_gate *all;
    size_t len = 0, n = 0;

    for (size_t i = 0; i < order_len; i++)
        len += built[order[i]].jobs.len + 1;
    all = mem_calloc(len, sizeof(*all));
    for (size_t i = 0; i < order_len; i++) {
        const struct built *s = &built[order[i]];
        for (size_t k = 0; k < s->jobs.len; k++)
            all[n++] = (struct plan_gate){ run, s->jobs.v[k], level[order[i]] };
        if (s->maker >= 0) /* a search's collect */
            all[n++] = (struct plan_gate){ run, (uint32_t)s->maker, level[order[i]] };
    }
    qsort(all, n, sizeof(*all), by_job);
    for (size_t i = 0; i < n; i++) {
        if (all[i].by == 0 || (i > 0 && all[i].job == all[i - 1].job))
            continue;
        if (h->gates_len == h->gates_cap) {
            h->gates_cap = h->gates_cap ? 2 * h->gates_cap : 256;
            h->gate = mem_realloc(h->gate, h->gates_cap, sizeof(*h->gate));
        }
        h->gate[h->gates_len++] = all[i];
    }
    free(all);
    if (h->gates_len > PLAN_GATES_MAX)
        return err_set(err, ERR_LIMIT,
                       "halving: more than %d jobs of runs wait for a decision; use larger shards "
                       "or fewer runs",
                       PLAN_GATES_MAX);
    return 0;
}

int halving_add_run(struct build *b, const struct point *p, const struct step *steps,
                    const struct built *built, const size_t *order, size_t order_len,
                    uint32_t run_index, struct err *err)
{
    const size_t rungs = b->r->halving.rungs_len;
    uint32_t nearest[RECIPE_RUNGS_MAX] = { 0 }; /* of a level: the select job that counts */
    struct levels l = { 0 };

    if (rungs == 0)
        return 0;
    struct halving *h = halving_of(b);
    int rc = find_levels(b, steps, order, order_len, &l, err);
    for (size_t k = 0; !rc && k + 1 < rungs; k++) {
        bool enters;
        rc = check_rung(b, p, &l, k, &enters, err);
        if (rc)
            break;
        nearest[k + 1] = enters ? (uint32_t)k + 1 : nearest[k];
        if (enters && !step_makes_model(&steps[h->score[k]]))
            return step_error(p, steps[h->score[k]].from, err, ERR_INVALID, NULL,
                              "a rung is judged by this step, which must be one job that makes "
                              "something");
        if (enters)
            add_entrant(b, k, &built[h->score[k]], run_index);
    }
    if (rc)
        return rc;
    for (size_t i = 0; i < order_len; i++) {
        l.level[order[i]] = nearest[l.level[order[i]]];
        h->reads[order[i]][l.level[order[i]]] = true; /* level 0 means nothing */
    }
    return add_gates(h, built, l.level, order, order_len, run_index, err);
}
