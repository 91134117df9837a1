/* SPDX-License-Identifier: Apache-2.0 */
/* group_kernels.c - the packed matrix product against OpenBLAS on one core: Y (M,N) = X (M,K) W^T.
 *
 * The ratios are against W as models store it, (N,K): what a caller of OpenBLAS has without copying
 * weights. The rate of OpenBLAS with W stored transposed, (K,N), stands beside: for small weights
 * it is the better one on some cores. */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/rng.h"
#include "tests/bench/bench.h"
#include "worker/kernels/blas.h"
#include "worker/kernels/kernels.h"

struct product {
    const struct kernels *kern;
    size_t m, n, k;
    bool transposed;
    float *x, *w, *wt, *y;
    struct packed packed;
};

static void run_packed(void *arg)
{
    struct product *p = arg;
    p->kern->gemm(p->y, p->n, p->x, p->k, &p->packed, p->m, 0, p->n);
}

static void run_blas(void *arg)
{
    struct product *p = arg;
    if (p->transposed)
        blas_gemm(0, 0, p->m, p->n, p->k, 1, p->x, p->k, p->wt, p->n, 0, p->y, p->n);
    else
        blas_gemm(0, 1, p->m, p->n, p->k, 1, p->x, p->k, p->w, p->k, 0, p->y, p->n);
}

static float *random_floats(size_t n, uint64_t item)
{
    float *x = mem_aligned(n, sizeof(*x));
    struct rng r = rng_stream("bench", 1, item);
    for (size_t i = 0; i < n; i++)
        x[i] = rng_float(&r) - 0.5f;
    return x;
}

static void product_open(struct product *p, size_t m_max)
{
    p->kern = kernels_best();
    p->x = random_floats(m_max * p->k, 1);
    p->w = random_floats(p->n * p->k, 2);
    p->wt = mem_aligned(p->n * p->k, sizeof(float));
    p->y = mem_aligned(m_max * p->n, sizeof(float));
    for (size_t i = 0; i < p->n; i++)
        for (size_t j = 0; j < p->k; j++)
            p->wt[j * p->n + i] = p->w[i * p->k + j];
    struct err err;
    int rc = packed_alloc(&p->packed, WEIGHT_F32, p->k, p->n, &err);
    assert(rc == 0);
    packed_fill(&p->packed, p->w, p->k);
}

static void product_close(struct product *p)
{
    free(p->x);
    free(p->w);
    free(p->wt);
    free(p->y);
    packed_release(&p->packed);
}

static void compare_shape(struct bench *b, size_t k, size_t n, const char *suffix,
                          const double limit[4])
{
    static const size_t rows[] = { 8, 32, 128, 512, 1 };
    struct product p = { .k = k, .n = n };
    product_open(&p, 512);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        p.m = rows[i];
        const double flop = 2.0 * (double)p.m * (double)n * (double)k;
        const struct subject packed = { run_packed, &p, flop, false };
        const struct subject blas = { run_blas, &p, flop, false };
        char name[96];
        struct figure rate, rate_blas;
        p.transposed = false;
        const struct figure ratio = bench_ratio(b, &packed, &blas, &rate, &rate_blas);
        if (i < 4) {
            snprintf(name, sizeof(name), "kernels.packed_vs_openblas.m%zu%s", p.m, suffix);
            bench_report(b, name, "ratio", ratio, BETTER_HIGHER, limit[i]);
        }
        snprintf(name, sizeof(name), "kernels.packed.m%zu%s", p.m, suffix);
        bench_report(b, name, "GFLOP/s", bench_scale(rate, 1e-9), BETTER_HIGHER, NAN);
        snprintf(name, sizeof(name), "kernels.openblas.m%zu%s", p.m, suffix);
        bench_report(b, name, "GFLOP/s", bench_scale(rate_blas, 1e-9), BETTER_HIGHER, NAN);
        p.transposed = true;
        snprintf(name, sizeof(name), "kernels.openblas_transposed.m%zu%s", p.m, suffix);
        bench_report(b, name, "GFLOP/s", bench_scale(bench_rate(b, &blas), 1e-9), BETTER_HIGHER,
                     NAN);
    }
    product_close(&p);
}

/* The same matrix as BF16 (its upper halves), against OpenBLAS on the floats. */
static void compare_bf16(struct bench *b, size_t k, size_t n)
{
    static const size_t rows[] = { 1, 32, 128 };
    struct product p = { .k = k, .n = n };
    product_open(&p, 128);
    uint16_t *half = mem_calloc(n * k, sizeof(*half));
    for (size_t i = 0; i < n * k; i++) {
        uint32_t bits;
        memcpy(&bits, &p.w[i], sizeof(bits));
        half[i] = (uint16_t)(bits >> 16);
    }
    packed_release(&p.packed);
    int rc = packed_alloc(&p.packed, WEIGHT_BF16, k, n, NULL);
    assert(rc == 0);
    packed_fill_rows(&p.packed, 0, n, half, k);
    free(half);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        p.m = rows[i];
        const double flop = 2.0 * (double)p.m * (double)n * (double)k;
        const struct subject packed = { run_packed, &p, flop, false };
        const struct subject blas = { run_blas, &p, flop, false };
        char name[64];
        struct figure rate;
        const struct figure ratio = bench_ratio(b, &packed, &blas, &rate, NULL);
        snprintf(name, sizeof(name), "kernels.gemm.bf16.m%zu", p.m);
        bench_report(b, name, "ratio", ratio, BETTER_HIGHER, NAN);
        snprintf(name, sizeof(name), "kernels.gemm.bf16.rate.m%zu", p.m);
        bench_report(b, name, "GFLOP/s", bench_scale(rate, 1e-9), BETTER_HIGHER, NAN);
    }
    product_close(&p);
}

void bench_kernels(struct bench *b)
{
    char text[160];
    blas_init();
    snprintf(text, sizeof(text), "kernels: level %s against %s, one thread", kernels_best()->name,
             blas_class());
    bench_note(b, text);
    compare_shape(b, 128, 512, "", (const double[]){ 2.5, 1.7, 1.2, 0.95 });
    compare_shape(b, 2048, 8192, ".large", (const double[]){ 2.0, 1.5, 1.1, 0.95 });
    compare_bf16(b, 2048, 8192);
}
