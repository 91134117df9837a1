/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a model's manifest holds the tokenizer that a user means, under the name that the worker
 * knows its form by. Method: a model file with different neighbours in a folder of the test's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/macros.h"
#include "experiments/plan/outside.h"
#include "tests/support/folder.h"

static char dir[] = "/tmp/drover-outside-XXXXXX";

static int setup(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return folder_remove(dir);
}

static const char *at(const char *name)
{
    static char path[2][128];
    static size_t next;
    char *p = path[next++ % 2];

    snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
    return p;
}

static void put(const char *name, const char *text)
{
    FILE *f = fopen(at(name), "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

/* The members of MODEL with TOKENIZER must be "name=file name=file". */
static void expect_members(const char *model, const char *tokenizer, const char *want)
{
    struct outside *o = outside_new(NULL);
    struct outside_model m;
    struct buf got = { 0 };
    struct err err = { 0 };

    if (outside_model(o, at(model), tokenizer ? at(tokenizer) : NULL, &m, &err))
        fail_msg("%s", err.text);
    for (size_t i = 0; i < m.len; i++)
        buf_printf(&got, "%s%s=%s", i ? " " : "", m.member[i].name,
                   strrchr(m.member[i].path, '/') + 1);
    assert_string_equal(buf_str(&got), want);
    buf_release(&got);
    outside_model_release(&m);
    outside_free(o);
}

static void named_tokenizer_keeps_its_form(void **state)
{
    (void)state;
    put("m.bin", "weights");
    put("a.json", "{}");
    put("a.model", "pieces");
    put("a.bin", "pieces");
    expect_members("m.bin", "a.json", "model.bin=m.bin tokenizer.json=a.json");
    expect_members("m.bin", "a.model", "model.bin=m.bin tokenizer.model=a.model");
    expect_members("m.bin", "a.bin", "model.bin=m.bin tokenizer.bin=a.bin");
}

static void file_takes_the_tokenizer_beside_it(void **state)
{
    (void)state;
    put("m.bin", "weights");
    put("m.gguf", "GGUF with its own");
    expect_members("m.bin", NULL, "model.bin=m.bin");
    put("tokenizer.model", "pieces");
    expect_members("m.bin", NULL, "model.bin=m.bin tokenizer.model=tokenizer.model");
    put("tok512.bin", "pieces");
    expect_members("m.bin", NULL, "model.bin=m.bin tokenizer.bin=tok512.bin");
    expect_members("m.gguf", NULL, "model.bin=m.gguf");
    put("tok32000.bin", "pieces");
    expect_members("m.bin", NULL, "model.bin=m.bin"); /* which of the two? */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(named_tokenizer_keeps_its_form),
        cmocka_unit_test(file_takes_the_tokenizer_beside_it),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
