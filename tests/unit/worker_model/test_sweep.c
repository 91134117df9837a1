/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the sweep computes the model, along any path, from any start.
 * Method: random models of ten shapes that have every option of the architecture; a plain forward
 * pass written here from the same kernels (models without options) must agree bit for bit, a naive
 * one in double within a bound; states saved on the way must continue to the same bits. */
#include "tests/unit/worker_model/models.h"

#include <math.h>

#include "tests/support/twin.h"

enum { ROWS = 13, PATHS = 12, LAYERS_MAX = 8 };

/* Measured: 1.2e-5 at most, over all shapes and paths; float32 has 6e-8 per operation and paths
 * have up to ten layers. */
static const double twin_bound = 4e-5;

struct plain {
    const struct model *m;
    struct model_weights w;
    struct rope_view rope;
    float *x, *norm, *q, *k, *v, *att, *gate, *up;
    uint32_t position[ROWS];
};

/* Y = X W^T with W packed on its own: no stacking, one call. */
static void plain_gemm(const struct plain *p, float *y, const float *x, const float *w, size_t n,
                       size_t k)
{
    struct packed packed;

    assert_int_equal(packed_alloc(&packed, WEIGHT_F32, k, n, NULL), 0);
    packed_fill(&packed, w, k);
    p->m->kern->gemm(y, n, x, k, &packed, ROWS, 0, n);
    packed_release(&packed);
}

static void plain_layer(const struct plain *p, size_t l)
{
    const struct model_conf *c = &p->m->conf;
    const struct model_weights *w = &p->w;
    const struct kernels *kern = p->m->kern;
    size_t q = c->heads * c->head_dim, kv = c->kv_heads * c->head_dim;
    float *score = mem_aligned(attention_scratch_floats(ROWS), sizeof(float));
    const float *keys = p->k, *values = p->v;

    kern->rmsnorm(p->norm, NULL, p->x, w->norm1[l], c->rms_eps, ROWS, c->dim);
    plain_gemm(p, p->q, p->norm, w->wq[l], q, c->dim);
    plain_gemm(p, p->k, p->norm, w->wk[l], kv, c->dim);
    plain_gemm(p, p->v, p->norm, w->wv[l], kv, c->dim);
    kern->rope(p->q, q, p->position, p->rope.cos, p->rope.sin, 1, c->rope_interleaved, ROWS,
               c->heads, c->head_dim);
    kern->rope(p->k, kv, p->position, p->rope.cos, p->rope.sin, 1, c->rope_interleaved, ROWS,
               c->kv_heads, c->head_dim);
    kern->attention(p->att, q, NULL, p->q, q, &(struct kv_view){ &keys, &values, ROWS, kv, false },
                    score, ROWS, ROWS, c->heads, c->kv_heads, c->head_dim);
    plain_gemm(p, p->norm, p->att, w->wo[l], c->dim, q);
    kern->add(p->x, p->norm, ROWS * c->dim);
    kern->rmsnorm(p->norm, NULL, p->x, w->norm2[l], c->rms_eps, ROWS, c->dim);
    plain_gemm(p, p->gate, p->norm, w->w1[l], c->hidden, c->dim);
    plain_gemm(p, p->up, p->norm, w->w3[l], c->hidden, c->dim);
    kern->swiglu(p->gate, p->gate, p->up, ROWS * c->hidden);
    plain_gemm(p, p->norm, p->gate, w->w2[l], c->dim, c->hidden);
    kern->add(p->x, p->norm, ROWS * c->dim);
    free(score);
}

static void plain_forward(const struct model *m, const uint32_t *tokens, float *logits)
{
    const struct model_conf *c = &m->conf;
    size_t q = c->heads * c->head_dim, kv = c->kv_heads * c->head_dim;
    struct plain p = { .m = m, .rope = rope_need(m->rope, ROWS) };

    random_weights(&p.w, c);
    p.x = mem_aligned(ROWS * c->dim, sizeof(float));
    p.norm = mem_aligned(ROWS * c->dim, sizeof(float));
    p.q = mem_aligned(ROWS * q, sizeof(float));
    p.k = mem_aligned(ROWS * kv, sizeof(float));
    p.v = mem_aligned(ROWS * kv, sizeof(float));
    p.att = mem_aligned(ROWS * q, sizeof(float));
    p.gate = mem_aligned(ROWS * c->hidden, sizeof(float));
    p.up = mem_aligned(ROWS * c->hidden, sizeof(float));
    for (uint32_t r = 0; r < ROWS; r++) {
        p.position[r] = r;
        memcpy(p.x + r * c->dim, p.w.embed[0] + tokens[r] * c->dim, c->dim * sizeof(float));
    }
    for (size_t l = 0; l < c->layers; l++)
        plain_layer(&p, l);
    m->kern->rmsnorm(p.norm, NULL, p.x, p.w.norm[0], c->rms_eps, ROWS, c->dim);
    plain_gemm(&p, logits, p.norm, p.w.head[0], c->vocab, c->dim);
    model_weights_release(&p.w);
    free(p.x), free(p.norm), free(p.q), free(p.k), free(p.v), free(p.att), free(p.gate), free(p.up);
}

static void identity_path_is_the_plain_forward_bit_for_bit(void **state)
{
    const uint8_t ones[LAYERS_MAX] = { 1, 1, 1, 1, 1, 1, 1, 1 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        const struct model_conf *c = &shapes[i].conf;
        struct model *m = random_model(c, NULL);
        struct sweep *s = sweep_new(m, NULL);
        struct rng r = rng_stream("test", 1, i);
        float *want = mem_aligned(ROWS * c->vocab, sizeof(float));
        float *got = mem_aligned(ROWS * c->vocab, sizeof(float));
        uint32_t tokens[ROWS];
        struct sweep_seq q = { .tokens = tokens, .rows = ROWS, .routing = ones, .logits = got };

        random_tokens(&r, tokens, ROWS, c);
        plain_forward(m, tokens, want);
        assert_int_equal(sweep_run(s, &q, 1, NULL, NULL), 0);
        assert_memory_equal(got, want, ROWS * c->vocab * sizeof(float));
        free(got);
        free(want);
        sweep_free(s);
        model_free(m);
    }
}

static double distance(const float *got, const double *want, size_t n)
{
    double scale = 0.0, worst = 0.0;

    for (size_t i = 0; i < n; i++)
        scale += want[i] * want[i] / (double)n;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)got[i] - want[i]) / sqrt(scale);

        worst = d <= worst ? worst : d; /* NaN counts */
    }
    return worst;
}

static void any_path_is_the_naive_twin_within_the_bound(void **state)
{
    double worst = 0.0;

    (void)state;
    for (size_t i = 0; i < ALL_SHAPES; i++) {
        const struct model_conf *c = shape_conf(i);
        size_t n = ROWS * c->vocab;
        struct model *m = random_model(c, NULL);
        struct sweep *s = sweep_new(m, NULL);
        struct rng r = rng_stream("test", 2, i);
        struct model_weights w;
        double *want = mem_calloc(n, sizeof(*want));
        float *got = mem_aligned(PATHS * n, sizeof(float));
        uint8_t routing[PATHS][LAYERS_MAX];
        uint32_t tokens[PATHS][ROWS];
        struct sweep_seq q[PATHS];

        random_weights(&w, c);
        for (size_t p = 0; p < PATHS; p++) {
            random_tokens(&r, tokens[p], ROWS, c);
            random_routing(&r, routing[p], c);
            q[p] = (struct sweep_seq){
                .tokens = tokens[p], .rows = ROWS, .routing = routing[p], .logits = got + p * n
            };
        }
        memset(routing[0], 0, c->layers); /* the empty path, and everything twice */
        memset(routing[1], 2, c->layers);
        assert_int_equal(sweep_run(s, q, PATHS, NULL, NULL), 0);
        for (size_t p = 0; p < PATHS; p++) {
            double d;

            twin_logits(want, c, &w, tokens[p], ROWS, routing[p]);
            d = distance(got + p * n, want, n);
            worst = d <= worst ? worst : d;
        }
        model_weights_release(&w);
        free(got);
        free(want);
        sweep_free(s);
        model_free(m);
    }
    print_message("largest difference to the twin, in root mean squares of the logits: %.1e\n",
                  worst);
    assert_true(worst <= twin_bound);
}

/* Saved states in SAVE of one evaluation of TOKENS along ROUTING, logits in LOGITS. */
static void evaluate_saving(struct sweep *s, const struct model_conf *c, const uint32_t *tokens,
                            const uint8_t *routing, float **save, float *logits)
{
    struct sweep_seq q = {
        .tokens = tokens, .rows = ROWS, .routing = routing, .save = save, .logits = logits
    };

    for (size_t l = 0; l <= c->layers; l++)
        save[l] = mem_aligned(ROWS * c->dim, sizeof(float));
    assert_int_equal(sweep_run(s, &q, 1, NULL, NULL), 0);
}

static void start_from_a_saved_state_is_the_whole_evaluation_bit_for_bit(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALL_SHAPES; i++) {
        const struct model_conf *c = shape_conf(i);
        size_t n = ROWS * c->vocab;
        struct model *m = random_model(c, NULL);
        struct sweep *s = sweep_new(m, NULL);
        struct rng r = rng_stream("test", 3, i);
        float *whole = mem_aligned(n, sizeof(float)), *part = mem_aligned(n, sizeof(float));
        uint8_t root[LAYERS_MAX], edited[LAYERS_MAX];
        float *save[LAYERS_MAX + 1];
        uint32_t tokens[ROWS];

        random_tokens(&r, tokens, ROWS, c);
        random_routing(&r, root, c);
        evaluate_saving(s, c, tokens, root, save, whole);
        for (size_t l = 0; l <= c->layers; l++) {
            struct sweep_seq q[2];

            random_routing(&r, edited, c);
            memcpy(edited, root, l);
            q[0] = (struct sweep_seq){
                .tokens = tokens, .rows = ROWS, .routing = edited, .logits = whole
            };
            q[1] = (struct sweep_seq){
                .rows = ROWS, .routing = edited, .start_layer = l, .start = save[l], .logits = part
            };
            assert_int_equal(sweep_run(s, q, 2, NULL, NULL), 0);
            assert_memory_equal(part, whole, n * sizeof(float));
        }
        for (size_t l = 0; l <= c->layers; l++)
            free(save[l]);
        free(part);
        free(whole);
        sweep_free(s);
        model_free(m);
    }
}

static void layer_rows_count_every_application_once_per_row(void **state)
{
    const struct model_conf *c = &shapes[0].conf;
    struct model *m = random_model(c, NULL);
    struct sweep *s = sweep_new(m, NULL);
    const uint32_t tokens[5] = { 1, 2, 3, 4, 5 };
    const uint8_t routing[] = { 0, 2, 1, 2 };
    float *start = mem_aligned(3 * c->dim, sizeof(float));
    struct sweep_seq q[] = {
        { .tokens = tokens, .rows = 5, .routing = routing, .logits_from = 5 },
        { .rows = 3, .routing = routing, .start_layer = 2, .start = start, .logits_from = 3 },
    };

    (void)state;
    assert_int_equal(sweep_run(s, q, 2, NULL, NULL), 0);
    assert_int_equal(sweep_layer_rows(s), 5 * 5 + 3 * 3);
    free(start);
    sweep_free(s);
    model_free(m);
}

static void too_long_a_text_and_a_stop_are_errors(void **state)
{
    struct model_conf c = shapes[0].conf;
    uint32_t tokens[ROWS] = { 0 };
    const uint8_t ones[LAYERS_MAX] = { 1, 1, 1, 1 };
    struct sweep_seq q = { .tokens = tokens, .rows = ROWS, .routing = ones, .logits_from = ROWS };
    struct progress progress = { 0 };
    struct err err = { 0 };
    struct model *m;
    struct sweep *s;

    (void)state;
    c.positions = ROWS - 1;
    m = random_model(&c, NULL);
    s = sweep_new(m, NULL);
    assert_int_equal(sweep_run(s, &q, 1, NULL, &err), ERR_LIMIT);
    assert_non_null(strstr(err.text, "13"));
    q.rows = q.logits_from = ROWS - 1;
    assert_int_equal(sweep_run(s, &q, 1, &progress, &err), 0);
    assert_true(progress.counter >= c.layers);
    progress.stop = true;
    assert_int_equal(sweep_run(s, &q, 1, &progress, &err), ERR_CANCELLED);
    sweep_free(s);
    model_free(m);
}

/* In the last layer of a path the rows without logits only give keys and values, where most rows
 * are such (whole panels of queries are saved): the work shows it. */
static void gemm_time_and_work_are_measured(void **state)
{
    const struct model_conf *c = &shapes[0].conf;
    struct model *m = random_model(c, NULL);
    struct sweep *s = sweep_new(m, NULL);
    const uint32_t tokens[5] = { 1, 2, 3, 4, 5 };
    const uint8_t routing[] = { 1, 0, 2, 0 };
    float *logits = mem_aligned(2 * c->vocab, sizeof(float));
    struct sweep_seq q = {
        .tokens = tokens, .rows = 5, .routing = routing, .logits_from = 3, .logits = logits
    };
    uint64_t in = c->dim * 3 * c->dim, rest = c->dim * (c->dim + 3 * c->hidden),
             head = c->dim * c->vocab, queries = c->dim * (c->dim / KERNELS_PANEL * KERNELS_PANEL);

    (void)state;
    sweep_measure(s, true);
    assert_int_equal(sweep_run(s, &q, 1, NULL, NULL), 0);
    assert_int_equal(sweep_stats(s).gemm_flop, 2 * (15 * in - 3 * queries + 12 * rest + 2 * head));
    assert_true(sweep_stats(s).gemm_ns <= sweep_stats(s).total_ns);
    assert_int_equal(sweep_layer_rows(s), 15);
    free(logits);
    sweep_free(s);
    model_free(m);
}

/* Rows that end early must not change the others: any choice of rows with logits, also in company,
 * cached and not. */
static void logits_do_not_depend_on_which_rows_ask_for_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALL_SHAPES; i++) {
        const struct model_conf *c = shape_conf(i);
        size_t n = ROWS * c->vocab;
        struct model *m = random_model(c, NULL);
        struct sweep *s = sweep_new(m, NULL);
        struct rng r = rng_stream("test", 4, i);
        float *want = mem_aligned(n, sizeof(float)),
              *got = mem_aligned((ROWS + 1) * n, sizeof(float));
        uint8_t routing[LAYERS_MAX];
        uint32_t tokens[ROWS];
        struct sweep_seq q[ROWS + 1];

        random_tokens(&r, tokens, ROWS, c);
        random_routing(&r, routing, c);
        q[0] = (struct sweep_seq){
            .tokens = tokens, .rows = ROWS, .routing = routing, .logits = want
        };
        assert_int_equal(sweep_run(s, q, 1, NULL, NULL), 0);
        for (size_t from = 0; from <= ROWS; from++) {
            q[from] = q[0];
            q[from].logits_from = from;
            q[from].logits = got + from * n;
            q[from].kv = NULL;
            if (from % 2)
                assert_int_equal(kv_new(&q[from].kv, c, routing, ROWS, NULL), 0);
        }
        assert_int_equal(sweep_run(s, q, ROWS + 1, NULL, NULL), 0);
        for (size_t from = 0; from <= ROWS; from++) {
            assert_memory_equal(q[from].logits, want + from * c->vocab,
                                (ROWS - from) * c->vocab * sizeof(float));
            kv_free(q[from].kv);
        }
        free(got);
        free(want);
        sweep_free(s);
        model_free(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identity_path_is_the_plain_forward_bit_for_bit),
        cmocka_unit_test(any_path_is_the_naive_twin_within_the_bound),
        cmocka_unit_test(start_from_a_saved_state_is_the_whole_evaluation_bit_for_bit),
        cmocka_unit_test(layer_rows_count_every_application_once_per_row),
        cmocka_unit_test(too_long_a_text_and_a_stop_are_errors),
        cmocka_unit_test(gemm_time_and_work_are_measured),
        cmocka_unit_test(logits_do_not_depend_on_which_rows_ask_for_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
