/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a hint saves exactly the evaluations that it holds and changes no bit of a label, whatever
 * it holds; a broken one is named. Method: a tiny model of 4 layers, real search jobs behind fake
 * services, messages compared byte for byte; the evaluator's own counts. */
#include "tests/unit/worker_jobs/ways.h"

#include "worker/jobs/lockstep.h"

/* What the coordinator would send of the logs of F's results, the last example first. */
static void hint_text(const struct fake_job *f, struct buf *out)
{
    for (size_t i = f->results_len; i-- > 0;) {
        const Drover__Label *l = f->result[i]->label;

        buf_printf(out, "{\"id\":\"%016llx\",\"paths\":[",
                   (unsigned long long)f->result[i]->example->id);
        for (size_t k = 0; k < l->n_log; k++) {
            char digits[LAYERS + 1];

            routing_print(l->log[k]->routing.data, LAYERS, digits);
            buf_printf(out, "%s[\"%s\",%d,\"%s\"]", k == 0 ? "" : ",", digits,
                       l->log[k]->reward > 0, l->log[k]->answer);
        }
        buf_adds(out, "]}\n");
    }
}

static void give_hint(struct fake_job *f, const char *text, size_t len)
{
    char path[128];
    struct err err = { 0 };

    snprintf(path, sizeof(path), "%s/hint", f->scratch);
    assert_int_equal(buf_write_file(path, text, len, &err), 0);
    fake_job_input(f, "hint", path);
}

static void hint_of(const struct way *w, struct buf *out)
{
    struct fake_job f;

    start(&f, w, 0, EXAMPLES);
    fake_job_run_or_fail(&f);
    hint_text(&f, out);
    fake_job_release(&f);
}

/* Paths of example I of F that are in the log of the same example of H. */
static uint32_t in_both(const struct fake_job *f, const struct fake_job *h, size_t i)
{
    const Drover__Label *a = f->result[i]->label, *b = h->result[i]->label;
    uint32_t n = 0;

    for (size_t k = 0; k < a->n_log; k++)
        for (size_t m = 0; m < b->n_log; m++)
            n += memcmp(a->log[k]->routing.data, b->log[m]->routing.data, LAYERS) == 0;
    return n;
}

/* The labels of WAY are the same with a hint out of OLDER's logs, which answers what it holds. */
static void check_extension(const struct way *older, const struct way *way)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    struct fake_job before, fresh, with;
    uint32_t hinted = 0, evaluations = 0;

    start(&before, older, 0, EXAMPLES);
    fake_job_run_or_fail(&before);
    hint_text(&before, &text);
    start(&fresh, way, 0, EXAMPLES);
    fake_job_run_or_fail(&fresh);
    start(&with, way, 0, EXAMPLES);
    give_hint(&with, text.data, text.len);
    fake_job_run_or_fail(&with);
    for (size_t i = 0; i < EXAMPLES; i++) {
        struct buf a CLEANUP(buf_release) = { 0 }, b CLEANUP(buf_release) = { 0 };

        tiny_canonical(fresh.result[i], &a);
        tiny_canonical(with.result[i], &b);
        assert_int_equal(a.len, b.len);
        assert_memory_equal(a.data, b.data, a.len);
        assert_int_equal(fresh.result[i]->label->hinted, 0);
        assert_int_equal(with.result[i]->label->hinted, in_both(&fresh, &before, i));
        assert_true(with.result[i]->label->layer_rows < fresh.result[i]->label->layer_rows);
        if (fresh.result[i]->label->has_label)
            assert_int_equal(with.result[i]->label->layer_rows_whole,
                             fresh.result[i]->label->layer_rows_whole);
        hinted += with.result[i]->label->hinted;
        evaluations += fresh.result[i]->label->evaluations;
    }
    assert_true(hinted > 0 && hinted <= evaluations);
    fake_job_release(&before);
    fake_job_release(&fresh);
    fake_job_release(&with);
}

static void a_hint_of_any_search_changes_no_bit_and_saves_what_it_holds(void **state)
{
    static const struct way longer = { "progressive", "both", "none", "parent", 200, 1 };

    (void)state;
    check_extension(&ways[0], &longer);  /* 50 to 200 */
    check_extension(&longer, &ways[0]);  /* all of it known */
    check_extension(&ways[4], &longer);  /* of a chain */
    check_extension(&ways[6], &ways[1]); /* of an enumeration */
    check_extension(&ways[1], &ways[6]);
    check_extension(&ways[0], &ways[5]);
}

/* Evaluations of the evaluator itself for EXAMPLES searches of SIMULATIONS, replays left out. */
static uint64_t count_evaluations(const struct model *m, uint32_t simulations,
                                  const struct hint *hint, struct seeker *s)
{
    const struct search_params p = { .simulations = simulations,
                                     .round = 5,
                                     .exploration = 1.8,
                                     .length_penalty = 3,
                                     .random_child = 0.1,
                                     .widen_factor = 1.5,
                                     .widen_power = 0.6 };
    struct evaluator_conf conf = {
        .model = m, .task = task_find("math"), .cache_bytes = 1 << 20, .sampling = { .top_p = 1 }
    };
    struct task_query q = { .task = "math", .level = 1, .split = SPLIT_TRAIN };
    struct lockstep l = { .params = &p, .layers = LAYERS, .seed = 1, .hint = hint };
    struct example e[EXAMPLES] = { 0 };
    const struct example *at[EXAMPLES];
    struct task_source *source = NULL;
    struct err err = { 0 };
    uint64_t n;

    assert_int_equal(task_open(&source, &q, &err), 0);
    assert_int_equal(evaluator_new(&l.evaluator, &conf, &err), 0);
    for (size_t i = 0; i < EXAMPLES; i++) {
        at[i] = &e[i];
        assert_int_equal(task_get(source, i, &e[i], &err), 0);
    }
    assert_int_equal(evaluator_begin(l.evaluator, at, EXAMPLES, &err), 0);
    assert_int_equal(lockstep_run(&l, at, EXAMPLES, s, &err), 0);
    n = evaluator_total(l.evaluator).evaluations;
    for (size_t i = 0; i < EXAMPLES; i++) {
        n -= s[i].result.has_label;
        assert_int_equal(evaluator_stats(l.evaluator, i).evaluations,
                         s[i].result.evaluations - s[i].result.hinted + s[i].result.has_label);
        example_release(&e[i]);
    }
    evaluator_free(l.evaluator);
    task_close(source);
    return n;
}

static void extending_50_to_200_runs_only_the_additional_evaluations(void **state)
{
    static struct seeker few[EXAMPLES], many[EXAMPLES], more[EXAMPLES];
    struct buf text CLEANUP(buf_release) = { 0 };
    char path[128];
    struct model *m = NULL;
    struct hint *hint = NULL;
    struct fake_job f;
    struct err err = { 0 };
    uint64_t fifty, fresh, additional;

    (void)state;
    hint_of(&ways[0], &text);
    tiny_search(&f, 0, 1); /* for its folder */
    snprintf(path, sizeof(path), "%s/hint", f.scratch);
    assert_int_equal(buf_write_file(path, text.data, text.len, &err), 0);
    assert_int_equal(hint_read(&hint, path, LAYERS, &err), 0);
    assert_int_equal(model_open(&m, tiny_dir, NULL, NULL, &err), 0);
    fifty = count_evaluations(m, 50, NULL, few);
    fresh = count_evaluations(m, 200, NULL, many);
    additional = count_evaluations(m, 200, hint, more);
    assert_int_equal(hint_len(hint), fifty);
    assert_true(additional > 0);
    assert_int_equal(additional, fresh - fifty);
    for (size_t i = 0; i < EXAMPLES; i++) {
        const struct search_result *a = &many[i].result, *b = &more[i].result;

        assert_int_equal(a->evaluations, b->evaluations);
        assert_memory_equal(a->routing, b->routing, a->evaluations * LAYERS);
        assert_memory_equal(a->entry, b->entry, a->evaluations * sizeof(*a->entry));
        assert_memory_equal(many[i].answer, more[i].answer, a->evaluations * sizeof(struct answer));
        seeker_release(&few[i]);
        seeker_release(&many[i]);
        seeker_release(&more[i]);
    }
    hint_free(hint);
    model_free(m);
    fake_job_release(&f);
}

/* ------------------------------------------------------------------------------------------- */

/* Labels of ways[0] with the hint TEXT: the code, and the paths that it answered. */
static int run_hinted(const char *text, size_t len, uint32_t *ret_hinted, struct buf *out,
                      struct err *err)
{
    struct fake_job f;
    int rc;

    start(&f, &ways[0], 0, EXAMPLES);
    give_hint(&f, text, len);
    rc = fake_job_run(&f, err);
    *ret_hinted = 0;
    for (size_t i = 0; i < f.results_len; i++) {
        *ret_hinted += f.result[i]->label->hinted;
        tiny_canonical(f.result[i], &out[i]);
    }
    fake_job_release(&f);
    return rc;
}

static void hints_that_do_not_fit_are_left_out(void **state)
{
    static const struct {
        const char *paths;
        bool known; /* an example of the job */
    } useless[] = {
        { "]}\n", true },
        { "[\"1111\",1,\"3\"]]}\n", false },
        { "[\"11111\",0,\"\"],[\"111\",0,\"\"]]}\n", true }, /* five and three layers */
        { "[\"1111\",0,\"\"],[\"10", true },                 /* torn */
    };
    struct buf want[EXAMPLES] = { 0 };
    struct fake_job f;

    (void)state;
    label_shard(&ways[0], 0, EXAMPLES, 1, want);
    start(&f, &ways[0], 0, 1);
    fake_job_run_or_fail(&f);
    for (size_t i = 0; i < ARRAY_LEN(useless); i++) {
        struct buf got[EXAMPLES] = { 0 }, text CLEANUP(buf_release) = { 0 };
        struct err err = { 0 };
        uint32_t hinted;

        buf_printf(&text, "{\"id\":\"%016llx\",\"paths\":[%s",
                   useless[i].known ? (unsigned long long)f.result[0]->example->id : 1,
                   useless[i].paths);
        if (run_hinted(text.data, text.len, &hinted, got, &err) < 0)
            fail_msg("%s", err.text);
        assert_int_equal(hinted, 0);
        same_labels(want, got);
        forget(got);
    }
    forget(want);
    fake_job_release(&f);
}

/* Cut anywhere, a hint is used as far as its whole lines go. */
static void torn_hint_counts_up_to_its_last_line(void **state)
{
    struct buf want[EXAMPLES] = { 0 };
    struct buf text CLEANUP(buf_release) = { 0 };
    uint32_t last = 0;

    (void)state;
    label_shard(&ways[0], 0, EXAMPLES, 1, want);
    hint_of(&ways[0], &text);
    for (size_t part = 0; part < 8; part++) {
        struct buf got[EXAMPLES] = { 0 };
        struct err err = { 0 };
        uint32_t hinted;

        if (run_hinted(text.data, text.len * part / 7, &hinted, got, &err) < 0)
            fail_msg("%s", err.text);
        assert_true(part == 0 ? hinted == 0 : hinted > last);
        last = hinted;
        same_labels(want, got);
        forget(got);
    }
    forget(want);
}

static void contradicting_lines_are_evaluated_again(void **state)
{
    struct buf want[EXAMPLES] = { 0 }, got[EXAMPLES] = { 0 };
    struct buf text CLEANUP(buf_release) = { 0 };
    struct err err = { 0 };
    uint32_t all, hinted;
    char *id;

    (void)state;
    label_shard(&ways[0], 0, EXAMPLES, 1, want);
    hint_of(&ways[0], &text);
    assert_int_equal(run_hinted(text.data, text.len, &all, got, &err), 0);
    forget(got);
    id = strstr(text.data, "\"id\":\"");
    buf_printf(&text, "{\"id\":\"%.16s\",\"paths\":[[\"1111\",0,\"never this\"]]}\n", id + 6);
    assert_int_equal(run_hinted(text.data, text.len, &hinted, got, &err), 0);
    assert_int_equal(hinted, all - 1);
    same_labels(want, got);
    forget(want);
    forget(got);
}

static void hint_that_lies_about_a_label_is_found_by_its_replay(void **state)
{
    struct buf got[EXAMPLES] = { 0 };
    struct buf text CLEANUP(buf_release) = { 0 };
    struct err err = { 0 };
    Drover__Label *l;
    struct fake_job f;
    uint32_t hinted;

    (void)state;
    start(&f, &ways[0], 0, 1);
    fake_job_run_or_fail(&f);
    l = f.result[0]->label;
    for (size_t k = 0; k < l->n_log; k++) {
        l->log[k]->reward = 1;
        l->log[k]->answer[0] = '\0'; /* nothing is never right */
    }
    hint_text(&f, &text);
    fake_job_release(&f);
    assert_int_equal(run_hinted(text.data, text.len, &hinted, got, &err), ERR_INTERNAL);
    assert_non_null(strstr(err.text, "earlier search that the hint tells of saw \"\""));
    forget(got);
}

static void broken_hints_are_named_by_line(void **state)
{
#define GOOD      "{\"id\":\"0000000000000001\",\"paths\":[[\"1111\",1,\"3\"]]}\n"
#define BAD(PATH) GOOD "{\"id\":\"0000000000000001\",\"paths\":[" PATH "]}\n"
    static const struct {
        const char *text, *word;
    } broken[] = {
        { GOOD "not JSON\n", "hint:2: not a JSON object" },
        { GOOD GOOD "{\"id\":\"00000000000000A1\",\"paths\":[]}\n", "hint:3: \"id\"" },
        { "{\"id\":\"0000000000000001\"}\n", "hint:1: \"paths\"" },
        { BAD("1"), "a path must be" },
        { BAD("[\"1111\",1]"), "a path must be" },
        { BAD("[\"1131\",1,\"3\"]"), "digits 0, 1, 2" },
        { BAD("[\"\",1,\"3\"]"), "digits 0, 1, 2" },
        { BAD("[\"1111\",2,\"3\"]"), "reward of path 1111" },
        { BAD("[\"1111\",true,\"3\"]"), "reward of path 1111" },
        { BAD("[\"1111\",1,3]"), "a path must be" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        struct buf got[EXAMPLES] = { 0 };
        struct err err = { 0 };
        uint32_t hinted;

        assert_int_equal(run_hinted(broken[i].text, strlen(broken[i].text), &hinted, got, &err),
                         ERR_CORRUPT);
        if (!strstr(err.text, broken[i].word))
            fail_msg("\"%s\" does not say \"%s\"", err.text, broken[i].word);
    }
#undef GOOD
#undef BAD
}

static void answer_that_no_outcome_holds_is_refused(void **state)
{
    struct buf got[EXAMPLES] = { 0 }, text CLEANUP(buf_release) = { 0 };
    struct err err = { 0 };
    uint32_t hinted;

    (void)state;
    buf_printf(&text, "{\"id\":\"0000000000000001\",\"paths\":[[\"1111\",1,\"%0*d\"]]}\n",
               OUTCOME_ANSWER_BYTES - 1, 7);
    assert_int_equal(run_hinted(text.data, text.len, &hinted, got, &err), 0);
    forget(got);
    buf_clear(&text);
    buf_printf(&text, "{\"id\":\"0000000000000001\",\"paths\":[[\"1111\",1,\"%0*d\"]]}\n",
               OUTCOME_ANSWER_BYTES, 7);
    assert_int_equal(run_hinted(text.data, text.len, &hinted, got, &err), ERR_CORRUPT);
    assert_non_null(strstr(err.text, "longer than 255 bytes"));
}

static int no_hint(void *arg, const char *name, char *path, size_t path_size, struct err *err)
{
    if (strcmp(name, "hint") == 0)
        return err_set(err, ERR_NOT_FOUND, "gone");
    return fake_input(arg, name, path, path_size, err);
}

static void hint_that_is_gone_is_done_without(void **state)
{
    struct fake_job f;

    (void)state;
    start(&f, &ways[0], 0, EXAMPLES);
    give_hint(&f, "", 0);
    f.services.input = no_hint;
    fake_job_run_or_fail(&f);
    assert_int_equal(f.results_len, EXAMPLES);
    fake_job_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hint_of_any_search_changes_no_bit_and_saves_what_it_holds),
        cmocka_unit_test(extending_50_to_200_runs_only_the_additional_evaluations),
        cmocka_unit_test(hints_that_do_not_fit_are_left_out),
        cmocka_unit_test(torn_hint_counts_up_to_its_last_line),
        cmocka_unit_test(contradicting_lines_are_evaluated_again),
        cmocka_unit_test(hint_that_lies_about_a_label_is_found_by_its_replay),
        cmocka_unit_test(broken_hints_are_named_by_line),
        cmocka_unit_test(answer_that_no_outcome_holds_is_refused),
        cmocka_unit_test(hint_that_is_gone_is_done_without),
    };

    return cmocka_run_group_tests(tests, make_model, tiny_remove);
}
