/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: only the page of this server, and who has the token, may ask. Method: a table of what
 * browsers, tunnels, command lines and pages of strangers send; token files of all kinds of wrong;
 * a comparison of secrets against strcmp on all pairs of nearby texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/macros.h"
#include "dashboards/auth.h"
#include "tests/support/folder.h"

#define TOKEN "0123456789abcdef"

static const struct auth open_ = { 0 }, keyed = { .token = TOKEN },
                         named = { .hosts = { "cluster.lab", "192.168.1.5" }, .hosts_len = 2 },
                         wide = { .any_address = true, .token = TOKEN };
static const struct {
    const struct auth *auth;
    struct auth_claims c;
    bool api;
    int status;
} cases[] = {
    { &open_, { .host = "localhost:8420" }, true, 0 },
    { &open_, { .host = "LOCALHOST" }, true, 0 },
    { &open_, { .host = "127.0.0.1:8420" }, true, 0 },
    { &open_, { .host = "[::1]:8420" }, true, 0 },
    { &open_, { .host = "[::1]" }, true, 0 },
    { &open_, { .host = "localhost:9999" }, true, 0 }, /* a tunnel's own port */
    /* names of strangers that were pointed at us */
    { &open_, { .host = "evil.example:8420" }, true, 421 },
    { &open_, { .host = "evil.example" }, false, 421 },
    { &open_, { .host = "localhost.evil.example" }, true, 421 },
    { &open_, { .host = "127.0.0.1.evil.example" }, true, 421 },
    { &open_, { .host = "192.168.1.5:8420" }, true, 421 },
    { &open_, { .host = "" }, true, 421 },
    { &open_, { .host = NULL }, true, 421 },
    { &open_, { .host = "localhost", .host_twice = true }, true, 421 },
    { &open_, { .host = "localhost:84x0" }, true, 421 },
    { &open_, { .host = "localhost:" }, true, 0 },
    { &open_, { .host = "localhost:842000" }, true, 421 },
    { &open_, { .host = "[::1" }, true, 421 },
    { &open_, { .host = "[::1]x" }, true, 421 },
    { &open_, { .host = ":8420" }, true, 421 },
    { &open_, { .host = "localhost@evil" }, true, 421 },
    { &named, { .host = "cluster.lab:8420" }, true, 0 },
    { &named, { .host = "Cluster.Lab" }, true, 0 },
    { &named, { .host = "192.168.1.5" }, true, 0 },
    { &named, { .host = "cluster.lab.evil" }, true, 421 },
    { &wide, { .host = "10.0.0.7:8420", .authorization = "Bearer " TOKEN }, true, 0 },
    { &wide, { .host = "node7:8420", .authorization = "Bearer " TOKEN }, true, 421 },
    /* origins */
    { &open_, { .host = "localhost:8420", .origin = "http://localhost:8420" }, true, 0 },
    { &open_, { .host = "localhost:8420", .origin = "https://localhost:8420" }, true, 0 },
    { &open_, { .host = "localhost:8420", .origin = "http://localhost:8421" }, true, 403 },
    { &open_, { .host = "localhost:8420", .origin = "http://127.0.0.1:8420" }, true, 403 },
    { &open_, { .host = "localhost:8420", .origin = "http://evil.example" }, true, 403 },
    { &open_, { .host = "localhost:8420", .origin = "null" }, true, 403 },
    { &open_, { .host = "localhost:8420", .origin = "" }, true, 403 },
    { &open_, { .host = "localhost:8420", .origin = "file://localhost:8420" }, true, 403 },
    { &open_, { .host = "localhost", .origin = "http://localhost.evil" }, true, 403 },
    /* where a browser says that the request comes from */
    { &open_, { .host = "localhost", .site = "same-origin" }, true, 0 },
    { &open_, { .host = "localhost", .site = "none" }, true, 0 },
    { &open_, { .host = "localhost", .site = "cross-site" }, true, 403 },
    { &open_, { .host = "localhost", .site = "same-site" }, true, 403 },
    { &open_, { .host = "localhost", .site = "cross-site" }, false, 0 }, /* a link to the page */
    /* tokens */
    { &keyed, { .host = "localhost" }, false, 0 },
    { &keyed, { .host = "localhost" }, true, 401 },
    { &keyed, { .host = "localhost", .authorization = "Bearer " TOKEN }, true, 0 },
    { &keyed, { .host = "localhost", .authorization = "bearer " TOKEN }, true, 0 },
    { &keyed, { .host = "localhost", .authorization = "Bearer " TOKEN "x" }, true, 401 },
    { &keyed, { .host = "localhost", .authorization = "Bearer 0123456789abcde" }, true, 401 },
    { &keyed, { .host = "localhost", .authorization = "Bearer " }, true, 401 },
    { &keyed, { .host = "localhost", .authorization = "Bearer" }, true, 401 },
    { &keyed, { .host = "localhost", .authorization = TOKEN }, true, 401 },
    { &keyed, { .host = "localhost", .authorization = "Basic " TOKEN }, true, 401 },
    { &keyed, { .host = "evil", .authorization = "Bearer " TOKEN }, true, 421 },
};

static void claims_decide(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = { 0 };
        int status = auth_check(cases[i].auth, &cases[i].c, cases[i].api, &err);

        if (status != cases[i].status)
            fail_msg("case %zu: %d, not %d (%s)", i, status, cases[i].status, err.text);
        assert_int_equal(status != 0, err.text[0] != '\0');
        if (strstr(err.text, TOKEN))
            fail_msg("case %zu tells the token", i);
    }
}

static void secrets_are_compared_right(void **state)
{
    static const char *const texts[] = { "",    "a",   "b",         "ab",
                                         "ba",  "aa",  "aaa",       "abab",
                                         "aba", TOKEN, TOKEN TOKEN, "0123456789abcdeg" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        for (size_t k = 0; k < ARRAY_LEN(texts); k++)
            assert_int_equal(auth_same(texts[i], texts[k]), strcmp(texts[i], texts[k]) == 0);
    }
}

static int read_file(const char *folder, const char *text, mode_t mode, struct auth *a,
                     struct err *err)
{
    char path[256];
    FILE *f;

    (void)snprintf(path, sizeof path, "%s/token", folder);
    (void)unlink(path);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0 && fclose(f) == 0 && chmod(path, mode) == 0);
    return auth_read_token(a, path, err);
}

static void token_files_are_looked_at(void **state)
{
    char folder[] = "/tmp/drover-auth-XXXXXX", long_[AUTH_TOKEN_MAX + 2], path[256];
    struct auth a = { 0 };
    struct err err = { 0 };

    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(read_file(folder, TOKEN "\n", 0600, &a, &err), 0);
    assert_string_equal(a.token, TOKEN);
    assert_int_equal(read_file(folder, TOKEN, 0400, &a, &err), 0);
    assert_int_equal(read_file(folder, TOKEN "\n", 0640, &a, &err), ERR_DENIED);
    assert_int_equal(read_file(folder, TOKEN "\n", 0604, &a, &err), ERR_DENIED);
    assert_int_equal(read_file(folder, "0123456789abcde\n", 0600, &a, &err), ERR_INVALID);
    assert_int_equal(read_file(folder, "", 0600, &a, &err), ERR_INVALID);
    assert_int_equal(read_file(folder, TOKEN " x\n", 0600, &a, &err), ERR_INVALID);
    assert_int_equal(read_file(folder, TOKEN "\n" TOKEN "\n", 0600, &a, &err), ERR_INVALID);
    assert_int_equal(read_file(folder, TOKEN "\xc3\xa4", 0600, &a, &err), ERR_INVALID);
    memset(long_, 'x', sizeof long_ - 1);
    long_[sizeof long_ - 1] = '\0';
    assert_int_equal(read_file(folder, long_, 0600, &a, &err), ERR_INVALID);
    long_[AUTH_TOKEN_MAX] = '\0';
    assert_int_equal(read_file(folder, long_, 0600, &a, &err), 0);
    (void)snprintf(path, sizeof path, "%s/none", folder);
    assert_int_equal(auth_read_token(&a, path, &err), ERR_NOT_FOUND);
    assert_int_equal(chmod(folder, 0700), 0);
    assert_int_equal(auth_read_token(&a, folder, &err), ERR_INVALID);
    assert_int_equal(folder_remove(folder), 0);
}

static void names_and_addresses_are_told_apart(void **state)
{
    struct auth a = { 0 };
    struct err err = { 0 };

    (void)state;
    assert_true(auth_is_loopback("127.0.0.1") && auth_is_loopback("127.3.2.1") &&
                auth_is_loopback("::1"));
    assert_false(auth_is_loopback("0.0.0.0") || auth_is_loopback("::") ||
                 auth_is_loopback("128.0.0.1") || auth_is_loopback("localhost"));
    assert_int_equal(auth_add_host(&a, "node-7.lab", &err), 0);
    assert_int_equal(auth_add_host(&a, "fe80::1", &err), 0);
    assert_int_equal(auth_add_host(&a, "node:8420", &err), ERR_INVALID);
    assert_int_equal(auth_add_host(&a, "http://node", &err), ERR_INVALID);
    assert_int_equal(auth_add_host(&a, "", &err), ERR_INVALID);
    while (a.hosts_len < AUTH_HOSTS_MAX)
        assert_int_equal(auth_add_host(&a, "x", &err), 0);
    assert_int_equal(auth_add_host(&a, "y", &err), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(claims_decide),
        cmocka_unit_test(secrets_are_compared_right),
        cmocka_unit_test(token_files_are_looked_at),
        cmocka_unit_test(names_and_addresses_are_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
