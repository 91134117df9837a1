/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a difficulty rule goes on from its text as if nothing had happened, and takes no other
 * text. Method: random updates told to a state and to its copy; texts cut and changed. */
#include "tests/unit/common_curriculum/rules.h"

#include <stdio.h>
#include <string.h>

#include "common/base/rng.h"

static void a_state_goes_on_from_its_text_with_the_same_bits(void **state)
{
    static struct difficulty_state a, b;
    struct rng r = rng_stream("test", 5, 0);

    (void)state;
    for (int rule = 0; rule < DIFFICULTY_RULES; rule++) {
        const struct difficulty_conf c = usual((enum difficulty_rule)rule, 5);
        difficulty_start(&c, &a);
        for (uint64_t t = 0; t < 60; t++) {
            struct buf text = { 0 }, again = { 0 };
            struct err err = { 0 };
            uint64_t problems[5];
            double right[5], wa[5], wb[5];
            difficulty_save(&c, &a, &text);
            if (difficulty_load(&c, buf_str(&text), &b, &err) != 0)
                fail_msg("%s", err.text);
            difficulty_save(&c, &b, &again);
            assert_string_equal(buf_str(&text), buf_str(&again));
            assert_null(strpbrk(buf_str(&text), "\n\"\\"));
            for (int k = 0; k < 5; k++) {
                problems[k] = rng_below(&r, 4);
                right[k] = rng_double(&r);
            }
            tell(&c, &a, problems, right);
            tell(&c, &b, problems, right);
            difficulty_weights(&c, &a, t + 1, wa);
            difficulty_weights(&c, &b, t + 1, wb);
            assert_memory_equal(wa, wb, sizeof(wa));
            buf_release(&text);
            buf_release(&again);
        }
    }
}

static void damaged_texts_and_those_of_others_are_refused(void **state)
{
    static struct difficulty_state s, other;
    const struct difficulty_conf c = usual(DIFFICULTY_DUMP, 3), sec = usual(DIFFICULTY_SEC, 3),
                                 four = usual(DIFFICULTY_DUMP, 4);
    const uint64_t some[] = { 6, 5, 5 };
    const double right[] = { 1, 0.5, 0 };
    struct buf text = { 0 };
    struct err err = { 0 };
    char cut[4096];

    (void)state;
    difficulty_start(&c, &s);
    for (int i = 0; i < 20; i++)
        tell(&c, &s, some, right);
    difficulty_save(&c, &s, &text);
    assert_true(text.len < sizeof(cut));
    assert_int_equal(difficulty_load(&c, buf_str(&text), &other, &err), 0);
    for (size_t len = 0; len < text.len; len++) {
        snprintf(cut, sizeof(cut), "%.*s", (int)len, buf_str(&text));
        assert_int_equal(difficulty_load(&c, cut, &other, &err), ERR_INVALID);
        memcpy(cut, buf_str(&text), text.len + 1);
        cut[len] = 'x';
        assert_int_equal(difficulty_load(&c, cut, &other, &err), ERR_INVALID);
    }
    assert_int_equal(difficulty_load(&sec, buf_str(&text), &other, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "difficulty = \"sec\" over 3 levels"));
    assert_int_equal(difficulty_load(&four, buf_str(&text), &other, &err), ERR_INVALID);
    buf_release(&text);
}

/* Found by fuzzing: a window that begins above its end, one update later. */
static void only_rlve_leaves_the_easiest_level(void **state)
{
    static struct difficulty_state s;

    (void)state;
    for (int rule = 0; rule < DIFFICULTY_RULES; rule++) {
        const struct difficulty_conf c = usual((enum difficulty_rule)rule, 3);
        struct buf text = { 0 };
        struct err err = { 0 };
        difficulty_start(&c, &s);
        s.low = s.high = 1;
        difficulty_save(&c, &s, &text);
        assert_int_equal(difficulty_load(&c, buf_str(&text), &s, &err),
                         rule == DIFFICULTY_RLVE ? 0 : ERR_INVALID);
        s.low = 2;
        s.high = 1;
        buf_clear(&text);
        difficulty_save(&c, &s, &text);
        assert_int_equal(difficulty_load(&c, buf_str(&text), &s, &err), ERR_INVALID);
        buf_release(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_state_goes_on_from_its_text_with_the_same_bits),
        cmocka_unit_test(damaged_texts_and_those_of_others_are_refused),
        cmocka_unit_test(only_rlve_leaves_the_easiest_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
