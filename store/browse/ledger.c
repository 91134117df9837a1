/* SPDX-License-Identifier: Apache-2.0 */
/* ledger.c - the thread, and how the ledger is lent out. */
#include "store/browse/ledger.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "store/browse/ledger_private.h"
#include "store/change.h"

enum { AGAIN_MS = 1000 }; /* after an error */

bool ledger_stopped(struct ledger *l)
{
    store_wait_turn(); /* asked before each piece */
    pthread_mutex_lock(&l->sleep);
    const bool stop = l->stop;
    pthread_mutex_unlock(&l->sleep);
    return stop;
}

static void wait_until(pthread_cond_t *c, pthread_mutex_t *m, uint64_t at_ms)
{
    const struct timespec at = { .tv_sec = (time_t)(at_ms / 1000),
                                 .tv_nsec = (long)(at_ms % 1000) * 1000000 };

    (void)pthread_cond_timedwait(c, m, &at);
}

/* Sleep until the next round is due; false: stop. */
static bool wait_for_round(struct ledger *l, uint64_t pause_ms)
{
    const uint64_t due = clock_ms() + pause_ms;

    pthread_mutex_lock(&l->sleep);
    while (!l->stop) {
        const uint64_t now = clock_ms();

        if (now - MIN(l->used_ms, now) > LEDGER_AWAKE_MS)
            pthread_cond_wait(&l->wake, &l->sleep);
        else if (now < due)
            wait_until(&l->wake, &l->sleep, due);
        else
            break;
    }
    const bool go_on = !l->stop;
    pthread_mutex_unlock(&l->sleep);
    return go_on;
}

static void end_round(struct ledger *l)
{
    pthread_mutex_lock(&l->sleep);
    l->round++;
    pthread_cond_broadcast(&l->caught_up);
    pthread_mutex_unlock(&l->sleep);
}

static void *work(void *arg)
{
    struct ledger *l = arg;
    bool filled = false;
    struct err err = { 0 };

    for (;;) {
        const int rc = filled ? ledger_follow(l, &err) : ledger_fill(l, &err);

        if (rc == 0)
            filled = true;
        end_round(l);
        if (!wait_for_round(l, rc == 0 ? LEDGER_LOOK_MS : AGAIN_MS))
            break;
    }
    return NULL;
}

static void empty(struct ledger *l)
{
    for (size_t i = 0; i < LEDGER_MEMOS; i++)
        buf_release(&l->memo[i].text);
    for (size_t i = 0; i < l->v.experiments; i++)
        ledger_experiment_release(&l->experiment[i]);
    free(l->experiment);
    free(l->range);
    free(l->state);
    free(l->attempt);
    free(l->open);
    free(l->worker);
    store_ids_release(&l->touched);
}

int ledger_new_quiet(struct ledger **ret, const char *path, struct err *err)
{
    struct ledger *l = mem_calloc(1, sizeof(*l));
    pthread_rwlockattr_t fair;
    pthread_condattr_t monotonic;
    const int rc = store_open_read(&l->s, path, err);

    *ret = NULL;
    if (rc < 0) {
        free(l);
        return rc;
    }
    (void)pthread_rwlockattr_init(&fair);
    (void)pthread_rwlockattr_setkind_np(&fair, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    (void)pthread_rwlock_init(&l->lock, &fair);
    (void)pthread_rwlockattr_destroy(&fair);
    (void)pthread_mutex_init(&l->sleep, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&l->wake, &monotonic);
    (void)pthread_cond_init(&l->caught_up, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    l->used_ms = clock_ms();
    *ret = l;
    return 0;
}

int ledger_new(struct ledger **ret, const char *path, struct err *err)
{
    const int rc = ledger_new_quiet(ret, path, err);

    if (rc < 0)
        return rc;
    if (pthread_create(&(*ret)->thread, NULL, work, *ret) != 0) {
        ledger_free(*ret);
        *ret = NULL;
        return err_set(err, ERR_NOMEM, "no thread for following the store");
    }
    (*ret)->threaded = true;
    return 0;
}

void ledger_free(struct ledger *l)
{
    if (!l)
        return;
    if (l->threaded) {
        pthread_mutex_lock(&l->sleep);
        l->stop = true;
        pthread_cond_broadcast(&l->wake);
        pthread_mutex_unlock(&l->sleep);
        (void)pthread_join(l->thread, NULL);
    }
    empty(l);
    store_close(l->s);
    (void)pthread_rwlock_destroy(&l->lock);
    (void)pthread_mutex_destroy(&l->sleep);
    (void)pthread_cond_destroy(&l->wake);
    (void)pthread_cond_destroy(&l->caught_up);
    free(l);
}

void ledger_cleanup(struct ledger **l)
{
    ledger_free(*l);
}

const struct ledger_view *ledger_hold(struct ledger *l, uint32_t wait_ms)
{
    pthread_mutex_lock(&l->sleep);
    const uint64_t now = clock_ms(), rounds = l->round;
    const bool slept = now - MIN(l->used_ms, now) > LEDGER_AWAKE_MS;

    l->used_ms = now;
    if (slept)
        pthread_cond_broadcast(&l->wake);
    while (l->threaded && (slept || l->round == 0) && l->round == rounds &&
           clock_ms() < now + wait_ms)
        wait_until(&l->caught_up, &l->sleep, now + wait_ms);
    pthread_mutex_unlock(&l->sleep);
    pthread_rwlock_rdlock(&l->lock);
    return &l->v;
}

uint64_t ledger_version(struct ledger *l)
{
    if (!l)
        return 0;
    pthread_rwlock_rdlock(&l->lock);
    const uint64_t version = l->v.version;
    pthread_rwlock_unlock(&l->lock);
    return version;
}

void ledger_give(struct ledger *l)
{
    pthread_rwlock_unlock(&l->lock);
}

const struct ledger_experiment *ledger_experiment(const struct ledger_view *v, uint64_t id)
{
    size_t low = 0, high = v->experiments;

    while (low < high) {
        const size_t mid = (low + high) / 2;

        if (v->experiment[mid].id < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low < v->experiments && v->experiment[low].id == id ? &v->experiment[low] : NULL;
}

const struct ledger_worker *ledger_worker(const struct ledger_view *v, uint64_t id)
{
    size_t low = 0, high = v->workers;

    while (low < high) {
        const size_t mid = (low + high) / 2;

        if (v->worker[mid].id < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low < v->workers && v->worker[low].id == id ? &v->worker[low] : NULL;
}

int ledger_step_of(const struct ledger_experiment *e, uint64_t job)
{
    return job - e->base < e->span ? (int)e->step_of[job - e->base] - 1 : -1;
}

/* ---- memos ---- */

void ledger_remember(struct ledger *l, uint64_t id, const char *text, size_t len, uint64_t cost_ms,
                     bool soon)
{
    const uint64_t keep = soon ? cost_ms : MIN(MAX(20 * cost_ms, 1000), LEDGER_MEMO_MS);

    if (!l)
        return;
    pthread_mutex_lock(&l->sleep);
    const size_t at = id % LEDGER_MEMOS;
    buf_clear(&l->memo[at].text);
    buf_add(&l->memo[at].text, text, len);
    l->memo[at].id = id;
    l->memo[at].until_ms = clock_ms() + keep;
    pthread_mutex_unlock(&l->sleep);
}

bool ledger_recall(struct ledger *l, uint64_t id, struct buf *ret)
{
    bool found;

    if (!l)
        return false;
    pthread_mutex_lock(&l->sleep);
    const size_t at = id % LEDGER_MEMOS;
    found = l->memo[at].id == id && clock_ms() < l->memo[at].until_ms;
    if (found)
        buf_add(ret, l->memo[at].text.data, l->memo[at].text.len);
    pthread_mutex_unlock(&l->sleep);
    return found;
}
