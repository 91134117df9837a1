/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a product with F16 or BF16 weights has the bits of the same product with those weights
 * widened to float first, on every level; panels hold what they were filled with. Method: all
 * 65,536 patterns against the definition of their format in double, alone and through the product;
 * random matrices of odd shapes for every M of 1..40; filling in pieces against the place of each
 * element.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka needs those before it */
#include <cmocka.h>

#include "tests/unit/worker_kernels/fill.h"

enum { PATTERNS = 65536 };

static const enum weight_type NARROW[] = { WEIGHT_F16, WEIGHT_BF16 };

/* What pattern X of TYPE stands for, from the definition of the formats. */
static double meaning(enum weight_type type, unsigned x)
{
    const int bits = type == WEIGHT_F16 ? 10 : 7, bias = type == WEIGHT_F16 ? 15 : 127;
    const unsigned top = type == WEIGHT_F16 ? 31 : 255;
    const unsigned mantissa = x & ((1u << bits) - 1), exponent = x >> bits & top;
    double value;
    if (exponent == top)
        value = mantissa ? (double)NAN : (double)INFINITY;
    else if (exponent == 0)
        value = ldexp(mantissa, 1 - bias - bits);
    else
        value = ldexp(mantissa + (1u << bits), (int)exponent - bias - bits);
    return x >> 15 ? -value : value;
}

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof(bits));
    return bits;
}

static void every_pattern_is_widened_to_what_it_stands_for(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(NARROW); i++) {
        for (unsigned x = 0; x < PATTERNS; x++) {
            const unsigned char from[3] = { 0, (unsigned char)x, (unsigned char)(x >> 8) };
            const double want = meaning(NARROW[i], x);
            float got;
            weight_widen(&got, from + 1, NARROW[i], 1);
            if (isnan(want) ? !isnan(got) : bits_of(got) != bits_of((float)want))
                fail_msg("%s %04x: %a instead of %a", weight_type_name(NARROW[i]), x, (double)got,
                         want);
        }
    }
}

static void floats_are_copied_also_from_odd_addresses(void **state)
{
    (void)state;
    const float want[3] = { 1.5f, -0.0f, 1e-41f };
    char from[sizeof(want) + 1];
    float got[3];
    memcpy(from + 1, want, sizeof(want));
    weight_widen(got, from + 1, WEIGHT_F32, 3);
    assert_memory_equal(got, want, sizeof(want));
}

static void types_have_the_names_and_sizes_of_the_files(void **state)
{
    (void)state;
    assert_string_equal(weight_type_name(WEIGHT_F32), "F32");
    assert_string_equal(weight_type_name(WEIGHT_F16), "F16");
    assert_string_equal(weight_type_name(WEIGHT_BF16), "BF16");
    assert_int_equal(weight_type_bytes(WEIGHT_F32), 4);
    assert_int_equal(weight_type_bytes(WEIGHT_F16), 2);
    assert_int_equal(weight_type_bytes(WEIGHT_BF16), 2);
}

/* One matrix, narrow and as the floats that its elements are. */
struct pair {
    size_t n, k;
    uint16_t *from; /* (N,K) */
    struct packed narrow, wide;
};

static struct pair pair_new(enum weight_type type, uint16_t *from, size_t n, size_t k)
{
    struct pair p = { .n = n, .k = k, .from = from };
    float *w = mem_calloc(n * k, sizeof(*w));
    weight_widen(w, from, type, n * k);
    assert_int_equal(packed_alloc(&p.narrow, type, k, n, NULL), 0);
    assert_int_equal(packed_alloc(&p.wide, WEIGHT_F32, k, n, NULL), 0);
    packed_fill_rows(&p.narrow, 0, n, from, k);
    packed_fill(&p.wide, w, k);
    free(w);
    return p;
}

/* Finite elements of all sizes up to about 1, some of them zeros and subnormals. */
static struct pair pair_random(enum weight_type type, size_t n, size_t k)
{
    uint16_t *from = mem_calloc(n * k, sizeof(*from));
    struct rng r = rng_stream("test", n, k);
    for (size_t i = 0; i < n * k; i++) {
        const uint32_t x = rng_u32(&r);
        from[i] = (uint16_t)(x & (type == WEIGHT_F16 ? 0xbbffu : 0xbf7fu));
        if (x >> 28 == 0)
            from[i] &= 0x8003;
    }
    return pair_new(type, from, n, k);
}

static void pair_free(struct pair *p)
{
    free(p->from);
    packed_release(&p->narrow);
    packed_release(&p->wide);
}

/* The product with rows of X on every level: narrow weights against wide ones on the first. */
static void check_product(const struct pair *p, const float *x, size_t m)
{
    const struct kernels *level[KERNELS_LEVELS];
    const size_t levels = runnable_levels(level), ldy = p->n + 3;
    BOTH want = both_zero(m * ldy), got = both_zero(m * ldy);
    memset(want.f, 0, want.n * sizeof(float));
    level[0]->gemm(want.f, ldy, x, p->k, &p->wide, m, 0, p->n);
    for (size_t l = 0; l < levels; l++) {
        memset(got.f, 0, got.n * sizeof(float));
        level[l]->gemm(got.f, ldy, x, p->k, &p->narrow, m, 0, p->n);
        if (memcmp(got.f, want.f, got.n * sizeof(float)) != 0)
            fail_msg("%s on level %s differs at M=%zu N=%zu K=%zu",
                     weight_type_name(p->narrow.type), level[l]->name, m, p->n, p->k);
    }
}

static void every_pattern_passes_the_product_like_its_float(void **state)
{
    (void)state;
    const struct kernels *level[KERNELS_LEVELS];
    const size_t levels = runnable_levels(level);
    /* few rows, two tiles, and many rows take different ways */
    static const size_t rows[] = { 1, 3, 12, 40 };
    BOTH x = both_zero(40), y = both_zero(40 * PATTERNS);
    for (size_t i = 0; i < x.n; i++)
        x.f[i] = 1;
    for (size_t i = 0; i < ARRAY_LEN(NARROW); i++) {
        uint16_t *from = mem_calloc(PATTERNS, sizeof(*from));
        for (size_t j = 0; j < PATTERNS; j++)
            from[j] = (uint16_t)j;
        CLEANUP(pair_free) struct pair p = pair_new(NARROW[i], from, PATTERNS, 1);
        for (size_t at = 0; at < ARRAY_LEN(rows) * levels; at++) {
            const size_t m = rows[at / levels];
            const struct kernels *kern = level[at % levels];
            kern->gemm(y.f, PATTERNS, x.f, 1, &p.narrow, m, 0, PATTERNS);
            for (size_t j = 0; j < m * PATTERNS; j++) {
                const double want = meaning(NARROW[i], (unsigned)(j % PATTERNS));
                const float sum = fmaf(1, (float)want, 0); /* the chain begins with +0 */
                if (isnan(want) ? !isnan(y.f[j]) : bits_of(y.f[j]) != bits_of(sum))
                    fail_msg("%s %04zx on level %s: %a", weight_type_name(NARROW[i]), j % PATTERNS,
                             kern->name, (double)y.f[j]);
            }
        }
    }
}

static void narrow_weights_give_the_bits_of_wide_ones_at_every_m(void **state)
{
    (void)state;
    static const size_t shape[][2] = { { 1, 1 },   { 50, 37 },  { 96, 64 },
                                       { 143, 2 }, { 97, 211 }, { 250, 401 } };
    for (size_t i = 0; i < ARRAY_LEN(NARROW); i++) {
        for (size_t s = 0; s < ARRAY_LEN(shape); s++) {
            const size_t n = shape[s][0], k = shape[s][1];
            CLEANUP(pair_free) struct pair p = pair_random(NARROW[i], n, k);
            BOTH x = both_normal(40 * k, 3, 1);
            for (size_t m = 1; m <= 40; m++)
                check_product(&p, x.f, m);
        }
    }
}

static void blocks_for_the_cache_change_no_bit_of_narrow_weights(void **state)
{
    (void)state;
    /* more rows than a row block; inputs beyond the cache, so that columns are grouped */
    static const size_t shape[][3] = { { 300, 150, 700 }, { 257, 100, 600 }, { 130, 200, 1400 } };
    for (size_t i = 0; i < ARRAY_LEN(NARROW); i++) {
        for (size_t s = 0; s < ARRAY_LEN(shape); s++) {
            CLEANUP(pair_free) struct pair p = pair_random(NARROW[i], shape[s][1], shape[s][2]);
            BOTH x = both_normal(shape[s][0] * shape[s][2], 3, 1);
            check_product(&p, x.f, shape[s][0]);
        }
    }
}

/* Element (n, k) of the matrix in P, as a number. */
static uint32_t element_of(const struct packed *p, size_t n, size_t k)
{
    const size_t at =
        n / KERNELS_PANEL * KERNELS_PANEL * p->k + k * KERNELS_PANEL + n % KERNELS_PANEL;
    return p->type == WEIGHT_F32 ? ((const uint32_t *)p->panel)[at]
                                 : ((const uint16_t *)p->panel)[at];
}

static void check_filling(enum weight_type type, size_t n, size_t k, size_t piece)
{
    const size_t bytes = weight_type_bytes(type), ld = k + 3;
    char *from = mem_calloc(n * ld + 1, bytes);
    struct packed p;
    assert_int_equal(packed_alloc(&p, type, k, n, NULL), 0);
    for (size_t i = 0; i < n * ld; i++) {
        const uint32_t x = (uint32_t)(i * 40503u + 1);
        memcpy(from + 1 + i * bytes, &x, bytes); /* an odd address */
    }
    for (size_t last = n; last > 0;) { /* from the end, so that pieces begin anywhere */
        const size_t rows = MIN(piece, last);
        last -= rows;
        packed_fill_rows(&p, last, rows, from + 1 + last * ld * bytes, ld);
    }
    for (size_t c = 0; c < (n + KERNELS_PANEL - 1) / KERNELS_PANEL * KERNELS_PANEL; c++) {
        for (size_t i = 0; i < k; i++) {
            const uint32_t x = (uint32_t)((c * ld + i) * 40503u + 1);
            const uint32_t want = c >= n ? 0 : bytes == 2 ? (uint16_t)x : x;
            if (element_of(&p, c, i) != want)
                fail_msg("%s N=%zu K=%zu in pieces of %zu: row %zu, %zu", weight_type_name(type), n,
                         k, piece, c, i);
        }
    }
    assert_int_equal(packed_bytes(&p), packed_floats(k, n) * bytes);
    packed_release(&p);
    free(from);
}

static void filling_in_pieces_puts_every_element_in_its_place(void **state)
{
    (void)state;
    static const size_t shape[][2] = { { 1, 1 },    { 48, 8 },    { 49, 9 },
                                       { 131, 29 }, { 100, 128 }, { 60, 2100 } };
    static const size_t piece[] = { 1, 7, 48, 1000 };
    for (size_t s = 0; s < ARRAY_LEN(shape); s++)
        for (size_t i = 0; i < ARRAY_LEN(piece); i++)
            for (int type = 0; type < WEIGHT_TYPES; type++)
                check_filling((enum weight_type)type, shape[s][0], shape[s][1], piece[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pattern_is_widened_to_what_it_stands_for),
        cmocka_unit_test(floats_are_copied_also_from_odd_addresses),
        cmocka_unit_test(types_have_the_names_and_sizes_of_the_files),
        cmocka_unit_test(every_pattern_passes_the_product_like_its_float),
        cmocka_unit_test(narrow_weights_give_the_bits_of_wide_ones_at_every_m),
        cmocka_unit_test(blocks_for_the_cache_change_no_bit_of_narrow_weights),
        cmocka_unit_test(filling_in_pieces_puts_every_element_in_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
