/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a blob is there whole or not at all, and an upload goes on where it stopped. Method: a
 * scratch folder, chunks by hand. */
#include "tests/unit/store/small_plan.h"

#include <pthread.h>

static int setup_blobs(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    scratch(f);
    *state = f;
    return 0;
}

static void put_is_found_under_its_digest(void **state)
{
    struct fixture *f = *state;
    struct blobs *b = blobs_new(f->path);
    char path[BLOBS_PATH_MAX], hex[DIGEST_HEX], out[16], expected[200];
    struct digest d, expect = digest_of("hello", 5);
    uint64_t size = 0;
    size_t n = 0;

    OK(blobs_put(b, "hello", 5, &d, err));
    OK(blobs_put(b, "hello", 5, &d, err));
    assert_true(digest_equal(&d, &expect));
    assert_true(blobs_have(b, &d, &size));
    assert_int_equal(size, 5);
    digest_hex(&d, hex);
    snprintf(expected, sizeof expected, "%s-blobs/%.2s/%s", f->path, hex, hex);
    assert_string_equal(blobs_path(b, &d, path), expected);
    OK(blobs_read(b, &d, 1, 3, out, &n, &size, err));
    assert_int_equal(n, 3);
    assert_memory_equal(out, "ell", 3);
    OK(blobs_read(b, &d, 5, 3, out, &n, &size, err));
    assert_int_equal(n, 0);
    OK(blobs_remove(b, &d, err));
    assert_false(blobs_have(b, &d, NULL));
    FAILS(ERR_NOT_FOUND, "open blob", blobs_read(b, &d, 0, 1, out, &n, &size, err));
    blobs_free(b);
}

static void upload_goes_on_after_a_restart(void **state)
{
    struct fixture *f = *state;
    struct blobs *b = blobs_new(f->path);
    struct digest d = digest_of("0123456789", 10);
    uint64_t have;
    bool complete;

    OK(blobs_write_chunk(b, &d, 10, 0, "0123", 4, &have, &complete, err));
    assert_int_equal(have, 4);
    assert_false(complete);
    assert_false(blobs_have(b, &d, NULL));
    blobs_free(b);
    b = blobs_new(f->path);
    OK(blobs_write_chunk(b, &d, 10, 0, NULL, 0, &have, &complete, err)); /* where was I? */
    assert_int_equal(have, 4);
    OK(blobs_write_chunk(b, &d, 10, 0, "0123", 4, &have, &complete, err)); /* sent again: nothing */
    assert_int_equal(have, 4);
    OK(blobs_write_chunk(b, &d, 10, 8, "89", 2, &have, &complete, err)); /* a gap: nothing */
    assert_int_equal(have, 4);
    OK(blobs_write_chunk(b, &d, 10, 4, "456789", 6, &have, &complete, err));
    assert_true(complete);
    assert_true(blobs_have(b, &d, &have));
    assert_int_equal(have, 10);
    OK(blobs_write_chunk(b, &d, 10, 0, "x", 1, &have, &complete, err)); /* there already */
    assert_true(complete);
    blobs_free(b);
}

static void upload_with_wrong_bytes_is_thrown_away(void **state)
{
    struct fixture *f = *state;
    struct blobs *b = blobs_new(f->path);
    struct digest d = digest_of("right", 5);
    uint64_t have;
    bool complete;

    FAILS(ERR_CORRUPT, "do not have this digest",
          blobs_write_chunk(b, &d, 5, 0, "wrong", 5, &have, &complete, err));
    assert_false(blobs_have(b, &d, NULL));
    OK(blobs_write_chunk(b, &d, 5, 0, "right", 5, &have, &complete, err));
    assert_true(complete);
    FAILS(ERR_INVALID, "a chunk of 6 bytes",
          blobs_write_chunk(b, &d, 5, 0, "righty", 6, &have, &complete, err));
    FAILS(ERR_INVALID, "a chunk",
          blobs_write_chunk(b, &d, 5, UINT64_MAX, "r", 1, &have, &complete, err));
    blobs_free(b);
}

static void empty_blob_is_a_blob(void **state)
{
    struct fixture *f = *state;
    struct blobs *b = blobs_new(f->path);
    struct digest d = digest_of("", 0);
    uint64_t have;
    bool complete;

    OK(blobs_write_chunk(b, &d, 0, 0, NULL, 0, &have, &complete, err));
    assert_true(complete);
    assert_true(blobs_have(b, &d, &have));
    assert_int_equal(have, 0);
    blobs_free(b);
}

static void *put_many(void *arg)
{
    for (int i = 0; i < 50; i++) {
        char text[32];
        struct digest d;

        snprintf(text, sizeof text, "blob %d", i);
        if (blobs_put(arg, text, strlen(text), &d, NULL) < 0)
            return arg;
    }
    return NULL;
}

static void threads_may_put_the_same_blobs(void **state)
{
    struct fixture *f = *state;
    struct blobs *b = blobs_new(f->path);
    struct digest last = digest_of("blob 49", 7);
    pthread_t thread[4];

    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, put_many, b), 0);
    for (int i = 0; i < 4; i++) {
        void *failed;

        pthread_join(thread[i], &failed);
        assert_null(failed);
    }
    assert_true(blobs_have(b, &last, NULL));
    blobs_free(b);
}

static void outside_file_is_found_until_it_is_gone(void **state)
{
    struct fixture *f = *state;
    struct digest d = digest_of("task", 4), revision = key_of("r");
    struct store_submission sub;
    struct store_blob blob;
    struct store *r;
    char path[128];

    OK(store_open(&f->s, f->path, "", err));
    snprintf(path, sizeof path, "%s/task.jsonl", f->dir);
    OK(buf_write_file(path, "task", 4, err));
    FAILS(ERR_NOT_FOUND, "no blob", store_blob_find(f->s, &d, &blob, err));
    OK(store_submit_begin(f->s, "e", &revision, "", "", &sub, err));
    OK(store_submit_file(f->s, &d, 4, path, false, err));
    OK(store_submit_end(f->s, &sub, NULL, err));
    OK(store_open_read(&r, f->path, err));
    OK(store_blob_find(r, &d, &blob, err));
    assert_string_equal(blob.path, path);
    assert_int_equal(blob.size_bytes, 4);
    unlink(path);
    FAILS(ERR_NOT_FOUND, "user's file", store_blob_find(r, &d, &blob, err));
    OK(blobs_put(store_blobs(f->s), "task", 4, &d, err));
    OK(store_blob_find(r, &d, &blob, err));
    assert_non_null(strstr(blob.path, "results.db-blobs/"));
    store_close(r);
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup_blobs, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(put_is_found_under_its_digest),          T(upload_goes_on_after_a_restart),
        T(upload_with_wrong_bytes_is_thrown_away), T(empty_blob_is_a_blob),
        T(threads_may_put_the_same_blobs),         T(outside_file_is_found_until_it_is_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
