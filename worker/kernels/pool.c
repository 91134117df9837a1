/* SPDX-License-Identifier: Apache-2.0 */
/* pool.c - a run is one 64-bit ticket: its number above, the items not yet taken below. A thread
 * takes an item by lowering the ticket, which fails when another run has begun; so no thread must
 * be waited for but those that hold an item, and a thread that the system does not schedule delays
 * nobody. Idle threads look at the ticket for some microseconds and then sleep on a futex. */
#include "worker/kernels/pool.h"

#include <assert.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"

#if defined(__x86_64__)
#include <immintrin.h>
/* Bits FTZ (15) and DAZ (6) of MXCSR: a library that was loaded with -ffast-math sets them. */
static bool subnormals_kept(void)
{
    return (_mm_getcsr() & 0x8040u) == 0;
}
static void relax(void)
{
    _mm_pause();
}
#elif defined(__aarch64__)
/* Bit FZ (24) of FPCR. */
static bool subnormals_kept(void)
{
    uint64_t fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    return (fpcr & 0x1000000u) == 0;
}
static void relax(void)
{
    __asm__ volatile("yield");
}
#else
static bool subnormals_kept(void)
{
    return true;
}
static void relax(void)
{
}
#endif

/* An idle thread looks so long before it sleeps: about what the two context switches of sleeping
 * cost, and the most that it takes from a shared core per run. PAUSES between two looks at the
 * clock. */
enum { SPIN_NS = 20 * 1000, PAUSES = 8 };

struct pool {
    size_t threads;
    pthread_t *thread; /* [threads - 1] */
    pool_fn fn;
    void *arg;
    size_t n;
    _Alignas(64) _Atomic uint64_t ticket;
    _Alignas(64) _Atomic uint32_t left; /* items not finished */
    _Alignas(64) _Atomic uint32_t bell; /* futex of sleeping threads: rises with each run */
    _Atomic uint32_t sleepers;
    _Atomic bool closing;
};

struct start {
    struct pool *pool;
    size_t thread;
};

static void futex_wait(_Atomic uint32_t *word, uint32_t seen)
{
    (void)!syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL,
                   0); /* woken early is fine: callers look again */
}

static void futex_wake(_Atomic uint32_t *word, int threads)
{
    (void)!syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, threads, NULL, NULL,
                   0); /* nobody there is fine */
}

/* Take and run items until there are none. */
static void work(struct pool *p, size_t thread)
{
    uint64_t ticket = atomic_load_explicit(&p->ticket, memory_order_acquire);
    while ((uint32_t)ticket != 0) {
        if (!atomic_compare_exchange_weak_explicit(&p->ticket, &ticket, ticket - 1,
                                                   memory_order_acquire, memory_order_acquire))
            continue;
        /* The run cannot end before this item does, so fn, arg and n stand still. */
        p->fn(p->arg, p->n - (uint32_t)ticket, thread);
        if (atomic_fetch_sub_explicit(&p->left, 1, memory_order_release) == 1 && thread != 0)
            futex_wake(&p->left, 1);
        ticket = atomic_load_explicit(&p->ticket, memory_order_acquire);
    }
}

static bool has_work(struct pool *p)
{
    return (uint32_t)atomic_load(&p->ticket) != 0 || atomic_load(&p->closing);
}

static void idle(struct pool *p)
{
    for (uint64_t end = clock_ns() + SPIN_NS; clock_ns() < end;)
        for (int i = 0; i < PAUSES; i++) {
            if (has_work(p))
                return;
            relax();
        }
    uint32_t bell = atomic_load(&p->bell);
    atomic_fetch_add(&p->sleepers, 1);
    if (!has_work(p))
        futex_wait(&p->bell, bell);
    atomic_fetch_sub(&p->sleepers, 1);
}

static void *thread_main(void *arg)
{
    struct start start = *(struct start *)arg;
    free(arg);
    assert(subnormals_kept());
    while (!atomic_load(&start.pool->closing)) {
        work(start.pool, start.thread);
        idle(start.pool);
    }
    return NULL;
}

struct pool *pool_new(size_t threads)
{
    assert(threads >= 1 && subnormals_kept());
    struct pool *p = mem_aligned(1, sizeof(*p));
    p->threads = threads;
    p->thread = mem_calloc(threads, sizeof(p->thread[0]));
    for (size_t i = 1; i < threads; i++) {
        struct start *start = mem_calloc(1, sizeof(*start));
        *start = (struct start){ .pool = p, .thread = i };
        if (pthread_create(&p->thread[i - 1], NULL, thread_main, start) != 0)
            abort(); /* contract: see the header */
    }
    return p;
}

void pool_free(struct pool *p)
{
    if (p == NULL)
        return;
    atomic_store(&p->closing, true);
    atomic_fetch_add(&p->bell, 1);
    futex_wake(&p->bell, INT_MAX);
    for (size_t i = 1; i < p->threads; i++)
        pthread_join(p->thread[i - 1], NULL);
    free(p->thread);
    free(p);
}

size_t pool_threads(const struct pool *p)
{
    return p == NULL ? 1 : p->threads;
}

void pool_run(struct pool *p, pool_fn fn, void *arg, size_t n)
{
    if (p == NULL || p->threads == 1 || n < 2) {
        for (size_t i = 0; i < n; i++)
            fn(arg, i, 0);
        return;
    }
    assert(n < UINT32_MAX && atomic_load(&p->left) == 0);
    p->fn = fn;
    p->arg = arg;
    p->n = n;
    atomic_store(&p->left, (uint32_t)n);
    uint64_t run = (atomic_load_explicit(&p->ticket, memory_order_relaxed) >> 32) + 1;
    atomic_store(&p->ticket, run << 32 | (uint32_t)n);
    atomic_fetch_add(&p->bell, 1);
    uint32_t sleepers = atomic_load(&p->sleepers);
    if (sleepers > 0)
        futex_wake(&p->bell, (int)MIN(sleepers, (uint32_t)(n - 1)));
    work(p, 0);
    for (uint64_t end = clock_ns() + SPIN_NS; clock_ns() < end && atomic_load(&p->left) != 0;)
        for (int i = 0; i < PAUSES && atomic_load(&p->left) != 0; i++)
            relax();
    for (uint32_t left; (left = atomic_load_explicit(&p->left, memory_order_acquire)) != 0;)
        futex_wait(&p->left, left);
}
