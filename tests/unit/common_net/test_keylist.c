/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a store's list of keys changes whole or not at all, and a running coordinator follows it.
 * Method: a folder of its own; edits as drover key makes them, and as an editor might; a reader
 * that asks while another thread writes. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/net/keylist.h"
#include "common/net/keyring.h"
#include "common/wire/roles.h"
#include "tests/support/folder.h"

struct world {
    char folder[32], store[48];
};

static int set_up(void **state)
{
    struct world *w = mem_calloc(1, sizeof(*w));

    snprintf(w->folder, sizeof(w->folder), "/tmp/test-keylist-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    snprintf(w->store, sizeof(w->store), "%s/x.db", w->folder);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    (void)folder_remove(w->folder);
    free(w);
    return 0;
}

static struct key key_named(const char *name)
{
    struct key_secret s;
    struct err err = { 0 };

    assert_int_equal(key_new(name, &s, &err), 0);
    return s.key;
}

static const char *path_of(const struct world *w, const char *name)
{
    static struct buf path;

    buf_clear(&path);
    return keys_path(w->store, name, &path);
}

static unsigned roles_of(const struct world *w, const char *name)
{
    struct keylist l CLEANUP(keylist_release) = { 0 };
    struct err err = { 0 };

    assert_int_equal(keys_list(w->store, &l, &err), 0);
    for (size_t i = 0; i < l.len; i++)
        if (strcmp(l.v[i].key.name, name) == 0)
            return l.v[i].roles;
    return 0;
}

static void first_start_makes_everything_and_a_second_nothing(void **state)
{
    struct world *w = *state;
    struct buf before CLEANUP(buf_release) = { 0 };
    struct buf after CLEANUP(buf_release) = { 0 };
    struct stat st;
    struct err err = { 0 };

    assert_int_equal(keys_make(w->store, &err), 0);
    assert_int_equal(stat(path_of(w, "."), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(roles_of(w, KEYS_LOCAL), ROLE_ADMIN | ROLE_WORK);
    assert_int_equal(buf_read_file(&before, path_of(w, "local.key"), 4096, &err), 0);
    assert_int_equal(keys_make(w->store, &err), 0);
    assert_int_equal(buf_read_file(&after, path_of(w, "local.key"), 4096, &err), 0);
    assert_string_equal(buf_str(&before), buf_str(&after));
}

static void removed_local_key_is_made_anew_and_the_old_one_is_out(void **state)
{
    struct world *w = *state;
    struct key_secret old, new;
    struct keylist l CLEANUP(keylist_release) = { 0 };
    struct err err = { 0 };

    assert_int_equal(keys_make(w->store, &err), 0);
    assert_int_equal(key_load(path_of(w, "local.key"), &old, &err), 0);
    assert_int_equal(unlink(path_of(w, "local.key")), 0);
    assert_int_equal(keys_make(w->store, &err), 0);
    assert_int_equal(key_load(path_of(w, "local.key"), &new, &err), 0);
    assert_string_not_equal(old.key.text, new.key.text);
    assert_int_equal(keys_list(w->store, &l, &err), 0);
    assert_int_equal(l.len, 1);
    assert_string_equal(l.v[0].key.text, new.key.text);
}

static void open_folder_is_refused(void **state)
{
    struct world *w = *state;
    struct err err = { 0 };

    assert_int_equal(keys_make(w->store, &err), 0);
    assert_int_equal(chmod(path_of(w, "."), 0750), 0);
    assert_int_equal(keys_make(w->store, &err), ERR_DENIED);
    assert_non_null(strstr(err.text, "chmod 700"));
}

static void keys_are_allowed_changed_and_revoked(void **state)
{
    struct world *w = *state;
    struct key ada = key_named("ada"), eve = key_named("eve"), ada2 = key_named("ada");
    struct keylist_row row;
    struct err err = { 0 };

    assert_int_equal(keys_allow(w->store, &ada, ROLE_VIEW, &err), 0);
    assert_int_equal(keys_allow(w->store, &eve, ROLE_WORK, &err), 0);
    assert_int_equal(keys_allow(w->store, &ada, ROLE_SUBMIT | ROLE_WORK, &err), 0);
    assert_int_equal(roles_of(w, "ada"), ROLE_SUBMIT | ROLE_WORK);
    assert_int_equal(keys_allow(w->store, &ada2, ROLE_VIEW, &err), ERR_CONFLICT);
    assert_int_equal(keys_revoke(w->store, "evee", NULL, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "did you mean eve"));
    assert_int_equal(keys_revoke(w->store, eve.text, &row, &err), 0);
    assert_string_equal(row.key.name, "eve");
    assert_int_equal(roles_of(w, "eve"), 0);
    assert_int_equal(keys_revoke(w->store, KEYS_LOCAL, NULL, &err), ERR_INVALID);
    assert_int_equal(roles_of(w, "ada"), ROLE_SUBMIT | ROLE_WORK);
}

static void list_with_a_fault_is_named_by_its_line(void **state)
{
    struct key k = key_named("ada");
    struct keylist l;
    struct err err = { 0 };
    char text[512], line[KEY_LINE_MAX];
    static const char *const bad[] = { "view",      "view drover-key1 ada x", "king %s",
                                       "view,, %s", "view %s yesterday",      "drover-key1 ada" };

    (void)state;
    snprintf(text, sizeof(text), "# x\n\n  view,work %s 2026-11-22T13:20:00Z\r\n",
             key_line(&k, line));
    assert_int_equal(keylist_parse(text, strlen(text), "f", &l, &err), 0);
    assert_int_equal(l.len, 1);
    keylist_release(&l);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        size_t n = (size_t)snprintf(
            text, sizeof(text), "# x\n%.*s%s%s\n", (int)strcspn(bad[i], "%"), bad[i],
            strchr(bad[i], '%') ? line : "", strchr(bad[i], '%') ? strchr(bad[i], '%') + 2 : "");

        assert_int_equal(keylist_parse(text, n, "f", &l, &err), ERR_INVALID);
        assert_memory_equal(err.text, "f:2: ", 5);
        assert_int_equal(l.len, 0);
    }
    snprintf(text, sizeof(text), "view %s\nwork %s\n", line, line);
    assert_int_equal(keylist_parse(text, strlen(text), "f", &l, &err), ERR_INVALID);
}

static void ring_follows_its_file_and_keeps_the_last_good_list(void **state)
{
    struct world *w = *state;
    struct key ada = key_named("ada");
    struct keyring *r = NULL;
    struct keyring_news news;
    struct keylist_row row;
    struct err err = { 0 };

    assert_int_equal(keys_make(w->store, &err), 0);
    assert_int_equal(keyring_open(&r, path_of(w, "allowed"), &err), 0);
    assert_false(keyring_find(r, ada.text, &row));
    assert_int_equal(keys_allow(w->store, &ada, ROLE_VIEW, &err), 0);
    keyring_look(r);
    assert_true(keyring_find(r, ada.text, &row));
    assert_int_equal(row.roles, ROLE_VIEW);
    assert_true(keyring_take(r, &news));
    assert_int_equal(news.what, KEYRING_ALLOWED);
    assert_int_equal(buf_write_file(path_of(w, "allowed"), "view nonsense\n", 14, &err), 0);
    keyring_look(r);
    keyring_look(r);
    assert_true(keyring_find(r, ada.text, &row));
    assert_true(keyring_take(r, &news));
    assert_int_equal(news.what, KEYRING_BROKEN);
    assert_false(keyring_take(r, &news)); /* told once */
    assert_int_equal(unlink(path_of(w, "allowed")), 0);
    keyring_look(r);
    assert_true(keyring_find(r, ada.text, &row));
    assert_int_equal(keys_make(w->store, &err), 0); /* a new list, without ada */
    keyring_look(r);
    assert_false(keyring_find(r, ada.text, &row));
    keyring_free(r);
}

struct race {
    struct world *w;
    struct keyring *r;
    struct key ada;
    atomic_bool over;
};

static void *asks(void *arg)
{
    struct race *race = arg;

    while (!atomic_load(&race->over)) {
        struct keylist_row row;
        struct keyring_news news;

        keyring_look(race->r);
        if (keyring_find(race->r, race->ada.text, &row) && row.roles != ROLE_VIEW)
            abort();
        (void)keyring_take(race->r, &news);
    }
    return NULL;
}

static void readers_and_a_writer_do_not_disturb_each_other(void **state)
{
    struct race race = { .w = *state, .ada = key_named("ada") };
    pthread_t threads[3];
    struct keylist_row row;
    struct err err = { 0 };

    assert_int_equal(keys_make(race.w->store, &err), 0);
    assert_int_equal(keyring_open(&race.r, path_of(race.w, "allowed"), &err), 0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, asks, &race), 0);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(keys_allow(race.w->store, &race.ada, ROLE_VIEW, &err), 0);
        assert_int_equal(keys_revoke(race.w->store, "ada", NULL, &err), 0);
    }
    atomic_store(&race.over, true);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        (void)pthread_join(threads[i], NULL);
    keyring_look(race.r);
    assert_false(keyring_find(race.r, race.ada.text, &row));
    keyring_free(race.r);
}

int main(void)
{
#define TEST(F) cmocka_unit_test_setup_teardown(F, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(first_start_makes_everything_and_a_second_nothing),
        TEST(removed_local_key_is_made_anew_and_the_old_one_is_out),
        TEST(open_folder_is_refused),
        TEST(keys_are_allowed_changed_and_revoked),
        TEST(list_with_a_fault_is_named_by_its_line),
        TEST(ring_follows_its_file_and_keeps_the_last_good_list),
        TEST(readers_and_a_writer_do_not_disturb_each_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
