/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/slot.h"

#include <assert.h>
#include <float.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/attempt.h"
#include "worker/blob_client.h"
#include "worker/job_queue.h"
#include "worker/kernels/pool.h"
#include "worker/pin.h"

enum example_state { EXAMPLE_NONE, EXAMPLE_POSTED, EXAMPLE_ENDED };

struct slot {
    const struct slot_env *env;
    size_t index;
    pthread_t thread;
    struct progress progress;

    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t cond;
    struct agent_attempt id;      /* of the job that runs; .attempt 0: none */
    size_t held;                  /* its number */
    struct agent_attempt stopped; /* whose job was told to stop last, and how */
    bool stopped_drain;
    enum example_state example_state;
    struct slot_message message; /* what waits, called an example whatever it is */
    int example_code;
    Drover__Metric **metrics; /* waiting for a Renew */
    size_t metrics_len;
};

/* Denormals must neither be flushed (FTZ) nor read as zero (DAZ): the bits of results depend on it.
 */
static void check_denormals(void)
{
    volatile float smallest = FLT_MIN, denormal = 1e-40f;
    volatile float half = smallest * 0.5f, back = denormal * 1e10f;
    assert(half > 0.0f && back > 0.0f);
}

static bool same_attempt(struct agent_attempt a, struct agent_attempt b)
{
    return a.attempt == b.attempt && a.epoch == b.epoch;
}

/* The job of TAKEN is the slot's from now on; a stop for it may be here already. */
static void begin(struct slot *s, const struct job_taken *taken)
{
    const Drover__Lease *m = taken->lease.lease;

    pthread_mutex_lock(&s->mutex);
    s->id = (struct agent_attempt){ m->attempt, m->epoch };
    s->held = taken->held;
    slot_free_metrics(s->metrics, s->metrics_len); /* of the job before; its result had them */
    s->metrics = NULL;
    s->metrics_len = 0;
    atomic_store_explicit(&s->progress.counter, 0, memory_order_relaxed);
    atomic_store_explicit(&s->progress.done, 0, memory_order_relaxed);
    atomic_store_explicit(&s->progress.total, 0, memory_order_relaxed);
    const bool stopped = same_attempt(s->stopped, s->id);
    atomic_store(&s->progress.drain, stopped && s->stopped_drain);
    atomic_store(&s->progress.stop, stopped);
    pthread_mutex_unlock(&s->mutex);
}

static void *run(void *arg)
{
    struct slot *s = arg;
    struct pool *pool = pool_new(s->env->threads);
    struct blob_client *blobs = blob_client_new(s->env->place, &s->progress);
    struct job_done done;
    struct job_taken taken;

    pin_slot(s->env->pin, s->index, pool);
    for (const struct job_done *last = NULL; job_queue_next(s->env->queue, s->index, last, &taken);
         last = &done) {
        check_denormals();
        begin(s, &taken);
        done = (struct job_done){ .held = taken.held };
        done.code = attempt_run(s->env, s, taken.lease.lease, blobs, pool, &done.result);
        leased_release(&taken.lease);
    }
    blob_client_free(blobs);
    pool_free(pool);
    return NULL;
}

int slot_new(struct slot **ret, const struct slot_env *env, size_t index, struct err *err)
{
    char name[16];

    *ret = NULL;
    struct slot *s = mem_calloc(1, sizeof(*s));
    s->env = env;
    s->index = index;
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->cond, NULL);
    int failed = pthread_create(&s->thread, NULL, run, s);
    if (failed) {
        pthread_cond_destroy(&s->cond);
        pthread_mutex_destroy(&s->mutex);
        free(s);
        return err_set(err, ERR_NOMEM, "start the thread of slot %zu: %s", index, strerror(failed));
    }
    (void)snprintf(name, sizeof(name), "slot-%zu", index);
    (void)pthread_setname_np(s->thread, name); /* for people's top */
    *ret = s;
    return 0;
}

void slot_free(struct slot *s)
{
    if (s == NULL)
        return;
    (void)pthread_join(s->thread, NULL);
    slot_free_metrics(s->metrics, s->metrics_len);
    pthread_cond_destroy(&s->cond);
    pthread_mutex_destroy(&s->mutex);
    free(s);
}

void slot_stop(struct slot *s, struct agent_attempt id, bool drain)
{
    pthread_mutex_lock(&s->mutex);
    s->stopped = id;
    s->stopped_drain = drain;
    if (same_attempt(s->id, id)) {
        atomic_store(&s->progress.drain, drain);
        atomic_store(&s->progress.stop, true);
    }
    pthread_mutex_unlock(&s->mutex);
}

struct slot_message slot_message(struct slot *s)
{
    pthread_mutex_lock(&s->mutex);
    assert(s->example_state == EXAMPLE_POSTED);
    struct slot_message message = s->message;
    pthread_mutex_unlock(&s->mutex);
    return message;
}

void slot_end_example(struct slot *s, int code)
{
    pthread_mutex_lock(&s->mutex);
    assert(s->example_state == EXAMPLE_POSTED);
    s->example_state = EXAMPLE_ENDED;
    s->example_code = code;
    pthread_cond_broadcast(&s->cond);
    pthread_mutex_unlock(&s->mutex);
}

struct progress *slot_progress(struct slot *s)
{
    return &s->progress;
}

Drover__Metric **slot_take_metrics(struct slot *s, struct agent_attempt id, size_t *ret_len)
{
    Drover__Metric **metrics = NULL;

    *ret_len = 0;
    pthread_mutex_lock(&s->mutex);
    if (same_attempt(s->id, id)) {
        metrics = s->metrics;
        *ret_len = s->metrics_len;
        s->metrics = NULL;
        s->metrics_len = 0;
    }
    pthread_mutex_unlock(&s->mutex);
    return metrics;
}

void slot_free_metrics(Drover__Metric **metrics, size_t len)
{
    for (size_t i = 0; i < len; i++)
        drover__metric__free_unpacked(metrics[i], NULL);
    free(metrics);
}

size_t slot_index(const struct slot *s)
{
    return s->index;
}

Drover__Metric *metric_new(const char *name, uint64_t step, double value)
{
    Drover__Metric *m = mem_calloc(1, sizeof(*m));
    drover__metric__init(m);
    m->name = mem_strdup(name);
    m->step = step;
    m->value = value;
    return m;
}

void slot_add_metric(struct slot *s, const char *name, uint64_t step, double value)
{
    pthread_mutex_lock(&s->mutex);
    if (s->metrics == NULL)
        s->metrics = mem_calloc(SLOT_METRICS_MAX, sizeof(struct Drover__Metric *));
    if (s->metrics_len < SLOT_METRICS_MAX)
        s->metrics[s->metrics_len++] = metric_new(name, step, value);
    pthread_mutex_unlock(&s->mutex);
}

static int send_message(struct slot *s, struct slot_message message)
{
    pthread_mutex_lock(&s->mutex);
    assert(s->example_state == EXAMPLE_NONE);
    s->message = message;
    s->example_state = EXAMPLE_POSTED;
    pthread_mutex_unlock(&s->mutex);
    job_queue_post_example(s->env->queue, s->index, s->held);

    pthread_mutex_lock(&s->mutex);
    while (s->example_state != EXAMPLE_ENDED)
        pthread_cond_wait(&s->cond, &s->mutex);
    s->example_state = EXAMPLE_NONE;
    s->message = (struct slot_message){ 0 };
    int code = s->example_code;
    pthread_mutex_unlock(&s->mutex);
    return code;
}

int slot_send_example(struct slot *s, Drover__ExampleResult *result)
{
    return send_message(s, (struct slot_message){ .example = result });
}

int slot_send_checkpoint(struct slot *s, Drover__Checkpoint *checkpoint)
{
    return send_message(s, (struct slot_message){ .checkpoint = checkpoint });
}
