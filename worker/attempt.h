/* SPDX-License-Identifier: Apache-2.0 */
/* attempt.h - one execution of a job on a slot's thread: the job's inputs, services, folders, log
 * and result. */
#ifndef WORKER_ATTEMPT_H
#define WORKER_ATTEMPT_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/digest.h"
#include "common/base/err.h"
#include "common/base/progress.h"
#include "common/wire/drover.pb-c.h"
#include "worker/cache.h"
#include "worker/jobs/job.h"
#include "worker/made.h"
#include "worker/slot.h"

struct blob_client;
struct inputs;

enum { ATTEMPT_MADE_MAX = 4 };

struct attempt {
    const struct slot_env *env;
    struct slot *slot;
    const Drover__Lease *lease;
    struct progress *progress;
    struct blob_client *blobs;
    struct inputs *inputs;
    char dir[CACHE_PATH_MAX + 64];          /* everything of this attempt on disk */
    char scratch[CACHE_PATH_MAX + 96];      /* dir/scratch */
    struct digest folders[JOB_OUTPUTS_MAX]; /* outputs that are manifests */
    size_t folders_len;
    struct made made[ATTEMPT_MADE_MAX]; /* folders that the job asked for by key */
    size_t made_len;
    Drover__Metric **metrics;
    size_t metrics_len, metrics_cap;
    size_t metrics_saved; /* of metrics, those that went with the last checkpoint */
    uint64_t examples_done;
    bool light; /* it makes nothing: no folder, and no word about it while all goes well */
};

/* Run LEASE's job; the blob client and the pool are the slot's. *RET_RESULT is the result but for
 * outcome and seq, the caller's to free; its text says why when the code is not 0. Returns the
 * job's code. */
int attempt_run(const struct slot_env *env, struct slot *slot, const Drover__Lease *lease,
                struct blob_client *blobs, struct pool *pool, Drover__JobResult **ret_result);

/* services.c: struct job_services over struct attempt. */
struct job_services attempt_services(struct attempt *a);
/* checkpoints.c: two of them. */
int service_checkpoint_save(void *arg, const char *path, uint64_t step, struct err *err);
int service_checkpoint_load(void *arg, char *path, size_t path_size, uint64_t *ret_step,
                            struct err *err);
void attempt_release_metrics(struct attempt *a);

/* inputs.c: the lease's inputs on local paths, each prepared when it is first asked for and kept
 * until inputs_free. */
struct inputs *inputs_new(const struct slot_env *env, const Drover__Lease *lease,
                          struct blob_client *blobs, struct progress *progress, const char *dir);
void inputs_free(struct inputs *in); /* NULL is fine */
/* Path of input NAME: a file, or for a folder input a folder of links to its files. ERR_NOT_FOUND:
 * the lease has none of this name; ERR_LIMIT: PATH is too short; those of blob_client_fetch;
 * ERR_CORRUPT: the manifest. */
int inputs_get(struct inputs *in, const char *name, char *path, size_t path_size,
               struct err *err) MUST_CHECK;

/* params.c: the lease's parameters; kind_check is the caller's. ERR_INVALID for one without a
 * value, ERR_LIMIT. */
int params_of_lease(const Drover__Lease *lease, struct params *ret, struct err *err) MUST_CHECK;

#endif
