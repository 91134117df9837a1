/* SPDX-License-Identifier: Apache-2.0 */
/* blas.c - the only caller of OpenBLAS. */
#include "worker/kernels/blas.h"

#include <assert.h>
#include <cblas.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "common/base/macros.h"

static char class_text[96];

/* The configuration reads "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ...". */
void blas_init(void)
{
    openblas_set_num_threads(1);
    const char *version = strchr(openblas_get_config(), ' ');
    version = version == NULL ? "unknown" : version + 1;
    snprintf(class_text, sizeof(class_text), "openblas-%.*s-%s",
             (int)MIN(strcspn(version, " "), (size_t)31), version, openblas_get_corename());
}

void blas_set_threads(size_t threads)
{
    assert(threads >= 1 && threads <= INT_MAX);
    openblas_set_num_threads((int)threads);
}

const char *blas_class(void)
{
    assert(class_text[0] != '\0'); /* blas_init comes first */
    return class_text;
}

void blas_gemm(int trans_a, int trans_b, size_t m, size_t n, size_t k, float alpha, const float *a,
               size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc)
{
    assert(m <= INT_MAX && n <= INT_MAX && k <= INT_MAX && lda <= INT_MAX && ldb <= INT_MAX &&
           ldc <= INT_MAX);
    cblas_sgemm(CblasRowMajor, trans_a ? CblasTrans : CblasNoTrans,
                trans_b ? CblasTrans : CblasNoTrans, (int)m, (int)n, (int)k, alpha, a, (int)lda, b,
                (int)ldb, beta, c, (int)ldc);
}
