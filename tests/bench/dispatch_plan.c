/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/dispatch_plan.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/kinds/kinds.h"
#include "experiments/plan/plan.h"
#include "tests/bench/dispatch_talk.h"
#include "tests/bench/group_store.h"

enum { COMMON = 3, PARAMS = COMMON + 1 };

struct planned {
    Drover__Submit submit;
    Drover__Plan plan;
    Drover__PlanJob *job, **jobs;
    Drover__PlanRun *run, **runs;
    Drover__Param common[COMMON], *number, **params; /* a job's: those of all, then its own */
    Drover__RunParam *point, **points;
    struct digest *key, *digest, revision;
    uint32_t *claim;
    char *label;
    char (*text)[24];
    char name[64];
};

static struct digest named(const char *name, const char *what, size_t i)
{
    char text[128];

    snprintf(text, sizeof text, "%.64s %s %zu", name, what, i);
    return digest_of(text, strlen(text));
}

static Drover__Param *whole(Drover__Param *p, const char *name, int64_t value)
{
    drover__param__init(p);
    p->name = (char *)name;
    p->value_case = DROVER__PARAM__VALUE_I;
    p->i = value;
    return p;
}

/* What `jobs = N` of a recipe's step gives: jobs that differ by their number. */
static void make_params(struct planned *p, const struct plan_conf *conf)
{
    Drover__Param *makes = whole(&p->common[2], "makes", 0);

    (void)whole(&p->common[0], "points", 0);
    (void)whole(&p->common[1], "sleep_ms", conf->sleep_ms);
    makes->value_case = DROVER__PARAM__VALUE_S;
    makes->s = (char *)"nothing";
    p->number = mem_calloc(conf->jobs, sizeof *p->number);
    p->params = mem_calloc(conf->jobs, PARAMS * sizeof *p->params);
    for (size_t i = 0; i < conf->jobs; i++) {
        for (size_t k = 0; k < COMMON; k++)
            p->params[i * PARAMS + k] = &p->common[k];
        p->params[i * PARAMS + COMMON] = whole(&p->number[i], "number", (int64_t)i + 1);
    }
}

static void make_runs(struct planned *p, const struct plan_conf *conf)
{
    p->run = mem_calloc(conf->runs, sizeof *p->run);
    p->runs = mem_calloc(conf->runs, sizeof *p->runs);
    p->point = mem_calloc(conf->runs, sizeof *p->point);
    p->points = mem_calloc(conf->runs, sizeof *p->points);
    p->digest = mem_calloc(conf->runs, sizeof *p->digest);
    p->text = mem_calloc(conf->runs, sizeof *p->text);
    for (size_t i = 0; i < conf->runs; i++) {
        drover__plan_run__init(&p->run[i]);
        drover__run_param__init(&p->point[i]);
        p->digest[i] = named(conf->name, "run", i);
        snprintf(p->text[i], sizeof p->text[i], "%zu", i);
        p->point[i].name = (char *)"a.stage";
        p->point[i].value = p->text[i];
        p->points[i] = &p->point[i];
        p->run[i].seed = 1;
        p->run[i].digest = wire_bytes(&p->digest[i]);
        p->run[i].n_params = 1;
        p->run[i].params = &p->points[i];
        p->runs[i] = &p->run[i];
    }
    p->plan.n_runs = conf->runs;
    p->plan.runs = p->runs;
}

static void make_jobs(struct planned *p, const struct plan_conf *conf)
{
    const struct kind *noop = kind_find("noop");

    make_params(p, conf);
    p->job = mem_calloc(conf->jobs, sizeof *p->job);
    p->jobs = mem_calloc(conf->jobs, sizeof *p->jobs);
    p->key = mem_calloc(conf->jobs, sizeof *p->key);
    p->claim = mem_calloc(conf->jobs, sizeof *p->claim);
    for (size_t i = 0; i < conf->jobs; i++) {
        Drover__PlanJob *j = &p->job[i];

        drover__plan_job__init(j);
        p->key[i] = named(conf->name, "job", i);
        p->claim[i] = (uint32_t)(i % conf->runs);
        j->key = wire_bytes(&p->key[i]);
        j->kind = (char *)noop->name;
        j->kind_version = noop->version;
        j->numeric_class = (char *)PLAN_NUMERIC_CLASS;
        j->step = (char *)"a";
        j->n_params = PARAMS;
        j->params = &p->params[i * PARAMS];
        j->n_runs = 1;
        j->runs = &p->claim[i];
        j->seed = i;
        j->retries = 2;
        p->jobs[i] = j;
    }
    p->plan.n_jobs = conf->jobs;
    p->plan.jobs = p->jobs;
}

struct planned *planned_new(const struct plan_conf *conf)
{
    struct planned *p = mem_calloc(1, sizeof *p);

    assert(conf->jobs <= WIRE_JOBS_MAX && conf->runs >= 1 && conf->runs <= conf->jobs);
    drover__submit__init(&p->submit);
    drover__plan__init(&p->plan);
    snprintf(p->name, sizeof p->name, "%s", conf->name);
    p->revision = named(conf->name, "revision", 0);
    p->submit.plan = &p->plan;
    p->plan.name = p->name;
    p->plan.revision = wire_bytes(&p->revision);
    p->plan.recipe = (char *)"# made by drover-bench";
    make_runs(p, conf);
    make_jobs(p, conf);
    return p;
}

void planned_free(struct planned *p)
{
    free(p->job);
    free(p->jobs);
    free(p->run);
    free(p->runs);
    free(p->point);
    free(p->points);
    free(p->key);
    free(p->digest);
    free(p->claim);
    free(p->text);
    free(p->number);
    free(p->params);
    free(p);
}

void planned_require(struct planned *p, const char *label)
{
    p->label = (char *)(uintptr_t)label;
    for (size_t i = 0; i < p->plan.n_jobs; i++) {
        p->job[i].n_labels = 1;
        p->job[i].labels = &p->label;
    }
}

Drover__Submit *planned_message(struct planned *p)
{
    return &p->submit;
}

struct submitted planned_submit(struct planned *p, const struct cluster *c)
{
    struct talk *t = talk_open(c);
    struct submitted s;

    s.sent =
        talk_ask(t, DROVER__ENVELOPE__BODY_SUBMIT, &p->submit, DROVER__ENVELOPE__BODY_SUBMITTED);
    s.answered = store_seconds();
    talk_close(t);
    return s;
}

void plan_submit(struct cluster *c, const char *name, size_t jobs)
{
    char part[64];

    for (size_t at = 0, k = 1; at < jobs; at += WIRE_JOBS_MAX, k++) {
        struct plan_conf conf = { part, MIN(jobs - at, (size_t)WIRE_JOBS_MAX), 1, 0 };
        struct planned *p;

        snprintf(part, sizeof part, "%s-%zu", name, k);
        p = planned_new(&conf);
        (void)planned_submit(p, c);
        planned_free(p);
    }
}
