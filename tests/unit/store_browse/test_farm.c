/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: lanes never overlap and hold every attempt of the window once; what is too much to draw
 * becomes bins with the same sum; failures that differ by numbers alone are one group, whose jobs
 * and runs are those of the store; jobs are found page by page, each once. Method: random attempts;
 * texts; a store with failures of several kinds. */
#include "tests/unit/store/small_plan.h"

#include <math.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "store/browse/failures.h"
#include "store/browse/jobs.h"
#include "store/browse/ledger.h"
#include "store/browse/timeline.h"

/* ---- timeline ---- */

static uint32_t random_state = 1;

static uint32_t any(uint32_t below)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)(random_state >> 8) * below) >> 24);
}

enum { MANY = 3000, WORKERS = 5, FROM = 100000, TO = 400000 };

static struct ledger_attempt attempts[MANY];

static struct ledger_view make_attempts(void)
{
    for (uint32_t i = 0; i < MANY; i++)
        attempts[i] = (struct ledger_attempt){ .id = i + 1,
                                               .job = i % 700 + 1,
                                               .worker = 1 + any(WORKERS),
                                               .started_ms = any(500000),
                                               .ms = any(i % 10 ? 3000 : 60000),
                                               .outcome = LEDGER_OK };
    return (struct ledger_view){ .attempt = attempts, .attempts = MANY };
}

static double busy_within(const struct ledger_attempt *a)
{
    const int64_t end = MIN(a->started_ms + a->ms, (int64_t)TO);
    const int64_t begin_at = MAX(a->started_ms, (int64_t)FROM);

    return end > begin_at ? (double)(end - begin_at) : 0;
}

static void lanes_hold_each_attempt_once_and_never_overlap(void **state)
{
    const struct ledger_view v = make_attempts();
    static bool seen[MANY + 1];
    struct timeline t;
    size_t expected = 0;

    (void)state;
    memset(seen, 0, sizeof seen);
    timeline_make(&v, NULL, 0, FROM, TO, TIMELINE_SPANS_MAX, &t);
    for (size_t i = 0; i < MANY; i++)
        expected +=
            attempts[i].started_ms < TO && attempts[i].started_ms + MAX(attempts[i].ms, 1u) > FROM;
    assert_int_equal(t.spans, expected);
    assert_int_equal(t.n, expected);
    assert_int_equal(t.workers, WORKERS);
    for (size_t k = 0; k < t.workers; k++) {
        const struct timeline_worker *w = &t.worker[k];

        assert_null(w->bin);
        for (size_t i = w->first; i < w->first + w->len; i++) {
            const struct timeline_span *s = &t.span[i];

            assert_int_equal(s->worker, w->id);
            assert_false(seen[s->attempt]);
            seen[s->attempt] = true;
            assert_true(s->lane < w->lanes);
            if (i > w->first && t.span[i - 1].lane == s->lane)
                assert_true(t.span[i - 1].end_ms <= s->start_ms + 20);
        }
    }
    timeline_release(&t);
}

static void bins_and_spans_sum_up_to_the_same(void **state)
{
    const struct ledger_view v = make_attempts();
    const double width = (double)(TO - FROM) / TIMELINE_BINS;
    double busy[WORKERS + 1] = { 0 };
    struct timeline t;
    size_t binned = 0;

    (void)state;
    for (size_t i = 0; i < MANY; i++)
        busy[attempts[i].worker] += busy_within(&attempts[i]);
    timeline_make(&v, NULL, 0, FROM, TO, 700, &t);
    assert_true(t.spans <= 700);
    for (size_t k = 0; k < t.workers; k++) {
        double sum = 0;

        assert_true(fabs(t.worker[k].busy_ms - busy[t.worker[k].id]) < 1);
        if (!t.worker[k].bin)
            continue;
        binned++;
        for (size_t i = 0; i < TIMELINE_BINS; i++)
            sum += (double)t.worker[k].bin[i] * width;
        assert_true(fabs(sum / busy[t.worker[k].id] - 1) < 1e-3);
    }
    assert_true(binned > 0 && binned < WORKERS + 1);
    timeline_release(&t);
}

static void what_runs_ends_the_window(void **state)
{
    const struct ledger_view v = { .attempts = 0 };
    const struct timeline_span open[] = {
        { .start_ms = FROM + 5, .end_ms = TO, .job = 3, .worker = 2, .outcome = LEDGER_RUNNING },
        { .start_ms = 7, .end_ms = TO, .job = 4, .worker = 2, .outcome = LEDGER_RUNNING },
    };
    struct timeline t;

    (void)state;
    timeline_make(&v, open, 2, FROM, TO, 10, &t);
    assert_int_equal(t.spans, 2);
    assert_int_equal(t.worker[0].lanes, 2);
    assert_true(fabs(t.worker[0].busy_ms - (2.0 * (TO - FROM) - 5)) < 0.5);
    timeline_release(&t);
    timeline_make(&v, NULL, 0, FROM, TO, 10, &t);
    assert_int_equal(t.workers, 0);
    timeline_release(&t);
}

static void more_at_once_than_lanes_stay_within_them(void **state)
{
    struct ledger_view v = make_attempts();
    struct timeline t;

    (void)state;
    for (size_t i = 0; i < MANY; i++) {
        attempts[i].worker = 1;
        attempts[i].started_ms = FROM + (int64_t)i;
        attempts[i].ms = 50000;
    }
    timeline_make(&v, NULL, 0, FROM, TO, TIMELINE_SPANS_MAX, &t);
    assert_int_equal(t.worker[0].lanes, TIMELINE_LANES_MAX);
    assert_int_equal(t.worker[0].len, MANY);
    timeline_release(&t);
}

/* ---- texts ---- */

static void same(const char *a, const char *b, bool alike)
{
    struct buf x CLEANUP(buf_release) = { 0 }, y CLEANUP(buf_release) = { 0 };

    failures_blur(a, strlen(a), &x);
    failures_blur(b, strlen(b), &y);
    if ((strcmp(buf_str(&x), buf_str(&y)) == 0) != alike)
        fail_msg("\"%s\" and \"%s\": \"%s\", \"%s\"", a, b, buf_str(&x), buf_str(&y));
}

static void texts_that_differ_by_numbers_and_temporary_names_are_alike(void **state)
{
    (void)state;
    same("step 312: the loss is NaN", "step 7: the loss is NaN", true);
    same("cannot open /tmp/foo.123/x", "cannot open /tmp/bar-a9/yy.txt", true);
    same("out of memory: 15.9GiB of 16GiB", "out of memory: 3.25GiB of 8GiB", true);
    same("blob 0a1b2c3d4e5f missing", "blob ffee00112233 missing", true);
    same("at 0x7ffd1234", "at 0xdeadbeef", true);
    same("\"sh\" ended with exit code 3; its last words: no",
         "\"sh\" ended with exit code 4; its last words: no", true);
    same("data/a.jsonl:17: missing", "data/b.jsonl:17: missing", false);
    same("bad face", "bad cafe", false); /* words, not digests */
    same("lr is wrong", "clip is wrong", false);
    same("", "", true);
    same("9", "10", true);
    same("x1y", "x22y", true);
}

static void blurring_ends_whatever_the_bytes(void **state)
{
    char text[200];

    (void)state;
    for (int i = 0; i < 3000; i++) {
        struct buf out CLEANUP(buf_release) = { 0 };
        const size_t len = any(sizeof text);

        for (size_t k = 0; k < len; k++)
            text[k] = (char)(any(3) ? "0x/tmp/ af9.:'\n"[any(15)] : (int)any(256));
        failures_blur(text, len, &out);
        assert_true(out.len <= len);
    }
}

/* ---- failures and jobs of a store ---- */

struct rig {
    struct fixture f;
    struct plan plan;
    struct ledger *l;
};

static void end_attempt(struct store *s, uint64_t job, enum store_outcome outcome, bool final,
                        const char *text, const char *log)
{
    struct store_result r;
    uint32_t skipped;
    struct try t;

    begin(s);
    t = start(s, job);
    r = result_of(t, outcome);
    r.text = text;
    r.log = log;
    OK(store_attempt_end(s, &r, final, &skipped, err));
    commit(s);
}

static int rig_up(void **state)
{
    struct rig *r = calloc(1, sizeof *r);

    scratch(&r->f);
    OK(store_open(&r->f.s, r->f.path, "", err));
    submit_plan(r->f.s, (struct plan_options){ .examples = 8, .shard = 2 }, &r->plan);
    finish(r->f.s, r->plan.base, "weights", NULL);
    end_attempt(r->f.s, r->plan.shard[0], STORE_LOST, false, "worker host-1 was not heard for 30 s",
                NULL);
    end_attempt(r->f.s, r->plan.shard[0], STORE_FAILED, true, "example 17 has no gold; fix it",
                "reading\nexample 17\n");
    end_attempt(r->f.s, r->plan.shard[1], STORE_FAILED, true, "example 4 has no gold; fix it", "");
    end_attempt(r->f.s, r->plan.shard[2], STORE_OOM, true, "9 MiB", NULL);
    OK(ledger_new_quiet(&r->l, r->f.path, err));
    OK(ledger_fill(r->l, err));
    *state = r;
    return 0;
}

static int rig_down(void **state)
{
    struct rig *r = *state;

    ledger_free(r->l);
    store_close(r->f.s);
    remove_tree(r->f.dir);
    free(r);
    return 0;
}

static int64_t integer_of(const struct json *o, const char *key)
{
    return json_integer(json_get(o, key), -1);
}

static void failures_are_gathered_by_cause_with_their_runs(void **state)
{
    struct rig *r = *state;
    struct failures f CLEANUP(failures_release) = { 0 };
    struct buf text CLEANUP(buf_release) = { 0 };
    struct jsonw w = { .to = &text };
    struct store *reader;
    struct json *d;

    const struct ledger_view *v = ledger_hold(r->l, 0);
    failures_collect(v, &v->experiment[0], &f);
    ledger_give(r->l);
    OK(store_open_read(&reader, r->f.path, err));
    jsonw_open(&w, '{');
    OK(failures_put(reader, &f, &w, err));
    jsonw_close(&w, '}');
    store_close(reader);
    OK(json_parse(buf_str(&text), text.len, &d, err));

    const struct json *groups = json_get(d, "groups");
    assert_int_equal(json_len(groups), 2);
    const struct json *first = json_at(groups, 0), *second = json_at(groups, 1);
    assert_int_equal(integer_of(first, "jobs"), 2);
    assert_int_equal(integer_of(first, "runs"), 1);
    assert_string_equal(json_text(json_get(first, "step")), "labels");
    assert_string_equal(json_text(json_get(first, "outcome")), "FAILED");
    assert_string_equal(json_text(json_get(first, "alike")), "example # has no gold; fix it");
    assert_string_equal(json_text(json_get(json_get(first, "sample"), "log_tail")),
                        "reading\nexample 17\n");
    assert_string_equal(json_text(json_get(second, "outcome")), "OOM");
    assert_non_null(json_text(json_get(second, "remedy")));
    const struct json *lost = json_get(d, "lost_causes");
    assert_int_equal(json_len(lost), 1);
    assert_int_equal(integer_of(json_at(lost, 0), "n"), 1);
    assert_int_equal(integer_of(json_get(d, "jobs"), "failed"), 3);
    assert_int_equal(integer_of(json_get(d, "jobs"), "skipped"), 1);
    json_free(d);
}

static void jobs_come_page_by_page_each_once(void **state)
{
    struct rig *r = *state;
    struct browse_pick p = { .step = -1 };
    const struct ledger_view *v = ledger_hold(r->l, 0);
    uint64_t got[2], last, matched, all = 0;
    size_t n;

    while ((n = browse_pick_jobs(v, &v->experiment[0], &p, got, 2, &matched)) > 0) {
        assert_int_equal(matched, 6);
        for (size_t i = 0; i < n; i++) {
            assert_true(got[i] > p.after);
            p.after = got[i];
            all++;
        }
    }
    assert_int_equal(all, 6);
    p = (struct browse_pick){ .step = -1, .skip = 5 };
    assert_int_equal(browse_pick_jobs(v, &v->experiment[0], &p, &last, 1, &matched), 1);
    assert_int_equal(last, got[1]);
    p.skip = 6;
    assert_int_equal(browse_pick_jobs(v, &v->experiment[0], &p, &last, 1, &matched), 0);
    assert_int_equal(matched, 6);
    p = (struct browse_pick){ .step = -1, .state = LEDGER_FAILED };
    assert_int_equal(browse_pick_jobs(v, &v->experiment[0], &p, got, 2, &matched), 2);
    assert_int_equal(matched, 3);
    p.state = LEDGER_DONE | LEDGER_DIVERGED;
    assert_int_equal(browse_pick_jobs(v, &v->experiment[0], &p, got, 2, &matched), 0);
    ledger_give(r->l);
}

static void a_job_tells_its_last_attempt_and_who_wants_it(void **state)
{
    struct rig *r = *state;
    struct buf text CLEANUP(buf_release) = { 0 };
    struct jsonw w = { .to = &text };
    struct store *reader;
    struct json *d;

    OK(store_open_read(&reader, r->f.path, err));
    OK(browse_put_job(reader, r->plan.shard[0], -1, &w, err));
    OK(json_parse(buf_str(&text), text.len, &d, err));
    assert_string_equal(json_text(json_get(d, "state")), "FAILED");
    assert_string_equal(json_text(json_get(d, "text")), "example 17 has no gold; fix it");
    assert_string_equal(json_text(json_get(d, "what")), "run 1");
    assert_int_equal(integer_of(d, "attempts"), 2);
    assert_int_equal(integer_of(d, "losses"), 1);
    assert_int_equal(json_integer(json_at(json_get(d, "runs"), 0), 0), r->plan.run);
    json_free(d);
    FAILS(ERR_NOT_FOUND, "no job 99", browse_put_job(reader, 99, -1, &w, err));
    store_close(reader);
}

#define WITH(NAME) cmocka_unit_test_setup_teardown(NAME, rig_up, rig_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lanes_hold_each_attempt_once_and_never_overlap),
        cmocka_unit_test(bins_and_spans_sum_up_to_the_same),
        cmocka_unit_test(what_runs_ends_the_window),
        cmocka_unit_test(more_at_once_than_lanes_stay_within_them),
        cmocka_unit_test(texts_that_differ_by_numbers_and_temporary_names_are_alike),
        cmocka_unit_test(blurring_ends_whatever_the_bytes),
        WITH(failures_are_gathered_by_cause_with_their_runs),
        WITH(jobs_come_page_by_page_each_once),
        WITH(a_job_tells_its_last_attempt_and_who_wants_it),
    };

    return cmocka_run_group_tests_name("store_browse.farm", tests, NULL, NULL);
}
