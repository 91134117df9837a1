/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: no text that a stranger chooses can make a second record, a second key or a broken quote.
 * Method: lines with known values compared byte by byte; then thousands of random texts, each line
 * read back by a small logfmt reader, which must find the keys of the format and the texts. */
#include "common/base/logfmt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/macros.h"
#include "common/base/rng.h"

static char line[2048];

PRINTF_LIKE(1, 2) static const char *print(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    size_t n = logfmt_vprint(line, sizeof(line), format, args);
    va_end(args);
    assert_int_equal(n, strlen(line));
    return line;
}

PRINTF_LIKE(2, 3) static const char *print_into(size_t size, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)logfmt_vprint(line, size, format, args);
    va_end(args);
    assert_true(strlen(line) < size);
    return line;
}

static void plain_values_are_as_printf_gives_them(void **state)
{
    (void)state;
    assert_string_equal(print("job=%llu worker=\"%s\" cause=%s", 7ULL, "w-1", "lost"),
                        "job=7 worker=\"w-1\" cause=lost");
    assert_string_equal(print("a=%d b=%5u c=%.1f d=%zu e=%016" PRIx64 " f=%ld g=%c h=%%", -1, 2U,
                              0.25, (size_t)9, UINT64_C(255), -5L, 'x'),
                        "a=-1 b=    2 c=0.2 d=9 e=00000000000000ff f=-5 g=x h=%");
    assert_string_equal(print("url=http://%s/metrics", "127.0.0.1:9"),
                        "url=http://127.0.0.1:9/metrics");
    assert_string_equal(print("t=\"%.3s\" u=%.*s", "abcdef", 2, "xyz"), "t=\"abc\" u=xy");
    assert_string_equal(print("%s", "a=1 b=\"2\""), "a=1 b=\"2\"");
    assert_string_equal(print("%s", ""), "");
}

static void texts_cannot_leave_their_value(void **state)
{
    (void)state;
    assert_string_equal(print("worker=\"%s\"", "x\" level=error event=\"fake"),
                        "worker=\"x\\\" level=error event=\\\"fake\"");
    assert_string_equal(print("worker=%s n=1", "x level=error"), "worker=\"x level=error\" n=1");
    assert_string_equal(print("worker=%s n=1", "x=1"), "worker=\"x=1\" n=1");
    assert_string_equal(print("worker=%s n=1", ""), "worker=\"\" n=1");
    assert_string_equal(print("t=\"%s\"", "a\nts=1\r\tb\x1b[2J\x7f\\"),
                        "t=\"a\\nts=1\\r\\tb\\x1b[2J\\x7f\\\\\"");
    assert_string_equal(print("url=http://%s/m", "a b\"=c\n"), "url=http://a_b__c_/m");
    assert_string_equal(print("%s", "a=1\nb=2"), "a=1\\nb=2");
    assert_string_equal(print("t=\"%s\"", "größer"), "t=\"größer\"");
}

static void a_line_that_is_cut_keeps_its_quotes(void **state)
{
    char text[400];

    (void)state;
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(strlen(print_into(64, "k=\"%s\" n=1", text)), 3 + 56 + 4);
    assert_string_equal(line + 59, "...\"");
    assert_int_equal(strlen(print_into(64, "k=%s", text)), 2 + 57 + 3);
    memset(text, '"', sizeof(text) - 1); /* never half an escape */
    print_into(64, "k=\"%s\"", text);
    assert_string_equal(line + strlen(line) - 6, "\\\"...\"");
    memcpy(text + 50, "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac", 15);
    memset(text, 'a', 50); /* nor half a character */
    print_into(64, "k=\"%s\"", text);
    assert_string_equal(line + 53, "\xe2\x82\xac...\"");
}

/* The value of the next pair of *AT into OUT; the key must be KEY. */
static void read_pair(const char **at, const char *key, char *out)
{
    const char *p = *at;
    size_t n = strlen(key);

    assert_int_equal(strncmp(p, key, n), 0);
    assert_int_equal(p[n], '=');
    p += n + 1;
    const bool quoted = *p == '"';
    for (p += quoted; *p && *p != (quoted ? '"' : ' '); p++) {
        assert_true((unsigned char)*p >= ' ' && *p != 0x7f);
        if (!quoted)
            assert_true(*p != '"' && *p != '=');
        if (*p != '\\' || !quoted) {
            *out++ = *p;
            continue;
        }
        p++;
        if (*p == 'x') {
            *out++ = (char)strtol((char[]){ p[1], p[2], 0 }, NULL, 16);
            p += 2;
        } else {
            *out++ = *p == 'n' ? '\n' : *p == 'r' ? '\r' : *p == 't' ? '\t' : *p;
        }
    }
    *out = '\0';
    assert_true(!quoted || *p == '"');
    p += quoted;
    assert_true(*p == ' ' || *p == '\0');
    *at = *p ? p + 1 : p;
}

static void whatever_a_text_holds_it_is_read_back(void **state)
{
    static const char likely[] = "\"\\= \n\r\tab\x01\x7f\xc3";
    struct rng r = rng_stream("logfmt", 7, 1);

    (void)state;
    for (int i = 0; i < 20000; i++) {
        char a[33], b[33], found[200];
        size_t an = rng_below(&r, 32), bn = rng_below(&r, 32);
        const char *at = line;

        for (size_t k = 0; k < an; k++)
            a[k] = likely[rng_below(&r, sizeof(likely) - 1)];
        for (size_t k = 0; k < bn; k++)
            b[k] = (char)(1 + rng_below(&r, 255));
        a[an] = b[bn] = '\0';
        print("one=%s two=\"%s\" three=%s four=\"%s\" five=%d", a, b, b, a, 5);
        assert_null(strpbrk(line, "\n\r"));
        read_pair(&at, "one", found);
        assert_string_equal(found, a);
        read_pair(&at, "two", found);
        assert_string_equal(found, b);
        read_pair(&at, "three", found);
        assert_string_equal(found, b);
        read_pair(&at, "four", found);
        assert_string_equal(found, a);
        read_pair(&at, "five", found);
        assert_string_equal(found, "5");
        assert_int_equal(*at, '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_values_are_as_printf_gives_them),
        cmocka_unit_test(texts_cannot_leave_their_value),
        cmocka_unit_test(a_line_that_is_cut_keeps_its_quotes),
        cmocka_unit_test(whatever_a_text_holds_it_is_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
