/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: readers that are held do not begin to read, so that a writer can begin its log anew, and
 * nobody is held for ever. Method: a store, a connection that writes and one that reads piece by
 * piece on a thread of its own; what must have happened is looked at, never how fast. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "store/change.h"
#include "store/store.h"
#include "tests/support/folder.h"

static char folder[64], path[128];
static sqlite3 *writer, *reader;
static _Atomic unsigned pieces; /* begun */
static _Atomic bool held, leave;

static void sql(sqlite3 *db, const char *text)
{
    if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", text, sqlite3_errmsg(db));
}

static int make_store(void **state)
{
    struct store *s = NULL;
    struct err err = { 0 };

    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/drover-turns-XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/results.db", folder);
    if (store_open(&s, path, "", &err) < 0)
        fail_msg("%s", err.text);
    store_close(s);
    assert_int_equal(sqlite3_open(path, &writer), SQLITE_OK);
    assert_int_equal(sqlite3_open(path, &reader), SQLITE_OK);
    sql(writer, "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; CREATE TABLE fill(x BLOB)");
    pieces = 0;
    held = leave = false;
    return 0;
}

static int drop_store(void **state)
{
    (void)state;
    store_hold_readers(false);
    sqlite3_close(reader);
    sqlite3_close(writer);
    return folder_remove(folder);
}

static void write_much(void)
{
    sql(writer, "INSERT INTO fill VALUES(zeroblob(300000))");
}

/* What the writer does as it goes: back into the database what no reader needs in the log. */
static void write_back(void)
{
    (void)sqlite3_wal_checkpoint_v2(writer, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

/* Reads piece after piece, the next one begun before the last one ends: some reader always reads.
 */
static void *read_on(void *arg)
{
    sqlite3 *other = NULL;

    (void)arg;
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    for (sqlite3 *now = reader, *last = NULL; !leave;) {
        store_wait_turn();
        sql(now, "BEGIN; SELECT count(*) FROM fill");
        pieces++;
        if (last)
            sql(last, "COMMIT");
        last = now;
        now = now == reader ? other : reader;
        clock_sleep_ms(1);
        if (held) { /* no third one is begun, and both end before the turn */
            sql(last, "COMMIT");
            last = NULL;
        }
    }
    sqlite3_exec(reader, "COMMIT", NULL, NULL, NULL);
    sqlite3_close_v2(other);
    return NULL;
}

static void a_log_that_readers_keep_long_begins_anew_while_they_are_held(void **state)
{
    const int fd = store_log_open(path); /* open until the process ends: change.h */
    struct store_log log, after;
    uint64_t long_log = 0;
    pthread_t thread;
    bool anew = false;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(pthread_create(&thread, NULL, read_on, NULL), 0);
    while (pieces < 3)
        clock_sleep_ms(1);
    for (int i = 0; i < 20; i++) {
        const unsigned from = pieces;

        write_much();
        write_back();
        while (pieces < from + 2)
            clock_sleep_ms(1);
        store_log_read(fd, &log);
        long_log = log.bytes > long_log ? log.bytes : long_log;
    }
    /* On a busy machine a turn may be over before the log is begun anew: then hold them again. */
    for (int i = 0; i < 100 && !anew; i++) {
        held = true;
        store_hold_readers(true);
        clock_sleep_ms(20);
        const unsigned before = pieces;
        write_back();
        write_much();
        store_log_read(fd, &after);
        clock_sleep_ms(20);
        anew = after.bytes < long_log && pieces == before;
        held = false;
        store_hold_readers(false);
    }
    assert_true(anew);
    const unsigned before = pieces;
    while (pieces < before + 2) /* they go on */
        clock_sleep_ms(1);
    leave = true;
    pthread_join(thread, NULL);
}

static _Atomic bool let_go, waited;

static void *wait_one_turn(void *arg)
{
    uint64_t *ms = arg;
    const uint64_t begun = clock_ms();

    store_wait_turn();
    *ms = let_go ? UINT64_MAX : clock_ms() - begun;
    waited = true;
    return NULL;
}

static void a_held_reader_goes_on_when_it_is_let_go_or_its_turn_is_over_and_not_before(void **state)
{
    pthread_t thread;
    uint64_t ms = 0;

    (void)state;
    store_hold_readers(true);
    assert_int_equal(pthread_create(&thread, NULL, wait_one_turn, &ms), 0);
    clock_sleep_ms(100);
    let_go = true;
    store_hold_readers(false);
    pthread_join(thread, NULL);
    assert_true(waited && ms >= STORE_TURN_MS);
}

static void readers_that_somebody_forgot_to_let_go_go_on_by_themselves(void **state)
{
    uint64_t ms = 0;

    (void)state;
    let_go = waited = false;
    store_hold_readers(true);
    (void)wait_one_turn(&ms);
    assert_true(waited && ms >= STORE_TURN_MS);
    store_hold_readers(false);
}

static void nobody_waits_while_nobody_is_held(void **state)
{
    (void)state;
    store_hold_readers(true);
    store_hold_readers(false);
    for (int i = 0; i < 10000; i++) /* hours, if each waited its turn out */
        store_wait_turn();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_log_that_readers_keep_long_begins_anew_while_they_are_held, make_store, drop_store),
        cmocka_unit_test(
            a_held_reader_goes_on_when_it_is_let_go_or_its_turn_is_over_and_not_before),
        cmocka_unit_test(readers_that_somebody_forgot_to_let_go_go_on_by_themselves),
        cmocka_unit_test(nobody_waits_while_nobody_is_held),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
