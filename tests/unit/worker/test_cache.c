/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the cache's promises: whole blobs only, checked once per process, bounded bytes, the least
 * recently used goes first, what is in use stays, beginnings are resumed, one filler per host.
 * Method: small caches in a private folder; a second struct cache on the same folder stands for
 * another process (flock tells open files apart, not processes). */
#include "tests/unit/worker/folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"

enum { KB = 1000 };

static struct cache *open_cache(uint64_t limit_bytes)
{
    struct cache *c = NULL;
    struct err err = { 0 };
    assert_int_equal(cache_open(in_folder("cache"), limit_bytes, &c, &err), 0);
    return c;
}

static struct digest fill(struct cache *c, uint64_t seed, size_t len, struct cache_pin *pin)
{
    struct cache_fill f = { .fd = -1 };
    struct err err = { 0 };
    char *bytes = some_bytes(seed, len);
    struct digest d = digest_of(bytes, len);

    assert_int_equal(cache_fill_begin(c, &d, len, &f, &err), 0);
    assert_int_equal(cache_fill_write(&f, bytes, len, &err), 0);
    assert_int_equal(cache_fill_end(c, &f, NULL, pin, &err), 0);
    free(bytes);
    clock_sleep_ms(2); /* so that times of use differ on any file system */
    return d;
}

static struct digest fill_unused(struct cache *c, uint64_t seed, size_t len)
{
    struct cache_pin pin = { .fd = -1 };
    struct digest d = fill(c, seed, len, &pin);
    cache_unpin(&pin);
    return d;
}

static bool has(struct cache *c, const struct digest *d, size_t len)
{
    struct cache_pin pin = { .fd = -1 };
    int rc = cache_get(c, d, len, NULL, &pin, NULL);
    assert_true(rc == 0 || rc == ERR_NOT_FOUND);
    cache_unpin(&pin);
    return rc == 0;
}

static void filled_blob_is_found_by_the_next_process(void **state)
{
    (void)state;
    struct cache *c = open_cache(10 * KB);
    struct digest d = fill_unused(c, 1, 3 * KB);
    cache_close(c);
    c = open_cache(10 * KB);
    assert_true(has(c, &d, 3 * KB));
    struct digest list[4];
    assert_int_equal(cache_list(c, list, 4), 1);
    assert_true(digest_equal(&list[0], &d));
    cache_close(c);
}

static void least_recently_used_goes_first(void **state)
{
    (void)state;
    struct cache *c = open_cache(10 * KB);
    struct digest a = fill_unused(c, 1, 4 * KB);
    struct digest b = fill_unused(c, 2, 4 * KB);
    assert_true(has(c, &a, 4 * KB)); /* now b is the older one */
    clock_sleep_ms(2);
    struct digest d = fill_unused(c, 3, 4 * KB);
    assert_true(has(c, &a, 4 * KB));
    assert_false(has(c, &b, 4 * KB));
    assert_true(has(c, &d, 4 * KB));
    cache_close(c);
}

static void pinned_blob_is_not_evicted_by_another_process(void **state)
{
    (void)state;
    struct cache *mine = open_cache(10 * KB), *other = open_cache(10 * KB);
    struct cache_pin pin = { .fd = -1 };
    struct digest a = fill(mine, 1, 6 * KB, &pin);
    struct digest d = digest_of("x", 1);
    struct cache_fill f = { .fd = -1 };
    struct err err = { 0 };
    assert_int_equal(cache_fill_begin(other, &d, 6 * KB, &f, &err), ERR_LIMIT);
    assert_non_null(strstr(err.text, "--cache-bytes"));
    assert_true(has(mine, &a, 6 * KB));
    cache_unpin(&pin);
    (void)fill_unused(other, 2, 6 * KB);
    assert_false(has(mine, &a, 6 * KB));
    cache_close(mine);
    cache_close(other);
}

static void blob_larger_than_the_cache_is_refused(void **state)
{
    (void)state;
    struct cache *c = open_cache(KB);
    struct digest d = digest_of("x", 1);
    struct cache_fill f = { .fd = -1 };
    struct err err = { 0 };
    assert_int_equal(cache_fill_begin(c, &d, KB + 1, &f, &err), ERR_LIMIT);
    cache_close(c);
}

static void bytes_of_another_digest_never_become_a_blob(void **state)
{
    (void)state;
    struct cache *c = open_cache(10 * KB);
    struct digest d = digest_of("right", 5);
    struct cache_fill f = { .fd = -1 };
    struct cache_pin pin = { .fd = -1 };
    struct err err = { 0 };
    assert_int_equal(cache_fill_begin(c, &d, 5, &f, &err), 0);
    assert_int_equal(cache_fill_write(&f, "wrong", 5, &err), 0);
    assert_int_equal(cache_fill_write(&f, "!", 1, &err), ERR_PROTO);
    assert_int_equal(cache_fill_end(c, &f, NULL, &pin, &err), ERR_CORRUPT);
    assert_false(has(c, &d, 5));
    assert_int_equal(cache_fill_begin(c, &d, 5, &f, &err), 0);
    assert_int_equal(f.have, 0);
    cache_fill_abort(&f);
    cache_close(c);
}

static void damaged_blob_counts_as_absent_and_is_removed(void **state)
{
    (void)state;
    struct cache *c = open_cache(10 * KB);
    struct cache_pin pin = { .fd = -1 };
    struct digest d = fill(c, 1, KB, &pin);
    char path[CACHE_PATH_MAX];
    memcpy(path, pin.path, sizeof(path));
    cache_unpin(&pin);
    cache_close(c);
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, "?", 1, 500), 1);
    close(fd);
    c = open_cache(10 * KB);
    assert_false(has(c, &d, KB));
    assert_int_equal(access(path, F_OK), -1);
    cache_close(c);
}

static void beginning_is_resumed_and_has_one_filler(void **state)
{
    (void)state;
    struct cache *c = open_cache(10 * KB);
    struct digest d = digest_of("abcdef", 6);
    struct cache_fill f = { .fd = -1 }, g = { .fd = -1 };
    struct cache_pin pin = { .fd = -1 };
    assert_int_equal(cache_fill_begin(c, &d, 6, &f, NULL), 0);
    assert_int_equal(cache_fill_write(&f, "abc", 3, NULL), 0);
    assert_int_equal(cache_fill_begin(c, &d, 6, &g, NULL), ERR_AGAIN);
    assert_int_equal(g.have, 3);
    cache_fill_abort(&f);
    assert_int_equal(cache_fill_begin(c, &d, 6, &g, NULL), 0);
    assert_int_equal(g.have, 3);
    assert_int_equal(cache_fill_write(&g, "def", 3, NULL), 0);
    assert_int_equal(cache_fill_end(c, &g, NULL, &pin, NULL), 0);
    cache_unpin(&pin);
    assert_true(has(c, &d, 6));
    cache_close(c);
}

static void offered_file_becomes_a_blob(void **state)
{
    (void)state;
    struct cache *c = open_cache(10 * KB);
    struct digest d = digest_of("output", 6), other = digest_of("else", 4);
    write_text(in_folder("file"), "output");
    cache_offer(c, in_folder("file"), &d, 6);
    cache_offer(c, in_folder("file"), &other, 4);
    assert_true(has(c, &d, 6));
    assert_false(has(c, &other, 4));
    cache_close(c);
}

static void folders_of_dead_processes_are_removed_and_of_live_ones_kept(void **state)
{
    (void)state;
    struct cache *live = open_cache(KB);
    char dead[512];
    (void)snprintf(dead, sizeof(dead), "%s", in_folder("cache/run/dead"));
    assert_int_equal(mkdir(dead, 0700), 0);
    write_text(in_folder("cache/run/dead/lock"), "");
    write_text(in_folder("cache/run/dead/rest"), "x");
    struct cache *next = open_cache(KB);
    assert_int_equal(access(dead, F_OK), -1);
    assert_int_equal(access(cache_private(live), F_OK), 0);
    cache_close(next);
    cache_close(live);
}

#define IN_FOLDER(F) cmocka_unit_test_setup_teardown(F, folder_setup, folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(filled_blob_is_found_by_the_next_process),
        IN_FOLDER(least_recently_used_goes_first),
        IN_FOLDER(pinned_blob_is_not_evicted_by_another_process),
        IN_FOLDER(blob_larger_than_the_cache_is_refused),
        IN_FOLDER(bytes_of_another_digest_never_become_a_blob),
        IN_FOLDER(damaged_blob_counts_as_absent_and_is_removed),
        IN_FOLDER(beginning_is_resumed_and_has_one_filler),
        IN_FOLDER(offered_file_becomes_a_blob),
        IN_FOLDER(folders_of_dead_processes_are_removed_and_of_live_ones_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
