/* SPDX-License-Identifier: Apache-2.0 */
/* folder.h - a private folder for one test, and files in it. Included by the tests of this folder.
 */
#ifndef TESTS_UNIT_WORKER_FOLDER_H
#define TESTS_UNIT_WORKER_FOLDER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/digest.h"
#include "common/base/mem.h"
#include "common/base/rng.h"
#include "worker/cache.h"

static char folder[256];

static int folder_setup(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(folder, sizeof(folder), "%s/drover-test-XXXXXX", tmp ? tmp : "/tmp");
    return mkdtemp(folder) == NULL;
}

static int folder_teardown(void **state)
{
    (void)state;
    cache_remove_tree(folder);
    return 0;
}

/* FOLDER/NAME; valid until the fourth next call. */
static __attribute__((unused)) const char *in_folder(const char *name)
{
    static char path[4][512];
    static unsigned next;
    char *p = path[next++ % 4];
    (void)snprintf(p, sizeof(path[0]), "%s/%s", folder, name);
    return p;
}

static __attribute__((unused)) void write_text(const char *path, const char *text)
{
    assert_int_equal(buf_write_file(path, text, strlen(text), NULL), 0);
}

/* LEN bytes that depend on SEED; free() them. */
static __attribute__((unused)) char *some_bytes(uint64_t seed, size_t len)
{
    struct rng r = rng_stream("test", seed, 0);
    char *bytes = mem_calloc(1, len ? len : 1);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)rng_u32(&r);
    return bytes;
}

#endif
