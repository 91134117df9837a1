/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a connection file says where a coordinator is and keeps its secret; a torn, open or foreign
 * one is refused with the line. Method: files in a folder of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/net/connection.h"
#include "common/net/identity.h"
#include "tests/support/folder.h"

static char folder[64], path[96];

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/test-connection-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/cluster.connect", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    folder_remove(folder);
    return 0;
}

static struct connection sample(bool with_secret)
{
    struct connection c = { .endpoint = "tcp://login1.cluster:7077", .version = "0.1.0" };
    struct key_secret server;
    struct err err = { 0 };

    assert_int_equal(key_new("coordinator", &server, &err), 0);
    c.server = server.key;
    if (with_secret)
        assert_int_equal(key_new("pilots", &c.own, &err), 0);
    return c;
}

static void write_text(const char *text, mode_t mode)
{
    FILE *f = fopen(path, "we");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void what_is_saved_is_loaded(void **state)
{
    struct connection c = sample(true), back;
    struct err err = { 0 };
    struct stat st;

    (void)state;
    assert_int_equal(connection_save(path, &c, &err), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(connection_load(path, &back, &err), 0);
    assert_string_equal(back.endpoint, c.endpoint);
    assert_string_equal(back.version, c.version);
    assert_string_equal(back.server.text, c.server.text);
    assert_string_equal(back.own.secret, c.own.secret);
    c = sample(false);
    assert_int_equal(connection_save(path, &c, &err), 0); /* it may be replaced */
    assert_int_equal(connection_load(path, &back, &err), 0);
    assert_string_equal(back.own.key.text, "");
}

static void secret_that_others_may_read_is_refused(void **state)
{
    struct connection c = sample(true), back;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(connection_save(path, &c, &err), 0);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(connection_load(path, &back, &err), ERR_DENIED);
    assert_non_null(strstr(err.text, "chmod 600"));
    assert_null(strstr(err.text, c.own.secret));
    /* Without a secret anybody may have it. */
    c = sample(false);
    assert_int_equal(connection_save(path, &c, &err), 0);
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(connection_load(path, &back, &err), 0);
}

static void what_is_no_connection_file_is_refused_with_its_line(void **state)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        { "", "torn" },
        { "# only words\n", "torn" },
        { "drover-connect1 tcp://a:1\n", ":1:" },
        { "drover-connect1 http://a:1 0.1.0\n", ":1:" },
        { "drover-connect1 tcp://a:1 0.1.0 more\n", ":1:" },
        { "drover-connect1 tcp://a:1 0.1.0\ndrover-key1 coordinator short\n", ":2:" },
        { "drover-connect1 tcp://a:1 0.1.0\n\n#\ndrover-secret1 x y\n", ":4:" },
        { "drover-connect2 tcp://a:1 0.1.0\n", ":1:" },
        { "drover-connect1 tcp://a:1 0.1.0\n", "torn" }, /* its key is lost: no plaintext by that */
        { "drover-connect1 tcp://a:1 0.1.0\ndrover-plaintext\n", ":2:" },
    };
    struct connection back;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct err err = { 0 };

        write_text(bad[i].text, 0600);
        assert_int_equal(connection_load(path, &back, &err), ERR_INVALID);
        assert_non_null(strstr(err.text, bad[i].says));
        assert_string_equal(back.endpoint, "");
    }
    struct err err = { 0 };
    unlink(path);
    assert_int_equal(connection_load(path, &back, &err), ERR_NOT_FOUND);
}

static void plaintext_is_said_in_words(void **state)
{
    struct connection c = { .endpoint = "tcp://127.0.0.1:7077", .version = "0.1.0" }, back;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(connection_save(path, &c, &err), 0);
    assert_int_equal(connection_load(path, &back, &err), 0);
    assert_string_equal(back.server.text, "");
}

static void keys_of_the_file_go_before_those_of_the_surroundings(void **state)
{
    struct connection c = sample(true);
    struct identity_choice choice = { .file = &c };
    struct transport_keys keys;
    struct key_secret other;
    char other_path[128];
    struct err err = { 0 };

    (void)state;
    setenv("DROVER_KEY", "/nonexistent", 1);
    assert_int_equal(identity_find(&choice, c.endpoint, &keys, &err), 0);
    assert_string_equal(keys.own.secret, c.own.secret);
    assert_string_equal(keys.server.text, c.server.text);
    /* What is given by hand goes before all. */
    snprintf(other_path, sizeof(other_path), "%s/other.key", folder);
    assert_int_equal(key_new("other", &other, &err), 0);
    assert_int_equal(key_save(other_path, &other, &err), 0);
    choice.key = other_path;
    assert_int_equal(identity_find(&choice, c.endpoint, &keys, &err), 0);
    assert_string_equal(keys.own.secret, other.secret);
    unsetenv("DROVER_KEY");
}

int main(void)
{
#define TEST(F) cmocka_unit_test_setup_teardown(F, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_is_saved_is_loaded),
        TEST(secret_that_others_may_read_is_refused),
        TEST(what_is_no_connection_file_is_refused_with_its_line),
        TEST(plaintext_is_said_in_words),
        TEST(keys_of_the_file_go_before_those_of_the_surroundings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
