/* SPDX-License-Identifier: Apache-2.0 */
/* roles.c - the table. A kind of message without a row is refused (and a test finds it). */
#include "common/wire/roles.h"

#include <stdio.h>
#include <string.h>

#include "common/base/nearest.h"
#include "common/wire/peek.h"
#include "common/wire/wire.h"

enum {
    SMALL = 4096,
    TEXTS = 4 * WIRE_TEXT_MAX,
    LARGE = 1 << 20,
    CHUNK = WIRE_CHUNK_MAX + SMALL,
    PLAN = WIRE_BYTES_MAX,
};

#define ROW(NAME, SOCKET, ROLE, BYTES)                                                             \
    [DROVER__ENVELOPE__BODY_##NAME] = { { ROLES_##SOCKET, ROLE_##ROLE, BYTES }, true }
/* What a coordinator sends and never gets. */
#define ANSWER(NAME) [DROVER__ENVELOPE__BODY_##NAME] = { { ROLES_MAIN, ROLES_NONE, SMALL }, true }

enum { BODIES = 64 };

static const struct {
    struct roles_rule rule;
    bool there;
} table[BODIES] = {
    ROW(HELLO, MAIN, WORK, LARGE),
    ROW(HEARTBEAT, MAIN, WORK, SMALL),
    ROW(RENEW, MAIN, WORK, PLAN), /* with metrics */
    ROW(CREDITS, MAIN, WORK, SMALL),
    ROW(GOODBYE, MAIN, WORK, SMALL),
    ROW(EXAMPLE_RESULT, MAIN, WORK, PLAN), /* with a search's log */
    ROW(JOB_RESULT, MAIN, WORK, PLAN),
    ROW(JOB_RESULTS, MAIN, WORK, PLAN),
    ROW(CHECKPOINT, MAIN, WORK, PLAN), /* with metrics */
    ROW(SUBMIT, MAIN, SUBMIT, PLAN),
    ROW(STATUS_REQUEST, MAIN, VIEW, SMALL),
    ROW(CANCEL_REQUEST, MAIN, SUBMIT, SMALL),
    ROW(CONTROL, MAIN, VIEW, TEXTS), /* more by verb */
    ROW(ASK, MAIN, VIEW, WIRE_RECIPE_MAX + SMALL),
    ROW(BLOB_GET, BLOBS, WORK, SMALL),
    ROW(BLOB_PUT, BLOBS, WORK, CHUNK),
    ANSWER(WELCOME),
    ANSWER(REFUSE),
    ANSWER(ACK),
    ANSWER(LEASE),
    ANSWER(LEASES),
    ANSWER(CANCEL),
    ANSWER(DRAIN),
    ANSWER(SUBMITTED),
    ANSWER(STATUS),
    ANSWER(CANCELLED),
    ANSWER(CONTROLLED),
    ANSWER(ANSWER),
    ANSWER(BLOB_CHUNK),
    ANSWER(BLOB_STATE),
};

const struct roles_rule *roles_rule(Drover__Envelope__BodyCase body)
{
    return (unsigned)body < BODIES && table[body].there ? &table[body].rule : NULL;
}

unsigned roles_verb(Drover__Control__Verb verb)
{
    switch (verb) {
    case DROVER__CONTROL__VERB__WHY:
        return ROLE_VIEW;
    case DROVER__CONTROL__VERB__PAUSE:
    case DROVER__CONTROL__VERB__RESUME:
    case DROVER__CONTROL__VERB__RETRY:
    case DROVER__CONTROL__VERB__PRIORITY:
        return ROLE_SUBMIT;
    case DROVER__CONTROL__VERB__DRAIN:
    case DROVER__CONTROL__VERB__BACKUP:
    case _DROVER__CONTROL__VERB_IS_INT_SIZE:
        break;
    }
    return ROLE_ADMIN;
}

/* ---- words ---- */

static const struct {
    const char *name;
    unsigned role, implied;
} roles[] = {
    { "admin", ROLE_ADMIN, ROLE_ADMIN | ROLE_SUBMIT | ROLE_VIEW },
    { "submit", ROLE_SUBMIT, ROLE_SUBMIT | ROLE_VIEW },
    { "view", ROLE_VIEW, ROLE_VIEW },
    { "work", ROLE_WORK, ROLE_WORK },
};

bool roles_allow(unsigned has, unsigned need)
{
    unsigned all = 0;

    for (size_t i = 0; i < ARRAY_LEN(roles); i++)
        if (has & roles[i].role)
            all |= roles[i].implied;
    return need != ROLES_NONE && (all & need) == need;
}

static int unknown(const char *word, size_t len, struct err *err)
{
    const char *names[ARRAY_LEN(roles) + 1] = { NULL }, *near;
    char text[24];

    for (size_t i = 0; i < ARRAY_LEN(roles); i++)
        names[i] = roles[i].name;
    (void)snprintf(text, sizeof(text), "%.*s", (int)MIN(len, sizeof(text) - 1), word);
    near = nearest_find(text, names);
    return err_set(err, ERR_INVALID, "\"%s\" is no role%s%s%s; choose view, submit, admin or work",
                   text, near ? ", did you mean \"" : "", near ? near : "", near ? "\"" : "");
}

int roles_parse(const char *text, unsigned *ret, struct err *err)
{
    *ret = 0;
    for (;;) {
        size_t len = strcspn(text, ","), i = 0;

        while (i < ARRAY_LEN(roles) &&
               !(strlen(roles[i].name) == len && memcmp(roles[i].name, text, len) == 0))
            i++;
        if (i == ARRAY_LEN(roles))
            return unknown(text, len, err);
        *ret |= roles[i].role;
        if (text[len] == '\0')
            return 0;
        text += len + 1;
    }
}

const char *roles_text(unsigned has, char out[ROLES_TEXT_MAX])
{
    size_t len = 0;

    (void)snprintf(out, ROLES_TEXT_MAX, "none");
    for (size_t i = 0; i < ARRAY_LEN(roles); i++)
        if (has & roles[i].role)
            len += (size_t)snprintf(out + len, ROLES_TEXT_MAX - len, "%s%s", len ? "," : "",
                                    roles[i].name);
    return out;
}

/* ---- the check ---- */

int roles_check(enum roles_socket socket, unsigned has, const void *bytes, size_t len,
                struct wire_peek *ret, struct err *err)
{
    const struct roles_rule *rule;
    char need[ROLES_TEXT_MAX], role[ROLES_TEXT_MAX];
    int rc = wire_peek(bytes, len, ret, err);

    if (rc < 0)
        return rc;
    rule = roles_rule(ret->body);
    if (!rule || rule->need == ROLES_NONE)
        return err_set(err, ERR_PROTO, "a coordinator takes no such message (%s)",
                       wire_name(ret->body));
    if (rule->socket != socket)
        return err_set(err, ERR_PROTO, "%s belongs to the %s socket", wire_name(ret->body),
                       rule->socket == ROLES_BLOBS ? "blob" : "main");
    if (!roles_allow(has, rule->need))
        return err_set(err, ERR_DENIED, "%s takes the role %s, this key has %s",
                       wire_name(ret->body), roles_text(rule->need, need), roles_text(has, role));
    if (len > rule->bytes_max)
        return err_set(err, ERR_LIMIT, "%s message of %zu bytes; the limit is %u",
                       wire_name(ret->body), len, rule->bytes_max);
    return 0;
}
