/* SPDX-License-Identifier: Apache-2.0 */
/* files.h - a scratch folder and damaged copies of files, for the tests of this folder. */
#ifndef TESTS_UNIT_WORKER_MODEL_FILES_H
#define TESTS_UNIT_WORKER_MODEL_FILES_H

#include "tests/unit/worker_model/models.h"

#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"

static char scratch[128];

static inline int make_scratch(void **state)
{
    const char *tmp = getenv("TMPDIR");

    (void)state;
    snprintf(scratch, sizeof(scratch), "%.80s/drover-model-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    return mkdtemp(scratch) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static inline int remove_scratch(void **state)
{
    (void)state;
    return nftw(scratch, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* scratch/NAME; a few results stay valid at a time. */
static inline const char *at(const char *name)
{
    static char path[4][256];
    static unsigned next;
    char *p = path[next++ % 4];

    snprintf(p, sizeof(path[0]), "%s/%s", scratch, name);
    return p;
}

static inline void put(const char *path, const void *bytes, size_t len)
{
    FILE *f = fopen(path, "wb");

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

/* A model small enough to be damaged at every byte. */
static const struct model_conf tiny =
    CONF(.layers = 2, .dim = 8, .heads = 2, .kv_heads = 1, .head_dim = 4, .hidden = 6, .vocab = 16,
         .positions = 10);

static inline void expect_error(int rc, const struct err *err, int code, const char *part,
                                const char *what)
{
    if (rc != code || !strstr(err->text, part))
        fail_msg("%s: expected %s with '%s', got %s: %s", what, err_name(code), part, err_name(rc),
                 err->text);
}

#endif
