/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: status --watch says what changed, with rates and the time left, and nothing else. Method: a
 * status made by hand, drawn again as time goes on. */
#include "experiments/cli/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <string.h>

#define TEXT(S) ((char *)(uintptr_t)(S))

static struct {
    Drover__Status status;
    Drover__ExperimentStatus e, *es;
    Drover__StepStatus step, *steps;
    Drover__WorkerStatus worker, *workers;
    char *failure;
} x;

static void make(void)
{
    drover__status__init(&x.status);
    drover__experiment_status__init(&x.e);
    drover__step_status__init(&x.step);
    drover__worker_status__init(&x.worker);
    x.es = &x.e;
    x.steps = &x.step;
    x.workers = &x.worker;
    x.e.name = TEXT("exp");
    x.e.revision = 2;
    x.e.steps = &x.steps;
    x.e.n_steps = 1;
    x.step.step = TEXT("labels");
    x.step.kind = TEXT("search");
    x.step.jobs = x.step.ready = 100;
    x.step.units_total = 1000;
    x.worker.name = TEXT("w");
    x.worker.slots = 2;
    x.status.experiments = &x.es;
    x.status.n_experiments = 1;
    x.status.workers = &x.workers;
    x.status.n_workers = 1;
    x.failure = TEXT("job 7: it broke\nand more");
    x.e.failures = &x.failure;
}

static void go(uint32_t done, uint32_t running)
{
    x.step.done = done;
    x.step.units_done = 10UL * done;
    x.step.running = x.worker.running = running;
    x.step.ready = 100 - done - running;
    x.e.finished = done == 100;
}

static void a_line_for_each_change(void **state)
{
    struct watch *w = watch_new(false, false);
    struct buf out = { 0 };

    (void)state;
    make();
    watch_lines(w, &x.status, 1000, &out);
    assert_string_equal(buf_str(&out), "exp: going on, jobs 0/100, 0 running\n");
    buf_clear(&out);
    watch_lines(w, &x.status, 2000, &out);
    assert_int_equal(out.len, 0);
    go(4, 2);
    watch_lines(w, &x.status, 4000, &out);
    assert_string_equal(buf_str(&out), "exp: going on, jobs 4/100, 2 running, 2.0/s\n");
    for (uint32_t i = 1; i < 10; i++) {
        go(4 + 2 * i, 2);
        buf_clear(&out);
        watch_lines(w, &x.status, 4000 + 1000UL * i, &out);
    }
    assert_non_null(strstr(buf_str(&out), "jobs 22/100, 2 running, 2.0/s, ETA 0:"));
    go(100, 0);
    buf_clear(&out);
    watch_lines(w, &x.status, 50000, &out);
    assert_string_equal(buf_str(&out), "exp: finished, jobs 100/100, 0 running\n");
    buf_release(&out);
    watch_free(w);
}

static void what_had_ended_before_is_not_told(void **state)
{
    struct watch *w = watch_new(true, false);
    struct buf out = { 0 };

    (void)state;
    make();
    go(100, 0);
    watch_lines(w, &x.status, 1000, &out);
    assert_int_equal(out.len, 0);
    watch_picture(w, &x.status, 2000, &out);
    assert_non_null(strstr(buf_str(&out), "1 experiment has ended"));
    assert_null(strstr(buf_str(&out), "labels"));
    buf_release(&out);
    watch_free(w);
}

static void the_picture_shows_steps_failures_and_workers(void **state)
{
    struct watch *w = watch_new(true, false);
    struct buf out = { 0 };

    (void)state;
    make();
    watch_picture(w, &x.status, 1000, &out);
    go(25, 2);
    x.step.failed = 3;
    x.e.n_failures = 1;
    x.e.paused = true;
    x.worker.waiting = 4;
    x.worker.paused = true;
    buf_clear(&out);
    watch_picture(w, &x.status, 2000, &out);
    assert_string_equal(
        buf_str(&out),
        "1 worker, 2 of 2 slots busy, 4 jobs wait there, 1 not working (drover workers); q ends\n"
        "\nexp, revision 2: paused, 25 of 100 jobs done, 2 running\n"
        "  labels           #####...............        250/1000  2 running, 250/s, 3 failed\n"
        "  failed: job 7: it broke\n");
    x.step.units_done = 100; /* some are tried again: no rate below nothing */
    buf_clear(&out);
    watch_picture(w, &x.status, 3000, &out);
    assert_null(strstr(buf_str(&out), "/s"));
    buf_release(&out);
    watch_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_for_each_change),
        cmocka_unit_test(what_had_ended_before_is_not_told),
        cmocka_unit_test(the_picture_shows_steps_failures_and_workers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
