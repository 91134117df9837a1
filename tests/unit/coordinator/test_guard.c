/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a message reaches the decoder only from a key that is allowed now and has the role for it;
 * what is refused is noted, in bounded room. Method: events by hand, a store's keys in a folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/net/keylist.h"
#include "common/net/keyring.h"
#include "common/wire/wire.h"
#include "coordinator/guard.h"
#include "tests/support/folder.h"

struct world {
    char folder[32], store[48];
    struct guard *g;
    struct key ada;
    unsigned wakes;
};

static void wake(void *arg)
{
    ((struct world *)arg)->wakes++;
}

static void no_line(const char *line, void *arg)
{
    (void)line;
    (void)arg;
}

static struct world *open_world(bool insecure)
{
    struct world *w = mem_calloc(1, sizeof(*w));
    struct key_secret s;
    struct err err = { 0 };

    log_set_sink(no_line, NULL);
    snprintf(w->folder, sizeof(w->folder), "/tmp/test-guard-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    snprintf(w->store, sizeof(w->store), "%s/x", w->folder);
    assert_int_equal(guard_open(&w->g, w->store, insecure, wake, w, &err), 0);
    assert_int_equal(key_new("ada", &s, &err), 0);
    w->ada = s.key;
    return w;
}

static int set_up(void **state)
{
    *state = open_world(false);
    return 0;
}

static int set_up_insecure(void **state)
{
    *state = open_world(true);
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    guard_free(w->g);
    (void)folder_remove(w->folder);
    free(w);
    return 0;
}

/* A message of KEY, as the transport would tell it. */
static int send(struct world *w, const char *key, Drover__Envelope__BodyCase body, void *message,
                struct guard_sender *who, struct err *err)
{
    struct buf b CLEANUP(buf_release) = { 0 };
    struct transport_event e = { .type = TRANSPORT_MESSAGE,
                                 .peer = 5,
                                 .why = "",
                                 .key = key,
                                 .address = "10.0.0.7",
                                 .count = 1 };

    assert_int_equal(wire_encode(&b, body, message, 77, err), 0);
    e.bytes = b.data;
    e.len = b.len;
    return guard_admit(w->g, ROLES_MAIN, &e, who, err);
}

static int ask_status(struct world *w, const char *key, struct guard_sender *who, struct err *err)
{
    Drover__StatusRequest m = DROVER__STATUS_REQUEST__INIT;

    return send(w, key, DROVER__ENVELOPE__BODY_STATUS_REQUEST, &m, who, err);
}

static void allow(struct world *w, unsigned roles)
{
    struct err err = { 0 };

    if (roles)
        assert_int_equal(keys_allow(w->store, &w->ada, roles, &err), 0);
    else
        assert_int_equal(keys_revoke(w->store, "ada", NULL, &err), 0);
    keyring_look(guard_keys(w->g)->allowed);
}

static void role_decides_and_a_revoked_key_is_refused_at_once(void **state)
{
    struct world *w = *state;
    struct guard_sender who;
    struct err err = { 0 };

    assert_int_equal(ask_status(w, w->ada.text, &who, &err), ERR_DENIED);
    assert_int_equal(who.request, 77);
    allow(w, ROLE_VIEW);
    assert_int_equal(ask_status(w, w->ada.text, &who, &err), 0);
    assert_string_equal(who.name, "ada");
    allow(w, ROLE_WORK);
    assert_int_equal(ask_status(w, w->ada.text, &who, &err), ERR_DENIED);
    assert_non_null(strstr(err.text, "takes the role view"));
    allow(w, ROLE_ADMIN);
    assert_int_equal(ask_status(w, w->ada.text, &who, &err), 0);
    assert_int_equal(guard_verb(w->g, &who, DROVER__CONTROL__VERB__DRAIN, &err), 0);
    allow(w, 0);
    assert_int_equal(ask_status(w, w->ada.text, &who, &err), ERR_DENIED);
    assert_int_equal(ask_status(w, "", &who, &err), ERR_DENIED); /* no key at all */
}

static void verb_needs_its_role(void **state)
{
    struct world *w = *state;
    const struct guard_sender viewer = { .name = "v", .address = "10.0.0.7", .roles = ROLE_VIEW };
    const struct guard_sender user = { .name = "u", .address = "10.0.0.7", .roles = ROLE_SUBMIT };
    struct err err = { 0 };

    assert_int_equal(guard_verb(w->g, &viewer, DROVER__CONTROL__VERB__WHY, &err), 0);
    assert_int_equal(guard_verb(w->g, &viewer, DROVER__CONTROL__VERB__PAUSE, &err), ERR_DENIED);
    assert_int_equal(guard_verb(w->g, &user, DROVER__CONTROL__VERB__PAUSE, &err), 0);
    assert_int_equal(guard_verb(w->g, &user, DROVER__CONTROL__VERB__DRAIN, &err), ERR_DENIED);
}

static void flood_of_refusals_leaves_few_notes(void **state)
{
    struct world *w = *state;
    struct guard_sender who;
    struct guard_note n;
    struct err err = { 0 };
    unsigned refused = 0;

    for (int i = 0; i < 10000; i++)
        assert_int_equal(ask_status(w, w->ada.text, &who, &err), ERR_DENIED);
    assert_true(w->wakes > 0);
    while (guard_take(w->g, &n)) {
        assert_string_equal(n.what, "refused");
        assert_string_equal(n.address, "10.0.0.7");
        refused++;
    }
    assert_int_equal(refused, 1);
    assert_true(guard_wait_ms(w->g) <= 60000); /* the others come, counted */
}

static void deeds_and_changes_of_keys_are_noted(void **state)
{
    struct world *w = *state;
    const struct guard_sender user = { .name = "u", .address = "10.0.0.7", .roles = ROLE_SUBMIT };
    struct guard_note n;

    guard_deed(w->g, &user, "submit", "x: 3 jobs");
    allow(w, ROLE_VIEW);
    assert_true(guard_take(w->g, &n));
    assert_string_equal(n.who, "u");
    assert_string_equal(n.role, "submit");
    assert_string_equal(n.what, "submit");
    assert_true(guard_take(w->g, &n));
    assert_string_equal(n.what, "key");
    assert_non_null(strstr(n.text, "ada (view) allowed"));
    assert_false(guard_take(w->g, &n));
}

static void insecure_asks_nobody_but_still_looks_at_kinds(void **state)
{
    struct world *w = *state;
    Drover__Welcome welcome = DROVER__WELCOME__INIT;
    struct guard_sender who;
    struct err err = { 0 };

    assert_int_equal(ask_status(w, "", &who, &err), 0);
    assert_string_equal(who.name, "anybody");
    assert_int_equal(send(w, "", DROVER__ENVELOPE__BODY_WELCOME, &welcome, &who, &err), ERR_PROTO);
    assert_true(guard_keys(w->g)->insecure);
}

int main(void)
{
#define TEST(F) cmocka_unit_test_setup_teardown(F, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(role_decides_and_a_revoked_key_is_refused_at_once),
        TEST(verb_needs_its_role),
        TEST(flood_of_refusals_leaves_few_notes),
        TEST(deeds_and_changes_of_keys_are_noted),
        cmocka_unit_test_setup_teardown(insecure_asks_nobody_but_still_looks_at_kinds,
                                        set_up_insecure, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
