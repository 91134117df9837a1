/* SPDX-License-Identifier: Apache-2.0 */
/* blob_server.h - blobs in chunks, on a thread and a socket of their own, so that gigabytes never
 * delay a lease. Peers take turns, chunk by chunk (blob_turns.h).
 *
 * A blob that is put becomes visible when it is whole, its digest has been checked and it is on the
 * disk; the answer that says "complete" leaves after that. Blobs that are files of the user are
 * read from their place if their size is still the right one; the reader checks the digest. */
#ifndef COORDINATOR_BLOB_SERVER_H
#define COORDINATOR_BLOB_SERVER_H

#include "common/base/err.h"
#include "store/store.h"

struct blob_server;
struct guard;

/* Serve the blobs of the store at STORE_PATH (a reading connection is opened) on an endpoint beside
 * MAIN_ENDPOINT: the same address with a free port, or the same path with "-blobs". BLOBS and
 * GUARD must outlive the server. Call after signals were blocked: the thread inherits the mask. */
int blob_server_start(struct blob_server **ret, const char *store_path, struct blobs *blobs,
                      const char *main_endpoint, struct guard *guard, struct err *err) MUST_CHECK;
const char *blob_server_endpoint(const struct blob_server *b);
/* Ends the thread. NULL is fine. */
void blob_server_stop(struct blob_server *b);

#endif
