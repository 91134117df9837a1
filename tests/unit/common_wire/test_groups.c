/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: groups of leases and results, and what workers say of themselves, are bounded and checked
 * member by member; envelopes put together from packed parts are those of the encoder. Method: one
 * broken rule per row, on raw bytes; packed parts against protobuf's own bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/macros.h"
#include "common/base/mem.h"
#include "common/wire/pack.h"
#include "common/wire/wire.h"
#include "tests/unit/common_wire/raw.h"

static void groups_and_their_members_are_bounded(void **state)
{
    Drover__JobResult result = DROVER__JOB_RESULT__INIT, bad = DROVER__JOB_RESULT__INIT;
    Drover__JobResult *results[WIRE_GROUP_MAX + 1];
    Drover__Lease lease = DROVER__LEASE__INIT, *leases[WIRE_GROUP_MAX + 1];
    Drover__JobResults group = DROVER__JOB_RESULTS__INIT;
    Drover__Leases given = DROVER__LEASES__INIT;
    Drover__Envelope e = envelope(DROVER__ENVELOPE__BODY_JOB_RESULTS);
    uint8_t key[32] = { 0 };
    struct err err = { 0 };

    (void)state;
    lease.key = (ProtobufCBinaryData){ 32, key };
    for (size_t i = 0; i <= WIRE_GROUP_MAX; i++) {
        results[i] = &result;
        leases[i] = &lease;
    }
    e.job_results = &group;
    group.v = results;
    group.n_v = WIRE_GROUP_MAX + 1;
    refused(&e, "JobResults.v: entries 1025, allowed are 1024");
    group.n_v = WIRE_GROUP_MAX;
    assert_int_equal(decode_raw(&e, &err), 0);
    bad.text = (char *)(uintptr_t) "\xff";
    results[WIRE_GROUP_MAX - 1] = &bad;
    refused(&e, "JobResult.text: not UTF-8");
    e = envelope(DROVER__ENVELOPE__BODY_LEASES);
    e.leases = &given;
    given.v = leases;
    given.n_v = WIRE_GROUP_MAX + 1;
    refused(&e, "Leases.v");
    given.n_v = WIRE_GROUP_MAX;
    assert_int_equal(decode_raw(&e, &err), 0);
    lease.key.len = 31;
    refused(&e, "Lease.key");
}

static void labels_and_reasons_are_bounded(void **state)
{
    uint8_t worker[16] = { 0 };
    char *labels[WIRE_LABELS_MAX + 1], text[WIRE_TEXT_MAX + 2];
    Drover__Hello hello = DROVER__HELLO__INIT;
    Drover__Drain drain = DROVER__DRAIN__INIT;
    Drover__Envelope e = envelope(DROVER__ENVELOPE__BODY_HELLO);
    struct err err = { 0 };

    (void)state;
    e.hello = &hello;
    hello.worker = (ProtobufCBinaryData){ 16, worker };
    for (size_t i = 0; i < ARRAY_LEN(labels); i++)
        labels[i] = (char *)(uintptr_t) "gpu";
    hello.labels = labels;
    hello.n_labels = WIRE_LABELS_MAX + 1;
    refused(&e, "Hello.labels");
    hello.n_labels = WIRE_LABELS_MAX;
    assert_int_equal(decode_raw(&e, &err), 0);
    memset(text, 'x', sizeof(text));
    text[WIRE_TEXT_MAX + 1] = '\0';
    e = envelope(DROVER__ENVELOPE__BODY_DRAIN);
    e.drain = &drain;
    drain.why = text;
    refused(&e, "Drain.why");
    text[WIRE_TEXT_MAX] = '\0';
    assert_int_equal(decode_raw(&e, &err), 0);
}

static void packed_parts_are_what_the_encoder_writes(void **state)
{
    static const uint64_t numbers[] = { 0, 1, 127, 128, 1 << 14, UINT64_C(1) << 40, UINT64_MAX };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        Drover__Lease m = DROVER__LEASE__INIT;
        struct buf whole CLEANUP(buf_release) = { 0 }, parts CLEANUP(buf_release) = { 0 };
        struct buf body CLEANUP(buf_release) = { 0 };
        uint8_t key[32] = { 1, 2, 3 };
        struct err err = { 0 };

        m.job = m.attempt = m.seed = numbers[i];
        m.kind = (char *)(uintptr_t) "noop";
        m.key = (ProtobufCBinaryData){ sizeof(key), key };
        assert_int_equal(wire_encode(&whole, DROVER__ENVELOPE__BODY_LEASE, &m, numbers[i], &err),
                         0);
        pack_u64(&body, 1, numbers[i]);
        pack_u64(&body, 2, numbers[i]);
        pack_bytes(&body, 4, "noop", 4);
        pack_u64(&body, 12, numbers[i]);
        pack_bytes(&body, 13, key, sizeof(key));
        pack_envelope(&parts, DROVER__ENVELOPE__BODY_LEASE, body.len, numbers[i]);
        buf_add(&parts, body.data, body.len);
        assert_int_equal(parts.len, whole.len);
        assert_memory_equal(parts.data, whole.data, whole.len);
    }
}

/* Its memory is one arena: everything is there until it is freed, however large. */
static void a_full_group_decodes_whole(void **state)
{
    Drover__JobResults group = DROVER__JOB_RESULTS__INIT;
    Drover__JobResult *results[WIRE_GROUP_MAX];
    Drover__Envelope *back = NULL;
    struct buf b CLEANUP(buf_release) = { 0 };
    char *log = mem_calloc(10001, 1);
    struct err err = { 0 };

    (void)state;
    memset(log, 'x', 10000);
    for (size_t i = 0; i < WIRE_GROUP_MAX; i++) {
        results[i] = mem_calloc(1, sizeof(*results[i]));
        drover__job_result__init(results[i]);
        results[i]->attempt = i + 1;
        results[i]->log = log;
        results[i]->text = (char *)(uintptr_t)(i % 2 ? "odd" : "");
    }
    group.v = results;
    group.n_v = WIRE_GROUP_MAX;
    assert_int_equal(wire_encode(&b, DROVER__ENVELOPE__BODY_JOB_RESULTS, &group, 9, &err), 0);
    assert_int_equal(wire_decode(b.data, b.len, &back, NULL, &err), 0);
    assert_int_equal(back->job_results->n_v, WIRE_GROUP_MAX);
    memset(b.data, 0xff, b.len); /* nothing points into the message */
    for (size_t i = 0; i < WIRE_GROUP_MAX; i++) {
        const Drover__JobResult *r = back->job_results->v[i];

        assert_true(r->attempt == i + 1);
        assert_string_equal(r->log, log);
        assert_string_equal(r->text, i % 2 ? "odd" : "");
        free(results[i]);
    }
    wire_free(back);
    free(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_and_their_members_are_bounded),
        cmocka_unit_test(labels_and_reasons_are_bounded),
        cmocka_unit_test(packed_parts_are_what_the_encoder_writes),
        cmocka_unit_test(a_full_group_decodes_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
