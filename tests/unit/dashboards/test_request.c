/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: an address is understood as request.h says, or refused with a reason; nothing that a
 * stranger sends reads or writes outside its text. Method: tables of addresses with their parts and
 * parameters, and of refused ones; every truncation and a few hundred thousand random addresses out
 * of nasty pieces, each decoded a second time by a twin of the decoder that is written differently.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/rng.h"
#include "dashboards/request.h"

static struct request r;

static int parse(const char *text, struct err *err)
{
    /* On the heap without a NUL, so that a sanitizer sees who reads behind the end. */
    size_t len = strlen(text);
    char *copy = malloc(len ? len : 1);

    assert_non_null(copy);
    memcpy(copy, text, len);
    int rc = request_parse(&r, copy, len, err);
    free(copy);
    return rc;
}

static void addresses_are_taken_apart(void **state)
{
    static const struct {
        const char *text, *path, *args; /* parts joined by '|', "name=value" joined by '|' */
    } cases[] = {
        { "/", "", "" },
        { "/api/v1/experiments/3/runs", "api|v1|experiments|3|runs", "" },
        { "/a?x=1&y=2", "a", "x=1|y=2" },
        { "/a?filter=seed~eq~1&filter=lr~lt~0.1", "a", "filter=seed~eq~1|filter=lr~lt~0.1" },
        { "/a?x", "a", "x=" },
        { "/a?x=", "a", "x=" },
        { "/a?x=1=2", "a", "x=1=2" },
        { "/a?&&x=1&", "a", "x=1" },
        { "/a?", "a", "" },
        { "/?x=1", "", "x=1" },
        { "/a%20b?x=%41%2b+c", "a b", "x=A+ c" },
        { "/%c3%a4?n=%E2%82%AC", "\xc3\xa4", "n=\xe2\x82\xac" },
        { "/a?x=%26%3d%3f", "a", "x=&=?" },
        { "/a?x=/../..", "a", "x=/../.." }, /* a value is no path */
        { "/a+b", "a+b", "" },
        { "/a?x=\xc3\xa4", "a", "x=\xc3\xa4" }, /* raw UTF-8 */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_release) struct buf path = { 0 };
        CLEANUP(buf_release) struct buf args = { 0 };
        struct err err = { 0 };

        if (parse(cases[i].text, &err) != 0)
            fail_msg("%s: %s", cases[i].text, err.text);
        for (size_t k = 0; k < r.parts; k++)
            buf_printf(&path, "%s%s", k ? "|" : "", r.part[k]);
        for (size_t k = 0; k < r.args; k++)
            buf_printf(&args, "%s%s=%s", k ? "|" : "", r.arg[k].name, r.arg[k].value);
        assert_string_equal(buf_str(&path), cases[i].path);
        assert_string_equal(buf_str(&args), cases[i].args);
    }
}

static void what_is_no_address_is_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "a",
        "http://evil/",
        "*",
        "//",
        "//a",
        "/a//b",
        "/a/",
        "/.",
        "/..",
        "/../etc/passwd",
        "/a/../b",
        "/%2e%2e/etc",
        "/%2E%2e",
        "/a/%2e",
        "/a%2fb",
        "/a%5cb",
        "/a\\b",
        "/..%2f..%2fetc",
        "/a%00b",
        "/a?x=%00",
        "/a%",
        "/a%4",
        "/a%zz",
        "/a?x=%4",
        "/a?x=%",
        "/a?%",
        "/a b",
        "/a\tb",
        "/a?x=\n",
        "/a\x7f",
        "/%ff",
        "/a?x=%c3",
        "/a?x=%c0%af", /* overlong slash */
        "/%c0%ae%c0%ae",
        "/a?x=%ed%a0%80",
        "/a?=1",
        "/1/2/3/4/5/6/7/8/9/10/11/12/13",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = { 0 };

        if (parse(cases[i], &err) != ERR_INVALID)
            fail_msg("\"%s\" was taken", cases[i]);
        assert_true(err.text[0] != '\0');
    }
}

static void limits_hold_at_their_bounds(void **state)
{
    CLEANUP(buf_release) struct buf text = { 0 };
    struct err err = { 0 };

    (void)state;
    buf_adds(&text, "/a?x");
    for (int i = 1; i < REQUEST_ARGS_MAX; i++)
        buf_adds(&text, "&x");
    assert_int_equal(parse(buf_str(&text), &err), 0);
    assert_int_equal(r.args, REQUEST_ARGS_MAX);
    buf_adds(&text, "&x");
    assert_int_equal(parse(buf_str(&text), &err), ERR_INVALID);
    buf_clear(&text);
    buf_addc(&text, '/');
    while (text.len < REQUEST_BYTES_MAX)
        buf_addc(&text, 'a');
    assert_int_equal(parse(buf_str(&text), &err), 0);
    assert_int_equal(strlen(r.part[0]), REQUEST_BYTES_MAX - 1);
    buf_addc(&text, 'a');
    assert_int_equal(parse(buf_str(&text), &err), ERR_INVALID);
}

static void values_are_read_by_name(void **state)
{
    struct err err = { 0 };
    int64_t n;
    uint64_t id;
    size_t at = 0;

    (void)state;
    assert_int_equal(parse("/e/17/0/x?a=5&b=&a=6&big=9223372036854775808&s=+7&d=-3", &err), 0);
    assert_string_equal(request_text(&r, "a"), "5");
    assert_null(request_text(&r, "nothing"));
    assert_string_equal(request_next(&r, "a", &at), "5");
    assert_string_equal(request_next(&r, "a", &at), "6");
    assert_null(request_next(&r, "a", &at));
    assert_int_equal(request_integer(&r, "a", 1, 0, 9, &n, &err), 0);
    assert_int_equal(n, 5);
    assert_int_equal(request_integer(&r, "nothing", 42, 0, 9, &n, &err), 0);
    assert_int_equal(n, 42);
    assert_int_equal(request_integer(&r, "d", 1, -3, 9, &n, &err), 0);
    assert_int_equal(n, -3);
    assert_int_equal(request_integer(&r, "a", 1, 6, 9, &n, &err), ERR_INVALID);
    assert_int_equal(request_integer(&r, "b", 1, 0, 9, &n, &err), ERR_INVALID);
    assert_int_equal(request_integer(&r, "s", 1, 0, 9, &n, &err), ERR_INVALID);
    assert_int_equal(request_integer(&r, "big", 1, 0, INT64_MAX, &n, &err), ERR_INVALID);
    assert_int_equal(request_id(&r, 1, &id, &err), 0);
    assert_int_equal(id, 17);
    assert_int_equal(request_id(&r, 2, &id, &err), ERR_INVALID);
    assert_int_equal(request_id(&r, 3, &id, &err), ERR_INVALID);
    assert_int_equal(request_id(&r, 4, &id, &err), ERR_INVALID);
    request_skip(&r, 1);
    assert_int_equal(request_id(&r, 0, &id, &err), 0);
    assert_int_equal(id, 17);
}

static void unknown_parameters_name_the_nearest(void **state)
{
    static const char *const names[] = { "limit", "sort", NULL }, *const none[] = { NULL };
    struct err err = { 0 };

    (void)state;
    assert_int_equal(parse("/a?limit=1&sort=x", &err), 0);
    assert_int_equal(request_only(&r, names, &err), 0);
    assert_int_equal(parse("/a?limt=1", &err), 0);
    assert_int_equal(request_only(&r, names, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "\"limit\""));
    assert_int_equal(request_only(&r, none, &err), ERR_INVALID);
    assert_int_equal(parse("/a", &err), 0);
    assert_int_equal(request_only(&r, none, &err), 0);
}

/* ---- random addresses ---- */

/* What the query of TEXT says, decoded in another way: all at once into "name=value" lines. */
static void twin(const char *text, struct buf *out)
{
    const char *p = strchr(text, '?');
    bool empty = true;

    for (p = p ? p + 1 : ""; *p; p++) {
        if (*p == '&') {
            if (!empty)
                buf_addc(out, '\n');
            empty = true;
            continue;
        }
        empty = false;
        if (*p == '%') {
            char hex[3] = { p[1], p[2], '\0' };

            buf_addc(out, (char)strtol(hex, NULL, 16));
            p += 2;
        } else {
            buf_addc(out, *p == '+' ? ' ' : *p);
        }
    }
    if (!empty)
        buf_addc(out, '\n');
}

static void random_addresses_are_understood_or_refused(void **state)
{
    static const char *const pieces[] = { "/",   "a",   "%",    "%2f", "%2e", "..", "?", "&",
                                          "=",   "+",   "%00",  "%c3", "%a4", "b",  "1", "~",
                                          "%41", "%7e", "\xc3", " ",   "-",   "x=", "&y" };
    struct rng rng;
    unsigned taken = 0;

    (void)state;
    rng = rng_stream("addresses", 8420, 1);
    for (int round = 0; round < 300000; round++) {
        CLEANUP(buf_release) struct buf text = { 0 };
        CLEANUP(buf_release) struct buf want = { 0 };
        CLEANUP(buf_release) struct buf got = { 0 };
        size_t len = 1 + rng_u64(&rng) % 12;

        buf_addc(&text, '/');
        while (len--)
            buf_adds(&text, pieces[rng_u64(&rng) % ARRAY_LEN(pieces)]);
        if (parse(buf_str(&text), NULL) != 0)
            continue;
        taken++;
        twin(buf_str(&text), &want);
        for (size_t i = 0; i < r.args; i++) {
            assert_true(r.arg[i].name[0] != '\0');
            buf_printf(&got, "%s=%s\n", r.arg[i].name, r.arg[i].value);
        }
        for (size_t i = 0; i < r.parts; i++)
            assert_false(!r.part[i][0] || strchr(r.part[i], '/') || !strcmp(r.part[i], ".."));
        /* "x" and "x=" are the same: compare without '='. */
        for (size_t i = 0, k = 0; i < got.len || k < want.len; i++, k++) {
            while (i < got.len && got.data[i] == '=')
                i++;
            while (k < want.len && want.data[k] == '=')
                k++;
            if ((i < got.len ? got.data[i] : 0) != (k < want.len ? want.data[k] : 0))
                fail_msg("%s: \"%s\" but \"%s\"", buf_str(&text), buf_str(&got), buf_str(&want));
        }
    }
    assert_true(taken > 3000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_taken_apart),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(limits_hold_at_their_bounds),
        cmocka_unit_test(values_are_read_by_name),
        cmocka_unit_test(unknown_parameters_name_the_nearest),
        cmocka_unit_test(random_addresses_are_understood_or_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
