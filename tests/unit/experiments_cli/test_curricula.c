/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the chart of a curriculum is what its budgets are, at most 80 columns wide, with a number
 * at both ends of its axis, however many budgets and stages there are. Method: curricula by hand,
 * golden text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/macros.h"
#include "experiments/cli/curricula.h"

enum { POINTS = 31 };

/* POINTS_LEN budgets from 300 on down, spread evenly over the updates. */
static void chart(size_t points_len, uint64_t updates, uint64_t stages, struct buf *out)
{
    struct plan_budget point[POINTS];
    struct plan_curriculum c = { .step = "train",
                                 .schedule = "linear",
                                 .budget = "linear",
                                 .difficulty = "mixture",
                                 .updates = updates,
                                 .stages = stages,
                                 .runs = 1,
                                 .point = point,
                                 .points_len = points_len };
    const struct plan p = { .curriculum = &c, .curricula_len = 1 };

    assert_true(points_len <= POINTS);
    for (size_t i = 0; i < points_len; i++)
        point[i] = (struct plan_budget){ i * updates / points_len, 300 - 10 * (int64_t)i };
    curricula_print(&p, out);
}

/* Lines of TEXT that hold PART; all have at most 80 columns. */
static size_t lines_with(const char *text, const char *part)
{
    char line[200];
    size_t n = 0;

    while (*text) {
        const size_t len = strcspn(text, "\n");

        assert_in_range(len, 0, 80);
        snprintf(line, sizeof(line), "%.*s", (int)len, text);
        n += strstr(line, part) != NULL;
        text += len + (text[len] == '\n');
    }
    return n;
}

static void a_few_budgets_have_a_row_each(void **state)
{
    struct buf out CLEANUP(buf_release) = { 0 };

    (void)state;
    chart(2, 100, 2, &out);
    assert_string_equal(
        buf_str(&out), "Curriculum of train, 1 run: 100 updates in 2 stages; budget linear; "
                       "difficulty\n    mixture.\n"
                       "    300 |********************************\n"
                       "    290 |                                ********************************\n"
                       "        +--------------------------------+-------------------------------\n"
                       "         0                               50                              "
                       "100\n\n");
}

static void many_budgets_share_eight_rows(void **state)
{
    struct buf out CLEANUP(buf_release) = { 0 };

    (void)state;
    chart(POINTS, 620, 1, &out);
    assert_int_equal(lines_with(buf_str(&out), "|*") + lines_with(buf_str(&out), "| "), 8);
    assert_int_equal(lines_with(buf_str(&out), " 300 |*"), 1);
    assert_int_equal(lines_with(buf_str(&out), "   0 | "), 1);
}

static void axis_begins_with_0_and_ends_with_all_updates(void **state)
{
    (void)state;
    for (uint64_t stages = 1; stages <= 64; stages++) {
        struct buf out CLEANUP(buf_release) = { 0 };
        const char *axis, *last;

        chart(3, stages * 1000, stages, &out);
        axis = strrchr(buf_str(&out), '+');
        axis = strchr(axis, '\n') + 1;
        assert_int_equal(strspn(axis, " "), 9);
        assert_memory_equal(axis + 9, "0 ", 2);
        last = strchr(axis, '\n');
        while (last[-1] != ' ')
            last--;
        assert_int_equal(strtoul(last, NULL, 10), stages * 1000);
        assert_int_equal(last - axis, 9 + 64);
        assert_true(lines_with(buf_str(&out), "train") == 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_few_budgets_have_a_row_each),
        cmocka_unit_test(many_budgets_share_eight_rows),
        cmocka_unit_test(axis_begins_with_0_and_ends_with_all_updates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
