/* SPDX-License-Identifier: Apache-2.0 */
/* Opened models of this process by digest, so that slots share one set of weights. A model that
 * nobody uses stays open until another one is opened: the shards of a step come one after the
 * other. */
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/jobs/job.h"
#include "worker/model/model.h"

struct opened {
    struct opened *next;
    struct digest digest;
    struct model *model;
    size_t users;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct opened *list;

static const Drover__Input *find_input(const struct job *j, const char *name)
{
    for (size_t i = 0; i < j->lease->n_inputs; i++)
        if (strcmp(j->lease->inputs[i]->name, name) == 0)
            return j->lease->inputs[i];
    return NULL;
}

static int open_files(struct job *j, const char *input, struct model **ret, struct err *err)
{
    char path[PATH_MAX] = "";
    int rc = j->services->input(j->services->arg, input, path, sizeof(path), err);

    return rc < 0 ? rc : model_open(ret, path, NULL, NULL, err);
}

static void drop_unused(void)
{
    for (struct opened **at = &list; *at;) {
        struct opened *o = *at;

        if (o->users > 0) {
            at = &o->next;
            continue;
        }
        *at = o->next;
        model_free(o->model);
        free(o);
    }
}

static int open_locked(struct job *j, const char *input, const struct digest *digest,
                       const struct model **ret, struct err *err)
{
    struct opened *o = list;
    int rc;

    while (o && !digest_equal(&o->digest, digest))
        o = o->next;
    if (!o) {
        struct model *m = NULL;

        drop_unused();
        rc = open_files(j, input, &m, err);
        if (rc < 0)
            return rc;
        o = mem_calloc(1, sizeof(*o));
        *o = (struct opened){ .next = list, .digest = *digest, .model = m };
        list = o;
    }
    o->users++;
    *ret = o->model;
    return 0;
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
