/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a guard lets prompts like those in training pass and takes the default path for others, a
 * function of the prompt alone, and its folder gives it back or is refused. Method: features with a
 * strong correlation, whose distance is computed here by elimination; fresh examples, examples with
 * the same marginals but without the correlation, and shifted ones; decisions alone, in company and
 * at every kernel level; folders damaged field by field and byte by byte. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* cmocka needs those before it */
#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/rng.h"
#include "tests/support/folder.h"
#include "worker/model/router_private.h"
#include "worker/train/router_guard.h"

enum { LAYERS = 3, DIM = 12, STRIDE = 3, EXAMPLES = 2000, FRESH = 500, PATHS = 3 };
enum nature { ALIKE, UNCORRELATED, SHIFTED };

static const uint8_t family[PATHS * LAYERS] = { 1, 1, 1, 1, 0, 1, 1, 1, 2 };

struct fixture {
    struct router_data data;
    uint8_t rows[EXAMPLES];
    size_t prompt_rows[EXAMPLES]; /* 10 to 29 */
    float x[EXAMPLES * STRIDE * DIM];
    const float *at[1];
};

/* Features are mixes of few causes: without their correlation each alone looks the same. */
static void draw_row(struct rng *rng, enum nature nature, float *x)
{
    double cause[3];

    for (size_t i = 0; i < 3; i++)
        cause[i] = rng_normal(rng);
    for (size_t k = 0; k < DIM; k++) {
        double value = nature == UNCORRELATED ? rng_normal(rng) : cause[k % 3];

        value += 0.1 * rng_normal(rng) + (nature == SHIFTED ? 3.0 : 0.0);
        x[k] = (float)(value * (double)(k + 1) + 5.0 * (double)k);
    }
}

static void draw(struct fixture *f)
{
    for (size_t i = 0; i < EXAMPLES; i++) {
        struct rng rng = rng_stream("test", 1, i);

        f->rows[i] = (uint8_t)(1 + i % STRIDE);
        f->prompt_rows[i] = 10 + i % 20;
        draw_row(&rng, ALIKE, f->x + i * STRIDE * DIM);
        for (size_t k = DIM; k < STRIDE * DIM; k++) /* windows that are near each other */
            f->x[i * STRIDE * DIM + k] =
                f->x[i * STRIDE * DIM + k % DIM] * (1.0f + 0.01f * (float)(k / DIM));
    }
    f->at[0] = f->x;
    f->data = (struct router_data){
        .examples = EXAMPLES, .rows = f->rows, .stride = STRIDE, .features = f->at
    };
}

static struct router_conf conf_of(enum router_features features)
{
    return (struct router_conf){ .kind = ROUTER_SUCCESS,
                                 .features = features,
                                 .layers = LAYERS,
                                 .dim = DIM,
                                 .windows = features == ROUTER_WINDOWS ? STRIDE : 1,
                                 .bottleneck = 4,
                                 .depth = 2,
                                 .decide_layer = 1,
                                 .paths = PATHS,
                                 .members = 1 };
}

/* A router whose chances favour the path 101 for every prompt; with a guard. */
static struct router *guarded(struct fixture *f, enum router_features features, double quantile)
{
    const struct router_conf c = conf_of(features);
    struct router *r = NULL;
    struct err err = { 0 };

    draw(f);
    for (size_t i = 0; features != ROUTER_WINDOWS && i < EXAMPLES; i++)
        f->rows[i] = 1;
    if (router_new(&r, &c, family, NULL, &err))
        fail_msg("%s", err.text);
    for (size_t p = 0; p < PATHS; p++)
        r->head[0].bias[1][p] = p == 1 ? 2.0f : 0.0f;
    for (size_t i = 0; i < 2; i++)
        for (size_t n = 0; n < 4; n++)
            *router_weight(&r->head[0].w[0], n, i) = 0.01f;
    if (router_guard_train(r, &f->data, f->prompt_rows, quantile, NULL, &err))
        fail_msg("%s", err.text);
    return r;
}

/* z^T (Cov(z) + 0.01 I)^-1 z of features X, by elimination. */
static double distance_twin(const struct fixture *f, const float *x)
{
    static double a[DIM][DIM + 1];
    double mean[DIM] = { 0 }, deviation[DIM] = { 0 }, z[DIM], sum = 0;

    memset(a, 0, sizeof(a));
    for (size_t k = 0; k < DIM; k++) {
        for (size_t e = 0; e < EXAMPLES; e++)
            mean[k] += (double)f->x[e * STRIDE * DIM + k] / EXAMPLES;
        for (size_t e = 0; e < EXAMPLES; e++)
            deviation[k] += pow((double)f->x[e * STRIDE * DIM + k] - mean[k], 2) / EXAMPLES;
        deviation[k] = sqrt(deviation[k]) + 1e-3;
        z[k] = a[k][DIM] = ((double)x[k] - mean[k]) / deviation[k];
    }
    for (size_t i = 0; i < DIM; i++)
        for (size_t k = 0; k < DIM; k++) {
            for (size_t e = 0; e < EXAMPLES; e++)
                a[i][k] += ((double)f->x[e * STRIDE * DIM + i] - mean[i]) / deviation[i] *
                           ((double)f->x[e * STRIDE * DIM + k] - mean[k]) / deviation[k] / EXAMPLES;
            a[i][k] += i == k ? 0.01 : 0;
        }
    for (size_t i = 0; i < DIM; i++)
        for (size_t row = 0; row < DIM; row++) {
            double factor = row == i ? 0 : a[row][i] / a[i][i];

            for (size_t k = 0; k <= DIM; k++)
                a[row][k] -= factor * a[i][k];
        }
    for (size_t i = 0; i < DIM; i++)
        sum += z[i] * a[i][DIM] / a[i][i];
    return sum;
}

static void the_distance_is_mahalanobis(void **state)
{
    static struct fixture f;
    struct router *r = guarded(&f, ROUTER_LAST, 0.99);
    double work[DIM], worst = 0;

    (void)state;
    for (size_t i = 0; i < 30; i++) {
        struct rng rng = rng_stream("test", 2, i);
        float x[DIM];

        draw_row(&rng, (enum nature)(i % 3), x);
        worst = fmax(worst, fabs(router_guard_distance(r, x, 1, work) / distance_twin(&f, x) - 1));
    }
    print_message("distance: worst relative error %.2e\n", worst);
    assert_true(worst < 1e-4);
    router_free(r);
}

/* Share of fresh prompts of a nature that pass. */
static double passing(const struct router *r, enum nature nature, size_t rows)
{
    double work[DIM];
    size_t passed = 0;

    for (size_t i = 0; i < FRESH; i++) {
        struct rng rng = rng_stream("test", 3, i);
        float x[DIM];

        draw_row(&rng, nature, x);
        passed += router_guard_passes(r, x, 1, rows, work);
    }
    return (double)passed / FRESH;
}

static void prompts_like_those_in_training_pass_and_others_do_not(void **state)
{
    static struct fixture f;
    struct router *r = guarded(&f, ROUTER_LAST, 0.99), *half = guarded(&f, ROUTER_LAST, 0.5);

    (void)state;
    print_message("pass: alike %.3f, uncorrelated %.3f, shifted %.3f; quantile 0.5: %.3f\n",
                  passing(r, ALIKE, 20), passing(r, UNCORRELATED, 20), passing(r, SHIFTED, 20),
                  passing(half, ALIKE, 20));
    assert_true(passing(r, ALIKE, 20) > 0.97 && passing(r, ALIKE, 20) < 1.0);
    assert_true(passing(r, UNCORRELATED, 20) < 0.02 && passing(r, SHIFTED, 20) < 0.1);
    assert_true(fabs(passing(half, ALIKE, 20) - 0.5) < 0.1);
    assert_int_equal(r->guard.rows_min, 10);
    assert_int_equal(r->guard.rows_max, 29);
    assert_true(passing(r, ALIKE, 10) > 0.97 && passing(r, ALIKE, 29) > 0.97);
    assert_true(passing(r, ALIKE, 9) <= 0 && passing(r, ALIKE, 30) <= 0);
    r->guard.width = 0; /* none */
    assert_true(passing(r, SHIFTED, 30) >= 1.0);
    r->guard.width = DIM;
    router_free(r);
    router_free(half);
}

static void of_windows_that_vote_the_mean_is_judged(void **state)
{
    static struct fixture f;
    struct router *r = guarded(&f, ROUTER_WINDOWS, 0.99);
    double work[DIM];
    float x[2 * DIM], mean[DIM];

    (void)state;
    for (size_t k = 0; k < DIM; k++) {
        mean[k] = f.x[k];
        x[k] = mean[k] - 64.0f;
        x[DIM + k] = mean[k] + 64.0f;
    }
    assert_true(
        fabs(router_guard_distance(r, x, 2, work) / router_guard_distance(r, mean, 1, work) - 1) <
        1e-3);
    router_free(r);
}

static void few_examples_do_not_stop_their_like(void **state)
{
    static struct fixture f;
    struct router *r = guarded(&f, ROUTER_LAST, 0.9), *few = NULL;
    struct err err = { 0 };

    (void)state;
    f.data.examples = 2 * DIM; /* each pulls the covariance towards itself */
    assert_int_equal(router_new(&few, &r->conf, family, NULL, &err), 0);
    assert_int_equal(router_guard_train(few, &f.data, f.prompt_rows, 0.9, NULL, &err), 0);
    print_message("24 examples, 0.9: %.3f pass\n", passing(few, ALIKE, 20));
    assert_true(passing(few, ALIKE, 20) > 0.7 && passing(few, UNCORRELATED, 20) < 0.1);
    router_free(few);
    router_free(r);
}

static void wide_features_are_judged_by_a_part(void **state)
{
    enum { WIDE = 2500, N = 20 };
    struct router_conf c = conf_of(ROUTER_LAST);
    static float x[N * WIDE];
    const float *at = x;
    uint8_t rows[N];
    size_t prompt_rows[N];
    const struct router_data d = { .examples = N, .rows = rows, .stride = 1, .features = &at };
    struct router *r = NULL;
    struct err err = { 0 };
    double *work = mem_calloc(WIDE, sizeof(*work));

    (void)state;
    c.dim = WIDE;
    for (size_t i = 0; i < N; i++) {
        struct rng rng = rng_stream("test", 4, i);

        rows[i] = 1;
        prompt_rows[i] = 7;
        for (size_t k = 0; k < WIDE; k++)
            x[i * WIDE + k] = (float)rng_normal(&rng);
    }
    assert_int_equal(router_new(&r, &c, family, NULL, &err), 0);
    assert_int_equal(router_guard_train(r, &d, prompt_rows, 1.0, NULL, &err), 0);
    assert_int_equal(r->guard.width, ROUTER_GUARD_MAX);
    router_guard_features(&c, x, 1, work);
    for (size_t k = 0; k < ROUTER_GUARD_MAX; k++)
        assert_true(fabs(work[k] - (double)x[k * WIDE / ROUTER_GUARD_MAX]) <= 0);
    assert_true(router_guard_passes(r, x, 1, 7, work));
    for (size_t k = 0; k < WIDE; k++)
        x[k] += 50.0f;
    assert_false(router_guard_passes(r, x, 1, 7, work));
    free(work);
    router_free(r);
}

static void broken_states_are_an_error(void **state)
{
    static struct fixture f;
    struct router *r = guarded(&f, ROUTER_LAST, 0.99), *other = NULL;
    struct err err = { 0 };

    (void)state;
    f.x[5 * STRIDE * DIM + 3] = NAN;
    assert_int_equal(router_new(&other, &r->conf, family, NULL, &err), 0);
    assert_int_equal(router_guard_train(other, &f.data, f.prompt_rows, 0.9, NULL, &err),
                     ERR_INVALID);
    assert_non_null(strstr(err.text, "finite"));
    router_free(other);
    router_free(r);
}

/* ---- decisions ------------------------------------------------------------------------------ */

enum { PROMPTS = 12, ROWS = 20 };

/* Prompts whose rows are all the same; every second one is strange. */
static void decide(const struct router *r, size_t n, bool guard, uint8_t *routing)
{
    static float x[PROMPTS][ROWS * DIM];
    const struct router_options o = { .epsilon = 0.05,
                                      .reference = ROUTER_FROM_BEST,
                                      .guard = guard };
    struct router_work work = { 0 };
    struct router_prompt p[PROMPTS];
    struct err err = { 0 };

    memset(routing, 1, (size_t)PROMPTS * LAYERS);
    for (size_t i = 0; i < PROMPTS; i++) {
        struct rng rng = rng_stream("test", 5, i);

        draw_row(&rng, i % 2 ? UNCORRELATED : ALIKE, x[i]);
        for (size_t row = 1; row < ROWS; row++)
            memcpy(x[i] + row * DIM, x[i], DIM * sizeof(float));
        p[i] = (struct router_prompt){ x[i], ROWS, DIM, routing + i * LAYERS };
    }
    for (size_t i = 0; i < PROMPTS; i += n)
        if (router_decide(r, 1, &o, p + i, n, &work, &err))
            fail_msg("%s", err.text);
    router_work_release(&work);
}

static void strangers_take_the_default_path_in_any_company_at_any_level(void **state)
{
    static const enum router_features all[] = { ROUTER_WINDOWS, ROUTER_LAST };
    static struct fixture f;
    uint8_t free_of[PROMPTS * LAYERS], alone[PROMPTS * LAYERS], other[PROMPTS * LAYERS];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        struct router *r = guarded(&f, all[i], 0.999);

        decide(r, 1, false, free_of);
        decide(r, 1, true, alone);
        for (size_t p = 0; p < PROMPTS; p++) {
            assert_memory_equal(free_of + p * LAYERS, "\1\0\1", LAYERS);
            assert_memory_equal(alone + p * LAYERS, p % 2 ? "\1\1\1" : "\1\0\1", LAYERS);
        }
        for (int level = 0; level < KERNELS_LEVELS; level++) {
            if (!kernels_at((enum kernels_level)level))
                continue;
            r->kern = kernels_at((enum kernels_level)level);
            for (size_t n = 2; n <= PROMPTS; n += n == 4 ? 8 : 2) {
                decide(r, n, true, other);
                assert_memory_equal(alone, other, sizeof(alone));
            }
        }
        router_free(r);
    }
}

/* ---- folders -------------------------------------------------------------------------------- */

static void read_all(const char *dir, const char *name, struct buf *out)
{
    char path[256];
    struct err err = { 0 };

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    if (buf_read_file(out, path, 1 << 20, &err))
        fail_msg("%s", err.text);
}

static int reopen(const char *dir, const char *name, const struct buf *text, struct err *err)
{
    struct router *r = NULL;
    char path[256];
    int rc;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    assert_int_equal(buf_write_file(path, text->data, text->len, NULL), 0);
    rc = router_open(&r, dir, NULL, err);
    assert_true((rc == 0) == (r != NULL));
    router_free(r);
    return rc;
}

static void a_folder_gives_the_guard_back(void **state)
{
    static struct fixture f;
    struct router *r = guarded(&f, ROUTER_LAST, 0.99), *s = NULL;
    char dir[] = "/tmp/drover-guard-XXXXXX";
    struct err err = { 0 };

    (void)state;
    assert_non_null(mkdtemp(dir));
    if (router_save(r, dir, &err) || router_open(&s, dir, NULL, &err))
        fail_msg("%s", err.text);
    assert_memory_equal(&s->guard.limit, &r->guard.limit, sizeof(r->guard.limit));
    assert_true(s->guard.width == DIM && s->guard.rows_min == 10 && s->guard.rows_max == 29);
    assert_memory_equal(s->guard.mean, r->guard.mean, DIM * sizeof(float));
    assert_memory_equal(s->guard.factor, r->guard.factor, DIM * DIM * sizeof(float));
    router_free(r);
    router_free(s);
    folder_remove(dir);
}

static const struct {
    const char *file, *from, *to, *says;
} damages[] = {
    { "config.json", "\"rows_min\":10", "\"rows_min\":0", "rows_min" },
    { "config.json", "\"rows_min\":10", "\"rows_min\":30", "rows_max" },
    { "config.json", "\"rows_min\":10", "\"rows_min\":\"10\"", "rows_min" },
    { "config.json", "\"rows_max\":29", "\"rows_max\":-1", "rows_max" },
    { "config.json", "\"rows_max\":29", "\"rows_maxi\":29", "rows_max" },
    { "config.json", "\"limit\":", "\"limits\":", "limit" },
    { "config.json", "\"limit\":", "\"limit\":-", "limit" },
    { "config.json", "\"guard\":{", "\"guard\":7,\"other\":{", "guard" },
    { "config.json", "\"guard\":{", "\"other\":{", "no place" },
    { "router.safetensors", "success.guard.mean", "success.guard.meat", "success.guard.mean" },
    { "router.safetensors", "success.guard.factor", "success.guard.fector",
      "success.guard.factor" },
    { "router.safetensors", "\"shape\":[12,12]", "\"shape\":[24, 6]", "shape" },
};

static void a_damaged_guard_is_refused(void **state)
{
    static struct fixture f;
    struct router *r = guarded(&f, ROUTER_LAST, 0.99);
    char dir[] = "/tmp/drover-guard-XXXXXX";
    struct err err = { 0 };

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(router_save(r, dir, &err), 0);
    for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
        struct buf text = { 0 }, changed = { 0 };
        const char *at;
        size_t before;

        read_all(dir, damages[i].file, &text);
        at = memmem(text.data, text.len, damages[i].from, strlen(damages[i].from));
        if (!at)
            fail_msg("no %s", damages[i].from);
        before = (size_t)(at - text.data);
        buf_add(&changed, text.data, before);
        buf_adds(&changed, damages[i].to);
        buf_add(&changed, at + strlen(damages[i].from),
                text.len - before - strlen(damages[i].from));
        if (reopen(dir, damages[i].file, &changed, &err) == 0 || !strstr(err.text, damages[i].says))
            fail_msg("%s -> %s: %s", damages[i].from, damages[i].to, err.text);
        assert_int_equal(reopen(dir, damages[i].file, &text, &err), 0);
        buf_release(&text);
        buf_release(&changed);
    }
    folder_remove(dir);
    router_free(r);
}

static void a_factor_that_is_none_is_refused(void **state)
{
    static struct fixture f;
    const struct {
        size_t at;
        float value;
    } bad[] = { { 1, 0.5f }, { 0, 0.0f }, { DIM + 1, -1.0f }, { DIM, NAN }, { 3 * DIM, INFINITY } };
    struct err err = { 0 };

    (void)state;
    for (size_t i = 0; i <= ARRAY_LEN(bad); i++) {
        struct router *r = guarded(&f, ROUTER_LAST, 0.99), *s = NULL;
        char dir[] = "/tmp/drover-guard-XXXXXX";

        assert_non_null(mkdtemp(dir));
        if (i < ARRAY_LEN(bad))
            r->guard.factor[bad[i].at] = bad[i].value;
        else
            r->guard.mean[4] = NAN;
        assert_int_equal(router_save(r, dir, &err), 0);
        assert_int_equal(router_open(&s, dir, NULL, &err), ERR_INVALID);
        assert_non_null(strstr(err.text, "success.guard."));
        assert_null(s);
        folder_remove(dir);
        router_free(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_distance_is_mahalanobis),
        cmocka_unit_test(prompts_like_those_in_training_pass_and_others_do_not),
        cmocka_unit_test(of_windows_that_vote_the_mean_is_judged),
        cmocka_unit_test(few_examples_do_not_stop_their_like),
        cmocka_unit_test(wide_features_are_judged_by_a_part),
        cmocka_unit_test(broken_states_are_an_error),
        cmocka_unit_test(strangers_take_the_default_path_in_any_company_at_any_level),
        cmocka_unit_test(a_folder_gives_the_guard_back),
        cmocka_unit_test(a_damaged_guard_is_refused),
        cmocka_unit_test(a_factor_that_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
