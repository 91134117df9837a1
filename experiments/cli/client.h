/* SPDX-License-Identifier: Apache-2.0 */
/* client.h - one question to a coordinator, and its answer. */
#ifndef EXPERIMENTS_CLI_CLIENT_H
#define EXPERIMENTS_CLI_CLIENT_H

#include <stdint.h>

#include "common/net/transport.h"
#include "common/wire/wire.h"
#include "experiments/plan/plan.h"

/* With which keys this command speaks, for the rest of the process (identity.h): a coordinator that
 * was found by the store (--store, results.db) is spoken to with the store's keys, another one with
 * this user's. options_take() tells. */
struct options;
void client_identify(const struct options *o);
bool client_insecure(void);
int client_keys(const char *endpoint, struct transport_keys *ret, struct err *err) MUST_CHECK;
/* What a transport's DENIED means, with the remedy. */
int client_denied(const struct transport_event *e, const char *endpoint,
                  const struct transport_keys *keys, struct err *err);

/* Ask ENDPOINT and wait at most TIMEOUT_MS. *RET (wire_free it) is an answer of type WANTED. A
 * Refuse becomes its own code and text. ERR_TIMEOUT: nobody answers; ERR_VERSION: the other side
 * speaks another protocol; ERR_DENIED: the key, or its role, is not enough there. */
int client_call(const char *endpoint, Drover__Envelope__BodyCase body, void *message,
                Drover__Envelope__BodyCase wanted, uint64_t timeout_ms, Drover__Envelope **ret,
                struct err *err) MUST_CHECK;

/* The same for what takes minutes: PROGRESS (may be NULL) gets a word now and then, and the time
 * limit counts from the last one. */
typedef void (*client_progress_fn)(const char *text, void *arg);
int client_call_long(const char *endpoint, Drover__Envelope__BodyCase body, void *message,
                     Drover__Envelope__BodyCase wanted, uint64_t timeout_ms,
                     client_progress_fn progress, void *arg, Drover__Envelope **ret,
                     struct err *err) MUST_CHECK;

/* Calls that go on, and those that follow, end within 100 ms: ERR_CANCELLED. Any thread. */
void client_give_up(void);

/* The error that a Refuse stands for; always < 0. */
int client_refused(const Drover__Refuse *r, struct err *err);

/* A plan as a message. The manifests of outside models travel inside it; other outside files are
 * named by their paths. */
struct submission;
struct submission *submission_new(const struct plan *p);
void submission_free(struct submission *s); /* NULL is fine */
void submission_cleanup(struct submission **s);
/* Valid as long as S and the plan. */
Drover__Submit *submission_message(struct submission *s);

#endif
