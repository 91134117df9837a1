/* SPDX-License-Identifier: Apache-2.0 */
/* blob_client.h - fetches blobs from and puts blobs to the coordinator's blob socket, in chunks,
 * over a connection of its own.
 *
 * A client belongs to one thread and blocks it; the blob server may be away for as long as it
 * likes: requests are sent again until progress->stop is raised (ERR_CANCELLED). Every chunk that
 * arrives or is taken raises the progress counter; waiting does not. Other errors: what the server
 * refused with (ERR_NOT_FOUND, ERR_FULL, ...), ERR_PROTO, and those of cache.h. */
#ifndef WORKER_BLOB_CLIENT_H
#define WORKER_BLOB_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/digest.h"
#include "common/base/err.h"
#include "common/base/progress.h"
#include "common/net/transport.h"
#include "worker/cache.h"

/* Where the blob server is: set by the network thread at every Welcome, read by the clients. */
struct blob_place;
/* KEYS are for connections to it, and must outlive the place. */
struct blob_place *blob_place_new(const struct transport_keys *keys);
void blob_place_free(struct blob_place *p); /* NULL is fine */
void blob_place_set(struct blob_place *p, const char *endpoint);

struct blob_client;

/* PLACE and PROGRESS (may be NULL) must outlive the client. Connects when it is first used. */
struct blob_client *blob_client_new(struct blob_place *place, struct progress *progress);
void blob_client_free(struct blob_client *b); /* NULL is fine */
/* While PATIENT, a drain does not end its requests, only a stop that is none (progress.h). */
void blob_client_patient(struct blob_client *b, bool patient);

/* Pin blob D of SIZE_BYTES in the cache, fetching what is missing. Another worker of this host may
 * be fetching it: then wait for that one. ERR_CORRUPT: twice in a row other bytes than the digest's
 * arrived. */
int blob_client_fetch(struct blob_client *b, struct cache *c, const struct digest *d,
                      uint64_t size_bytes, struct cache_pin *ret, struct err *err) MUST_CHECK;

/* Make the coordinator hold blob D: the SIZE_BYTES at BYTES, or those of the file PATH. What it has
 * already is not sent. */
int blob_client_put(struct blob_client *b, const struct digest *d, const void *bytes,
                    uint64_t size_bytes, struct err *err) MUST_CHECK;
int blob_client_put_file(struct blob_client *b, const struct digest *d, const char *path,
                         uint64_t size_bytes, struct err *err) MUST_CHECK;

#endif
