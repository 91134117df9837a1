/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a program's metrics are what it wrote, and what is none is counted and named, however it is
 * cut, however long, in bounded memory; its output is kept at its end, fit for a terminal.
 * Method: lines in every cutting; a recording sink. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/base/utf8.h"
#include "worker/jobs/exec_lines.h"
#include "worker/jobs/exec_tail.h"

struct record {
    struct buf text;
    double share;
};

static void on_metric(void *arg, const char *name, uint64_t step, double value)
{
    struct record *r = arg;
    buf_printf(&r->text, "%s@%llu=%g;", name, (unsigned long long)step, value);
}

static void on_progress(void *arg, double share)
{
    struct record *r = arg;
    r->share = share;
}

static struct record record;

static struct exec_lines begin(void)
{
    buf_clear(&record.text);
    return (struct exec_lines){
        .sink = { .arg = &record, .metric = on_metric, .progress = on_progress }
    };
}

/* TEXT in pieces of SIZE bytes. */
static struct exec_lines take(const char *text, size_t size)
{
    struct exec_lines l = begin();

    for (size_t len = strlen(text), at = 0; at < len; at += size) {
        char *piece = mem_dup(text + at, MIN(size, len - at)); /* ASan sees the ends */
        exec_lines_add(&l, piece, MIN(size, len - at));
        free(piece);
    }
    exec_lines_end(&l);
    return l;
}

static void assert_lines(const char *text, const char *want, uint64_t garbage)
{
    for (size_t size = 1; size < 40; size += 6) {
        struct exec_lines l = take(text, size);
        assert_string_equal(buf_str(&record.text), want);
        assert_int_equal(l.garbage, garbage);
        exec_lines_release(&l);
    }
}

static void metrics_are_taken_in_every_form(void **state)
{
    (void)state;
    assert_lines("{\"metric\": \"loss\", \"step\": 3, \"value\": 0.5}\n", "loss@3=0.5;", 0);
    assert_lines("{\"metric\": \"a\", \"value\": 1}\n{\"metric\": \"a\", \"value\": 2}\n",
                 "a@0=1;a@1=2;", 0);
    assert_lines("{\"step\": 4, \"loss\": 0.25, \"text\": \"x\", \"reward\": 1}",
                 "loss@4=0.25;reward@4=1;", 0);
    assert_lines("\n \r\n{\"metric\":\"x\",\"step\":0,\"value\":-1e3}\r\n", "x@0=-1000;", 0);
    assert_lines("{\"score\": 1, \"example\": 7, \"name\": \"q\"}\n{\"score\": 0, \"example\": 9, "
                 "\"name\": \"q\"}\n",
                 "score.q@7=1;score.q@9=0;q@2=0.5;", 0);
    assert_lines("{\"score\": 0.5, \"example\": 7}\n", "score.example@7=0.5;score@1=0.5;", 0);
}

static void numbers_that_are_none_are_kept_as_such(void **state)
{
    (void)state;
    assert_lines("{\"metric\": \"loss\", \"step\": 1, \"value\": NaN}\n", "loss@1=nan;", 0);
    assert_lines("{\"metric\": \"loss\", \"step\": 1, \"value\": -Infinity}\n", "loss@1=nan;", 0);
    assert_lines("{\"metric\": \"NaN\", \"step\": 1, \"value\": Infinity}\n", "NaN@1=nan;", 0);
    assert_lines("{\"step\": 1, \"a\": NaN, \"b\": 2, \"c\": NaN}", "a@1=nan;b@1=2;c@1=nan;", 0);
}

static void garbage_is_counted_and_the_first_is_named(void **state)
{
    (void)state;
    assert_lines("hello\n[1]\n3\n\"x\"\n{\"metric\": \"loss\"}\n{}\n{\"step\": -1, \"a\": 1}\n"
                 "{\"metric\": \"a b\", \"step\": 1, \"value\": 1}\n{\"progress\": 2}\n"
                 "{\"score\": 1}\n{\"step\": 1, \"a\": \"b\"}\n{\"metric\": \"m\", \"step\": 1, "
                 "\"value\": 7}\n",
                 "m@1=7;", 11);
    struct exec_lines l = take("{\"a\": 1, \"a\": 2}\n\x1b[31mred\xff\n", 7);
    assert_int_equal(l.garbage, 2);
    assert_int_equal(l.first_line, 1);
    assert_string_equal(l.first_garbage, "{\"a\": 1, \"a\": 2}");
    assert_true(strlen(l.first_why) > 0);
    exec_lines_release(&l);
}

static void progress_and_divergence_are_told(void **state)
{
    (void)state;
    struct exec_lines l =
        take("{\"progress\": 0.25}\n{\"diverged\": \"loss is \xc3\xa4 NaN\"}\n", 5);
    assert_float_equal(record.share, 0.25, 0);
    assert_true(l.diverged);
    assert_string_equal(l.diverged_why, "loss is ?? NaN");
    assert_int_equal(l.garbage, 0);
    exec_lines_release(&l);
}

static void a_line_without_an_end_stays_bounded(void **state)
{
    char block[4096];
    struct exec_lines l = begin();

    (void)state;
    memset(block, 'x', sizeof(block));
    for (int i = 0; i < 1000; i++)
        exec_lines_add(&l, block, sizeof(block));
    assert_true(l.line.len <= EXEC_LINE_MAX + EXEC_TEXT_MAX);
    assert_int_equal(l.garbage, 1);
    static const char rest[] = "\n{\"metric\":\"a\",\"step\":1,\"value\":1}\n";
    exec_lines_add(&l, rest, strlen(rest));
    exec_lines_end(&l);
    assert_string_equal(buf_str(&record.text), "a@1=1;");
    exec_lines_release(&l);
}

static void names_are_bounded(void **state)
{
    struct exec_lines l = begin();
    char line[128];

    (void)state;
    for (int i = 0; i < 2 * EXEC_NAMES_MAX; i++) {
        int len = snprintf(line, sizeof(line), "{\"metric\": \"m%d\", \"value\": 1}\n", i);
        exec_lines_add(&l, line, (size_t)len);
    }
    assert_int_equal(l.garbage, EXEC_NAMES_MAX);
    exec_lines_release(&l);
}

static void the_end_of_the_output_is_kept(void **state)
{
    struct exec_tail t = { 0 };
    struct buf out CLEANUP(buf_release) = { 0 };
    char line[64], last[16];

    (void)state;
    exec_tail_print(&t, &out);
    assert_int_equal(out.len, 0);
    exec_tail_add(&t, "10%\r50%\r100%\r\n\x1b[1mbold\x07\n\tend\n\n", 30);
    exec_tail_print(&t, &out);
    assert_string_equal(buf_str(&out), "100%\n?[1mbold?\n\tend\n\n");
    exec_tail_last(&t, last, sizeof(last));
    assert_string_equal(last, "\tend");
    for (int i = 0; i < 40000; i++) {
        int len = snprintf(line, sizeof(line), "line %d\n", i);
        exec_tail_add(&t, line, (size_t)len);
    }
    assert_true(t.bytes.cap < 8 * EXEC_TAIL_BYTES);
    buf_clear(&out);
    exec_tail_print(&t, &out);
    assert_true(out.len <= EXEC_TAIL_BYTES + 64);
    assert_non_null(strstr(buf_str(&out), "bytes before\nline "));
    assert_string_equal(out.data + out.len - 11, "line 39999\n");
    exec_tail_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_are_taken_in_every_form),
        cmocka_unit_test(numbers_that_are_none_are_kept_as_such),
        cmocka_unit_test(garbage_is_counted_and_the_first_is_named),
        cmocka_unit_test(progress_and_divergence_are_told),
        cmocka_unit_test(a_line_without_an_end_stays_bounded),
        cmocka_unit_test(names_are_bounded),
        cmocka_unit_test(the_end_of_the_output_is_kept),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_release(&record.text);
    return failed;
}
