/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a router job learns from what its label set says and from the states of its model, whatever
 * the threads, and shares features between routers of the same labels. Method: a model trained for
 * a moment and label sets made here from the task's own examples; features against one plain sweep
 * per example with ==; the folders of repeated jobs compared byte by byte; label sets and
 * parameters that do not fit. */
#include "tests/unit/worker_jobs/tiny.h"

#include "common/base/rng.h"
#include "worker/jobs/complete.h"
#include "worker/jobs/evaluator.h"
#include "worker/jobs/means.h"
#include "worker/model/router.h"

enum { LAYERS = 4, EXAMPLES = 60 };

static int make_model(void **state)
{
    (void)state;
    tiny_make(LAYERS);
    return 0;
}

/* Seven paths, the default first; those from 4 on touch layer 0. */
static const char *const paths[] = { "1111", "1110", "1101", "1121", "0111", "2111", "1011" };

struct set_options {
    const char *model; /* whose path is digested */
    size_t layers;
    bool no_labels;
    uint64_t index_shift; /* rows with the id of another example */
    const char *first;    /* replaces paths[1] */
};

/* A label set over the first examples of math, level 1, into FILE. */
static void write_set(const char *file, const struct set_options *o)
{
    const struct task_query q = { .task = "math", .level = 1, .split = SPLIT_TRAIN, .fewshot = -1 };
    const struct digest model = digest_of(o->model, strlen(o->model));
    struct buf text CLEANUP(buf_release) = { 0 };
    struct task_source *source = NULL;
    char hex[DIGEST_HEX];
    struct err err = { 0 };

    assert_int_equal(task_open(&source, &q, &err), 0);
    buf_printf(
        &text,
        "{\"family\":\"%064d\",\"kind\":\"search\",\"task\":\"math\",\"level\":1,\"split\":"
        "\"train\",\"prompts\":\"harness\",\"fewshot\":-1,\"model\":\"%s\",\"layers\":%zu}\n",
        7, digest_hex(&model, hex), o->layers);
    for (uint64_t i = 0; i < EXAMPLES; i++) {
        struct rng rng = rng_stream("test", 5, i);
        struct example e = { 0 };
        const char *label = paths[rng_below(&rng, 7)];
        bool base = !o->no_labels && (rng_below(&rng, 2) || label == paths[0]);

        assert_int_equal(task_get(source, i + o->index_shift, &e, &err), 0);
        if (o->first && label == paths[1])
            label = o->first;
        buf_printf(
            &text,
            "{\"id\":\"%016llx\",\"task\":\"math\",\"level\":1,\"split\":\"train\",\"index\":"
            "%llu,\"base_correct\":%s,\"routing\":",
            (unsigned long long)e.id, (unsigned long long)i, base ? "true" : "false");
        buf_printf(&text, o->no_labels ? "null" : "\"%s\"", label);
        buf_adds(&text, ",\"simulations\":10,\"evaluations\":7,\"right\":[");
        if (!o->no_labels)
            buf_printf(&text, "\"%s\"", label);
        if (base && (o->no_labels || label != paths[0]))
            buf_printf(&text, "%s\"1111\"", o->no_labels ? "" : ",");
        buf_adds(&text, "],\"wrong\":[");
        bool comma = false;
        for (size_t p = 0; p < ARRAY_LEN(paths); p++)
            if ((o->no_labels || paths[p] != label) && !(base && p == 0)) {
                buf_printf(&text, "%s\"%s\"", comma ? "," : "", paths[p]);
                comma = true;
            }
        buf_adds(&text, "]}\n");
        example_release(&e);
    }
    task_close(source);
    assert_int_equal(buf_write_file(file, text.data, text.len, &err), 0);
}

static void begin(struct fake_job *f, const struct set_options *o)
{
    char file[128];

    fake_job_init(f, KIND_ROUTER);
    snprintf(file, sizeof(file), "%s/labels", f->scratch);
    write_set(file, o);
    fake_job_input(f, "model", tiny_dir);
    fake_job_input(f, "labels", file);
    fake_job_int(f, "epochs", 6);
    fake_job_int(f, "bottleneck", 9);
    fake_job_int(f, "windows", 3);
    fake_job_real(f, "validation", 0.2);
}

static void end(struct fake_job *f)
{
    fake_job_release(f);
}

static const struct set_options plain = { .model = tiny_dir, .layers = LAYERS };

static void read_output(const struct fake_job *f, struct buf *out)
{
    const char *const names[] = { "config.json", "router.safetensors" };

    fake_files_read(f->folder, names, ARRAY_LEN(names), out);
}

static double metric(const struct fake_job *f, const char *name, uint64_t step)
{
    for (size_t i = 0; i < f->metrics_len; i++)
        if (f->metric[i].step == step && strcmp(f->metric[i].name, name) == 0)
            return f->metric[i].value;
    fail_msg("no metric %s at %llu", name, (unsigned long long)step);
    return 0;
}

static struct router *open_output(const struct fake_job *f)
{
    struct router *r = NULL;
    struct err err = { 0 };

    if (router_open(&r, f->folder, NULL, &err))
        fail_msg("%s", err.text);
    return r;
}

static void a_labels_router_is_made_with_its_curves(void **state)
{
    static const char *const curves[] = { "loss",     "validation_loss",   "macro_f1",
                                          "f1_skip",  "f1_execute",        "f1_repeat",
                                          "accuracy", "layer_00.macro_f1", "layer_03.macro_f1" };
    struct fake_job f;
    struct router *r;
    const struct digest model = digest_of(tiny_dir, strlen(tiny_dir));

    (void)state;
    begin(&f, &plain);
    fake_job_run_or_fail(&f);
    r = open_output(&f);
    assert_int_equal(r->conf.kind, ROUTER_LABELS);
    assert_true(r->conf.layers == LAYERS && r->conf.dim == 16 && r->conf.windows == 3);
    assert_true(r->conf.bottleneck == 9 && digest_equal(&r->conf.model, &model));
    assert_string_equal(f.job.output[0].name, "router");
    for (uint64_t e = 1; e <= 6; e++)
        for (size_t i = 0; i < ARRAY_LEN(curves); i++)
            assert_true(metric(&f, curves[i], e) >= 0);
    assert_true(metric(&f, "loss", 6) < metric(&f, "loss", 1));
    assert_true(metric(&f, "best_epoch", 6) >= 1);
    router_free(r);
    end(&f);
}

static void a_success_router_has_the_family_that_was_evaluated(void **state)
{
    struct fake_job f;
    struct router *r;

    (void)state;
    begin(&f, &plain);
    fake_job_text(&f, "kind", "success");
    fake_job_text(&f, "features", "both");
    fake_job_int(&f, "decide_layer", 1);
    fake_job_int(&f, "members", 2);
    fake_job_int(&f, "paths", 5);
    fake_job_run_or_fail(&f);
    r = open_output(&f);
    assert_int_equal(r->conf.kind, ROUTER_SUCCESS);
    /* Of the seven paths five execute layer 0 once. */
    assert_true(r->conf.paths == 5 && r->conf.members == 2 && r->conf.decide_layer == 1);
    for (size_t p = 0; p < 5; p++)
        assert_int_equal(r->path[p * LAYERS], 1);
    assert_memory_equal(r->path, "\1\1\1\1", LAYERS);
    assert_true(metric(&f, "brier", 6) > 0 && metric(&f, "auc", 6) > 0);
    assert_true(metric(&f, "layers_at_0.01", 6) >= 3 && metric(&f, "layers_at_0.01", 6) <= 5);
    router_free(r);
    end(&f);
}

/* Paths of the first examples of TASK, LEVEL by ROUTER, into RET ([EXAMPLES][LAYERS]). */
static int evaluate_by(const char *router, const char *task, int level, bool guard, uint8_t *ret,
                       struct err *err)
{
    const struct param_value guards = { .type = PARAM_BOOL, .i = guard };
    struct fake_job f;
    int rc;

    fake_job_init(&f, KIND_EVALUATE);
    fake_job_input(&f, "model", tiny_dir);
    fake_job_input(&f, "router", router);
    fake_job_text(&f, "task", task);
    fake_job_int(&f, "examples", EXAMPLES);
    fake_job_int(&f, "level", level < 0 ? 1 : level);
    fake_job_text(&f, "split", "train");
    fake_job_text(&f, "routing", "router");
    fake_job_text(&f, "reference", "best");
    fake_job_real(&f, "epsilon", level < 0 ? -0.1 : 1.0); /* the cheapest of all */
    assert_int_equal(params_set(&f.job.params, "guard", &guards, err), 0);
    f.lease.begin = 0;
    f.lease.end = EXAMPLES;
    rc = fake_job_run(&f, err);
    for (size_t i = 0; rc == 0 && i < EXAMPLES; i++)
        memcpy(ret + i * LAYERS, f.result[i]->score->routing.data, LAYERS);
    fake_job_release(&f);
    return rc;
}

static void a_guard_knows_its_examples_and_stops_longer_prompts(void **state)
{
    uint8_t with[EXAMPLES * LAYERS], without[EXAMPLES * LAYERS];
    struct fake_job f;
    struct router *r;
    size_t same = 0, stopped = 0, cheap = 0;
    struct err err = { 0 };

    (void)state;
    begin(&f, &plain);
    fake_job_text(&f, "kind", "success");
    fake_job_text(&f, "features", "both");
    fake_job_int(&f, "windows", 1);
    fake_job_int(&f, "decide_layer", 1);
    fake_job_real(&f, "noise", 0.2);
    fake_job_real(&f, "guard", 0.95);
    fake_job_run_or_fail(&f);
    r = open_output(&f);
    assert_int_equal(r->guard.width, 2 * r->conf.dim);
    assert_true(r->guard.rows_min > 1 && r->guard.rows_max >= r->guard.rows_min);
    if (evaluate_by(f.folder, "math", 1, true, with, &err) ||
        evaluate_by(f.folder, "math", 1, false, without, &err))
        fail_msg("%s", err.text);
    for (size_t i = 0; i < EXAMPLES; i++) {
        same += memcmp(with + i * LAYERS, without + i * LAYERS, LAYERS) == 0;
        cheap += memcmp(without + i * LAYERS, "\1\1\1\1", LAYERS) != 0;
    }
    print_message("%zu of %d as without a guard, %zu cheap\n", same, EXAMPLES, cheap);
    assert_true(cheap == EXAMPLES && same >= EXAMPLES * 9 / 10);
    if (evaluate_by(f.folder, "logic", 2, true, with, &err))
        fail_msg("%s", err.text);
    for (size_t i = 0; i < EXAMPLES; i++)
        stopped += memcmp(with + i * LAYERS, "\1\1\1\1", LAYERS) == 0;
    assert_int_equal(stopped, EXAMPLES);
    assert_int_equal(evaluate_by(f.folder, "math", -1, true, with, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "reference"));
    router_free(r);
    fake_job_real(&f, "guard", 1.0);
    f.metrics_len = 0;
    fake_job_run_or_fail(&f);
    r = open_output(&f);
    assert_int_equal(r->guard.width, 0);
    router_free(r);
    end(&f);
}

/* Everything a run of kind KIND with THREADS threads makes. */
static void make_bytes(const char *kind, size_t threads, struct buf *out)
{
    struct fake_job f;

    begin(&f, &plain);
    fake_job_text(&f, "kind", kind);
    f.job.pool = threads ? pool_new(threads) : NULL;
    fake_job_run_or_fail(&f);
    read_output(&f, out);
    pool_free(f.job.pool);
    end(&f);
}

static void threads_change_no_bit(void **state)
{
    static const char *const kinds[] = { "labels", "success" };

    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct buf a CLEANUP(buf_release) = { 0 };

        make_bytes(kinds[k], 0, &a);
        for (size_t threads = 1; threads <= 4; threads += 3) {
            struct buf b CLEANUP(buf_release) = { 0 };

            make_bytes(kinds[k], threads, &b);
            assert_int_equal(a.len, b.len);
            assert_memory_equal(a.data, b.data, a.len);
        }
    }
}

static void routers_of_the_same_labels_share_features(void **state)
{
    struct buf a CLEANUP(buf_release) = { 0 }, b CLEANUP(buf_release) = { 0 };
    struct fake_job f;

    (void)state;
    begin(&f, &plain);
    fake_job_run_or_fail(&f);
    read_output(&f, &a);
    assert_int_equal(f.made_whole, 0);
    fake_job_run_or_fail(&f); /* again: features are there */
    read_output(&f, &b);
    assert_int_equal(f.made_whole, 1);
    assert_memory_equal(a.data, b.data, a.len);
    fake_job_text(&f, "loss", "ce"); /* another router, the same features */
    fake_job_int(&f, "bottleneck", 5);
    f.metrics_len = 0;
    fake_job_run_or_fail(&f);
    assert_int_equal(f.made_whole, 2);
    fake_job_int(&f, "windows", 2); /* others */
    f.metrics_len = 0;
    fake_job_run_or_fail(&f);
    assert_int_equal(f.made_whole, 2);
    end(&f);
}

/* ---- features ------------------------------------------------------------------------------- */

struct prompts {
    uint32_t tokens[EXAMPLES][40];
    uint8_t routing[EXAMPLES * LAYERS];
    struct means_example e[EXAMPLES];
};

static void draw_prompts(struct prompts *p, size_t vocab)
{
    struct rng rng = rng_stream("test", 11, 0);

    for (size_t i = 0; i < EXAMPLES; i++) {
        p->e[i] = (struct means_example){ p->tokens[i], 1 + rng_below(&rng, 40),
                                          p->routing + i * LAYERS };
        for (size_t t = 0; t < 40; t++)
            p->tokens[i][t] = rng_below(&rng, (uint32_t)vocab);
        for (size_t l = 0; l < LAYERS; l++)
            p->routing[i * LAYERS + l] = (uint8_t)rng_below(&rng, 3);
    }
}

/* Features of example E in front of LAYER, by a sweep of its own along its whole routing. */
static void features_alone(const struct model *m, const struct router_conf *c,
                           const struct means_example *e, size_t layer, float *out)
{
    struct sweep *s = sweep_new(m, NULL);
    float state[40 * 16], *save[LAYERS + 1] = { 0 };
    struct sweep_seq seq = { .tokens = e->tokens,
                             .rows = e->rows,
                             .routing = e->routing,
                             .save = save,
                             .logits_from = e->rows };
    struct err err = { 0 };

    save[layer] = state;
    assert_int_equal(sweep_run(s, &seq, 1, NULL, &err), 0);
    router_features(c, m->kern, state, e->rows, 16, out);
    sweep_free(s);
}

static void features_are_those_of_each_example_alone(void **state)
{
    static struct prompts p;
    const struct model *m = NULL;
    struct fake_job f;
    struct err err = { 0 };

    (void)state;
    begin(&f, &plain);
    f.job.pool = pool_new(3);
    assert_int_equal(job_model_open(&f.job, "model", &m, &err), 0);
    draw_prompts(&p, m->conf.vocab);
    for (int i = 0; i < 6; i++) {
        struct router_conf c = { .kind = i % 2 ? ROUTER_SUCCESS : ROUTER_LABELS,
                                 .features = i < 2   ? ROUTER_WINDOWS
                                             : i < 4 ? ROUTER_BOTH
                                                     : ROUTER_LAST,
                                 .input = i == 4 ? ROUTER_EMBEDDING : ROUTER_LAYER,
                                 .layers = LAYERS,
                                 .dim = 16,
                                 .windows = i < 4 ? 8 : 1,
                                 .decide_layer = 2,
                                 .paths = 2,
                                 .members = 2 };
        struct means means;

        if (means_open(&means, &f.job, m, &c, p.e, EXAMPLES, &err))
            fail_msg("%s", err.text);
        assert_int_equal(means.networks, i % 2 ? 2 : LAYERS);
        for (size_t h = 0; h < means.networks; h++)
            for (size_t e = 0; e < EXAMPLES; e++) {
                size_t layer = i % 2 ? 2 : i == 4 ? 0 : h;
                float want[9 * 16];

                features_alone(m, &c, &p.e[e], layer, want);
                assert_int_equal(means.rows[e], router_feature_rows(&c, p.e[e].rows));
                assert_memory_equal(want, means.features[h] + e * means.stride * router_inputs(&c),
                                    means.rows[e] * router_inputs(&c) * sizeof(float));
            }
        means_close(&means);
    }
    job_model_close(m);
    pool_free(f.job.pool);
    end(&f);
}

/* ---- outcomes ------------------------------------------------------------------------------- */

static bool answers_rightly(const struct model *m, const struct example *e, const uint8_t *path)
{
    const struct evaluator_conf conf = {
        .model = m, .task = task_find("math"), .cache_bytes = 1 << 20, .sampling = { .top_p = 1 }
    };
    const struct evaluation v = { .routing = path };
    struct evaluator *evaluator = NULL;
    struct outcome o;
    struct err err = { 0 };

    assert_int_equal(evaluator_new(&evaluator, &conf, &err), 0);
    assert_int_equal(evaluator_begin(evaluator, &e, 1, &err), 0);
    assert_int_equal(evaluator_run(evaluator, &v, 1, false, &o, NULL, &err), 0);
    evaluator_free(evaluator);
    return o.correct;
}

/* Known outcomes stay as they are, and the others become what the model does. */
static void check_outcomes(const struct model *m, const struct label_set *s, const int8_t *before,
                           const int8_t *after, size_t *ret_right)
{
    const struct task_query q = { .task = "math", .level = 1, .split = SPLIT_TRAIN, .fewshot = -1 };
    struct task_source *source = NULL;
    struct err err = { 0 };

    assert_int_equal(task_open(&source, &q, &err), 0);
    *ret_right = 0;
    for (size_t i = 0; i < s->len; i++) {
        struct example e = { 0 };

        assert_int_equal(task_get(source, s->row[i].index, &e, &err), 0);
        for (size_t p = 0; p < s->paths_len; p++) {
            size_t at = i * s->paths_len + p;

            if (before[at] >= 0) {
                assert_int_equal(after[at], before[at]);
                continue;
            }
            assert_int_equal(after[at], answers_rightly(m, &e, label_path(s, (uint32_t)p)));
            *ret_right += after[at] == 1;
        }
        example_release(&e);
    }
    task_close(source);
}

static void missing_outcomes_are_what_the_model_answers(void **state)
{
    int8_t before[EXAMPLES * 7], after[EXAMPLES * 7], again[EXAMPLES * 7];
    struct label_set s = { 0 };
    const struct model *m = NULL;
    size_t at[EXAMPLES], right;
    struct fake_job f;
    struct err err = { 0 };

    (void)state;
    begin(&f, &plain);
    assert_int_equal(job_model_open(&f.job, "model", &m, &err), 0);
    assert_int_equal(label_set_open(&s, &f.job, LAYERS, &err), 0);
    assert_true(s.len == EXAMPLES && s.paths_len == 7);
    for (size_t i = 0; i < EXAMPLES; i++)
        at[i] = i;
    for (size_t i = 0; i < EXAMPLES * 7; i++)
        before[i] = (int8_t)(i % 3 == 0 ? (int)(i % 2) : -1);
    memcpy(after, before, sizeof(before));
    memcpy(again, before, sizeof(before));
    if (complete_outcomes(&f.job, m, &s, at, EXAMPLES, s.path, 7, after, &err))
        fail_msg("%s", err.text);
    check_outcomes(m, &s, before, after, &right);
    assert_true(right > 10 && right < EXAMPLES * 7 / 2);
    assert_int_equal(f.made_whole, 0);
    assert_int_equal(complete_outcomes(&f.job, m, &s, at, EXAMPLES, s.path, 7, again, &err), 0);
    assert_int_equal(f.made_whole, 1);
    assert_memory_equal(after, again, sizeof(after));
    label_set_release(&s);
    job_model_close(m);
    end(&f);
}

/* ---- what does not fit ---------------------------------------------------------------------- */

static void run_refused(struct fake_job *f, int code, const char *says)
{
    struct err err = { 0 };
    int rc = fake_job_run(f, &err);

    if (rc != code || !strstr(err.text, says))
        fail_msg("%d: %s", rc, err.text);
    end(f);
}

static void label_sets_that_do_not_fit_are_refused(void **state)
{
    const struct {
        struct set_options o;
        const char *says;
    } cases[] = {
        { { .model = "/another/model", .layers = LAYERS }, "model" },
        { { .model = tiny_dir, .layers = LAYERS + 1 }, "" },
        { { .model = tiny_dir, .layers = LAYERS, .no_labels = true }, "nothing to learn" },
        { { .model = tiny_dir, .layers = LAYERS, .index_shift = 3 }, "has changed" },
        { { .model = tiny_dir, .layers = LAYERS, .first = "1000" }, "1000" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_job f;

        begin(&f, &cases[i].o);
        run_refused(&f, ERR_INVALID, cases[i].says);
    }
}

static void parameters_that_do_not_fit_are_refused(void **state)
{
    struct fake_job f;

    (void)state;
    begin(&f, &plain);
    fake_job_text(&f, "kind", "success");
    fake_job_int(&f, "decide_layer", LAYERS);
    run_refused(&f, ERR_INVALID, "decide_layer = 4");
    begin(&f, &plain);
    fake_job_int(&f, "windows", 33);
    run_refused(&f, ERR_INVALID, "windows");
}

static void a_stopped_job_ends(void **state)
{
    struct fake_job f;
    struct err err = { 0 };

    (void)state;
    begin(&f, &plain);
    atomic_store(&f.progress.stop, true);
    assert_int_equal(fake_job_run(&f, &err), ERR_CANCELLED);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_labels_router_is_made_with_its_curves),
        cmocka_unit_test(a_success_router_has_the_family_that_was_evaluated),
        cmocka_unit_test(a_guard_knows_its_examples_and_stops_longer_prompts),
        cmocka_unit_test(threads_change_no_bit),
        cmocka_unit_test(routers_of_the_same_labels_share_features),
        cmocka_unit_test(features_are_those_of_each_example_alone),
        cmocka_unit_test(missing_outcomes_are_what_the_model_answers),
        cmocka_unit_test(label_sets_that_do_not_fit_are_refused),
        cmocka_unit_test(parameters_that_do_not_fit_are_refused),
        cmocka_unit_test(a_stopped_job_ends),
    };
    return cmocka_run_group_tests(tests, make_model, tiny_remove);
}
