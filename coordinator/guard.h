/* SPDX-License-Identifier: Apache-2.0 */
/* guard.h - who may come in, who may send what, and the notes about it.
 *
 * Every message passes guard_admit() before a byte of its body is decoded: its sender's key is
 * looked up again (it may have been revoked since the connection was made), its kind and length are
 * held against the table of roles. What is refused is logged and goes into the store's audit; of
 * equal refusals the first at once, the rest counted, once a second in the log, once a minute in
 * the audit, so that nobody fills the disk by being refused.
 *
 * Threads: the main and the blob thread use one guard; guard_take() is for the main one. */
#ifndef COORDINATOR_GUARD_H
#define COORDINATOR_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/net/transport.h"
#include "common/wire/roles.h"

struct guard;

/* Read the keys of the store, make them when they are missing. INSECURE: nobody is asked for one.
 * WAKE(ARG), from any thread: guard_take() has something. Errors of keys_make(), keyring_open(). */
int guard_open(struct guard **ret, const char *store_path, bool insecure, void (*wake)(void *arg),
               void *arg, struct err *err) MUST_CHECK;
/* After the transports that use its keys are closed. NULL is fine. */
void guard_free(struct guard *g);
/* For transport_listen(); valid as long as the guard. */
const struct transport_keys *guard_keys(const struct guard *g);

/* Who sent a message, as its connection proved. */
struct guard_sender {
    char name[KEY_NAME_MAX + 1]; /* of the key; "anybody" in plaintext, "ipc" */
    char address[64];
    unsigned roles;
    uint64_t request; /* of the message, for the answer; also when it is refused */
};

/* May the MESSAGE be decoded? 0 and *RET, else the code and text to refuse with; noted. */
int guard_admit(struct guard *g, enum roles_socket socket, const struct transport_event *message,
                struct guard_sender *ret, struct err *err) MUST_CHECK;
/* A control message was decoded: is its verb allowed to the sender? ERR_DENIED; noted. */
int guard_verb(struct guard *g, const struct guard_sender *who, Drover__Control__Verb verb,
               struct err *err) MUST_CHECK;

/* Note a message that was admitted and then proved bad, or a transport's BAD: WHY. */
void guard_bad(struct guard *g, const struct transport_event *e, const char *why);
/* Note what an admitted sender does: a fixed word and a text for people. */
void guard_deed(struct guard *g, const struct guard_sender *who, const char *what,
                const char *text);

/* A row for the audit. */
struct guard_note {
    char who[KEY_NAME_MAX + 1], role[ROLES_TEXT_MAX], address[64];
    char what[16], text[600];
};
/* Logs what is due; false: nothing to write. */
bool guard_take(struct guard *g, struct guard_note *ret);
/* In how many ms guard_take() has something; UINT64_MAX: nothing waits. */
uint64_t guard_wait_ms(struct guard *g);
/* Refused since the start, on both sockets. Any thread. */
uint64_t guard_refusals(struct guard *g);

#endif
