/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: keys survive their way through lines and files, and nothing else passes for one. Method:
 * what was written is read again; then every byte of a good line is changed, lines are cut, files
 * get other modes. */
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <zmq.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/net/key.h"
#include "tests/support/folder.h"

static int set_up(void **state)
{
    char folder[] = "/tmp/test-key-XXXXXX";

    assert_non_null(mkdtemp(folder));
    *state = mem_strdup(folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)folder_remove(*state);
    free(*state);
    return 0;
}

static char *in(void **state, const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", (const char *)*state, name);
    return path;
}

static struct key_secret made(const char *name)
{
    struct key_secret s;
    struct err err = { 0 };

    assert_int_equal(key_new(name, &s, &err), 0);
    return s;
}

static void put(const char *path, const char *text, mode_t mode)
{
    struct err err = { 0 };

    assert_int_equal(buf_write_file(path, text, strlen(text), &err), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void text_of_a_key_is_libzmqs(void **state)
{
    uint8_t raw[KEY_BYTES], again[KEY_BYTES], theirs[KEY_BYTES];
    char text[KEY_TEXT], expected[KEY_TEXT], public[KEY_TEXT];

    (void)state;
    for (unsigned round = 0; round < 200; round++) {
        struct key_secret s = made("x");

        assert_true(key_raw(s.secret, KEY_TEXT - 1, raw));
        assert_string_equal(key_to_text(raw, text), s.secret);
        assert_string_equal(zmq_z85_encode(expected, raw, KEY_BYTES), s.secret);
        assert_non_null(zmq_z85_decode(theirs, s.secret));
        assert_memory_equal(theirs, raw, KEY_BYTES);
        assert_int_equal(zmq_curve_public(public, s.secret), 0);
        assert_string_equal(public, s.key.text);
        assert_true(key_raw(s.key.text, KEY_TEXT - 1, again));
        assert_memory_not_equal(raw, again, KEY_BYTES);
    }
    memset(raw, 0xff, sizeof(raw));
    assert_true(key_raw(key_to_text(raw, text), KEY_TEXT - 1, again));
    assert_memory_equal(raw, again, KEY_BYTES);
    assert_false(
        key_raw("%nSc1%nSc1%nSc1%nSc1%nSc1%nSc1%nSc1%nSc1", KEY_TEXT - 1, again)); /* 2^32 */
    assert_false(key_raw(text, KEY_TEXT - 2, again));
}

static void line_comes_back_and_no_other_passes(void **state)
{
    struct key_secret s = made("ada@lab-1.example_x");
    struct key k;
    struct err err = { 0 };
    char line[KEY_LINE_MAX], spoilt[KEY_LINE_MAX + 8];
    size_t len = strlen(key_line(&s.key, line));

    (void)state;
    assert_int_equal(key_parse(line, len, &k, &err), 0);
    assert_memory_equal(&k, &s.key, sizeof(k));
    snprintf(spoilt, sizeof(spoilt), "  %s\r\n", line);
    assert_int_equal(key_parse(spoilt, strlen(spoilt), &k, &err), 0);
    for (size_t cut = 0; cut < len; cut++)
        assert_int_equal(key_parse(line, cut, &k, &err), ERR_INVALID);
    for (size_t i = 0; i < len; i++) {
        memcpy(spoilt, line, len + 1);
        spoilt[i] = '\0';
        assert_int_equal(key_parse(spoilt, len, &k, &err), ERR_INVALID);
        spoilt[i] = '"';
        assert_int_equal(key_parse(spoilt, len, &k, &err), ERR_INVALID);
    }
}

static void names_are_plain_words(void **state)
{
    static const char *const bad[] = {
        "",
        "two words",
        "a/b",
        "-o",
        "\xc3\xa9",
        "a\nb",
        "12345678901234567890123456789012345678901234567890123456789012345"
    };
    struct key_secret s;
    struct err err = { 0 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(key_new(bad[i], &s, &err), ERR_INVALID);
}

static void file_comes_back_and_is_for_one_user(void **state)
{
    struct key_secret s = made("ada"), again;
    struct stat st;
    struct err err = { 0 };
    const char *path = in(state, "key");

    umask(0);
    assert_int_equal(key_save(path, &s, &err), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(key_load(path, &again, &err), 0);
    assert_memory_equal(&s, &again, sizeof(s));
    for (mode_t bit = 01; bit <= 040; bit <<= 1) {
        assert_int_equal(chmod(path, 0600 | bit), 0);
        assert_int_equal(key_load(path, &again, &err), ERR_DENIED);
        assert_non_null(strstr(err.text, "chmod 600"));
        assert_null(strstr(err.text, s.secret));
    }
}

/* In a process of its own, which ceases to be root: may user 65534 of group GROUP load PATH? */
static int loads_as_nobody(const char *path, gid_t group)
{
    pid_t pid = fork();
    int status = 0;

    if (pid == 0) {
        struct key_secret s;
        struct err err = { 0 };

        if (setgroups(1, &group) || setgid(65534) || setuid(65534))
            _exit(99);
        _exit(key_load(path, &s, &err) == 0 ? 0 : err.code == ERR_DENIED ? 1 : 2);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void a_file_that_root_lent_to_a_group_is_believed(void **state)
{
    struct key_secret s = made("pilots");
    struct err err = { 0 };
    const char *path = in(state, "key");

    if (geteuid() != 0)
        skip();
    assert_int_equal(key_save(path, &s, &err), 0);
    assert_int_equal(chmod(*state, 0755), 0);
    assert_int_equal(chown(path, 0, 4711), 0);
    assert_int_equal(chmod(path, 0440), 0);
    assert_int_equal(loads_as_nobody(path, 4711), 0);
    assert_int_equal(loads_as_nobody(path, 4712), 1);
    assert_int_equal(chmod(path, 0460), 0);
    assert_int_equal(loads_as_nobody(path, 4711), 1);
    assert_int_equal(chmod(path, 0444), 0);
    assert_int_equal(loads_as_nobody(path, 4711), 1);
    assert_int_equal(chown(path, 65534, 4711), 0); /* its own: it could have closed it */
    assert_int_equal(chmod(path, 0440), 0);
    assert_int_equal(loads_as_nobody(path, 4711), 1);
}

static void key_is_never_overwritten(void **state)
{
    struct key_secret s = made("ada"), other = made("eve"), again;
    struct err err = { 0 };
    const char *path = in(state, "key");

    assert_int_equal(key_save(path, &s, &err), 0);
    assert_int_equal(key_save(path, &other, &err), ERR_CONFLICT);
    assert_int_equal(key_load(path, &again, &err), 0);
    assert_string_equal(again.secret, s.secret);
    assert_int_equal(key_save(in(state, "no/such/folder"), &s, &err), ERR_NOT_FOUND);
}

static void torn_and_mixed_files_are_refused(void **state)
{
    struct key_secret s = made("ada"), other = made("eve"), again;
    struct err err = { 0 };
    char text[512], cut[512];
    int len = snprintf(text, sizeof(text), "# a comment\n\ndrover-secret1 ada %s %s\n", s.key.text,
                       s.secret);

    for (int n = 0; n < len - 1; n++) {
        int rc;

        snprintf(cut, (size_t)n + 1, "%s", text);
        rc = key_parse_secret(cut, (size_t)n, &again, &err);
        assert_int_equal(rc, ERR_INVALID); /* the comment is the file's, not the line's */
        put(in(state, "torn"), cut, 0600);
        assert_int_equal(key_load(in(state, "torn"), &again, &err), ERR_INVALID);
        assert_null(strstr(err.text, s.secret));
    }
    put(in(state, "whole"), text, 0600);
    assert_int_equal(key_load(in(state, "whole"), &again, &err), 0);
    snprintf(text, sizeof(text), "drover-secret1 ada %s %s", s.key.text, other.secret);
    put(in(state, "mixed"), text, 0600);
    assert_int_equal(key_load(in(state, "mixed"), &again, &err), ERR_INVALID);
    assert_int_equal(key_load(in(state, "none"), &again, &err), ERR_NOT_FOUND);
    assert_int_equal(key_load(*state, &again, &err), ERR_INVALID);
}

static void secret_is_no_public_line_and_the_other_way_round(void **state)
{
    struct key_secret s = made("ada");
    struct key k;
    struct err err = { 0 };

    assert_int_equal(key_save(in(state, "key"), &s, &err), 0);
    assert_int_equal(key_read(in(state, "key"), &k, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "secret key"));
    assert_int_equal(key_save_line(in(state, "line"), &s.key, &err), 0);
    assert_int_equal(key_read(in(state, "line"), &k, &err), 0);
    assert_string_equal(k.text, s.key.text);
    assert_int_equal(chmod(in(state, "line"), 0600), 0);
    assert_int_equal(key_load(in(state, "line"), &s, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "public half"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(text_of_a_key_is_libzmqs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(line_comes_back_and_no_other_passes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_are_plain_words, set_up, tear_down),
        cmocka_unit_test_setup_teardown(file_comes_back_and_is_for_one_user, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_root_lent_to_a_group_is_believed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(key_is_never_overwritten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(torn_and_mixed_files_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(secret_is_no_public_line_and_the_other_way_round, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
