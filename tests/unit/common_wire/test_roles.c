/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: every kind of message has a rule, no role gets more than its own, and the look at an
 * envelope's outside never says something else than decoding it. Method: all kinds of the schema
 * against all roles; changed and cut envelopes through peek and decoder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/rng.h"
#include "common/wire/roles.h"
#include "common/wire/wire.h"

static void every_kind_of_message_has_a_row(void **state)
{
    unsigned bodies = 0;

    (void)state;
    for (unsigned i = 0; i < drover__envelope__descriptor.n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &drover__envelope__descriptor.fields[i];

        if (!(f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF))
            continue;
        bodies++;
        if (!roles_rule((Drover__Envelope__BodyCase)f->id))
            fail_msg("%s has no row in roles.c", f->name);
    }
    assert_true(bodies >= 30);
    assert_null(roles_rule((Drover__Envelope__BodyCase)1));
    assert_null(roles_rule((Drover__Envelope__BodyCase)-1));
    assert_null(roles_rule((Drover__Envelope__BodyCase)1000));
}

static void roles_imply_what_is_below_them_and_work_is_apart(void **state)
{
    static const struct {
        unsigned has, may;
    } table[] = {
        { ROLE_VIEW, ROLE_VIEW },
        { ROLE_SUBMIT, ROLE_VIEW | ROLE_SUBMIT },
        { ROLE_ADMIN, ROLE_VIEW | ROLE_SUBMIT | ROLE_ADMIN },
        { ROLE_WORK, ROLE_WORK },
        { ROLE_WORK | ROLE_VIEW, ROLE_WORK | ROLE_VIEW },
        { ROLES_ALL, ROLES_ALL },
        { ROLES_NONE, 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        for (unsigned need = 1; need <= ROLE_WORK; need <<= 1)
            assert_int_equal(roles_allow(table[i].has, need), (table[i].may & need) != 0);
        assert_false(roles_allow(table[i].has, ROLES_NONE));
    }
}

static void words_come_back_and_others_are_refused(void **state)
{
    char text[ROLES_TEXT_MAX];
    struct err err = { 0 };
    unsigned got;

    (void)state;
    for (unsigned roles = 1; roles <= ROLES_ALL; roles++) {
        assert_int_equal(roles_parse(roles_text(roles, text), &got, &err), 0);
        assert_int_equal(got, roles);
    }
    assert_int_equal(roles_parse("admn", &got, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "did you mean \"admin\""));
    assert_int_equal(roles_parse("", &got, &err), ERR_INVALID);
    assert_int_equal(roles_parse("view,", &got, &err), ERR_INVALID);
    assert_int_equal(roles_parse("view work", &got, &err), ERR_INVALID);
}

static void verbs_that_change_something_need_more_than_a_look(void **state)
{
    const ProtobufCEnumDescriptor *d = &drover__control__verb__descriptor;

    (void)state;
    for (unsigned i = 0; i < d->n_values; i++) {
        Drover__Control__Verb v = (Drover__Control__Verb)d->values[i].value;

        assert_int_equal(roles_allow(ROLE_VIEW, roles_verb(v)), v == DROVER__CONTROL__VERB__WHY);
        assert_int_equal(roles_allow(ROLE_SUBMIT, roles_verb(v)),
                         v != DROVER__CONTROL__VERB__DRAIN && v != DROVER__CONTROL__VERB__BACKUP);
        assert_true(roles_allow(ROLE_ADMIN, roles_verb(v)));
        assert_false(roles_allow(ROLE_WORK, roles_verb(v)));
    }
}

static void encode(struct buf *b, const char *text)
{
    Drover__CancelRequest m = DROVER__CANCEL_REQUEST__INIT;
    struct err err = { 0 };

    m.experiment = (char *)(uintptr_t)text;
    assert_int_equal(
        wire_encode(b, DROVER__ENVELOPE__BODY_CANCEL_REQUEST, &m, UINT64_C(1) << 63, &err), 0);
}

static void check_tells_role_socket_and_length(void **state)
{
    struct buf b CLEANUP(buf_release) = { 0 };
    struct wire_peek peek;
    struct err err = { 0 };

    (void)state;
    encode(&b, "x");
    assert_int_equal(roles_check(ROLES_MAIN, ROLE_SUBMIT, b.data, b.len, &peek, &err), 0);
    assert_int_equal(peek.body, DROVER__ENVELOPE__BODY_CANCEL_REQUEST);
    assert_true(peek.request == UINT64_C(1) << 63);
    assert_int_equal(roles_check(ROLES_MAIN, ROLE_VIEW, b.data, b.len, &peek, &err), ERR_DENIED);
    assert_int_equal(roles_check(ROLES_MAIN, ROLE_WORK, b.data, b.len, &peek, &err), ERR_DENIED);
    assert_int_equal(roles_check(ROLES_BLOBS, ROLES_ALL, b.data, b.len, &peek, &err), ERR_PROTO);
    /* An unknown field makes it long; its body stays small. */
    buf_adds(&b, "\xa2\x06\x81\x40");
    memset(buf_reserve(&b, 8193), 'x', 8193);
    b.len += 8193;
    assert_int_equal(roles_check(ROLES_MAIN, ROLES_ALL, b.data, b.len, &peek, &err), ERR_PROTO);
    assert_int_equal(roles_check(ROLES_MAIN, ROLES_ALL, b.data, 0, &peek, &err), ERR_PROTO);
}

static void long_message_of_a_short_kind_is_refused(void **state)
{
    struct buf b CLEANUP(buf_release) = { 0 };
    char body[5000];
    struct wire_peek peek;
    struct err err = { 0 };

    (void)state;
    memset(body, 'x', sizeof(body));
    buf_adds(&b, "\x08\x02\x6a\x88\x27"); /* protocol 2, heartbeat of 5000 bytes */
    buf_add(&b, body, sizeof(body));
    assert_int_equal(roles_check(ROLES_MAIN, ROLES_ALL, b.data, b.len, &peek, &err), ERR_LIMIT);
}

/* A decoder takes the last of two bodies: whoever looks at the first only would be fooled. */
static void second_body_is_refused(void **state)
{
    struct buf b CLEANUP(buf_release) = { 0 };
    struct wire_peek peek;
    struct err err = { 0 };

    (void)state;
    encode(&b, "x");
    buf_add(&b, "\x6a\x00", 2); /* heartbeat = 13 */
    assert_int_equal(wire_peek(b.data, b.len, &peek, &err), ERR_PROTO);
}

static void peek_agrees_with_the_decoder(void **state)
{
    struct buf b CLEANUP(buf_release) = { 0 };
    unsigned decoded = 0;

    (void)state;
    encode(&b, "an experiment of some length");
    for (uint64_t round = 0; round < 200000; round++) {
        struct rng r = rng_stream("peek", 1, round);
        char bytes[128];
        size_t len = b.len - (rng_below(&r, 4) == 0 ? rng_below(&r, (uint32_t)b.len) : 0);
        Drover__Envelope *m = NULL;
        struct wire_peek peek;
        struct err err = { 0 };
        int seen;

        memcpy(bytes, b.data, b.len);
        for (uint64_t n = rng_below(&r, 3); n > 0; n--)
            bytes[rng_below(&r, (uint32_t)b.len)] = (char)rng_below(&r, 256);
        seen = wire_peek(bytes, len, &peek, &err);
        if (wire_decode(bytes, len, &m, NULL, &err) == 0 && seen == 0) {
            assert_int_equal(m->body_case, peek.body);
            assert_true(m->request == peek.request);
            decoded++;
        }
        wire_free(m);
    }
    assert_true(decoded > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_message_has_a_row),
        cmocka_unit_test(roles_imply_what_is_below_them_and_work_is_apart),
        cmocka_unit_test(words_come_back_and_others_are_refused),
        cmocka_unit_test(verbs_that_change_something_need_more_than_a_look),
        cmocka_unit_test(check_tells_role_socket_and_length),
        cmocka_unit_test(long_message_of_a_short_kind_is_refused),
        cmocka_unit_test(second_body_is_refused),
        cmocka_unit_test(peek_agrees_with_the_decoder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
