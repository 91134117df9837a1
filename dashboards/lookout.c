/* SPDX-License-Identifier: Apache-2.0 */
#include "dashboards/lookout.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "store/change.h"
#include "store/store.h"

struct lookout {
    char *path;
    struct lookout_calls calls;
    /* of the thread alone */
    struct store *store; /* NULL: it cannot be opened */
    dev_t device;
    ino_t inode;
    uint64_t data_version, changes, live_told;

    pthread_mutex_t mutex; /* guards state, stopping */
    pthread_cond_t wake;
    struct lookout_state state;
    bool stopping, running;
    _Atomic uint64_t change, live, asked_ms;
    pthread_t thread;
};

static int open_store(struct lookout *w, struct err *err)
{
    struct stat st;
    int rc;

    if (stat(w->path, &st) < 0)
        return err_errno(err, errno, "the store %s", w->path);
    rc = store_open_read(&w->store, w->path, err);
    if (rc == 0)
        rc = store_data_version(w->store, &w->data_version, err);
    if (rc < 0) {
        store_close(w->store);
        w->store = NULL;
        return rc;
    }
    w->device = st.st_dev;
    w->inode = st.st_ino;
    return 0;
}

static bool same_file(const struct lookout *w)
{
    struct stat st;

    return stat(w->path, &st) == 0 && st.st_dev == w->device && st.st_ino == w->inode;
}

/* One look. *RET_REOPENED: it is another file than before. Trouble when it cannot be read. */
static int look(struct lookout *w, bool *ret_changed, bool *ret_reopened, struct err *err)
{
    uint64_t version = w->data_version;
    int rc = 0;

    if (w->store && !same_file(w)) {
        store_close(w->store);
        w->store = NULL;
    }
    if (!w->store) {
        rc = open_store(w, err);
        *ret_reopened = *ret_changed = rc == 0;
        return rc;
    }
    rc = store_data_version(w->store, &version, err);
    if (rc == 0 && version != w->data_version) {
        w->data_version = version;
        *ret_changed = true;
        rc = store_same_schema(w->store, err);
    }
    if (rc < 0) { /* opened anew at the next look */
        store_close(w->store);
        w->store = NULL;
    }
    return rc;
}

static void tick(struct lookout *w)
{
    struct err err = { 0 };
    bool changed = false, reopened = false;
    int rc = look(w, &changed, &reopened, &err);
    uint64_t changes = w->calls.changes ? w->calls.changes(w->calls.arg) : 0;
    uint64_t live = w->calls.live ? w->calls.live(w->calls.arg) : 0;
    struct lookout_state state;

    if (changes != w->changes)
        changed = true;
    w->changes = changes;
    pthread_mutex_lock(&w->mutex);
    if (rc < 0 && w->state.trouble.code == ERR_OK)
        changed = true;
    w->state.trouble = err;
    if (rc == 0)
        w->state.trouble = (struct err){ 0 };
    w->state.change += changed;
    w->state.generation += reopened;
    w->state.live += live != w->live_told;
    w->live_told = live;
    w->change = w->state.change;
    w->live = w->state.live;
    state = w->state;
    pthread_mutex_unlock(&w->mutex);
    if (w->calls.tick)
        w->calls.tick(w->calls.arg, &state);
}

static void *run(void *arg)
{
    struct lookout *w = arg;

    pthread_mutex_lock(&w->mutex);
    while (!w->stopping) {
        struct timespec at;
        uint64_t now = clock_ms();
        uint64_t until =
            now + (now - w->asked_ms < LOOKOUT_ASKED_MS ? LOOKOUT_BUSY_MS : LOOKOUT_IDLE_MS);

        at.tv_sec = (time_t)(until / 1000);
        at.tv_nsec = (long)(until % 1000) * 1000000;
        if (pthread_cond_timedwait(&w->wake, &w->mutex, &at) != ETIMEDOUT)
            continue;
        pthread_mutex_unlock(&w->mutex);
        tick(w);
        pthread_mutex_lock(&w->mutex);
    }
    pthread_mutex_unlock(&w->mutex);
    return NULL;
}

int lookout_start(struct lookout **ret, const char *path, const struct lookout_calls *calls,
                  struct err *err)
{
    struct lookout *w = mem_calloc(1, sizeof *w);
    pthread_condattr_t monotonic;
    int rc;

    w->path = mem_strdup(path);
    w->calls = *calls;
    w->state.change = w->state.generation = 1;
    w->change = 1;
    pthread_mutex_init(&w->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    rc = open_store(w, err);
    *ret = rc == 0 ? w : NULL; /* the thread may need it at once */
    if (rc == 0 && pthread_create(&w->thread, NULL, run, w) != 0)
        rc = err_set(err, ERR_NOMEM, "no thread to watch the store");
    w->running = rc == 0;
    if (rc < 0) {
        lookout_free(w);
        *ret = NULL;
    }
    return rc;
}

void lookout_stop(struct lookout *w)
{
    if (!w || !w->running)
        return;
    pthread_mutex_lock(&w->mutex);
    w->stopping = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->mutex);
    (void)pthread_join(w->thread, NULL);
    w->running = false;
}

void lookout_free(struct lookout *w)
{
    if (!w)
        return;
    lookout_stop(w);
    store_close(w->store);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->mutex);
    free(w->path);
    free(w);
}

void lookout_state(struct lookout *w, struct lookout_state *ret)
{
    pthread_mutex_lock(&w->mutex);
    *ret = w->state;
    pthread_mutex_unlock(&w->mutex);
}

uint64_t lookout_change(struct lookout *w, bool live)
{
    return w->change + (live ? w->live : 0);
}

void lookout_asked(struct lookout *w)
{
    w->asked_ms = clock_ms();
}
