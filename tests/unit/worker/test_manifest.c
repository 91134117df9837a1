/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a manifest says exactly what a folder holds, and a hostile one leads nowhere. Method:
 * folders of a few files, and a table of broken texts. */
#include "tests/unit/worker/folder.h"

#include <sys/stat.h>

#include "worker/manifest.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void folder_and_its_text_are_the_same_manifest(void **state)
{
    struct manifest m = { 0 }, back = { 0 };
    struct buf text = { 0 };
    struct err err = { 0 };

    (void)state;
    write_text(in_folder("b.json"), "{}");
    write_text(in_folder("a.bin"), "abc");
    write_text(in_folder(".hidden"), "x");
    assert_int_equal(mkdir(in_folder("sub"), 0700), 0);
    assert_int_equal(manifest_of_folder(&m, folder, NULL, &err), 0);
    assert_int_equal(m.len, 2);
    assert_string_equal(m.file[0].name, "a.bin");
    assert_int_equal(m.file[0].size_bytes, 3);
    struct digest abc = digest_of("abc", 3);
    assert_true(digest_equal(&m.file[0].digest, &abc));
    manifest_print(&m, &text);
    assert_int_equal(manifest_parse(&back, buf_str(&text), text.len, &err), 0);
    assert_int_equal(back.len, 2);
    assert_memory_equal(back.file, m.file, 2 * sizeof(*m.file));
    manifest_release(&m);
    manifest_release(&back);
    buf_release(&text);
}

static void empty_folder_is_no_model(void **state)
{
    struct manifest m = { 0 };
    (void)state;
    assert_int_equal(manifest_of_folder(&m, folder, NULL, NULL), ERR_NOT_FOUND);
    write_text(in_folder("two words"), "x");
    assert_int_equal(manifest_of_folder(&m, folder, NULL, NULL), ERR_INVALID);
}

static void broken_text_is_refused_with_its_line(void **state)
{
    static const struct {
        const char *text, *says;
    } table[] = {
        { "", "no files" },
        { "a 1 " HEX, "line 1" },
        { "a 1 " HEX "\nb 1 " HEX, "line 2" },
        { "../a 1 " HEX "\n", "line 1" },
        { "a/b 1 " HEX "\n", "line 1" },
        { ".. 1 " HEX "\n", "line 1" },
        { " 1 " HEX "\n", "line 1" },
        { "a -1 " HEX "\n", "line 1" },
        { "a  " HEX "\n", "line 1" },
        { "a 99999999999999999999 " HEX "\n", "line 1" },
        { "a 1 " HEX "0\n", "line 1" },
        { "a 1 x" HEX "\n", "line 1" },
        { "b 1 " HEX "\na 1 " HEX "\n", "out of order" },
        { "a 1 " HEX "\na 1 " HEX "\n", "out of order" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct manifest m = { 0 };
        struct err err = { 0 };
        assert_int_equal(manifest_parse(&m, table[i].text, strlen(table[i].text), &err),
                         ERR_CORRUPT);
        assert_non_null(strstr(err.text, table[i].says));
        assert_null(m.file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(folder_and_its_text_are_the_same_manifest, folder_setup,
                                        folder_teardown),
        cmocka_unit_test_setup_teardown(empty_folder_is_no_model, folder_setup, folder_teardown),
        cmocka_unit_test(broken_text_is_refused_with_its_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
