/* SPDX-License-Identifier: Apache-2.0 */
/* routed_rig.h - a random model of six layers, routers with random weights in folders, evaluate
 * jobs by any routing, label sets by hand: for the tests of routed evaluation. */
#ifndef TESTS_UNIT_WORKER_JOBS_ROUTED_RIG_H
#define TESTS_UNIT_WORKER_JOBS_ROUTED_RIG_H

#include "tests/support/fake_job.h"
#include "tests/unit/worker_jobs/talkers.h"
#include "worker/jobs/evaluator.h"
#include "worker/jobs/routed.h"
#include "worker/model/router.h"
#include "worker/search/routing.h"

enum { LAYERS = 6, DIM = 16, EXAMPLES = 24 };

static char model_dir[64], router_dir[4][80];

/* ---- the model and its routers -------------------------------------------------------------- */

/* Of texts by hand and of the tasks' own. */
static inline void alphabet(struct buf *out)
{
    buf_adds(out, letters);
    for (const char *c = task_alphabet(); *c; c++)
        if (!strchr(letters, *c))
            buf_addc(out, *c);
}

static inline void save_model(const char *dir)
{
    struct buf characters CLEANUP(buf_release) = { 0 };
    struct tokenizer *tok = NULL;
    struct model_conf c = { .layers = LAYERS,
                            .dim = DIM,
                            .heads = 2,
                            .kv_heads = 1,
                            .head_dim = 8,
                            .hidden = 24,
                            .positions = 128,
                            .rms_eps = 1e-5f,
                            .rope_theta = 1000.0f,
                            .eos = { 1 },
                            .eos_len = 1 };
    struct model_weights w;
    struct err err = { 0 };

    alphabet(&characters);
    assert_int_equal(tokenizer_from_alphabet(&tok, buf_str(&characters), &err), 0);
    c.vocab = tokenizer_vocab(tok);
    assert_int_equal(model_weights_alloc(&w, &c, &err), 0);
    assert_int_equal(model_each_tensor(&c, talker_tensor, &w), 0);
    assert_int_equal(model_save(dir, &c, &w, tok, &err), 0);
    model_weights_release(&w);
    tokenizer_free(tok);
}

static inline void random_head(struct router *r, size_t head)
{
    struct rng rng = rng_stream("test router", 3, head);

    for (size_t i = 0; i < r->conf.depth; i++) {
        size_t in = router_in(&r->conf, i), out = router_out(&r->conf, i);
        float *w = mem_calloc(in * out, sizeof(*w));

        for (size_t k = 0; k < in * out; k++)
            w[k] = (float)rng_normal(&rng);
        packed_fill(&r->head[head].w[i], w, in);
        for (size_t k = 0; k < out; k++)
            r->head[head].bias[i][k] = i ? 0 : (float)rng_normal(&rng);
        free(w);
    }
}

static inline void save_router(const struct router_conf *c, const char *dir)
{
    static const uint8_t paths[] = {
        1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 2, 1, 1, 1, 1, 1, 1, 1, 2, 0,
    };
    struct router *r = NULL;
    struct err err = { 0 };

    if (router_new(&r, c, c->kind == ROUTER_SUCCESS ? paths : NULL, NULL, &err) < 0)
        fail_msg("%s", err.text);
    for (size_t h = 0; h < router_heads(c); h++)
        random_head(r, h);
    assert_int_equal(router_save(r, dir, &err), 0);
    router_free(r);
}

/* fake_job_input() says that a file's digest is its name's. */
static inline struct router_conf router_conf_of(size_t dim, size_t layers)
{
    return (struct router_conf){ .model = digest_of(model_dir, strlen(model_dir)),
                                 .layers = layers,
                                 .dim = dim,
                                 .windows = 4,
                                 .bottleneck = 8,
                                 .depth = 2,
                                 .members = 1 };
}

enum { LABEL_ROUTER, EMBEDDING_ROUTER, SUCCESS_ROUTER, LAST_ROUTER, ROUTERS };

static inline int make_all(void **state)
{
    struct router_conf c;

    (void)state;
    snprintf(model_dir, sizeof(model_dir), "/tmp/drover-test-XXXXXX");
    assert_non_null(mkdtemp(model_dir));
    save_model(model_dir);
    for (size_t i = 0; i < ROUTERS; i++) {
        snprintf(router_dir[i], sizeof(router_dir[i]), "%s.router%zu", model_dir, i);
        c = router_conf_of(DIM, LAYERS);
        if (i == EMBEDDING_ROUTER)
            c.input = ROUTER_EMBEDDING;
        if (i == LAST_ROUTER) {
            c.features = ROUTER_LAST;
            c.windows = 1;
        }
        if (i == SUCCESS_ROUTER) {
            c.kind = ROUTER_SUCCESS;
            c.decide_layer = 2;
            c.paths = 5;
        }
        save_router(&c, router_dir[i]);
    }
    return 0;
}

static inline int remove_all(void **state)
{
    (void)state;
    job_models_drop();
    for (size_t i = 0; i < ROUTERS; i++)
        assert_int_equal(folder_remove(router_dir[i]), 0);
    return folder_remove(model_dir);
}

static inline void start(struct fake_job *f, const char *routing)
{
    fake_job_init(f, KIND_EVALUATE);
    fake_job_input(f, "model", model_dir);
    fake_job_text(f, "task", "math");
    fake_job_int(f, "level", 1);
    fake_job_text(f, "split", "train");
    fake_job_int(f, "examples", EXAMPLES);
    fake_job_text(f, "routing", routing);
    f->lease.end = EXAMPLES;
}

/* ---- labels --------------------------------------------------------------------------------- */

static const char *const label_of[] = {
    "111111", "110111", "110211", "011112", "112111", "100111"
};

/* Labels of the first N examples of math, one after the other of the list; every seventh has none.
 * MODEL: the digest's source. */
static inline void write_labels(const char *path, const struct fake_job *examples, size_t n,
                                const char *task, const char *model, bool deep)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    struct digest digest = digest_of(model, strlen(model));
    char hex[DIGEST_HEX];
    struct err err = { 0 };

    buf_printf(&text, "{\"family\":\"%064d\",\"kind\":\"search\",\"task\":\"%s\",\"level\":1,", 7,
               task);
    buf_printf(&text,
               "\"split\":\"train\",\"prompts\":\"harness\",\"fewshot\":-1,\"model\":\"%s\","
               "\"layers\":%d}\n",
               digest_hex(&digest, hex), deep ? LAYERS + 1 : LAYERS);
    for (size_t i = 0; i < n; i++) {
        const Drover__Example *e = examples->result[i]->example;
        const char *more = deep ? "1" : "", *label = label_of[i % ARRAY_LEN(label_of)];

        buf_printf(&text, "{\"id\":\"%016llx\",\"task\":\"%s\",\"level\":1,\"split\":\"train\",",
                   (unsigned long long)e->id, task);
        buf_printf(&text, "\"index\":%llu,\"base_correct\":%s,", (unsigned long long)e->index,
                   i % 7 != 6 && !strchr(label, '0') && !strchr(label, '2') ? "true" : "false");
        if (i % 7 == 6)
            buf_printf(&text,
                       "\"routing\":null,\"simulations\":1,\"evaluations\":1,\"right\":[],"
                       "\"wrong\":[\"111111%s\"]}\n",
                       more);
        else
            buf_printf(&text,
                       "\"routing\":\"%s%s\",\"simulations\":1,\"evaluations\":1,\"right\":["
                       "\"%s%s\"],\"wrong\":[%s%s%s]}\n",
                       label, more, label, more, i % 6 ? "\"111111" : "", i % 6 ? more : "",
                       i % 6 ? "\"" : "");
    }
    assert_int_equal(buf_write_file(path, text.data, text.len, &err), 0);
}

static inline void base_scores(struct fake_job *f)
{
    start(f, "base");
    fake_job_run_or_fail(f);
    assert_int_equal(f->results_len, EXAMPLES);
}

/* An evaluation ROUTING with labels of the first N examples. */
static inline void start_labelled(struct fake_job *f, const char *routing,
                                  const struct fake_job *base, size_t n)
{
    char path[128];

    start(f, routing);
    snprintf(path, sizeof(path), "%s/labels", f->scratch);
    write_labels(path, base, n, "math", model_dir, false);
    fake_job_input(f, "labels", path);
}

#endif
