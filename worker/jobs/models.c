/* SPDX-License-Identifier: Apache-2.0 */
/* Opened models of this process by digest, so that slots share one set of weights. A model that
 * nobody uses stays open until another one is opened: the shards of a step come one after the
 * other. One job opens a model; others that need it meanwhile wait, and their progress moves as
 * long as the opener's does. */
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/mem.h"
#include "worker/jobs/implement.h"
#include "worker/model/model.h"

enum { LOOK_MS = 200 }; /* how often a waiting job looks at the opener's progress */

struct opened {
    struct opened *next;
    struct digest digest;
    struct model *model;       /* NULL while it is being opened */
    struct progress *progress; /* the opener's, while it is at it */
    size_t users;              /* the opener and those that wait included */
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct opened *list;

static const Drover__Input *find_input(const struct job *j, const char *name)
{
    for (size_t i = 0; i < j->lease->n_inputs; i++)
        if (strcmp(j->lease->inputs[i]->name, name) == 0)
            return j->lease->inputs[i];
    return NULL;
}

const char *job_input_name(const struct job *j, const char *name)
{
    const Drover__Input *in = find_input(j, name);

    return in && in->path && in->path[0] ? in->path : name;
}

static int open_files(struct job *j, const char *input, struct model **ret, struct err *err)
{
    const struct model_options options = { .pool = j->pool, .progress = j->progress };
    char path[PATH_MAX] = "";
    int rc = j->services->input(j->services->arg, input, path, sizeof(path), err);

    return rc < 0 ? rc : model_open_with(ret, path, &options, err);
}

static struct opened *find_opened(const struct digest *digest)
{
    struct opened *o = list;

    while (o && !digest_equal(&o->digest, digest))
        o = o->next;
    return o;
}

static void unlink_opened(struct opened *o)
{
    struct opened **at = &list;

    while (*at != o)
        at = &(*at)->next;
    *at = o->next;
}

static void drop_unused(void)
{
    for (struct opened *o = list, *next; o; o = next) {
        next = o->next;
        if (o->users > 0)
            continue;
        unlink_opened(o);
        model_free(o->model);
        free(o);
    }
}

/* The mutex is held, but not while files are read. */
static int open_new(struct job *j, const char *input, const struct digest *digest,
                    const struct model **ret, struct err *err)
{
    struct opened *o = mem_calloc(1, sizeof(*o));
    struct model *m = NULL;
    int rc;

    drop_unused();
    *o = (struct opened){ .next = list, .digest = *digest, .progress = j->progress, .users = 1 };
    list = o;
    pthread_mutex_unlock(&mutex);
    rc = open_files(j, input, &m, err);
    pthread_mutex_lock(&mutex);
    o->progress = NULL;
    o->model = m;
    *ret = m;
    if (rc < 0) {
        unlink_opened(o);
        if (--o->users == 0) /* else the last that waits frees it */
            free(o);
    }
    pthread_cond_broadcast(&changed);
    return rc;
}

/* Until O is open, or its opener gave up. The mutex is held. */
static int wait_for(struct job *j, struct opened *o, struct err *err)
{
    uint64_t seen = 0;

    while (o->progress) {
        uint64_t now = atomic_load(&o->progress->counter);
        struct timespec until;

        if (progress_stopped(j->progress))
            return err_set(err, ERR_CANCELLED, "stopped while another job opens the model");
        if (now != seen)
            progress_tick(j->progress);
        seen = now;
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += LOOK_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        (void)pthread_cond_timedwait(&changed, &mutex, &until);
    }
    return o->model ? 0 : ERR_AGAIN;
}

static int open_locked(struct job *j, const char *input, const struct digest *digest,
                       const struct model **ret, struct err *err)
{
    for (;;) {
        struct opened *o = find_opened(digest);
        int rc;

        if (!o)
            return open_new(j, input, digest, ret, err);
        o->users++;
        rc = wait_for(j, o, err);
        if (rc == 0) {
            *ret = o->model;
            return 0;
        }
        o->users--;
        if (rc != ERR_AGAIN) /* its opener is still at it */
            return rc;
        if (o->users == 0)
            free(o);
    }
}

int job_model_open(struct job *j, const char *input, const struct model **ret, struct err *err)
{
    const Drover__Input *in = find_input(j, input);
    struct digest digest;
    int rc;

    if (!in)
        return err_set(err, ERR_NOT_FOUND, "the job has no input \"%s\"", input);
    if (in->digest.len != DIGEST_BYTES)
        return err_set(err, ERR_PROTO, "input \"%s\" has a digest of %zu bytes", input,
                       in->digest.len);
    memcpy(digest.b, in->digest.data, DIGEST_BYTES);
    pthread_mutex_lock(&mutex);
    rc = open_locked(j, input, &digest, ret, err);
    pthread_mutex_unlock(&mutex);
    return rc;
}

void job_model_close(const struct model *m)
{
    if (!m)
        return;
    pthread_mutex_lock(&mutex);
    for (struct opened *o = list; o; o = o->next)
        if (o->model == m)
            o->users--;
    pthread_mutex_unlock(&mutex);
}

void job_models_drop(void)
{
    pthread_mutex_lock(&mutex);
    drop_unused();
    pthread_mutex_unlock(&mutex);
}
