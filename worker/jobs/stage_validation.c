/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/stage_validation.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "worker/jobs/stage_rollout.h"

enum { TOGETHER = 512 }; /* problems in one run */

struct tally {
    uint64_t n, correct, truncated, tokens;
};

struct validation {
    const struct stage_conf *c;
    struct stage_problems *problems;
    const struct model *m;
    struct sweep *sweep;
    struct job *job;
    uint64_t step;
    const char *kind; /* "validation", "validation_free" */
    size_t budget;
    /* Sent when all is there, so that a stage that is interrupted here sends nothing twice. */
    struct point {
        char name[96];
        double value;
    } * point;
    size_t points_len;
};

static void add(struct tally *t, const struct stage_marks *m)
{
    t->n++;
    t->correct += m->correct;
    t->truncated += m->truncated;
    t->tokens += m->truncated ? 0 : m->tokens;
}

static void note(struct validation *v, const char *what, const char *of, double value)
{
    struct point *p;

    v->point = mem_realloc(v->point, v->points_len + 1, sizeof(*v->point));
    p = &v->point[v->points_len++];
    (void)snprintf(p->name, sizeof(p->name), "%s_%s%s", v->kind, what, of);
    p->value = value;
}

static void note_tally(struct validation *v, const struct tally *t, const char *of)
{
    uint64_t ended = t->n - t->truncated;

    note(v, "accuracy", of, (double)t->correct / (double)t->n);
    if (ended > 0)
        note(v, "tokens", of, (double)t->tokens / (double)ended);
    note(v, "truncated", of, (double)t->truncated / (double)t->n);
}

static int answer(const struct validation *v, struct stage_problem *p, size_t n, struct tally *t,
                  struct err *err)
{
    const struct stage_sampling how = { .samples = 1 };
    struct stage_answer *a CLEANUP(mem_cleanup) = mem_calloc(n, sizeof(*a));
    int rc = stage_answer_all(v->sweep, v->m, p, n, &how, a, v->job->progress, err);

    for (size_t i = 0; i < n; i++) {
        if (rc == 0)
            add(t, &a[i].marks);
        stage_answer_release(&a[i]);
    }
    return rc;
}

/* The problems of one task and level into T. */
static int validate_family(const struct validation *v, size_t task, size_t level, struct tally *t,
                           struct err *err)
{
    struct stage_problem *p CLEANUP(mem_cleanup) = mem_calloc(TOGETHER, sizeof(*p));
    int rc = 0;

    for (size_t at = 0; rc == 0 && at < v->c->validation_examples;) {
        size_t n = MIN(v->c->validation_examples - at, (size_t)TOGETHER), made = 0;

        for (; rc == 0 && made < n; made += rc == 0) {
            rc = stage_problem_fixed(v->problems, task, level, at + made, v->budget, &p[made], err);
            progress_tick(v->job->progress);
        }
        rc = rc ? rc : answer(v, p, n, t, err);
        for (size_t i = 0; i < made; i++)
            stage_problem_release(&p[i]);
        at += n;
    }
    return rc;
}

static int validate(struct validation *v, struct err *err)
{
    struct tally all = { 0 };
    int rc = 0;

    for (size_t t = 0; rc == 0 && t < v->c->tasks; t++)
        for (size_t l = 0; rc == 0 && l < v->c->levels; l++) {
            struct tally one = { 0 };
            char of[64];

            rc = validate_family(v, t, l, &one, err);
            if (rc)
                break;
            if (v->c->level[l] > 0)
                (void)snprintf(of, sizeof(of), ".%s.%d", v->c->task[t]->name, v->c->level[l]);
            else
                (void)snprintf(of, sizeof(of), ".%s", v->c->task[t]->name);
            note_tally(v, &one, of);
            all = (struct tally){ all.n + one.n, all.correct + one.correct,
                                  all.truncated + one.truncated, all.tokens + one.tokens };
        }
    if (rc == 0)
        note_tally(v, &all, "");
    return rc;
}

int stage_validate(const struct stage_conf *c, struct stage_problems *problems,
                   const struct model *m, struct sweep *s, uint64_t step, struct job *j,
                   struct err *err)
{
    struct validation v = { .c = c,
                            .problems = problems,
                            .m = m,
                            .sweep = s,
                            .job = j,
                            .step = step,
                            .kind = "validation",
                            .budget = c->validation_budget };
    int rc = 0;

    if (c->validation_examples == 0)
        return 0;
    if (v.budget > 0)
        rc = validate(&v, err);
    v.kind = "validation_free";
    v.budget = 0;
    rc = rc ? rc : validate(&v, err);
    for (size_t i = 0; rc == 0 && i < v.points_len; i++)
        j->services->metric(j->services->arg, v.point[i].name, step, v.point[i].value);
    free(v.point);
    return rc;
}
