/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: keys do what the last line promises. Method: bytes as terminals send them. */
#include "tests/unit/experiments_top/world.h"

enum { ROWS = 24, COLS = 80 };

static struct world w;

static bool press(const struct top *t, struct top_view *v, const char *keys)
{
    return top_keys(t, v, ROWS, keys, strlen(keys));
}

/* Is TEXT in the picture? */
static bool shows(const struct top *t, const struct top_view *v, const char *text)
{
    struct buf out = { 0 };
    bool found;

    top_frame(t, v, ROWS, COLS, 12000, &out);
    found = strstr(buf_str(&out), text) != NULL;
    buf_release(&out);
    return found;
}

static void only_q_and_ctrl_d_leave(void **state)
{
    struct top_view v = { .endpoint = "" };
    struct top *t = top_new();

    (void)state;
    assert_true(press(t, &v, "psSrxh1\033[15~\033OP"));
    assert_false(press(t, &v, "q"));
    assert_false(press(t, &v, "\004"));
    assert_true(press(t, &v, "/q")); /* a letter of the filter */
    top_free(t);
}

static void p_pauses_and_goes_on(void **state)
{
    struct top_view v = { .endpoint = "" };
    struct top *t = top_new();

    (void)state;
    assert_true(press(t, &v, "p") && v.paused);
    assert_true(shows(t, &v, "paused"));
    assert_true(press(t, &v, " ") && !v.paused);
    top_free(t);
}

static void s_goes_through_all_columns_and_r_turns_round(void **state)
{
    struct top_view v = { .endpoint = "", .sort = TOP_NAME };

    (void)state;
    world_make(&w, 30);
    struct top *t = world_watched(&w);
    assert_true(shows(t, &v, "w0000"));
    assert_true(press(t, &v, "r") && v.reverse);
    assert_true(shows(t, &v, "w0029") && !shows(t, &v, "w0000"));
    assert_true(press(t, &v, "rsss") && v.sort == TOP_QUEUE);
    assert_true(shows(t, &v, "w0029")); /* the longest first */
    for (int i = 0; i < TOP_SORTS; i++)
        assert_true(press(t, &v, "s"));
    assert_int_equal(v.sort, TOP_QUEUE);
    assert_true(press(t, &v, "SSS") && v.sort == TOP_NAME);
    top_free(t);
}

static void arrows_scroll_and_stop_at_the_ends(void **state)
{
    struct top_view v = { .endpoint = "", .sort = TOP_NAME };

    (void)state;
    world_make(&w, 100);
    struct top *t = world_watched(&w);
    assert_true(press(t, &v, "\033[A") && v.scroll == 0);
    assert_true(press(t, &v, "\033[B\033OBj") && v.scroll == 3);
    assert_true(shows(t, &v, "w0003") && !shows(t, &v, "w0002"));
    assert_true(press(t, &v, "\033[F") && shows(t, &v, "w0099"));
    const size_t last = v.scroll;
    assert_true(press(t, &v, "\033[6~\033[B") && v.scroll == last);
    assert_true(press(t, &v, "\033[5~") && v.scroll < last && v.scroll > 0);
    assert_true(press(t, &v, "\033[H") && v.scroll == 0);
    top_free(t);
}

static void a_filter_is_typed_corrected_kept_and_cleared(void **state)
{
    struct top_view v = { .endpoint = "", .sort = TOP_NAME };

    (void)state;
    world_make(&w, 30);
    struct top *t = world_watched(&w);
    assert_true(press(t, &v, "/W001\xc3\xa9\177") && v.typing);
    assert_string_equal(v.filter, "W001"); /* a whole character went */
    assert_true(shows(t, &v, "workers with: W001"));
    assert_true(press(t, &v, "\r") && !v.typing);
    assert_true(shows(t, &v, "w0013") && !shows(t, &v, "w0002") && shows(t, &v, "of 10"));
    assert_true(press(t, &v, "/node-b\r")); /* it goes on with what is there */
    assert_true(shows(t, &v, "no workers"));
    assert_true(press(t, &v, "/\033") && !*v.filter && !v.typing);
    assert_true(shows(t, &v, "w0002"));
    for (int i = 0; i < 200; i++)
        assert_true(press(t, &v, i ? "x" : "/"));
    assert_int_equal(strlen(v.filter), sizeof(v.filter) - 1);
    top_free(t);
}

static void help_shows_the_keys_and_any_key_goes_back(void **state)
{
    struct top_view v = { .endpoint = "" };
    struct top *t = top_new();

    (void)state;
    assert_true(press(t, &v, "?") && shows(t, &v, "turn the order round"));
    assert_true(press(t, &v, "p") && !v.help && !v.paused);
    top_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_q_and_ctrl_d_leave),
        cmocka_unit_test(p_pauses_and_goes_on),
        cmocka_unit_test(s_goes_through_all_columns_and_r_turns_round),
        cmocka_unit_test(arrows_scroll_and_stop_at_the_ends),
        cmocka_unit_test(a_filter_is_typed_corrected_kept_and_cleared),
        cmocka_unit_test(help_shows_the_keys_and_any_key_goes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
