/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: with simulations enough, the search finds the shortest correct path there is. Method: a
 * model of 6 layers, all of its 648 legal paths evaluated whole for each of 200 questions and
 * ordered by this file's own rule; search jobs, through the evaluator with its prefix states, must
 * give these labels. With the usual constants long paths wait for hundreds of thousands of
 * simulations (lambda = 3 keeps away from them): a question or two is searched on, by the outcomes
 * that are there by then. */
#include "tests/unit/worker_jobs/tiny.h"

#include "worker/jobs/evaluator.h"
#include "worker/search/search.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { QUESTIONS = 16 };
#else
enum { QUESTIONS = 200 };
#endif
enum { LAYERS = 6, PATHS = 648, CODES = 729, TOGETHER = 8 };

static uint8_t path[PATHS][LAYERS];    /* the best label first */
static bool correct[QUESTIONS][PATHS]; /* what whole paths give */

static int make_model(void **state)
{
    (void)state;
    tiny_make(LAYERS);
    return 0;
}

static bool legal(const uint8_t *r)
{
    int sum = 0;

    for (int i = 0; i < LAYERS; i++) {
        if (i >= 2 && r[i - 2] + r[i - 1] + r[i] == 0)
            return false;
        sum += r[i];
    }
    return sum > 0;
}

/* A number that grows with length, then changes, then the digits. */
static uint32_t rank_of(const uint8_t *r)
{
    uint32_t length = 0, changes = 0, digits = 0;

    for (int i = 0; i < LAYERS; i++) {
        length += r[i];
        changes += r[i] != 1;
        digits = digits * 3 + r[i];
    }
    return (length * 100 + changes) * 1000 + digits;
}

static int by_rank(const void *a, const void *b)
{
    uint32_t x = rank_of(a), y = rank_of(b);

    return (x > y) - (x < y);
}

static void make_paths(void)
{
    size_t n = 0;

    for (int code = 0; code < CODES; code++) {
        uint8_t r[LAYERS];

        for (int i = LAYERS - 1, rest = code; i >= 0; i--, rest /= 3)
            r[i] = (uint8_t)(rest % 3);
        if (legal(r))
            memcpy(path[n++], r, LAYERS);
    }
    assert_int_equal(n, PATHS);
    qsort(path, PATHS, LAYERS, by_rank);
}

/* Outcomes of all paths of all questions. */
static void evaluate_all(void)
{
    const struct task_query q = { .task = "math", .level = 1, .split = SPLIT_TRAIN };
    static struct evaluation v[TOGETHER * PATHS];
    static struct outcome o[TOGETHER * PATHS];
    struct evaluator_conf conf = { .task = task_find("math"), .sampling = { .top_p = 1 } };
    struct evaluator *evaluator = NULL;
    struct task_source *source = NULL;
    struct model *m = NULL;
    struct err err = { 0 };

    assert_int_equal(model_open(&m, tiny_dir, NULL, NULL, &err), 0);
    conf.model = m;
    assert_int_equal(evaluator_new(&evaluator, &conf, &err), 0);
    assert_int_equal(task_open(&source, &q, &err), 0);
    for (size_t first = 0; first < QUESTIONS; first += TOGETHER) {
        struct example e[TOGETHER] = { 0 };
        const struct example *at[TOGETHER];

        for (size_t i = 0; i < TOGETHER; i++) {
            at[i] = &e[i];
            assert_int_equal(task_get(source, first + i, &e[i], &err), 0);
            for (size_t k = 0; k < PATHS; k++)
                v[i * PATHS + k] = (struct evaluation){ .example = i, .routing = path[k] };
        }
        assert_int_equal(evaluator_begin(evaluator, at, TOGETHER, &err), 0);
        if (evaluator_run(evaluator, v, TOGETHER * PATHS, false, o, NULL, &err) < 0)
            fail_msg("%s", err.text);
        for (size_t i = 0; i < TOGETHER; i++) {
            for (size_t k = 0; k < PATHS; k++)
                correct[first + i][k] = o[i * PATHS + k].correct;
            example_release(&e[i]);
        }
    }
    task_close(source);
    evaluator_free(evaluator);
    model_free(m);
}

/* The best right path of question Q, PATHS when there is none. */
static size_t best_of(size_t q)
{
    size_t k = 0;

    while (k < PATHS && !correct[q][k])
        k++;
    return k;
}

static bool found(size_t q, bool has_label, const uint8_t *label)
{
    size_t best = best_of(q);

    return has_label ? best < PATHS && memcmp(label, path[best], LAYERS) == 0 : best == PATHS;
}

/* Questions whose label is not the best there is; the last of them into *RET. */
static size_t count_missed(const char *method, double length_penalty, int64_t simulations,
                           size_t *ret)
{
    struct fake_job f;
    size_t missed = 0;

    tiny_search(&f, 0, QUESTIONS);
    fake_job_text(&f, "method", method);
    fake_job_real(&f, "length_penalty", length_penalty);
    fake_job_int(&f, "simulations", simulations);
    fake_job_run_or_fail(&f);
    assert_int_equal(f.results_len, QUESTIONS);
    for (size_t i = 0; i < QUESTIONS; i++) {
        const Drover__Label *l = f.result[i]->label;

        assert_int_equal(l->simulations, simulations);
        if (!found(i, l->has_label, l->routing.data)) {
            missed++;
            *ret = i;
        }
    }
    fake_job_release(&f);
    return missed;
}

static int known_outcome(void *arg, const uint8_t *const *routing, size_t n, double *reward,
                         struct err *err)
{
    const bool *right = arg;

    (void)err;
    for (size_t i = 0; i < n; i++) {
        const uint8_t(*at)[LAYERS] = bsearch(routing[i], path, PATHS, LAYERS, by_rank);

        assert_non_null(at);
        reward[i] = right[at - (const uint8_t(*)[LAYERS])path];
    }
    return 0;
}

static void search_on(size_t q)
{
    const struct search_params p = { .simulations = 1500000,
                                     .round = 5,
                                     .exploration = 1.8,
                                     .length_penalty = 3,
                                     .random_child = 0.1,
                                     .widen_factor = 1.5,
                                     .widen_power = 0.6 };
    struct search_result r;
    struct err err = { 0 };

    if (search_run(&p, LAYERS, 1, q, known_outcome, correct[q], &r, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(found(q, r.has_label, r.label));
    search_result_release(&r);
}

static void search_without_limits_finds_the_shortest_right_path(void **state)
{
    size_t labelled = 0, shorter = 0, several = 0, missed, last = 0;

    (void)state;
    make_paths();
    evaluate_all();
    assert_int_equal(count_missed("progressive", 0, 5000, &last), 0);
    assert_int_equal(count_missed("all", 0, 5000, &last), 0);
    missed = count_missed("progressive", 3, 20000, &last);
    assert_true(missed <= QUESTIONS / 50);
    if (missed > 0)
        search_on(last);
    for (size_t i = 0; i < QUESTIONS; i++) {
        size_t best = best_of(i), changed = 0;

        for (size_t l = 0; best < PATHS && l < LAYERS; l++)
            changed += path[best][l] != 1;
        labelled += best < PATHS;
        shorter += best < PATHS && rank_of(path[best]) < LAYERS * 100 * 1000;
        several += changed >= 3; /* more than one edit */
    }
    /* Else this test says little. */
    assert_true(labelled >= QUESTIONS / 2);
    assert_true(shorter >= QUESTIONS / 2);
    assert_true(several >= QUESTIONS / 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(search_without_limits_finds_the_shortest_right_path),
    };

    return cmocka_run_group_tests(tests, make_model, tiny_remove);
}
