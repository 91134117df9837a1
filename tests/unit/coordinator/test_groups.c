/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: results that come in one message are taken one by one: a bad one is refused alone, each is
 * acknowledged with its own code and only when all of the round is durable. Method: the real
 * coordinator in a child process; the test is a worker with many slots that answers in groups. */
#include "common/base/mem.h"
#include "tests/support/folder.h"
#include "tests/unit/coordinator/peer.h"

enum {
    JOBS = 64,
    GROUP = 8,
    BIG_LOG = 60000,
    /* More than one listing of ready jobs looks at: six workers hold them all. */
    MANY = 1500,
    WORKERS = 6,
    MORE = 10,
};

#define TEXT(S) ((char *)(uintptr_t)(S))

struct world {
    struct coordinator c;
    struct peer client, worker;
    Drover__Lease *lease[2 * JOBS]; /* a job that failed is leased again */
    size_t leases;
    int code[2 * JOBS]; /* by seq; 1: not acked */
};

/* Experiment "test" with N jobs; the same ones first, whatever N. */
static void submit_plan(struct peer *p, size_t n)
{
    static struct digest keys[MANY + MORE];
    static Drover__PlanJob job[MANY + MORE], *jobs[MANY + MORE];
    static uint32_t zero;
    Drover__Submit submit = DROVER__SUBMIT__INIT;
    Drover__Plan plan = DROVER__PLAN__INIT;
    Drover__PlanRun run = DROVER__PLAN_RUN__INIT, *runs = &run;
    struct digest d = digest_of("x", 1);

    plan.name = TEXT("test");
    plan.revision = run.digest = wire_bytes(&d);
    for (size_t i = 0; i < n; i++) {
        keys[i] = digest_of(&i, sizeof(i));
        drover__plan_job__init(&job[i]);
        job[i].key = wire_bytes(&keys[i]);
        job[i].kind = TEXT("noop");
        job[i].step = TEXT("a");
        job[i].numeric_class = TEXT("packed-1");
        job[i].runs = &zero;
        job[i].n_runs = 1;
        job[i].seed = i + 1;
        job[i].retries = 3;
        jobs[i] = &job[i];
    }
    plan.runs = &runs;
    plan.n_runs = 1;
    plan.jobs = jobs;
    plan.n_jobs = n;
    submit.plan = &plan;
    peer_send(p, DROVER__ENVELOPE__BODY_SUBMIT, &submit);
    (void)peer_take(p, DROVER__ENVELOPE__BODY_SUBMITTED);
}

static Drover__StepStatus *status(struct peer *client)
{
    Drover__StatusRequest m = DROVER__STATUS_REQUEST__INIT;
    Drover__Status *s;

    peer_send(client, DROVER__ENVELOPE__BODY_STATUS_REQUEST, &m);
    s = peer_take(client, DROVER__ENVELOPE__BODY_STATUS)->status;
    assert_int_equal(s->n_experiments, 1);
    assert_int_equal(s->experiments[0]->n_steps, 1);
    return s->experiments[0]->steps[0];
}

static void hello(struct peer *p, uint8_t id, uint32_t slots)
{
    Drover__Hello m = DROVER__HELLO__INIT;
    uint8_t worker[16] = { id };
    char *classes[] = { TEXT("packed-1") };

    m.worker = (ProtobufCBinaryData){ sizeof(worker), worker };
    m.name = TEXT("test:1");
    m.slots = slots;
    m.classes = classes;
    m.n_classes = 1;
    peer_send(p, DROVER__ENVELOPE__BODY_HELLO, &m);
    (void)peer_take(p, DROVER__ENVELOPE__BODY_WELCOME);
}

static void keep_lease(struct world *w, const Drover__Lease *l)
{
    struct buf b CLEANUP(buf_release) = { 0 };
    size_t len = drover__lease__get_packed_size(l);

    assert_true(w->leases < ARRAY_LEN(w->lease));
    (void)drover__lease__pack(l, (uint8_t *)buf_reserve(&b, len));
    w->lease[w->leases++] = drover__lease__unpack(NULL, len, (uint8_t *)b.data);
}

static void take(struct world *w, const Drover__Envelope *m)
{
    if (m->body_case == DROVER__ENVELOPE__BODY_LEASE)
        keep_lease(w, m->lease);
    for (size_t i = 0; m->body_case == DROVER__ENVELOPE__BODY_LEASES && i < m->leases->n_v; i++)
        keep_lease(w, m->leases->v[i]);
    for (size_t i = 0; m->body_case == DROVER__ENVELOPE__BODY_ACK && i < m->ack->n_seq; i++) {
        assert_true(m->ack->seq[i] < ARRAY_LEN(w->code));
        assert_int_equal(w->code[m->ack->seq[i]], 1); /* once */
        w->code[m->ack->seq[i]] = m->ack->code;
    }
}

/* Coordinator, client, a worker that holds a lease of every job. */
static void begin(struct world *w)
{
    Drover__Envelope *m;

    for (size_t i = 0; i < ARRAY_LEN(w->code); i++)
        w->code[i] = 1;
    coordinator_start(&w->c);
    peer_open(&w->client, w->c.endpoint);
    submit_plan(&w->client, JOBS);
    peer_open(&w->worker, w->c.endpoint);
    hello(&w->worker, 1, JOBS);
    while (w->leases < JOBS && (m = peer_next(&w->worker, 20000)) != NULL)
        take(w, m);
    assert_int_equal(w->leases, JOBS);
}

/* Results FIRST..FIRST + GROUP - 1 in one message, numbered by their leases. */
static void init_group(const struct world *w, size_t first, Drover__JobResult result[GROUP])
{
    for (size_t i = 0; i < GROUP; i++) {
        drover__job_result__init(&result[i]);
        result[i].attempt = w->lease[first + i]->attempt;
        result[i].epoch = w->lease[first + i]->epoch;
        result[i].job = w->lease[first + i]->job;
        result[i].seq = first + i;
    }
}

static void send_group(struct world *w, Drover__JobResult *result, size_t n)
{
    Drover__JobResults m = DROVER__JOB_RESULTS__INIT;
    Drover__JobResult *v[2 * JOBS];

    for (size_t i = 0; i < n; i++)
        v[i] = &result[i];
    m.v = v;
    m.n_v = n;
    peer_send(&w->worker, DROVER__ENVELOPE__BODY_JOB_RESULTS, &m);
}

static void await_ack(struct world *w, size_t seq)
{
    Drover__Envelope *m;

    while (w->code[seq] == 1 && (m = peer_next(&w->worker, 20000)) != NULL)
        take(w, m);
    assert_int_not_equal(w->code[seq], 1);
}

static int set_up(void **state)
{
    static struct world w;

    w = (struct world){ .leases = 0 };
    coordinator_init(&w.c);
    *state = &w;
    return 0;
}

static void drop_leases(struct world *w)
{
    for (size_t i = 0; i < w->leases; i++)
        drover__lease__free_unpacked(w->lease[i], NULL);
    w->leases = 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    drop_leases(w);
    if (w->client.t)
        peer_close(&w->client);
    if (w->worker.t)
        peer_close(&w->worker);
    if (w->c.pid)
        (void)coordinator_end(&w->c, SIGKILL);
    folder_remove(w->c.folder);
    return 0;
}

static void all_leases_say_what_their_jobs_say(void **state)
{
    struct world *w = *state;
    bool seen[JOBS + 1] = { false };

    begin(w);
    for (size_t i = 0; i < w->leases; i++) {
        const Drover__Lease *l = w->lease[i];
        uint64_t n = l->seed - 1;
        struct digest key = digest_of(&n, sizeof(n));

        assert_in_range(l->seed, 1, JOBS);
        assert_false(seen[l->seed]);
        seen[l->seed] = true;
        assert_string_equal(l->kind, "noop");
        assert_string_equal(l->numeric_class, "packed-1");
        assert_memory_equal(l->key.data, key.b, DIGEST_BYTES);
        assert_int_equal(l->n_params + l->n_inputs + l->n_finished, 0);
    }
}

static void a_bad_result_in_a_group_is_refused_alone(void **state)
{
    struct world *w = *state;
    Drover__JobResult result[GROUP + 1];
    Drover__Output output = DROVER__OUTPUT__INIT, *outputs = &output;
    struct digest nowhere = digest_of("nowhere", 7);

    begin(w);
    init_group(w, 0, result);
    output.name = TEXT("model");
    output.digest = wire_bytes(&nowhere);
    result[2].outputs = &outputs; /* its blob was never uploaded */
    result[2].n_outputs = 1;
    result[3].attempt += 1000000; /* nobody's */
    result[5].epoch++;
    result[6].outcome = DROVER__OUTCOME__OUTCOME_FAILED;
    result[GROUP] = result[0]; /* told twice */
    result[GROUP].seq = GROUP;
    send_group(w, result, GROUP + 1);
    await_ack(w, GROUP);
    for (size_t i = 0; i < GROUP; i++)
        assert_int_equal(w->code[i], i == 3 || i == 5 ? ERR_STALE : 0);
    assert_int_equal(w->code[GROUP], ERR_STALE);
    assert_int_equal(status(&w->client)->done, 4);   /* 0, 1, 4, 7 */
    assert_int_equal(status(&w->client)->failed, 0); /* 2 and 6 are tried again */
    /* The jobs of 3 and 5 still run, and can be done. */
    init_group(w, 0, result);
    result[3].seq = GROUP + 1;
    result[5].seq = GROUP + 2;
    result[4] = result[5];
    send_group(w, result + 3, 2);
    await_ack(w, GROUP + 2);
    assert_int_equal(w->code[GROUP + 1], 0);
    assert_int_equal(w->code[GROUP + 2], 0);
    assert_int_equal(status(&w->client)->done, 6);
}

static void a_group_whose_commit_fails_acks_nothing(void **state)
{
    struct world *w = *state;
    Drover__JobResult result[JOBS];
    char *log = mem_calloc(BIG_LOG + 1, 1);
    Drover__Envelope *m;

    w->c.file_max = 1500 << 10; /* a small disk */
    begin(w);
    init_group(w, 0, result);
    send_group(w, result, GROUP);
    await_ack(w, GROUP - 1);
    for (size_t i = 0; i + GROUP <= JOBS - GROUP; i += GROUP)
        init_group(w, GROUP + i, result + i);
    memset(log, 'x', BIG_LOG); /* 56 of them do not fit */
    for (size_t i = 0; i < JOBS - GROUP; i++)
        result[i].log = log;
    send_group(w, result, JOBS - GROUP);
    while ((m = peer_next(&w->worker, 500)) != NULL || coordinator_lives(&w->c))
        if (m)
            take(w, m);
    assert_int_equal(coordinator_wait(&w->c), 1);
    for (size_t i = 0; i < JOBS; i++)
        assert_int_equal(w->code[i], i < GROUP ? 0 : 1);
    w->c.file_max = 0;
    coordinator_start(&w->c);
    peer_close(&w->client);
    peer_open(&w->client, w->c.endpoint);
    assert_int_equal(status(&w->client)->done, GROUP);
    free(log);
}

/* Leases that come to P until there are WANT, or none for some time. */
static size_t count_leases(struct peer *p, size_t want)
{
    size_t n = 0;
    Drover__Envelope *m;

    while (n < want && (m = peer_next(p, 20000)) != NULL) {
        n += m->body_case == DROVER__ENVELOPE__BODY_LEASE;
        n += m->body_case == DROVER__ENVELOPE__BODY_LEASES ? m->leases->n_v : 0;
    }
    return n;
}

static void jobs_behind_many_that_run_are_found(void **state)
{
    struct world *w = *state;
    struct peer many[WORKERS];

    coordinator_start(&w->c);
    peer_open(&w->client, w->c.endpoint);
    submit_plan(&w->client, MANY);
    for (uint8_t i = 0; i < WORKERS; i++) {
        peer_open(&many[i], w->c.endpoint);
        hello(&many[i], (uint8_t)(i + 1), MANY / WORKERS);
        assert_int_equal(count_leases(&many[i], MANY / WORKERS), MANY / WORKERS);
    }
    submit_plan(&w->client, MANY + MORE);
    peer_open(&w->worker, w->c.endpoint);
    hello(&w->worker, WORKERS + 1, MORE);
    assert_int_equal(count_leases(&w->worker, MORE), MORE);
    for (size_t i = 0; i < WORKERS; i++)
        peer_close(&many[i]);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(all_leases_say_what_their_jobs_say),
        TEST(a_bad_result_in_a_group_is_refused_alone),
        TEST(a_group_whose_commit_fails_acks_nothing),
        TEST(jobs_behind_many_that_run_are_found),
    };

    if (coordinator_asked(argc, argv))
        return coordinator_main(argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
