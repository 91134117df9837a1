/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: sheets print the same rows in every format; a plan's message is what the wire takes; the
 * recipes that come with drover are good; a child's end is noticed and told. Method: output into
 * memory; encode and decode; /bin/sh as the child. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "experiments/cli/child.h"
#include "experiments/cli/cli.h"
#include "experiments/cli/client.h"
#include "experiments/cli/runner.h"
#include "experiments/cli/sheet.h"

static char *printed(struct sheet *s, enum sheet_format format)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);

    assert_non_null(f);
    sheet_print(s, format, f);
    fclose(f);
    return text;
}

static struct sheet *example_sheet(void)
{
    struct sheet *s = sheet_new();

    sheet_column(s, "name");
    sheet_column(s, "n");
    sheet_column(s, "share");
    sheet_row(s);
    sheet_text(s, "a,b \"c\"");
    sheet_int(s, 12);
    sheet_real(s, 1.0 / 3, 2);
    sheet_row(s);
    sheet_text(s, NULL);
    sheet_int(s, -1);
    sheet_real(s, 2, 2);
    return s;
}

static void csv_quotes_what_needs_it_and_keeps_all_digits(void **state)
{
    struct sheet *s = example_sheet();
    char *text = printed(s, SHEET_CSV);

    (void)state;
    assert_string_equal(text, "name,n,share\n\"a,b \"\"c\"\"\",12,0.3333333333333333\n,-1,2\n");
    free(text);
    sheet_free(s);
}

static void json_keeps_types_and_has_a_version(void **state)
{
    struct sheet *s = example_sheet();
    char *text = printed(s, SHEET_JSON);
    struct json *top = NULL;

    (void)state;
    assert_int_equal(json_parse(text, strlen(text), &top, NULL), 0);
    assert_int_equal(json_integer(json_get(top, "version"), 0), 1);
    const struct json *rows = json_get(top, "rows");
    assert_int_equal(json_len(rows), 2);
    assert_string_equal(json_text(json_get(json_at(rows, 0), "name")), "a,b \"c\"");
    assert_true(json_is_null(json_get(json_at(rows, 1), "name")));
    assert_int_equal(json_integer(json_get(json_at(rows, 1), "n"), 0), -1);
    json_free(top);
    free(text);
    sheet_free(s);
}

static void people_get_numbers_on_the_right(void **state)
{
    struct sheet *s = example_sheet();
    char *text = printed(s, SHEET_TERMINAL);

    (void)state;
    assert_non_null(strstr(text, "12  0.33\n"));
    assert_non_null(strstr(text, "-1  2.00\n"));
    free(text);
    sheet_free(s);
}

static struct plan *plan_of(const char *text)
{
    struct recipe *r = NULL;
    struct plan *p = NULL;
    struct err err = { 0 };

    if (recipe_parse(text, "t", NULL, 0, &r, &err) != 0 || plan_make(r, NULL, &p, &err) != 0)
        fail_msg("%s", err.text);
    recipe_free(r);
    return p;
}

static void a_plan_survives_the_wire(void **state)
{
    const struct embedded_recipe *quickstart = embedded_recipes;

    while (quickstart->name && strcmp(quickstart->name, "quickstart") != 0)
        quickstart++;
    assert_non_null(quickstart->name);
    struct plan *p = plan_of(quickstart->text);
    struct submission *s = submission_new(p);
    struct buf bytes = { 0 };
    Drover__Envelope *e = NULL;
    struct err err = { 0 };

    (void)state;
    if (wire_encode(&bytes, DROVER__ENVELOPE__BODY_SUBMIT, submission_message(s), 1, &err) != 0 ||
        wire_decode(bytes.data, bytes.len, &e, NULL, &err) != 0)
        fail_msg("%s", err.text);
    const Drover__Plan *m = e->submit->plan;
    assert_int_equal(m->n_jobs, p->jobs_len);
    assert_int_equal(m->n_families, p->families_len);
    assert_string_equal(m->recipe, p->recipe);
    for (size_t i = 0; i < m->n_jobs; i++) {
        const Drover__PlanJob *j = m->jobs[i];
        assert_memory_equal(j->key.data, p->job[i].key.b, DIGEST_BYTES);
        assert_int_equal(j->n_needs, p->job[i].needs.len);
        assert_int_equal(j->n_params, p->job[i].params->len);
        for (size_t k = 0; k < j->n_inputs; k++)
            if (j->inputs[k]->source == DROVER__INPUT__SOURCE__OUTPUT)
                assert_true(j->inputs[k]->producer < i);
        if (p->job[i].kind->id == KIND_COLLECT)
            assert_int_equal(j->n_family_examples, j->n_families);
    }
    wire_free(e);
    buf_release(&bytes);
    submission_free(s);
    plan_free(p);
}

static void the_recipes_of_drover_are_good(void **state)
{
    struct options o = { 0 };
    struct err err = { 0 };

    (void)state;
    for (const struct embedded_recipe *e = embedded_recipes; e->name; e++) {
        struct recipe *r = NULL;
        if (cli_recipe(e->name, &o, &r, &err) != 0)
            fail_msg("%s: %s", e->name, err.text);
        assert_string_equal(r->name, e->name);
        recipe_free(r);
    }
}

static void an_unknown_recipe_gets_the_nearest_name(void **state)
{
    struct options o = { 0 };
    struct recipe *r = NULL;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(cli_recipe("quikstart", &o, &r, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "did you mean the recipe \"quickstart\""));
}

static void a_large_model_gets_one_worker_with_all_cores(void **state)
{
    const uint64_t large = RUNNER_LARGE_BYTES, small = large - 1;
    const struct {
        uint64_t bytes;
        size_t workers, threads, cores, want_workers, want_threads;
    } cases[] = {
        { small, 0, 0, 8, 8, 1 }, { large, 0, 0, 8, 1, 8 },   { large, 2, 0, 8, 2, 4 },
        { small, 2, 0, 8, 2, 1 }, { small, 0, 4, 8, 2, 4 },   { small, 0, 16, 8, 1, 16 },
        { large, 0, 3, 8, 1, 3 }, { large, 16, 0, 8, 16, 1 }, { large, 4, 2, 8, 4, 2 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct runner r = { .workers = cases[i].workers, .threads = cases[i].threads };

        runner_share(&r, cases[i].bytes, cases[i].cores);
        assert_int_equal(r.workers, cases[i].want_workers);
        assert_int_equal(r.threads, cases[i].want_threads);
    }
}

static void wait_for_end(struct child *c)
{
    while (child_running(c))
        clock_sleep_ms(2);
}

static void the_end_of_a_child_is_told_with_its_last_words(void **state)
{
    static const char *const args[] = { "-c", "echo first; echo the last words; exit 3", NULL };
    static const char *const sleeper[] = { "-c", "exec sleep 100", NULL };
    char log[] = "/tmp/drover-child-XXXXXX", words[64], fate[64];
    struct child c;
    struct err err = { 0 };

    (void)state;
    close(mkstemp(log));
    assert_int_equal(child_start(&c, "/bin/sh", args, log, &err), 0);
    wait_for_end(&c);
    child_last_words(&c, words, sizeof(words));
    assert_string_equal(words, "the last words");
    char few[11];
    child_last_words(&c, few, sizeof(few));
    assert_string_equal(few, "the las...");
    assert_string_equal(child_fate(&c, fate, sizeof(fate)), "exit code 3");
    assert_true(child_gave_up(&c));

    assert_int_equal(child_start(&c, "/bin/sh", sleeper, log, &err), 0);
    child_signal(&c, SIGKILL);
    wait_for_end(&c);
    assert_false(child_gave_up(&c));
    assert_non_null(strstr(child_fate(&c, fate, sizeof(fate)), "signal 9"));
    unlink(log);
}

static void a_program_that_is_not_there_is_named(void **state)
{
    static const char *const args[] = { NULL };
    char log[] = "/tmp/drover-child-XXXXXX";
    struct child c;
    struct err err = { 0 };

    (void)state;
    close(mkstemp(log));
    assert_int_equal(child_start(&c, "/no/such/daemon", args, log, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "/no/such/daemon"));
    unlink(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_quotes_what_needs_it_and_keeps_all_digits),
        cmocka_unit_test(json_keeps_types_and_has_a_version),
        cmocka_unit_test(people_get_numbers_on_the_right),
        cmocka_unit_test(a_plan_survives_the_wire),
        cmocka_unit_test(the_recipes_of_drover_are_good),
        cmocka_unit_test(an_unknown_recipe_gets_the_nearest_name),
        cmocka_unit_test(a_large_model_gets_one_worker_with_all_cores),
        cmocka_unit_test(the_end_of_a_child_is_told_with_its_last_words),
        cmocka_unit_test(a_program_that_is_not_there_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
