/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what jobs make by key is made once, shared while it is used, and bounded in bytes. Method:
 * a cache folder of its own; several users in one process (locks are per open file, as they are
 * between processes); a second maker that waits in a thread; folders left half-made. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* cmocka needs those before it */
#include <cmocka.h>

#include "common/base/buf.h"
#include "tests/support/folder.h"
#include "worker/made.h"

enum { LIMIT = 1000 };

static char dir[64];

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/drover-made-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    return folder_remove(dir);
}

static struct digest key(int i)
{
    return digest_of(&i, sizeof(i));
}

static int open_key(struct made *m, int i, uint64_t bytes, bool *whole, struct err *err)
{
    const struct digest k = key(i);

    *m = (struct made){ .fd = -1 };
    return made_open(m, dir, &k, bytes, LIMIT, NULL, whole, err);
}

static void must_open(struct made *m, int i, uint64_t bytes, bool whole)
{
    bool got;
    struct err err = { 0 };

    if (open_key(m, i, bytes, &got, &err))
        fail_msg("%s", err.text);
    assert_int_equal(got, whole);
    assert_int_equal(access(m->path, F_OK), 0);
}

static void must_make(int i, uint64_t bytes)
{
    struct made m;

    must_open(&m, i, bytes, false);
    assert_int_equal(made_whole(&m, NULL), 0);
    made_close(&m);
}

static void what_is_whole_is_read_by_several(void **state)
{
    struct made a, b, c;
    char file[CACHE_PATH_MAX + 8];

    (void)state;
    must_open(&a, 1, 100, false);
    snprintf(file, sizeof(file), "%s/x", a.path);
    assert_int_equal(buf_write_file(file, "abc", 3, NULL), 0);
    assert_int_equal(made_whole(&a, NULL), 0);
    must_open(&b, 1, 100, true); /* while its maker still uses it */
    must_open(&c, 1, 100, true);
    assert_int_equal(access(file, F_OK), 0);
    made_close(&a);
    made_close(&b);
    made_close(&c);
}

static void what_was_not_finished_is_made_again(void **state)
{
    struct made m;
    char file[CACHE_PATH_MAX + 8];

    (void)state;
    must_open(&m, 1, 100, false);
    snprintf(file, sizeof(file), "%s/half", m.path);
    assert_int_equal(buf_write_file(file, "abc", 3, NULL), 0);
    made_close(&m); /* as when its process ended */
    must_open(&m, 1, 100, false);
    assert_int_not_equal(access(file, F_OK), 0);
    made_close(&m);
}

static void the_least_recently_used_make_room(void **state)
{
    struct made used, m;
    bool whole;
    struct err err = { 0 };

    (void)state;
    must_make(1, 400);
    must_make(2, 400);
    must_open(&used, 1, 400, true); /* and 1 is the more recently used one now */
    must_make(3, 400);
    must_open(&m, 3, 400, true);
    made_close(&m);
    must_open(&m, 1, 400, true);
    made_close(&m);
    /* 1 is in use: 2 and 3 may go, not 1. */
    assert_int_equal(open_key(&m, 4, 700, &whole, &err), ERR_LIMIT);
    assert_non_null(strstr(err.text, "--cache-bytes"));
    must_make(5, 600);
    must_open(&m, 1, 400, true);
    made_close(&m);
    made_close(&used);
    must_make(4, 700);
    assert_int_equal(open_key(&m, 6, LIMIT + 1, &whole, &err), ERR_LIMIT);
}

static void *make_slowly(void *arg)
{
    struct made *m = arg;

    usleep(300 * 1000);
    assert_int_equal(made_whole(m, NULL), 0);
    made_close(m);
    return NULL;
}

static void a_second_maker_waits_for_the_first(void **state)
{
    struct made a, b;
    struct progress progress = { 0 };
    const struct digest k = key(1);
    pthread_t thread;
    bool whole = false;
    struct err err = { 0 };

    (void)state;
    must_open(&a, 1, 100, false);
    assert_int_equal(pthread_create(&thread, NULL, make_slowly, &a), 0);
    b = (struct made){ .fd = -1 };
    assert_int_equal(made_open(&b, dir, &k, 100, LIMIT, &progress, &whole, &err), 0);
    assert_true(whole && atomic_load(&progress.counter) > 0);
    made_close(&b);
    assert_int_equal(pthread_join(thread, NULL), 0);
    must_open(&a, 2, 100, false);
    atomic_store(&progress.stop, true);
    const struct digest other = key(2);
    assert_int_equal(made_open(&b, dir, &other, 100, LIMIT, &progress, &whole, &err),
                     ERR_CANCELLED);
    made_close(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_whole_is_read_by_several, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(what_was_not_finished_is_made_again, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(the_least_recently_used_make_room, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_second_maker_waits_for_the_first, make_dir, remove_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
