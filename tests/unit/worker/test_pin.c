/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: no two threads of drover are ever bound to one core, in one worker or in two, and auto
 * binds only a worker that fills the cores alone. Method: the assignment as a pure function over
 * all small cases; real claims of this computer's cores in a folder of their own; masks read back
 * from threads. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "tests/support/folder.h"
#include "worker/host.h"
#include "worker/kernels/pool.h"
#include "worker/pin.h"

static void threads_get_free_cores_and_none_twice(void **state)
{
    (void)state;
    for (unsigned mask = 0; mask < 64; mask++)
        for (size_t cores = 1; cores <= 6; cores++)
            for (size_t threads = 0; threads <= 7; threads++) {
                bool free_core[6], used[6] = { false };
                size_t ret[7], available = 0;

                for (size_t i = 0; i < cores; i++)
                    available += free_core[i] = mask >> i & 1;
                bool on = pin_assign(PIN_ON, free_core, cores, threads, ret);
                assert_int_equal(on, threads > 0 && threads <= available);
                for (size_t i = 0; on && i < threads; i++) {
                    assert_true(ret[i] < cores && free_core[ret[i]] && !used[ret[i]]);
                    used[ret[i]] = true;
                }
                bool alone = pin_assign(PIN_AUTO, free_core, cores, threads, ret);
                assert_int_equal(alone, threads == cores && available == cores);
                assert_false(pin_assign(PIN_OFF, free_core, cores, threads, ret));
            }
}

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/drover-test-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return folder_remove(folder);
}

static struct pin *pin(enum pin_mode mode, size_t slots, size_t threads)
{
    struct buf why CLEANUP(buf_release) = { 0 };
    struct pin *p = pin_new(mode, slots, threads, folder, &why);

    assert_non_null(p);
    assert_true(why.len > 0);
    assert_int_equal(pin_is_on(p), strlen(pin_cores(p)) > 0);
    return p;
}

static void workers_beside_each_other_share_no_core(void **state)
{
    size_t cores, cpus;
    struct pin *p[64], *one_more, *alone;

    (void)state;
    host_cores(&cores, &cpus);
    if (cores > 64)
        skip();
    for (size_t i = 0; i < cores; i++) {
        p[i] = pin(PIN_ON, 1, 1);
        assert_true(pin_is_on(p[i]));
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(pin_cores(p[k]), pin_cores(p[i]));
    }
    one_more = pin(PIN_ON, 1, 1);
    assert_false(pin_is_on(one_more));
    alone = pin(PIN_AUTO, 1, cores); /* one of them is enough to be in its way */
    assert_false(pin_is_on(alone));
    pin_free(alone);
    pin_free(one_more);
    for (size_t i = 0; i < cores; i++)
        pin_free(p[i]);
    alone = pin(PIN_AUTO, 1, cores); /* what ends gives its claims back */
    assert_true(pin_is_on(alone));
    pin_free(alone);
}

static void auto_binds_only_who_fills_the_cores(void **state)
{
    size_t cores, cpus;

    (void)state;
    host_cores(&cores, &cpus);
    for (size_t threads = 1; threads <= cores + 1; threads++) {
        struct pin *p = pin(PIN_AUTO, 1, threads), *q = pin(PIN_AUTO, threads, 1);

        assert_int_equal(pin_is_on(p), threads == cores);
        assert_false(pin_is_on(q) && threads == cores); /* the first has them */
        pin_free(p);
        pin_free(q);
    }
    struct pin *off = pin(PIN_OFF, 1, cores);
    assert_false(pin_is_on(off));
    pin_free(off);
}

struct masks {
    cpu_set_t of[64];
};

static void read_mask(void *arg, size_t i, size_t thread)
{
    struct masks *m = arg;

    (void)i;
    (void)sched_getaffinity(0, sizeof(m->of[thread]), &m->of[thread]);
    usleep(1000); /* so that every thread gets one */
}

static void threads_of_a_slot_sit_on_different_cores(void **state)
{
    size_t cores, cpus;
    struct masks m = { 0 };
    cpu_set_t before, loose;

    (void)state;
    host_cores(&cores, &cpus);
    if (cores > 64)
        skip();
    assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
    struct pool *pool = pool_new(cores);
    struct pin *p = pin(PIN_ON, 1, cores);
    pin_slot(p, 0, pool);
    pool_run(pool, read_mask, &m, 16 * cores);
    for (size_t i = 0; i < cores; i++)
        for (size_t k = 0; k < i; k++) {
            cpu_set_t both;

            CPU_AND(&both, &m.of[i], &m.of[k]);
            assert_int_equal(CPU_COUNT(&both), 0);
        }
    pin_loosen(p);
    assert_int_equal(sched_getaffinity(0, sizeof(loose), &loose), 0);
    assert_true(CPU_EQUAL(&loose, &before));
    pool_free(pool);
    pin_free(p);
}

static void a_folder_that_cannot_be_used_is_no_error(void **state)
{
    struct buf why CLEANUP(buf_release) = { 0 };
    size_t cores, cpus;

    (void)state;
    host_cores(&cores, &cpus);
    struct pin *p = pin_new(PIN_AUTO, 1, cores, "/dev/null/claims", &why);
    assert_false(pin_is_on(p));
    assert_non_null(strstr(buf_str(&why), "folder"));
    pin_slot(p, 0, NULL);
    pin_loosen(p);
    pin_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_get_free_cores_and_none_twice),
        cmocka_unit_test(workers_beside_each_other_share_no_core),
        cmocka_unit_test(auto_binds_only_who_fills_the_cores),
        cmocka_unit_test(threads_of_a_slot_sit_on_different_cores),
        cmocka_unit_test(a_folder_that_cannot_be_used_is_no_error),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
