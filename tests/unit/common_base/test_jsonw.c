/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what is written is JSON that reads back as the same values, bit for bit; hostile text
 * cannot break out of its quotes. Method: a golden document; random doubles and every byte value
 * through the parser. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "common/base/json.h"
#include "common/base/jsonw.h"
#include "common/base/rng.h"

static void commas_and_keys_stand_where_they_belong(void **state)
{
    struct buf b = { 0 };
    struct jsonw w = { .to = &b };

    (void)state;
    jsonw_open(&w, '{');
    jsonw_open_at(&w, "empty", '[');
    jsonw_close(&w, ']');
    jsonw_open_at(&w, "list", '[');
    jsonw_int(&w, NULL, -3);
    jsonw_real(&w, NULL, 2);
    jsonw_real(&w, NULL, NAN);
    jsonw_open(&w, '{');
    jsonw_close(&w, '}');
    jsonw_text(&w, NULL, NULL);
    jsonw_bool(&w, NULL, true);
    jsonw_close(&w, ']');
    jsonw_text(&w, "q\"k", "a\n\t\"\\");
    jsonw_raw(&w, "raw", "[1]");
    jsonw_null(&w, "n");
    jsonw_close(&w, '}');
    assert_string_equal(buf_str(&b), "{\"empty\":[],\"list\":[-3,2.0,null,{},null,true],"
                                     "\"q\\\"k\":\"a\\n\\u0009\\\"\\\\\",\"raw\":[1],\"n\":null}");
    buf_release(&b);
}

static void doubles_keep_their_bits_and_stay_reals(void **state)
{
    struct rng r = rng_stream("jsonw", 1, 1);

    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct buf b = { 0 };
        struct jsonw w = { .to = &b };
        uint64_t bits = rng_u64(&r);
        struct json *d = NULL;
        double v;

        if (i % 4 == 0)
            v = (double)(int64_t)bits;
        else
            memcpy(&v, &bits, sizeof v);
        if (!isfinite(v))
            continue;
        jsonw_real(&w, NULL, v);
        assert_int_equal(json_parse(buf_str(&b), b.len, &d, NULL), 0);
        assert_true(json_is_number(d) && !json_is_integer(d));
        assert_true(json_number(d, 0) == v);
        json_free(d);
        buf_release(&b);
    }
}

/* Bytes that are no UTF-8 become U+FFFD; all others come back as they were. */
static void any_bytes_make_a_valid_text(void **state)
{
    struct rng r = rng_stream("jsonw", 2, 1);

    (void)state;
    for (int i = 0; i < 20000; i++) {
        char text[9] = { 0 };
        struct buf b = { 0 };
        struct jsonw w = { .to = &b };
        struct json *d = NULL;

        for (size_t k = 0; k < 8; k++)
            text[k] = (char)(1 + rng_below(&r, 255));
        if (i < 255)
            text[0] = (char)(i + 1), text[1] = '\0';
        jsonw_open(&w, '{');
        jsonw_text(&w, text, text);
        jsonw_close(&w, '}');
        if (json_parse(buf_str(&b), b.len, &d, NULL) != 0)
            fail_msg("%s", buf_str(&b));
        assert_int_equal(json_len(d), 1);
        if (i < 127)
            assert_string_equal(json_text(json_get(d, text)), text);
        json_free(d);
        buf_release(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_and_keys_stand_where_they_belong),
        cmocka_unit_test(doubles_keep_their_bits_and_stay_reals),
        cmocka_unit_test(any_bytes_make_a_valid_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
