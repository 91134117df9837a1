/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/examples.h"

#include <limits.h>

#include "common/base/clock.h"

int job_task(const struct job *j, const struct task_spec **ret, struct err *err)
{
    const char *name = kind_text(j->kind, &j->params, "task");

    *ret = task_find(name);
    return *ret ? 0 : err_set(err, ERR_INVALID, "unknown task \"%s\"", name);
}

static int open_source(struct job *j, const struct task_spec *task, struct task_source **ret,
                       struct err *err)
{
    char path[PATH_MAX] = "";
    enum split split;
    int rc = split_parse(kind_text(j->kind, &j->params, "split"), &split, err);

    if (rc == 0 && !task->synthetic)
        rc = j->services->input(j->services->arg, "task_file", path, sizeof(path), err);
    if (rc < 0)
        return rc;
    return task_open(ret, task->name, (int)kind_int(j->kind, &j->params, "level"), split,
                     task->synthetic ? NULL : path, err);
}

static int send_result(struct job *j, const struct task_spec *task, const struct example *e,
                       uint64_t index, uint64_t started_ns, Drover__ExampleResult *result,
                       struct err *err)
{
    Drover__Example about = DROVER__EXAMPLE__INIT;

    about.id = e->id;
    about.task = (char *)task->name;
    about.level = e->level;
    about.split = (char *)kind_text(j->kind, &j->params, "split");
    about.index = index;
    about.source_id = e->source_id;
    about.question = e->question;
    about.gold = e->gold;
    result->attempt = j->lease->attempt;
    result->epoch = j->lease->epoch;
    result->example = &about;
    result->wall_us = (clock_ns() - started_ns) / 1000;
    int rc = j->services->example_result(j->services->arg, result, err);
    result->example = NULL;
    return rc;
}

static int one_example(struct job *j, const struct task_spec *task, struct task_source *source,
                       uint64_t index, job_example_fn fn, void *arg, struct err *err)
{
    struct example e CLEANUP(example_release) = { 0 };
    Drover__ExampleResult result = DROVER__EXAMPLE_RESULT__INIT;
    uint64_t started = clock_ns();
    int rc = task_get(source, index, &e, err);

    if (rc < 0 || job_finished(j, e.id))
        return rc;
    rc = fn(arg, &e, &result, err);
    if (rc == 0)
        rc = send_result(j, task, &e, index, started, &result, err);
    return rc;
}

int job_each_example(struct job *j, job_example_fn fn, void *arg, struct err *err)
{
    const struct task_spec *task;
    struct task_source *source = NULL;
    int rc = job_task(j, &task, err);

    rc = rc == 0 ? open_source(j, task, &source, err) : rc;
    if (rc < 0)
        return rc;
    atomic_store(&j->progress->total, j->lease->end - j->lease->begin);
    for (uint64_t i = j->lease->begin; rc == 0 && i < j->lease->end; i++) {
        if (progress_stopped(j->progress)) {
            rc = err_set(err, ERR_CANCELLED, "stopped in front of example %llu",
                         (unsigned long long)i);
            break;
        }
        rc = one_example(j, task, source, i, fn, arg, err);
        atomic_store(&j->progress->done, i + 1 - j->lease->begin);
        progress_tick(j->progress);
    }
    task_close(source);
    return rc;
}
