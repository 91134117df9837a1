/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a router's decisions are those of the paper's rules, a function of the prompt alone, and
 * its folder gives it back bit for bit or is refused with a clear error. Method: features and
 * networks against plain loops in double; decisions of random states alone, in company and at every
 * kernel level compared with memcmp; the knob, the limits and the cheapest path against a table of
 * cases; folders damaged field by field and tensor by tensor. */
#include "tests/unit/worker_model/models.h"

#include <math.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "tests/support/folder.h"
#include "worker/model/router_private.h"

enum { LAYERS = 5, DIM = 20, PATHS = 5, PROMPTS = 9, ROWS_MAX = 30 };

static const uint8_t family[PATHS * LAYERS] = {
    1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 0, 1, 1, 1, 0, 0, 1, 1, 1, 2, 1, 1,
};

static struct router_conf conf_of(enum router_kind kind)
{
    struct router_conf c = {
        .kind = kind, .layers = LAYERS, .dim = DIM, .windows = 4, .bottleneck = 11, .depth = 2
    };

    for (size_t i = 0; i < DIGEST_BYTES; i++)
        c.model.b[i] = (uint8_t)(7 * i + 1);
    if (kind == ROUTER_SUCCESS) {
        c.decide_layer = 2;
        c.paths = PATHS;
        c.members = 3;
    }
    return c;
}

static struct router *router_random(const struct router_conf *c, const struct kernels *kern)
{
    struct router *r = NULL;
    struct err err = { 0 };

    if (router_new(&r, c, c->kind == ROUTER_SUCCESS ? family : NULL, kern, &err))
        fail_msg("%s", err.text);
    for (size_t h = 0; h < router_heads(c); h++) {
        struct rng rng = rng_stream("test", 3, h);

        for (size_t i = 0; i < c->depth; i++)
            for (size_t n = 0; n < r->head[h].w[i].n; n++) {
                r->head[h].bias[i][n] = 0.2f * (float)rng_normal(&rng);
                for (size_t k = 0; k < r->head[h].w[i].k; k++)
                    *router_weight(&r->head[h].w[i], n, k) = 0.5f * (float)rng_normal(&rng);
            }
    }
    return r;
}

/* ---- features ------------------------------------------------------------------------------- */

static void check_mean(const float *got, const float *x, size_t first, size_t size)
{
    for (size_t k = 0; k < DIM; k++) {
        double sum = 0;

        for (size_t i = 0; i < size; i++)
            sum += (double)x[(first + i) * DIM + k];
        assert_true(fabs((double)got[k] - sum / (double)size) < 1e-6);
    }
}

static void windows_are_the_papers(void **state)
{
    static float x[ROWS_MAX * DIM], out[64 * DIM];
    struct router_conf c = conf_of(ROUTER_LABELS);

    (void)state;
    for (size_t i = 0; i < ROWS_MAX * DIM; i++)
        x[i] = sinf((float)i);
    for (size_t rows = 1; rows <= ROWS_MAX; rows++) {
        size_t w = rows < 4 ? rows : 4, size = rows / w;

        c.features = ROUTER_WINDOWS;
        assert_int_equal(router_feature_rows(&c, rows), w);
        router_features(&c, kernels_best(), x, rows, DIM, out);
        for (size_t i = 0; i < w; i++) /* the rows left over at the end are not used */
            check_mean(out + i * DIM, x, i * size, size);
        c.features = ROUTER_BOTH;
        assert_int_equal(router_feature_rows(&c, rows), 1);
        assert_int_equal(router_inputs(&c), 5 * DIM);
        router_features(&c, kernels_best(), x, rows, DIM, out);
        for (size_t i = 0; i < 4; i++)
            check_mean(out + i * DIM, x, rows < 4 ? i * rows / 4 : i * size, rows < 4 ? 1 : size);
        check_mean(out + 4 * DIM, x, rows - 1, 1);
        c.features = ROUTER_TAIL;
        router_features(&c, kernels_best(), x, rows, DIM, out);
        for (size_t i = 0; i < 4; i++)
            check_mean(out + i * DIM, x, rows + i >= 4 ? rows + i - 4 : 0, 1);
        c.features = ROUTER_LAST;
        c.windows = 1;
        router_features(&c, kernels_best(), x, rows, DIM, out);
        check_mean(out, x, rows - 1, 1);
        c.windows = 4;
    }
}

/* ---- networks ------------------------------------------------------------------------------- */

static double gelu(double x)
{
    return 0.5 * x * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
}

static void logits_are_averaged_over_windows(void **state)
{
    static float x[4 * DIM];
    const struct router_conf c = conf_of(ROUTER_LABELS);
    struct router *r = router_random(&c, NULL);
    struct router_work work = { 0 };
    const size_t count = 4;
    float got[3];
    double want[3] = { 0 };
    struct err err = { 0 };

    (void)state;
    for (size_t i = 0; i < 4 * DIM; i++)
        x[i] = cosf(3.0f * (float)i);
    for (size_t w = 0; w < 4; w++)
        for (size_t n = 0; n < 3; n++) {
            double logit = (double)r->head[2].bias[1][n];

            for (size_t h = 0; h < 11; h++) {
                double sum = (double)r->head[2].bias[0][h];
                for (size_t k = 0; k < DIM; k++)
                    sum += (double)*router_weight(&r->head[2].w[0], h, k) * (double)x[w * DIM + k];
                logit += gelu(sum) * (double)*router_weight(&r->head[2].w[1], n, h);
            }
            want[n] += logit / 4;
        }
    assert_int_equal(router_forward(r, 2, x, &count, 1, got, &work, &err), 0);
    for (size_t n = 0; n < 3; n++)
        assert_true(fabs((double)got[n] - want[n]) < 1e-5);
    router_work_release(&work);
    router_free(r);
}

/* ---- decisions ------------------------------------------------------------------------------ */

static void the_knob_mixes_as_the_paper_says(void **state)
{
    const float logit[][3] = { { 2, 1, 0 }, { 0, 2, 1 }, { 0, 1, 2 }, { 1, 1, 1 } };
    const struct {
        double p;
        enum routing want[4];
    } cases[] = {
        { -1.0, { 0, 0, 0, 0 } },  { -0.5, { 0, 1, 2, 1 } }, { 0.5, { 1, 1, 1, 1 } },
        { 0.75, { 1, 1, 1, 1 } },  { 0.76, { 2, 2, 2, 2 } }, { 1.0, { 2, 2, 2, 2 } },
        { -0.95, { 0, 0, 0, 0 } }, { -0.2, { 1, 1, 1, 1 } }, /* 0.3 execute + 0.7 * (0.665, 0.245,
                                                                0.09): 0.47 < 0.47 + 0.0013 */
        { -0.4, { 0, 1, 2, 1 } },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (size_t k = 0; k < 4; k++) {
            if (router_mix(logit[k], cases[i].p, kernels_best()) != cases[i].want[k])
                fail_msg("knob %g, logits %zu: %d", cases[i].p, k,
                         (int)router_mix(logit[k], cases[i].p, kernels_best()));
        }
}

static void a_third_skip_and_an_empty_path_are_executed(void **state)
{
    const uint8_t two[4] = { 1, 0, 0, 1 }, none[3] = { 0, 1, 0 }, empty[2] = { 0, 0 };

    (void)state;
    assert_int_equal(router_allow(two, 3, 5, ROUTING_SKIP), ROUTING_EXECUTE);
    assert_int_equal(router_allow(two, 2, 5, ROUTING_SKIP), ROUTING_SKIP);
    assert_int_equal(router_allow(two, 4, 5, ROUTING_SKIP), ROUTING_SKIP);
    assert_int_equal(router_allow(two, 3, 5, ROUTING_REPEAT), ROUTING_REPEAT);
    assert_int_equal(router_allow(none, 3, 4, ROUTING_SKIP), ROUTING_SKIP);
    assert_int_equal(router_allow(empty, 1, 2, ROUTING_SKIP), ROUTING_EXECUTE);
    assert_int_equal(router_allow(empty, 0, 1, ROUTING_SKIP), ROUTING_EXECUTE);
    assert_int_equal(router_allow(empty, 0, 2, ROUTING_SKIP), ROUTING_SKIP);
}

static void the_cheapest_path_within_epsilon_is_taken(void **state)
{
    const struct router_conf c = conf_of(ROUTER_SUCCESS);
    struct router *r = router_random(&c, NULL);
    /* Lengths 5, 4, 4, 3, 6. */
    const struct {
        float p[PATHS];
        double epsilon;
        size_t want;
    } cases[] = {
        { { .9f, .5f, .5f, .5f, .99f }, .01, 0 },   { { .9f, .895f, .5f, .5f, .99f }, .01, 1 },
        { { .9f, .89f, .9f, .5f, .99f }, .02, 2 },  { { .9f, .89f, .9f, .88f, .99f }, .03, 3 },
        { { .9f, .89f, .89f, .5f, .99f }, .02, 1 }, /* equal: 11011 before 11101 */
        { { .5f, .5f, .5f, .5f, .9f }, -.1, 4 },    { { .5f, .55f, .55f, .55f, .55f }, -.1, 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t got = router_cheapest(r, cases[i].p, cases[i].epsilon, ROUTER_FROM_DEFAULT);

        if (got != cases[i].want)
            fail_msg("case %zu: path %zu", i, got);
    }
    const float chance[PATHS] = { .9f, .89f, .5f, .85f, .96f };
    /* From the best: path 4, then 0, then 1, then 3 are near enough. */
    const double epsilon[] = { 0, .05, .065, .08, .12, 1 };
    const size_t from_best[] = { 4, 4, 0, 1, 3, 3 };
    for (size_t i = 0; i < ARRAY_LEN(epsilon); i++)
        assert_int_equal(router_cheapest(r, chance, epsilon[i], ROUTER_FROM_BEST), from_best[i]);
    const float top[PATHS] = { .99f, .9f, .5f, .5f, .98f };
    assert_int_equal(router_cheapest(r, top, 0.02, ROUTER_FROM_BEST), 0);
    assert_int_equal(router_worthiest(r, chance, 0.001), 4);
    assert_int_equal(router_worthiest(r, chance, 0.06), 3);
    assert_int_equal(router_worthiest(r, chance, 1.0), 3);
    router_free(r);
}

struct prompts {
    float x[LAYERS][PROMPTS][ROWS_MAX * DIM];
    size_t rows[PROMPTS];
};

static void draw_prompts(struct prompts *p)
{
    struct rng rng = rng_stream("test", 9, 0);

    for (size_t i = 0; i < PROMPTS; i++) {
        p->rows[i] = 1 + (i * 7) % ROWS_MAX;
        for (size_t l = 0; l < LAYERS; l++)
            for (size_t k = 0; k < ROWS_MAX * DIM; k++)
                p->x[l][i][k] = (float)rng_normal(&rng);
    }
}

/* Decisions of all prompts, N at a time. */
static void decide_all(const struct router *r, const struct prompts *p, size_t n, uint8_t *routing)
{
    const struct router_options o = { .knob = -0.6, .epsilon = 0.05 };
    struct router_work work = { 0 };
    struct err err = { 0 };

    memset(routing, 1, PROMPTS * LAYERS);
    for (size_t l = 0; l <= LAYERS; l++) {
        if (!router_asks(r, l))
            continue;
        for (size_t i = 0; i < PROMPTS; i += n) {
            struct router_prompt prompt[PROMPTS];

            for (size_t k = 0; k < n; k++)
                prompt[k] = (struct router_prompt){ p->x[l][i + k], p->rows[i + k], DIM,
                                                    routing + (i + k) * LAYERS };
            if (router_decide(r, l, &o, prompt, n, &work, &err))
                fail_msg("%s", err.text);
        }
    }
    router_work_release(&work);
}

static void decisions_depend_neither_on_company_nor_on_the_level(void **state)
{
    static struct prompts p;
    uint8_t alone[PROMPTS * LAYERS], other[PROMPTS * LAYERS];
    size_t kinds[3] = { 0 };

    (void)state;
    draw_prompts(&p);
    for (int i = 0; i < 12; i++) {
        struct router_conf c = conf_of(i % 2 ? ROUTER_SUCCESS : ROUTER_LABELS);
        struct router *r;

        c.input = i % 4 < 2 ? ROUTER_LAYER : ROUTER_EMBEDDING;
        c.features = i < 4 ? ROUTER_WINDOWS : i < 8 ? ROUTER_BOTH : ROUTER_TAIL;
        c.depth = 1 + (size_t)i % 4;
        r = router_random(&c, kernels_at(KERNELS_GENERIC));
        decide_all(r, &p, 1, alone);
        decide_all(r, &p, 3, other);
        assert_memory_equal(alone, other, sizeof(alone));
        for (int level = 0; level < KERNELS_LEVELS; level++) {
            if (!kernels_at((enum kernels_level)level))
                continue;
            r->kern = kernels_at((enum kernels_level)level);
            decide_all(r, &p, 9, other);
            assert_memory_equal(alone, other, sizeof(alone));
        }
        for (size_t k = 0; k < sizeof(alone); k++) {
            assert_true(alone[k] <= 2);
            kinds[alone[k]]++;
            if (c.kind == ROUTER_SUCCESS && k % LAYERS < c.decide_layer)
                assert_int_equal(alone[k], 1);
            if (k % LAYERS >= 2)
                assert_true(alone[k] || alone[k - 1] || alone[k - 2]);
        }
        router_free(r);
    }
    assert_true(kinds[0] > 20 && kinds[1] > 20 && kinds[2] > 5);
}

static void routers_ask_for_the_states_that_they_know(void **state)
{
    struct router_conf c = conf_of(ROUTER_LABELS);

    (void)state;
    for (int i = 0; i < 4; i++) {
        struct router *r;

        c = conf_of(i < 2 ? ROUTER_LABELS : ROUTER_SUCCESS);
        c.input = i % 2 ? ROUTER_EMBEDDING : ROUTER_LAYER;
        r = router_random(&c, NULL);
        for (size_t l = 0; l <= LAYERS; l++)
            assert_int_equal(router_asks(r, l),
                             l < LAYERS && (i == 0 || (i == 2 ? l == 2 : l == 0)));
        router_free(r);
    }
}

static void states_that_are_not_finite_are_an_error(void **state)
{
    const struct router_conf c = conf_of(ROUTER_SUCCESS);
    struct router *r = router_random(&c, NULL);
    const struct router_options o = { .knob = -0.5 };
    struct router_work work = { 0 };
    float x[2 * DIM] = { [DIM + 3] = NAN };
    uint8_t routing[LAYERS] = { 1, 1, 1, 1, 1 };
    struct router_prompt prompt = { x, 2, DIM, routing };
    struct err err = { 0 };

    (void)state;
    assert_int_equal(router_decide(r, 2, &o, &prompt, 1, &work, &err), ERR_DIVERGED);
    router_work_release(&work);
    router_free(r);
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

static void a_folder_gives_the_router_back(void **state)
{
    (void)state;
    for (int kind = ROUTER_LABELS; kind <= ROUTER_SUCCESS; kind++) {
        char dir[] = "/tmp/drover-router-XXXXXX", again[64];
        struct buf a = { 0 }, b = { 0 };
        struct router_conf c = conf_of((enum router_kind)kind);
        struct router *r, *s = NULL;
        struct err err = { 0 };

        c.features = kind == ROUTER_SUCCESS ? ROUTER_BOTH : ROUTER_WINDOWS;
        r = router_random(&c, NULL);
        assert_non_null(mkdtemp(dir));
        snprintf(again, sizeof(again), "%s/again", dir);
        if (router_save(r, dir, &err) || router_open(&s, dir, NULL, &err) ||
            router_save(s, again, &err))
            fail_msg("%s", err.text);
        assert_memory_equal(&r->conf, &s->conf, sizeof(r->conf));
        for (size_t h = 0; h < router_heads(&c); h++)
            for (size_t i = 0; i < c.depth; i++) {
                assert_memory_equal(r->head[h].w[i].panel, s->head[h].w[i].panel,
                                    packed_bytes(&r->head[h].w[i]));
                assert_memory_equal(r->head[h].bias[i], s->head[h].bias[i],
                                    r->head[h].w[i].n * sizeof(float));
            }
        if (kind == ROUTER_SUCCESS)
            assert_memory_equal(r->path, s->path, sizeof(family));
        read_all(dir, "router.safetensors", &a);
        read_all(again, "router.safetensors", &b);
        assert_int_equal(a.len, b.len);
        assert_memory_equal(a.data, b.data, a.len);
        buf_release(&a);
        buf_release(&b);
        router_free(r);
        router_free(s);
        folder_remove(dir);
    }
}

/* Replace FROM by TO in the file NAME of DIR, open, and put it back. Returns the code. */
static int open_changed(const char *dir, const char *name, const char *from, const char *to,
                        struct err *err)
{
    struct buf text = { 0 }, changed = { 0 };
    struct router *r = NULL;
    char path[256];
    const char *at;
    int rc;

    read_all(dir, name, &text);
    at = memmem(text.data, text.len, from, strlen(from));
    if (!at)
        fail_msg("%s has no %s", name, from);
    buf_add(&changed, text.data, (size_t)(at - text.data));
    buf_adds(&changed, to);
    buf_add(&changed, at + strlen(from), text.len - (size_t)(at - text.data) - strlen(from));
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    assert_int_equal(buf_write_file(path, changed.data, changed.len, err), 0);
    rc = router_open(&r, dir, NULL, err);
    assert_true((rc == 0) == (r != NULL));
    router_free(r);
    assert_int_equal(buf_write_file(path, text.data, text.len, NULL), 0);
    buf_release(&text);
    buf_release(&changed);
    return rc;
}

static const struct {
    const char *from, *to, *says;
    int code;
} config[] = {
    { "drover-router", "other", "format", ERR_INVALID },
    { "\"version\":1", "\"version\":2", "version 2", ERR_VERSION },
    { "\"kind\":\"success\"", "\"kind\":\"sucess\"", "labels, success", ERR_INVALID },
    { "\"dim\":20", "\"dim\":21", "shape", ERR_INVALID },
    { "\"dim\":20", "\"dim\":-20", "dim", ERR_INVALID },
    { "\"dim\":20", "\"dim\":\"20\"", "dim", ERR_INVALID },
    { "\"windows\":4", "\"windows\":33", "1 to 32", ERR_INVALID },
    { "\"windows\":4", "\"windows\":0", "1 to 32", ERR_INVALID },
    { "\"bottleneck\":11", "\"bottleneck\":12", "shape", ERR_INVALID },
    { "\"depth\":2", "\"depth\":3", "shape", ERR_INVALID },
    { "\"depth\":2", "\"depth\":1", "shape", ERR_INVALID },
    { "\"layers\":5", "\"layers\":6", "digits", ERR_INVALID },
    { "\"layers\":5", "\"layers\":99999999999", "layers", ERR_INVALID },
    { "\"decide_layer\":2", "\"decide_layer\":5", "decide_layer", ERR_INVALID },
    { "\"decide_layer\":2", "\"decide_layer\":3", "decide_layer", ERR_INVALID },
    { "\"members\":3", "\"members\":2", "no place", ERR_INVALID },
    { "\"members\":3", "\"members\":4", "no tensor", ERR_INVALID },
    { "\"11111\"", "\"11112\"", "path 0", ERR_INVALID },
    { "\"11001\"", "\"11000\"", "in a row", ERR_INVALID },
    { "\"11001\"", "\"11101\"", "again", ERR_INVALID },
    { "\"11001\"", "\"1100x\"", "digit", ERR_INVALID },
    { "\"11001\"", "\"1100\"", "digits", ERR_INVALID },
    { "\"11001\"", "7", "digits", ERR_INVALID },
    { "\"paths\":[", "\"path\":[", "paths", ERR_INVALID },
    { "\"model\":\"01", "\"model\":\"0", "model", ERR_INVALID },
    { "{", "", "config.json", ERR_INVALID },
};
static const struct {
    const char *from, *to, *says;
} tensors[] = {
    { "success.1.0.weight", "success.9.0.weight", "success.1.0.weight" },
    { "success.1.0.bias", "success.1.0.bids", "success.1.0.bias" },
    { "[11,20]", "[20,11]", "shape" },
    { "\"F32\"", "\"F16\"", "success.0.0.weight" },
};

static void a_damaged_folder_is_refused(void **state)
{
    char dir[] = "/tmp/drover-router-XXXXXX";
    const struct router_conf c = conf_of(ROUTER_SUCCESS);
    struct router *r = router_random(&c, NULL), *none = NULL;
    struct err err = { 0 };

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(router_save(r, dir, &err), 0);
    for (size_t i = 0; i < ARRAY_LEN(config); i++) {
        int rc = open_changed(dir, "config.json", config[i].from, config[i].to, &err);

        if (rc != config[i].code || !strstr(err.text, config[i].says) || (!strstr(err.text, dir)))
            fail_msg("%s -> %s: %d, %s", config[i].from, config[i].to, rc, err.text);
    }
    for (size_t i = 0; i < ARRAY_LEN(tensors); i++) {
        int rc = open_changed(dir, "router.safetensors", tensors[i].from, tensors[i].to, &err);

        if (rc == 0 || !strstr(err.text, tensors[i].says))
            fail_msg("%s -> %s: %d, %s", tensors[i].from, tensors[i].to, rc, err.text);
    }
    folder_remove(dir);
    assert_int_equal(router_open(&none, dir, NULL, &err), ERR_NOT_FOUND);
    router_free(r);
}

static void a_router_of_another_model_is_named(void **state)
{
    const struct router_conf c = conf_of(ROUTER_LABELS);
    struct router *r = router_random(&c, NULL);
    struct model_conf m = { .layers = LAYERS, .dim = DIM };
    struct digest other = c.model;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(router_check_model(r, "r", &m, &c.model, "m", &err), 0);
    other.b[5] ^= 1;
    assert_int_equal(router_check_model(r, "runs/r", &m, &other, "models/m", &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "runs/r"));
    assert_non_null(strstr(err.text, "models/m"));
    m.dim = 24;
    assert_int_equal(router_check_model(r, "runs/r", &m, &c.model, "models/m", &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "width 24"));
    router_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_are_the_papers),
        cmocka_unit_test(logits_are_averaged_over_windows),
        cmocka_unit_test(the_knob_mixes_as_the_paper_says),
        cmocka_unit_test(a_third_skip_and_an_empty_path_are_executed),
        cmocka_unit_test(the_cheapest_path_within_epsilon_is_taken),
        cmocka_unit_test(decisions_depend_neither_on_company_nor_on_the_level),
        cmocka_unit_test(routers_ask_for_the_states_that_they_know),
        cmocka_unit_test(states_that_are_not_finite_are_an_error),
        cmocka_unit_test(a_folder_gives_the_router_back),
        cmocka_unit_test(a_damaged_folder_is_refused),
        cmocka_unit_test(a_router_of_another_model_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
