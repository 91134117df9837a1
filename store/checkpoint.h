/* SPDX-License-Identifier: Apache-2.0 */
/* checkpoint.h - what the next attempt of a training job goes on from.
 *
 * A job has at most one checkpoint: the newest, by attempt and step. Its bytes are a file of the
 * blob folder that nothing else names; it goes, right after the commit, when another one takes its
 * place or when the job is done, cancelled or skipped. The attempt that goes on from it gets the
 * metrics up to its step, so the effective attempt alone shows the whole curve. */
#ifndef STORE_CHECKPOINT_H
#define STORE_CHECKPOINT_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/digest.h"
#include "common/base/err.h"
#include "store/metric.h"

struct store;

struct store_checkpoint {
    uint64_t attempt;
    uint32_t epoch;
    uint64_t step;
    struct digest digest;
    uint64_t size_bytes;
    const struct store_metric *metrics; /* of the attempt, not yet stored or stored again */
    size_t metrics_len;
};

/* Needs a transaction; ack it after the commit. An older one than is there (a message that comes
 * twice) changes nothing. ERR_STALE: the attempt is over, or not the job's newest; ERR_NOT_FOUND:
 * the blob is not stored, the sender has to upload it first; ERR_INVALID: it has another size, or
 * a metric is bad. */
int store_checkpoint_put(struct store *s, const struct store_checkpoint *c,
                         struct err *err) MUST_CHECK;
/* JOB's; no metrics. ERR_NOT_FOUND: it has none, or the file is gone. */
int store_checkpoint_find(struct store *s, uint64_t job, struct store_checkpoint *ret,
                          struct err *err) MUST_CHECK;

#endif
