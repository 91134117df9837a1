/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a plan arrives at the coordinator as it was made, halving included. Method: a small halved
 * recipe, encoded and decoded by the wire's own rules, compared field by field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/base/buf.h"
#include "experiments/cli/client.h"

static const char recipe[] =
    "name = \"t\"; steps = ("
    "{ id = \"s1\"; job = \"noop\"; weights = (0.7, 0.3); seed = \"run\"; },"
    "{ id = \"s2\"; job = \"noop\"; model = \"s1\"; stage = 2; },"
    "{ id = \"x\"; job = \"noop\"; when = \"s1.gamma > 0.2\"; } );"
    "sweep = ( { set = \"s1.gamma\"; values = [0.1, 0.2, 0.3]; },"
    "          { set = \"x.stage\"; values = [1, 2]; },"
    "          { set = \"seed\"; values = [1, 2]; } );"
    "halving = { rungs = [\"s1\", \"s2\"]; measure = \"reward\"; };";

static struct plan *make_plan(void)
{
    struct recipe *r = NULL;
    struct plan *p = NULL;
    struct err err = { 0 };

    if (recipe_parse(recipe, "t.cfg", NULL, 0, &r, &err) != 0 || plan_make(r, NULL, &p, &err) != 0)
        fail_msg("%s", err.text);
    recipe_free(r);
    p->git = "abc main clean";
    return p;
}

static Drover__Envelope *send_plan(const struct plan *p)
{
    struct submission *s CLEANUP(submission_cleanup) = submission_new(p);
    struct buf bytes CLEANUP(buf_release) = { 0 };
    Drover__Envelope *e = NULL;
    struct err err = { 0 };

    if (wire_encode(&bytes, DROVER__ENVELOPE__BODY_SUBMIT, submission_message(s), 1, &err) != 0 ||
        wire_decode(bytes.data, bytes.len, &e, NULL, &err) != 0)
        fail_msg("%s", err.text);
    return e;
}

static void assert_digest(ProtobufCBinaryData is, const struct digest *expected)
{
    struct digest d = wire_digest(is);

    assert_true(digest_equal(&d, expected));
}

static void gates_candidates_and_git_arrive(void **state)
{
    struct plan *p = make_plan();
    Drover__Envelope *e CLEANUP(wire_cleanup) = send_plan(p);
    const Drover__Plan *m = e->submit->plan;

    (void)state;
    assert_string_equal(m->git, "abc main clean");
    assert_digest(m->revision, &p->revision);
    assert_int_equal(p->runs_len, 8); /* x.stage counts for gamma = 0.3 only */
    assert_true(p->gates_len == 8 && p->candidates_len == 8);
    assert_int_equal(m->n_gates, p->gates_len);
    for (size_t i = 0; i < p->gates_len; i++) {
        assert_int_equal(m->gates[i]->run, p->gate[i].run);
        assert_int_equal(m->gates[i]->job, p->gate[i].job);
        assert_int_equal(m->gates[i]->by, p->gate[i].by);
    }
    assert_int_equal(m->n_candidates, p->candidates_len);
    for (size_t i = 0; i < p->candidates_len; i++) {
        assert_int_equal(m->candidates[i]->run, p->candidate[i].run);
        assert_int_equal(m->candidates[i]->by, p->candidate[i].by);
        assert_digest(m->candidates[i]->candidate, &p->candidate[i].candidate);
    }
    plan_free(p);
}

static void runs_and_jobs_arrive(void **state)
{
    struct plan *p = make_plan();
    Drover__Envelope *e CLEANUP(wire_cleanup) = send_plan(p);
    const Drover__Plan *m = e->submit->plan;
    size_t lists = 0;

    (void)state;
    assert_int_equal(m->n_runs, p->runs_len);
    for (size_t i = 0; i < p->runs_len; i++) {
        const size_t len = *p->run[i].value[1] ? 2 : 1; /* none of a step that is not there */
        assert_int_equal(m->runs[i]->n_params, len);
        for (size_t k = 0; k < len; k++) {
            assert_string_equal(m->runs[i]->params[k]->name, p->run[i].name[k]);
            assert_string_equal(m->runs[i]->params[k]->value, p->run[i].value[k]);
        }
        assert_digest(m->runs[i]->digest, &p->run[i].digest);
    }
    assert_int_equal(m->n_jobs, p->jobs_len);
    for (size_t i = 0; i < p->jobs_len; i++) {
        assert_digest(m->jobs[i]->key, &p->job[i].key);
        assert_int_equal(m->jobs[i]->n_needs, p->job[i].needs.len);
        for (size_t k = 0; k < m->jobs[i]->n_params; k++) {
            const Drover__Param *v = m->jobs[i]->params[k];
            if (strcmp(v->name, "weights") != 0)
                continue;
            lists++;
            assert_int_equal(v->value_case, DROVER__PARAM__VALUE_REALS);
            assert_int_equal(v->reals->n_v, 2);
            assert_true(v->reals->v[0] == 0.7 && v->reals->v[1] == 0.3);
        }
    }
    assert_int_equal(lists, 6); /* s1: three values of gamma, two seeds */
    plan_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gates_candidates_and_git_arrive),
        cmocka_unit_test(runs_and_jobs_arrive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
