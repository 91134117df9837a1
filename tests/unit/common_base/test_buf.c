/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: buffers are always strings, files come and go whole, memory helpers keep their promises.
 * Method: small buffers, files in a temporary folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/mem.h"

static char folder[] = "/tmp/test-buf-XXXXXX";

static const char *path_of(struct buf *b, const char *name)
{
    buf_clear(b);
    buf_printf(b, "%s/%s", folder, name);
    return buf_str(b);
}

static void buffer_is_always_a_string(void **state)
{
    struct buf b = { 0 };
    char *s;

    (void)state;
    assert_string_equal(buf_str(&b), "");
    for (int i = 0; i < 1000; i++) {
        buf_addc(&b, 'x');
        assert_int_equal(strlen(buf_str(&b)), b.len);
    }
    buf_clear(&b);
    assert_string_equal(buf_str(&b), "");
    buf_adds(&b, "ab");
    buf_printf(&b, "%d-%s", 42, "cd");
    buf_add(&b, "\0z", 2);
    assert_int_equal(b.len, 9);
    memcpy(buf_reserve(&b, 3), "end", 3);
    b.len += 3;
    assert_memory_equal(buf_str(&b), "ab42-cd\0zend", 13);
    s = buf_detach(&b);
    assert_string_equal(s, "ab42-cd");
    assert_null(b.data);
    free(s);
    s = buf_detach(&b);
    assert_string_equal(s, "");
    free(s);
}

static void file_is_written_whole_and_read_back(void **state)
{
    struct buf p CLEANUP(buf_release) = { 0 }, b CLEANUP(buf_release) = { 0 };
    struct err err = { 0 };
    const char *path = path_of(&p, "f");
    struct stat st;

    (void)state;
    assert_int_equal(buf_write_file(path, "hello\0you", 9, &err), 0);
    assert_int_equal(buf_write_file(path, "again\0you", 9, &err), 0);
    buf_adds(&b, ">");
    assert_int_equal(buf_read_file(&b, path, 9, &err), 0);
    assert_int_equal(b.len, 10);
    assert_memory_equal(b.data, ">again\0you", 11);
    buf_adds(&p, ".tmp");
    assert_int_equal(stat(buf_str(&p), &st), -1);
}

static void reading_refuses_what_is_missing_too_long_or_a_folder(void **state)
{
    struct buf p CLEANUP(buf_release) = { 0 }, b CLEANUP(buf_release) = { 0 };
    struct err err = { 0 };

    (void)state;
    buf_adds(&b, "kept");
    assert_int_equal(buf_read_file(&b, path_of(&p, "none"), 9, &err), ERR_NOT_FOUND);
    assert_int_equal(buf_write_file(path_of(&p, "ten"), "0123456789", 10, &err), 0);
    assert_int_equal(buf_read_file(&b, path_of(&p, "ten"), 9, &err), ERR_LIMIT);
    assert_int_equal(buf_read_file(&b, folder, 9, &err), ERR_IO);
    assert_string_equal(buf_str(&b), "kept");
    assert_int_equal(b.len, 4);
    assert_int_equal(buf_read_file(&b, path_of(&p, "ten"), 10, &err), 0);
}

static void writing_into_a_missing_folder_says_so(void **state)
{
    struct buf p CLEANUP(buf_release) = { 0 };
    struct err err = { 0 };

    (void)state;
    assert_int_equal(buf_write_file(path_of(&p, "no/f"), "x", 1, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "no/f"));
}

static void memory_is_zeroed_aligned_and_checked(void **state)
{
    char *p = mem_aligned(3, 5);

    (void)state;
    assert_int_equal((uintptr_t)p % 64, 0);
    for (int i = 0; i < 64; i++)
        assert_int_equal(p[i], 0);
    free(p);
    assert_null(mem_try_aligned(SIZE_MAX, 2));
    assert_null(mem_try_aligned(1, SIZE_MAX - 10));
    p = mem_calloc(0, 8);
    assert_non_null(p);
    p = mem_realloc(p, 4, 4);
    memcpy(p, "0123456789abcde", 16);
    p = mem_realloc(p, 2, 16);
    assert_string_equal(p, "0123456789abcde");
    free(p);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    struct buf p CLEANUP(buf_release) = { 0 };

    (void)state;
    (void)unlink(path_of(&p, "f"));
    (void)unlink(path_of(&p, "ten"));
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffer_is_always_a_string),
        cmocka_unit_test(file_is_written_whole_and_read_back),
        cmocka_unit_test(reading_refuses_what_is_missing_too_long_or_a_folder),
        cmocka_unit_test(writing_into_a_missing_folder_says_so),
        cmocka_unit_test(memory_is_zeroed_aligned_and_checked),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
