/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/examples.h"

#include <limits.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/wire/wire.h"
#include "worker/jobs/display.h"

struct loop {
    struct job *job;
    const struct task_spec *task;
    struct task_source *source;
    /* The examples that are worked on together. */
    size_t batch, len;
    struct example *example;       /* [batch] */
    const struct example **at;     /* [batch] */
    uint64_t *index;               /* [batch] */
    Drover__ExampleResult *result; /* [batch] */
};

int job_task(const struct job *j, const struct task_spec **ret, struct err *err)
{
    return task_must_find(kind_text(j->kind, &j->params, "task"), ret, err);
}

static int open_source(struct job *j, const struct task_spec *task, struct task_source **ret,
                       struct err *err)
{
    char path[PATH_MAX] = "";
    struct task_query q = { .task = task->name,
                            .level = (int)kind_int(j->kind, &j->params, "level"),
                            .path = task->synthetic ? NULL : path,
                            .fewshot = (int)kind_int(j->kind, &j->params, "fewshot") };
    bool budget = kind_param(j->kind, "budget");
    int rc = split_parse(kind_text(j->kind, &j->params, "split"), &q.split, err);

    rc = rc == 0 ? task_prompts_parse(kind_text(j->kind, &j->params, "prompts"), &q.prompts, err)
                 : rc;
    q.budget = budget ? (size_t)kind_int(j->kind, &j->params, "budget") : 0;
    if (rc == 0 && !task->synthetic)
        rc = j->services->input(j->services->arg, "task_file", path, sizeof(path), err);
    return rc == 0 ? task_open(ret, &q, err) : rc;
}

static int send_result(struct loop *l, size_t i, uint64_t wall_us, struct err *err)
{
    struct job *j = l->job;
    const struct example *e = &l->example[i];
    Drover__ExampleResult *result = &l->result[i];
    Drover__Example about = DROVER__EXAMPLE__INIT;
    char *source_id CLEANUP(mem_cleanup) = display_copy(e->source_id, WIRE_TEXT_MAX);
    char *subset CLEANUP(mem_cleanup) = display_copy(e->subset, WIRE_NAME_MAX);
    char *question CLEANUP(mem_cleanup) = display_copy(e->question, WIRE_TEXT_MAX);
    char *gold CLEANUP(mem_cleanup) = display_copy(e->gold, WIRE_TEXT_MAX);
    int rc;

    about.id = e->id;
    about.task = (char *)l->task->name;
    about.level = e->level;
    about.split = (char *)kind_text(j->kind, &j->params, "split");
    about.index = l->index[i];
    about.source_id = source_id;
    about.question = question;
    about.gold = gold;
    about.subset = subset;
    result->attempt = j->lease->attempt;
    result->epoch = j->lease->epoch;
    result->example = &about;
    result->wall_us = wall_us;
    rc = j->services->example_result(j->services->arg, result, err);
    result->example = NULL;
    return rc;
}

static int check_stop(const struct loop *l, uint64_t index, struct err *err)
{
    if (!progress_stopped(l->job->progress))
        return 0;
    return err_set(err, ERR_CANCELLED, "stopped in front of example %llu",
                   (unsigned long long)index);
}

static void set_done(struct loop *l, uint64_t next)
{
    atomic_store(&l->job->progress->done, next - l->job->lease->begin);
    progress_tick(l->job->progress);
}

static uint64_t layer_rows(const Drover__ExampleResult *r)
{
    return r->score ? r->score->layer_rows : r->label ? r->label->layer_rows : 0;
}

/* Example I's share of ALL_US, which those worked on together took: by the layer applications that
 * it cost, so that one that generates ten times as much does not look as cheap as its company.
 * Whole microseconds that add up to ALL_US. */
static uint64_t share_us(const struct loop *l, size_t i, uint64_t all_us)
{
    double sum = 0, before = 0, behind = 0;

    for (size_t k = 0; k < l->len; k++) {
        before += k < i ? (double)layer_rows(&l->result[k]) : 0;
        behind += k <= i ? (double)layer_rows(&l->result[k]) : 0;
        sum += (double)layer_rows(&l->result[k]);
    }
    if (sum <= 0)
        return all_us / l->len;
    return (uint64_t)((double)all_us * (behind / sum)) -
           (uint64_t)((double)all_us * (before / sum));
}

/* Work on the examples gathered, and send them. */
static int work(struct loop *l, job_examples_fn fn, void *arg, struct err *err)
{
    uint64_t started = clock_ns(), all_us;
    int rc = l->len > 0 ? fn(arg, l->at, l->len, l->result, err) : 0;

    if (rc < 0 || l->len == 0)
        return rc;
    all_us = (clock_ns() - started) / 1000;
    for (size_t i = 0; rc == 0 && i < l->len; i++) {
        rc = i > 0 ? check_stop(l, l->index[i], err) : 0;
        rc = rc == 0 ? send_result(l, i, share_us(l, i, all_us), err) : rc;
        if (rc == 0)
            set_done(l, l->index[i] + 1);
    }
    return rc;
}

static void forget(struct loop *l)
{
    for (size_t i = 0; i < l->len; i++)
        example_release(&l->example[i]);
    l->len = 0;
}

/* Examples from *NEXT on that are not finished yet, as many as a batch has. */
static int gather(struct loop *l, uint64_t *next, struct err *err)
{
    int rc = 0;

    while (rc == 0 && l->len < l->batch && *next < l->job->lease->end) {
        struct example *e = &l->example[l->len];

        *e = (struct example){ 0 };
        rc = task_get(l->source, *next, e, err);
        if (rc < 0)
            break;
        progress_tick(l->job->progress);
        if (job_finished(l->job, e->id)) {
            example_release(e);
            if (l->len == 0)
                set_done(l, *next + 1);
        } else {
            l->result[l->len] = (Drover__ExampleResult)DROVER__EXAMPLE_RESULT__INIT;
            l->index[l->len++] = *next;
        }
        (*next)++;
    }
    return rc;
}

static int each(struct loop *l, job_examples_fn fn, void *arg, struct err *err)
{
    uint64_t next = l->job->lease->begin;
    int rc = 0;

    atomic_store(&l->job->progress->total, l->job->lease->end - next);
    while (rc == 0 && next < l->job->lease->end) {
        rc = check_stop(l, next, err);
        rc = rc == 0 ? gather(l, &next, err) : rc;
        rc = rc == 0 ? work(l, fn, arg, err) : rc;
        if (rc == 0)
            set_done(l, next);
        forget(l);
    }
    return rc;
}

int job_each_example(struct job *j, size_t batch, job_examples_fn fn, void *arg, struct err *err)
{
    struct loop l = { .job = j, .batch = batch };
    int rc = job_task(j, &l.task, err);

    rc = rc == 0 ? open_source(j, l.task, &l.source, err) : rc;
    if (rc < 0)
        return rc;
    l.example = mem_calloc(batch, sizeof(*l.example));
    l.at = mem_calloc(batch, sizeof(*l.at));
    l.index = mem_calloc(batch, sizeof(*l.index));
    l.result = mem_calloc(batch, sizeof(*l.result));
    for (size_t i = 0; i < batch; i++)
        l.at[i] = &l.example[i];
    rc = each(&l, fn, arg, err);
    task_close(l.source);
    free(l.example);
    free(l.at);
    free(l.index);
    free(l.result);
    return rc;
}
