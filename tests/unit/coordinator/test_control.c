/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what a client asks for (pause, resume, priority, another try, why, a report) holds from the
 * answer on. Method: the real coordinator in a child process over loopback; the test is its worker
 * and its client, message by message. */
#include "tests/support/folder.h"
#include "tests/unit/coordinator/peer.h"

#define TEXT(S) ((char *)(uintptr_t)(S))

enum { JOBS = 3 };

/* What the jobs of the next submissions ask for; nothing at the beginning of each test. */
static struct {
    uint32_t retries, cores;
    uint64_t memory_mib;
    char *label;
} asks;

struct world {
    struct coordinator c;
    struct peer client, worker;
};

static int set_up(void **state)
{
    static struct world w;

    w = (struct world){ .c.pid = 0 };
    memset(&asks, 0, sizeof(asks));
    coordinator_init(&w.c);
    coordinator_start(&w.c);
    peer_open(&w.client, w.c.endpoint);
    peer_open(&w.worker, w.c.endpoint);
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    peer_close(&w->client);
    peer_close(&w->worker);
    (void)coordinator_end(&w->c, SIGTERM);
    return folder_remove(w->c.folder);
}

/* Experiment NAME: JOBS jobs without needs, step "train", one try each. */
static void submit(struct world *w, const char *name)
{
    Drover__Submit submit = DROVER__SUBMIT__INIT;
    Drover__Plan plan = DROVER__PLAN__INIT;
    Drover__PlanRun run = DROVER__PLAN_RUN__INIT, *runs = &run;
    Drover__PlanJob job[JOBS], *jobs[JOBS];
    struct digest keys[JOBS], d = digest_of(name, strlen(name));
    uint32_t zero = 0;

    plan.name = TEXT(name);
    plan.revision = run.digest = wire_bytes(&d);
    plan.runs = &runs;
    plan.n_runs = 1;
    plan.jobs = jobs;
    plan.n_jobs = JOBS;
    for (int i = 0; i < JOBS; i++) {
        char key[64];

        (void)snprintf(key, sizeof(key), "%s %d", name, i);
        keys[i] = digest_of(key, strlen(key));
        drover__plan_job__init(&job[i]);
        job[i].key = wire_bytes(&keys[i]);
        job[i].kind = TEXT("pretrain");
        job[i].step = TEXT("train");
        job[i].numeric_class = TEXT("packed-1");
        job[i].runs = &zero;
        job[i].n_runs = 1;
        job[i].retries = asks.retries;
        job[i].cores = asks.cores;
        job[i].memory_mib = asks.memory_mib;
        job[i].labels = &asks.label;
        job[i].n_labels = asks.label != NULL;
        jobs[i] = &job[i];
    }
    submit.plan = &plan;
    peer_send(&w->client, DROVER__ENVELOPE__BODY_SUBMIT, &submit);
    (void)peer_take(&w->client, DROVER__ENVELOPE__BODY_SUBMITTED);
}

static Drover__Envelope *control(struct world *w, Drover__Control__Verb verb,
                                 const char *experiment, const char *job, int32_t priority,
                                 Drover__Envelope__BodyCase body)
{
    Drover__Control m = DROVER__CONTROL__INIT;

    m.verb = verb;
    m.experiment = TEXT(experiment);
    m.job = TEXT(job);
    m.priority = priority;
    peer_send(&w->client, DROVER__ENVELOPE__BODY_CONTROL, &m);
    return peer_take(&w->client, body);
}

static Drover__Controlled *done(struct world *w, Drover__Control__Verb verb, const char *experiment)
{
    return control(w, verb, experiment, "", 0, DROVER__ENVELOPE__BODY_CONTROLLED)->controlled;
}

static const char *why(struct world *w, const char *experiment, const char *job)
{
    return control(w, DROVER__CONTROL__VERB__WHY, experiment, job, 0,
                   DROVER__ENVELOPE__BODY_CONTROLLED)
        ->controlled->text;
}

static Drover__ExperimentStatus *status(struct world *w, const char *experiment)
{
    Drover__StatusRequest m = DROVER__STATUS_REQUEST__INIT;

    m.experiment = TEXT(experiment);
    peer_send(&w->client, DROVER__ENVELOPE__BODY_STATUS_REQUEST, &m);
    return peer_take(&w->client, DROVER__ENVELOPE__BODY_STATUS)->status->experiments[0];
}

static Drover__Lease *hello(struct world *w)
{
    peer_hello(&w->worker, 1, NULL);
    (void)peer_take(&w->worker, DROVER__ENVELOPE__BODY_WELCOME);
    return peer_lease(&w->worker);
}

static void paused_jobs_are_not_leased_and_running_ones_finish(void **state)
{
    struct world *w = *state;
    Drover__Lease *l CLEANUP(lease_cleanup) = NULL;
    Drover__ExperimentStatus *s;

    submit(w, "test");
    l = hello(w);
    assert_int_equal(done(w, DROVER__CONTROL__VERB__PAUSE, "test")->jobs, JOBS);
    s = status(w, "test");
    assert_true(s->paused);
    assert_int_equal(s->running_all, 1);
    assert_int_equal(s->running[0]->job, l->job);
    assert_string_equal(s->running[0]->step, "train");
    assert_string_equal(s->running[0]->worker, "test:1");
    peer_result(&w->worker, l, DROVER__OUTCOME__OUTCOME_DONE, NULL, NULL);
    assert_int_equal(peer_ack(&w->worker), 0);
    assert_null(peer_next(&w->worker, 200)); /* no further lease */
    assert_non_null(strstr(why(w, "", "2"), "experiment test is paused"));
    assert_int_equal(done(w, DROVER__CONTROL__VERB__RESUME, "")->jobs, JOBS - 1);
    lease_cleanup(&l);
    l = peer_lease(&w->worker);
    assert_false(status(w, "test")->paused);
}

/* A kill and a restart in between change nothing; a job that was running when it was paused is kept
 * for its worker, but not given out anew. */
static void pause_survives_a_restart(void **state)
{
    struct world *w = *state;
    Drover__Lease *l CLEANUP(lease_cleanup) = NULL;

    submit(w, "test");
    l = hello(w);
    peer_renew(&w->worker, l);
    (void)done(w, DROVER__CONTROL__VERB__PAUSE, "test");
    (void)coordinator_end(&w->c, SIGKILL);
    coordinator_start(&w->c);
    peer_close(&w->client);
    peer_open(&w->client, w->c.endpoint);
    assert_true(status(w, "test")->paused);
    assert_non_null(strstr(why(w, "", "1"), "\"rule\":\"reattach\""));
    peer_close(&w->worker);
    peer_open(&w->worker, w->c.endpoint);
    peer_hello(&w->worker, 1, NULL); /* it says that it has nothing: the job is lost */
    (void)peer_take(&w->worker, DROVER__ENVELOPE__BODY_WELCOME);
    assert_null(peer_next(&w->worker, 200));
    (void)done(w, DROVER__CONTROL__VERB__RESUME, "test");
    lease_cleanup(&l);
    l = peer_lease(&w->worker);
    assert_int_equal(l->job, 1);
}

/* For who looks every second: nothing of it is read from the store. */
static void what_runs_is_told_from_memory_alone(void **state)
{
    struct world *w = *state;
    Drover__Lease *l CLEANUP(lease_cleanup) = NULL;
    Drover__StatusRequest ask = DROVER__STATUS_REQUEST__INIT;
    const Drover__Status *s;

    ask.workers = ask.only_workers = ask.running = true;
    peer_send(&w->client, DROVER__ENVELOPE__BODY_STATUS_REQUEST, &ask);
    s = peer_take(&w->client, DROVER__ENVELOPE__BODY_STATUS)->status;
    assert_int_equal(s->running_all + s->n_running, 0);
    submit(w, "test");
    l = hello(w);
    peer_send(&w->client, DROVER__ENVELOPE__BODY_STATUS_REQUEST, &ask);
    s = peer_take(&w->client, DROVER__ENVELOPE__BODY_STATUS)->status;
    assert_int_equal(s->n_experiments, 0);
    assert_int_equal(s->n_workers, 1);
    assert_int_equal(s->running_all, 1);
    assert_int_equal(s->n_running, 1);
    assert_int_equal(s->running[0]->job, l->job);
    assert_string_equal(s->running[0]->worker, "test:1");
}

/* A worker is told by its name, once its next word comes again, and gets nothing more. */
static void a_worker_is_asked_to_leave_by_its_name(void **state)
{
    struct world *w = *state;
    Drover__Lease *l CLEANUP(lease_cleanup) = NULL;
    Drover__StatusRequest ask = DROVER__STATUS_REQUEST__INIT;
    Drover__Control m = DROVER__CONTROL__INIT;
    const Drover__Status *s;

    submit(w, "test");
    l = hello(w);
    m.verb = DROVER__CONTROL__VERB__DRAIN;
    m.worker = TEXT("test:2");
    peer_send(&w->client, DROVER__ENVELOPE__BODY_CONTROL, &m);
    assert_non_null(
        strstr(peer_take(&w->client, DROVER__ENVELOPE__BODY_REFUSE)->refuse->text, "\"test:1\""));
    m.worker = TEXT("test:1");
    peer_send(&w->client, DROVER__ENVELOPE__BODY_CONTROL, &m);
    assert_int_equal(peer_take(&w->client, DROVER__ENVELOPE__BODY_CONTROLLED)->controlled->jobs, 1);
    (void)peer_take(&w->worker, DROVER__ENVELOPE__BODY_DRAIN);
    peer_result(&w->worker, l, DROVER__OUTCOME__OUTCOME_DONE, NULL, NULL);
    assert_int_equal(peer_ack(&w->worker), 0);
    ask.workers = ask.only_workers = true;
    peer_send(&w->client, DROVER__ENVELOPE__BODY_STATUS_REQUEST, &ask);
    s = peer_take(&w->client, DROVER__ENVELOPE__BODY_STATUS)->status;
    assert_int_equal(s->n_experiments, 0);
    assert_int_equal(s->n_workers, 1);
    assert_string_equal(s->workers[0]->name, "test:1");
    assert_true(s->workers[0]->draining);
    assert_int_equal(s->workers[0]->jobs_done, 1);
    assert_int_equal(s->workers[0]->running + s->workers[0]->waiting, 0);
    assert_int_equal(s->workers[0]->n_classes, 1);
}

/* It is made while jobs run, is answered when it is whole, and holds what was committed. */
static void a_backup_is_made_where_the_coordinator_is(void **state)
{
    struct world *w = *state;
    Drover__Lease *l CLEANUP(lease_cleanup) = NULL;
    Drover__Control m = DROVER__CONTROL__INIT;
    Drover__Envelope *answer;
    char path[300];

    submit(w, "test");
    l = hello(w);
    m.verb = DROVER__CONTROL__VERB__BACKUP;
    m.path = TEXT("copy.db");
    peer_send(&w->client, DROVER__ENVELOPE__BODY_CONTROL, &m);
    assert_non_null(
        strstr(peer_take(&w->client, DROVER__ENVELOPE__BODY_REFUSE)->refuse->text, "whole path"));
    (void)snprintf(path, sizeof(path), "%s/copy.db", w->c.folder);
    m.path = path;
    m.blobs = true;
    peer_send(&w->client, DROVER__ENVELOPE__BODY_CONTROL, &m);
    do
        answer = peer_take(&w->client, DROVER__ENVELOPE__BODY_CONTROLLED);
    while (answer->controlled->unfinished);
    assert_non_null(strstr(answer->controlled->text, "checked; "));
    assert_int_equal(access(path, R_OK), 0);
    peer_send(&w->client, DROVER__ENVELOPE__BODY_CONTROL, &m);
    assert_non_null(strstr(peer_take(&w->client, DROVER__ENVELOPE__BODY_REFUSE)->refuse->text,
                           "is there already"));
    peer_result(&w->worker, l, DROVER__OUTCOME__OUTCOME_DONE, NULL, NULL);
    assert_int_equal(peer_ack(&w->worker), 0);
}

static void assert_why(struct world *w, const char *job, const char *rule, const char *text)
{
    const char *answer = why(w, "", job);
    char field[64];

    (void)snprintf(field, sizeof(field), "\"rule\":\"%s\"", rule);
    if (!strstr(answer, field) || !strstr(answer, text))
        fail_msg("expected %s, %s in: %s", rule, text, answer);
}

static void why_tells_what_no_worker_has(void **state)
{
    struct world *w = *state;

    asks.label = TEXT("gpu");
    submit(w, "labels");
    asks.label = NULL;
    asks.cores = 64;
    submit(w, "cores");
    assert_why(w, "1", "no_worker", "start one");
    peer_hello(&w->worker, 1, NULL);
    (void)peer_take(&w->worker, DROVER__ENVELOPE__BODY_WELCOME);
    assert_why(w, "1", "no_label", "gpu");
    assert_why(w, "4", "no_cores", "64 cores");
    assert_null(peer_next(&w->worker, 200));
}

/* A job that failed rests before its next try; another one runs meanwhile. */
static void why_tells_of_the_rest_after_a_failure(void **state)
{
    struct world *w = *state;
    Drover__Lease *l CLEANUP(lease_cleanup) = NULL;

    asks.retries = 3;
    submit(w, "test");
    l = hello(w);
    assert_int_equal(l->job, 1);
    peer_result(&w->worker, l, DROVER__OUTCOME__OUTCOME_FAILED, NULL, NULL);
    assert_int_equal(peer_ack(&w->worker), 0);
    lease_cleanup(&l);
    l = peer_lease(&w->worker);
    assert_int_equal(l->job, 2);
    assert_why(w, "1", "backoff", "after 1 failure and 0 losses");
    assert_why(w, "2", "running", "it runs at test:1");
    assert_why(w, "3", "no_slot", "1 are busy");
}

static void higher_priority_goes_first(void **state)
{
    struct world *w = *state;
    Drover__Lease *l CLEANUP(lease_cleanup) = NULL;

    submit(w, "first");
    submit(w, "second");
    assert_int_equal(control(w, DROVER__CONTROL__VERB__PRIORITY, "second", "", 7,
                             DROVER__ENVELOPE__BODY_CONTROLLED)
                         ->controlled->jobs,
                     JOBS);
    assert_int_equal(status(w, "second")->priority, 7);
    l = hello(w);
    assert_true(l->job > JOBS);
    /* What runs goes on; the next one is of the other experiment, which is now the higher one. */
    (void)control(w, DROVER__CONTROL__VERB__PRIORITY, "first", "", 8,
                  DROVER__ENVELOPE__BODY_CONTROLLED);
    peer_result(&w->worker, l, DROVER__OUTCOME__OUTCOME_DONE, NULL, NULL);
    assert_int_equal(peer_ack(&w->worker), 0);
    lease_cleanup(&l);
    l = peer_lease(&w->worker);
    assert_int_equal(l->job, 1);
    assert_int_equal(status(w, "first")->steps[0]->running, 1);
    assert_int_equal(status(w, "second")->steps[0]->running, 0); /* the same step's name */
}

static void failed_jobs_are_tried_again(void **state)
{
    struct world *w = *state;
    Drover__Lease *l CLEANUP(lease_cleanup) = NULL;

    submit(w, "test");
    for (int i = 0; i < JOBS; i++) {
        lease_cleanup(&l);
        l = i == 0 ? hello(w) : peer_lease(&w->worker);
        peer_result(&w->worker, l, DROVER__OUTCOME__OUTCOME_FAILED, NULL, NULL);
        assert_int_equal(peer_ack(&w->worker), 0);
    }
    assert_true(status(w, "test")->finished);
    assert_non_null(strstr(why(w, "test", ""), "3 jobs failed"));
    assert_non_null(strstr(why(w, "", "2"), "as the test says"));
    assert_int_equal(
        control(w, DROVER__CONTROL__VERB__RETRY, "", "2", 0, DROVER__ENVELOPE__BODY_CONTROLLED)
            ->controlled->jobs,
        1);
    lease_cleanup(&l);
    l = peer_lease(&w->worker);
    assert_int_equal(l->job, 2);
    assert_int_equal(done(w, DROVER__CONTROL__VERB__RETRY, "test")->jobs, JOBS - 1);
    peer_result(&w->worker, l, DROVER__OUTCOME__OUTCOME_DONE, NULL, NULL);
    assert_int_equal(peer_ack(&w->worker), 0);
    lease_cleanup(&l);
    l = peer_lease(&w->worker);
    assert_int_equal(l->job, 1);
}

static void why_tells_of_workers_and_turns(void **state)
{
    struct world *w = *state;
    Drover__Lease *l CLEANUP(lease_cleanup) = NULL;

    submit(w, "test");
    assert_non_null(strstr(why(w, "", "1"), "no worker is connected"));
    assert_non_null(strstr(why(w, "test", ""), "no worker is connected"));
    l = hello(w);
    assert_non_null(strstr(why(w, "", "1"), "it runs at test:1"));
    assert_non_null(strstr(why(w, "", "3"), "of 1 workers that offer packed-1, 1 are busy"));
    assert_non_null(strstr(why(w, "", "3"), "1 ready jobs of higher priority or age come first"));
    assert_non_null(strstr(why(w, "test", ""), "1 of the first 3 ready jobs run"));
}

static void wrong_requests_are_refused_with_what_there_is(void **state)
{
    struct world *w = *state;

    submit(w, "test");
    Drover__Refuse *r =
        control(w, DROVER__CONTROL__VERB__PAUSE, "tset", "", 0, DROVER__ENVELOPE__BODY_REFUSE)
            ->refuse;
    assert_int_equal(r->code, ERR_NOT_FOUND);
    assert_non_null(strstr(r->text, "test"));
    r = control(w, DROVER__CONTROL__VERB__WHY, "", "99", 0, DROVER__ENVELOPE__BODY_REFUSE)->refuse;
    assert_int_equal(r->code, ERR_NOT_FOUND);
    r = control(w, DROVER__CONTROL__VERB__PRIORITY, "test", "", 2000000000,
                DROVER__ENVELOPE__BODY_REFUSE)
            ->refuse;
    assert_int_equal(r->code, ERR_INVALID);
    r = control(w, DROVER__CONTROL__VERB__RETRY, "test", "nonsense", 0,
                DROVER__ENVELOPE__BODY_REFUSE)
            ->refuse;
    assert_int_equal(r->code, ERR_INVALID);
    assert_true(coordinator_lives(&w->c));
}

static void report_is_answered_beside_the_work(void **state)
{
    struct world *w = *state;
    Drover__Ask ask = DROVER__ASK__INIT;
    Drover__Lease *l CLEANUP(lease_cleanup) = NULL;

    submit(w, "test");
    /* A slow one first: leases and results go on meanwhile. */
    ask.what = TEXT("query");
    ask.arguments = TEXT("{\"sql\": \"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 "
                         "FROM n LIMIT 2000000) SELECT count(*) FROM n\"}");
    peer_send(&w->client, DROVER__ENVELOPE__BODY_ASK, &ask);
    l = hello(w);
    peer_result(&w->worker, l, DROVER__OUTCOME__OUTCOME_DONE, NULL, NULL);
    assert_int_equal(peer_ack(&w->worker), 0);
    assert_non_null(
        strstr(peer_take(&w->client, DROVER__ENVELOPE__BODY_ANSWER)->answer->text, "[[2000000]]"));
    ask.arguments = TEXT("{\"sql\": \"SELECT count(*) FROM job WHERE state = 'DONE'\"}");
    peer_send(&w->client, DROVER__ENVELOPE__BODY_ASK, &ask);
    assert_non_null(
        strstr(peer_take(&w->client, DROVER__ENVELOPE__BODY_ANSWER)->answer->text, "[[1]]"));
    ask.what = TEXT("querry");
    peer_send(&w->client, DROVER__ENVELOPE__BODY_ASK, &ask);
    assert_non_null(
        strstr(peer_take(&w->client, DROVER__ENVELOPE__BODY_REFUSE)->refuse->text, "query"));
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(paused_jobs_are_not_leased_and_running_ones_finish),
        TEST(pause_survives_a_restart),
        TEST(why_tells_what_no_worker_has),
        TEST(why_tells_of_the_rest_after_a_failure),
        TEST(higher_priority_goes_first),
        TEST(failed_jobs_are_tried_again),
        TEST(why_tells_of_workers_and_turns),
        TEST(wrong_requests_are_refused_with_what_there_is),
        TEST(report_is_answered_beside_the_work),
        TEST(what_runs_is_told_from_memory_alone),
        TEST(a_worker_is_asked_to_leave_by_its_name),
        TEST(a_backup_is_made_where_the_coordinator_is),
    };

    if (coordinator_asked(argc, argv))
        return coordinator_main(argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
