/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: every benchmark that the shared data have can be evaluated, and its scores are the same one
 * by one and together, with 1 and 2 threads; the messages are what the wire takes. Method:
 * stories260K (512 positions: long prompts are cut) on the first examples of each, messages
 * compared byte for byte without the wall time. */
#include <limits.h>
#include <sys/stat.h>

#include "tests/support/fake_job.h"

#include <math.h>

#include "common/tasks/task.h"
#include "common/wire/wire.h"

enum { EXAMPLES = 3 };

static const struct {
    const char *task, *path, *split, *prompts;
} row[] = {
    { "arc_easy", "arc/ARC-Easy-Test.jsonl", "test", "dr_llm" },
    { "arc_challenge", "arc/ARC-Challenge-Test.jsonl", "test", NULL },
    { "mmlu", "mmlu", "test", NULL },
    { "truthfulqa_mc1", "truthfulqa/v1/mc_task.json", "validation", NULL },
    { "truthfulqa_mc2", "truthfulqa/v1/mc_task.json", "validation", NULL },
    { "piqa", "piqa", "validation", NULL },
    { "boolq", "superglue/BoolQ", "validation", NULL },
    { "copa", "superglue/COPA", "validation", NULL },
    { "wsc", "superglue/WSC", "validation", NULL },
    { "agieval_lsat_lr", "agieval/lsat-lr.jsonl", "test", NULL },
    { "agieval_math", "agieval/math.jsonl", "test", NULL },
    { "gsm8k", "gsm8k", "test", NULL },
    { "gsm_plus", "gsm_plus/gsmplus_testmini.jsonl", "test", NULL },
    { "svamp", "svamp/SVAMP.json", "test", NULL },
    { "squadv2", "squad2/dev-v2.0.json", "validation", NULL },
    { "college_math", "college_math/test.ccby.jsonl", "test", NULL },
};

static char shared[256];

static bool have(const char *path)
{
    const char *env = getenv("DROVER_SHARED");
    char at[500];

    snprintf(shared, sizeof(shared), "%s/data", env && env[0] ? env : "../shared");
    snprintf(at, sizeof(at), "%s/%s", shared, path);
    return access(at, R_OK) == 0;
}

static void link_file(const char *dir, const char *name, const char *file)
{
    char from[500], to[500], target[PATH_MAX];

    snprintf(from, sizeof(from), "%s/models/stories260K/%s", shared, file);
    snprintf(to, sizeof(to), "%s/%s", dir, name);
    assert_non_null(realpath(from, target));
    assert_int_equal(symlink(target, to), 0);
}

static void start(struct fake_job *f, enum kind_id kind, size_t i)
{
    char folder[128], path[500];

    fake_job_init(f, kind);
    snprintf(folder, sizeof(folder), "%s/in", f->scratch);
    assert_int_equal(mkdir(folder, 0700), 0);
    link_file(folder, "model.bin", "stories260K.bin");
    link_file(folder, "tokenizer.bin", "tok512.bin");
    snprintf(path, sizeof(path), "%s/%s", shared, row[i].path);
    fake_job_input(f, "model", folder);
    fake_job_input(f, "task_file", path);
    fake_job_text(f, "task", row[i].task);
    fake_job_text(f, "split", row[i].split);
    fake_job_int(f, "examples", EXAMPLES);
    if (row[i].prompts)
        fake_job_text(f, "prompts", row[i].prompts);
    f->lease.end = EXAMPLES;
}

static void evaluate(struct fake_job *f, size_t i, int64_t batch, struct pool *pool)
{
    start(f, KIND_EVALUATE, i);
    fake_job_int(f, "batch", batch);
    f->job.pool = pool;
    fake_job_run_or_fail(f);
    assert_int_equal(f->results_len, EXAMPLES);
}

static void check_message(size_t i, Drover__ExampleResult *r)
{
    const struct task_spec *t = task_find(row[i].task);
    enum task_form form = row[i].prompts ? TASK_ANSWER : t->form;
    struct buf bytes CLEANUP(buf_release) = { 0 };
    const Drover__Score *s = r->score;
    struct err err = { 0 };

    if (wire_encode(&bytes, DROVER__ENVELOPE__BODY_EXAMPLE_RESULT, r, 0, &err) < 0)
        fail_msg("%s: %s", t->name, err.text);
    assert_true(s->tokens > 0 && s->layers == 5.0); /* of stories260K */
    assert_true(s->answer[0] != '\0' || form == TASK_ANSWER);
    for (size_t k = 0; k < s->n_logprob; k++)
        assert_true(isfinite(s->logprob[k]) && s->logprob[k] < 0);
    if (form == TASK_CHOICE) {
        assert_true(s->n_logprob >= 2 && s->pick >= 0 && (size_t)s->pick < s->n_logprob);
        assert_int_equal(s->generated, 0);
    } else {
        assert_int_equal(s->pick, -1);
        assert_true(s->generated > 0 && s->generated <= MAX(t->answer_tokens_max, (size_t)2));
    }
    for (size_t k = 0; k < s->n_values; k++) {
        double v = s->values[k]->value;

        assert_true(v >= 0 && v <= 1);
        if (strcmp(s->values[k]->name, "no_answer_probability") == 0)
            assert_true(fabs(v - exp(s->logprob[0])) <= 1e-14 * v);
    }
}

static void assert_same(const struct fake_job *a, const struct fake_job *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct buf x CLEANUP(buf_release) = { 0 }, y CLEANUP(buf_release) = { 0 };
        struct err err = { 0 };

        a->result[i]->wall_us = b->result[i]->wall_us = 0;
        assert_int_equal(
            wire_encode(&x, DROVER__ENVELOPE__BODY_EXAMPLE_RESULT, a->result[i], 0, &err), 0);
        assert_int_equal(
            wire_encode(&y, DROVER__ENVELOPE__BODY_EXAMPLE_RESULT, b->result[i], 0, &err), 0);
        assert_int_equal(x.len, y.len);
        assert_memory_equal(x.data, y.data, x.len);
    }
}

static void every_benchmark_is_scored_alike_alone_and_together(void **state)
{
    struct pool *pool = pool_new(2);

    (void)state;
    if (!have("models/stories260K")) {
        print_message("SKIP-DATA models/stories260K\n");
        skip();
    }
    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        struct fake_job alone, together;

        if (!have(row[i].path)) {
            print_message("SKIP-DATA %s\n", row[i].path);
            continue;
        }
        evaluate(&alone, i, 1, NULL);
        evaluate(&together, i, 16, pool);
        for (size_t k = 0; k < EXAMPLES; k++)
            check_message(i, together.result[k]);
        assert_same(&alone, &together, EXAMPLES);
        fake_job_release(&alone);
        fake_job_release(&together);
    }
    job_models_drop();
    pool_free(pool);
}

static size_t row_of(const char *task)
{
    size_t i = 0;

    while (strcmp(row[i].task, task) != 0)
        i++;
    return i;
}

/* Every path of a round is generated together; the label is replayed alone inside the job. */
static void generated_answers_are_searched(void **state)
{
    static const char *const task[] = { "svamp", "squadv2" };
    struct pool *pool = pool_new(2);

    (void)state;
    if (!have("models/stories260K") || !have("svamp") || !have("squad2")) {
        print_message("SKIP-DATA models/stories260K svamp squad2\n");
        skip();
    }
    for (size_t k = 0; k < ARRAY_LEN(task); k++) {
        struct fake_job one, two;

        start(&one, KIND_SEARCH, row_of(task[k]));
        start(&two, KIND_SEARCH, row_of(task[k]));
        two.job.pool = pool;
        fake_job_int(&one, "simulations", 10);
        fake_job_int(&two, "simulations", 10);
        one.lease.end = two.lease.end = EXAMPLES - 1;
        fake_job_run_or_fail(&one);
        fake_job_run_or_fail(&two);
        assert_int_equal(one.results_len, EXAMPLES - 1);
        for (size_t i = 0; i < one.results_len; i++) {
            const Drover__Label *l = one.result[i]->label;

            assert_true(l->n_log >= 5 && l->layer_rows > 0);
            assert_true(l->layer_rows_whole >= l->layer_rows / 2);
        }
        assert_same(&one, &two, EXAMPLES - 1);
        fake_job_release(&one);
        fake_job_release(&two);
    }
    job_models_drop();
    pool_free(pool);
}

static void chat_prompts_need_a_chat_model(void **state)
{
    struct fake_job f;
    struct err err = { 0 };

    (void)state;
    if (!have("models/stories260K") || !have("arc")) {
        print_message("SKIP-DATA models/stories260K arc\n");
        skip();
    }
    start(&f, KIND_EVALUATE, row_of("arc_challenge"));
    fake_job_text(&f, "prompts", "dr_llm_chat");
    f.input[0].path = (char *)(uintptr_t) "models/stories";
    assert_int_equal(fake_job_run(&f, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "models/stories has no chat template"));
    f.input[0].path = (char *)protobuf_c_empty_string;
    fake_job_release(&f);
    job_models_drop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generated_answers_are_searched),
        cmocka_unit_test(chat_prompts_need_a_chat_model),
        cmocka_unit_test(every_benchmark_is_scored_alike_alone_and_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
