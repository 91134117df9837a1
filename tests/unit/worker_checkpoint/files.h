/* SPDX-License-Identifier: Apache-2.0 */
/* files.h - a scratch folder, damaged copies of files and random weights, for the tests of this
 * folder. */
#ifndef TESTS_UNIT_WORKER_CHECKPOINT_FILES_H
#define TESTS_UNIT_WORKER_CHECKPOINT_FILES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/base/rng.h"
#include "tests/support/folder.h"
#include "worker/checkpoint/checkpoint.h"

static char scratch[128];

static inline int make_scratch(void **state)
{
    const char *tmp = getenv("TMPDIR");

    (void)state;
    snprintf(scratch, sizeof(scratch), "%.80s/drover-ckpt-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    return mkdtemp(scratch) ? 0 : -1;
}

static inline int remove_scratch(void **state)
{
    (void)state;
    return folder_remove(scratch);
}

/* scratch/NAME; a few results stay valid at a time. */
static inline const char *at(const char *name)
{
    static char path[8][256];
    static unsigned next;
    char *p = path[next++ % 8];

    snprintf(p, sizeof(path[0]), "%s/%s", scratch, name);
    return p;
}

static inline void put(const char *path, const void *bytes, size_t len)
{
    FILE *f;

    (void)remove(path); /* ext4 flushes a file that is cut to nothing and written again */
    f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static inline void get(const char *path, struct buf *out)
{
    struct err err = { 0 };

    buf_clear(out);
    if (buf_read_file(out, path, 1 << 24, &err))
        fail_msg("%s", err.text);
}

/* Replace OLD by NEW in the file at PATH. */
static inline void edit(const char *path, const char *old, const char *new)
{
    struct buf file = { 0 }, out = { 0 };
    const char *hit;

    get(path, &file);
    hit = memmem(file.data, file.len, old, strlen(old));
    if (!hit)
        fail_msg("%s: no '%s' to replace", path, old);
    buf_add(&out, file.data, (size_t)(hit - file.data));
    buf_adds(&out, new);
    buf_add(&out, hit + strlen(old), file.len - (size_t)(hit - file.data) - strlen(old));
    put(path, out.data, out.len);
    buf_release(&file);
    buf_release(&out);
}

/* The folder of real files, or a test that says what it went without. */
static inline const char *shared(const char *name)
{
    static char path[4096];
    const char *root = getenv("DROVER_SHARED");

    snprintf(path, sizeof(path), "%s/data/%s", root && *root ? root : "../shared", name);
    if (access(path, R_OK)) {
        print_message("SKIP-DATA %s\n", name);
        skip();
    }
    return path;
}

/* A model small enough to be damaged at every byte. */
static const struct model_conf tiny = {
    .layers = 2,
    .dim = 8,
    .heads = 2,
    .kv_heads = 1,
    .head_dim = 4,
    .hidden = 6,
    .vocab = 16,
    .positions = 10,
    .rms_eps = 1e-5f,
    .rope_theta = 10000.0f,
    .bos = 0,
    .eos = { 1 },
    .eos_len = 1,
};

static int random_tensor(const struct model_tensor *t, void *arg)
{
    struct model_weights *w = arg;
    struct rng r = rng_stream("test weights", 7, t->offset);

    for (size_t i = 0; i < t->rows * t->cols; i++)
        w->all[t->offset + i] = (float)rng_normal(&r);
    return 0;
}

static inline void random_weights(struct model_weights *w, const struct model_conf *c)
{
    assert_int_equal(model_weights_alloc(w, c, NULL), 0);
    assert_int_equal(model_each_tensor(c, random_tensor, w), 0);
}

static inline void saved(const char *dir, const struct model_conf *c, const struct model_weights *w)
{
    struct err err = { 0 };

    mkdir(dir, 0777);
    if (checkpoint_save(dir, c, w, &err))
        fail_msg("%s", err.text);
}

static inline struct checkpoint *opened(const char *path)
{
    struct checkpoint *c = NULL;
    struct err err = { 0 };

    if (checkpoint_open(&c, path, &err))
        fail_msg("%s", err.text);
    return c;
}

static inline struct model_weights widened(const struct checkpoint *c)
{
    struct model_weights w;

    assert_int_equal(checkpoint_widen(c, &w, NULL), 0);
    return w;
}

static inline void assert_same_conf(const struct model_conf *a, const struct model_conf *b)
{
    assert_int_equal(a->layers, b->layers);
    assert_int_equal(a->dim, b->dim);
    assert_int_equal(a->heads, b->heads);
    assert_int_equal(a->kv_heads, b->kv_heads);
    assert_int_equal(a->head_dim, b->head_dim);
    assert_int_equal(a->hidden, b->hidden);
    assert_int_equal(a->vocab, b->vocab);
    assert_int_equal(a->positions, b->positions);
    assert_int_equal(a->tied, b->tied);
    assert_int_equal(a->qkv_bias, b->qkv_bias);
    assert_int_equal(a->o_bias, b->o_bias);
    assert_int_equal(a->mlp_bias, b->mlp_bias);
    assert_int_equal(a->bos, b->bos);
    assert_int_equal(a->eos_len, b->eos_len);
    assert_memory_equal(a->eos, b->eos, a->eos_len * sizeof(*a->eos));
    assert_memory_equal(&a->rms_eps, &b->rms_eps, sizeof(float));
    assert_memory_equal(&a->rope_theta, &b->rope_theta, sizeof(float));
    assert_memory_equal(&a->rope_scaling, &b->rope_scaling, sizeof(a->rope_scaling));
}

static inline void expect_error(int rc, const struct err *err, int code, const char *part,
                                const char *what)
{
    if (rc != code || !strstr(err->text, part))
        fail_msg("%s: expected %s with '%s', got %s: %s", what, err_name(code), part, err_name(rc),
                 err->text);
}

/* checkpoint_open(PATH) must fail like this. */
static inline void refused(const char *path, int code, const char *part, const char *what)
{
    struct checkpoint *c = NULL;
    struct err err = { 0 };
    int rc = checkpoint_open(&c, path, &err);

    if (!rc)
        checkpoint_close(c);
    expect_error(rc, &err, code, part, what);
}

#endif
