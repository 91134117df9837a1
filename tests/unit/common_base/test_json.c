/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: JSON comes in checked and goes out in the order it was built.
 * Method: short texts; a round trip; errors by table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/json.h"

static void values_are_read_with_their_types(void **state)
{
    static const char text[] =
        "{\"i\": -3, \"r\": 1.5, \"s\": \"a\\u0000b\", \"b\": true, \"n\": null,"
        " \"a\": [1, 2, 3]}";
    struct json *v CLEANUP(json_cleanup) = NULL;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(json_parse(text, strlen(text), &v, &err), 0);
    assert_true(json_is_object(v));
    assert_int_equal(json_len(v), 6);
    assert_int_equal(json_integer(json_get(v, "i"), 0), -3);
    assert_true(json_number(json_get(v, "i"), 0) == -3.0);
    assert_true(json_number(json_get(v, "r"), 0) == 1.5);
    assert_int_equal(json_integer(json_get(v, "r"), 77), 77);
    assert_int_equal(json_text_len(json_get(v, "s")), 3);
    assert_memory_equal(json_text(json_get(v, "s")), "a\0b", 4);
    assert_true(json_bool(json_get(v, "b"), false));
    assert_true(json_bool(json_get(v, "i"), true));
    assert_true(json_is_null(json_get(v, "n")));
    assert_true(json_is_array(json_get(v, "a")));
    assert_int_equal(json_integer(json_at(json_get(v, "a"), 2), 0), 3);
    assert_null(json_at(json_get(v, "a"), 3));
    assert_null(json_get(v, "none"));
    assert_null(json_get(NULL, "none"));
    assert_null(json_text(json_get(v, "i")));
}

static void broken_text_is_refused_with_its_place(void **state)
{
    static const char *const cases[] = {
        "{\"a\": 1,\n \"a\": 2}", "{\n\"a\" 1}", "[1,\n", "", "[1] \n2", "[\n\"\xff\"]"
    };
    struct err err = { 0 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct json *v = NULL;

        assert_int_equal(json_parse(cases[i], strlen(cases[i]), &v, &err), ERR_INVALID);
        assert_null(v);
        assert_int_equal(strncmp(err.text, "line ", 5), 0);
    }
}

static void deep_nesting_is_refused_not_followed(void **state)
{
    struct buf b CLEANUP(buf_release) = { 0 };
    struct json *v = NULL;
    struct err err = { 0 };

    (void)state;
    for (int i = 0; i < 1000000; i++)
        buf_addc(&b, '[');
    assert_int_equal(json_parse(buf_str(&b), b.len, &v, &err), ERR_INVALID);
}

static int collect(const char *key, struct json *value, void *arg)
{
    struct buf *b = arg;

    buf_printf(b, "%s=%d ", key, (int)json_integer(value, -1));
    return strcmp(key, "stop") == 0 ? 5 : 0;
}

static void members_keep_their_order(void **state)
{
    static const char text[] = "{\"z\":1,\"a\":2,\"stop\":3,\"m\":4}";
    struct json *v CLEANUP(json_cleanup) = NULL;
    struct buf b CLEANUP(buf_release) = { 0 };
    struct err err = { 0 };
    char *dump;

    (void)state;
    assert_int_equal(json_parse(text, strlen(text), &v, &err), 0);
    assert_int_equal(json_each(v, collect, &b), 5);
    assert_string_equal(buf_str(&b), "z=1 a=2 stop=3 ");
    dump = json_dump(v, 0);
    assert_string_equal(dump, text);
    free(dump);
}

static void building_takes_any_text_and_number(void **state)
{
    struct json *v CLEANUP(json_cleanup) = json_new_object();
    struct json *list = json_new_array();
    char *dump;

    (void)state;
    json_set(v, "t", json_new_text("ok \xc3\xa9 \xff\xc3"));
    json_push(list, json_new_integer(INT64_MAX));
    json_push(list, json_new_number(0.0 / 0.0));
    json_push(list, json_new_text(NULL));
    json_push(list, json_new_bool(true));
    json_set(v, "l", list);
    dump = json_dump(v, 0);
    assert_string_equal(dump, "{\"t\":\"ok \xc3\xa9 \xef\xbf\xbd\xef\xbf\xbd\","
                              "\"l\":[9223372036854775807,null,null,true]}");
    free(dump);
}

/* Indented text is for people: 0.9 is "0.9"; the bits stay, and texts that look like numbers. */
static void numbers_for_people_are_the_shortest_that_read_back(void **state)
{
    static const double values[] = { 0.9, 0.1 + 0.2, 0.035, 1e300, -2.5e-300, 0.10000000000000002 };
    static const char text[] = "[\n 0.9,\n 0.30000000000000004,\n 0.035,\n 1e+300,\n -2.5e-300,\n"
                               " 0.10000000000000002,\n \"a\\\"0.90000000000000002\"\n]";
    struct json *list CLEANUP(json_cleanup) = json_new_array();
    char *dump;

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        json_push(list, json_new_number(values[i]));
    json_push(list, json_new_text("a\"0.90000000000000002"));
    dump = json_dump(list, 1);
    assert_string_equal(dump, text);
    free(dump);
    dump = json_dump(list, 0);
    assert_non_null(strstr(dump, "[0.90000000000000002,"));
    free(dump);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_read_with_their_types),
        cmocka_unit_test(broken_text_is_refused_with_its_place),
        cmocka_unit_test(deep_nesting_is_refused_not_followed),
        cmocka_unit_test(members_keep_their_order),
        cmocka_unit_test(building_takes_any_text_and_number),
        cmocka_unit_test(numbers_for_people_are_the_shortest_that_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
