/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what a cluster says of a worker's time is understood, and nonsense is as if nothing were
 * said. Method: environments by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "worker/allocation.h"

static const char *const *environment; /* name, value, ..., NULL */

static char *get(const char *name)
{
    for (const char *const *p = environment; *p; p += 2)
        if (strcmp(*p, name) == 0)
            return (char *)(uintptr_t)p[1];
    return NULL;
}

#define READ(...)                                                                                  \
    do {                                                                                           \
        static const char *const words[] = { __VA_ARGS__, NULL };                                  \
        environment = words;                                                                       \
        allocation_read(&a, get);                                                                  \
    } while (0)

static void worker_started_by_hand_has_a_minute_and_no_end(void **state)
{
    struct allocation a;

    (void)state;
    READ("HOME", "/root");
    assert_string_equal(a.what, "");
    assert_true(a.grace_ms == ALONE_GRACE_MS);
    assert_true(allocation_leave_ms(&a, 12345) == UINT64_MAX);
}

static void slurm_job_leaves_its_grace_before_its_end(void **state)
{
    struct allocation a;

    (void)state;
    READ("SLURM_JOB_ID", "18", "SLURM_ARRAY_JOB_ID", "17", "SLURM_ARRAY_TASK_ID", "3",
         "SLURM_RESTART_COUNT", "1", "SLURM_JOB_END_TIME", "1000");
    assert_string_equal(a.what, "slurm job 17, task 3, restart 1");
    assert_true(a.grace_ms == ALLOCATION_GRACE_MS);
    assert_true(allocation_leave_ms(&a, 900000) ==
                100000 - ALLOCATION_GRACE_MS - ALLOCATION_MARGIN_MS);
    assert_true(allocation_leave_ms(&a, 999000) == 0);
    READ("SLURM_JOB_ID", "18", "SLURM_JOB_END_TIME", "1000", "DROVER_END_TIME", "2000",
         "DROVER_GRACE_S", "120");
    assert_string_equal(a.what, "slurm job 18");
    assert_true(a.grace_ms == 120000);
    assert_true(allocation_leave_ms(&a, 1000000) == 1000000 - 120000 - ALLOCATION_MARGIN_MS);
}

static void pod_is_named_by_its_index_when_it_has_one(void **state)
{
    struct allocation a;

    (void)state;
    READ("KUBERNETES_SERVICE_HOST", "10.0.0.1");
    assert_string_equal(a.what, "kubernetes");
    assert_true(a.grace_ms == ALLOCATION_GRACE_MS);
    READ("KUBERNETES_SERVICE_HOST", "10.0.0.1", "JOB_COMPLETION_INDEX", "7");
    assert_string_equal(a.what, "kubernetes, index 7");
}

static void nonsense_is_as_if_nothing_were_said(void **state)
{
    static const char *const bad[] = { "",    "-5", "soon", "12x", "99999999999999999999",
                                       "1e9", " 7", "0x10" };
    struct allocation a;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        const char *const words[] = {
            "DROVER_END_TIME", bad[i], "SLURM_JOB_END_TIME", bad[i], "DROVER_GRACE_S", bad[i], NULL
        };

        environment = words;
        allocation_read(&a, get);
        assert_true(a.grace_ms == ALONE_GRACE_MS);
        assert_true(allocation_leave_ms(&a, 0) == UINT64_MAX);
    }
    READ("DROVER_GRACE_S", "999999999");
    assert_true(a.grace_ms == ALONE_GRACE_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(worker_started_by_hand_has_a_minute_and_no_end),
        cmocka_unit_test(slurm_job_leaves_its_grace_before_its_end),
        cmocka_unit_test(pod_is_named_by_its_index_when_it_has_one),
        cmocka_unit_test(nonsense_is_as_if_nothing_were_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
