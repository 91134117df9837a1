/* SPDX-License-Identifier: Apache-2.0 */
/* Opened models of this process by digest, so that slots share one set of weights. A model that
 * nobody uses stays open until another one is opened: the shards of a step come one after the
 * other. */
#include <dirent.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n >= m && strcmp(s + n - m, end) == 0;
}

/* A folder of llama2.c files (no config.json): the checkpoint is its .bin, the tokenizer the .bin
 * whose name begins with "tok". Leaves PATH as it is when it is anything else. */
static int llama2c_files(char *path, size_t path_size, char *tokenizer, size_t tokenizer_size,
                         struct err *err)
{
    char dir[PATH_MAX], config[PATH_MAX + 16], checkpoint[PATH_MAX] = "";
    struct stat st;
    struct dirent *entry;
    DIR *d;

    snprintf(dir, sizeof(dir), "%s", path);
    snprintf(config, sizeof(config), "%s/config.json", dir);
    if (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode) || stat(config, &st) == 0)
        return 0;
    d = opendir(dir);
    if (!d)
        return err_set(err, ERR_IO, "%s: cannot read the folder", dir);
    while ((entry = readdir(d))) {
        bool tok = strncmp(entry->d_name, "tok", 3) == 0;
        int n = 0;

        if (!ends_with(entry->d_name, ".bin"))
            continue;
        if (tok)
            n = snprintf(tokenizer, tokenizer_size, "%s/%s", dir, entry->d_name);
        else if (!checkpoint[0] || strcmp(entry->d_name, strrchr(checkpoint, '/') + 1) < 0)
            n = snprintf(checkpoint, sizeof(checkpoint), "%s/%s", dir, entry->d_name);
        if (n < 0 || (size_t)n >= MIN(tokenizer_size, sizeof(checkpoint))) {
            closedir(d);
            return err_set(err, ERR_LIMIT, "%s: path too long", dir);
        }
    }
    closedir(d);
    if (checkpoint[0] && (size_t)snprintf(path, path_size, "%s", checkpoint) >= path_size)
        return err_set(err, ERR_LIMIT, "%s: path too long", dir);
    return 0;
}

static int open_files(struct job *j, const char *input, struct model **ret, struct err *err)
{
    char path[PATH_MAX] = "", tokenizer[PATH_MAX] = "";
    int rc = j->services->input(j->services->arg, input, path, sizeof(path), err);

    rc = rc == 0 ? llama2c_files(path, sizeof(path), tokenizer, sizeof(tokenizer), err) : rc;
    if (rc < 0)
        return rc;
    return model_open(ret, path, tokenizer[0] ? tokenizer : NULL, NULL, err);
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
