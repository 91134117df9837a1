/* SPDX-License-Identifier: Apache-2.0 */
/* wire.h - envelopes to bytes and back. What comes from outside is checked whole before anybody
 * sees it: lengths, counts, digests, text, enums; a decoded message needs no further check of its
 * form (indexes into lists and names of kinds are for who reads them). A decoded message lives in
 * one piece of memory: nothing in it is freed by itself. Pure functions; any thread.
 */
#ifndef COMMON_WIRE_WIRE_H
#define COMMON_WIRE_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/digest.h"
#include "common/base/err.h"
#include "common/wire/drover.pb-c.h"

enum {
    WIRE_PROTOCOL = 2,
    WIRE_BYTES_MAX = 16 << 20,   /* an envelope; as TRANSPORT_MESSAGE_MAX */
    WIRE_MEMORY_MAX = 256 << 20, /* a decoded envelope: what 16 MiB of small messages may grow to */
    WIRE_CHUNK_MAX = 1 << 20,    /* data of a BlobChunk or BlobPut */
    WIRE_JOBS_MAX = 100000,      /* of a plan */
    WIRE_RUNS_MAX = 100000,      /* of a plan */
    WIRE_FAMILIES_MAX = 10000,   /* of a plan */
    WIRE_FILES_MAX = 10000,      /* of a plan */
    WIRE_GATES_MAX = 1000000,    /* of a plan: 12 MB */
    WIRE_PARAMS_MAX = 128,       /* of a job */
    WIRE_LIST_MAX = 256,         /* values of a list parameter: a layer path */
    WIRE_INPUTS_MAX = 16,        /* of a job */
    WIRE_OUTPUTS_MAX = 16,       /* of a job */
    WIRE_FINISHED_MAX = 1000000, /* of a lease: 8 MB */
    WIRE_HELD_MAX = 4096,        /* of a Hello or Renew: slots and queue of a large host, twice */
    WIRE_GROUP_MAX = 1024,       /* of Leases, JobResults */
    WIRE_LABELS_MAX = 64,        /* of a Hello, of a PlanJob */
    WIRE_BLOBS_MAX = 256,        /* of a Hello */
    WIRE_CLASSES_MAX = 64,       /* of a Hello */
    WIRE_METRICS_MAX = 100000,   /* of a Renew or JobResult */
    WIRE_LOG_MAX = 65536,        /* bytes of a JobResult's log */
    WIRE_TEXT_MAX = 65536,       /* bytes of questions, answers, parameters: a worker cuts longer
                                    ones at a character, for display they are long enough */
    WIRE_VALUES_MAX = 32,        /* of a Score: metrics of one example */
    WIRE_CLASSES_OF_SCORE = 64,  /* Score.pick and .gold are -1..63 */
    WIRE_NAME_MAX = 256,         /* bytes of names, classes, endpoints */
    WIRE_PATH_MAX = 4096,        /* bytes of paths */
    WIRE_RECIPE_MAX = 4 << 20,   /* bytes of a recipe with its includes */
    WIRE_ROUTING_MAX = 256,      /* layers; each byte 0, 1 or 2 */
    WIRE_ENTRIES_MAX = 16384,    /* of a search log */
    WIRE_WORKER_BYTES = 16,      /* of Hello.worker */
};

/* Append the bytes of an envelope holding MESSAGE (a Drover__Hello * for
 * DROVER__ENVELOPE__BODY_HELLO and so on; the match is asserted), protocol WIRE_PROTOCOL, REQUEST
 * as given. ERR_LIMIT when it would be longer than WIRE_BYTES_MAX, ERR_INVALID when it breaks a
 * rule that the receiver would check (text that is no UTF-8, ...): OUT is unchanged. */
int wire_encode(struct buf *out, Drover__Envelope__BodyCase body, void *message, uint64_t request,
                struct err *err) MUST_CHECK;

/* Decode LEN bytes; *RET is to be freed with wire_free. *RET_PROTOCOL (may be NULL) is the sender's
 * number as far as it can be read, else 0, also when decoding fails. ERR_VERSION another protocol
 * number   ERR_PROTO not an envelope, or breaks a rule: the text names field and limit ERR_LIMIT
 * longer than WIRE_BYTES_MAX, or more than WIRE_MEMORY_MAX once decoded */
int wire_decode(const void *bytes, size_t len, Drover__Envelope **ret, uint32_t *ret_protocol,
                struct err *err) MUST_CHECK;
void wire_free(Drover__Envelope *e); /* NULL is fine */
void wire_cleanup(Drover__Envelope **e);

/* "hello", "example_result": for logs. */
const char *wire_name(Drover__Envelope__BodyCase body);
/* One word: working, draining, quiet (not heard of for a while), paused (refused work a moment
 * ago), gone (its connection is). */
const char *wire_worker_state(const Drover__WorkerStatus *w);

/* Bytes of D, not copied: D must live as long. */
ProtobufCBinaryData wire_bytes(const struct digest *d);
/* B as a digest; zero when B is empty. Any other length is asserted against: decoding has checked
 * it. */
struct digest wire_digest(ProtobufCBinaryData b);

#endif
