/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a plan's gates and candidates are found by job, whatever their order, and bad ones are
 * refused with their place. Method: random lists against a plain count; one broken entry at a time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "common/base/rng.h"
#include "coordinator/gates.h"

enum { JOBS = 9, RUNS = 5, ENTRIES = 40 };

struct fake_plan {
    Drover__Plan plan;
    Drover__PlanJob job[JOBS], *jobs[JOBS];
    Drover__PlanRun run[RUNS], *runs[RUNS];
    Drover__Gate gate[ENTRIES], *gates[ENTRIES];
    Drover__Candidate candidate[ENTRIES], *candidates[ENTRIES];
};

/* Jobs 2 and 5 select. */
static void make(struct fake_plan *f, struct rng *r)
{
    drover__plan__init(&f->plan);
    for (size_t i = 0; i < JOBS; i++) {
        drover__plan_job__init(&f->job[i]);
        f->job[i].kind = (char *)(i == 2 || i == 5 ? "select" : "noop");
        f->jobs[i] = &f->job[i];
    }
    for (size_t i = 0; i < RUNS; i++) {
        drover__plan_run__init(&f->run[i]);
        f->runs[i] = &f->run[i];
    }
    for (size_t i = 0; i < ENTRIES; i++) {
        drover__gate__init(&f->gate[i]);
        f->gate[i].by = rng_below(r, 2) ? 2 : 5;
        f->gate[i].job = f->gate[i].by + 1 + rng_below(r, JOBS - 1 - f->gate[i].by);
        f->gate[i].run = rng_below(r, RUNS);
        f->gates[i] = &f->gate[i];
        drover__candidate__init(&f->candidate[i]);
        f->candidate[i].by = rng_below(r, 2) ? 2 : 5;
        f->candidate[i].run = rng_below(r, RUNS);
        f->candidates[i] = &f->candidate[i];
    }
    f->plan.n_jobs = JOBS;
    f->plan.jobs = f->jobs;
    f->plan.n_runs = RUNS;
    f->plan.runs = f->runs;
    f->plan.n_gates = rng_below(r, ENTRIES + 1);
    f->plan.gates = f->gates;
    f->plan.n_candidates = rng_below(r, ENTRIES + 1);
    f->plan.candidates = f->candidates;
}

static void each_job_has_its_own(void **state)
{
    struct rng r = rng_stream("test gates", 1, 0);

    (void)state;
    for (int round = 0; round < 200; round++) {
        struct fake_plan f;
        struct gates g;
        struct err err = { 0 };
        size_t gates = 0, candidates = 0;

        make(&f, &r);
        assert_int_equal(gates_of_plan(&g, &f.plan, &err), 0);
        for (size_t j = 0; j < JOBS; j++) {
            for (size_t k = 0; k < gates_len(&g.gate, j); k++)
                assert_int_equal(f.gate[g.gate.at[g.gate.begin[j] + k]].job, j);
            for (size_t k = 0; k < gates_len(&g.candidate, j); k++)
                assert_int_equal(f.candidate[g.candidate.at[g.candidate.begin[j] + k]].by, j);
            gates += gates_len(&g.gate, j);
            candidates += gates_len(&g.candidate, j);
        }
        assert_int_equal(gates, f.plan.n_gates);
        assert_int_equal(candidates, f.plan.n_candidates);
        gates_release(&g);
    }
}

static void refused(struct fake_plan *f, const char *why)
{
    struct gates g;
    struct err err = { 0 };

    assert_int_equal(gates_of_plan(&g, &f->plan, &err), ERR_INVALID);
    if (!strstr(err.text, why))
        fail_msg("\"%s\" does not say \"%s\"", err.text, why);
    gates_release(&g);
}

static void bad_entries_are_refused_with_their_place(void **state)
{
    struct rng r = rng_stream("test gates", 2, 0);
    struct fake_plan good;

    (void)state;
    make(&good, &r);
    good.plan.n_gates = good.plan.n_candidates = ENTRIES;
#define BAD(FIELD, VALUE, WHY)                                                                     \
    do {                                                                                           \
        uint32_t was = good.FIELD;                                                                 \
        good.FIELD = (VALUE);                                                                      \
        refused(&good, WHY);                                                                       \
        good.FIELD = was;                                                                          \
    } while (0)
    BAD(gate[3].run, RUNS, "plan.gates[3]: no run 5");
    BAD(gate[3].job, JOBS, "plan.gates[3]: no job 9");
    BAD(gate[0].job, 0xFFFFFFFF, "plan.gates[0]: no job");
    BAD(gate[39].by, 8, "comes before select job 8");
    BAD(gate[39].by, 0, "job 0, a noop, selects nothing");
    BAD(candidate[7].run, RUNS, "plan.candidates[7]: no run 5");
    BAD(candidate[7].by, JOBS, "plan.candidates[7]: no job 9");
    BAD(candidate[7].by, 3, "job 3, a noop, selects nothing");
#undef BAD
    struct gates g;
    assert_int_equal(gates_of_plan(&g, &good.plan, NULL), 0);
    gates_release(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_job_has_its_own),
        cmocka_unit_test(bad_entries_are_refused_with_their_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
