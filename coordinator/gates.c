/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/gates.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

static bool selects(const Drover__Plan *plan, uint32_t job)
{
    return strcmp(plan->jobs[job]->kind, "select") == 0;
}

static int check_gate(const Drover__Plan *plan, size_t i, struct err *err)
{
    const Drover__Gate *g = plan->gates[i];

    if (g->run >= plan->n_runs)
        return err_set(err, ERR_INVALID, "plan.gates[%zu]: no run %u", i, g->run);
    if (g->job >= plan->n_jobs)
        return err_set(err, ERR_INVALID, "plan.gates[%zu]: no job %u", i, g->job);
    if (g->by >= g->job)
        return err_set(err, ERR_INVALID, "plan.gates[%zu]: job %u comes before select job %u", i,
                       g->job, g->by);
    if (!selects(plan, g->by))
        return err_set(err, ERR_INVALID, "plan.gates[%zu]: job %u, a %s, selects nothing", i, g->by,
                       plan->jobs[g->by]->kind);
    return 0;
}

static int check_candidate(const Drover__Plan *plan, size_t i, struct err *err)
{
    const Drover__Candidate *c = plan->candidates[i];

    if (c->run >= plan->n_runs)
        return err_set(err, ERR_INVALID, "plan.candidates[%zu]: no run %u", i, c->run);
    if (c->by >= plan->n_jobs)
        return err_set(err, ERR_INVALID, "plan.candidates[%zu]: no job %u", i, c->by);
    if (!selects(plan, c->by))
        return err_set(err, ERR_INVALID, "plan.candidates[%zu]: job %u, a %s, selects nothing", i,
                       c->by, plan->jobs[c->by]->kind);
    return 0;
}

static uint32_t job_of_gate(const Drover__Plan *plan, size_t i)
{
    return plan->gates[i]->job;
}

static uint32_t job_of_candidate(const Drover__Plan *plan, size_t i)
{
    return plan->candidates[i]->by;
}

/* Counting sort of LEN items by their job. */
static struct gates_by_job group(const Drover__Plan *plan, size_t len,
                                 uint32_t (*job_of)(const Drover__Plan *plan, size_t i))
{
    struct gates_by_job g = { .begin = mem_calloc(plan->n_jobs + 2, sizeof(*g.begin)),
                              .at = mem_calloc(MAX(len, (size_t)1), sizeof(*g.at)) };

    for (size_t i = 0; i < len; i++)
        g.begin[job_of(plan, i) + 2]++;
    for (size_t j = 2; j < plan->n_jobs + 2; j++)
        g.begin[j] += g.begin[j - 1];
    for (size_t i = 0; i < len; i++) /* begin[j + 1] runs from the group's begin to its end */
        g.at[g.begin[job_of(plan, i) + 1]++] = (uint32_t)i;
    return g;
}

int gates_of_plan(struct gates *ret, const Drover__Plan *plan, struct err *err)
{
    int rc = 0;

    *ret = (struct gates){ 0 };
    for (size_t i = 0; i < plan->n_gates && rc == 0; i++)
        rc = check_gate(plan, i, err);
    for (size_t i = 0; i < plan->n_candidates && rc == 0; i++)
        rc = check_candidate(plan, i, err);
    if (rc < 0)
        return rc;
    ret->gate = group(plan, plan->n_gates, job_of_gate);
    ret->candidate = group(plan, plan->n_candidates, job_of_candidate);
    return 0;
}

void gates_release(struct gates *g)
{
    free(g->gate.begin);
    free(g->gate.at);
    free(g->candidate.begin);
    free(g->candidate.at);
    *g = (struct gates){ 0 };
}

size_t gates_len(const struct gates_by_job *g, size_t job)
{
    return g->begin[job + 1] - g->begin[job];
}
