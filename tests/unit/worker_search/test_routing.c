/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what is a legal path, how many there are, and a fair one at random. Method: all 3^L paths
 * of short models, judged by scripted.h; messages are read for what a user needs. */
#include "tests/unit/worker_search/scripted.h"

static void exactly_the_legal_paths_pass_the_check(void **state)
{
    (void)state;
    for (size_t layers = 1; layers <= 7; layers++)
        for (uint64_t code = 0; code < 2187; code++) {
            uint8_t r[8];
            struct err err = { 0 };
            bool legal;

            script_path(code, layers, r);
            legal = script_legal(r, layers);
            assert_int_equal(routing_legal(r, layers), legal);
            assert_int_equal(routing_check(r, layers, &err), legal ? 0 : ERR_INVALID);
            assert_int_equal(err.text[0] == '\0', legal);
        }
}

static void refuse(const char *digits, const char *first, const char *second)
{
    uint8_t r[300];
    size_t layers = strlen(digits);
    struct err err = { 0 };

    for (size_t i = 0; i < layers; i++)
        r[i] = (uint8_t)(digits[i] - '0');
    assert_int_equal(routing_check(r, layers, &err), ERR_INVALID);
    if (!strstr(err.text, first) || !strstr(err.text, second))
        fail_msg("\"%s\" does not say \"%s\" and \"%s\"", err.text, first, second);
}

static void refused_paths_are_told_where_and_why(void **state)
{
    char deep[301];

    (void)state;
    refuse("1100011", "\"1100011\" skips 3 layers in a row (3 to 5 of 7)", "at most 2");
    refuse("11000", "3 to 5 of 5", "at most 2");
    refuse("00001", "skips 4 layers in a row (1 to 4 of 5)", "at most 2");
    refuse("00", "executes no layer", "1 to 4");
    refuse("1311", "\"1?11\": layer 2 of 4 has the value 3", "0 skips, 1 executes and 2 repeats");
    memset(deep, '1', 300);
    deep[300] = '\0';
    memset(deep + 290, '0', 5);
    refuse(deep, "111...\"", "(291 to 295 of 300)");
}

static void text_of_a_path_is_checked_too(void **state)
{
    uint8_t r[4];
    struct err err = { 0 };

    (void)state;
    assert_int_equal(routing_parse_legal("0120", 4, r, &err), 0);
    assert_memory_equal(r, ((uint8_t[]){ 0, 1, 2, 0 }), 4);
    assert_int_equal(routing_parse_legal("0002", 4, r, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "skips 3 layers"));
    assert_int_equal(routing_parse_legal("01x0", 4, r, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "digit 3"));
    assert_int_equal(routing_parse_legal("01", 4, r, &err), ERR_INVALID);
    assert_int_equal(routing_parse_legal("", 4, r, &err), ERR_INVALID);
}

static void counts_of_deep_models_are_known_or_bounded(void **state)
{
    (void)state;
    assert_int_equal(routing_count(28, EDITS_BOTH, 1), 3 * 28);
    assert_int_equal(routing_count(28, EDITS_SKIP, 1), 2 * 28);
    assert_int_equal(routing_count(28, EDITS_REPEAT, 2), 1 + 28 + 28 * 27 / 2);
    assert_int_equal(routing_count(6, EDITS_BOTH, 6), 648);
    assert_true(routing_count(256, EDITS_BOTH, 256) == UINT32_MAX);
}

static void most_skips_are_those_of_the_best_path(void **state)
{
    (void)state;
    for (size_t layers = 1; layers <= 8; layers++) {
        size_t most = 0;

        for (uint64_t code = 0; code < 6561; code++) {
            uint8_t r[8];
            size_t skips = 0;

            script_path(code, layers, r);
            for (size_t i = 0; i < layers; i++)
                skips += r[i] == 0;
            if (script_legal(r, layers) && skips > most)
                most = skips;
        }
        assert_int_equal(routing_skips_max(layers), most);
    }
}

static uint64_t code_of(const uint8_t *r, size_t layers)
{
    uint64_t code = 0;

    for (size_t i = 0; i < layers; i++)
        code = code * 3 + r[i];
    return code;
}

/* Every path with these numbers comes up about equally often: within five standard deviations. */
static void check_fair(size_t layers, size_t skips, size_t repeats)
{
    enum { EACH = 400 };
    static uint32_t seen[729];
    struct rng rng = rng_stream("test paths", layers, skips * 10 + repeats);
    size_t kinds = 0;
    uint8_t r[8];

    memset(seen, 0, sizeof(seen));
    for (uint64_t code = 0; code < 729; code++) {
        size_t s = 0, t = 0;

        script_path(code, layers, r);
        for (size_t i = 0; i < layers; i++) {
            s += r[i] == 0;
            t += r[i] == 2;
        }
        kinds +=
            code_of(r, layers) == code && script_legal(r, layers) && s == skips && t == repeats;
    }
    for (size_t i = 0; i < EACH * kinds; i++) {
        assert_int_equal(routing_random(&rng, layers, skips, repeats, r, NULL), 0);
        assert_true(script_legal(r, layers));
        seen[code_of(r, layers)]++;
    }
    for (uint64_t code = 0; code < 729; code++)
        if (seen[code] > 0) {
            assert_true(kinds == 1 || (seen[code] > EACH - 100 && seen[code] < EACH + 100));
            kinds--;
        }
    assert_int_equal(kinds, 0);
}

static void random_paths_are_fair(void **state)
{
    (void)state;
    check_fair(6, 0, 0);
    check_fair(6, 2, 1);
    check_fair(6, 4, 1);
    check_fair(6, 3, 2);
    check_fair(5, 1, 4);
    check_fair(1, 0, 1);
}

static void random_paths_of_deep_models_have_what_was_asked(void **state)
{
    struct rng rng = rng_stream("test paths", 1, 1);
    uint8_t r[256];

    (void)state;
    for (size_t skips = 0; skips <= routing_skips_max(256); skips += 10) {
        size_t zero = 0, two = 0;

        assert_int_equal(routing_random(&rng, 256, skips, 30, r, NULL), 0);
        for (size_t i = 0; i < 256; i++) {
            zero += r[i] == 0;
            two += r[i] == 2;
        }
        assert_true(script_legal(r, 256));
        assert_int_equal(zero, skips);
        assert_int_equal(two, 30);
    }
}

static void impossible_random_paths_are_refused_with_the_limit(void **state)
{
    struct rng rng = rng_stream("test paths", 1, 2);
    struct err err = { 0 };
    uint8_t r[8];

    (void)state;
    assert_int_equal(routing_random(&rng, 8, 7, 0, r, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "at most 6"));
    assert_int_equal(routing_random(&rng, 8, 3, 6, r, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "at most 5"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exactly_the_legal_paths_pass_the_check),
        cmocka_unit_test(refused_paths_are_told_where_and_why),
        cmocka_unit_test(text_of_a_path_is_checked_too),
        cmocka_unit_test(counts_of_deep_models_are_known_or_bounded),
        cmocka_unit_test(most_skips_are_those_of_the_best_path),
        cmocka_unit_test(random_paths_are_fair),
        cmocka_unit_test(random_paths_of_deep_models_have_what_was_asked),
        cmocka_unit_test(impossible_random_paths_are_refused_with_the_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
