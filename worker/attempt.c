/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/attempt.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/wire/wire.h"
#include "worker/file.h"
#include "worker/joblog.h"
#include "worker/pin.h"

/* CPU time of the calling thread since the last call: while it waits for a job it needs none. */
static uint64_t thread_cpu_ms(void)
{
    static _Thread_local uint64_t before_ns;
    struct timespec t = { 0 };

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    const uint64_t now_ns = (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
    const uint64_t spent_ms = (now_ns - before_ns) / 1000000;
    before_ns = now_ns;
    return spent_ms;
}

static int make_folders(struct attempt *a, struct err *err)
{
    (void)snprintf(a->dir, sizeof(a->dir), "%s/%" PRIu64 "-%" PRIu32, cache_private(a->env->cache),
                   a->lease->attempt, a->lease->epoch);
    (void)snprintf(a->scratch, sizeof(a->scratch), "%s/scratch", a->dir);
    cache_remove_tree(a->dir);
    return file_make_dirs(a->scratch, err);
}

/* The lease asks for a kind, version and class that this program has. */
static int check_lease(const Drover__Lease *l, struct job *j, struct err *err)
{
    j->kind = kind_find(l->kind);
    if (j->kind == NULL)
        return err_set(err, ERR_VERSION, "this worker (drover %s) knows no job kind \"%s\"",
                       DROVER_VERSION, l->kind);
    if (j->kind->version != l->kind_version)
        return err_set(err, ERR_VERSION,
                       "%s of version %" PRIu32
                       " is asked for, this worker (drover %s) has %" PRIu32,
                       l->kind, l->kind_version, DROVER_VERSION, j->kind->version);
    bool offered = false;
    for (const char *const *c = job_classes(); *c != NULL; c++)
        offered = offered || strcmp(*c, l->numeric_class) == 0;
    if (!offered)
        return err_set(err, ERR_VERSION, "this worker does not compute in the numeric class \"%s\"",
                       l->numeric_class);
    int rc = params_of_lease(l, &j->params, err);
    return rc ? rc : kind_check(j->kind, &j->params, err);
}

static void log_begin(const struct attempt *a)
{
    const Drover__Lease *l = a->lease;

    log_write(a->light ? LOG_DEBUG : LOG_INFO, "job_begun",
              "attempt=%" PRIu64 " epoch=%" PRIu32 " job=%" PRIu64 " kind=%s begin=%" PRIu64
              " end=%" PRIu64 " finished=%zu",
              l->attempt, l->epoch, l->job, l->kind, l->begin, l->end, l->n_finished);
}

/* The pool of its own that the job asks for, or NULL: the slot's will do. */
static struct pool *own_pool(const struct attempt *a, const struct job *j,
                             const struct pool *slot_pool)
{
    if (kind_param(j->kind, "threads") == NULL)
        return NULL;
    int64_t want = kind_int(j->kind, &j->params, "threads");
    if (want <= 0)
        return NULL;
    size_t threads = MIN((size_t)want, a->env->cpus);
    if (threads == pool_threads(slot_pool))
        return NULL;
    pin_loosen(a->env->pin); /* its threads start where this one may run */
    return pool_new(threads);
}

static int run_job(struct attempt *a, struct job *j, struct pool *slot_pool, struct err *err)
{
    j->lease = a->lease;
    j->progress = a->progress;
    int rc = check_lease(a->lease, j, err);
    a->light = rc == 0 && job_makes_nothing(j);
    log_begin(a);
    if (rc == 0 && !a->light)
        rc = make_folders(a, err);
    if (rc)
        return rc;
    struct pool *own = own_pool(a, j, slot_pool);
    j->pool = own != NULL ? own : slot_pool;
    rc = job_implementation(j->kind->id)(j, err);
    pool_free(own);
    if (own != NULL)
        pin_slot(a->env->pin, slot_index(a->slot), slot_pool);
    return rc;
}

static bool is_folder(const struct attempt *a, const struct digest *d)
{
    for (size_t i = 0; i < a->folders_len; i++)
        if (digest_equal(&a->folders[i], d))
            return true;
    return false;
}

static void set_outputs(Drover__JobResult *r, const struct attempt *a, const struct job *j)
{
    if (j->outputs_len == 0)
        return;
    r->outputs = mem_calloc(j->outputs_len, sizeof(Drover__Output *));
    for (size_t i = 0; i < j->outputs_len; i++) {
        const struct job_output *o = &j->output[i];
        Drover__Output *x = mem_calloc(1, sizeof(*x));
        drover__output__init(x);
        x->name = mem_strdup(o->name);
        x->digest.data = mem_dup(o->digest.b, DIGEST_BYTES);
        x->digest.len = DIGEST_BYTES;
        x->size = o->size_bytes;
        x->folder = is_folder(a, &o->digest);
        r->outputs[r->n_outputs++] = x;
    }
}

static Drover__JobResult *make_result(struct attempt *a, const struct job *j, int code,
                                      const struct err *err)
{
    Drover__JobResult *r = mem_calloc(1, sizeof(*r));

    drover__job_result__init(r);
    r->attempt = a->lease->attempt;
    r->epoch = a->lease->epoch;
    r->job = a->lease->job;
    if (code)
        r->text = text_clean(err->text);
    /* A job that diverged is a result, and keeps what it made. */
    if (code == 0 || code == ERR_DIVERGED)
        set_outputs(r, a, j);
    r->metrics = a->metrics;
    r->n_metrics = MIN(a->metrics_len, (size_t)WIRE_METRICS_MAX);
    a->metrics = NULL;
    a->metrics_len = a->metrics_cap = 0;
    r->examples_done = a->examples_done;
    return r;
}

static void log_end(const struct attempt *a, int code, const struct err *err, uint64_t wall_ms)
{
    if (code == 0)
        log_write(a->light ? LOG_DEBUG : LOG_INFO, "job_done",
                  "attempt=%" PRIu64 " kind=%s wall_ms=%" PRIu64 " examples=%" PRIu64,
                  a->lease->attempt, a->lease->kind, wall_ms, a->examples_done);
    else
        log_write(code == ERR_CANCELLED || code == ERR_STALE ? LOG_INFO : LOG_WARN, "job_ended",
                  "attempt=%" PRIu64 " kind=%s wall_ms=%" PRIu64 " code=%d text=\"%s\"",
                  a->lease->attempt, a->lease->kind, wall_ms, code, err->text);
}

int attempt_run(const struct slot_env *env, struct slot *slot, const Drover__Lease *lease,
                struct blob_client *blobs, struct pool *pool, Drover__JobResult **ret_result)
{
    struct attempt a = { .env = env, .slot = slot, .lease = lease, .blobs = blobs };
    const struct job_services services = attempt_services(&a);
    struct job j = { .services = &services, .slot = slot_index(slot), .slots = env->slots };
    struct err err = { 0 };
    const uint64_t begin_ns = clock_ns();

    a.progress = slot_progress(slot);
    a.inputs = inputs_new(env, lease, blobs, a.progress, a.dir);
    joblog_begin();
    int code = run_job(&a, &j, pool, &err);
    const uint64_t wall_us = (clock_ns() - begin_ns) / 1000;
    log_end(&a, code, &err, wall_us / 1000);
    Drover__JobResult *r = make_result(&a, &j, code, &err);
    r->wall_ms = wall_us / 1000;
    r->wall_us = wall_us;
    r->cpu_ms = thread_cpu_ms();
    char *log = joblog_end();
    if (log != NULL)
        r->log = log;
    inputs_free(a.inputs);
    for (size_t i = 0; i < a.made_len; i++)
        made_close(&a.made[i]);
    if (a.dir[0] != '\0')
        cache_remove_tree(a.dir);
    attempt_release_metrics(&a);
    params_release(&j.params);
    *ret_result = r;
    return code;
}
