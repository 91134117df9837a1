/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the picture says what answers said, in exactly the cells that there are, and nothing that
 * others chose reaches the terminal as a command. Method: answers made by hand, whole frames. */
#include "experiments/top/cells.h"
#include "tests/unit/experiments_top/world.h"

#include <stdlib.h>

enum { NOW = 11300 };

static struct world w;

static struct top_view view(void)
{
    return (struct top_view){
        .endpoint = "tcp://127.0.0.1:7077", .interval_s = 1, .keys = true, .sort = TOP_NAME
    };
}

/* Every line has at most COLS cells, there are ROWS of them. */
static void holds(const char *frame, size_t rows, size_t cols)
{
    size_t lines = 1;
    char line[4096];

    while (*frame) {
        const size_t len = strcspn(frame, "\n");

        assert_true(len < sizeof(line));
        memcpy(line, frame, len);
        line[len] = '\0';
        assert_true(cells_of(line, true) <= cols);
        lines += frame[len] == '\n';
        frame += len + (frame[len] == '\n');
    }
    assert_int_equal(lines, rows);
}

/* FRAME is the file NAME. DROVER_GOLDEN=write writes it anew, to be looked at. */
static void is_golden(const char *frame, const char *name)
{
    struct buf want CLEANUP(buf_release) = { 0 };
    const char *write = getenv("DROVER_GOLDEN");
    char path[256];

    (void)snprintf(path, sizeof(path), "tests/unit/experiments_top/%s", name);
    if (write && strcmp(write, "write") == 0)
        assert_int_equal(buf_write_file(path, frame, strlen(frame), NULL), 0);
    assert_int_equal(buf_read_file(&want, path, 1 << 20, NULL), 0);
    assert_string_equal(frame, buf_str(&want));
}

static void a_frame_of_80x24_is_as_it_was_looked_at(void **state)
{
    struct buf out CLEANUP(buf_release) = { 0 };
    struct top_view v = view();

    (void)state;
    world_make(&w, 5);
    world_fail(&w, "its worker went away");
    struct top *t = world_watched(&w);
    top_frame(t, &v, 24, 80, NOW, &out);
    holds(buf_str(&out), 24, 80);
    is_golden(buf_str(&out), "80x24.txt");
    top_free(t);
}

static void a_frame_of_200x50_is_as_it_was_looked_at(void **state)
{
    struct buf out CLEANUP(buf_release) = { 0 };
    struct top_view v = view();

    (void)state;
    world_make(&w, 1200);
    world_fail(&w, "its worker went away, or made no progress within the lease");
    struct top *t = world_watched(&w);
    v.utf8 = true;
    v.sort = TOP_QUEUE;
    v.scroll = 10;
    top_frame(t, &v, 50, 200, NOW, &out);
    holds(buf_str(&out), 50, 200);
    is_golden(buf_str(&out), "200x50.txt");
    top_free(t);
}

static void every_size_holds_and_colour_adds_no_cell(void **state)
{
    struct top_view v = view();

    (void)state;
    world_make(&w, 40);
    world_fail(&w, "it broke");
    struct top *t = world_watched(&w);
    for (size_t rows = 1; rows <= 60; rows++)
        for (size_t cols = 1; cols <= 240; cols += 7) {
            struct buf plain = { 0 }, colored = { 0 }, bare = { 0 };

            v.color = false;
            top_frame(t, &v, rows, cols, NOW, &plain);
            holds(buf_str(&plain), rows, cols);
            v.color = true;
            top_frame(t, &v, rows, cols, NOW, &colored);
            for (const char *s = buf_str(&colored); *s; s++) {
                if (*s == '\033')
                    s = strchr(s, 'm');
                else
                    buf_addc(&bare, *s);
            }
            assert_string_equal(buf_str(&bare), buf_str(&plain));
            buf_release(&plain);
            buf_release(&colored);
            buf_release(&bare);
        }
    top_free(t);
}

static void no_name_or_message_sends_a_command_to_the_terminal(void **state)
{
    static const char *const bad[] = {
        "\033[2J\033]0;owned\007",
        "a\nb\rc\td",
        "\xc2\x9b"
        "31m",
        "\x9b"
        "31m",
        "\xff\xfe\x80",
        "\xe2\x80\xae"
        "evil",
        "\x7f\x08\x08",
        "e\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81",
    };
    struct top_view v = view();

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct buf out CLEANUP(buf_release) = { 0 };

        world_make(&w, 2);
        world_fail(&w, bad[i]);
        w.worker[0].name = w.worker[0].host = w.worker[0].doing = TEXT(bad[i]);
        w.e[0].name = w.numbers.version = w.failure.worker = TEXT(bad[i]);
        v.endpoint = bad[i];
        v.utf8 = true;
        (void)snprintf(v.filter, sizeof(v.filter), "%s", i % 2 ? bad[i] : "");
        struct top *t = world_watched(&w);
        top_silent(t, bad[i], NOW);
        top_frame(t, &v, 30, 100, NOW, &out);
        holds(buf_str(&out), 30, 100);
        for (size_t k = 0; k < out.len; k++) {
            const unsigned char c = (unsigned char)out.data[k];

            assert_true(c >= ' ' || c == '\n');
            assert_true(c != 0x7f);
            assert_false(c == 0xc2 && (unsigned char)out.data[k + 1] < 0xa0);
        }
        assert_null(strstr(buf_str(&out), "\xe2\x80\xae"));
        top_free(t);
    }
}

static void wide_characters_take_two_cells(void **state)
{
    struct buf out CLEANUP(buf_release) = { 0 };
    struct line l = { .out = &out, .left = 5, .utf8 = true };

    (void)state;
    assert_int_equal(cells_of("日本", true), 4);
    assert_int_equal(cells_of("日本", false), 2);
    line_left(&l, "a日本", 4);
    assert_string_equal(buf_str(&out), "a日 ");
    assert_int_equal(l.left, 1);
    line_right(&l, "xyz", 3);
    assert_string_equal(buf_str(&out), "a日 x");
    assert_int_equal(l.left, 0);
}

static void time_left_is_shown_where_a_worker_has_an_end_and_there_is_room(void **state)
{
    static const struct {
        size_t cols;
        uint64_t left_ms;
        bool shown;
    } cases[] = { { 80, 300000, false }, { 120, 0, false }, { 120, 300000, true } };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf out CLEANUP(buf_release) = { 0 };
        struct top_view v = view();

        world_make(&w, 5);
        w.worker[1].remaining_ms = cases[i].left_ms;
        struct top *t = world_watched(&w);
        top_frame(t, &v, 24, cases[i].cols, NOW, &out);
        holds(buf_str(&out), 24, cases[i].cols);
        assert_int_equal(strstr(buf_str(&out), "SEEN  LEFT STATE") != NULL, cases[i].shown);
        assert_int_equal(strstr(buf_str(&out), "0.3s    5m working") != NULL, cases[i].shown);
        assert_int_equal(strstr(buf_str(&out), "0.3s     - working") != NULL, cases[i].shown);
        top_free(t);
    }
}

static void a_silent_coordinator_keeps_its_picture_and_says_since_when(void **state)
{
    struct buf out CLEANUP(buf_release) = { 0 };
    struct top_view v = view();

    (void)state;
    world_make(&w, 3);
    struct top *t = world_watched(&w);
    top_silent(t, "no coordinator there", 15000);
    top_silent(t, "still none", 19000);
    top_frame(t, &v, 24, 120, 23000, &out);
    assert_non_null(strstr(buf_str(&out), "no answer since 12s: still none"));
    assert_non_null(strstr(buf_str(&out), "w0002"));
    top_take(t, &w.numbers, 25000);
    buf_clear(&out);
    top_frame(t, &v, 24, 120, 25000, &out);
    assert_null(strstr(buf_str(&out), "no answer"));
    top_free(t);
}

static void rates_begin_anew_with_a_new_incarnation(void **state)
{
    (void)state;
    world_make(&w, 3);
    struct top *t = world_watched(&w);
    w.numbers.incarnation = 2;
    world_go(&w, 0, 0, 0);
    top_take(t, &w.numbers, 20000);
    struct json *v = top_json(t, "x", 20000);
    assert_true(json_is_null(json_get(json_get(v, "rates"), "results_per_s")));
    json_free(v);
    world_go(&w, 30, 60, 2);
    top_take(t, &w.numbers, 22000);
    v = top_json(t, "x", 22000);
    assert_float_equal(json_number(json_get(json_get(v, "rates"), "results_per_s"), 0), 15, 1e-9);
    assert_float_equal(json_number(json_get(json_get(v, "rates"), "attempts_per_s"), 0), 30, 1e-9);
    assert_float_equal(json_number(json_get(json_at(json_get(v, "failures"), 0), "attempts"), 0), 2,
                       1e-9);
    json_free(v);
    top_free(t);
}

/* What a terminal would show. */
static void apply(const char *bytes, char screen[50][200])
{
    size_t row = 0;

    while (*bytes) {
        if (strncmp(bytes, "\033[m\033[K", 6) == 0) {
            bytes += 6;
        } else if (*bytes == '\033') {
            row = strtoul(bytes + 2, NULL, 10) - 1;
            assert_true(row < 50);
            memset(screen[row], 0, 200);
            bytes = strchr(bytes, 'H') + 1;
        } else {
            strncat(screen[row], bytes++, 1);
        }
    }
}

static void only_lines_that_changed_are_drawn(void **state)
{
    static char screen[50][200];
    struct buf first CLEANUP(buf_release) = { 0 }, second CLEANUP(buf_release) = { 0 };
    struct buf bytes CLEANUP(buf_release) = { 0 }, shown CLEANUP(buf_release) = { 0 };
    struct top_view v = view();

    (void)state;
    world_make(&w, 30);
    struct top *t = world_watched(&w);
    top_frame(t, &v, 40, 80, NOW, &first);
    top_draw("", buf_str(&first), &bytes);
    apply(buf_str(&bytes), screen);
    buf_clear(&bytes);
    top_draw(buf_str(&first), buf_str(&first), &bytes);
    assert_int_equal(bytes.len, 0);
    w.worker[4].running = 2;
    top_take(t, &w.numbers, NOW);
    top_frame(t, &v, 40, 80, NOW, &second);
    top_draw(buf_str(&first), buf_str(&second), &bytes);
    assert_true(bytes.len > 0 && bytes.len < second.len);
    apply(buf_str(&bytes), screen);
    for (size_t i = 0; i < 40; i++)
        buf_printf(&shown, "%s%s", i ? "\n" : "", screen[i]);
    assert_string_equal(buf_str(&shown), buf_str(&second));
    top_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_of_80x24_is_as_it_was_looked_at),
        cmocka_unit_test(a_frame_of_200x50_is_as_it_was_looked_at),
        cmocka_unit_test(every_size_holds_and_colour_adds_no_cell),
        cmocka_unit_test(no_name_or_message_sends_a_command_to_the_terminal),
        cmocka_unit_test(wide_characters_take_two_cells),
        cmocka_unit_test(time_left_is_shown_where_a_worker_has_an_end_and_there_is_room),
        cmocka_unit_test(a_silent_coordinator_keeps_its_picture_and_says_since_when),
        cmocka_unit_test(rates_begin_anew_with_a_new_incarnation),
        cmocka_unit_test(only_lines_that_changed_are_drawn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
