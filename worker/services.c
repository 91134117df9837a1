/* SPDX-License-Identifier: Apache-2.0 */
/* What a job may ask of the worker: see job.h. All on the slot's thread. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/wire/wire.h"
#include "worker/attempt.h"
#include "worker/blob_client.h"
#include "worker/file.h"
#include "worker/joblog.h"
#include "worker/manifest.h"

static int service_input(void *arg, const char *name, char *path, size_t path_size, struct err *err)
{
    struct attempt *a = arg;
    int rc = inputs_get(a->inputs, name, path, path_size, err);
    if (rc == 0)
        log_debug("input_ready", "attempt=%llu input=%s path=%s",
                  (unsigned long long)a->lease->attempt, name, path);
    return rc;
}

/* Check now, in the job's own thread, what would else be found when it is sent. */
static int check_example(Drover__ExampleResult *result, struct err *err)
{
    struct buf bytes CLEANUP(buf_release) = { 0 };
    int rc = wire_encode(&bytes, DROVER__ENVELOPE__BODY_EXAMPLE_RESULT, result, 0, err);
    return rc ? err_wrap(err, rc, "result of an example") : 0;
}

static int service_example_result(void *arg, Drover__ExampleResult *result, struct err *err)
{
    struct attempt *a = arg;

    result->attempt = a->lease->attempt;
    result->epoch = a->lease->epoch;
    int rc = check_example(result, err);
    if (rc)
        return rc;
    log_debug("example_result", "attempt=%llu kind=%s example=%016llx",
              (unsigned long long)a->lease->attempt, a->lease->kind,
              (unsigned long long)result->example->id);
    rc = slot_send_example(a->slot, result);
    if (rc == 0) {
        a->examples_done++;
        return 0;
    }
    return err_set(err, (enum err_code)rc, "the coordinator did not take an example's result: %s",
                   err_name(rc));
}

static void service_metric(void *arg, const char *name, uint64_t step, double value)
{
    struct attempt *a = arg;

    if (a->metrics_len == WIRE_METRICS_MAX) {
        log_warn("metrics_full", "attempt=%llu limit=%d further=dropped",
                 (unsigned long long)a->lease->attempt, WIRE_METRICS_MAX);
        a->metrics_len++; /* warned once; the place is none */
    }
    if (a->metrics_len >= WIRE_METRICS_MAX)
        return;
    if (a->metrics_len == a->metrics_cap) {
        a->metrics_cap = a->metrics_cap ? 2 * a->metrics_cap : 256;
        a->metrics = mem_realloc(a->metrics, a->metrics_cap, sizeof(struct Drover__Metric *));
    }
    a->metrics[a->metrics_len++] = metric_new(name, step, value);
    slot_add_metric(a->slot, name, step, value); /* soon; the result has all of them again */
}

void attempt_release_metrics(struct attempt *a)
{
    for (size_t i = 0; i < MIN(a->metrics_len, (size_t)WIRE_METRICS_MAX); i++)
        drover__metric__free_unpacked(a->metrics[i], NULL);
    free(a->metrics);
    a->metrics = NULL;
    a->metrics_len = a->metrics_cap = 0;
}

static void set_output(struct job_output *o, const char *name, const struct digest *d,
                       uint64_t size_bytes)
{
    assert(strlen(name) < sizeof(o->name));
    *o = (struct job_output){ .digest = *d, .size_bytes = size_bytes };
    memcpy(o->name, name, strlen(name));
}

/* The next job on this host that needs these bytes finds them in the cache. Not synced: the cache
 * hashes what it gives out. */
static void offer_bytes(struct attempt *a, const void *bytes, size_t size, const struct digest *d)
{
    struct buf path CLEANUP(buf_release) = { 0 };
    buf_printf(&path, "%s/blob", a->dir);
    FILE *f = fopen(buf_str(&path), "we");
    if (f == NULL)
        return;
    const bool whole = fwrite(bytes, 1, size, f) == size;
    if (fclose(f) == 0 && whole)
        cache_offer(a->env->cache, buf_str(&path), d, size);
}

static int service_put_bytes(void *arg, const char *name, const void *bytes, size_t size,
                             struct job_output *ret, struct err *err)
{
    struct attempt *a = arg;
    const struct digest d = digest_of(bytes, size);

    int rc = blob_client_put(a->blobs, &d, bytes, size, err);
    if (rc)
        return err_wrap(err, rc, "output %s", name);
    offer_bytes(a, bytes, size, &d);
    set_output(ret, name, &d, size);
    return 0;
}

static int put_files(struct attempt *a, const struct manifest *m, const char *dir, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < m->len; i++) {
        struct buf path CLEANUP(buf_release) = { 0 };
        const struct manifest_file *f = &m->file[i];
        buf_printf(&path, "%s/%s", dir, f->name);
        rc = blob_client_put_file(a->blobs, &f->digest, buf_str(&path), f->size_bytes, err);
        if (rc == 0)
            cache_offer(a->env->cache, buf_str(&path), &f->digest, f->size_bytes);
    }
    return rc;
}

static int service_put_folder(void *arg, const char *name, const char *dir, struct job_output *ret,
                              struct err *err)
{
    struct attempt *a = arg;
    struct manifest m CLEANUP(manifest_release) = { 0 };
    struct buf text CLEANUP(buf_release) = { 0 };

    assert(a->folders_len < JOB_OUTPUTS_MAX);
    int rc = manifest_of_folder(&m, dir, a->progress, err);
    if (rc == 0)
        rc = put_files(a, &m, dir, err);
    if (rc)
        return err_wrap(err, rc, "output %s", name);
    manifest_print(&m, &text);
    rc = service_put_bytes(arg, name, text.data, text.len, ret, err);
    if (rc == 0)
        a->folders[a->folders_len++] = ret->digest;
    return rc;
}

static int service_put_file(void *arg, const char *name, const char *path, struct job_output *ret,
                            struct err *err)
{
    struct attempt *a = arg;
    struct digest d;
    uint64_t size_bytes;

    int rc = file_digest(path, a->progress, &d, &size_bytes, err);
    if (rc == 0)
        rc = blob_client_put_file(a->blobs, &d, path, size_bytes, err);
    if (rc)
        return err_wrap(err, rc, "output %s", name);
    cache_offer(a->env->cache, path, &d, size_bytes);
    set_output(ret, name, &d, size_bytes);
    return 0;
}

static void service_log_text(void *arg, const char *text)
{
    (void)arg;
    joblog_add(text);
}

static const char *service_scratch(void *arg)
{
    const struct attempt *a = arg;
    return a->scratch;
}

static int service_made(void *arg, const struct digest *key, uint64_t bytes, const char **ret_path,
                        bool *ret_whole, struct err *err)
{
    struct attempt *a = arg;
    struct made *m = &a->made[a->made_len];

    assert(a->made_len < ATTEMPT_MADE_MAX);
    m->fd = -1;
    int rc = made_open(m, cache_folder(a->env->cache), key, bytes, cache_limit(a->env->cache) / 2,
                       a->progress, ret_whole, err);
    if (rc)
        return rc;
    a->made_len++;
    *ret_path = m->path;
    return 0;
}

static int service_made_whole(void *arg, struct err *err)
{
    struct attempt *a = arg;

    assert(a->made_len > 0);
    return made_whole(&a->made[a->made_len - 1], err);
}

struct job_services attempt_services(struct attempt *a)
{
    return (struct job_services){ .arg = a,
                                  .input = service_input,
                                  .example_result = service_example_result,
                                  .metric = service_metric,
                                  .put_bytes = service_put_bytes,
                                  .put_folder = service_put_folder,
                                  .put_file = service_put_file,
                                  .log_text = service_log_text,
                                  .checkpoint_save = service_checkpoint_save,
                                  .checkpoint_load = service_checkpoint_load,
                                  .scratch = service_scratch,
                                  .made = service_made,
                                  .made_whole = service_made_whole };
}
