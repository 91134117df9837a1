/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: `drover run` starts workers on which every job of its plan may run, or says at once what is
 * missing; what a plan asks for is in its message. Method: small recipes; computers of a few
 * sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "experiments/cli/client.h"
#include "experiments/cli/requests.h"

static struct recipe *recipe;
static struct plan *plan;

static void make(const char *keys)
{
    struct err err = { 0 };
    char text[512];

    (void)snprintf(text, sizeof(text),
                   "name = \"t\"; priority = 4; steps = ( { id = \"plain\"; job = \"noop\"; }, "
                   "{ id = \"n\"; job = \"noop\"; stage = 2; %s } );",
                   keys);
    if (recipe_parse(text, "t.cfg", NULL, 0, &recipe, &err) != 0 ||
        plan_make(recipe, NULL, &plan, &err) != 0)
        fail_msg("%s", err.text);
}

static void drop(void)
{
    plan_free(plan);
    recipe_free(recipe);
}

static int share(struct runner *r, size_t cores, uint64_t memory_mib, struct err *err)
{
    const bool chosen = r->workers || r->threads;
    runner_share(r, 0, cores);
    return requests_share(r, chosen, plan, cores, memory_mib, err);
}

static void workers_fit_what_is_asked(void **state)
{
    static const struct {
        const char *keys;
        size_t workers, threads, want_workers, want_threads, want_slots;
    } cases[] = {
        { "", 0, 0, 8, 1, 1 },                 /* as ever */
        { "cores = 1;", 0, 0, 8, 1, 1 },       /* what each slot has */
        { "cores = 4;", 0, 0, 1, 4, 2 },       /* two at a time */
        { "cores = 8;", 0, 0, 1, 8, 1 },       /* one */
        { "memory = \"1G\";", 0, 0, 1, 1, 8 }, /* one who knows what is free */
        { "cores = 3; memory = \"1G\";", 0, 0, 1, 3, 2 },
        { "cores = 3;", 2, 4, 2, 4, 1 }, /* what people chose stays */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct runner r = { .workers = cases[i].workers, .threads = cases[i].threads };
        struct err err = { 0 };
        make(cases[i].keys);
        if (share(&r, 8, 16384, &err) != 0)
            fail_msg("%s", err.text);
        assert_int_equal(r.workers, cases[i].want_workers);
        assert_int_equal(r.threads, cases[i].want_threads);
        assert_int_equal(r.slots, cases[i].want_slots);
        drop();
    }
}

static void what_no_worker_here_can_give_is_refused(void **state)
{
    static const struct {
        const char *keys;
        size_t workers, threads;
        const char *expected;
    } cases[] = {
        { "cores = 9;", 0, 0, "step n asks for 9 cores, a worker of this run has 8" },
        { "cores = 3;", 4, 2, "say --workers 1 --threads 3" },
        { "memory = \"17G\";", 0, 0, "step n asks for 17408 MiB of memory" },
        { "requires = [\"gpu\"];", 0, 0,
          "step n requires \"gpu\"; if this computer has it, say "
          "--label gpu" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct runner r = { .workers = cases[i].workers, .threads = cases[i].threads };
        struct err err = { 0 };
        make(cases[i].keys);
        assert_int_equal(share(&r, 8, 16384, &err), ERR_INVALID);
        if (!strstr(err.text, cases[i].expected))
            fail_msg("\"%s\" is not in \"%s\"", cases[i].expected, err.text);
        drop();
    }
}

static void labels_that_are_given_count(void **state)
{
    struct runner r = { .label = { "big", "gpu" }, .labels_len = 2 };
    struct err err = { 0 };

    (void)state;
    make("requires = [\"gpu\", \"big\"];");
    assert_int_equal(share(&r, 2, 0, &err), 0); /* memory unknown: not checked */
    drop();
}

static void message_holds_what_is_asked(void **state)
{
    struct submission *s;
    const Drover__Plan *m;
    struct err err = { 0 };
    struct buf bytes CLEANUP(buf_release) = { 0 };
    Drover__Envelope *e CLEANUP(wire_cleanup) = NULL;

    (void)state;
    make("cores = 4; memory = \"8G\"; requires = [\"gpu\"];");
    s = submission_new(plan);
    assert_int_equal(
        wire_encode(&bytes, DROVER__ENVELOPE__BODY_SUBMIT, submission_message(s), 0, &err), 0);
    assert_int_equal(wire_decode(bytes.data, bytes.len, &e, NULL, &err), 0);
    m = e->submit->plan;
    assert_true(m->prioritised);
    assert_int_equal(m->priority, 4);
    assert_int_equal(m->n_jobs, 2);
    for (size_t i = 0; i < 2; i++) {
        const bool asks = strcmp(m->jobs[i]->step, "n") == 0;
        assert_int_equal(m->jobs[i]->cores, asks ? 4 : 0);
        assert_int_equal(m->jobs[i]->memory_mib, asks ? 8192 : 0);
        assert_int_equal(m->jobs[i]->n_labels, asks ? 1 : 0);
    }
    submission_free(s);
    drop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_fit_what_is_asked),
        cmocka_unit_test(what_no_worker_here_can_give_is_refused),
        cmocka_unit_test(labels_that_are_given_count),
        cmocka_unit_test(message_holds_what_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
