/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: digests are BLAKE2b-256, fields are framed, and the bytes that make a key never change.
 * Method: golden values computed with Python's hashlib; pairs that a missing frame would make
 * equal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/digest.h"
#include "common/base/macros.h"

#define EMPTY "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"
#define ABC   "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319"

static void plain_digests_are_blake2b_256(void **state)
{
    char hex[DIGEST_HEX];
    struct digest d = digest_of("abc", 3);

    (void)state;
    assert_string_equal(digest_hex(&d, hex), ABC);
    assert_true(digest_u64(&d) == UINT64_C(0xbddd813c63423972));
    d = digest_of("", 0);
    assert_string_equal(digest_hex(&d, hex), EMPTY);
}

static void framed_fields_have_a_golden_digest(void **state)
{
    struct digester m;
    struct digest d;
    char hex[DIGEST_HEX];

    (void)state;
    digest_begin(&m);
    digest_add_text(&m, "ab");
    digest_add_text(&m, "c");
    digest_add_bytes(&m, "\0\1\2", 3);
    digest_add_u64(&m, 7);
    digest_add_i64(&m, -7);
    digest_add_double(&m, 1.8);
    digest_add_double(&m, -0.0);
    d = digest_end(&m);
    assert_string_equal(digest_hex(&d, hex),
                        "b2aa64a36281f99e6b12301ae7b8a1efc839e18f74ab81fa01df9ffb779af21c");
}

static struct digest of_two(const char *a, const char *b)
{
    struct digester m;

    digest_begin(&m);
    digest_add_text(&m, a);
    digest_add_text(&m, b);
    return digest_end(&m);
}

static void fields_do_not_run_into_each_other(void **state)
{
    struct digest a = of_two("ab", "c"), b = of_two("a", "bc");
    struct digester m;
    struct digest u, i, bytes, text;

    (void)state;
    assert_false(digest_equal(&a, &b));
    digest_begin(&m);
    digest_add_u64(&m, 5);
    u = digest_end(&m);
    digest_begin(&m);
    digest_add_i64(&m, 5);
    i = digest_end(&m);
    assert_false(digest_equal(&u, &i));
    digest_begin(&m);
    digest_add_bytes(&m, "x", 1);
    bytes = digest_end(&m);
    digest_begin(&m);
    digest_add_text(&m, "x");
    text = digest_end(&m);
    assert_false(digest_equal(&bytes, &text));
}

static void raw_bytes_may_come_in_any_pieces(void **state)
{
    struct digester m;
    struct digest d, whole = digest_of("abc", 3);

    (void)state;
    digest_begin(&m);
    digest_raw(&m, "a", 1);
    digest_raw(&m, "", 0);
    digest_raw(&m, "bc", 2);
    d = digest_end(&m);
    assert_true(digest_equal(&d, &whole));
}

static void hex_is_parsed_back_and_checked(void **state)
{
    struct digest d = { { 0 } }, abc = digest_of("abc", 3);
    struct err err = { 0 };
    char bad[] = ABC;

    (void)state;
    assert_true(digest_is_zero(&d));
    assert_int_equal(digest_parse(ABC, &d, &err), 0);
    assert_true(digest_equal(&d, &abc));
    assert_false(digest_is_zero(&d));
    assert_int_equal(digest_parse("abc", &d, &err), ERR_INVALID);
    bad[10] = 'g';
    assert_int_equal(digest_parse(bad, &d, &err), ERR_INVALID);
    assert_true(digest_equal(&d, &abc));
}

static void file_has_the_digest_of_its_bytes(void **state)
{
    char path[] = "/tmp/test-digest-XXXXXX";
    struct err err = { 0 };
    struct digest d, abc = digest_of("abc", 3);
    uint64_t size = 0;
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "abc", 3), 3);
    close(fd);
    assert_int_equal(digest_file(path, &d, &size, &err), 0);
    assert_true(digest_equal(&d, &abc));
    assert_int_equal(size, 3);
    unlink(path);
    assert_int_equal(digest_file(path, &d, &size, &err), ERR_NOT_FOUND);
    assert_int_equal(digest_file("/tmp", &d, &size, &err), ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_digests_are_blake2b_256),
        cmocka_unit_test(framed_fields_have_a_golden_digest),
        cmocka_unit_test(fields_do_not_run_into_each_other),
        cmocka_unit_test(raw_bytes_may_come_in_any_pieces),
        cmocka_unit_test(hex_is_parsed_back_and_checked),
        cmocka_unit_test(file_has_the_digest_of_its_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
