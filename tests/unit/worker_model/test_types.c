/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a model computes from narrow weights what it computes from the same weights widened, bit
 * for bit, whatever the mixture of types in a file. Method: random models whose tensors are rounded
 * to BF16 or F16, given as views of that type, of F32, and of types that differ from tensor to
 * tensor (also inside a stack of q, k, v), at odd addresses; every level that this machine runs,
 * one and two threads. */
#include "tests/unit/worker_model/models.h"

enum { ROWS = 9, LAYERS_MAX = 8 };

/* Truncated to BF16: exact in both types that are tested with it. */
static uint16_t to_bf16(float x)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof(bits));
    return (uint16_t)(bits >> 16);
}

/* To F16, truncated; too small becomes a signed zero. Values of the models are far from too large.
 */
static uint16_t to_f16(float x)
{
    uint32_t bits, sign, exponent;

    memcpy(&bits, &x, sizeof(bits));
    sign = bits >> 16 & 0x8000u;
    exponent = bits >> 23 & 0xffu;
    if (exponent < 113)
        return (uint16_t)sign;
    assert_true(exponent < 143);
    return (uint16_t)(sign | (exponent - 112) << 10 | (bits >> 13 & 0x3ffu));
}

/* Views of all tensors of W in types by PICK, and the same weights widened, in W itself. */
struct narrow {
    struct checkpoint files;
    unsigned char *bytes;
    size_t used;
};

typedef enum weight_type (*pick_fn)(size_t tensor);

static enum weight_type all_bf16(size_t i)
{
    (void)i;
    return WEIGHT_BF16;
}

static enum weight_type all_f16(size_t i)
{
    (void)i;
    return WEIGHT_F16;
}

static enum weight_type any_type(size_t i)
{
    return (enum weight_type)(i % WEIGHT_TYPES);
}

/* TYPE view of the N floats at W, which become what the view says; at an odd address. */
static struct tensor_view view_of(struct narrow *n, float *w, enum weight_type type, size_t rows,
                                  size_t cols)
{
    size_t width = weight_type_bytes(type);
    unsigned char *to;

    n->used |= 1;
    to = n->bytes + n->used;
    for (size_t i = 0; i < rows * cols; i++) {
        uint16_t half = type == WEIGHT_BF16 ? to_bf16(w[i]) : type == WEIGHT_F16 ? to_f16(w[i]) : 0;

        if (type == WEIGHT_F32)
            memcpy(to + i * width, &w[i], width);
        else
            memcpy(to + i * width, &half, width);
        weight_widen(&w[i], to + i * width, type, 1);
    }
    n->used += rows * cols * width;
    return (struct tensor_view){ to, type, rows, cols };
}

static void narrow_init(struct narrow *n, const struct model_conf *c, struct model_weights *w,
                        pick_fn pick)
{
    size_t index = 0;

    *n = (struct narrow){ .files = { .conf = *c }, .bytes = mem_calloc(w->floats_len + 256, 4) };
#define X(F, NAME, GGUF, PER_LAYER, ROWS_OF, COLS_OF, DECAY)                                       \
    n->files.F = mem_calloc((PER_LAYER) ? c->layers : 1, sizeof(struct tensor_view));              \
    for (size_t l = 0; (size_t)(ROWS_OF) > 0 && l < ((PER_LAYER) ? c->layers : 1); l++)            \
        n->files.F[l] = view_of(n, w->F[l], pick(index++), ROWS_OF, COLS_OF);
    MODEL_TENSORS(X)
#undef X
    if (c->tied)
        n->files.head[0] = n->files.embed[0];
}

static void narrow_release(struct narrow *n)
{
#define X(F, NAME, GGUF, PER_LAYER, ROWS_OF, COLS_OF, DECAY) free(n->files.F);
    MODEL_TENSORS(X)
#undef X
    free(n->bytes);
}

static void logits_of(const struct model *m, struct pool *pool, float *logits)
{
    const uint8_t routing[LAYERS_MAX] = { 1, 2, 1, 1, 0 };
    struct sweep *s = sweep_new(m, pool);
    struct rng r = rng_stream("test", 31, 0);
    uint32_t tokens[ROWS];
    struct sweep_seq q = { .tokens = tokens, .rows = ROWS, .routing = routing, .logits = logits };

    random_tokens(&r, tokens, ROWS, &m->conf);
    assert_int_equal(sweep_run(s, &q, 1, NULL, NULL), 0);
    sweep_free(s);
}

static void check(const struct model_conf *c, pick_fn pick)
{
    size_t bytes = ROWS * c->vocab * sizeof(float);
    float *want = mem_aligned(bytes, 1), *got = mem_aligned(bytes, 1);
    struct model_weights w;
    struct model *wide = NULL;
    struct narrow n;

    random_weights(&w, c);
    narrow_init(&n, c, &w, pick);
    assert_int_equal(model_from_weights(&wide, c, &w, NULL, NULL), 0);
    logits_of(wide, NULL, want);
    for (int level = 0; level < KERNELS_LEVELS; level++) {
        const struct kernels *kern = kernels_at((enum kernels_level)level);

        for (size_t threads = 1; kern && threads <= 2; threads++) {
            struct pool *pool = pool_new(threads);
            struct model *m = NULL;

            assert_int_equal(model_from_views(&m, &n.files, kern, pool, NULL), 0);
            memset(got, 0xff, bytes);
            logits_of(m, pool, got);
            assert_memory_equal(got, want, bytes);
            if (pick != any_type)
                assert_true(m->weight_bytes < wide->weight_bytes);
            model_free(m);
            pool_free(pool);
        }
    }
    free(want);
    free(got);
    narrow_release(&n);
    model_weights_release(&w);
    model_free(wide);
}

static void bf16_weights_give_the_bits_of_the_same_weights_widened(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALL_SHAPES; i++)
        check(shape_conf(i), all_bf16);
}

static void f16_weights_give_the_bits_of_the_same_weights_widened(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALL_SHAPES; i++)
        check(shape_conf(i), all_f16);
}

static void mixed_types_give_the_bits_of_the_same_weights_widened(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALL_SHAPES; i++)
        check(shape_conf(i), any_type);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bf16_weights_give_the_bits_of_the_same_weights_widened),
        cmocka_unit_test(f16_weights_give_the_bits_of_the_same_weights_widened),
        cmocka_unit_test(mixed_types_give_the_bits_of_the_same_weights_widened),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
