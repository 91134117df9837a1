/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: routers learn by the right gradients, and their bits depend on data and options alone.
 * Method: a network written here in double, with libm, whose loss is differentiated by central
 * differences in every weight, for all depths, losses and kinds; trained routers compared with
 * memcmp over threads and kernel levels; problems whose answer is known. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka needs those before it */
#include <cmocka.h>

#include "common/base/mem.h"
#include "common/base/rng.h"
#include "worker/model/router_private.h"
#include "worker/train/router_loss.h"
#include "worker/train/router_net.h"

enum { LAYERS = 3, DIM = 10, STRIDE = 4, EXAMPLES = 240, PATHS = 4 };

/* ---- data: the label of layer l is told by feature l ---------------------------------------- */

struct fixture {
    struct router_data data;
    uint64_t id[EXAMPLES];
    uint8_t rows[EXAMPLES], label[EXAMPLES * LAYERS];
    int8_t outcome[EXAMPLES * PATHS];
    float x[LAYERS][EXAMPLES * STRIDE * DIM];
    const float *at[LAYERS];
};

static void draw(struct fixture *f, uint64_t seed)
{
    for (size_t i = 0; i < EXAMPLES; i++) {
        struct rng rng = rng_stream("test", seed, i);

        f->id[i] = i * 977 + seed;
        f->rows[i] = (uint8_t)(1 + i % STRIDE);
        for (size_t l = 0; l < LAYERS; l++) {
            double draw = rng_double(&rng);

            f->label[i * LAYERS + l] = draw < 0.2 ? 0 : draw < 0.35 ? 2 : 1;
            for (size_t k = 0; k < STRIDE * DIM; k++)
                f->x[l][i * STRIDE * DIM + k] = (float)rng_normal(&rng) * 0.5f;
            for (size_t k = 0; k < STRIDE; k++)
                f->x[l][(i * STRIDE + k) * DIM + l] += (float)f->label[i * LAYERS + l] - 1.0f;
        }
        for (size_t p = 0; p < PATHS; p++) {
            bool right = f->x[0][i * STRIDE * DIM + p] + 0.3 * rng_normal(&rng) > -0.4;

            f->outcome[i * PATHS + p] = rng_double(&rng) < 0.2 ? -1 : right;
        }
    }
    for (size_t l = 0; l < LAYERS; l++)
        f->at[l] = f->x[l];
    f->data = (struct router_data){ .examples = EXAMPLES,
                                    .id = f->id,
                                    .rows = f->rows,
                                    .stride = STRIDE,
                                    .features = f->at,
                                    .label = f->label,
                                    .outcome = f->outcome };
}

static struct router_conf conf_of(enum router_kind kind, size_t depth)
{
    bool success = kind == ROUTER_SUCCESS;

    return (struct router_conf){ .kind = kind,
                                 .layers = LAYERS,
                                 .dim = DIM,
                                 .windows = STRIDE,
                                 .bottleneck = 7,
                                 .depth = depth,
                                 .decide_layer = success ? 1 : 0,
                                 .paths = success ? PATHS : 0,
                                 .members = success ? 2 : 0 };
}

/* A family whose paths all execute layer 0 once. */
static const uint8_t late[PATHS * LAYERS] = { 1, 1, 1, 1, 0, 1, 1, 1, 0, 1, 2, 1 };

static struct router *router_of(enum router_kind kind, size_t depth, const struct kernels *kern)
{
    const struct router_conf c = conf_of(kind, depth);
    struct router *r = NULL;
    struct err err = { 0 };

    if (router_new(&r, &c, kind == ROUTER_SUCCESS ? late : NULL, kern, &err))
        fail_msg("%s", err.text);
    return r;
}

/* ---- gradients ------------------------------------------------------------------------------ */

static double gelu(double x)
{
    return 0.5 * x * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
}

/* The masks of the pass whose gradient is checked; NULL: no dropout. */
static const struct router_scratch *masks;

static double mask(const struct fixture *f, size_t e, size_t layer, size_t row, size_t n)
{
    size_t before = 0;

    if (!masks)
        return 1;
    for (size_t i = 0; i < e; i++)
        before += f->rows[i];
    return (double)masks->keep[layer][(before + row) * 7 + n];
}

/* Logits of example E of HEAD, in double; layer DL's element (dn, dk) is moved by SHIFT, its bias
 * dn when dk == SIZE_MAX. */
struct nudge {
    size_t layer, n, k;
    double shift;
};

static void forward_twin(const struct router *r, const struct fixture *f, size_t head, size_t e,
                         const struct nudge *u, double *logits)
{
    double a[STRIDE][64], b[STRIDE][64];
    size_t rows = f->rows[e], depth = r->conf.depth;

    for (size_t i = 0; i < rows; i++)
        for (size_t k = 0; k < DIM; k++)
            a[i][k] = (double)f->at[head][(e * STRIDE + i) * DIM + k];
    for (size_t l = 0; l < depth; l++) {
        const struct packed *w = &r->head[head].w[l];

        if (l + 1 == depth) /* logits are averaged, which is the same as averaging here */
            for (size_t k = 0; k < w->k; k++) {
                double sum = 0;
                for (size_t i = 0; i < rows; i++)
                    sum += a[i][k];
                a[0][k] = sum / (double)rows;
            }
        for (size_t i = 0; i < (l + 1 == depth ? 1 : rows); i++)
            for (size_t n = 0; n < w->n; n++) {
                double sum = (double)r->head[head].bias[l][n];

                sum += u->layer == l && u->n == n && u->k == SIZE_MAX ? u->shift : 0;
                for (size_t k = 0; k < w->k; k++) {
                    double x = (double)*router_weight(w, n, k);

                    x += u->layer == l && u->n == n && u->k == k ? u->shift : 0;
                    sum += x * a[i][k];
                }
                b[i][n] = l + 1 == depth ? sum : gelu(sum) * mask(f, e, l, i, n);
            }
        memcpy(a, b, sizeof(a));
    }
    memcpy(logits, a[0], router_outputs(&r->conf) * sizeof(*logits));
}

struct loss {
    double alpha[3], gamma;
};

static double loss_twin(const struct router *r, const struct fixture *f, size_t head, size_t n,
                        const struct loss *l, const struct nudge *u)
{
    double sum = 0, terms = 0;

    for (size_t e = 0; e < n; e++) {
        double z[PATHS], total = 0;

        forward_twin(r, f, head, e, u, z);
        if (r->conf.kind == ROUTER_LABELS) {
            unsigned y = f->label[e * LAYERS + head];

            for (size_t k = 0; k < 3; k++)
                total += exp(z[k]);
            double p = exp(z[y]) / total;
            sum -= l->alpha[y] * pow(1 - p, l->gamma) * log(p);
            terms += 1;
            continue;
        }
        for (size_t p = 0; p < PATHS; p++) {
            int y = f->outcome[e * PATHS + p];

            if (y < 0)
                continue;
            sum += y ? log1p(exp(-z[p])) : log1p(exp(z[p]));
            terms += 1;
        }
    }
    return sum / terms;
}

/* Gradients of the product, as router_train.c makes them, into S. */
static void gradients(struct router *r, const struct fixture *f, size_t head, size_t n,
                      const struct loss *l, struct router_scratch *s)
{
    uint32_t at[16];
    size_t rows, outputs = router_outputs(&r->conf), terms = 0;

    for (uint32_t i = 0; i < n; i++)
        at[i] = i;
    rows = router_gather(r, &f->data, head, at, n, NULL, NULL, s);
    struct router_dropout drop = { 0.3, rng_stream("test", 3, 3) };
    router_net_forward(r, head, s, n, rows, masks ? &drop : NULL);
    for (size_t i = 0; i < n * PATHS; i++)
        terms += f->outcome[i] >= 0;
    for (size_t e = 0; e < n; e++) {
        const float *logit = s->h[r->conf.depth - 1] + e * outputs;
        unsigned y = f->label[e * LAYERS + head];
        double grad[3];

        if (r->conf.kind == ROUTER_LABELS) {
            (void)router_focal(logit, y, l->alpha[y], l->gamma, grad);
            for (size_t k = 0; k < 3; k++)
                s->dy[e * 3 + k] = (float)(grad[k] / (double)n);
            continue;
        }
        for (size_t p = 0; p < PATHS; p++) {
            int outcome = f->outcome[e * PATHS + p];
            double g = 0;

            (void)router_binary(logit[p], outcome, &g, NULL);
            s->dy[e * PATHS + p] = outcome < 0 ? 0.0f : (float)(g / (double)terms);
        }
    }
    router_net_backward(r, head, s, n, rows);
}

/* The largest error of a gradient over the largest gradient of its matrix. */
static double worst_gradient(struct router *r, const struct fixture *f, const struct loss *l,
                             bool dropout)
{
    const double h = 1e-5;
    struct router_scratch s;
    struct err err = { 0 };
    double worst = 0;

    assert_int_equal(router_scratch_alloc(&s, &r->conf, 16, STRIDE, &err), 0);
    masks = dropout ? &s : NULL;
    gradients(r, f, 0, 16, l, &s);
    for (size_t i = 0; i < r->conf.depth; i++) {
        const struct packed *w = &r->head[0].w[i];
        const struct packed grad = { .k = w->k, .n = w->n, .panel = s.grad[i] };
        double error = 0, size = 0;

        for (size_t n = 0; n < w->n; n++)
            for (size_t k = 0; k <= w->k; k++) {
                struct nudge u = { i, n, k == w->k ? SIZE_MAX : k, h };
                double got = (double)(k == w->k ? s.bias_grad[i][n] : *router_weight(&grad, n, k));
                double want = loss_twin(r, f, 0, 16, l, &u);

                u.shift = -h;
                want = (want - loss_twin(r, f, 0, 16, l, &u)) / (2 * h);
                error = fmax(error, fabs(got - want));
                size = fmax(size, fabs(want));
            }
        assert_true(size > 1e-4);
        worst = fmax(worst, error / size);
    }
    router_scratch_release(&s);
    return worst;
}

static void randomize(struct router *r, uint64_t seed)
{
    struct rng rng = rng_stream("test-weights", seed, 0);

    for (size_t i = 0; i < r->conf.depth; i++)
        for (size_t n = 0; n < r->head[0].w[i].n; n++) {
            r->head[0].bias[i][n] = 0.3f * (float)rng_normal(&rng);
            for (size_t k = 0; k < r->head[0].w[i].k; k++)
                *router_weight(&r->head[0].w[i], n, k) = 0.4f * (float)rng_normal(&rng);
        }
}

static void gradients_are_those_of_central_differences(void **state)
{
    static struct fixture f;
    const struct loss loss[] = {
        { { 1, 1, 1 }, 0 }, { { 0.9, 0.8, 1.3 }, 2 }, { { 2, 0.5, 0.5 }, 0.7 }, { { 1, 1, 1 }, 3.5 }
    };
    double worst = 0;

    (void)state;
    draw(&f, 1);
    for (size_t depth = 1; depth <= ROUTER_DEPTH_MAX; depth++)
        for (size_t i = 0; i <= ARRAY_LEN(loss); i++) {
            bool success = i == ARRAY_LEN(loss);
            struct router *r = router_of(success ? ROUTER_SUCCESS : ROUTER_LABELS, depth, NULL);

            randomize(r, depth);
            worst = fmax(worst, worst_gradient(r, &f, &loss[success ? 0 : i], false));
            worst = fmax(worst, worst_gradient(r, &f, &loss[success ? 0 : i], true));
            masks = NULL;
            router_free(r);
        }
    print_message("gradients: worst error %.2e of the matrix's largest\n", worst);
    assert_true(worst < 2e-5);
}

/* ---- losses --------------------------------------------------------------------------------- */

static void exp_and_log_are_near_those_of_libm(void **state)
{
    double worst = 0;

    (void)state;
    for (double x = -700; x <= 700; x += 0.37)
        worst = fmax(worst, fabs(router_exp(x) / exp(x) - 1));
    for (double x = 1e-300; x < 1e300; x *= 1.7)
        if (fabs(log(x)) > 0.4)
            worst = fmax(worst, fabs(router_log(x) / log(x) - 1));
    print_message("exp and log: worst relative error %.2e\n", worst);
    assert_true(worst < 1e-14);
}

static void class_weights_are_the_papers(void **state)
{
    const uint64_t counts[3] = { 4399, 120956, 1457 }, none[3] = { 0, 10, 30 };
    double w[3];

    (void)state;
    router_class_weights(ROUTER_EFFECTIVE, 0.999, counts, w);
    assert_true(fabs(w[0] - 0.916) < 5e-4 && fabs(w[1] - 0.905) < 5e-4 &&
                fabs(w[2] - 1.179) < 5e-4);
    router_class_weights(ROUTER_INVERSE, 0, none, w);
    assert_true(w[0] <= 0 && fabs(w[1] - 1.5) < 1e-12 && fabs(w[2] - 0.5) < 1e-12);
    router_class_weights(ROUTER_UNIFORM, 0, none, w);
    assert_true(w[0] <= 0 && fabs(w[1] - 1) < 1e-12 && fabs(w[2] - 1) < 1e-12);
}

static void losses_of_extreme_logits_are_finite(void **state)
{
    const float logits[][3] = { { 300, -300, 0 }, { -1e30f, 1e30f, 0 }, { 0, 0, 0 } };

    (void)state;
    for (size_t i = 0; i < 3; i++)
        for (unsigned y = 0; y < 3; y++) {
            double grad[3], g, p;

            assert_true(isfinite(router_focal(logits[i], y, 1, 0.5, grad)));
            assert_true(isfinite(grad[0]) && isfinite(grad[1]) && isfinite(grad[2]));
            assert_true(isfinite(router_binary(logits[i][y], y > 0, &g, &p)) && isfinite(g));
        }
}

/* ---- whole trainings ------------------------------------------------------------------------ */

struct curve {
    double f1[64], loss[64], accuracy[64], auc[64], layers[64];
    uint64_t last;
    bool per_layer;
};

static void record(void *arg, const char *name, uint64_t epoch, double value)
{
    struct curve *c = arg;

    assert_true(epoch >= 1 && epoch < 64);
    c->last = epoch;
    if (strcmp(name, "macro_f1") == 0)
        c->f1[epoch] = value;
    if (strcmp(name, "validation_loss") == 0)
        c->loss[epoch] = value;
    if (strcmp(name, "accuracy") == 0)
        c->accuracy[epoch] = value;
    if (strcmp(name, "auc") == 0)
        c->auc[epoch] = value;
    if (strcmp(name, "layers_at_0.01") == 0)
        c->layers[epoch] = value;
    c->per_layer = c->per_layer || strcmp(name, "layer_02.macro_f1") == 0;
}

static struct router_train_conf quick(size_t epochs)
{
    struct router_train_conf c = router_train_default();

    c.epochs = epochs;
    c.learning_rate = 5e-3;
    c.validation = 0.2;
    return c;
}

static struct router_trained train(struct router *r, const struct fixture *f,
                                   const struct router_train_conf *c, size_t threads,
                                   struct curve *curve)
{
    struct pool *pool = threads ? pool_new(threads) : NULL;
    struct router_trained t;
    struct err err = { 0 };

    if (router_train(r, &f->data, c, pool, curve ? record : NULL, curve, NULL, &t, &err))
        fail_msg("%s", err.text);
    pool_free(pool);
    return t;
}

static void a_router_learns_what_features_tell(void **state)
{
    static struct fixture f;
    struct router *r = router_of(ROUTER_LABELS, 2, NULL);
    const struct router_train_conf c = quick(40);
    struct curve curve = { 0 };
    struct router_trained t;

    (void)state;
    draw(&f, 2);
    t = train(r, &f, &c, 2, &curve);
    print_message("macro-F1 %.3f at epoch %zu of %zu\n", t.score, t.best, t.epochs);
    assert_true(t.score > 0.75 && t.epochs == 40 && curve.last == 40 && curve.per_layer);
    assert_int_equal(t.trained + t.validated, EXAMPLES);
    assert_true(t.validated > EXAMPLES / 10 && t.validated < EXAMPLES / 3);
    for (size_t e = 1; e <= 40; e++)
        assert_true(curve.f1[e] <= t.score && curve.loss[e] > 0);
    assert_true(fabs(curve.f1[t.best] - t.score) < 1e-12);
    router_free(r);
}

static void a_success_router_learns_chances_and_saves_layers(void **state)
{
    static struct fixture f;
    struct router *r = router_of(ROUTER_SUCCESS, 2, NULL),
                  *noisy = router_of(ROUTER_SUCCESS, 2, NULL);
    struct router_train_conf c = quick(30);
    struct curve curve = { 0 };
    struct router_trained t;

    (void)state;
    draw(&f, 3);
    c.standardize = true;
    t = train(r, &f, &c, 2, &curve);
    print_message("log-loss %.3f, AUC %.3f, layers %.2f\n", -t.score, curve.auc[t.best],
                  curve.layers[t.best]);
    assert_true(curve.auc[t.best] > 0.7 && curve.layers[t.best] < LAYERS && -t.score < 0.5);
    c.noise = 0.2; /* learns nearly as much, by other weights */
    assert_true(train(noisy, &f, &c, 2, NULL).score > t.score - 0.1);
    assert_memory_not_equal(noisy->head[0].w[0].panel, r->head[0].w[0].panel, 4 * DIM);
    router_free(r);
    router_free(noisy);
}

static void bits_depend_neither_on_threads_nor_on_the_level(void **state)
{
    static struct fixture f;
    const size_t threads[] = { 0, 1, 2, 5 };

    (void)state;
    draw(&f, 4);
    for (int kind = ROUTER_LABELS; kind <= ROUTER_SUCCESS; kind++)
        for (int i = 0; i < 4 + KERNELS_LEVELS; i++) {
            const struct kernels *kern =
                i < 4 ? kernels_at(KERNELS_GENERIC) : kernels_at((enum kernels_level)(i - 4));
            struct router_train_conf c = quick(3);
            struct router *r, *first;

            if (!kern)
                continue;
            c.standardize = kind == ROUTER_SUCCESS;
            c.dropout = i % 2 ? 0.2 : 0;
            c.noise = i % 4 < 2 ? 0.2 : 0;
            first = router_of((enum router_kind)kind, 3, kernels_at(KERNELS_GENERIC));
            r = router_of((enum router_kind)kind, 3, kern);
            (void)train(first, &f, &c, 0, NULL);
            (void)train(r, &f, &c, i < 4 ? threads[i] : 2, NULL);
            for (size_t h = 0; h < router_heads(&r->conf); h++)
                for (size_t l = 0; l < 3; l++) {
                    assert_memory_equal(r->head[h].w[l].panel, first->head[h].w[l].panel,
                                        packed_bytes(&r->head[h].w[l]));
                    assert_memory_equal(r->head[h].bias[l], first->head[h].bias[l],
                                        r->head[h].w[l].n * sizeof(float));
                }
            router_free(r);
            router_free(first);
        }
}

static void scaling_of_features_is_folded_into_the_weights(void **state)
{
    static struct fixture f, big;
    struct router *a = router_of(ROUTER_SUCCESS, 2, NULL), *b = router_of(ROUTER_SUCCESS, 2, NULL);
    struct router_train_conf c = quick(5);
    struct router_work work = { 0 };
    size_t count[EXAMPLES];
    float x[2][PATHS];
    struct err err = { 0 };

    (void)state;
    draw(&f, 5);
    draw(&big, 5);
    for (size_t i = 0; i < EXAMPLES * STRIDE * DIM; i++)
        big.x[0][i] = big.x[1][i] = 512.0f * f.x[0][i] + 64.0f; /* exact in most bits */
    f.at[1] = f.x[0];
    c.standardize = true;
    (void)train(a, &f, &c, 0, NULL);
    (void)train(b, &big, &c, 0, NULL);
    count[0] = f.rows[7];
    assert_int_equal(router_forward(a, 0, f.x[0] + 7 * STRIDE * DIM, count, 1, x[0], &work, &err),
                     0);
    assert_int_equal(router_forward(b, 0, big.x[0] + 7 * STRIDE * DIM, count, 1, x[1], &work, &err),
                     0);
    for (size_t p = 0; p < PATHS; p++)
        assert_true(fabs((double)x[0][p] - (double)x[1][p]) < 0.02 * (1 + fabs((double)x[0][p])));
    router_work_release(&work);
    router_free(a);
    router_free(b);
}

static void patience_ends_training_and_the_best_epoch_is_kept(void **state)
{
    static struct fixture f;
    struct router *r = router_of(ROUTER_LABELS, 2, NULL), *s = router_of(ROUTER_LABELS, 2, NULL);
    struct router_train_conf c = quick(60);
    struct router_trained t, again;
    struct curve curve = { 0 };

    (void)state;
    draw(&f, 6);
    c.learning_rate = 0.05;
    c.patience = 4;
    t = train(r, &f, &c, 2, &curve);
    assert_true(t.epochs < 60 && t.epochs == t.best + 4);
    again = train(s, &f, &c, 0, NULL);
    assert_true(again.best == t.best);
    assert_memory_equal(r->head[1].w[0].panel, s->head[1].w[0].panel,
                        packed_bytes(&r->head[1].w[0]));
    router_free(r);
    router_free(s);
}

static void nothing_to_learn_from_is_an_error(void **state)
{
    static struct fixture f;
    struct router *r = router_of(ROUTER_LABELS, 2, NULL);
    struct router_train_conf c = quick(3);
    struct progress progress = { 0 };
    struct router_trained t;
    struct err err = { 0 };

    (void)state;
    draw(&f, 7);
    f.data.examples = 1;
    c.validation = 0.9;
    while (!router_held_out(f.id[0], c.seed, c.validation))
        c.seed++;
    assert_int_equal(router_train(r, &f.data, &c, NULL, NULL, NULL, NULL, &t, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "held out"));
    f.data.examples = EXAMPLES;
    atomic_store(&progress.stop, true);
    assert_int_equal(router_train(r, &f.data, &c, NULL, NULL, NULL, &progress, &t, &err),
                     ERR_CANCELLED);
    f.x[1][5 * STRIDE * DIM] = NAN;
    c.validation = 0;
    assert_int_equal(router_train(r, &f.data, &c, NULL, NULL, NULL, NULL, &t, &err), ERR_DIVERGED);
    router_free(r);
}

static void the_held_out_share_is_that_asked_for(void **state)
{
    size_t n = 0, both = 0;

    (void)state;
    for (uint64_t id = 0; id < 20000; id++) {
        n += router_held_out(id, 1, 0.1);
        both += router_held_out(id, 1, 0.1) && router_held_out(id, 2, 0.1);
    }
    assert_true(n > 1850 && n < 2150);
    assert_true(both > 120 && both < 290); /* of another seed: another tenth */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_are_those_of_central_differences),
        cmocka_unit_test(exp_and_log_are_near_those_of_libm),
        cmocka_unit_test(class_weights_are_the_papers),
        cmocka_unit_test(losses_of_extreme_logits_are_finite),
        cmocka_unit_test(a_router_learns_what_features_tell),
        cmocka_unit_test(a_success_router_learns_chances_and_saves_layers),
        cmocka_unit_test(bits_depend_neither_on_threads_nor_on_the_level),
        cmocka_unit_test(scaling_of_features_is_folded_into_the_weights),
        cmocka_unit_test(patience_ends_training_and_the_best_epoch_is_kept),
        cmocka_unit_test(nothing_to_learn_from_is_an_error),
        cmocka_unit_test(the_held_out_share_is_that_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
