/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints inside a job: the two services of job.h. All on the slot's thread. */
#include <inttypes.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/wire/wire.h"
#include "worker/attempt.h"
#include "worker/blob_client.h"
#include "worker/file.h"

enum { UPLOADS_MAX = 3 };

/* The message, until its ack. ERR_NOT_FOUND: the blob went while this was under way. */
static int send_checkpoint(struct attempt *a, uint64_t step, const struct digest *d,
                           uint64_t size_bytes, struct err *err)
{
    struct buf bytes CLEANUP(buf_release) = { 0 };
    Drover__Checkpoint m = DROVER__CHECKPOINT__INIT;

    m.attempt = a->lease->attempt;
    m.epoch = a->lease->epoch;
    m.step = step;
    m.digest = wire_bytes(d);
    m.size = size_bytes;
    m.metrics = a->metrics == NULL ? NULL : a->metrics + a->metrics_saved;
    m.n_metrics = MIN(a->metrics_len, (size_t)WIRE_METRICS_MAX) - a->metrics_saved;
    /* Check here what would else be found when it is sent. */
    int rc = wire_encode(&bytes, DROVER__ENVELOPE__BODY_CHECKPOINT, &m, 0, err);
    if (rc)
        return rc;
    buf_clear(&bytes);
    rc = slot_send_checkpoint(a->slot, &m);
    if (rc == 0) {
        a->metrics_saved += m.n_metrics;
        return 0;
    }
    return err_set(err, (enum err_code)rc, "the coordinator did not take the checkpoint: %s",
                   err_name(rc));
}

static int upload(struct attempt *a, const char *path, uint64_t step, struct err *err)
{
    struct digest d;
    uint64_t size_bytes = 0;

    progress_tick(a->progress);
    int rc = file_digest(path, NULL, &d, &size_bytes, err); /* a drain would end it */
    progress_tick(a->progress);
    for (int i = 0; rc == 0 && i < UPLOADS_MAX; i++) {
        rc = blob_client_put_file(a->blobs, &d, path, size_bytes, err);
        rc = rc == 0 ? send_checkpoint(a, step, &d, size_bytes, err) : rc;
        if (rc != ERR_NOT_FOUND)
            break;
        rc = i + 1 < UPLOADS_MAX ? 0 : rc;
    }
    return rc;
}

int service_checkpoint_save(void *arg, const char *path, uint64_t step, struct err *err)
{
    struct attempt *a = arg;
    const uint64_t begin_ms = clock_ms();

    if (progress_stopped(a->progress) && !progress_draining(a->progress))
        return err_set(err, ERR_CANCELLED, "stopped before the checkpoint of step %" PRIu64, step);
    blob_client_patient(a->blobs, true);
    int rc = upload(a, path, step, err);
    blob_client_patient(a->blobs, false);
    if (rc == 0)
        log_info("checkpoint_saved", "attempt=%" PRIu64 " step=%" PRIu64 " ms=%" PRIu64,
                 a->lease->attempt, step, clock_ms() - begin_ms);
    else
        log_write(rc == ERR_CANCELLED || rc == ERR_STALE ? LOG_INFO : LOG_WARN, "checkpoint_failed",
                  "attempt=%" PRIu64 " step=%" PRIu64 " text=\"%s\"", a->lease->attempt, step,
                  err->text);
    return rc ? err_wrap(err, rc, "checkpoint of step %" PRIu64, step) : 0;
}

static const Drover__Input *find_input(const Drover__Lease *l)
{
    for (size_t i = 0; i < l->n_inputs; i++)
        if (l->inputs[i]->source == DROVER__INPUT__SOURCE__CHECKPOINT)
            return l->inputs[i];
    return NULL;
}

int service_checkpoint_load(void *arg, char *path, size_t path_size, uint64_t *ret_step,
                            struct err *err)
{
    struct attempt *a = arg;
    const Drover__Input *input = find_input(a->lease);

    *ret_step = 0;
    if (input == NULL)
        return err_set(err, ERR_NOT_FOUND, "the job has no checkpoint");
    int rc = inputs_get(a->inputs, input->name, path, path_size, err);
    if (rc == ERR_CANCELLED || rc == ERR_NOMEM)
        return rc;
    if (rc) {
        /* Torn, gone, no room for it: the work is done again, that is all. */
        log_warn("checkpoint_unusable", "attempt=%" PRIu64 " step=%" PRIu64 " text=\"%s\"",
                 a->lease->attempt, a->lease->checkpoint_step, err->text);
        return err_set(err, ERR_NOT_FOUND, "the checkpoint cannot be had");
    }
    *ret_step = a->lease->checkpoint_step;
    log_info("checkpoint_loaded", "attempt=%" PRIu64 " step=%" PRIu64, a->lease->attempt,
             *ret_step);
    return 0;
}
