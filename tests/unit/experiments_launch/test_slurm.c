/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what Slurm's commands print is read as it is meant. Method: lines as squeue and sbatch
 * write them, torn ones among them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "experiments/launch/slurm.h"

static void pilots_are_counted_by_what_became_of_them(void **state)
{
    struct slurm_counts c;

    (void)state;
    slurm_parse_queue("17_[4-9]|PENDING|0|JobArrayTaskLimit|\n"
                      "17_3|PENDING|0|Resources|\n"
                      "17_0|RUNNING|0|None|\n"
                      "17_1|COMPLETING|0|None|\n"
                      "17_2|SUSPENDED|0|None|\n"
                      "18_0|COMPLETED|0|None|\n"
                      "18_1|TIMEOUT|15|TimeLimit|\n"
                      "18_2|PREEMPTED|15|None|\n"
                      "18_3|CANCELLED|0|None|\n"
                      "18_4|FAILED|256|NonZeroExitCode|\n"
                      "18_5|NODE_FAIL|1|NodeDown|\n"
                      "18_6|OUT_OF_MEMORY|125|OutOfMemory|\n",
                      &c);
    assert_int_equal(c.pending, 2);
    assert_int_equal(c.running, 3);
    assert_int_equal(c.done, 4);
    assert_int_equal(c.failed, 3);
    assert_true(c.any_reason);
    assert_string_equal(c.reason, "JobArrayTaskLimit");
}

/* Exit code 75: it was asked to leave, and work that had begun goes on elsewhere. */
static void a_pilot_whose_work_was_cut_off_has_not_failed(void **state)
{
    struct slurm_counts c;

    (void)state;
    slurm_parse_queue("1_0|FAILED|19200|NonZeroExitCode|\n1_1|FAILED|75:0|NonZeroExitCode|\n", &c);
    assert_int_equal(c.done, 2);
    assert_int_equal(c.failed, 0);
    slurm_parse_queue("1_0|FAILED|9|JobLaunchFailure|\n1_1|FAILED|75|NonZeroExitCode|\n"
                      "1_2|FAILED||NonZeroExitCode|\n",
                      &c);
    assert_int_equal(c.done, 0);
    assert_int_equal(c.failed, 3);
}

static void torn_and_strange_lines_do_no_harm(void **state)
{
    struct slurm_counts c;

    (void)state;
    slurm_parse_queue("", &c);
    assert_int_equal(c.pending + c.running + c.done + c.failed, 0);
    slurm_parse_queue("slurm_load_jobs error\n\n|\n17|\n17_1|PENDING", &c);
    assert_int_equal(c.pending, 1);
    assert_int_equal(c.running + c.done + c.failed, 0);
    assert_false(c.any_reason);
    slurm_parse_queue("  17_1 | PENDING  |  0 |  Resources     \n", &c);
    assert_int_equal(c.pending, 1);
    assert_string_equal(c.reason, "Resources");
}

static void an_id_is_a_number_and_nothing_else(void **state)
{
    (void)state;
    assert_int_equal(slurm_parse_id("1234\n"), 1234);
    assert_int_equal(slurm_parse_id("1234;cluster\n"), 1234);
    assert_int_equal(slurm_parse_id("Submitted batch job 1234\n"), 0);
    assert_int_equal(slurm_parse_id("12x"), 0);
    assert_int_equal(slurm_parse_id("0"), 0);
    assert_int_equal(slurm_parse_id(""), 0);
    assert_int_equal(slurm_parse_id("99999999999999999999999"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pilots_are_counted_by_what_became_of_them),
        cmocka_unit_test(a_pilot_whose_work_was_cut_off_has_not_failed),
        cmocka_unit_test(torn_and_strange_lines_do_no_harm),
        cmocka_unit_test(an_id_is_a_number_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
