/* SPDX-License-Identifier: Apache-2.0 */
/* The select jobs, when all runs are built, and the order of jobs that they ask for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "experiments/plan/entrant.h"
#include "experiments/plan/reading.h"

static int by_candidate(const void *a, const void *b)
{
    const struct entrant *x = a, *y = b;
    int order = memcmp(x->candidate.b, y->candidate.b, DIGEST_BYTES);

    if (order == 0)
        order = (x->seed > y->seed) - (x->seed < y->seed);
    return order ? order : (x->run > y->run) - (x->run < y->run);
}

static int by_number(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* V sorted, each once. */
static void sort_once(struct plan_list *l)
{
    size_t n = 0;

    if (l->len)
        qsort(l->v, l->len, sizeof(*l->v), by_number);
    for (size_t i = 0; i < l->len; i++)
        if (i == 0 || l->v[i] != l->v[i - 1])
            l->v[n++] = l->v[i];
    l->len = n;
}

static size_t candidates_of(const struct entrant *e, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++)
        n += i == 0 || !digest_equal(&e[i].candidate, &e[i - 1].candidate);
    return n;
}

/* As the select job counts: rounded up, but 1e-9 above a whole number is that number. */
static uint64_t kept_of(double share, size_t n)
{
    const double product = share * (double)n;
    uint64_t whole = (uint64_t)product;

    whole += product - (double)whole > 1e-9;
    return MIN(MAX(whole, 1), n);
}

/* measure, better, and the share of all candidates that rung K lets go on. */
static int select_params(const struct recipe_halving *h, size_t k, struct params *ret,
                         double *ret_share, struct err *err)
{
    const struct kind *kind = kind_at(KIND_SELECT);
    double keep, share = 1;
    int rc = 0;

    for (size_t i = 0; !rc && i < h->set.values.len; i++) {
        const struct params_entry *e = &h->set.values.entry[i];
        struct param_value v CLEANUP(param_value_release) =
            value_coerce(kind_param(kind, e->name), &e->value);
        rc = params_set(ret, e->name, &v, err);
    }
    if (rc)
        return rc;
    keep = kind_real(kind, ret, "keep");
    for (size_t i = 0; i <= k; i++)
        share *= keep;
    *ret_share = share;
    return params_set_real(ret, "keep", share, err);
}

static struct digest key_of_select(const struct params *params, size_t k, const struct entrant *e,
                                   size_t len)
{
    struct digester d;

    digest_begin(&d);
    digest_add_text(&d, "select-1");
    kind_digest(kind_at(KIND_SELECT), params, &d);
    digest_add_text(&d, PLAN_NUMERIC_CLASS);
    digest_add_u64(&d, k);
    digest_add_u64(&d, len);
    for (size_t i = 0; i < len; i++) {
        digest_add_bytes(&d, e[i].candidate.b, DIGEST_BYTES);
        digest_add_u64(&d, e[i].seed);
        digest_add_u64(&d, e[i].parts_len);
        for (size_t n = 0; n < e[i].parts_len; n++)
            digest_add_bytes(&d, e[i].part[n].b, DIGEST_BYTES);
    }
    return digest_end(&d);
}

static void fill_lists(struct plan_job *j, const struct entrant *e, size_t len)
{
    size_t jobs = 0;

    for (size_t i = 0; i < len; i++)
        jobs += e[i].jobs_len;
    j->needs = (struct plan_list){ mem_calloc(jobs + 1, sizeof(uint32_t)), 0, jobs + 1 };
    j->runs = (struct plan_list){ mem_calloc(len + 1, sizeof(uint32_t)), 0, len + 1 };
    for (size_t i = 0; i < len; i++) {
        j->runs.v[j->runs.len++] = e[i].run;
        for (size_t n = 0; n < e[i].jobs_len; n++)
            j->needs.v[j->needs.len++] = e[i].job[n];
    }
    sort_once(&j->needs);
    sort_once(&j->runs);
}

static int add_select(struct build *b, size_t k, struct plan_rung *shown, struct err *err)
{
    struct halving *h = b->halving;
    struct entrant *e = h->rung[k].v;
    struct params params CLEANUP(params_release) = { 0 };
    const size_t len = h->rung[k].len;
    struct plan *p = b->plan;
    double share = 1;
    bool is_new;
    char id[32];

    qsort(e, len, sizeof(*e), by_candidate);
    int rc = select_params(&b->r->halving, k, &params, &share, err);
    if (rc)
        return rc;
    const struct digest key = key_of_select(&params, k, e, len);
    rc = build_job(b, &key, &h->rung[k].job, &is_new, err);
    if (rc)
        return rc;
    snprintf(id, sizeof(id), "halving.%zu", k + 1);
    struct plan_job *j = &p->job[h->rung[k].job];
    j->kind = kind_at(KIND_SELECT);
    j->numeric_class = build_text(b, PLAN_NUMERIC_CLASS);
    j->step = build_text(b, id);
    j->params = build_params(b, &params, err);
    if (!j->params)
        return ERR_LIMIT;
    j->input[0] =
        (struct plan_input){ .name = "results", .source = PLAN_RESULTS, .path = "", .output = "" };
    j->inputs_len = 1;
    j->retries = 2;
    fill_lists(j, e, len);
    const size_t step = build_step(b, id, j->kind); /* may move p->step */
    struct plan_step *slot = &p->step[step];
    slot->jobs = slot->units = slot->claims = 1;
    build_reads(b, id, b->r->step[h->score[k]].id);
    for (size_t i = 0; i < b->r->steps_len; i++)
        if (h->reads[i][k + 1])
            build_reads(b, b->r->step[i].id, id);
    shown->survivors = kept_of(share, candidates_of(e, len));
    shown->candidates = candidates_of(e, len);
    p->candidate = mem_realloc(p->candidate, p->candidates_len + len, sizeof(*p->candidate));
    for (size_t i = 0; i < len; i++)
        p->candidate[p->candidates_len++] =
            (struct plan_candidate){ h->rung[k].job, e[i].run, e[i].candidate };
    return 0;
}

/* What each rung expects; a rung has the survivors of the one before. */
static void show_rungs(struct build *b)
{
    struct plan *p = b->plan;

    for (size_t k = 0; k < p->rungs_len; k++) {
        struct plan_rung *r = &p->rung[k];
        r->step = build_text(b, b->r->halving.rung[k].step);
        r->score = build_text(b, b->r->halving.rung[k].score);
        if (k > 0 && (k + 1 == p->rungs_len || p->rung[k - 1].survivors < r->candidates))
            r->candidates = p->rung[k - 1].survivors;
        if (k + 1 == p->rungs_len)
            r->survivors = r->candidates;
    }
}

/* ---- the order of all jobs ---- */

/* 2 * level of each job, 2 * k - 1 of select job k. */
static uint32_t *find_layers(const struct plan *p, const struct halving *h, size_t rungs)
{
    uint32_t *layer = mem_calloc(p->jobs_len, sizeof(*layer));
    uint32_t *gates CLEANUP(mem_cleanup) = mem_calloc(p->jobs_len, sizeof(*gates));

    for (size_t i = 0; i < h->gates_len; i++) {
        const struct plan_gate *g = &h->gate[i];
        if (gates[g->job]++ == 0 || g->by * 2 < layer[g->job])
            layer[g->job] = 2 * g->by;
    }
    for (size_t j = 0; j < p->jobs_len; j++)
        if (gates[j] < p->job[j].runs.len)
            layer[j] = 0;
    for (size_t k = 0; k + 1 < rungs; k++)
        if (h->rung[k].len)
            layer[h->rung[k].job] = 2 * (uint32_t)k + 1;
    return layer;
}

static void renumber(struct plan *p, const uint32_t *place)
{
    struct plan_job *sorted = mem_calloc(p->jobs_len, sizeof(*sorted));

    for (size_t j = 0; j < p->jobs_len; j++) {
        struct plan_job *job = &p->job[j];
        for (size_t i = 0; i < job->inputs_len; i++)
            if (job->input[i].source == PLAN_OUTPUT)
                job->input[i].producer = place[job->input[i].producer];
        for (size_t i = 0; i < job->needs.len; i++)
            job->needs.v[i] = place[job->needs.v[i]];
        sort_once(&job->needs);
        sorted[place[j]] = *job;
    }
    free(p->job);
    p->job = sorted;
    for (size_t i = 0; i < p->gates_len; i++) {
        p->gate[i].job = place[p->gate[i].job];
        p->gate[i].by = place[p->gate[i].by];
    }
    for (size_t i = 0; i < p->candidates_len; i++)
        p->candidate[i].by = place[p->candidate[i].by];
}

static int gate_order(const void *a, const void *b)
{
    const struct plan_gate *x = a, *y = b;

    if (x->job != y->job)
        return x->job < y->job ? -1 : 1;
    return (x->run > y->run) - (x->run < y->run);
}

static void put_in_order(struct build *b)
{
    struct plan *p = b->plan;
    struct halving *h = b->halving;
    uint32_t *layer CLEANUP(mem_cleanup) = find_layers(p, h, p->rungs_len);
    uint32_t *place CLEANUP(mem_cleanup) = mem_calloc(p->jobs_len, sizeof(*place));
    uint32_t next = 0;

    for (uint32_t l = 0; l < 2 * RECIPE_RUNGS_MAX; l++)
        for (size_t j = 0; j < p->jobs_len; j++) {
            if (layer[j] != l)
                continue;
            place[j] = next++;
            if (l > 0 && l % 2 == 0) /* all its claims are gated */
                build_list_add(&p->job[j].needs, h->rung[l / 2 - 1].job);
        }
    for (size_t i = 0; i < h->gates_len; i++)
        h->gate[i].by = h->rung[h->gate[i].by - 1].job;
    p->gate = h->gate;
    p->gates_len = h->gates_len;
    h->gate = NULL;
    renumber(p, place);
    if (p->gates_len)
        qsort(p->gate, p->gates_len, sizeof(*p->gate), gate_order);
}

int halving_finish(struct build *b, struct err *err)
{
    struct plan *p = b->plan;
    int rc = 0;

    if (!b->halving)
        return 0;
    p->rungs_len = b->r->halving.rungs_len;
    p->rung = mem_calloc(p->rungs_len, sizeof(*p->rung));
    for (size_t k = 0; !rc && k + 1 < p->rungs_len; k++)
        if (b->halving->rung[k].len)
            rc = add_select(b, k, &p->rung[k], err);
    if (rc)
        return rc;
    show_rungs(b);
    put_in_order(b);
    return 0;
}
