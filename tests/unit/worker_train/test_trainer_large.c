/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: any checkpoint trains (biases, scaled rotary angles, narrow types, interleaved heads), the
 * memory plan changes no bit, neither do threads, and the trainer's view is the saved model.
 * Method: central differences of the double twin; memcmp of weights after steps under every plan
 * and thread count, with the head in pieces; logits of sweeps over the view, over the saved and
 * reopened folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <unistd.h>

#include "tests/support/folder.h"
#include "tests/unit/worker_train/gradients.h"
#include "worker/model/sweep.h"
#include "worker/train/trainer_private.h"

static int scratch_open(void **state)
{
    static char dir[] = "/tmp/drover-train-XXXXXX";

    memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
    *state = mkdtemp(dir);
    return *state ? 0 : -1;
}

static int scratch_close(void **state)
{
    return folder_remove(*state);
}

enum { STEPS = 4, MICRO_BATCHES = 4 };

enum { QWEN, LLAMA_BIASES, LLAMA3_SCALING, UNTIED_LINEAR, SHAPES };

static struct train_conf shape(size_t which)
{
    struct train_conf c = small_conf(which != UNTIED_LINEAR, TRAIN_GEMM_PACKED);
    struct model_conf *m = &c.model;

    c.micro_batches = MICRO_BATCHES;
    m->qkv_bias = which == QWEN || which == LLAMA_BIASES;
    m->o_bias = m->mlp_bias = which == LLAMA_BIASES;
    if (which == LLAMA3_SCALING)
        m->rope_scaling = (struct rope_scaling){
            .kind = ROPE_LLAMA3, .factor = 8, .low_freq = 1, .high_freq = 4, .original = 12
        };
    if (which == UNTIED_LINEAR)
        m->rope_scaling = (struct rope_scaling){ .kind = ROPE_LINEAR, .factor = 2 };
    return c;
}

struct shake {
    float *all;
    struct rng rng;
};

static int shake_tensor(const struct model_tensor *t, void *arg)
{
    struct shake *s = arg;

    for (size_t i = 0; i < t->rows * t->cols; i++) /* the gaps behind tensors stay 0 */
        s->all[t->offset + i] += (float)(0.05 * rng_normal(&s->rng));
    return 0;
}

/* A trainer whose biases and norms are anything but 0 and 1. */
static struct trainer *shaken(const struct train_conf *c, struct pool *pool)
{
    struct trainer *t = trainer_or_fail(c, pool, NULL);
    struct shake s = { mem_dup(trainer_weights(t)->all,
                               trainer_weights(t)->floats_len * sizeof(float)),
                       rng_stream("test-shake", 1, 0) };

    (void)model_each_tensor(&c->model, shake_tensor, &s);
    trainer_set_weights(t, s.all);
    free(s.all);
    return t;
}

static void gradient_of_every_architecture_is_the_derivative(void **state)
{
    (void)state;
    for (size_t i = 0; i < SHAPES; i++) {
        struct train_conf c = shape(i);
        struct trainer *of = shaken(&c, NULL);
        struct slopes slopes;
        struct batch b;

        draw_batch(&b, 3);
        slopes = slopes_of(&c, of, &b.b);
        for (int blas = 0; blas < 2; blas++) {
            float *grad = mem_calloc(trainer_weights(of)->floats_len, sizeof(float));
            struct train_report report;
            struct err err = { 0 };
            struct trainer *t;
            char where[128];
            double error;

            c.gemm = blas ? TRAIN_GEMM_OPENBLAS : TRAIN_GEMM_PACKED;
            t = shaken(&c, NULL);
            t->model.logits_max = blas ? 16 * 3 : t->model.logits_max; /* pieces of three rows */
            assert_int_equal(trainer_gradient(t, &b.b, &report, grad, &err), 0);
            error = gradient_error(&slopes, grad, where);
            print_message("shape %zu: largest gradient error %.2g at %s\n", i, error, where);
            assert_true(error < GRADIENT_LIMIT);
            free(grad);
            trainer_free(t);
        }
        slopes_release(&slopes);
        trainer_free(of);
    }
}

/* A bias's gradient that is wrong is seen by the check above. */
static void planted_wrong_bias_gradients_are_caught(void **state)
{
    struct train_conf c = shape(LLAMA_BIASES);
    struct trainer *t = shaken(&c, NULL);
    const struct model_weights *w = trainer_weights(t);
    float *grad = mem_calloc(w->floats_len, sizeof(float));
    float *const *bias[] = { w->bq, w->bv, w->bo, w->b1, w->b3, w->b2 };
    struct train_report report;
    struct slopes slopes;
    struct err err = { 0 };
    struct batch b;
    char where[128];

    (void)state;
    draw_batch(&b, 3);
    slopes = slopes_of(&c, t, &b.b);
    assert_int_equal(trainer_gradient(t, &b.b, &report, grad, &err), 0);
    assert_true(gradient_error(&slopes, grad, where) < GRADIENT_LIMIT);
    for (size_t i = 0; i < ARRAY_LEN(bias); i++) {
        float *g = grad + (bias[i][1] - w->all), keep = g[0];

        g[0] = keep + 0.02f;
        assert_true(gradient_error(&slopes, grad, where) > GRADIENT_LIMIT);
        g[0] = keep;
    }
    slopes_release(&slopes);
    free(grad);
    trainer_free(t);
}

static void steps_or_fail(struct trainer *t, uint64_t from, uint64_t to, bool times)
{
    for (uint64_t i = from; i < to; i++) {
        struct train_report report;
        struct err err = { 0 };
        struct batch b;

        draw_batch(&b, i);
        if (times)
            draw_times(&b, i);
        if (trainer_step(t, &b.b, &report, &err) < 0)
            fail_msg("%s", err.text);
    }
}

static void same_weights(struct trainer *a, struct trainer *b)
{
    assert_int_equal(trainer_weights(a)->floats_len, trainer_weights(b)->floats_len);
    assert_memory_equal(trainer_weights(a)->all, trainer_weights(b)->all,
                        trainer_weights(a)->floats_len * sizeof(float));
}

static void memory_plan_and_threads_change_no_bit(void **state)
{
    struct pool *pool[] = { NULL, pool_new(2), pool_new(3) };

    (void)state;
    for (size_t i = 0; i < 8 * SHAPES; i++) {
        struct train_conf c = shape(i % SHAPES);
        bool times = i / SHAPES % 2, pieces = i / SHAPES / 2 % 2;
        struct trainer *want, *t;

        c.gemm = i / SHAPES / 4 % 2 ? TRAIN_GEMM_OPENBLAS : TRAIN_GEMM_PACKED;
        c.memory = TRAIN_MEMORY_FAST;
        want = shaken(&c, NULL);
        want->model.logits_max = pieces ? 16 * 3 : want->model.logits_max;
        steps_or_fail(want, 0, STEPS, times);
        c.memory = TRAIN_MEMORY_SMALL;
        for (size_t p = 0; p < ARRAY_LEN(pool); p++) {
            t = shaken(&c, pool[p]);
            t->model.logits_max = want->model.logits_max;
            steps_or_fail(t, 0, STEPS, times);
            assert_true(t->model.recompute && t->grads_len == 1);
            same_weights(want, t);
            trainer_free(t);
        }
        assert_int_equal(want->grads_len, MICRO_BATCHES);
        trainer_free(want);
    }
    for (size_t p = 0; p < ARRAY_LEN(pool); p++)
        pool_free(pool[p]);
}

/* Micro-batches without any sequence, and without a target, have their turn as well. */
static void empty_micro_batches_keep_the_order(void **state)
{
    struct pool *pool = pool_new(3);
    struct train_conf c = shape(QWEN);
    struct trainer *want, *t;

    (void)state;
    c.micro_batches = 3 * SEQUENCES;
    c.memory = TRAIN_MEMORY_FAST;
    want = shaken(&c, pool);
    c.memory = TRAIN_MEMORY_SMALL;
    t = shaken(&c, pool);
    steps_or_fail(want, 0, STEPS, false);
    steps_or_fail(t, 0, STEPS, false);
    same_weights(want, t);
    trainer_free(want);
    trainer_free(t);
    pool_free(pool);
}

/* A trainer with biases that are zero moves them, without decay. */
static void biases_move_and_do_not_decay(void **state)
{
    struct train_conf c = shape(QWEN);
    struct trainer *t = trainer_or_fail(&c, NULL, NULL), *none;
    const struct model_weights *w = trainer_weights(t);
    float *keep;

    (void)state;
    for (size_t i = 0; i < 8; i++)
        assert_true(w->bq[0][i] == 0.0f);
    steps_or_fail(t, 0, STEPS, false);
    assert_true(w->bq[0][0] != 0.0f && w->bv[2][1] != 0.0f);
    keep = mem_dup(w->bq[0], 8 * sizeof(float));
    trainer_free(t);
    c.weight_decay = 10; /* the first step's biases are the same whatever decays */
    t = trainer_or_fail(&c, NULL, NULL);
    c.weight_decay = 0;
    none = trainer_or_fail(&c, NULL, NULL);
    steps_or_fail(t, 0, 1, false);
    steps_or_fail(none, 0, 1, false);
    for (size_t i = 0; i < 8; i++)
        assert_true(trainer_weights(t)->bq[1][i] == trainer_weights(none)->bq[1][i]);
    assert_true(trainer_weights(t)->wq[1][0] != trainer_weights(none)->wq[1][0]);
    free(keep);
    trainer_free(t);
    trainer_free(none);
}

/* Logits of all rows of one text under M. */
static void logits_of(const struct model *m, float *out)
{
    static const uint32_t text[] = { 3, 7, 1, 15, 0, 9, 9, 2 };
    uint8_t routing[LAYERS] = { 1, 1, 1 };
    struct sweep *s = sweep_new(m, NULL);
    struct sweep_seq seq = {
        .tokens = text, .rows = ARRAY_LEN(text), .routing = routing, .logits = out
    };
    struct err err = { 0 };

    if (sweep_run(s, &seq, 1, NULL, &err) < 0)
        fail_msg("%s", err.text);
    sweep_free(s);
}

static void view_is_the_saved_model_after_every_step(void **state)
{
    char dir[64];

    (void)state;
    for (size_t i = 0; i < SHAPES; i++) {
        struct train_conf c = shape(i);
        struct trainer *t = shaken(&c, NULL);
        const struct model *view = trainer_model(t);
        float seen[8 * 16], saved[8 * 16], before[8 * 16];
        struct model *m = NULL;
        struct err err = { 0 };

        logits_of(view, before);
        steps_or_fail(t, 0, 2, false);
        logits_of(view, seen);
        assert_true(memcmp(before, seen, sizeof(seen)) != 0);
        snprintf(dir, sizeof(dir), "%s/model-%zu", (const char *)*state, i);
        assert_int_equal(model_save(dir, &trainer_conf(t)->model, trainer_weights(t), NULL, &err),
                         0);
        if (model_open(&m, dir, NULL, NULL, &err) < 0)
            fail_msg("%s", err.text);
        logits_of(m, saved);
        assert_memory_equal(seen, saved, sizeof(seen));
        model_free(m);
        trainer_free(t);
    }
}

/* Before any training, not when its model is to be saved. */
static void biases_that_no_folder_can_say_are_refused(void **state)
{
    char dir[64];

    for (size_t i = 0; i < 8; i++) {
        bool qkv = i & 1, o = i & 2, mlp = i & 4, fine = qkv == o || (qkv && !mlp);
        struct train_conf c = shape(LLAMA_BIASES);
        struct trainer *t = NULL;
        struct err err = { 0 };

        c.model.qkv_bias = qkv;
        c.model.o_bias = o;
        c.model.mlp_bias = mlp;
        assert_int_equal(trainer_new(&t, &c, NULL, NULL, &err), fine ? 0 : ERR_INVALID);
        snprintf(dir, sizeof(dir), "%s/biases-%zu", (const char *)*state, i);
        if (fine)
            assert_int_equal(model_save(dir, &c.model, trainer_weights(t), NULL, &err), 0);
        else
            assert_non_null(strstr(err.text, "biases"));
        trainer_free(t);
    }
}

static void opened_checkpoint_goes_on_as_its_trainer_would(void **state)
{
    char dir[64], file[80];

    for (size_t i = 0; i < SHAPES; i++) {
        struct train_conf c = shape(i);
        struct trainer *t = shaken(&c, NULL), *again = NULL;
        struct err err = { 0 };

        steps_or_fail(t, 0, 2, false);
        snprintf(dir, sizeof(dir), "%s/open-%zu", (const char *)*state, i);
        snprintf(file, sizeof(file), "%s.moments", dir);
        assert_int_equal(model_save(dir, &trainer_conf(t)->model, trainer_weights(t), NULL, &err),
                         0);
        assert_int_equal(trainer_save_state(t, file, TRAIN_STATE_MOMENTS, &err), 0);
        c.model = (struct model_conf){ 0 }; /* the folder says it */
        if (trainer_open(&again, &c, dir, NULL, NULL, &err) < 0)
            fail_msg("%s", err.text);
        same_weights(t, again);
        if (trainer_load_state(again, file, &err) < 0)
            fail_msg("%s", err.text);
        steps_or_fail(t, 2, STEPS, false);
        steps_or_fail(again, 2, STEPS, false);
        same_weights(t, again);
        trainer_free(again);
        trainer_free(t);
    }
}

/* FILES, whose conf is C, as if W were in them. */
static void view_all(struct checkpoint *files, const struct model_conf *c,
                     const struct model_weights *w)
{
#define X(F, NAME, GGUF, PER_LAYER, ROWS, COLS, DECAY)                                             \
    files->F = mem_calloc(c->layers, sizeof(*files->F));                                           \
    for (size_t l = 0; l < ((PER_LAYER) ? c->layers : 1); l++)                                     \
        files->F[l] = (struct tensor_view){ w->F[l], WEIGHT_F32, ROWS, COLS };
    MODEL_TENSORS(X)
#undef X
}

/* Interleaved heads are turned: the loss is the same up to rounding, and what is saved after a step
 * has the weights' own layout. */
static void interleaved_checkpoint_is_turned(void **state)
{
    struct train_conf c = shape(LLAMA_BIASES);
    struct checkpoint files = { .format = "memory" };
    struct trainer *want, *t = NULL;
    struct train_report a, b;
    struct err err = { 0 };
    const struct model_weights *w;
    struct batch batch;

    (void)state;
    c.model.rope_interleaved = true;
    want = shaken(&c, NULL);
    files.conf = c.model;
    w = trainer_weights(want);
    view_all(&files, &files.conf, w);
    if (trainer_new_from(&t, &c, &files, NULL, NULL, &err) < 0)
        fail_msg("%s", err.text);
    assert_false(trainer_conf(t)->model.rope_interleaved);
    assert_memory_equal(trainer_weights(t)->wq[1] + 4 * 24, w->wq[1] + 24, 24 * sizeof(float));
    assert_true(trainer_weights(t)->bk[1][12] == w->bk[1][9]);
    assert_true(trainer_weights(t)->bv[1][5] == w->bv[1][5]);
    draw_batch(&batch, 5);
    assert_int_equal(trainer_gradient(want, &batch.b, &a, NULL, &err), 0);
    assert_int_equal(trainer_gradient(t, &batch.b, &b, NULL, &err), 0);
    assert_true(fabs(a.loss - b.loss) < 1e-5 && fabs(a.grad_norm - b.grad_norm) < 1e-4);
#define X(F, NAME, GGUF, PER_LAYER, ROWS, COLS, DECAY) free(files.F);
    MODEL_TENSORS(X)
#undef X
    trainer_free(want);
    trainer_free(t);
}

/* Sets the flag as soon as the step has made some progress. */
static void *stopper(void *arg)
{
    struct progress *p = arg;

    while (atomic_load(&p->counter) < 3)
        usleep(100);
    atomic_store(&p->stop, true);
    return NULL;
}

static void stopped_step_changes_nothing(void **state)
{
    struct pool *pool = pool_new(3);

    (void)state;
    for (int small = 0; small < 2; small++) {
        struct train_conf c = shape(QWEN);
        struct progress progress = { 0 };
        struct train_report report;
        struct err err = { 0 };
        struct trainer *t, *want;
        struct batch b;
        pthread_t thread;
        int rc = 0;

        c.memory = small ? TRAIN_MEMORY_SMALL : TRAIN_MEMORY_FAST;
        t = shaken(&c, pool);
        want = shaken(&c, NULL);
        trainer_set_progress(t, &progress);
        assert_int_equal(pthread_create(&thread, NULL, stopper, &progress), 0);
        draw_batch(&b, 0);
        for (int i = 0; i < 1 << 20 && rc == 0; i++)
            rc = trainer_gradient(t, &b.b, &report, NULL, &err);
        assert_int_equal(rc, ERR_CANCELLED);
        assert_int_equal(trainer_step(t, &b.b, &report, &err), ERR_CANCELLED);
        assert_int_equal(trainer_steps(t), 0);
        pthread_join(thread, NULL);
        same_weights(t, want);
        atomic_store(&progress.stop, false);
        steps_or_fail(t, 0, STEPS, false);
        steps_or_fail(want, 0, STEPS, false);
        same_weights(t, want);
        trainer_free(t);
        trainer_free(want);
    }
    pool_free(pool);
}

static void frozen_trainer_has_a_model_and_neither_moments_nor_gradients(void **state)
{
    struct train_conf c = shape(QWEN);
    struct trainer *t = shaken(&c, NULL), *frozen;
    float a[8 * 16], b[8 * 16];

    (void)state;
    c.frozen = true;
    frozen = shaken(&c, NULL);
    assert_null(frozen->moment1.all);
    assert_int_equal(frozen->grads_len, 0);
    logits_of(trainer_model(t), a);
    logits_of(trainer_model(frozen), b);
    assert_memory_equal(a, b, sizeof(a));
    trainer_free(t);
    trainer_free(frozen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradient_of_every_architecture_is_the_derivative),
        cmocka_unit_test(planted_wrong_bias_gradients_are_caught),
        cmocka_unit_test(memory_plan_and_threads_change_no_bit),
        cmocka_unit_test(empty_micro_batches_keep_the_order),
        cmocka_unit_test(biases_move_and_do_not_decay),
        cmocka_unit_test_setup_teardown(view_is_the_saved_model_after_every_step, scratch_open,
                                        scratch_close),
        cmocka_unit_test_setup_teardown(biases_that_no_folder_can_say_are_refused, scratch_open,
                                        scratch_close),
        cmocka_unit_test_setup_teardown(opened_checkpoint_goes_on_as_its_trainer_would,
                                        scratch_open, scratch_close),
        cmocka_unit_test(interleaved_checkpoint_is_turned),
        cmocka_unit_test(stopped_step_changes_nothing),
        cmocka_unit_test(frozen_trainer_has_a_model_and_neither_moments_nor_gradients),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
