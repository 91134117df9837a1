/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the pool runs every item exactly once, also in thousands of short runs, and a product split
 * over it has the bits of one thread; runs end also while others take the cores. Method: counters
 * per item; runs of all sizes; the thread sanitizer build runs the same tests. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
/* cmocka needs those before it */
#include <cmocka.h>

#include "common/base/clock.h"
#include "tests/unit/worker_kernels/fill.h"
#include "worker/kernels/blas.h"
#include "worker/kernels/pool.h"

enum { ITEMS = 64 };

struct counts {
    _Atomic int item[ITEMS];
    _Atomic size_t thread_max;
};

static void count(void *arg, size_t i, size_t thread)
{
    struct counts *c = arg;
    atomic_fetch_add(&c->item[i], 1);
    size_t max = atomic_load(&c->thread_max);
    while (thread > max && !atomic_compare_exchange_weak(&c->thread_max, &max, thread))
        ;
}

static void every_item_runs_exactly_once(void **state)
{
    (void)state;
    for (size_t threads = 1; threads <= 4; threads++) {
        struct pool *p = pool_new(threads);
        assert_int_equal(pool_threads(p), threads);
        for (size_t run = 0; run < 3000; run++) {
            struct counts c = { 0 };
            const size_t n = run % (ITEMS + 1);
            pool_run(p, count, &c, n);
            for (size_t i = 0; i < ITEMS; i++)
                assert_int_equal(c.item[i], i < n);
            assert_true(c.thread_max < threads);
        }
        pool_free(p);
    }
}

static void sleeping_threads_wake_again(void **state)
{
    (void)state;
    struct pool *p = pool_new(3);
    for (size_t run = 0; run < 20; run++) {
        struct counts c = { 0 };
        clock_sleep_ms(2);
        pool_run(p, count, &c, 8);
        assert_int_equal(c.item[0] + c.item[7], 2);
    }
    pool_free(p);
}

static void *hog(void *arg)
{
    const _Atomic bool *stop = arg;
    while (!atomic_load_explicit(stop, memory_order_relaxed))
        ;
    return NULL;
}

enum { HOGS_MAX = 64 };

/* As many busy threads of others as there are cores: the pool's threads wait for their turn. */
static void runs_finish_while_every_core_is_busy(void **state)
{
    (void)state;
    _Atomic bool stop = false;
    pthread_t thread[HOGS_MAX];
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    const size_t hogs = MIN((size_t)MAX(cores, 1L), (size_t)HOGS_MAX);
    for (size_t i = 0; i < hogs; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, hog, &stop), 0);
    struct pool *p = pool_new(3);
    for (size_t run = 0; run < 30; run++) {
        struct counts c = { 0 };
        pool_run(p, count, &c, 3); /* as many items as threads */
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(c.item[i], 1);
    }
    pool_free(p);
    atomic_store(&stop, true);
    for (size_t i = 0; i < hogs; i++)
        pthread_join(thread[i], NULL);
}

static void no_pool_runs_everything_in_order_on_the_caller(void **state)
{
    (void)state;
    struct counts c = { 0 };
    pool_run(NULL, count, &c, 5);
    assert_int_equal(c.item[4], 1);
    assert_int_equal(pool_threads(NULL), 1);
    pool_free(NULL);
}

struct split {
    const struct packed *w;
    const float *x;
    float *y;
    size_t m, chunk;
};

static void multiply_part(void *arg, size_t i, size_t thread)
{
    (void)thread;
    struct split *s = arg;
    const size_t n0 = i * s->chunk;
    kernels_best()->gemm(s->y, s->w->n, s->x, s->w->k, s->w, s->m, n0, MIN(n0 + s->chunk, s->w->n));
}

static void a_product_split_by_columns_has_the_bits_of_one_thread(void **state)
{
    (void)state;
    enum { M = 37, N = 500, K = 130 };
    BOTH x = both_normal(M * K, 1, 1), w = both_normal(N * K, 2, 1), want = both_zero(M * N),
         got = both_zero(M * N);
    struct packed packed;
    assert_int_equal(packed_alloc(&packed, WEIGHT_F32, K, N, NULL), 0);
    packed_fill(&packed, w.f, K);
    kernels_best()->gemm(want.f, N, x.f, K, &packed, M, 0, N);
    for (size_t threads = 1; threads <= 4; threads++) {
        struct pool *p = pool_new(threads);
        struct split s = { &packed, x.f, got.f, M, 96 };
        memset(got.f, 0, M * N * sizeof(float));
        pool_run(p, multiply_part, &s, (N + 95) / 96);
        assert_memory_equal(got.f, want.f, M * N * sizeof(float));
        pool_free(p);
    }
    packed_release(&packed);
}

static void the_class_of_openblas_names_version_and_core(void **state)
{
    (void)state;
    blas_init();
    assert_memory_equal(blas_class(), "openblas-", 9);
    assert_true(strlen(blas_class()) > strlen("openblas-0.3."));
    assert_null(strchr(blas_class(), ' '));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_item_runs_exactly_once),
        cmocka_unit_test(sleeping_threads_wake_again),
        cmocka_unit_test(runs_finish_while_every_core_is_busy),
        cmocka_unit_test(no_pool_runs_everything_in_order_on_the_caller),
        cmocka_unit_test(a_product_split_by_columns_has_the_bits_of_one_thread),
        cmocka_unit_test(the_class_of_openblas_names_version_and_core),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
