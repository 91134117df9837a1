/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: whoever looks on learns of every commit, of a file that was replaced, is gone, is no store,
 * and of numbers that others count; the number only grows. Method: a store in a folder of its own,
 * a writer, renames; waiting until the state says so, with a limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "dashboards/lookout.h"
#include "store/change.h"
#include "store/store.h"
#include "tests/support/folder.h"

static char folder[64], path[128], away[128];
static _Atomic uint64_t others, ticks;

static uint64_t count_others(void *arg)
{
    (void)arg;
    return others;
}

static void tick(void *arg, const struct lookout_state *state)
{
    (void)arg;
    assert_true(state->change > 0);
    ticks++;
}

static const struct lookout_calls calls = { .changes = count_others,
                                            .live = count_others,
                                            .tick = tick };

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/drover-lookout-XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/results.db", folder);
    (void)snprintf(away, sizeof away, "%s/away.db", folder);
    others = 0;
    return 0;
}

static int drop_folder(void **state)
{
    (void)state;
    return folder_remove(folder);
}

static void make_store(const char *at)
{
    struct store *s = NULL;
    struct err err = { 0 };

    if (store_open(&s, at, "", &err) < 0)
        fail_msg("%s", err.text);
    store_close(s);
}

/* Until a look found something new: the state behind CHANGE. */
static struct lookout_state next(struct lookout *w, uint64_t change)
{
    struct lookout_state s = { 0 };

    for (int i = 0; i < 1000; i++) {
        lookout_state(w, &s);
        if (s.change > change)
            return s;
        clock_sleep_ms(10);
    }
    fail_msg("nothing was noticed after change %llu", (unsigned long long)change);
    return s;
}

static void every_commit_is_noticed(void **state)
{
    struct store *s = NULL;
    struct lookout *w = NULL;
    struct err err = { 0 };
    struct lookout_state before, after;

    (void)state;
    assert_int_equal(store_open(&s, path, "", &err), 0);
    assert_int_equal(lookout_start(&w, path, &calls, &err), 0);
    lookout_asked(w);
    for (int i = 0; i < 3; i++) {
        lookout_state(w, &before);
        assert_int_equal(store_begin(s, &err), 0);
        assert_int_equal(store_event(s, "incident", 0, 0, "something", &err), 0);
        assert_int_equal(store_commit(s, &err), 0);
        after = next(w, before.change);
        assert_int_equal(after.generation, 1);
        assert_int_equal(after.trouble.code, ERR_OK);
        assert_int_equal(lookout_change(w, false), after.change);
    }
    store_close(s);
    lookout_free(w);
}

static void silence_is_no_change_but_others_count(void **state)
{
    struct lookout *w = NULL;
    struct err err = { 0 };
    struct lookout_state before, after;

    (void)state;
    make_store(path);
    assert_int_equal(lookout_start(&w, path, &calls, &err), 0);
    lookout_asked(w);
    uint64_t begun = ticks;
    while (ticks < begun + 2)
        clock_sleep_ms(10);
    lookout_state(w, &before);
    begun = ticks;
    while (ticks < begun + 3)
        clock_sleep_ms(10);
    lookout_state(w, &after);
    assert_int_equal(after.change, before.change);
    others = 9;
    after = next(w, before.change);
    assert_int_equal(after.live, before.live + 1);
    assert_int_equal(lookout_change(w, true), after.change + after.live);
    others = 3; /* another coordinator, from the start: the number still grows */
    after = next(w, after.change);
    assert_int_equal(after.live, before.live + 2);
    lookout_free(w);
}

static void a_file_that_is_replaced_or_gone_is_noticed(void **state)
{
    struct lookout *w = NULL;
    struct err err = { 0 };
    struct lookout_state s;
    FILE *f;

    (void)state;
    make_store(path);
    make_store(away);
    assert_int_equal(lookout_start(&w, path, &calls, &err), 0);
    lookout_asked(w);
    lookout_state(w, &s);
    assert_int_equal(rename(away, path), 0); /* another store in its place */
    s = next(w, s.change);
    assert_int_equal(s.trouble.code, ERR_OK);
    assert_int_equal(s.generation, 2);
    assert_int_equal(rename(path, away), 0); /* none */
    s = next(w, s.change);
    assert_int_equal(s.trouble.code, ERR_NOT_FOUND);
    assert_non_null(strstr(s.trouble.text, "results.db"));
    f = fopen(path, "w"); /* no store */
    assert_non_null(f);
    assert_true(fputs("this is no database, it is a text of some length", f) >= 0);
    assert_int_equal(fclose(f), 0);
    clock_sleep_ms(2 * LOOKOUT_BUSY_MS + 100);
    lookout_state(w, &s);
    assert_int_not_equal(s.trouble.code, ERR_OK);
    assert_int_equal(rename(away, path), 0); /* back */
    s = next(w, s.change);
    assert_int_equal(s.trouble.code, ERR_OK);
    assert_int_equal(s.generation, 3);
    lookout_free(w);
}

/* The index says what the file's size says while the log grows, and goes on to say it when the log
 * begins anew in a file that stays as long. */
static void the_length_of_the_log_is_known(void **state)
{
    struct store *s = NULL;
    struct lookout *w = NULL;
    struct err err = { 0 };
    struct store_log log;
    struct stat st;
    char wal[160];
    uint64_t most = 0, first;
    bool anew = false;

    (void)state;
    (void)snprintf(wal, sizeof wal, "%s-wal", path);
    assert_int_equal(store_open(&s, path, "", &err), 0);
    assert_int_equal(lookout_start(&w, path, &calls, &err), 0);
    int fd = store_log_open(path);
    assert_true(fd >= 0);
    assert_int_equal(stat(wal, &st), 0);
    first = (uint64_t)st.st_size; /* making the store has filled it once already */
    for (int i = 0; i < 20000 && !anew; i++) {
        uint64_t before = most;

        assert_int_equal(store_begin(s, &err), 0);
        for (int k = 0; k < 20; k++)
            assert_int_equal(store_event(s, "incident", 0, 0, folder, &err), 0);
        assert_int_equal(store_commit(s, &err), 0);
        store_log_read(fd, &log);
        assert_int_equal(stat(wal, &st), 0);
        assert_true(log.bytes > 0 && log.bytes <= (uint64_t)st.st_size);
        assert_true(log.written <= log.bytes);
        anew = log.bytes < before;
        most = MAX(most, log.bytes);
        if (!anew)
            assert_true((uint64_t)st.st_size <= MAX(first, log.bytes + 65536));
    }
    assert_true(anew);
    assert_true(most > 1 << 20);
    store_close(s);
    lookout_free(w);
    assert_int_equal(close(fd), 0);
}

static void nothing_is_watched_that_cannot_be_read(void **state)
{
    struct lookout *w = NULL;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(lookout_start(&w, path, &calls, &err), ERR_NOT_FOUND);
    assert_null(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_commit_is_noticed, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(silence_is_no_change_but_others_count, make_folder,
                                        drop_folder),
        cmocka_unit_test_setup_teardown(a_file_that_is_replaced_or_gone_is_noticed, make_folder,
                                        drop_folder),
        cmocka_unit_test_setup_teardown(the_length_of_the_log_is_known, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(nothing_is_watched_that_cannot_be_read, make_folder,
                                        drop_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
