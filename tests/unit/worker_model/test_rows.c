/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: cutting a prompt's rows between threads changes no bit, whatever the path, the company, the
 * saved states and the cache.
 * Method: prompts long enough to be cut, over all shapes and random paths, with two and three
 * threads against none: logits, every state on the way, and a token that is decoded behind the
 * prompt with its cache. The company enters at a later layer or leaves some out, so that a block
 * does not always go on to the next layer as it is. */
#include "tests/unit/worker_model/models.h"

enum { ROWS_MAX = 61, COMPANY = 9, LAYERS_MAX = 8, PATHS = 5, THREADS_MAX = 3 };

/* One case: a prompt of ROWS rows, whose rows from FROM on want logits. */
struct prompt {
    const struct model_conf *c;
    uint32_t tokens[ROWS_MAX + 1], company_tokens[COMPANY];
    uint8_t routing[LAYERS_MAX], company_routing[LAYERS_MAX];
    size_t rows, from;
    bool cached, company, save;
};

/* All that comes out, in one array: logits, those of the next token, the company's, states. */
struct result {
    float *all, *logits, *next, *company, *states;
    size_t floats;
};

static struct result result_new(const struct model_conf *c)
{
    struct result r = { .floats = (ROWS_MAX + 1 + COMPANY) * c->vocab +
                                  (c->layers + 1) * ROWS_MAX * c->dim };

    r.all = mem_aligned(r.floats, sizeof(float));
    memset(r.all, 0, r.floats * sizeof(float));
    r.logits = r.all;
    r.next = r.logits + ROWS_MAX * c->vocab;
    r.company = r.next + c->vocab;
    r.states = r.company + COMPANY * c->vocab;
    return r;
}

static struct prompt random_prompt(const struct model_conf *c, size_t path, struct rng *r)
{
    static const size_t rows[] = { 48, 33, 61, 47, 57 };
    struct prompt p = { .c = c, .rows = rows[path % ARRAY_LEN(rows)] };

    random_tokens(r, p.tokens, ROWS_MAX + 1, c);
    random_tokens(r, p.company_tokens, COMPANY, c);
    random_routing(r, p.routing, c);
    random_routing(r, p.company_routing, c);
    if (path % 2 == 0) /* mostly plain: blocks go on */
        for (size_t l = 0; l < c->layers; l++)
            p.routing[l] = l == 2 && path == 2 ? 2 : 1;
    p.from = path == 0 ? p.rows - 1 : rng_below(r, (uint32_t)p.rows);
    p.save = path % 3 == 1;
    p.company = path >= 2;
    p.cached = path % 2 == 1;
    return p;
}

static void run_prompt(const struct prompt *p, const struct model *m, struct pool *pool,
                       struct result *out)
{
    const struct model_conf *c = p->c;
    struct sweep *s = sweep_new(m, pool);
    struct kv *kv = NULL;
    float *save[LAYERS_MAX + 1];
    struct sweep_seq q[2];

    for (size_t l = 0; l <= c->layers; l++)
        save[l] = l % 2 == 1 ? out->states + l * ROWS_MAX * c->dim : NULL;
    if (p->cached)
        assert_int_equal(kv_new(&kv, c, p->routing, ROWS_MAX + 1, NULL), 0);
    q[0] = (struct sweep_seq){ .tokens = p->tokens,
                               .rows = p->rows,
                               .routing = p->routing,
                               .kv = kv,
                               .logits_from = p->from,
                               .logits = out->logits,
                               .save = p->save ? save : NULL };
    q[1] = (struct sweep_seq){ .tokens = p->company_tokens,
                               .rows = COMPANY,
                               .routing = p->company_routing,
                               .logits = out->company };
    assert_int_equal(sweep_run(s, q, p->company ? 2 : 1, NULL, NULL), 0);
    if (kv) {
        q[0] = (struct sweep_seq){ .tokens = p->tokens + p->rows,
                                   .rows = 1,
                                   .routing = p->routing,
                                   .kv = kv,
                                   .logits = out->next };
        assert_int_equal(sweep_run(s, q, 1, NULL, NULL), 0);
    }
    kv_free(kv);
    sweep_free(s);
}

static void rows_cut_between_threads_have_the_same_bits(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALL_SHAPES; i++) {
        const struct model_conf *c = shape_conf(i);
        struct model *m = random_model(c, NULL);
        struct rng r = rng_stream("test", 14, i);

        for (size_t path = 0; path < PATHS; path++) {
            const struct prompt p = random_prompt(c, path, &r);
            struct result want = result_new(c);

            run_prompt(&p, m, NULL, &want);
            for (size_t threads = 2; threads <= THREADS_MAX; threads++) {
                struct pool *pool = pool_new(threads);
                struct result got = result_new(c);

                run_prompt(&p, m, pool, &got);
                if (memcmp(got.all, want.all, want.floats * sizeof(float)))
                    fail_msg("shape %zu, path %zu, %zu threads: other bits", i, path, threads);
                free(got.all);
                pool_free(pool);
            }
            free(want.all);
        }
        model_free(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_cut_between_threads_have_the_same_bits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
