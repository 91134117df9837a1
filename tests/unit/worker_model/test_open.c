/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a model from files is the model that was written, and does not go with a wrong tokenizer.
 * Method: random models saved into a folder and opened again, by one thread and by three;
 * tokenizers with fewer, as many and more tokens than the model's vocabulary; a stop while loading.
 */
#include "tests/unit/worker_model/models.h"

#include <stdio.h>

#include "tests/support/folder.h"
#include "worker/tokenizer/tokenizer.h"

enum { ROWS = 6, LAYERS_MAX = 8 };

static void logits_of(const struct model *m, float *logits)
{
    const uint8_t ones[LAYERS_MAX] = { 1, 1, 1, 1, 1 };
    const uint32_t tokens[ROWS] = { 3, 1, 4, 1, 5, 9 };
    struct sweep *s = sweep_new(m, NULL);
    struct sweep_seq q = { .tokens = tokens, .rows = ROWS, .routing = ones, .logits = logits };

    assert_int_equal(sweep_run(s, &q, 1, NULL, NULL), 0);
    sweep_free(s);
}

/* A folder of this test's own, removed by the group's end. */
static char folder[256];

static int make_folder(void **state)
{
    const char *tmp = getenv("TMPDIR");

    (void)state;
    snprintf(folder, sizeof(folder), "%.200s/drover-open-XXXXXX", tmp ? tmp : "/tmp");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return folder_remove(folder);
}

/* A model with random weights and a tokenizer of ALPHABET into folder DIR. */
static void save(const char *dir, const struct model_conf *c, const char *alphabet)
{
    struct tokenizer *tok = NULL;
    struct model_weights w;

    random_weights(&w, c);
    assert_int_equal(tokenizer_from_alphabet(&tok, alphabet, NULL), 0);
    assert_int_equal(model_save(dir, c, &w, tok, NULL), 0);
    tokenizer_free(tok);
    model_weights_release(&w);
}

static const char letters[] = "abcdefghijklmnopqrstuvwxyz";

static void saved_model_is_the_same_model_for_any_threads(void **state)
{
    char dir[512];

    (void)state;
    for (size_t i = 0; i < 4; i++) { /* the fifth's vocabulary is too small for the tokenizer */
        struct model_conf own = shapes[i].conf, *c = &own;
        size_t bytes = ROWS * c->vocab * sizeof(float);
        float *want = mem_aligned(bytes, 1), *got = mem_aligned(bytes, 1);
        struct model *m;

        c->rope_interleaved = false; /* files have the other order of rows */
        m = random_model(c, NULL);
        logits_of(m, want);
        model_free(m);
        snprintf(dir, sizeof(dir), "%s/%s", folder, shapes[i].name);
        save(dir, c, letters);
        for (size_t threads = 1; threads <= 3; threads += 2) {
            struct pool *pool = pool_new(threads);
            struct model_options o = { .pool = pool };

            assert_int_equal(model_open_with(&m, dir, &o, NULL), 0);
            assert_non_null(m->tok);
            assert_string_equal(m->files->format, "safetensors");
            logits_of(m, got);
            assert_memory_equal(got, want, bytes);
            model_free(m);
            pool_free(pool);
        }
        free(want);
        free(got);
    }
}

static void tokenizer_with_more_tokens_than_the_model_is_refused_with_both_numbers(void **state)
{
    struct model_conf c = shapes[0].conf; /* vocabulary 72 */
    struct tokenizer *large = NULL, *small = NULL;
    char dir[512], path[600];
    struct model *m = NULL;
    struct err err = { 0 };

    (void)state;
    snprintf(dir, sizeof(dir), "%s/model", folder);
    save(dir, &c, letters);
    assert_int_equal(tokenizer_from_alphabet(&large,
                                             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                             "0123456789 .,+-*/=()?!:;",
                                             NULL),
                     0);
    snprintf(path, sizeof(path), "%s/large.json", dir);
    assert_int_equal(tokenizer_save(large, path, NULL), 0);
    assert_true(tokenizer_vocab(large) > 72);
    assert_int_equal(model_open(&m, dir, path, NULL, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "72"));
    assert_non_null(strstr(err.text, "80"));
    assert_int_equal(tokenizer_from_alphabet(&small, "abc", NULL), 0);
    snprintf(path, sizeof(path), "%s/small.json", dir);
    assert_int_equal(tokenizer_save(small, path, NULL), 0);
    assert_int_equal(model_open(&m, dir, path, NULL, &err), 0);
    assert_int_equal(tokenizer_vocab(m->tok), 8);
    model_free(m);
    tokenizer_free(large);
    tokenizer_free(small);
}

static void stop_while_loading_is_heeded_and_a_tokenizer_can_be_left_out(void **state)
{
    struct progress progress = { .stop = true };
    struct model_options stopped = { .progress = &progress }, bare = { .no_tokenizer = true };
    struct model *m = NULL;
    struct err err = { 0 };
    char dir[512];

    (void)state;
    snprintf(dir, sizeof(dir), "%s/model", folder);
    save(dir, &shapes[0].conf, letters);
    assert_int_equal(model_open_with(&m, dir, &stopped, &err), ERR_CANCELLED);
    assert_int_equal(model_open_with(&m, dir, &bare, &err), 0);
    assert_null(m->tok);
    model_free(m);
    assert_int_equal(model_open(&m, "/no/such/model", NULL, NULL, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "/no/such/model"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(saved_model_is_the_same_model_for_any_threads),
        cmocka_unit_test(tokenizer_with_more_tokens_than_the_model_is_refused_with_both_numbers),
        cmocka_unit_test(stop_while_loading_is_heeded_and_a_tokenizer_can_be_left_out),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
