/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/cli/asking.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "experiments/cli/client.h"
#include "experiments/cli/operate.h"

enum {
    NEWS_MAX = 8,
    NUMBERS_MS = 4000, /* a coordinator that does not answer within that is worth telling */
    EXPERIMENTS_MS = 20000,
    SPARING = 4, /* experiments are asked for when this many times their time is over */
};

struct asking {
    const struct options *options;
    uint64_t interval_ms, experiments_due_ms;
    pthread_t thread;
    bool started;
    int fd;
    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t more;
    bool stop;
    char endpoint[STORE_ENDPOINT_MAX];
    struct asking_news news[NEWS_MAX];
    size_t first, len;
};

/* ---- news ---- */

static void put(struct asking *a, const struct asking_news *n)
{
    const uint64_t one = 1;

    pthread_mutex_lock(&a->mutex);
    if (a->len == NEWS_MAX) {
        wire_free(a->news[a->first].answer);
        a->first = (a->first + 1) % NEWS_MAX;
        a->len--;
    }
    a->news[(a->first + a->len++) % NEWS_MAX] = *n;
    pthread_mutex_unlock(&a->mutex);
    (void)!write(a->fd, &one, sizeof(one)); /* a full counter wakes as well */
}

bool asking_take(struct asking *a, struct asking_news *ret)
{
    uint64_t count;
    bool any;

    pthread_mutex_lock(&a->mutex);
    any = a->len > 0;
    if (any) {
        *ret = a->news[a->first];
        a->first = (a->first + 1) % NEWS_MAX;
        a->len--;
    } else {
        (void)!read(a->fd, &count, sizeof(count)); /* it may have been read already */
    }
    pthread_mutex_unlock(&a->mutex);
    return any;
}

int asking_fd(const struct asking *a)
{
    return a->fd;
}

void asking_endpoint(struct asking *a, char *out, size_t size)
{
    pthread_mutex_lock(&a->mutex);
    (void)snprintf(out, size, "%s", a->endpoint);
    pthread_mutex_unlock(&a->mutex);
}

/* ---- questions ---- */

static int ask(struct asking *a, bool experiments, struct asking_news *ret)
{
    Drover__StatusRequest request = DROVER__STATUS_REQUEST__INIT;
    char endpoint[STORE_ENDPOINT_MAX];
    int rc;

    request.workers = request.only_workers = request.numbers = !experiments;
    asking_endpoint(a, endpoint, sizeof(endpoint));
    *ret = (struct asking_news){ .what = experiments ? ASKING_EXPERIMENTS : ASKING_NUMBERS };
    rc = client_call(endpoint, DROVER__ENVELOPE__BODY_STATUS_REQUEST, &request,
                     DROVER__ENVELOPE__BODY_STATUS, experiments ? EXPERIMENTS_MS : NUMBERS_MS,
                     &ret->answer, &ret->err);
    ret->at_ms = clock_ms();
    if (rc == 0 && !experiments && ret->answer->status->n_numbers == 0) {
        wire_free(ret->answer);
        ret->answer = NULL;
        rc = err_set(&ret->err, ERR_VERSION,
                     "the coordinator at %s is of another version, which tells no numbers; use "
                     "the same version on both sides",
                     endpoint);
    }
    if (rc < 0)
        ret->what = ASKING_SILENT;
    return rc;
}

/* Another coordinator may have the store by now. */
static void look_around(struct asking *a)
{
    char endpoint[STORE_ENDPOINT_MAX];

    if (a->options->coordinator || operate_endpoint(a->options, endpoint, NULL) < 0)
        return;
    pthread_mutex_lock(&a->mutex);
    (void)snprintf(a->endpoint, sizeof(a->endpoint), "%s", endpoint);
    pthread_mutex_unlock(&a->mutex);
}

static void ask_experiments(struct asking *a)
{
    const uint64_t begin_ms = clock_ms();
    struct asking_news n;

    if (begin_ms < a->experiments_due_ms)
        return;
    if (ask(a, true, &n) == 0)
        put(a, &n);
    a->experiments_due_ms = begin_ms + SPARING * (clock_ms() - begin_ms);
}

static void ask_numbers(struct asking *a)
{
    struct asking_news n;
    const int rc = ask(a, false, &n);

    put(a, &n);
    if (rc < 0)
        look_around(a);
}

/* False: no more. */
static bool wait_until(struct asking *a, uint64_t at_ms)
{
    const struct timespec at = { .tv_sec = (time_t)(at_ms / 1000),
                                 .tv_nsec = (long)(at_ms % 1000) * 1000000 };
    bool stop;

    pthread_mutex_lock(&a->mutex);
    while (!a->stop && clock_ms() < at_ms)
        (void)pthread_cond_timedwait(&a->more, &a->mutex, &at);
    stop = a->stop;
    pthread_mutex_unlock(&a->mutex);
    return !stop;
}

static void *run(void *arg)
{
    struct asking *a = arg;
    uint64_t begin_ms = clock_ms();

    ask_experiments(a);
    while (wait_until(a, begin_ms + a->interval_ms)) {
        begin_ms = clock_ms();
        ask_numbers(a);
        ask_experiments(a);
    }
    return NULL;
}

/* ---- life ---- */

static struct asking *make(const struct options *o, uint64_t interval_ms)
{
    struct asking *a = mem_calloc(1, sizeof(*a));
    pthread_condattr_t attr;

    a->options = o;
    a->interval_ms = interval_ms;
    a->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&a->mutex, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&a->more, &attr);
    pthread_condattr_destroy(&attr);
    return a;
}

/* Signals are for the thread that has the terminal. */
static int start_thread(struct asking *a, struct err *err)
{
    sigset_t all, before;
    int rc;

    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&a->thread, NULL, run, a);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    a->started = rc == 0;
    return rc ? err_set(err, ERR_IO, "no thread can be started") : 0;
}

int asking_start(struct asking **ret, const struct options *o, uint64_t interval_ms,
                 struct err *err)
{
    struct asking *a = make(o, interval_ms);
    struct asking_news n;
    int rc = a->fd < 0 ? err_set(err, ERR_IO, "no descriptor is left") : 0;

    if (rc == 0)
        rc = operate_endpoint(o, a->endpoint, err);
    if (rc == 0 && (rc = ask(a, false, &n)) < 0)
        *err = n.err;
    if (rc == 0) {
        put(a, &n);
        rc = start_thread(a, err);
    }
    if (rc < 0) {
        asking_stop(a);
        return rc;
    }
    *ret = a;
    return 0;
}

void asking_stop(struct asking *a)
{
    if (!a)
        return;
    pthread_mutex_lock(&a->mutex);
    a->stop = true;
    pthread_cond_broadcast(&a->more);
    pthread_mutex_unlock(&a->mutex);
    if (a->started) {
        client_give_up();
        (void)pthread_join(a->thread, NULL);
    }
    for (; a->len > 0; a->len--, a->first = (a->first + 1) % NEWS_MAX)
        wire_free(a->news[a->first].answer);
    if (a->fd >= 0)
        (void)close(a->fd);
    pthread_cond_destroy(&a->more);
    pthread_mutex_destroy(&a->mutex);
    free(a);
}
