/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a stage trains a checkpoint of another format on a benchmark read from a file, a tenth of
 * which is held out; its model opens with its tokenizer and goes on in a second stage. Method:
 * stories260K (llama2.c, interleaved) on the shared GSM8K; skipped without them. */
#include "tests/unit/worker_jobs/stage_rig.h"

#include <limits.h>

#include "worker/jobs/stage_problems.h"
#include "worker/model/model.h"
#include "worker/tokenizer/tokenizer.h"

static char shared[256];

static void need(const char *path)
{
    const char *env = getenv("DROVER_SHARED");
    char at[500];

    snprintf(shared, sizeof(shared), "%s/data", env && env[0] ? env : "../shared");
    snprintf(at, sizeof(at), "%s/%s", shared, path);
    if (access(at, R_OK) != 0)
        skip();
}

static void link_file(const char *dir, const char *name, const char *file)
{
    char from[500], to[500], target[PATH_MAX];

    snprintf(from, sizeof(from), "%s/models/stories260K/%s", shared, file);
    snprintf(to, sizeof(to), "%s/%s", dir, name);
    assert_non_null(realpath(from, target));
    assert_int_equal(symlink(target, to), 0);
}

static void start(struct fake_job *f, uint64_t first, const char *prompts)
{
    static const int64_t level = 0;
    char path[400];

    snprintf(stage_model, sizeof(stage_model), "/nowhere");
    stage_start(f, first, 1);
    snprintf(path, sizeof(path), "%s/in", f->scratch);
    assert_int_equal(mkdir(path, 0700), 0);
    link_file(path, "model.bin", "stories260K.bin");
    link_file(path, "tok512.bin", "tok512.bin");
    snprintf(f->path[0], sizeof(f->path[0]), "%s", path);
    snprintf(path, sizeof(path), "%s/gsm8k/train.jsonl", shared);
    fake_job_input(f, "task_file.gsm8k", path);
    fake_job_texts(f, "tasks", (const char *const[]){ "gsm8k" }, 1);
    fake_job_ints(f, "levels", &level, 1);
    fake_job_text(f, "prompts", prompts);
    fake_job_text(f, "variance", "keep");
    fake_job_int(f, "max_new", 12);
    fake_job_int(f, "problems", 2);
    fake_job_int(f, "group", 2);
    fake_job_int(f, "warmup", 0);
}

static void llama2_model_learns_from_a_benchmark_and_becomes_a_folder(void **state)
{
    struct fake_job f, next;
    struct model *m = NULL;
    struct err err = { 0 };

    (void)state;
    need("gsm8k/train.jsonl");
    need("models/stories260K/tok512.bin");
    start(&f, 0, "dr_llm");
    fake_job_int(&f, "validation_examples", 2);
    fake_job_run_or_fail(&f);
    assert_non_null(stage_metric(&f, "gradient_norm", 1));
    assert_non_null(stage_metric(&f, "validation_free_accuracy.gsm8k", 1));
    if (model_open(&m, stage_output(&f, "model"), NULL, NULL, &err))
        fail_msg("%s", err.text);
    assert_int_equal(tokenizer_vocab(m->tok), 512);
    assert_false(m->conf.rope_interleaved);
    model_free(m);

    start(&next, 1, "dr_llm"); /* the moments belong to the folder's order of rows */
    snprintf(next.path[0], sizeof(next.path[0]), "%s", stage_output(&f, "model"));
    fake_job_input(&next, "state", stage_output(&f, "state"));
    fake_job_run_or_fail(&next);
    fake_job_release(&next);
    fake_job_release(&f);
}

static void prompts_that_do_not_fit_are_refused(void **state)
{
    struct fake_job f;
    struct err err = { 0 };

    (void)state;
    need("gsm8k/train.jsonl");
    need("models/stories260K/tok512.bin");
    start(&f, 0, "dr_llm");
    fake_job_int(&f, "max_new", 500);
    assert_int_equal(fake_job_run(&f, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "do not fit into the 512 positions"));
    fake_job_release(&f);
}

static void tenth_of_a_file_is_held_out(void **state)
{
    enum { HELD = 40, DRAWN = 300 };
    static const double weight[STAGE_LEVELS_MAX] = { 1 };
    uint64_t held[HELD];
    struct stage_problems *problems = NULL;
    struct stage_conf c;
    struct model *m = NULL;
    struct fake_job f;
    struct err err = { 0 };

    (void)state;
    need("gsm8k/train.jsonl");
    need("models/stories260K/tok512.bin");
    start(&f, 0, "dr_llm");
    assert_int_equal(stage_conf_read(&c, &f.job, &err), 0);
    assert_int_equal(model_open(&m, f.path[0], NULL, NULL, &err), 0);
    if (stage_problems_open(&problems, &c, &f.job, m, &err))
        fail_msg("%s", err.text);
    for (size_t i = 0; i < HELD + DRAWN; i++) {
        struct stage_problem p;
        int rc = i < HELD ? stage_problem_fixed(problems, 0, 0, i, 0, &p, &err)
                          : stage_problem_draw(problems, 3, i, 0, weight, 0, &p, &err);

        if (rc)
            fail_msg("%s", err.text);
        for (size_t k = 0; i >= HELD && k < HELD; k++)
            assert_true(p.example.id != held[k]);
        if (i < HELD)
            held[i] = p.example.id;
        stage_problem_release(&p);
    }
    {
        struct stage_problem p;

        assert_int_equal(stage_problem_fixed(problems, 0, 0, 7000, 0, &p, &err), ERR_LIMIT);
    }
    assert_non_null(strstr(err.text, "held out"));
    stage_problems_close(problems);
    model_free(m);
    fake_job_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(llama2_model_learns_from_a_benchmark_and_becomes_a_folder),
        cmocka_unit_test(prompts_that_do_not_fit_are_refused),
        cmocka_unit_test(tenth_of_a_file_is_held_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
