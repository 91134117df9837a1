/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the ledger says of every experiment what store_status() says, whatever happens to its jobs
 * and in whatever order attempts are written; and it forgets no attempt. Method: a few hundred
 * random events on small experiments that share jobs (results out of order, failures, losses,
 * cancelling, another try, submitting again), the ledger following now and then, held against the
 * store's own statements; the parts that are pure by themselves. */
#include "tests/unit/store/small_plan.h"

#include <math.h>

#include "common/base/clock.h"
#include "store/browse/ledger.h"
#include "store/browse/overview.h"
#include "store/control.h"

enum { WIDE = 6, EXPERIMENTS = 3, BEGUN_MAX = 32 };

struct rig {
    struct fixture f;
    struct ledger *l;
    struct store *reader;                /* opened once: many questions */
    struct store_begun begun[BEGUN_MAX]; /* that are not written */
    size_t begun_len;
    uint64_t next_attempt, salt;
    uint32_t state;
};

static int64_t ask(struct rig *r, const char *sql)
{
    int64_t n = -1;

    if (!r->reader)
        OK(store_open_read(&r->reader, r->f.path, err));
    OK(store_query(r->reader, sql, NULL, take_number, &n, err));
    return n;
}

static uint32_t any(struct rig *r, uint32_t below)
{
    r->state = r->state * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)(r->state >> 8) * below) >> 24);
}

static void add_job(struct store *s, struct store_submission *sub, const char *step,
                    const char *key, const uint64_t *needs, size_t needs_len, uint64_t run,
                    uint64_t *ret)
{
    struct store_job_spec spec = { .kind = strcmp(step, "a") == 0 ? "pretrain" : "noop",
                                   .numeric_class = "packed-1",
                                   .step = step,
                                   .kind_version = 1,
                                   .params = "p",
                                   .params_len = 1,
                                   .params_text = "",
                                   .retries = 5,
                                   .runs = &run,
                                   .runs_len = 1,
                                   .needs = needs,
                                   .needs_len = needs_len };

    spec.key = key_of(key);
    OK(store_submit_job(s, sub, &spec, ret, err));
}

/* a_i -> b_i, all b -> c, of RUNS runs: experiments share a_0 .. a_2. */
static void submit(struct rig *r, unsigned number, unsigned revision, unsigned runs)
{
    struct store *s = r->f.s;
    struct store_submission sub;
    char name[32], point[48];

    snprintf(name, sizeof name, "exp%u", number);
    snprintf(point, sizeof point, "rev %u %u", number, revision);
    struct digest rev = key_of(point);
    OK(store_submit_begin(s, name, &rev, "recipe", "x.cfg", &sub, err));
    for (unsigned k = 0; k < runs; k++) {
        uint64_t run, a, b[WIDE], c;

        snprintf(point, sizeof point, "point %u %u", number, k);
        struct digest digest = key_of(point);
        OK(store_submit_run(s, &sub, &digest, k, NULL, 0, &run, err));
        for (unsigned i = 0; i < WIDE; i++) {
            if (i < 3)
                snprintf(point, sizeof point, "a %u", i);
            else
                snprintf(point, sizeof point, "a %u %u %u", number, k, i);
            add_job(s, &sub, "a", point, NULL, 0, run, &a);
            snprintf(point, sizeof point, "b %u %u %u", number, k, i);
            add_job(s, &sub, "b", point, &a, 1, run, &b[i]);
        }
        snprintf(point, sizeof point, "c %u %u", number, k);
        add_job(s, &sub, "c", point, b, WIDE, run, &c);
    }
    OK(store_submit_end(s, &sub, NULL, err));
}

/* ---- the hand that works ---- */

static uint64_t some_ready(struct rig *r)
{
    char sql[256], ids[256] = "0";

    for (size_t i = 0; i < r->begun_len && strlen(ids) < 240; i++)
        snprintf(ids + strlen(ids), sizeof ids - strlen(ids), ",%d", (int)r->begun[i].job);
    snprintf(sql, sizeof sql,
             "SELECT coalesce(max(id), 0) FROM job WHERE state = 'READY' AND id %% 7 = %u AND NOT "
             "id IN (",
             any(r, 7));
    struct buf text = { 0 };
    buf_printf(&text, "%s%s)", sql, ids);
    const int64_t id = ask(r, buf_str(&text));
    buf_release(&text);
    return (uint64_t)id;
}

static void give_out(struct rig *r)
{
    const uint64_t job = some_ready(r);
    char sql[80];

    if (!job || r->begun_len == BEGUN_MAX)
        return;
    snprintf(sql, sizeof sql, "SELECT epoch FROM job WHERE id = %d", (int)job);
    r->begun[r->begun_len] = (struct store_begun){ .attempt = r->next_attempt++,
                                                   .job = job,
                                                   .epoch = (uint32_t)ask(r, sql) + 1,
                                                   .started_ms = clock_wall_ms() - any(r, 5000) };
    /* Some have something durable before their end. */
    if (any(r, 3) == 0) {
        begin(r->f.s);
        OK(store_attempt_begin(r->f.s, &r->begun[r->begun_len], err));
        commit(r->f.s);
    }
    r->begun_len++;
}

static void take_back(struct rig *r)
{
    static const enum store_outcome bad[] = { STORE_FAILED, STORE_OOM, STORE_TIMEOUT, STORE_LOST,
                                              STORE_PREEMPTED };
    struct store *s = r->f.s;
    enum store_verdict verdict;
    uint32_t skipped;

    if (!r->begun_len)
        return;
    const size_t at = any(r, (uint32_t)r->begun_len);
    const struct store_begun b = r->begun[at];
    struct store_result x = { .attempt = b.attempt, .epoch = b.epoch, .begun = &b, .wall_ms = 2 };

    r->begun[at] = r->begun[--r->begun_len];
    begin(s);
    if (any(r, 10) < 7) {
        x.outcome = any(r, 6) == 0 ? STORE_DIVERGED : STORE_DONE;
        (void)!store_job_done(s, &x, &verdict, NULL, NULL);
    } else {
        x.outcome = bad[any(r, ARRAY_LEN(bad))];
        x.text = "why";
        (void)!store_attempt_end(s, &x, x.outcome < STORE_PREEMPTED && any(r, 2), &skipped, NULL);
    }
    commit(s);
}

static void control(struct rig *r, unsigned number)
{
    struct store_ids gone = { 0 };
    char name[16];
    uint32_t jobs;

    snprintf(name, sizeof name, "exp%u", number);
    begin(r->f.s);
    switch (any(r, 4)) {
    case 0:
        OK(store_cancel(r->f.s, name, &gone, err));
        break;
    case 1:
        OK(store_control(r->f.s, &(struct store_control){ .verb = STORE_PAUSE, .experiment = name },
                         NULL, &jobs, NULL, err));
        break;
    default:
        OK(store_control(r->f.s, &(struct store_control){ .verb = STORE_RETRY, .experiment = name },
                         NULL, &jobs, NULL, err));
    }
    commit(r->f.s);
    store_ids_release(&gone);
}

/* ---- the judge ---- */

struct judge {
    const struct ledger_experiment *e;
    size_t steps;
};

static int same_step(const struct store_step_status *st, void *arg)
{
    struct judge *j = arg;
    const struct ledger_step *step = &j->e->step[j->steps++];

    assert_true(j->steps <= j->e->steps);
    assert_string_equal(st->step, step->name);
    assert_string_equal(st->kind, step->kind);
    assert_int_equal(st->jobs, step->n.jobs);
    assert_int_equal(st->done, step->n.state[LEDGER_DONE]);
    assert_int_equal(st->ready, step->n.state[LEDGER_READY]);
    assert_int_equal(st->waiting, step->n.state[LEDGER_WAITING]);
    assert_int_equal(st->failed, step->n.state[LEDGER_FAILED]);
    assert_int_equal(st->skipped, step->n.state[LEDGER_SKIPPED]);
    assert_int_equal(st->cancelled, step->n.state[LEDGER_CANCELLED]);
    assert_int_equal(st->diverged, step->n.diverged);
    assert_true(fabs(st->seconds_spent - step->seconds) < 1e-3);
    return 0;
}

static void agree(struct rig *r)
{
    const struct ledger_view *v;
    uint64_t failed = 0;
    char sql[300];

    OK(ledger_follow(r->l, err));
    v = ledger_hold(r->l, 0);
    (void)ask(r, "SELECT 1");
    for (size_t i = 0; i < v->experiments; i++) {
        struct judge j = { .e = &v->experiment[i] };

        OK(store_status(r->reader, v->experiment[i].id, same_step, &j, err));
        assert_int_equal(j.steps, v->experiment[i].steps);
        snprintf(sql, sizeof sql,
                 "SELECT count(*) FROM attempt WHERE outcome = 'FAILED' AND job IN (SELECT job "
                 "FROM run_job JOIN run ON run.id = run_job.run WHERE run.experiment = %d AND "
                 "run.superseded = 0)",
                 (int)v->experiment[i].id);
        failed = (uint64_t)ask(r, sql);
        assert_int_equal(v->experiment[i].outcome[LEDGER_FAIL], failed);
    }
    assert_int_equal(v->attempts,
                     ask(r, "SELECT count(*) FROM attempt WHERE outcome <> 'RUNNING'"));
    assert_int_equal(v->opens, ask(r, "SELECT count(*) FROM attempt WHERE outcome = 'RUNNING'"));
    ledger_give(r->l);
}

static int rig_up(void **state)
{
    struct rig *r = calloc(1, sizeof *r);
    uint64_t n;

    scratch(&r->f);
    OK(store_open(&r->f.s, r->f.path, "", err));
    OK(store_new_incarnation(r->f.s, &n, err));
    r->next_attempt = 1;
    *state = r;
    return 0;
}

static int rig_down(void **state)
{
    struct rig *r = *state;

    ledger_free(r->l);
    store_close(r->reader);
    store_close(r->f.s);
    remove_tree(r->f.dir);
    free(r);
    return 0;
}

static void play(struct rig *r, uint32_t seed, unsigned events)
{
    unsigned revision[EXPERIMENTS] = { 0 };

    r->state = seed;
    for (unsigned i = 0; i < EXPERIMENTS; i++)
        submit(r, i, revision[i], 1 + any(r, 3));
    OK(ledger_new_quiet(&r->l, r->f.path, err));
    OK(ledger_fill(r->l, err));
    for (unsigned i = 0; i < events; i++) {
        const uint32_t what = any(r, 100), e = any(r, EXPERIMENTS);

        if (what < 48)
            give_out(r);
        else if (what < 92)
            take_back(r);
        else if (what < 96)
            control(r, e);
        else
            submit(r, e, ++revision[e], 1 + any(r, 3));
        if (any(r, 4) == 0)
            agree(r);
    }
    agree(r);
}

static void agrees_with_status_whatever_happens(void **state)
{
    play(*state, 1, 150);
}

static void agrees_with_status_in_another_life(void **state)
{
    play(*state, 77, 150);
}

static void filling_late_gives_the_same_as_following(void **state)
{
    struct rig *r = *state;
    struct ledger *late;

    play(r, 5, 60);
    OK(ledger_new_quiet(&late, r->f.path, err));
    OK(ledger_fill(late, err));
    const struct ledger_view *x = ledger_hold(r->l, 0), *y = ledger_hold(late, 0);
    assert_int_equal(x->experiments, y->experiments);
    for (size_t i = 0; i < x->experiments; i++) {
        assert_memory_equal(&x->experiment[i].n, &y->experiment[i].n, sizeof x->experiment[i].n);
        assert_memory_equal(x->experiment[i].outcome, y->experiment[i].outcome,
                            sizeof x->experiment[i].outcome);
        assert_int_equal(x->experiment[i].edges, y->experiment[i].edges);
    }
    assert_int_equal(x->attempts, y->attempts);
    ledger_give(r->l);
    ledger_give(late);
    ledger_free(late);
}

/* As after a filling that failed half-way. */
static void filling_twice_counts_once(void **state)
{
    struct rig *r = *state;

    play(r, 6, 40);
    OK(ledger_fill(r->l, err));
    agree(r);
    give_out(r);
    take_back(r);
    agree(r);
}

static void edges_are_needs_counted(void **state)
{
    struct rig *r = *state;

    submit(r, 0, 0, 2);
    OK(ledger_new_quiet(&r->l, r->f.path, err));
    OK(ledger_fill(r->l, err));
    const struct ledger_view *v = ledger_hold(r->l, 0);
    const struct ledger_experiment *e = &v->experiment[0];
    assert_int_equal(e->steps, 3);
    assert_int_equal(e->edges, 2);
    assert_string_equal(e->step[e->edge[0].from].name, "a");
    assert_string_equal(e->step[e->edge[0].to].name, "b");
    assert_int_equal(e->edge[0].needs, 2 * WIDE);
    assert_string_equal(e->step[e->edge[1].from].name, "b");
    assert_string_equal(e->step[e->edge[1].to].name, "c");
    assert_int_equal(e->edge[1].needs, 2 * WIDE);
    assert_int_equal(e->n.jobs, 3 + 2 * (WIDE - 3) + 2 * WIDE + 2);
    ledger_give(r->l);
}

/* The thread follows while another one writes and a third one looks: for TSan, and that it comes to
 * the same in the end. */
static void thread_follows_a_writer(void **state)
{
    struct rig *r = *state;
    bool same = false;

    r->state = 3;
    submit(r, 0, 0, 3);
    OK(ledger_new(&r->l, r->f.path, err));
    for (unsigned i = 0; i < 80; i++) {
        if (any(r, 2))
            give_out(r);
        else
            take_back(r);
        if (i % 10 == 0) {
            const struct ledger_view *v = ledger_hold(r->l, 0);
            uint64_t sum = 0;

            for (size_t k = 0; v->experiments && k < LEDGER_STATES; k++)
                sum += v->experiment[0].n.state[k];
            if (v->experiments && v->experiment[0].ready)
                assert_int_equal(sum, v->experiment[0].n.jobs);
            ledger_give(r->l);
        }
    }
    const int64_t done = ask(r, "SELECT count(*) FROM job WHERE state = 'DONE'");
    for (int i = 0; i < 200 && !same; i++) {
        const struct ledger_view *v = ledger_hold(r->l, 100);

        same = v->experiments && v->experiment[0].ready &&
               (int64_t)v->experiment[0].n.state[LEDGER_DONE] == done;
        ledger_give(r->l);
        if (!same)
            clock_sleep_ms(50);
    }
    assert_true(same);
}

/* ---- pulse ---- */

static void pulse_keeps_every_attempt_and_every_second(void **state)
{
    struct ledger_pulse p = { 0 };
    struct rig r = { .state = 9 };
    double busy = 0, kept = 0;
    uint64_t done = 0, failed = 0, kept_done = 0, kept_failed = 0;

    (void)state;
    for (int i = 0; i < 5000; i++) {
        const int64_t start = 1000000000 + (int64_t)any(&r, 1000) * (i < 2500 ? 100 : 10000) -
                              (i > 4000 ? 500000000 : 0);
        const int64_t end = start + any(&r, 100000);
        const bool good = any(&r, 2);

        ledger_pulse_add(&p, start, end, good, !good);
        done += good;
        failed += !good;
        busy += (double)(end - start);
    }
    assert_true(p.len <= LEDGER_BUCKETS);
    for (size_t i = 0; i < p.len; i++) {
        kept_done += p.done[i];
        kept_failed += p.failed[i];
        kept += (double)p.busy_ms[i];
    }
    assert_int_equal(kept_done, done);
    assert_int_equal(kept_failed, failed);
    assert_true(fabs(kept / busy - 1) < 1e-4);
    assert_int_equal(p.bucket_ms % LEDGER_BUCKET_MS, 0);
}

static void pulse_survives_clocks_that_lie(void **state)
{
    struct ledger_pulse p = { 0 };

    (void)state;
    ledger_pulse_add(&p, 5000, 4000, true, false);
    assert_int_equal(p.len, 0);
    ledger_pulse_add(&p, 1000000, 1002000, true, false);
    ledger_pulse_add(&p, INT64_MAX - 5, INT64_MAX - 1, true, false);
    ledger_pulse_add(&p, -7, 3, true, false);
    ledger_pulse_add(&p, 1, INT64_MAX, true, false);
    assert_int_equal(p.bucket_ms, LEDGER_BUCKET_MS);
    assert_int_equal(p.len, 3);
}

static void eta_is_what_is_left_at_the_pace_since_the_last_pause(void **state)
{
    struct ledger_pulse p = { 0 };
    double low, high;

    (void)state;
    /* 60 in the first minute, ten minutes of nothing, then two a second for 200 s. */
    for (int i = 0; i < 60; i++)
        ledger_pulse_add(&p, 1000000 + 1000 * i, 1000000 + 1000 * (i + 1), true, false);
    for (int i = 0; i < 400; i++)
        ledger_pulse_add(&p, 1660000 + 500 * i, 1660000 + 500 * (i + 1), true, false);
    assert_true(browse_eta(&p, 460, 540, 1860000, &low, &high));
    assert_true(low > 170 && low <= 270);
    assert_true(high >= 270 && high < 600);
    assert_false(browse_eta(&p, 460, 1000000, 1860000, &low, &high)); /* 2 % were not seen */
    assert_false(browse_eta(&p, 460, 0, 1860000, &low, &high));
    assert_true(fabs(browse_rate(&p, 1860000) - 2) < 0.3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(agrees_with_status_whatever_happens, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(agrees_with_status_in_another_life, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(filling_late_gives_the_same_as_following, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(filling_twice_counts_once, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(edges_are_needs_counted, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(thread_follows_a_writer, rig_up, rig_down),
        cmocka_unit_test(pulse_keeps_every_attempt_and_every_second),
        cmocka_unit_test(pulse_survives_clocks_that_lie),
        cmocka_unit_test(eta_is_what_is_left_at_the_pace_since_the_last_pause),
    };

    return cmocka_run_group_tests_name("store_browse.ledger", tests, NULL, NULL);
}
