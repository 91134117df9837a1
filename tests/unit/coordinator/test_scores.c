/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what a worker says about an example's score is in the store as it was said, and the summary
 * is there when the job is acknowledged. Method: the real coordinator in a child process; the test
 * is its worker, then a reader of its store. */
#include "store/store.h"
#include "tests/support/folder.h"
#include "tests/unit/coordinator/peer.h"

enum { EXAMPLES = 2 };

#define TEXT(S) ((char *)(uintptr_t)(S))

static void submit(struct peer *p)
{
    Drover__Submit submit = DROVER__SUBMIT__INIT;
    Drover__Plan plan = DROVER__PLAN__INIT;
    Drover__PlanRun run = DROVER__PLAN_RUN__INIT, *runs = &run;
    Drover__Family family = DROVER__FAMILY__INIT, *families = &family;
    Drover__PlanJob job = DROVER__PLAN_JOB__INIT, *jobs = &job;
    Drover__StepFamily step = DROVER__STEP_FAMILY__INIT, *step_families = &step;
    struct digest d = digest_of("x", 1);
    uint32_t zero = 0;

    plan.name = TEXT("test");
    plan.revision = run.digest = family.key = job.key = wire_bytes(&d);
    step.step = job.step = TEXT("score");
    step.examples = job.end = EXAMPLES;
    run.families = &step_families;
    family.kind = job.kind = TEXT("evaluate");
    family.task = TEXT("squadv2");
    family.split = TEXT("validation");
    job.numeric_class = TEXT("packed-1");
    job.runs = job.families = &zero;
    plan.runs = &runs;
    plan.families = &families;
    plan.jobs = &jobs;
    plan.n_runs = plan.n_families = plan.n_jobs = 1;
    run.n_families = job.n_runs = job.n_families = 1;
    submit.plan = &plan;
    peer_send(p, DROVER__ENVELOPE__BODY_SUBMIT, &submit);
}

static void send_score(struct peer *p, const Drover__Lease *l, uint64_t index)
{
    Drover__ExampleResult m = DROVER__EXAMPLE_RESULT__INIT;
    Drover__Example e = DROVER__EXAMPLE__INIT;
    Drover__Score score = DROVER__SCORE__INIT;
    Drover__Value value[2], *values[2] = { &value[0], &value[1] };
    double logprob = -0.5;

    for (size_t i = 0; i < 2; i++)
        drover__value__init(&value[i]);
    value[0].name = TEXT("exact");
    value[0].value = index == 0;
    value[1].name = TEXT("f1");
    value[1].value = 0.25 + (double)index / 2;
    e.id = 1000 + index;
    e.index = index;
    e.task = TEXT("squadv2");
    e.split = TEXT("validation");
    e.subset = TEXT("Normans");
    score.answer = TEXT("in France");
    score.tokens = 30;
    score.values = values;
    score.n_values = 2;
    score.pick = index == 0 ? -1 : 3;
    score.gold = index == 0 ? 2 : -1;
    score.truncated = 12 * index;
    score.generated = 5;
    score.logprob = &logprob;
    score.n_logprob = 1;
    m.attempt = l->attempt;
    m.epoch = l->epoch;
    m.seq = ++p->seq;
    m.example = &e;
    m.score = &score;
    peer_send(p, DROVER__ENVELOPE__BODY_EXAMPLE_RESULT, &m);
    assert_int_equal(peer_ack(p), 0);
}

static int keep_text(const char *const *names, const struct store_value *v, size_t columns,
                     void *arg)
{
    (void)names;
    if (v)
        for (size_t i = 0; i < columns; i++)
            buf_printf(arg, "%s%s", i ? " " : "\n", v[i].text);
    return 0;
}

static void assert_rows(struct store *s, const char *sql, const char *expected)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    struct err err = { 0 };

    if (store_query(s, sql, NULL, keep_text, &text, &err) != 0)
        fail_msg("%s", err.text);
    assert_string_equal(buf_str(&text), expected);
}

static void a_score_is_stored_as_it_was_said(void **state)
{
    struct coordinator *c = *state;
    struct peer client, worker;
    struct store *s = NULL;
    struct err err = { 0 };
    Drover__Lease *lease CLEANUP(lease_cleanup) = NULL;

    coordinator_start(c);
    peer_open(&client, c->endpoint);
    submit(&client);
    assert_int_equal(peer_take(&client, DROVER__ENVELOPE__BODY_SUBMITTED)->submitted->added, 1);
    peer_open(&worker, c->endpoint);
    peer_hello(&worker, 1, NULL);
    (void)peer_take(&worker, DROVER__ENVELOPE__BODY_WELCOME);
    lease = peer_lease(&worker);
    for (uint64_t i = 0; i < EXAMPLES; i++)
        send_score(&worker, lease, i);
    peer_result(&worker, lease, DROVER__OUTCOME__OUTCOME_DONE, NULL, NULL);
    assert_int_equal(peer_ack(&worker), 0);
    assert_int_equal(store_open_read(&s, c->store, &err), 0);
    assert_rows(s,
                "SELECT idx, metrics, pick, gold_class, truncated, generated, subset FROM score "
                "JOIN example ON example.id = score.example ORDER BY idx",
                "\n0 {\"exact\":1.0,\"f1\":0.25}  2 0 5 Normans"
                "\n1 {\"exact\":0.0,\"f1\":0.75} 3  12 5 Normans");
    assert_rows(s, "SELECT metric, value, n, truncated FROM metric_summary ORDER BY metric",
                "\nacc 0.0 2 1\nacc_norm 0.0 2 1\nexact 0.5 2 1\nf1 0.5 2 1");
    store_close(s);
    peer_close(&worker);
    peer_close(&client);
    assert_int_equal(coordinator_end(c, SIGTERM), 0);
}

static int set_up(void **state)
{
    static struct coordinator c;

    c = (struct coordinator){ .pid = 0 };
    coordinator_init(&c);
    *state = &c;
    return 0;
}

static int tear_down(void **state)
{
    struct coordinator *c = *state;

    if (c->pid > 0)
        (void)coordinator_end(c, SIGKILL);
    return folder_remove(c->folder);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_score_is_stored_as_it_was_said, set_up, tear_down),
    };

    if (coordinator_asked(argc, argv))
        return coordinator_main(argv);
    if (coordinator_asked(argc, argv))
        return coordinator_main(argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
