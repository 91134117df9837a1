/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what waits for a commit leaves in groups, each peer's in order, bounded, and nothing of it
 * after a failed commit. Method: an outbox whose messages are decoded again; leases from cards are
 * compared field by field with what they were made of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/macros.h"
#include "common/base/mem.h"
#include "coordinator/cards.h"
#include "coordinator/outbox.h"

enum { SENT_MAX = 64 };

struct sent {
    uint64_t peer[SENT_MAX];
    Drover__Envelope *m[SENT_MAX];
    size_t len;
};

static void take(void *arg, uint64_t peer, const void *bytes, size_t len)
{
    struct sent *s = arg;
    struct err err = { 0 };

    assert_true(s->len < SENT_MAX);
    s->peer[s->len] = peer;
    if (wire_decode(bytes, len, &s->m[s->len++], NULL, &err) < 0)
        fail_msg("%s", err.text);
}

static void sent_release(struct sent *s)
{
    for (size_t i = 0; i < s->len; i++)
        wire_free(s->m[i]);
    s->len = 0;
}

static void outbox_cleanup(struct outbox **o)
{
    outbox_free(*o);
}

static void cards_cleanup(struct cards **c)
{
    cards_free(*c);
}

/* The card of a job without parameters. */
static const void *card(struct cards *c, uint64_t job, size_t *ret_len)
{
    const struct store_ready r = { .job = job,
                                   .kind = "noop",
                                   .numeric_class = "packed-1",
                                   .step = "a",
                                   .labels = "",
                                   .simple = true,
                                   .seed = job,
                                   .key = { { 1, 2, 3 } } };

    cards_put(c, &r);
    return cards_get(c, job, ret_len);
}

static void add_lease(struct outbox *o, struct cards *c, uint64_t peer, uint64_t attempt)
{
    size_t len = 0;
    const void *bytes = card(c, attempt, &len);

    outbox_lease(o, peer, bytes, len, attempt, 1);
}

static void add_cancel(struct outbox *o, uint64_t peer, uint64_t attempt)
{
    Drover__Cancel m = DROVER__CANCEL__INIT;
    struct err err = { 0 };

    m.attempt = attempt;
    m.why = (char *)(uintptr_t) "no longer wanted";
    assert_int_equal(outbox_add(o, peer, DROVER__ENVELOPE__BODY_CANCEL, &m, 0, &err), 0);
}

static void acks_and_leases_of_a_peer_travel_together(void **state)
{
    struct outbox *o CLEANUP(outbox_cleanup) = outbox_new();
    struct cards *c CLEANUP(cards_cleanup) = cards_new();
    struct sent s CLEANUP(sent_release) = { 0 };

    (void)state;
    for (uint64_t i = 1; i <= 300; i++) {
        outbox_ack(o, 7, i, 0);
        add_lease(o, c, 7, 1000 + i);
    }
    assert_int_equal(outbox_counts(o).messages, 2);
    outbox_flush(o, take, &s);
    assert_int_equal(s.len, 2);
    assert_int_equal(s.m[0]->body_case, DROVER__ENVELOPE__BODY_ACK);
    assert_int_equal(s.m[0]->ack->n_seq, 300);
    assert_int_equal(s.m[1]->body_case, DROVER__ENVELOPE__BODY_LEASES);
    assert_int_equal(s.m[1]->leases->n_v, 300);
    for (uint64_t i = 0; i < 300; i++) {
        assert_true(s.m[0]->ack->seq[i] == i + 1);
        assert_true(s.m[1]->leases->v[i]->attempt == 1001 + i);
        assert_true(s.m[1]->leases->v[i]->job == 1001 + i);
    }
    assert_int_equal(outbox_counts(o).messages, 0);
    sent_release(&s);
    outbox_flush(o, take, &s);
    assert_int_equal(s.len, 0);
}

static void a_single_lease_is_a_lease(void **state)
{
    struct outbox *o CLEANUP(outbox_cleanup) = outbox_new();
    struct cards *c CLEANUP(cards_cleanup) = cards_new();
    struct sent s CLEANUP(sent_release) = { 0 };

    (void)state;
    add_lease(o, c, 7, 40);
    add_lease(o, c, 8, 41);
    outbox_flush(o, take, &s);
    assert_int_equal(s.len, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(s.m[i]->body_case, DROVER__ENVELOPE__BODY_LEASE);
        assert_true(s.m[i]->lease->attempt == (s.peer[i] == 7 ? 40 : 41));
    }
}

static void groups_are_bounded_by_number_and_bytes(void **state)
{
    struct outbox *o CLEANUP(outbox_cleanup) = outbox_new();
    struct cards *c CLEANUP(cards_cleanup) = cards_new();
    struct sent s CLEANUP(sent_release) = { 0 };
    char *big = mem_calloc(OUTBOX_GROUP_BYTES, 1);
    size_t len = 0, at = 0;
    const void *small = card(c, 1, &len);

    (void)state;
    for (uint64_t i = 0; i < OUTBOX_GROUP_MAX + 1; i++) {
        outbox_ack(o, 7, i, 0);
        outbox_lease(o, 7, small, len, i + 1, 1);
    }
    outbox_flush(o, take, &s);
    assert_int_equal(s.len, 4);
    for (size_t i = 0; i < s.len; i++) {
        if (s.m[i]->body_case == DROVER__ENVELOPE__BODY_LEASES)
            assert_int_equal(s.m[i]->leases->n_v, OUTBOX_GROUP_MAX);
        at += s.m[i]->body_case == DROVER__ENVELOPE__BODY_LEASE ||
              (s.m[i]->body_case == DROVER__ENVELOPE__BODY_ACK && s.m[i]->ack->n_seq == 1);
    }
    assert_int_equal(at, 2);
    sent_release(&s);
    /* A card may be as long as it likes: it is alone then. The last field is unknown: skipped. */
    memcpy(big, small, len);
    memcpy(big + len, "\xfa\x3f\x80\x80\x20", 5); /* field 1023, 512 KiB of bytes */
    for (uint64_t i = 0; i < 3; i++)
        outbox_lease(o, 7, big, len + 5 + (512 << 10), i + 1, 1);
    outbox_flush(o, take, &s);
    assert_int_equal(s.len, 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(s.m[i]->lease->attempt == i + 1);
    free(big);
}

static void codes_have_acks_of_their_own(void **state)
{
    static const int codes[] = { 0, 0, ERR_STALE, 0, ERR_CANCELLED, ERR_CANCELLED };
    struct outbox *o CLEANUP(outbox_cleanup) = outbox_new();
    struct sent s CLEANUP(sent_release) = { 0 };
    uint64_t seq = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        outbox_ack(o, 7, i, codes[i]);
    outbox_flush(o, take, &s);
    assert_int_equal(s.len, 4);
    for (size_t i = 0; i < s.len; i++)
        for (size_t k = 0; k < s.m[i]->ack->n_seq; k++, seq++) {
            assert_true(s.m[i]->ack->seq[k] == seq);
            assert_int_equal(s.m[i]->ack->code, codes[seq]);
        }
    assert_int_equal(seq, ARRAY_LEN(codes));
}

static void a_cancel_comes_behind_the_lease_it_cancels(void **state)
{
    struct outbox *o CLEANUP(outbox_cleanup) = outbox_new();
    struct cards *c CLEANUP(cards_cleanup) = cards_new();
    struct sent s CLEANUP(sent_release) = { 0 };

    (void)state;
    add_lease(o, c, 7, 1);
    add_lease(o, c, 8, 2); /* another peer's */
    add_lease(o, c, 7, 3);
    add_cancel(o, 7, 3);
    add_lease(o, c, 7, 4);
    outbox_flush(o, take, &s);
    assert_int_equal(s.len, 4);
    assert_int_equal(s.m[0]->body_case, DROVER__ENVELOPE__BODY_LEASES);
    assert_int_equal(s.m[1]->body_case, DROVER__ENVELOPE__BODY_CANCEL);
    for (size_t i = 2; i < 4; i++)
        assert_true(s.m[i]->lease->attempt == (s.peer[i] == 7 ? 4 : 2));
}

static void what_was_dropped_is_never_sent(void **state)
{
    struct outbox *o CLEANUP(outbox_cleanup) = outbox_new();
    struct cards *c CLEANUP(cards_cleanup) = cards_new();
    struct sent s CLEANUP(sent_release) = { 0 };

    (void)state;
    outbox_ack(o, 7, 1, 0);
    add_lease(o, c, 7, 1);
    add_cancel(o, 7, 1);
    outbox_ack(o, 7, 2, 0);
    outbox_drop(o);
    assert_int_equal(outbox_counts(o).messages, 0);
    outbox_flush(o, take, &s);
    assert_int_equal(s.len, 0);
    outbox_ack(o, 7, 3, 0);
    outbox_flush(o, take, &s);
    assert_int_equal(s.len, 1);
    assert_int_equal(s.m[0]->ack->n_seq, 1);
    assert_true(s.m[0]->ack->seq[0] == 3);
}

static void a_message_that_breaks_a_rule_hurts_no_other(void **state)
{
    struct outbox *o CLEANUP(outbox_cleanup) = outbox_new();
    struct sent s CLEANUP(sent_release) = { 0 };
    Drover__Cancel bad = DROVER__CANCEL__INIT;
    struct err err = { 0 };

    (void)state;
    add_cancel(o, 7, 1);
    bad.why = (char *)(uintptr_t) "\xff";
    assert_int_equal(outbox_add(o, 7, DROVER__ENVELOPE__BODY_CANCEL, &bad, 0, &err), ERR_INVALID);
    add_cancel(o, 7, 2);
    outbox_flush(o, take, &s);
    assert_int_equal(s.len, 2);
    assert_true(s.m[0]->cancel->attempt == 1 && s.m[1]->cancel->attempt == 2);
}

/* Before a submission is on the disk: what may begin, begins; answers, and what must keep its place
 * behind or before them, wait. */
static void leases_alone_leave_before_the_rest(void **state)
{
    struct outbox *o CLEANUP(outbox_cleanup) = outbox_new();
    struct cards *c CLEANUP(cards_cleanup) = cards_new();
    struct sent s = { 0 };

    (void)state;
    outbox_flush_leases(o, take, &s);
    assert_int_equal(s.len, 0);
    add_cancel(o, 1, 7); /* a peer that is told something else first */
    add_lease(o, c, 1, 8);
    add_lease(o, c, 2, 9); /* only leases */
    add_lease(o, c, 2, 10);
    outbox_ack(o, 3, 5, 0); /* acks say that something is durable */
    add_lease(o, c, 3, 11);
    outbox_flush_leases(o, take, &s);
    assert_int_equal(s.len, 1);
    assert_int_equal(s.peer[0], 2);
    assert_int_equal(s.m[0]->leases->n_v, 2);
    assert_int_equal(outbox_counts(o).messages, 4);
    sent_release(&s);

    add_lease(o, c, 2, 12);
    outbox_flush_leases(o, take, &s);
    outbox_flush_leases(o, take, &s); /* nothing twice */
    assert_int_equal(s.len, 1);
    assert_int_equal(s.m[0]->lease->attempt, 12);
    sent_release(&s);

    outbox_flush(o, take, &s);
    assert_int_equal(s.len, 4);
    for (size_t i = 0, cancels = 0, leases = 0; i < s.len; i++) {
        assert_int_not_equal(s.peer[i], 2);
        cancels += s.m[i]->body_case == DROVER__ENVELOPE__BODY_CANCEL;
        leases += s.peer[i] == 1 && s.m[i]->body_case == DROVER__ENVELOPE__BODY_LEASE;
        assert_true(leases <= cancels); /* the order they were added in */
    }
    assert_int_equal(outbox_counts(o).messages, 0);
    sent_release(&s);
}

/* Each is held against each: not where thousands wait, which share one wait for the disk. */
static void leases_do_not_leave_first_when_much_waits(void **state)
{
    struct outbox *o CLEANUP(outbox_cleanup) = outbox_new();
    struct cards *c CLEANUP(cards_cleanup) = cards_new();
    struct sent s = { 0 };

    (void)state;
    for (uint64_t peer = 1; peer <= 100; peer++)
        add_lease(o, c, peer, peer);
    outbox_flush_leases(o, take, &s);
    assert_int_equal(s.len, 0);
    outbox_drop(o);
}

static void many_peers_are_forgotten_when_they_are_served(void **state)
{
    struct outbox *o CLEANUP(outbox_cleanup) = outbox_new();
    struct sent s CLEANUP(sent_release) = { 0 };

    (void)state;
    for (uint64_t peer = 1; peer <= SENT_MAX; peer++)
        outbox_ack(o, peer, 100 + peer, 0);
    outbox_flush(o, take, &s);
    assert_int_equal(s.len, SENT_MAX);
    for (size_t i = 0; i < s.len; i++)
        assert_true(s.m[i]->ack->seq[0] == 100 + s.peer[i]);
}

static void a_card_says_what_the_job_says(void **state)
{
    struct outbox *o CLEANUP(outbox_cleanup) = outbox_new();
    struct cards *c CLEANUP(cards_cleanup) = cards_new();
    struct sent s CLEANUP(sent_release) = { 0 };
    struct buf params CLEANUP(buf_release) = { 0 };
    Drover__Param p = DROVER__PARAM__INIT, *list = &p;
    Drover__Lease holder = DROVER__LEASE__INIT;
    struct store_ready r = { .job = 5000000000,
                             .kind = "noop",
                             .numeric_class = "packed-1",
                             .step = "a",
                             .labels = "",
                             .kind_version = 3,
                             .seed = UINT64_MAX,
                             .simple = true };
    size_t len;
    const Drover__Lease *l;

    (void)state;
    for (size_t i = 0; i < sizeof(r.key.b); i++)
        r.key.b[i] = (uint8_t)(255 - i);
    p.name = (char *)(uintptr_t) "points";
    p.value_case = DROVER__PARAM__VALUE_I;
    p.i = -3;
    holder.params = &list;
    holder.n_params = 1;
    len = drover__lease__get_packed_size(&holder);
    params.len = drover__lease__pack(&holder, (uint8_t *)buf_reserve(&params, len));
    r.params = params.data;
    r.params_len = params.len;
    cards_put(c, &r);
    const void *bytes = cards_get(c, r.job, &len);
    assert_non_null(bytes);
    outbox_lease(o, 1, bytes, len, UINT64_C(1) << 40, 4000000000);
    outbox_flush(o, take, &s);
    l = s.m[0]->lease;
    assert_true(l->job == r.job && l->attempt == UINT64_C(1) << 40 && l->epoch == 4000000000);
    assert_string_equal(l->kind, "noop");
    assert_string_equal(l->numeric_class, "packed-1");
    assert_true(l->kind_version == 3 && l->seed == UINT64_MAX && l->begin == 0 && l->end == 0);
    assert_int_equal(l->key.len, sizeof(r.key.b));
    assert_memory_equal(l->key.data, r.key.b, sizeof(r.key.b));
    assert_int_equal(l->n_params, 1);
    assert_string_equal(l->params[0]->name, "points");
    assert_true(l->params[0]->i == -3);
    assert_int_equal(l->n_inputs + l->n_finished, 0);
}

static void cards_of_other_jobs_and_long_ones_are_not_given(void **state)
{
    struct cards *c CLEANUP(cards_cleanup) = cards_new();
    char params[CARD_BYTES_MAX] = { 0 };
    struct store_ready r = { .job = 9,
                             .kind = "noop",
                             .numeric_class = "packed-1",
                             .params = params,
                             .params_len = sizeof(params),
                             .simple = true };
    size_t len;

    (void)state;
    cards_put(c, &r);
    assert_null(cards_get(c, 9, &len));
    r.params_len = 0;
    r.simple = false;
    cards_put(c, &r);
    assert_null(cards_get(c, 9, &len));
    assert_non_null(card(c, 9, &len));
    assert_null(cards_get(c, 9 + CARDS, &len));
    assert_non_null(card(c, 9 + CARDS, &len)); /* takes its place */
    assert_null(cards_get(c, 9, &len));
    cards_drop(c, 9);
    assert_non_null(cards_get(c, 9 + CARDS, &len));
    cards_drop(c, 9 + CARDS);
    assert_null(cards_get(c, 9 + CARDS, &len));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acks_and_leases_of_a_peer_travel_together),
        cmocka_unit_test(a_single_lease_is_a_lease),
        cmocka_unit_test(groups_are_bounded_by_number_and_bytes),
        cmocka_unit_test(codes_have_acks_of_their_own),
        cmocka_unit_test(a_cancel_comes_behind_the_lease_it_cancels),
        cmocka_unit_test(what_was_dropped_is_never_sent),
        cmocka_unit_test(a_message_that_breaks_a_rule_hurts_no_other),
        cmocka_unit_test(leases_alone_leave_before_the_rest),
        cmocka_unit_test(leases_do_not_leave_first_when_much_waits),
        cmocka_unit_test(many_peers_are_forgotten_when_they_are_served),
        cmocka_unit_test(a_card_says_what_the_job_says),
        cmocka_unit_test(cards_of_other_jobs_and_long_ones_are_not_given),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
