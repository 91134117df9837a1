/* SPDX-License-Identifier: Apache-2.0 */
/* client.h - one question to a coordinator, and its answer. */
#ifndef EXPERIMENTS_CLI_CLIENT_H
#define EXPERIMENTS_CLI_CLIENT_H

#include <stdint.h>

#include "common/wire/wire.h"
#include "experiments/plan/plan.h"

/* Ask ENDPOINT and wait at most TIMEOUT_MS. *RET (wire_free it) is an answer of type WANTED. A
 * Refuse becomes its own code and text. ERR_TIMEOUT: nobody answers; ERR_VERSION: the other side
 * speaks another protocol. */
int client_call(const char *endpoint, Drover__Envelope__BodyCase body, void *message,
                Drover__Envelope__BodyCase wanted, uint64_t timeout_ms, Drover__Envelope **ret,
                struct err *err) MUST_CHECK;

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
