/* SPDX-License-Identifier: Apache-2.0 */
/* talkers.h - small random models with a tokenizer, and examples made by hand, for the tests of
 * this folder. */
#ifndef TESTS_UNIT_WORKER_JOBS_TALKERS_H
#define TESTS_UNIT_WORKER_JOBS_TALKERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/base/rng.h"
#include "common/tasks/task.h"
#include "worker/model/model.h"
#include "worker/model/sweep.h"
#include "worker/tokenizer/tokenizer.h"

static const char letters[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,:?()'$#\n";

static inline int talker_tensor(const struct model_tensor *t, void *arg)
{
    struct model_weights *w = arg;
    struct rng r = rng_stream("test weights", 7, t->offset);

    for (size_t i = 0; i < t->rows * t->cols; i++) {
        double x = rng_normal(&r);

        w->all[t->offset + i] = (float)(t->vector ? 1.0 + 0.2 * x : x * 12.0 / (double)t->cols);
    }
    return 0;
}

/* Takes TOK over. VOCAB 0: the tokenizer's. */
static inline struct model *talker_deep(struct tokenizer *tok, size_t layers, size_t vocab,
                                        size_t positions)
{
    struct model_conf c = { .layers = layers,
                            .dim = 16,
                            .heads = 2,
                            .kv_heads = 1,
                            .head_dim = 8,
                            .hidden = 24,
                            .vocab = vocab ? vocab : tokenizer_vocab(tok),
                            .positions = positions,
                            .rms_eps = 1e-5f,
                            .rope_theta = 10000.0f,
                            .bos = tokenizer_bos(tok),
                            .eos = { tokenizer_eos(tok) },
                            .eos_len = 1 };
    struct model_weights w;
    struct model *m = NULL;
    struct err err = { 0 };

    assert_int_equal(model_weights_alloc(&w, &c, &err), 0);
    assert_int_equal(model_each_tensor(&c, talker_tensor, &w), 0);
    if (model_from_weights(&m, &c, &w, NULL, &err) < 0)
        fail_msg("%s", err.text);
    model_weights_release(&w);
    m->tok = tok; /* model_free() frees it */
    return m;
}

static inline struct model *talker_new(struct tokenizer *tok, size_t vocab, size_t positions)
{
    return talker_deep(tok, 3, vocab, positions);
}

/* One token per character of LETTERS. */
static inline struct model *letter_talker(size_t vocab, size_t positions)
{
    struct tokenizer *tok = NULL;
    struct err err = { 0 };

    assert_int_equal(tokenizer_from_alphabet(&tok, letters, &err), 0);
    return talker_new(tok, vocab, positions);
}

static inline void base64_byte(unsigned char byte, char out[5])
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    snprintf(out, 5, "%c%c==", digit[byte >> 2], digit[(byte & 3) << 4]);
}

/* One token per byte and the special tokens of Llama 3: the smallest rank file there is. */
static inline struct model *llama3_talker(size_t positions)
{
    char path[] = "/tmp/drover-test-XXXXXX", code[5];
    int fd = mkstemp(path);
    FILE *f = fdopen(fd, "w");
    struct tokenizer *tok = NULL;
    struct err err = { 0 };

    assert_non_null(f);
    for (int i = 0; i < 256; i++) {
        base64_byte((unsigned char)i, code);
        fprintf(f, "%s %d\n", code, i);
    }
    assert_int_equal(fclose(f), 0);
    if (tokenizer_open(&tok, path, 0, "llama3", &err) < 0)
        fail_msg("%s", err.text);
    (void)unlink(path);
    return talker_new(tok, 0, positions);
}

/* An example; its texts are copied. CHOICES: ended by NULL, or NULL. */
static inline void example_make(struct example *e, enum task_form form, const char *prompt,
                                const char *const *choices)
{
    static uint64_t id = 100;

    *e = (struct example){ .id = ++id, .form = form, .answer_tokens_max = 1 };
    e->source_id = mem_strdup("by hand");
    e->subset = mem_strdup("");
    e->question = mem_strdup(prompt);
    e->prompt = mem_strdup(prompt);
    e->gold = mem_strdup("a");
    for (; choices && choices[e->choices_len]; e->choices_len++) {
        e->choice[e->choices_len] = mem_strdup(choices[e->choices_len]);
        e->choice_chars[e->choices_len] = strlen(choices[e->choices_len]);
    }
    e->gold_mask = 1;
}

static inline void example_stop(struct example *e, const char *stop)
{
    e->stop[e->stops_len++] = mem_strdup(stop);
}

#endif
