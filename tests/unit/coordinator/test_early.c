/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a worker begins what was submitted while the disk still takes the submission, and whoever
 * submitted it hears of it only when the disk has: a power cut or a broken disk in between costs
 * nobody what he was promised. Method: the real coordinator in a child process whose fdatasync
 * waits and fails as the test says; a power cut is the store's files as they were before. */
#include <errno.h>
#include <sys/syscall.h>

#include "common/base/mem.h"
#include "tests/support/folder.h"
#include "tests/unit/coordinator/peer.h"

#define TEXT(S)  ((char *)(uintptr_t)(S))
#define SWITCHES "TEST_SYNC_SWITCHES"

enum { SOON_MS = 200 };

struct world {
    struct coordinator c;
    struct peer client, worker;
    Drover__Lease *lease;
};

static bool is_on(const char *name)
{
    const char *folder = getenv(SWITCHES);
    char path[128];

    if (!folder)
        return false;
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

/* In place of the C library's, for SQLite too. */
__attribute__((visibility("default"))) int fdatasync(int fd)
{
    while (is_on("hold"))
        clock_sleep_ms(1);
    if (is_on("fail")) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

static void turn(const struct world *w, const char *name, bool on)
{
    char path[128];

    (void)snprintf(path, sizeof path, "%s/%s", w->c.folder, name);
    if (on)
        assert_int_equal(buf_write_file(path, "", 0, NULL), 0);
    else
        assert_int_equal(unlink(path), 0);
}

static void submit(struct peer *p, const char *name)
{
    static uint32_t zero;
    struct digest d = digest_of(name, strlen(name));
    Drover__Submit m = DROVER__SUBMIT__INIT;
    Drover__Plan plan = DROVER__PLAN__INIT;
    Drover__PlanRun run = DROVER__PLAN_RUN__INIT, *runs = &run;
    Drover__PlanJob job = DROVER__PLAN_JOB__INIT, *jobs = &job;

    plan.name = TEXT(name);
    plan.revision = run.digest = job.key = wire_bytes(&d);
    job.kind = TEXT("noop");
    job.step = TEXT("a");
    job.numeric_class = TEXT("packed-1");
    job.runs = &zero;
    job.n_runs = 1;
    plan.runs = &runs;
    plan.n_runs = 1;
    plan.jobs = &jobs;
    plan.n_jobs = 1;
    m.plan = &plan;
    peer_send(p, DROVER__ENVELOPE__BODY_SUBMIT, &m);
}

/* The one job of an experiment, from its lease to its ack. */
static void work(struct world *w)
{
    lease_cleanup(&w->lease);
    w->lease = peer_lease(&w->worker);
    peer_result(&w->worker, w->lease, DROVER__OUTCOME__OUTCOME_DONE, NULL, NULL);
    assert_int_equal(peer_ack(&w->worker), 0);
}

/* Coordinator, client, worker; all that they bring with them is on the disk, and so are the numbers
 * of the next attempts, which the first one reserves. */
static void begin(struct world *w)
{

    coordinator_start(&w->c);
    peer_open(&w->worker, w->c.endpoint);
    peer_open(&w->client, w->c.endpoint);
    peer_hello(&w->worker, 1, NULL);
    (void)peer_take(&w->worker, DROVER__ENVELOPE__BODY_WELCOME);
    submit(&w->client, "first");
    (void)peer_take(&w->client, DROVER__ENVELOPE__BODY_SUBMITTED);
    work(w);
    lease_cleanup(&w->lease);
}

static void worker_begins_while_the_disk_takes_the_submission(void **state)
{
    struct world *w = *state;

    begin(w);
    turn(w, "hold", true);
    submit(&w->client, "second");
    w->lease = peer_lease(&w->worker);
    assert_string_equal(w->lease->kind, "noop");
    assert_null(peer_next(&w->client, SOON_MS));
    peer_result(&w->worker, w->lease, DROVER__OUTCOME__OUTCOME_DONE, NULL, NULL);
    assert_null(peer_next(&w->worker, SOON_MS));
    turn(w, "hold", false);
    (void)peer_take(&w->client, DROVER__ENVELOPE__BODY_SUBMITTED);
    assert_int_equal(peer_ack(&w->worker), 0);
    assert_int_equal(coordinator_end(&w->c, SIGTERM), 0);
}

static bool log_says(const struct world *w, const char *word)
{
    struct buf b CLEANUP(buf_release) = { 0 };
    struct err err = { 0 };

    assert_int_equal(buf_read_file(&b, w->c.log, 1 << 20, &err), 0);
    return strstr(buf_str(&b), word) != NULL;
}

static void copy(const struct world *w, const char *from, const char *to)
{
    struct buf b CLEANUP(buf_release) = { 0 };
    struct err err = { 0 };
    char path[128];

    (void)snprintf(path, sizeof path, "%s/%s", w->c.folder, from);
    assert_int_equal(buf_read_file(&b, path, 64 << 20, &err), 0);
    (void)snprintf(path, sizeof path, "%s/%s", w->c.folder, to);
    assert_int_equal(buf_write_file(path, buf_str(&b), b.len, &err), 0);
}

static void
power_cut_before_that_takes_the_submission_and_the_attempt_and_nothing_else(void **state)
{
    struct world *w = *state;
    Drover__Held held = DROVER__HELD__INIT;
    Drover__Welcome *m;

    begin(w);
    copy(w, "results.db", "before");
    copy(w, "results.db-wal", "before-wal");
    turn(w, "hold", true);
    submit(&w->client, "second");
    w->lease = peer_lease(&w->worker);
    assert_int_equal(coordinator_end(&w->c, SIGKILL), -SIGKILL);
    turn(w, "hold", false);
    copy(w, "before", "results.db");
    copy(w, "before-wal", "results.db-wal");
    assert_null(peer_next(&w->client, 1)); /* it was told nothing */

    coordinator_start(&w->c);
    assert_false(log_says(w, "store_damaged")); /* nothing is missed of what was acknowledged */
    while (w->worker.disconnects == 0)
        (void)peer_next(&w->worker, 10);
    held.attempt = w->lease->attempt;
    held.epoch = w->lease->epoch;
    peer_hello(&w->worker, 1, &held);
    m = peer_take(&w->worker, DROVER__ENVELOPE__BODY_WELCOME)->welcome;
    assert_int_equal(m->n_keep, 0);
    assert_int_equal(m->n_drop, 1);
    assert_int_equal(m->drop[0]->attempt, held.attempt);

    while (w->client.disconnects == 0)
        (void)peer_next(&w->client, 10);
    submit(&w->client, "second");
    (void)peer_take(&w->client, DROVER__ENVELOPE__BODY_SUBMITTED);
    work(w);
    assert_true(w->lease->attempt != held.attempt); /* no number is given out twice */
    assert_int_equal(coordinator_end(&w->c, SIGTERM), 0);
}

static void disk_that_fails_then_ends_the_coordinator_and_nobody_is_told_it_was_taken(void **state)
{
    struct world *w = *state;

    begin(w);
    turn(w, "fail", true);
    submit(&w->client, "second");
    w->lease = peer_lease(&w->worker);
    assert_int_equal(coordinator_wait(&w->c), 1);
    assert_null(peer_next(&w->client, SOON_MS));
    assert_true(log_says(w, "event=store_failed"));
    turn(w, "fail", false);
    coordinator_start(&w->c);
    assert_false(log_says(w, "store_damaged"));
    assert_int_equal(coordinator_end(&w->c, SIGTERM), 0);
}

static int set_up(void **state)
{
    struct world *w = mem_calloc(1, sizeof(*w));

    coordinator_init(&w->c);
    assert_int_equal(setenv(SWITCHES, w->c.folder, 1), 0);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    if (w->c.pid)
        (void)coordinator_end(&w->c, SIGKILL);
    peer_close(&w->worker);
    peer_close(&w->client);
    lease_cleanup(&w->lease);
    folder_remove(w->c.folder);
    free(w);
    return 0;
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(worker_begins_while_the_disk_takes_the_submission),
        TEST(power_cut_before_that_takes_the_submission_and_the_attempt_and_nothing_else),
        TEST(disk_that_fails_then_ends_the_coordinator_and_nobody_is_told_it_was_taken),
    };

    if (coordinator_asked(argc, argv))
        return coordinator_main(argv);
    cmocka_set_test_filter(getenv("TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
