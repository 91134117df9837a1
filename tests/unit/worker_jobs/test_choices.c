/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: choice tasks are scored as lm-evaluation-harness does (acc, acc_norm), end to end on a real
 * checkpoint, and searching them does not depend on the prefix cache. Method: stories260K on a few
 * ARC-Easy questions; log-likelihoods once more from the plain logits of every row, log-softmax in
 * double with libm. */
#include <limits.h>
#include <sys/stat.h>

#include "tests/support/fake_job.h"

#include <math.h>

#include "common/tasks/task.h"
#include "worker/model/model.h"
#include "worker/model/sweep.h"
#include "worker/tokenizer/tokenizer.h"

enum { EXAMPLES = 6 };

static char model_dir[512], arc_path[512];

/* Paths of the shared data, or false. */
static bool have_data(void)
{
    const char *shared = getenv("DROVER_SHARED");

    shared = shared && shared[0] ? shared : "../shared";
    snprintf(model_dir, sizeof(model_dir), "%s/data/models/stories260K", shared);
    snprintf(arc_path, sizeof(arc_path), "%s/data/arc/ARC-Easy-Test.jsonl", shared);
    return access(model_dir, R_OK) == 0 && access(arc_path, R_OK) == 0;
}

static void link_file(const char *dir, const char *name, const char *file)
{
    char from[1100], to[1100], target[PATH_MAX];

    snprintf(from, sizeof(from), "%s/%s", model_dir, file);
    snprintf(to, sizeof(to), "%s/%s", dir, name);
    assert_non_null(realpath(from, target));
    assert_int_equal(symlink(target, to), 0);
}

/* The model as a worker lays it out for a single-file checkpoint: a folder of links. */
static void start(struct fake_job *f, enum kind_id kind, uint64_t begin, uint64_t end)
{
    static char folder[128];

    fake_job_init(f, kind);
    snprintf(folder, sizeof(folder), "%s/in", f->scratch);
    assert_int_equal(mkdir(folder, 0700), 0);
    link_file(folder, "model.bin", "stories260K.bin");
    link_file(folder, "tokenizer.bin", "tok512.bin");
    fake_job_input(f, "model", folder);
    fake_job_input(f, "task_file", arc_path);
    fake_job_text(f, "task", "arc_easy");
    fake_job_int(f, "examples", EXAMPLES);
    f->lease.begin = begin;
    f->lease.end = end;
}

/* Sum of the log-probabilities of CHOICE, which begins with its blank, after PROMPT. */
static double judge(const struct model *m, struct sweep *sweep, const char *prompt,
                    const char *choice)
{
    static uint8_t ones[MODEL_LAYERS_MAX];
    struct buf text CLEANUP(buf_release) = { 0 };
    uint32_t *context = NULL, *whole = NULL;
    size_t context_len, len, vocab = m->conf.vocab;
    struct err err = { 0 };
    float *logits;
    double sum = 0;

    memset(ones, 1, sizeof(ones));
    buf_printf(&text, "%s%s", prompt, choice);
    assert_int_equal(tokenizer_encode(m->tok, prompt, strlen(prompt), TOKENIZER_BOS, &context,
                                      &context_len, &err),
                     0);
    assert_int_equal(
        tokenizer_encode(m->tok, buf_str(&text), text.len, TOKENIZER_BOS, &whole, &len, &err), 0);
    assert_true(len <= m->conf.positions + 1); /* nothing is cut in these examples */
    assert_int_equal(whole[0], m->conf.bos);
    logits = mem_calloc((len - 1) * vocab, sizeof(float));
    struct sweep_seq seq = { .tokens = whole, .rows = len - 1, .routing = ones, .logits = logits };

    assert_int_equal(sweep_run(sweep, &seq, 1, NULL, &err), 0);
    for (size_t r = context_len - 1; r + 1 < len; r++) {
        const float *row = logits + r * vocab;
        double most = -INFINITY, total = 0;

        for (size_t v = 0; v < vocab; v++)
            most = fmax(most, (double)row[v]);
        for (size_t v = 0; v < vocab; v++)
            total += exp((double)row[v] - most);
        sum += (double)row[whole[r + 1]] - most - log(total);
    }
    free(logits);
    free(context);
    free(whole);
    return sum;
}

static void check_score(const Drover__Score *s, const double *want, const struct example *e)
{
    size_t best = 0, best_norm = 0;

    assert_int_equal(s->n_logprob, e->choices_len);
    for (size_t c = 0; c < e->choices_len; c++) {
        /* float logits and logsumexp, up to some hundred terms of size 10 */
        assert_true(fabs(s->logprob[c] - want[c]) < 1e-3);
        if (want[c] > want[best])
            best = c;
        if (want[c] / (double)(strlen(e->choice[c]) - 1) >
            want[best_norm] / (double)(strlen(e->choice[best_norm]) - 1))
            best_norm = c;
    }
    assert_int_equal(s->answer[0], 'A' + (int)best);
    assert_int_equal(s->correct, (int)best == e->gold_choice);
    assert_int_equal(s->correct_norm, (int)best_norm == e->gold_choice);
}

static void scores_are_those_of_an_independent_log_softmax(void **state)
{
    struct fake_job f;
    struct task_source *source = NULL;
    struct model *m = NULL;
    struct sweep *sweep;
    struct err err = { 0 };
    char bin[600], tok[600];

    (void)state;
    if (!have_data()) {
        print_message("SKIP-DATA models/stories260K arc\n");
        skip();
    }
    start(&f, KIND_EVALUATE, 0, EXAMPLES);
    fake_job_run_or_fail(&f);
    assert_int_equal(f.results_len, EXAMPLES);
    snprintf(bin, sizeof(bin), "%s/stories260K.bin", model_dir);
    snprintf(tok, sizeof(tok), "%s/tok512.bin", model_dir);
    assert_int_equal(model_open(&m, bin, tok, NULL, &err), 0);
    sweep = sweep_new(m, NULL);
    const struct task_query query = {
        .task = "arc_easy", .split = SPLIT_TEST, .path = arc_path, .fewshot = -1
    };
    assert_int_equal(task_open(&source, &query, &err), 0);
    for (size_t i = 0; i < EXAMPLES; i++) {
        struct example e CLEANUP(example_release) = { 0 };
        double want[TASK_CHOICES_MAX];

        assert_int_equal(task_get(source, i, &e, &err), 0);
        assert_int_equal(f.result[i]->example->id, e.id);
        for (size_t c = 0; c < e.choices_len; c++)
            want[c] = judge(m, sweep, e.prompt, e.choice[c]);
        check_score(f.result[i]->score, want, &e);
    }
    task_close(source);
    sweep_free(sweep);
    model_free(m);
    fake_job_release(&f);
    job_models_drop();
}

static void labels_of_choices_do_not_depend_on_the_prefix_cache(void **state)
{
    struct fake_job with, without;

    (void)state;
    if (!have_data()) {
        print_message("SKIP-DATA models/stories260K arc\n");
        skip();
    }
    start(&with, KIND_SEARCH, 0, 2);
    fake_job_int(&with, "simulations", 10);
    fake_job_run_or_fail(&with);
    start(&without, KIND_SEARCH, 0, 2);
    fake_job_int(&without, "simulations", 10);
    fake_job_int(&without, "cache_bytes", 0);
    fake_job_run_or_fail(&without);
    for (size_t i = 0; i < 2; i++) {
        const Drover__Label *a = with.result[i]->label, *b = without.result[i]->label;

        assert_true(a->layer_rows < b->layer_rows);
        assert_int_equal(a->has_label, b->has_label);
        assert_int_equal(a->n_log, b->n_log);
        for (size_t k = 0; k < a->n_log; k++) {
            assert_memory_equal(a->log[k]->routing.data, b->log[k]->routing.data, a->layers);
            assert_string_equal(a->log[k]->answer, b->log[k]->answer);
        }
    }
    fake_job_release(&with);
    fake_job_release(&without);
    job_models_drop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_those_of_an_independent_log_softmax),
        cmocka_unit_test(labels_of_choices_do_not_depend_on_the_prefix_cache),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
