/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: programs of different slots get GPUs of their own, and all of them are used. Method: lists
 * as batch systems write them; environments by hand; every number of ids and slots up to 9. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "worker/jobs/gpus.h"

static void is_share(const char *list, size_t slot, size_t slots, const char *want)
{
    struct buf out CLEANUP(buf_release) = { 0 };

    gpus_share(list, slot, slots, &out);
    assert_string_equal(buf_str(&out), want);
}

static void each_slot_has_a_share_of_the_list(void **state)
{
    (void)state;
    is_share("0,1,2,3", 0, 2, "0,2");
    is_share("0,1,2,3", 1, 2, "1,3");
    is_share("4,7", 0, 1, "4,7");
    is_share("0,1,2", 1, 2, "1");
    is_share("GPU-8f2a,MIG-GPU-1/2/0", 1, 2, "MIG-GPU-1/2/0");
    is_share("0.0,0.1", 1, 2, "0.1");
    is_share("2-5", 1, 2, "3,5");
    is_share("0-1,6", 2, 3, "6");
    is_share("3", 0, 0, "3");
    /* Fewer than slots: shared. */
    is_share("0,1", 2, 4, "0");
    is_share("0,1", 3, 4, "1");
    is_share("5", 7, 8, "5");
}

static void lists_without_a_gpu_stay_as_they_are(void **state)
{
    (void)state;
    is_share("", 1, 2, "");
    is_share("-1", 1, 2, "-1");
    is_share("NoDevFiles", 0, 2, "NoDevFiles");
    is_share(",,", 0, 2, ",,");
}

static void shares_are_disjoint_and_leave_nothing_over(void **state)
{
    (void)state;
    for (size_t ids = 1; ids <= 9; ids++)
        for (size_t slots = 1; slots <= ids; slots++) {
            struct buf list CLEANUP(buf_release) = { 0 };
            int seen[9] = { 0 };

            for (size_t i = 0; i < ids; i++)
                buf_printf(&list, "%s%zu", i ? "," : "", i);
            for (size_t s = 0; s < slots; s++) {
                struct buf out CLEANUP(buf_release) = { 0 };

                gpus_share(buf_str(&list), s, slots, &out);
                for (const char *at = buf_str(&out); *at; at++)
                    if (*at != ',')
                        seen[*at - '0']++; /* below ten: a digit each */
            }
            for (size_t i = 0; i < ids; i++)
                assert_int_equal(seen[i], 1);
        }
}

/* ---- the environment ---- */

static const char *const *environment; /* name, value, ..., NULL */

static char *get(const char *name)
{
    for (const char *const *e = environment; *e; e += 2)
        if (strcmp(e[0], name) == 0)
            return (char *)(uintptr_t)e[1];
    return NULL;
}

static void put(void *arg, const char *name, const char *value)
{
    buf_printf(arg, "%s=%s ", name, value);
}

static void is_env(const char *const *e, size_t slot, size_t slots, const char *want)
{
    struct buf out CLEANUP(buf_release) = { 0 };

    environment = e;
    gpus_env(get, slot, slots, put, &out);
    assert_string_equal(buf_str(&out), want);
}

static void a_program_gets_every_variable_that_the_worker_has(void **state)
{
    static const char *const nvidia[] = { "CUDA_VISIBLE_DEVICES", "0,1", "SLURM_JOB_GPUS", "4,5",
                                          NULL };
    static const char *const amd[] = { "ROCR_VISIBLE_DEVICES",
                                       "0,1",
                                       "GPU_DEVICE_ORDINAL",
                                       "0,1",
                                       "HIP_VISIBLE_DEVICES",
                                       "0,1",
                                       NULL };
    static const char *const hip_alone[] = { "HIP_VISIBLE_DEVICES", "2,3", NULL };
    static const char *const intel[] = { "ZE_AFFINITY_MASK", "0,1", NULL };
    static const char *const nothing[] = { NULL };

    (void)state;
    is_env(nvidia, 1, 2, "CUDA_VISIBLE_DEVICES=1 ");
    is_env(amd, 1, 2, "ROCR_VISIBLE_DEVICES=1 GPU_DEVICE_ORDINAL=1 ");
    is_env(hip_alone, 1, 2, "HIP_VISIBLE_DEVICES=3 ");
    is_env(intel, 0, 2, "ZE_AFFINITY_MASK=0 ");
    is_env(nothing, 0, 2, "");
    assert_true(gpus_gives("CUDA_VISIBLE_DEVICES") && gpus_gives("HIP_VISIBLE_DEVICES"));
    assert_false(gpus_gives("CUDA_HOME") || gpus_gives("SLURM_JOB_GPUS"));
}

static void what_slurm_says_counts_where_no_variable_is_set(void **state)
{
    static const char *const step[] = { "SLURM_JOB_GPUS", "0-3", "SLURM_STEP_GPUS", "2,3", NULL };
    static const char *const job[] = { "SLURM_JOB_GPUS", "0-3", NULL };
    static const char *const hidden[] = { "SLURM_JOB_GPUS", "0-3", "CUDA_VISIBLE_DEVICES", "",
                                          NULL };

    (void)state;
    is_env(step, 0, 2, "CUDA_VISIBLE_DEVICES=2 ");
    is_env(job, 1, 2, "CUDA_VISIBLE_DEVICES=1,3 ");
    is_env(hidden, 1, 2, "CUDA_VISIBLE_DEVICES= ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_slot_has_a_share_of_the_list),
        cmocka_unit_test(lists_without_a_gpu_stay_as_they_are),
        cmocka_unit_test(shares_are_disjoint_and_leave_nothing_over),
        cmocka_unit_test(a_program_gets_every_variable_that_the_worker_has),
        cmocka_unit_test(what_slurm_says_counts_where_no_variable_is_set),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
