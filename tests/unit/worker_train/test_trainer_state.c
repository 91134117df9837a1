/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a training that is saved and loaded in its middle ends with the bits of one that is not,
 * and no file but the right one is taken. Method: memcmp after the same steps; every byte of a
 * small file damaged in turn, the file cut at many lengths, files of other trainers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "tests/support/folder.h"
#include "tests/unit/worker_train/gradients.h"
#include "worker/train/train.h"

static char folder[] = "/tmp/drover-state-XXXXXX", file[80], other[80];

static int folder_open(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(file, sizeof(file), "%s/state", folder);
    snprintf(other, sizeof(other), "%s/other", folder);
    return 0;
}

static int folder_close(void **state)
{
    (void)state;
    return folder_remove(folder);
}

static void steps_or_fail(struct trainer *t, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to; i++) {
        struct train_report report;
        struct err err = { 0 };
        struct batch b;

        draw_batch(&b, i);
        if (trainer_step(t, &b.b, &report, &err) < 0)
            fail_msg("%s", err.text);
    }
}

static void same(const struct trainer *a, const struct trainer *b)
{
    assert_int_equal(trainer_steps(a), trainer_steps(b));
    assert_memory_equal(trainer_weights(a)->all, trainer_weights(b)->all,
                        trainer_weights(a)->floats_len * sizeof(float));
}

static void loaded_training_goes_on_with_the_same_bits(void **state)
{
    struct train_conf c = small_conf(true, TRAIN_GEMM_PACKED);
    struct pool *pool = pool_new(2);
    struct trainer *t = trainer_or_fail(&c, NULL, NULL), *again;
    struct err err = { 0 };

    (void)state;
    steps_or_fail(t, 0, 3);
    assert_int_equal(trainer_save_state(t, file, TRAIN_STATE_ALL, &err), 0);
    steps_or_fail(t, 3, 7);
    c.seed = 2; /* other first weights, another plan */
    c.memory = TRAIN_MEMORY_SMALL;
    again = trainer_or_fail(&c, pool, NULL);
    steps_or_fail(again, 20, 22);
    if (trainer_load_state(again, file, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(trainer_steps(again), 3);
    steps_or_fail(again, 3, 7);
    same(t, again);
    assert_int_equal(trainer_save_state(t, file, TRAIN_STATE_ALL, &err), 0);
    assert_int_equal(trainer_save_state(again, other, TRAIN_STATE_ALL, &err), 0);
    struct buf a = { 0 }, b = { 0 };

    assert_int_equal(buf_read_file(&a, file, 1 << 24, &err), 0);
    assert_int_equal(buf_read_file(&b, other, 1 << 24, &err), 0);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.data, b.data, a.len); /* moments and powers of beta, too */
    buf_release(&a);
    buf_release(&b);
    trainer_free(t);
    trainer_free(again);
    pool_free(pool);
}

/* LOADED, after a try that must fail with CODE, is still as KEPT is. */
static void refused(struct trainer *loaded, struct trainer *kept, int code)
{
    struct err err = { 0 };
    int rc = trainer_load_state(loaded, other, &err);

    if (code ? rc != code : rc >= 0)
        fail_msg("%d where %d was due: %s", rc, code, err.text);
    assert_non_null(strstr(err.text, other));
    same(loaded, kept);
}

static void damaged_files_are_refused(void **state)
{
    struct train_conf c = small_conf(true, TRAIN_GEMM_PACKED);
    struct trainer *t, *kept;
    struct buf bytes = { 0 };
    struct err err = { 0 };

    (void)state;
    c.model.layers = 1;
    c.model.dim = c.model.hidden = 8;
    c.model.heads = c.model.kv_heads = 1;
    t = trainer_or_fail(&c, NULL, NULL);
    kept = trainer_or_fail(&c, NULL, NULL);
    assert_int_equal(trainer_save_state(t, file, TRAIN_STATE_MOMENTS, &err), 0);
    assert_int_equal(buf_read_file(&bytes, file, 1 << 24, &err), 0);
    for (size_t i = 0; i < bytes.len; i += i < 160 ? 1 : 37) {
        bytes.data[i] = (char)(bytes.data[i] ^ 4);
        assert_int_equal(buf_write_file(other, bytes.data, bytes.len, &err), 0);
        refused(t, kept, i < 16 ? ERR_VERSION : 0);
        bytes.data[i] = (char)(bytes.data[i] ^ 4);
    }
    for (size_t len = 0; len < bytes.len; len += len < 160 ? 7 : 997) {
        assert_int_equal(buf_write_file(other, bytes.data, len, &err), 0);
        refused(t, kept, ERR_CORRUPT);
    }
    buf_addc(&bytes, 0);
    assert_int_equal(buf_write_file(other, bytes.data, bytes.len, &err), 0);
    refused(t, kept, ERR_CORRUPT);
    (void)unlink(other);
    refused(t, kept, ERR_NOT_FOUND);
    assert_int_equal(trainer_load_state(t, file, &err), 0); /* the right one is taken */
    buf_release(&bytes);
    trainer_free(t);
    trainer_free(kept);
}

static void state_of_another_training_is_refused(void **state)
{
    struct train_conf c = small_conf(true, TRAIN_GEMM_PACKED), foreign;
    struct trainer *t = trainer_or_fail(&c, NULL, NULL), *kept = trainer_or_fail(&c, NULL, NULL);
    struct err err = { 0 };

    (void)state;
    for (int i = 0; i < 5; i++) {
        struct trainer *f;

        foreign = c;
        foreign.model.qkv_bias = i == 0;
        foreign.beta2 = i == 1 ? 0.95 : c.beta2;
        foreign.model.rope_theta = i == 2 ? 50.0f : c.model.rope_theta;
        foreign.model.heads = i == 3 ? 2 : c.model.heads; /* as many numbers: 2 x 16 = 4 x 8 */
        foreign.model.kv_heads = i == 3 ? 1 : c.model.kv_heads;
        foreign.model.head_dim = i == 3 ? 16 : c.model.head_dim;
        foreign.seed = i == 4 ? 9 : c.seed; /* moments of other weights */
        f = trainer_or_fail(&foreign, NULL, NULL);
        assert_int_equal(trainer_save_state(f, other, TRAIN_STATE_MOMENTS, &err), 0);
        refused(t, kept, ERR_INVALID);
        trainer_free(f);
    }
    foreign = c; /* another schedule and decay are no other training */
    foreign.steps = 5000;
    foreign.learning_rate = 1e-5;
    foreign.weight_decay = 0;
    assert_int_equal(trainer_save_state(t, other, TRAIN_STATE_MOMENTS, &err), 0);
    assert_int_equal(trainer_set_schedule(kept, &foreign, &err), 0);
    assert_int_equal(trainer_load_state(kept, other, &err), 0);
    assert_true(train_rate(trainer_conf(kept), 4000) < 1e-5);
    foreign.warmup = 6000;
    assert_int_equal(trainer_set_schedule(kept, &foreign, &err), ERR_INVALID);
    assert_true(trainer_conf(kept)->warmup == c.warmup);
    trainer_free(t);
    trainer_free(kept);
}

static void places_that_cannot_be_written_are_errors(void **state)
{
    struct train_conf c = small_conf(true, TRAIN_GEMM_PACKED);
    struct trainer *t = trainer_or_fail(&c, NULL, NULL);
    struct err err = { 0 };

    (void)state;
    snprintf(other, sizeof(other), "%s/none/state", folder);
    assert_int_equal(trainer_save_state(t, other, TRAIN_STATE_ALL, &err), ERR_NOT_FOUND);
    assert_int_equal(trainer_load_state(t, folder, &err), ERR_CORRUPT); /* a folder is no file */
    snprintf(other, sizeof(other), "%s/other", folder);
    trainer_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loaded_training_goes_on_with_the_same_bits),
        cmocka_unit_test(damaged_files_are_refused),
        cmocka_unit_test(state_of_another_training_is_refused),
        cmocka_unit_test(places_that_cannot_be_written_are_errors),
    };

    return cmocka_run_group_tests(tests, folder_open, folder_close);
}
