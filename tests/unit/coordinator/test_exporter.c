/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the numbers reach Prometheus as its text format wants them. Method: a struct made by hand,
 * its text; the HTTP side is looked at by a system test. */
#include "coordinator/exporter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/failures.h"

static void a_histogram_is_cumulative_and_ends_at_its_count(void **state)
{
    struct shell_metrics m = { .messages = 1 };
    struct buf out CLEANUP(buf_release) = { 0 };

    (void)state;
    metric_observe(&m.commit, METRIC_SHORT, 0);
    metric_observe(&m.commit, METRIC_SHORT, 100); /* le is "at most" */
    metric_observe(&m.commit, METRIC_SHORT, 101);
    metric_observe(&m.commit, METRIC_SHORT, 3000000);
    metric_observe(&m.commit, METRIC_SHORT, 99000000);
    exporter_text(&m, &out);
    static const char *const lines[] = {
        "# TYPE drover_commit_seconds histogram\n",
        "\ndrover_commit_seconds_bucket{le=\"0.0001\"} 2\n",
        "\ndrover_commit_seconds_bucket{le=\"0.00025\"} 3\n",
        "\ndrover_commit_seconds_bucket{le=\"2.5\"} 3\n",
        "\ndrover_commit_seconds_bucket{le=\"5\"} 4\n",
        "\ndrover_commit_seconds_bucket{le=\"10\"} 4\n",
        "\ndrover_commit_seconds_bucket{le=\"+Inf\"} 5\n",
        "\ndrover_commit_seconds_sum 102.000201\n",
        "\ndrover_commit_seconds_count 5\n",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        assert_non_null(strstr(buf_str(&out), lines[i]));
}

static void microseconds_are_told_as_seconds(void **state)
{
    const struct shell_metrics m = { .submit_us = 1500000, .start_ms = 1795379298820 };
    struct buf out CLEANUP(buf_release) = { 0 };

    (void)state;
    exporter_text(&m, &out);
    assert_non_null(strstr(buf_str(&out), "\ndrover_submit_seconds_total 1.5\n"));
    assert_non_null(strstr(buf_str(&out), "\ndrover_start_time_seconds 1795379298.82\n"));
}

static void count_row(const struct metric_row *row, void *arg)
{
    (void)row;
    ++*(size_t *)arg;
}

static void every_family_has_one_head_before_its_samples(void **state)
{
    const struct shell_metrics m = { .messages = 7 };
    struct buf out CLEANUP(buf_release) = { 0 };
    char head[128];
    size_t rows = 0;

    (void)state;
    exporter_text(&m, &out);
    metric_each(&m, count_row, &rows);
    assert_true(rows > 40);
    for (const char *s = buf_str(&out); (s = strstr(s, "# TYPE ")) != NULL; s += 7) {
        const int len = (int)strcspn(s + 7, " ");

        (void)snprintf(head, sizeof(head), "# TYPE %.*s ", len, s + 7);
        assert_ptr_equal(strstr(buf_str(&out), head), s); /* the first... */
        assert_null(strstr(s + 7, head));                 /* ...and only one */
        (void)snprintf(head, sizeof(head), "\n%.*s", len, s + 7);
        const char *sample = strstr(buf_str(&out), head);
        if (sample && strchr(" {", sample[1 + len]))
            assert_true(sample > s);
    }
    assert_int_equal(out.data[out.len - 1], '\n');
}

static void the_newest_failures_stay_and_are_whole_characters(void **state)
{
    struct failures f = { .len = 0 };
    char text[400];

    (void)state;
    assert_null(failures_at(&f, 0));
    for (uint64_t i = 1; i <= FAILURES_KEPT + 5; i++)
        failures_add(&f, CAUSE_LOST, i, 100 + i, "w", "gone");
    assert_int_equal(failures_at(&f, 0)->job, 100 + FAILURES_KEPT + 5);
    assert_int_equal(failures_at(&f, FAILURES_KEPT - 1)->job, 106);
    assert_null(failures_at(&f, FAILURES_KEPT));
    for (size_t i = 0; i + 1 < sizeof(text); i += 3)
        memcpy(text + i, "\xe6\x97\xa5", 3);
    text[399] = '\0';
    failures_add(&f, CAUSE_OOM, 9, 9, text, text);
    assert_int_equal(strlen(failures_at(&f, 0)->text) % 3, 0);
    assert_true(strlen(failures_at(&f, 0)->text) >= FAILURE_TEXT - 3);
    assert_int_equal(strlen(failures_at(&f, 0)->worker), 63);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_histogram_is_cumulative_and_ends_at_its_count),
        cmocka_unit_test(microseconds_are_told_as_seconds),
        cmocka_unit_test(every_family_has_one_head_before_its_samples),
        cmocka_unit_test(the_newest_failures_stay_and_are_whole_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
