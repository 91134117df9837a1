/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: results of a kind that is not pure are never compared: a repeated one that differs is no
 * incident and changes nothing.
 * Method: the small plan's base job done twice, once as pure and once as not. */
#include "tests/unit/store/small_plan.h"

static bool nothing_is_compared(const char *kind)
{
    assert_string_equal(kind, "pretrain");
    return false;
}

static void a_repeated_result_that_differs_is_no_incident(void **state)
{
    struct fixture *f = *state;
    struct store_output out = { .name = "model", .size_bytes = 7 };
    struct store_result r = { .outcome = STORE_DONE,
                              .outputs = &out,
                              .outputs_len = 1,
                              .environment = "cpu",
                              .compares = nothing_is_compared };
    enum store_verdict verdict;
    struct plan p;
    struct try late;

    late = overtaken(f->s, &p);
    r.attempt = late.attempt;
    r.epoch = late.epoch;
    OK(blobs_put(store_blobs(f->s), "Weights", 7, &out.digest, err));
    begin(f->s);
    OK(store_job_done(f->s, &r, &verdict, NULL, err));
    assert_int_equal(verdict, STORE_REPEATED);
    OK(store_job_done(f->s, &r, &verdict, NULL, err));
    assert_int_equal(verdict, STORE_REPEATED);
    commit(f->s);
    assert_int_equal(number(f->path, "SELECT count(*) FROM event WHERE kind = 'incident'"), 0);
    assert_int_equal(number(f->path, "SELECT count(*) FROM attempt WHERE compared IS NOT NULL"), 0);
    assert_int_equal(number(f->path, "SELECT attempt FROM job WHERE kind = 'pretrain'"), 2);
    begin(f->s);
    r.compares = NULL; /* every kind is */
    OK(store_job_done(f->s, &r, &verdict, NULL, err));
    assert_int_equal(verdict, STORE_INCIDENT);
    commit(f->s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_repeated_result_that_differs_is_no_incident, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
