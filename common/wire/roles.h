/* SPDX-License-Identifier: Apache-2.0 */
/* roles.h - who may send what to a coordinator: one table, a row for every kind of message.
 *
 *   view    look: status, questions, why
 *   submit  view, and hand in plans, cancel, pause, resume, retry, priority
 *   admin   submit, and drain workers, make backups
 *   work    apart from the others: take jobs, send results, fetch and put blobs
 *
 * A key has one role or several; they are kept as bits. */
#ifndef COMMON_WIRE_ROLES_H
#define COMMON_WIRE_ROLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/wire/drover.pb-c.h"
#include "common/wire/peek.h"

enum {
    ROLE_VIEW = 1,
    ROLE_SUBMIT = 2,
    ROLE_ADMIN = 4,
    ROLE_WORK = 8,
    ROLES_ALL = 15,
    ROLES_NONE = 0, /* as a need: nobody may */
    ROLES_TEXT_MAX = 32,
};

/* "view", "admin,work": *RET gets the bits. ERR_INVALID names the word and the nearest one. */
int roles_parse(const char *text, unsigned *ret, struct err *err) MUST_CHECK;
/* The bits as text, the highest first; OUT. "none" for 0. */
const char *roles_text(unsigned roles, char out[ROLES_TEXT_MAX]);
/* Does one who HAS these roles do what takes NEED (a single role; ROLES_NONE: never)? */
bool roles_allow(unsigned has, unsigned need);

enum roles_socket { ROLES_MAIN, ROLES_BLOBS };

/* What a message takes, of which nothing but kind and length is known yet. */
struct roles_rule {
    enum roles_socket socket;
    unsigned need;      /* ROLES_NONE: no peer sends it to a coordinator */
    uint32_t bytes_max; /* of the envelope */
};
/* NULL: no such kind. */
const struct roles_rule *roles_rule(Drover__Envelope__BodyCase body);
/* A Control needs more than its row says when its verb is more than a look. */
unsigned roles_verb(Drover__Control__Verb verb);

/* May a peer with the roles HAS send the envelope of LEN bytes to SOCKET? Reads its outermost
 * layer only; *RET is what it says, as far as it can be read.
 * ERR_DENIED: no; the text says what it takes   ERR_LIMIT: longer than its kind may be
 * ERR_PROTO: not an envelope with one body, or for another socket   ERR_VERSION */
int roles_check(enum roles_socket socket, unsigned has, const void *bytes, size_t len,
                struct wire_peek *ret, struct err *err) MUST_CHECK;

#endif
