/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: slots that need the same model share one, whoever opens it; a model that cannot be opened
 * is an error for each of them and hangs none. Method: threads with jobs of their own behind fake
 * services, many rounds, a model that opens and one that does not. */
#include <pthread.h>

#include "tests/support/fake_job.h"
#include "tests/unit/worker_jobs/talkers.h"

enum { SLOTS = 4, ROUNDS = 20 };

static char model_dir[64];

static int make_model(void **state)
{
    struct tokenizer *tok = NULL;
    struct model_conf c = { .layers = 1,
                            .dim = 16,
                            .heads = 2,
                            .kv_heads = 2,
                            .head_dim = 8,
                            .hidden = 16,
                            .vocab = 80,
                            .positions = 16,
                            .rms_eps = 1e-5f,
                            .rope_theta = 1000.0f,
                            .tied = true,
                            .eos = { 1 },
                            .eos_len = 1 };
    struct model_weights w;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(tokenizer_from_alphabet(&tok, letters, &err), 0);
    c.vocab = tokenizer_vocab(tok);
    assert_int_equal(model_weights_alloc(&w, &c, &err), 0);
    assert_int_equal(model_each_tensor(&c, talker_tensor, &w), 0);
    snprintf(model_dir, sizeof(model_dir), "/tmp/drover-test-XXXXXX");
    assert_non_null(mkdtemp(model_dir));
    assert_int_equal(model_save(model_dir, &c, &w, tok, &err), 0);
    model_weights_release(&w);
    tokenizer_free(tok);
    return 0;
}

static int remove_model(void **state)
{
    (void)state;
    return folder_remove(model_dir);
}

struct slot_of_test {
    pthread_t thread;
    pthread_barrier_t *together;
    const char *path;
    struct fake_job job;
    const struct model *model;
    int code;
};

static void *open_model(void *arg)
{
    struct slot_of_test *s = arg;
    struct err err = { 0 };

    (void)pthread_barrier_wait(s->together);
    s->code = job_model_open(&s->job.job, "model", &s->model, &err);
    return NULL;
}

/* All slots open PATH at once. */
static void round_of(const char *path, struct slot_of_test slot[SLOTS])
{
    pthread_barrier_t together;

    assert_int_equal(pthread_barrier_init(&together, NULL, SLOTS), 0);
    for (size_t i = 0; i < SLOTS; i++) {
        slot[i] = (struct slot_of_test){ .together = &together };
        fake_job_init(&slot[i].job, KIND_EVALUATE);
        fake_job_input(&slot[i].job, "model", path);
        assert_int_equal(pthread_create(&slot[i].thread, NULL, open_model, &slot[i]), 0);
    }
    for (size_t i = 0; i < SLOTS; i++)
        assert_int_equal(pthread_join(slot[i].thread, NULL), 0);
    pthread_barrier_destroy(&together);
}

static void end_round(struct slot_of_test slot[SLOTS])
{
    for (size_t i = 0; i < SLOTS; i++) {
        job_model_close(slot[i].model);
        fake_job_release(&slot[i].job);
    }
}

static void slots_share_one_model(void **state)
{
    static struct slot_of_test slot[SLOTS];
    const struct model *first;

    (void)state;
    for (int r = 0; r < ROUNDS; r++) {
        round_of(model_dir, slot);
        for (size_t i = 0; i < SLOTS; i++) {
            assert_int_equal(slot[i].code, 0);
            assert_ptr_equal(slot[i].model, slot[0].model);
        }
        assert_non_null(slot[0].model->tok);
        first = slot[0].model;
        end_round(slot);
        round_of(model_dir, slot); /* it was kept for the next job */
        assert_ptr_equal(slot[0].model, first);
        end_round(slot);
        job_models_drop();
    }
}

static void a_model_that_does_not_open_fails_each_job(void **state)
{
    static struct slot_of_test slot[SLOTS];

    (void)state;
    for (int r = 0; r < ROUNDS; r++) {
        round_of("/nowhere/model", slot);
        for (size_t i = 0; i < SLOTS; i++) {
            assert_int_equal(slot[i].code, ERR_NOT_FOUND);
            assert_null(slot[i].model);
        }
        end_round(slot);
    }
    round_of(model_dir, slot);
    assert_int_equal(slot[SLOTS - 1].code, 0);
    end_round(slot);
    job_models_drop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_share_one_model),
        cmocka_unit_test(a_model_that_does_not_open_fails_each_job),
    };

    return cmocka_run_group_tests(tests, make_model, remove_model);
}
