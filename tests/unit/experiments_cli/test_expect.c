/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: expected times are what past attempts say, with an interval that holds; durations and sizes
 * read well; the git state of a folder is told in three words. Method: closed forms by hand,
 * simulated jobs for the coverage of the interval, scratch repositories. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/rng.h"
#include "common/stats/sample.h"
#include "experiments/cli/expect.h"
#include "experiments/cli/git.h"
#include "experiments/cli/sheet.h"

static void work_is_units_times_the_mean(void **state)
{
    struct expect_past past = { .n = 4, .mean_ms = 250, .sd_ms = 0 };
    struct expect e = expect_work(&past, 80, 2);

    (void)state;
    assert_true(e.known && e.interval);
    assert_true(e.s == 20 && e.low == 20 && e.high == 20);
}

static void one_attempt_gives_no_interval_and_none_gives_nothing(void **state)
{
    struct expect_past one = { .n = 1, .mean_ms = 1000, .sd_ms = NAN }, none = { .n = 0 };

    (void)state;
    assert_true(expect_work(&one, 3, 3).known && !expect_work(&one, 3, 3).interval);
    assert_false(expect_work(&none, 3, 3).known);
    assert_true(expect_work(&none, 0, 0).known); /* nothing to do takes no time */
    assert_true(expect_work(&none, 0, 0).s == 0);
}

/* n = 3 past attempts, 2 jobs of 5 units: 10 * sd * t(0.95, 2) * sqrt(1/2 + 1/3), t = 2.919986. */
static void the_interval_has_its_closed_form(void **state)
{
    struct expect_past past = { .n = 3, .mean_ms = 1000, .sd_ms = 100 };
    struct expect e = expect_work(&past, 10, 2);
    const double half = 10 * 0.1 * 2.9199855803537256 * sqrt(1.0 / 2 + 1.0 / 3);

    (void)state;
    assert_true(fabs(e.high - (10 + half)) < 1e-9);
    assert_true(fabs(e.low - (10 - half)) < 1e-9);
}

/* 4,000 times: 5 past jobs, 8 to come, all normal. Of 90 % the binomial error is 0.5 points. */
static void the_interval_holds_nine_of_ten(void **state)
{
    struct rng r = rng_stream("expect", 7, 1);
    size_t held = 0;
    enum { TIMES = 4000 };

    (void)state;
    for (int i = 0; i < TIMES; i++) {
        double past[5], sum = 0;

        for (size_t k = 0; k < 5; k++)
            past[k] = 1000 + 100 * rng_normal(&r);
        for (size_t k = 0; k < 8; k++)
            sum += (1000 + 100 * rng_normal(&r)) / 1000;
        struct expect_past p = { .n = 5,
                                 .mean_ms = stats_mean(past, 5),
                                 .sd_ms = stats_sd(past, 5) };
        struct expect e = expect_work(&p, 8, 8);
        held += e.low <= sum && sum <= e.high;
    }
    assert_true(held > TIMES * 0.88 && held < TIMES * 0.92);
}

static void walls_lie_between_the_chain_and_the_work(void **state)
{
    struct expect work = { .known = true, .interval = true, .s = 100, .low = 80, .high = 120 };
    struct expect one = expect_wall(work, 30, 1), many = expect_wall(work, 30, 1000);

    (void)state;
    assert_true(one.s == 100 && one.low == 80 && one.high == 120);
    assert_true(many.s == 30 && many.low == 24 && many.high >= 36 && many.high < 36.1);
    assert_false(expect_wall((struct expect){ .known = false }, 1, 1).known);
}

static void errors_add_in_squares(void **state)
{
    struct expect a = { .known = true, .interval = true, .s = 10, .low = 7, .high = 13 };
    struct expect b = { .known = true, .interval = true, .s = 20, .low = 16, .high = 24 };
    struct expect c = expect_add(a, b);

    (void)state;
    assert_true(c.s == 30 && c.low == 25 && c.high == 35);
    b.interval = false;
    assert_false(expect_add(a, b).interval);
}

static void durations_and_sizes_read_well(void **state)
{
    static const struct {
        double s;
        const char *text;
    } times[] = { { 0, "0 ms" },
                  { 0.25, "250 ms" },
                  { 0.9996, "1.0 s" },
                  { 59.94, "59.9 s" },
                  { 59.96, "1 min 00 s" },
                  { 3599, "59 min 59 s" },
                  { 3599.6, "1 h 00 min" },
                  { 7500, "2 h 05 min" },
                  { 90000, "1 d 1 h" } },
      sizes[] = { { 0, "0 B" },           { 347, "347 B" },   { 1536, "1.5 KiB" },
                  { 1048575, "1.0 MiB" }, { 5e9, "4.7 GiB" }, { 1e18, "909494.7 TiB" } };
    char out[EXPECT_TEXT];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(times); i++)
        assert_string_equal(expect_duration(times[i].s, out), times[i].text);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        assert_string_equal(expect_size(sizes[i].s, out), sizes[i].text);
}

/* ---- git ---- */

/* The exit code of COMMAND in a shell. */
static int shell(const char *command)
{
    FILE *f = popen(command, "r");
    int status = f ? pclose(f) : -1;

    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void in_folder(const char *dir, const char *command)
{
    char line[512];

    snprintf(line, sizeof line,
             "export HOME='%s' GIT_CONFIG_NOSYSTEM=1; cd '%s' && (%s) >/dev/null 2>&1", dir, dir,
             command);
    assert_int_equal(shell(line), 0);
}

static void git_state_is_commit_branch_and_cleanness(void **state)
{
    char dir[] = "/tmp/drover-git-XXXXXX", out[GIT_STATE_MAX], command[128];

    (void)state;
    if (shell("git --version >/dev/null 2>&1") != 0)
        skip();
    assert_non_null(mkdtemp(dir));
    assert_string_equal(cli_git_state(dir, out), ""); /* no repository */
    in_folder(dir,
              "git init -q -b line . && git config user.email a@b && git config user.name c && "
              "echo x > r.cfg && git add r.cfg && git commit -q -m m");
    cli_git_state(dir, out);
    assert_true(strspn(out, "0123456789abcdef") == 40);
    assert_string_equal(out + 40, " line clean");
    in_folder(dir, "echo y >> r.cfg");
    assert_string_equal(cli_git_state(dir, out) + 40, " line changed");
    in_folder(dir, "git checkout -q r.cfg && echo z > new.cfg");
    assert_string_equal(cli_git_state(dir, out) + 40, " line changed"); /* not in the commit */
    assert_string_equal(cli_git_state("/no/such/folder", out), "");
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    assert_int_equal(shell(command), 0);
}

/* ---- lists ---- */

static void a_list_leaves_empty_columns_out_and_counts_what_it_cuts(void **state)
{
    static const char text[] = "[{\"a\":1,\"b\":null,\"c\":\"x\"},{\"a\":2,\"b\":null,\"c\":\"\"},"
                               "{\"a\":3,\"c\":true}]";
    struct json *list = NULL;
    char *out = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&out, &len);

    (void)state;
    assert_int_equal(json_parse(text, strlen(text), &list, NULL), 0);
    sheet_list(list, "Title", "a=first b c nothing", 2, f);
    fclose(f);
    assert_string_equal(out,
                        "\nTitle\nfirst c\n    1 x\n    2 \n... and 1 more (--json has all)\n");
    free(out);
    json_free(list);
}

static void equal_column_names_stay_apart(void **state)
{
    struct sheet *s = sheet_new();
    char *out = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&out, &len);

    (void)state;
    for (int i = 0; i < 3; i++)
        sheet_column(s, i == 1 ? "a_2" : "a");
    for (int r = 0; r < 2; r++) {
        sheet_row(s);
        for (int i = 0; i < 3; i++)
            sheet_int(s, 3 * r + i);
        sheet_flush(s, SHEET_JSON, f);
        assert_int_equal(sheet_rows(s), 0);
    }
    sheet_print(s, SHEET_JSON, f);
    fclose(f);
    assert_string_equal(out, "{\"version\":1,\"rows\":[\n{\"a\":0,\"a_2\":1,\"a_3\":2},\n"
                             "{\"a\":3,\"a_2\":4,\"a_3\":5}\n]}\n");
    free(out);
    sheet_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_is_units_times_the_mean),
        cmocka_unit_test(one_attempt_gives_no_interval_and_none_gives_nothing),
        cmocka_unit_test(the_interval_has_its_closed_form),
        cmocka_unit_test(the_interval_holds_nine_of_ten),
        cmocka_unit_test(walls_lie_between_the_chain_and_the_work),
        cmocka_unit_test(errors_add_in_squares),
        cmocka_unit_test(durations_and_sizes_read_well),
        cmocka_unit_test(git_state_is_commit_branch_and_cleanness),
        cmocka_unit_test(a_list_leaves_empty_columns_out_and_counts_what_it_cuts),
        cmocka_unit_test(equal_column_names_stay_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
