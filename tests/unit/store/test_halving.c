/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: halving's claims and jobs end where the decisions say; what a select job reads is a
 * function of the results alone. Method: the chain of halving_plan.h by hand. */
#include "tests/unit/store/halving_plan.h"

static const struct halving_options halved = { .name = "halved" };
static const struct halving_options plain = { .name = "plain", .plain = true };

/* Job states of a rung by point: first letters. */
static const char *states(struct store *s, const struct halving *h, unsigned rung, char out[16])
{
    char st[16];

    for (unsigned p = 0; p < POINTS; p++)
        out[p] = h->job[rung][p] ? state_of(s, h->job[rung][p], st)[0] : '-';
    out[POINTS] = '\0';
    return out;
}

static const char *select_state(struct store *s, const struct halving *h, unsigned rung,
                                char out[16])
{
    return state_of(s, h->select[rung], out);
}

static void run_rung(struct store *s, const struct halving *h, unsigned rung, unsigned mask,
                     struct store_ids *ready)
{
    for (unsigned p = 0; p < POINTS; p++)
        if (((mask >> candidate_at(p)) & 1) && job_at(rung, p) == p)
            end_job(s, h->job[rung][p], STORE_DONE, "model", "m", p, ready);
}

static void chosen_go_on_and_the_others_are_skipped(void **state)
{
    struct fixture *f = *state;
    struct store_ids ready = { 0 };
    struct halving h;
    char st[16];

    submit_halving(f->s, halved, &h);
    assert_int_equal(h.sub.added, 3 * POINTS - 1 + 2);
    assert_string_equal(states(f->s, &h, 0, st), "RRRRRRRR");
    assert_string_equal(states(f->s, &h, 1, st), "WWWWWWWW");
    run_rung(f->s, &h, 0, 15, &ready);
    assert_int_equal(ready.len, 1);
    assert_int_equal(ready.v[0], h.select[0]);
    ready.len = 0;
    decide(f->s, h.select[0], 5, &ready);
    assert_int_equal(ready.len, 4);
    assert_string_equal(states(f->s, &h, 1, st), "RRSSRRSS");
    assert_string_equal(states(f->s, &h, 2, st), "WWSSWWSS");
    assert_string_equal(select_state(f->s, &h, 1, st), "WAITING");
    run_rung(f->s, &h, 1, 5, NULL);
    assert_string_equal(select_state(f->s, &h, 1, st), "READY");
    decide(f->s, h.select[1], 4, NULL);
    assert_string_equal(states(f->s, &h, 2, st), "SSSSRRSS");
    run_rung(f->s, &h, 2, 4, NULL);
    assert_int_equal(number(f->path, "SELECT count(*) FROM halving WHERE step = 'halving.0' AND "
                                     "chosen = 1 AND state = 'DONE'"),
                     4);
    /* A run that is not chosen keeps its place in the tables, with claims that are dead. */
    assert_int_equal(number(f->path, "SELECT count(*) FROM run WHERE superseded = 0"), POINTS);
    assert_int_equal(number(f->path, "SELECT count(*) FROM run_job WHERE live = 0"),
                     2 * 4 + 4 + 2); /* two later rungs and halving.1 of four, rung 2 of two more */
    store_ids_release(&ready);
}

static void select_reads_values_by_candidate_and_seed(void **state)
{
    struct fixture *f = *state;
    struct buf text = { 0 }, want = { 0 };
    struct halving h;
    char hex[HALVED][DIGEST_HEX];
    unsigned order[HALVED] = { 0, 1, 2, 3 };

    submit_halving(f->s, halved, &h);
    end_job(f->s, h.job[0][7], STORE_DONE, "model", "m", 0.1, NULL);
    end_job(f->s, h.job[0][6], STORE_DONE, "model", "m", -2.5e-300, NULL);
    end_job(f->s, h.job[0][5], STORE_FAILED, "model", "m", 5, NULL);
    end_job(f->s, h.job[0][4], STORE_DIVERGED, "model", "m", 4, NULL);
    for (int p = 2; p >= 0; p--)
        end_job(f->s, h.job[0][p], STORE_DONE, "model", "m", p, NULL);
    OK(store_collect(f->s, h.select[0], &text, err));
    for (unsigned c = 0; c < HALVED; c++) {
        struct digest d = candidate_of(c);

        digest_hex(&d, hex[c]);
        for (unsigned k = c; k > 0 && strcmp(hex[order[k]], hex[order[k - 1]]) < 0; k--) {
            unsigned t = order[k];

            order[k] = order[k - 1];
            order[k - 1] = t;
        }
    }
    static const char *const values[HALVED] = { "[0,1],\"failed\":0", "[2,1],\"failed\":0",
                                                "[],\"failed\":2",
                                                "[-2.5e-300,0.10000000000000001],"
                                                "\"failed\":0" };
    for (unsigned k = 0; k < HALVED; k++)
        buf_printf(&want, "{\"candidate\":\"%s\",\"values\":%s}\n", hex[order[k]],
                   values[order[k]]);
    assert_string_equal(buf_str(&text), buf_str(&want));
    buf_release(&text);
    buf_release(&want);
}

static void failures_do_not_stop_the_selection(void **state)
{
    struct fixture *f = *state;
    struct store_ids ready = { 0 };
    struct halving h;
    char st[16];

    submit_halving(f->s, halved, &h);
    for (unsigned p = 0; p < POINTS; p++)
        if (job_at(0, p) == p)
            end_job(f->s, h.job[0][p],
                    p == 1   ? STORE_FAILED
                    : p == 4 ? STORE_DIVERGED
                             : STORE_DONE,
                    "model", "m", 1, &ready);
    assert_string_equal(select_state(f->s, &h, 0, st), "READY");
    assert_string_equal(states(f->s, &h, 1, st), "WSWSSWWW");
    decide(f->s, h.select[0], 13, NULL);
    assert_string_equal(states(f->s, &h, 1, st), "RSSSSRRR");
    run_rung(f->s, &h, 1, 8, NULL);
    end_job(f->s, h.job[1][0], STORE_FAILED, "model", "m", 1, NULL);
    assert_string_equal(select_state(f->s, &h, 1, st), "WAITING");
    end_job(f->s, h.job[1][5], STORE_FAILED, "model", "m", 1, NULL);
    assert_string_equal(select_state(f->s, &h, 1, st), "READY");
    struct buf text = { 0 };
    OK(store_collect(f->s, h.select[1], &text, err));
    struct digest out = candidate_of(1);
    char hex[DIGEST_HEX];
    assert_null(strstr(buf_str(&text), digest_hex(&out, hex))); /* left after rung 0 */
    buf_release(&text);
    store_ids_release(&ready);
}

static void submitting_again_applies_the_decision_again(void **state)
{
    struct fixture *f = *state;
    struct halving h, again;
    char st[16];

    submit_halving(f->s, halved, &h);
    run_rung(f->s, &h, 0, 15, NULL);
    decide(f->s, h.select[0], 5, NULL);
    submit_halving(f->s, halved, &again);
    assert_int_equal(again.sub.added + again.sub.restarted, 0);
    assert_int_equal(again.sub.skipped, 8);
    assert_string_equal(states(f->s, &again, 1, st), "RRSSRRSS");
    assert_string_equal(states(f->s, &again, 2, st), "WWSSWWSS");
    submit_halving(f->s, (struct halving_options){ .name = "another" }, &again);
    assert_int_equal(again.sub.skipped, 8);
    assert_string_equal(states(f->s, &again, 1, st), "RRSSRRSS");
    assert_int_equal(number(f->path, "SELECT count(*) FROM halving WHERE experiment = 'another' "
                                     "AND chosen = 1"),
                     4);
}

static void other_candidates_are_another_decision(void **state)
{
    struct halving_options fewer = { .name = "halved", .without = 2 };
    struct fixture *f = *state;
    struct halving h;
    char st[16];

    submit_halving(f->s, halved, &h);
    run_rung(f->s, &h, 0, 15, NULL);
    decide(f->s, h.select[0], 1, NULL);
    submit_halving(f->s, fewer, &h);
    assert_string_equal(select_state(f->s, &h, 0, st), "READY");
    assert_string_equal(states(f->s, &h, 1, st), "WW--WWWW");
    decide(f->s, h.select[0], 12, NULL);
    assert_string_equal(states(f->s, &h, 1, st), "SS--RRRR");
    submit_halving(f->s, halved, &h); /* the first decision holds again */
    assert_string_equal(states(f->s, &h, 1, st), "RRSSSSSS");
}

static void job_that_another_claims_without_gate_neither_waits_nor_is_skipped(void **state)
{
    struct fixture *f = *state;
    struct store_ids gone = { 0 };
    struct halving h, p;
    char st[16];

    submit_halving(f->s, halved, &h);
    run_rung(f->s, &h, 0, 15, NULL);
    submit_halving(f->s, plain, &p);
    assert_string_equal(states(f->s, &h, 1, st), "RRRRRRRR");
    begin(f->s);
    OK(store_cancel(f->s, "plain", &gone, err));
    commit(f->s);
    assert_int_equal(gone.len, POINTS); /* a scheduler that has them drops them */
    assert_string_equal(states(f->s, &h, 1, st), "WWWWWWWW");
    submit_halving(f->s, plain, &p);
    decide(f->s, h.select[0], 1, NULL);
    assert_string_equal(states(f->s, &h, 1, st), "RRRRRRRR");
    gone.len = 0;
    begin(f->s);
    OK(store_cancel(f->s, "plain", &gone, err));
    commit(f->s);
    assert_string_equal(states(f->s, &h, 1, st), "RRSSSSSS");
    assert_string_equal(states(f->s, &h, 2, st), "WWSSSSSS");
    store_ids_release(&gone);
}

static void failed_selection_skips_what_it_gates_until_it_is_submitted_again(void **state)
{
    struct fixture *f = *state;
    struct halving h;
    char st[16];

    submit_halving(f->s, halved, &h);
    run_rung(f->s, &h, 0, 15, NULL);
    end_job(f->s, h.select[0], STORE_FAILED, "", "", 0, NULL);
    assert_string_equal(states(f->s, &h, 1, st), "SSSSSSSS");
    assert_string_equal(states(f->s, &h, 2, st), "SSSSSSSS");
    assert_string_equal(select_state(f->s, &h, 1, st), "SKIPPED");
    submit_halving(f->s, halved, &h);
    assert_int_equal(h.sub.restarted, 2 * POINTS + 2);
    assert_string_equal(select_state(f->s, &h, 0, st), "READY");
    assert_string_equal(states(f->s, &h, 1, st), "WWWWWWWW");
}

static void survivors_that_are_no_candidates_are_refused(void **state)
{
    static const char *const texts[] = {
        "{\"candidate\":\"abc\"}\n",
        "x",
        "{\"candidate\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",
    };
    struct fixture *f = *state;
    struct store_output out = { .name = "survivors" };
    struct store_result r = { .outcome = STORE_DONE, .outputs = &out, .outputs_len = 1 };
    enum store_verdict verdict;
    struct halving h;
    char st[16];

    submit_halving(f->s, halved, &h);
    run_rung(f->s, &h, 0, 15, NULL);
    begin(f->s);
    struct try t = start(f->s, h.select[0]);
    r.attempt = t.attempt;
    r.epoch = t.epoch;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        OK(blobs_put(store_blobs(f->s), texts[i], strlen(texts[i]), &out.digest, err));
        out.size_bytes = strlen(texts[i]);
        FAILS(ERR_INVALID, "survivors, line 1", store_job_done(f->s, &r, &verdict, NULL, err));
    }
    r.outputs_len = 0;
    FAILS(ERR_INVALID, "survivors", store_job_done(f->s, &r, &verdict, NULL, err));
    commit(f->s);
    assert_string_equal(states(f->s, &h, 1, st), "WWWWWWWW");
    assert_string_equal(select_state(f->s, &h, 0, st), "READY");
}

/* One candidate that searches a family of four examples, and a select job behind it. */
static uint64_t submit_scored(struct store *s, const char *measure, bool ends)
{
    struct digest revision = key_of(measure), point = key_of("p"), candidate = key_of("c");
    struct store_family family = {
        .key = key_of("family"), .kind = "search", .task = "math", .split = "train", .level = 1
    };
    struct store_job_family jf = { 0 };
    struct store_candidate c = { .candidate = candidate };
    struct store_job_spec spec = { .key = key_of("shard"),
                                   .kind = "search",
                                   .step = "s",
                                   .numeric_class = "c",
                                   .params_text = "",
                                   .end = 4,
                                   .families = &jf,
                                   .families_len = 1,
                                   .runs_len = 1 };
    struct store_submission sub;
    uint64_t run, shard, job;
    char text[64];

    OK(store_submit_begin(s, "scored", &revision, "", "", &sub, err));
    OK(store_submit_run(s, &sub, &point, 1, NULL, 0, &run, err));
    OK(store_submit_family(s, &family, &jf.family, err));
    OK(store_submit_run_family(s, run, "s", jf.family, 4, err));
    spec.runs = &run;
    OK(store_submit_job(s, &sub, &spec, &shard, err));
    c.run = run;
    snprintf(text, sizeof text, "keep = 0.5\nmeasure = \"%s\"\n", measure);
    spec = (struct store_job_spec){ .key = key_of(text),
                                    .kind = "select",
                                    .step = "halving.1",
                                    .numeric_class = "c",
                                    .params_text = text,
                                    .runs = &run,
                                    .runs_len = 1,
                                    .needs = &shard,
                                    .needs_len = 1,
                                    .candidates = &c,
                                    .candidates_len = 1 };
    OK(store_submit_job(s, &sub, &spec, &job, err));
    OK(store_submit_end(s, &sub, NULL, err));
    if (ends)
        run_shard(s, shard, 0, 4, NULL);
    return job;
}

static void results_of_examples_are_measured_over_whole_families(void **state)
{
    static const struct {
        const char *measure, *values;
    } cases[] = { { "oracle", "[],\"failed\":1" },
                  { "oracle", "[0.75],\"failed\":0" },
                  { "accuracy", "[0.5],\"failed\":0" },
                  { "layers", "[4],\"failed\":0" },
                  { "f1", "[],\"failed\":1" } };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf text = { 0 };
        uint64_t job = submit_scored(f->s, cases[i].measure, i == 1);

        OK(store_collect(f->s, job, &text, err));
        if (!strstr(buf_str(&text), cases[i].values))
            fail_msg("%s: %s", cases[i].measure, buf_str(&text));
        buf_release(&text);
    }
}

static void gate_of_no_candidate_is_refused(void **state)
{
    struct fixture *f = *state;
    struct digest revision = key_of("r"), point = key_of("p");
    struct store_job_spec spec = { .key = key_of("select"),
                                   .kind = "select",
                                   .step = "s",
                                   .numeric_class = "c",
                                   .params_text = "" };
    struct store_submission sub;
    struct store_gate gate;
    uint64_t run, job;

    OK(store_submit_begin(f->s, "e", &revision, "", "", &sub, err));
    OK(store_submit_run(f->s, &sub, &point, 1, NULL, 0, &run, err));
    spec.runs = &run;
    spec.runs_len = 1;
    OK(store_submit_job(f->s, &sub, &spec, &job, err));
    gate = (struct store_gate){ run, job };
    spec = (struct store_job_spec){ .key = key_of("later"),
                                    .kind = "noop",
                                    .step = "later",
                                    .numeric_class = "c",
                                    .params_text = "",
                                    .runs = &run,
                                    .runs_len = 1,
                                    .gates = &gate,
                                    .gates_len = 1 };
    FAILS(ERR_INVALID, "no candidate", store_submit_job(f->s, &sub, &spec, &job, err));
    store_submit_abort(f->s);
    assert_int_equal(number(f->path, "SELECT count(*) FROM job"), 0);
}

/* Labels, a select step and a step that reads its paths, of an experiment NAME: their jobs. */
static void submit_static(struct store *s, const char *name, uint64_t job[3])
{
    static const char *const kinds[] = { "collect", "select", "evaluate" };
    static const char *const steps[] = { "labels", "best", "score" };
    struct digest revision = key_of(name), point = key_of("point");
    struct store_submission sub;
    uint64_t run;

    OK(store_submit_begin(s, name, &revision, "", "", &sub, err));
    OK(store_submit_run(s, &sub, &point, 1, NULL, 0, &run, err));
    for (size_t i = 0; i < 3; i++) {
        char key[64];

        snprintf(key, sizeof key, "%s %s", name, steps[i]);
        struct store_job_spec spec = { .key = key_of(key),
                                       .kind = kinds[i],
                                       .step = steps[i],
                                       .numeric_class = "c",
                                       .params_text = "",
                                       .runs = &run,
                                       .runs_len = 1,
                                       .needs = i ? &job[i - 1] : NULL,
                                       .needs_len = i ? 1 : 0 };
        OK(store_submit_job(s, &sub, &spec, &job[i], err));
    }
    OK(store_submit_end(s, &sub, NULL, err));
}

static void select_steps_wait_for_success_as_any_job_does(void **state)
{
    struct fixture *f = *state;
    struct store_ids ready = { 0 };
    uint64_t good[3], bad[3];
    char st[16];

    submit_static(f->s, "good", good);
    submit_static(f->s, "bad", bad);
    assert_string_equal(state_of(f->s, good[1], st), "WAITING");
    end_job(f->s, good[0], STORE_DONE, "labels", "m", 1, &ready);
    assert_string_equal(state_of(f->s, good[1], st), "READY");
    assert_int_equal(ready.len, 1);
    assert_int_equal(ready.v[0], good[1]);
    end_job(f->s, good[1], STORE_DONE, "paths", "m", 2, NULL); /* nobody is chosen */
    assert_string_equal(state_of(f->s, good[2], st), "READY");
    end_job(f->s, bad[0], STORE_FAILED, "labels", "m", 3, NULL);
    assert_string_equal(state_of(f->s, bad[1], st), "SKIPPED");
    assert_string_equal(state_of(f->s, bad[2], st), "SKIPPED");
    store_ids_release(&ready);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(chosen_go_on_and_the_others_are_skipped),
        TEST(select_reads_values_by_candidate_and_seed),
        TEST(failures_do_not_stop_the_selection),
        TEST(submitting_again_applies_the_decision_again),
        TEST(other_candidates_are_another_decision),
        TEST(job_that_another_claims_without_gate_neither_waits_nor_is_skipped),
        TEST(failed_selection_skips_what_it_gates_until_it_is_submitted_again),
        TEST(survivors_that_are_no_candidates_are_refused),
        TEST(results_of_examples_are_measured_over_whole_families),
        TEST(gate_of_no_candidate_is_refused),
        TEST(select_steps_wait_for_success_as_any_job_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
