/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/slot.h"

#include <assert.h>
#include <float.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/wire/wire.h"
#include "worker/attempt.h"
#include "worker/blob_client.h"
#include "worker/kernels/pool.h"
#include "worker/pin.h"

enum example_state { EXAMPLE_NONE, EXAMPLE_POSTED, EXAMPLE_TAKEN, EXAMPLE_ENDED };

struct slot {
    const struct slot_env *env;
    size_t index;
    pthread_t thread;
    struct progress progress;

    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t cond;
    bool quit;
    Drover__Envelope *lease; /* given by the network thread, not taken yet */
    bool busy;               /* from slot_start to SLOT_FINISHED */
    enum example_state example_state;
    struct slot_message message; /* what waits, called an example whatever it is */
    int example_code;
    Drover__JobResult *result; /* posted */
    int code;
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

/* The next lease, or NULL when the worker ends. */
static Drover__Envelope *wait_for_lease(struct slot *s)
{
    pthread_mutex_lock(&s->mutex);
    while (s->lease == NULL && !s->quit)
        pthread_cond_wait(&s->cond, &s->mutex);
    Drover__Envelope *lease = s->lease;
    s->lease = NULL;
    pthread_mutex_unlock(&s->mutex);
    return lease;
}

static void *run(void *arg)
{
    struct slot *s = arg;
    struct pool *pool = pool_new(s->env->threads);
    struct blob_client *blobs = blob_client_new(s->env->place, &s->progress);

    pin_slot(s->env->pin, s->index, pool);
    for (Drover__Envelope *lease; (lease = wait_for_lease(s)) != NULL; wire_free(lease)) {
        check_denormals();
        Drover__JobResult *result = NULL;
        int code = attempt_run(s->env, s, lease->lease, blobs, pool, &result);
        pthread_mutex_lock(&s->mutex);
        s->result = result;
        s->code = code;
        pthread_mutex_unlock(&s->mutex);
        s->env->wake(s->env->wake_arg);
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
    pthread_mutex_lock(&s->mutex);
    s->quit = true;
    pthread_cond_broadcast(&s->cond);
    pthread_mutex_unlock(&s->mutex);
    (void)pthread_join(s->thread, NULL);
    wire_free(s->lease);
    if (s->result != NULL)
        drover__job_result__free_unpacked(s->result, NULL);
    slot_free_metrics(s->metrics, s->metrics_len);
    pthread_cond_destroy(&s->cond);
    pthread_mutex_destroy(&s->mutex);
    free(s);
}

void slot_start(struct slot *s, Drover__Envelope *lease)
{
    pthread_mutex_lock(&s->mutex);
    assert(!s->busy && s->lease == NULL);
    s->busy = true;
    slot_free_metrics(s->metrics, s->metrics_len); /* of the job before; its result had them */
    s->metrics = NULL;
    s->metrics_len = 0;
    s->lease = lease;
    atomic_store(&s->progress.counter, 0);
    atomic_store(&s->progress.done, 0);
    atomic_store(&s->progress.total, 0);
    atomic_store(&s->progress.stop, false);
    atomic_store(&s->progress.drain, false);
    pthread_cond_broadcast(&s->cond);
    pthread_mutex_unlock(&s->mutex);
}

void slot_stop(struct slot *s, bool drain)
{
    atomic_store(&s->progress.drain, drain);
    atomic_store(&s->progress.stop, true);
}

enum slot_post slot_take(struct slot *s, Drover__JobResult **ret_result, int *ret_code)
{
    enum slot_post post = SLOT_NOTHING;

    pthread_mutex_lock(&s->mutex);
    if (s->example_state == EXAMPLE_POSTED) {
        s->example_state = EXAMPLE_TAKEN;
        post = SLOT_EXAMPLE;
    } else if (s->result != NULL) {
        *ret_result = s->result;
        *ret_code = s->code;
        s->result = NULL;
        s->busy = false;
        post = SLOT_FINISHED;
    }
    pthread_mutex_unlock(&s->mutex);
    return post;
}

struct slot_message slot_message(struct slot *s)
{
    pthread_mutex_lock(&s->mutex);
    assert(s->example_state == EXAMPLE_TAKEN);
    struct slot_message message = s->message;
    pthread_mutex_unlock(&s->mutex);
    return message;
}

void slot_end_example(struct slot *s, int code)
{
    pthread_mutex_lock(&s->mutex);
    assert(s->example_state == EXAMPLE_TAKEN);
    s->example_state = EXAMPLE_ENDED;
    s->example_code = code;
    pthread_cond_broadcast(&s->cond);
    pthread_mutex_unlock(&s->mutex);
}

struct progress *slot_progress(struct slot *s)
{
    return &s->progress;
}

Drover__Metric **slot_take_metrics(struct slot *s, size_t *ret_len)
{
    pthread_mutex_lock(&s->mutex);
    Drover__Metric **metrics = s->metrics;
    *ret_len = s->metrics_len;
    s->metrics = NULL;
    s->metrics_len = 0;
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
    s->env->wake(s->env->wake_arg);

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
