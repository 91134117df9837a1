/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: every message survives the way to bytes and back, and nothing else gets through: cut, long,
 * wrong or foreign bytes are refused by name. Method: messages filled by their descriptors, so that
 * a new field is tested without a new line here; every truncation; one broken rule per row; golden
 * bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/macros.h"
#include "common/base/mem.h"
#include "common/base/rng.h"
#include "common/wire/wire.h"
#include "tests/unit/common_wire/raw.h"

/* --- any message, filled
 * ---------------------------------------------------------------------------------------- */

static ProtobufCMessage *filled(const ProtobufCMessageDescriptor *d, struct rng *r);

/* Digests, ids and routings need lengths of their own; the field's name tells. */
static ProtobufCBinaryData some_bytes(const char *field, struct rng *r)
{
    ProtobufCBinaryData b = { .len = 32 };

    if (strcmp(field, "worker") == 0)
        b.len = WIRE_WORKER_BYTES;
    b.data = mem_calloc(b.len, 1);
    for (size_t i = 0; i < b.len; i++)
        b.data[i] = (uint8_t)rng_below(r, strcmp(field, "routing") == 0 ? 3 : 256);
    return b;
}

static void fill_value(const ProtobufCFieldDescriptor *f, void *p, struct rng *r)
{
    ProtobufCMessage *m;
    ProtobufCBinaryData b;
    uint64_t v;
    char *s;

    switch (f->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        m = filled(f->descriptor, r);
        memcpy(p, &m, sizeof(m));
        return;
    case PROTOBUF_C_TYPE_STRING:
        s = mem_strdup(rng_below(r, 2) ? "text \xc3\xa9" : "x");
        memcpy(p, &s, sizeof(s));
        return;
    case PROTOBUF_C_TYPE_BYTES:
        b = some_bytes(f->name, r);
        memcpy(p, &b, sizeof(b));
        return;
    case PROTOBUF_C_TYPE_BOOL:
        *(protobuf_c_boolean *)p = rng_below(r, 2) != 0;
        return;
    case PROTOBUF_C_TYPE_ENUM:
        *(int *)p = (int)rng_below(r, ((const ProtobufCEnumDescriptor *)f->descriptor)->n_values);
        return;
    case PROTOBUF_C_TYPE_DOUBLE:
        *(double *)p = rng_normal(r);
        return;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        *(uint32_t *)p = rng_u32(r) >> rng_below(r, 32);
        return;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        v = rng_u64(r) >> rng_below(r, 64);
        memcpy(p, &v, sizeof(v));
        return;
    }
}

static size_t size_of(const ProtobufCFieldDescriptor *f)
{
    switch (f->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
    case PROTOBUF_C_TYPE_STRING:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_ENUM:
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return 4;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    }
    return 0;
}

static ProtobufCMessage *filled(const ProtobufCMessageDescriptor *d, struct rng *r)
{
    char *m = mem_calloc(1, d->sizeof_message);
    unsigned oneof = rng_below(r, d->n_fields ? d->n_fields : 1);

    protobuf_c_message_init(d, m);
    for (unsigned i = 0; i < d->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &d->fields[i];

        if (f->label == PROTOBUF_C_LABEL_REPEATED) {
            size_t n = rng_below(r, 4);
            char *list = mem_calloc(n ? n : 1, size_of(f));

            for (size_t k = 0; k < n; k++)
                fill_value(f, list + k * size_of(f), r);
            memcpy(m + f->quantifier_offset, &n, sizeof(n));
            memcpy(m + f->offset, &list, sizeof(list));
        } else if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
            if (i == oneof) {
                memcpy(m + f->quantifier_offset, &f->id, sizeof(uint32_t));
                fill_value(f, m + f->offset, r);
            }
        } else {
            fill_value(f, m + f->offset, r);
        }
    }
    if (d == &drover__example_result__descriptor) { /* one of the two */
        Drover__ExampleResult *e = (Drover__ExampleResult *)(void *)m;

        drover__score__free_unpacked(e->score, NULL);
        e->score = NULL;
    }
    if (d == &drover__score__descriptor) {
        Drover__Score *s = (Drover__Score *)(void *)m;

        s->pick = (int)rng_below(r, WIRE_CLASSES_OF_SCORE + 1) - 1;
        s->gold = (int)rng_below(r, WIRE_CLASSES_OF_SCORE + 1) - 1;
    }
    return (ProtobufCMessage *)(void *)m;
}

static void every_message_survives_the_round_trip(void **state)
{
    const ProtobufCMessageDescriptor *d = &drover__envelope__descriptor;
    struct rng r = rng_stream("test", 1, 1);

    (void)state;
    for (unsigned i = 0; i < d->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &d->fields[i];

        for (int round = 0; f->type == PROTOBUF_C_TYPE_MESSAGE && round < 20; round++) {
            ProtobufCMessage *m = filled(f->descriptor, &r);
            Drover__Envelope *back CLEANUP(wire_cleanup) = NULL;
            struct buf a CLEANUP(buf_release) = { 0 }, b CLEANUP(buf_release) = { 0 };
            struct err err = { 0 };
            uint32_t protocol = 0;
            int rc = wire_encode(&a, (Drover__Envelope__BodyCase)f->id, m, 5, &err);

            if (rc < 0)
                fail_msg("%s: %s", f->name, err.text);
            rc = wire_decode(buf_str(&a), a.len, &back, &protocol, &err);
            if (rc < 0)
                fail_msg("%s: %s", f->name, err.text);
            assert_int_equal(protocol, WIRE_PROTOCOL);
            assert_int_equal(back->request, 5);
            assert_int_equal(back->body_case, f->id);
            assert_string_equal(wire_name(back->body_case), f->name);
            assert_int_equal(
                wire_encode(&b, (Drover__Envelope__BodyCase)f->id, back->hello, 5, &err), 0);
            assert_int_equal(a.len, b.len);
            assert_memory_equal(buf_str(&a), buf_str(&b), a.len);
            protobuf_c_message_free_unpacked(m, NULL);
        }
    }
}

static void every_truncation_is_refused(void **state)
{
    const ProtobufCMessageDescriptor *d = &drover__envelope__descriptor;
    struct rng r = rng_stream("test", 1, 2);

    (void)state;
    for (unsigned i = 0; i < d->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &d->fields[i];
        struct buf a CLEANUP(buf_release) = { 0 };
        struct err err = { 0 };
        ProtobufCMessage *m;

        if (f->type != PROTOBUF_C_TYPE_MESSAGE)
            continue;
        m = filled(f->descriptor, &r);
        assert_int_equal(wire_encode(&a, (Drover__Envelope__BodyCase)f->id, m, 5, &err), 0);
        for (size_t len = 0; len < a.len; len++) {
            Drover__Envelope *back = NULL;
            char *cut =
                mem_dup(buf_str(&a), len); /* so that a byte too far is seen by sanitizers */
            int rc = wire_decode(cut, len, &back, NULL, &err);

            assert_true(rc == ERR_PROTO);
            assert_null(back);
            free(cut);
        }
        protobuf_c_message_free_unpacked(m, NULL);
    }
}

static void hello_has_golden_bytes(void **state)
{
    static const uint8_t golden[] = {
        0x08, 0x02, 0x10, 0x07, 0x52, 0x25, 0x0a, 0x10, 0,   1,    2,    3,   4,   5,   6,
        7,    8,    9,    10,   11,   12,   13,   14,   15,  0x12, 0x03, 'a', ':', '1', 0x20,
        0x01, 0x28, 0x02, 0x42, 0x08, 'p',  'a',  'c',  'k', 'e',  'd',  '-', '1',
    };
    uint8_t worker[16];
    char *classes[] = { (char *)(uintptr_t) "packed-1" };
    Drover__Hello m = DROVER__HELLO__INIT;
    struct buf b CLEANUP(buf_release) = { 0 };
    struct err err = { 0 };

    (void)state;
    for (uint8_t i = 0; i < 16; i++)
        worker[i] = i;
    m.worker = (ProtobufCBinaryData){ sizeof(worker), worker };
    m.name = (char *)(uintptr_t) "a:1";
    m.pid = 1;
    m.slots = 2;
    m.classes = classes;
    m.n_classes = 1;
    assert_int_equal(wire_encode(&b, DROVER__ENVELOPE__BODY_HELLO, &m, 7, &err), 0);
    assert_int_equal(b.len, sizeof(golden));
    assert_memory_equal(buf_str(&b), golden, sizeof(golden));
}

/* --- broken rules
 * -----------------------------------------------------------------------------------------------
 */

static void lengths_of_digests_and_text_are_checked(void **state)
{
    uint8_t bytes[33] = { 0 };
    char text[70000];
    Drover__BlobGet get = DROVER__BLOB_GET__INIT;
    Drover__Refuse refuse = DROVER__REFUSE__INIT;
    Drover__Envelope e = envelope(DROVER__ENVELOPE__BODY_BLOB_GET);
    struct err err = { 0 };

    (void)state;
    e.blob_get = &get;
    refused(&e, "BlobGet.digest");
    get.digest = (ProtobufCBinaryData){ 33, bytes };
    refused(&e, "BlobGet.digest");
    get.digest.len = 32;
    assert_int_equal(decode_raw(&e, &err), 0);
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    e = envelope(DROVER__ENVELOPE__BODY_REFUSE);
    e.refuse = &refuse;
    refuse.text = text;
    refused(&e, "Refuse.text");
    refuse.text = (char *)(uintptr_t) "bad \xff utf-8";
    refused(&e, "Refuse.text: not UTF-8");
}

static void values_and_presence_are_checked(void **state)
{
    uint8_t bytes[300] = { 0 };
    Drover__JobResult result = DROVER__JOB_RESULT__INIT;
    Drover__Checkpoint checkpoint = DROVER__CHECKPOINT__INIT;
    Drover__ExampleResult example = DROVER__EXAMPLE_RESULT__INIT;
    Drover__Example what = DROVER__EXAMPLE__INIT;
    Drover__Label label = DROVER__LABEL__INIT;
    Drover__Submit submit = DROVER__SUBMIT__INIT;
    Drover__Envelope e = envelope(DROVER__ENVELOPE__BODY_JOB_RESULT);
    struct err err = { 0 };

    (void)state;
    e.job_result = &result;
    result.outcome = (Drover__Outcome)99;
    refused(&e, "JobResult.outcome");
    e = envelope(DROVER__ENVELOPE__BODY_CHECKPOINT);
    e.checkpoint = &checkpoint;
    refused(&e, "Checkpoint.digest");
    e = envelope(DROVER__ENVELOPE__BODY_EXAMPLE_RESULT);
    e.example_result = &example;
    refused(&e, "ExampleResult.example");
    example.example = &what;
    refused(&e, "exactly one");
    example.label = &label;
    label.routing = (ProtobufCBinaryData){ 257, bytes };
    refused(&e, "Label.routing");
    label.routing.len = 256;
    assert_int_equal(decode_raw(&e, &err), 0);
    bytes[255] = 3;
    refused(&e, "Label.routing");
    e = envelope(DROVER__ENVELOPE__BODY_SUBMIT);
    e.submit = &submit;
    refused(&e, "Submit.plan");
    e = envelope(DROVER__ENVELOPE__BODY__NOT_SET);
    refused(&e, "known body");
}

static void scores_are_checked(void **state)
{
    Drover__ExampleResult example = DROVER__EXAMPLE_RESULT__INIT;
    Drover__Example what = DROVER__EXAMPLE__INIT;
    Drover__Score score = DROVER__SCORE__INIT;
    Drover__Value value = DROVER__VALUE__INIT;
    Drover__Value *values[WIRE_VALUES_MAX + 1];
    Drover__Envelope e = envelope(DROVER__ENVELOPE__BODY_EXAMPLE_RESULT);
    char text[WIRE_TEXT_MAX + 2], subset[WIRE_NAME_MAX + 2];
    struct err err = { 0 };

    (void)state;
    memset(text, 'x', sizeof(text));
    text[WIRE_TEXT_MAX + 1] = '\0';
    memset(subset, 'x', sizeof(subset));
    subset[WIRE_NAME_MAX + 1] = '\0';
    e.example_result = &example;
    example.example = &what;
    example.score = &score;
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        values[i] = &value;
    value.name = (char *)(uintptr_t) "f1";
    score.values = values;
    score.n_values = WIRE_VALUES_MAX + 1;
    refused(&e, "Score.values: entries 33, allowed are 32");
    score.n_values = WIRE_VALUES_MAX;
    score.pick = WIRE_CLASSES_OF_SCORE - 1;
    score.gold = -1;
    assert_int_equal(decode_raw(&e, &err), 0);
    score.pick = WIRE_CLASSES_OF_SCORE;
    refused(&e, "Score.pick: class 64, allowed are -1 to 63");
    score.pick = 0;
    score.gold = -2;
    refused(&e, "Score.gold: class -2");
    score.gold = 0;
    value.name = subset;
    refused(&e, "Value.name");
    value.name = (char *)(uintptr_t) "";
    refused(&e, "Value.name");
    value.name = (char *)(uintptr_t) "f1";
    what.subset = subset;
    refused(&e, "Example.subset");
    subset[WIRE_NAME_MAX] = '\0';
    what.question = what.gold = score.answer = text; /* a passage */
    refused(&e, "Example.question");
    text[WIRE_TEXT_MAX] = '\0';
    assert_int_equal(decode_raw(&e, &err), 0);
}

static void a_list_parameter_holds_a_path(void **state)
{
    int64_t v[WIRE_ROUTING_MAX + 1] = { 0 };
    Drover__IntList list = DROVER__INT_LIST__INIT;
    Drover__Param param = DROVER__PARAM__INIT, *params[] = { &param };
    uint8_t key[32] = { 0 };
    Drover__Lease lease = DROVER__LEASE__INIT;
    Drover__Envelope e = envelope(DROVER__ENVELOPE__BODY_LEASE);
    struct err err = { 0 };

    (void)state;
    e.lease = &lease;
    lease.key = (ProtobufCBinaryData){ 32, key };
    lease.params = params;
    lease.n_params = 1;
    param.value_case = DROVER__PARAM__VALUE_INTS;
    param.ints = &list;
    list.v = v;
    list.n_v = WIRE_ROUTING_MAX;
    assert_int_equal(decode_raw(&e, &err), 0);
    list.n_v++;
    refused(&e, "IntList.v");
}

static void lists_are_bounded(void **state)
{
    uint8_t worker[16] = { 0 };
    char *classes[65];
    Drover__Hello hello = DROVER__HELLO__INIT;
    Drover__Envelope e = envelope(DROVER__ENVELOPE__BODY_HELLO);
    struct err err = { 0 };

    (void)state;
    e.hello = &hello;
    refused(&e, "Hello.worker");
    hello.worker = (ProtobufCBinaryData){ 16, worker };
    for (size_t i = 0; i < ARRAY_LEN(classes); i++)
        classes[i] = (char *)(uintptr_t) "c";
    hello.classes = classes;
    hello.n_classes = WIRE_CLASSES_MAX + 1;
    refused(&e, "Hello.classes");
    hello.n_classes = WIRE_CLASSES_MAX;
    assert_int_equal(decode_raw(&e, &err), 0);
}

static void sender_is_told_of_broken_rules_too(void **state)
{
    Drover__Refuse m = DROVER__REFUSE__INIT;
    struct buf b CLEANUP(buf_release) = { 0 };
    struct err err = { 0 };

    (void)state;
    buf_adds(&b, "kept");
    m.text = (char *)(uintptr_t) "\xc3";
    assert_int_equal(wire_encode(&b, DROVER__ENVELOPE__BODY_REFUSE, &m, 0, &err), ERR_INVALID);
    assert_string_equal(buf_str(&b), "kept");
}

static void another_protocol_is_told_by_its_number(void **state)
{
    static const uint8_t newer[] = { 0x08, 0x03, 0xfa, 0x07,
                                     0x00 }; /* with a body that we do not know */
    static const uint8_t huge[] = { 0x08, 0xff, 0xff, 0xff, 0xff, 0x0f };
    static const uint8_t late[] = { 0x10, 0x01, 0x08, 0x03 };
    static const uint8_t none[] = { 0x10, 0x01 };
    Drover__Envelope *m = NULL;
    struct err err = { 0 };
    uint32_t protocol = 0;

    (void)state;
    assert_int_equal(wire_decode(newer, sizeof(newer), &m, &protocol, &err), ERR_VERSION);
    assert_int_equal(protocol, 3);
    assert_int_equal(wire_decode(huge, sizeof(huge), &m, &protocol, &err), ERR_VERSION);
    assert_int_equal(protocol, UINT32_MAX);
    assert_int_equal(wire_decode(late, sizeof(late), &m, &protocol, &err), ERR_VERSION);
    assert_int_equal(protocol, 3);
    assert_int_equal(wire_decode(none, sizeof(none), &m, &protocol, &err), ERR_PROTO);
    assert_int_equal(protocol, 0);
    assert_null(m);
}

static void memory_of_a_decoded_message_is_bounded(void **state)
{
    /* Eight million empty jobs: 16 MiB on the wire, some GB decoded. */
    struct buf b CLEANUP(buf_release) = { 0 };
    Drover__Envelope *m = NULL;
    struct err err = { 0 };
    size_t jobs = (size_t)7 << 20, plan = 2 * jobs, submit = plan + 5;

    (void)state;
    buf_add(&b, "\x08\x02", 2);
    buf_add(&b, "\xf2\x01", 2); /* submit */
    for (size_t v = submit; v; v >>= 7)
        buf_addc(&b, (char)((v & 0x7f) | (v >> 7 ? 0x80 : 0)));
    buf_addc(&b, 0x0a); /* plan */
    for (size_t v = plan; v; v >>= 7)
        buf_addc(&b, (char)((v & 0x7f) | (v >> 7 ? 0x80 : 0)));
    for (size_t i = 0; i < jobs; i++)
        buf_add(&b, "\x3a\x00", 2);
    assert_true(b.len < WIRE_BYTES_MAX);
    assert_int_equal(wire_decode(buf_str(&b), b.len, &m, NULL, &err), ERR_LIMIT);
    assert_null(m);
}

static void garbage_never_passes_and_never_crashes(void **state)
{
    struct rng r = rng_stream("test", 1, 3);

    (void)state;
    for (int round = 0; round < 20000; round++) {
        uint8_t bytes[64];
        size_t len = rng_below(&r, sizeof(bytes));
        Drover__Envelope *m = NULL;
        struct err err = { 0 };

        for (size_t i = 0; i < len; i++)
            bytes[i] = (uint8_t)rng_u32(&r);
        if (round % 2 && len > 2) {
            bytes[0] = 0x08;
            bytes[1] = 0x01;
        }
        if (wire_decode(bytes, len, &m, NULL, &err) == 0)
            assert_non_null(m);
        wire_free(m);
    }
}

static void digests_go_in_and_out(void **state)
{
    struct digest d = digest_of("x", 1), back = wire_digest(wire_bytes(&d));
    struct digest none = wire_digest((ProtobufCBinaryData){ 0, NULL });

    (void)state;
    assert_true(digest_equal(&d, &back));
    assert_true(digest_is_zero(&none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_survives_the_round_trip),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(hello_has_golden_bytes),
        cmocka_unit_test(lengths_of_digests_and_text_are_checked),
        cmocka_unit_test(values_and_presence_are_checked),
        cmocka_unit_test(scores_are_checked),
        cmocka_unit_test(a_list_parameter_holds_a_path),
        cmocka_unit_test(lists_are_bounded),
        cmocka_unit_test(sender_is_told_of_broken_rules_too),
        cmocka_unit_test(another_protocol_is_told_by_its_number),
        cmocka_unit_test(memory_of_a_decoded_message_is_bounded),
        cmocka_unit_test(garbage_never_passes_and_never_crashes),
        cmocka_unit_test(digests_go_in_and_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
