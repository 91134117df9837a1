/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the metrics of a whole set are those that its tasks ask for, and right. Method: families
 * filled by hand, numbers worked out by hand (standard error of a share: sqrt(p (1 - p) / (n -
 * 1))).
 */
#include "tests/unit/store/scores.h"

#include "common/metrics/metrics.h"

/* Answer tasks: exact applies to all, HasAns_exact to the even ones. */
static void answer(uint64_t i, struct store_score *score, struct store_example *example)
{
    static struct store_value_of values[3];
    static const double none[] = { -0.5 };

    (void)example;
    values[0] = (struct store_value_of){ "exact", i < 2 };
    values[1] = (struct store_value_of){ "f1", 0.25 * (double)i };
    values[2] = (struct store_value_of){ i % 2 ? "NoAns_exact" : "HasAns_exact", i < 2 };
    score->values = values;
    score->values_len = 3;
    score->logprob = none;
    score->logprob_len = 1;
}

static void answer_tasks_have_metrics_of_their_own(void **state)
{
    struct fixture *f = *state;
    struct eval e;
    char text[512];

    submit(f->s, "e", 4, 4, &e);
    run_scores(f->s, e.job[0], 0, 4, answer);
    assert_string_equal(
        text_of(f->path,
                "SELECT group_concat(metric) FROM (SELECT metric FROM summary ORDER BY id)", text),
        "exact,f1,HasAns_exact,NoAns_exact");
    assert_near(summary(f->path, 4, "exact", "value"), 0.5);
    assert_near(summary(f->path, 4, "exact", "stderr"), sqrt(0.25 / 3.0));
    assert_near(summary(f->path, 4, "f1", "value"), 0.375);
    /* 0, .25, .5, .75: sum of squares about the mean .3125 */
    assert_near(summary(f->path, 4, "f1", "stderr"), sqrt(0.3125 / 3.0 / 4.0));
    assert_near(summary(f->path, 4, "HasAns_exact", "n"), 2);
    assert_near(summary(f->path, 4, "HasAns_exact", "value"), 0.5);
    assert_string_equal(text_of(f->path, "SELECT metrics FROM score WHERE idx = 3", text),
                        "{\"exact\":0.0,\"f1\":0.75,\"NoAns_exact\":0.0}");
}

/* TruthfulQA's mass: .25, .75, and two that are right. */
static void mass(uint64_t i, struct store_score *score, struct store_example *example)
{
    static struct store_value_of value;

    (void)example;
    value = (struct store_value_of){ "acc", 0.25 + 0.5 * (double)i };
    score->correct = score->correct_norm = i > 1;
    score->logprob = two_choices;
    score->logprob_len = 2;
    score->values = &value;
    score->values_len = i < 2;
}

static void an_accuracy_that_is_a_mass_comes_among_the_metrics(void **state)
{
    struct fixture *f = *state;
    struct eval e;

    submit(f->s, "e", 4, 4, &e);
    run_scores(f->s, e.job[0], 0, 4, mass);
    assert_near(summary(f->path, 4, "acc", "value"), 0.75);
    assert_near(summary(f->path, 4, "acc", "n"), 4);
    assert_near(summary(f->path, 4, "acc_norm", "value"), 0.5);
}

static void plain(uint64_t i, struct store_score *score, struct store_example *example)
{
    (void)example;
    score->correct = score->correct_norm = i == 0;
}

static void tasks_without_metrics_have_their_accuracy(void **state)
{
    struct fixture *f = *state;
    struct eval e;
    char text[512];

    submit(f->s, "e", 4, 4, &e);
    run_scores(f->s, e.job[0], 0, 4, plain);
    assert_string_equal(
        text_of(f->path,
                "SELECT group_concat(metric) FROM (SELECT metric FROM summary ORDER BY id)", text),
        "acc");
    assert_near(summary(f->path, 4, "acc", "value"), 0.25);
}

/* Chosen 1 1 1 0 0 0 against gold 1 1 0 0 0 1: tp 2, fp 1, fn 1, tn 2. */
static void classes(uint64_t i, struct store_score *score, struct store_example *example)
{
    static const int pick[] = { 1, 1, 1, 0, 0, 0 }, gold[] = { 1, 1, 0, 0, 0, 1 };

    (void)example;
    score->pick = pick[i];
    score->gold = gold[i];
    score->correct = score->correct_norm = pick[i] == gold[i];
    score->logprob = two_choices;
    score->logprob_len = 2;
    score->whole_set = METRIC_MCC | METRIC_F1 | METRIC_MACRO_F1;
}

static void metrics_of_the_whole_set_come_from_the_classes(void **state)
{
    struct fixture *f = *state;
    static const uint8_t pick[] = { 1, 1, 1, 0, 0, 0 }, gold[] = { 1, 1, 0, 0, 0, 1 };
    struct metric_value mcc;
    struct eval e;

    submit(f->s, "e", 6, 2, &e);
    for (size_t i = 0; i < 3; i++)
        run_scores(f->s, e.job[i], 2 * i, 2 * i + 2, classes);
    /* (2 * 2 - 1 * 1) / sqrt(3 * 3 * 3 * 3); F1 of both classes 2 / 3 */
    assert_near(summary(f->path, 6, "mcc", "value"), 1.0 / 3.0);
    assert_near(summary(f->path, 6, "f1", "value"), 2.0 / 3.0);
    assert_near(summary(f->path, 6, "macro_f1", "value"), 2.0 / 3.0);
    assert_near(summary(f->path, 6, "acc", "value"), 4.0 / 6.0);
    mcc = metric_classes(METRIC_MCC, pick, gold, 6, 1234);
    assert_true(mcc.stderr_ > 0.1);
    assert_near(summary(f->path, 6, "mcc", "stderr"), mcc.stderr_);
}

static void macro(uint64_t i, struct store_score *score, struct store_example *example)
{
    classes(i, score, example);
    score->whole_set = METRIC_MACRO_F1;
}

static void a_lone_macro_average_is_called_f1(void **state)
{
    struct fixture *f = *state;
    struct eval e;

    submit(f->s, "e", 6, 6, &e);
    run_scores(f->s, e.job[0], 0, 6, macro);
    assert_near(summary(f->path, 6, "f1", "value"), 2.0 / 3.0);
    assert_true(isnan(summary(f->path, 6, "macro_f1", "value")));
}

static void squad(uint64_t i, struct store_score *score, struct store_example *example)
{
    /* exact, probability of "unanswerable", has an answer */
    static const struct {
        double exact, p_none;
        bool has;
    } rows[] = { { 1, 0.1, true }, { 0, 0.9, false }, { 1, 0.2, true }, { 0, 0.95, true } };
    static struct store_value_of values[3];
    static double logprob[1];

    (void)example;
    values[0] = (struct store_value_of){ "exact", rows[i].exact };
    values[1] = (struct store_value_of){ "f1", rows[i].exact };
    values[2] =
        (struct store_value_of){ rows[i].has ? "HasAns_exact" : "NoAns_exact", rows[i].exact };
    logprob[0] = log(rows[i].p_none);
    score->values = values;
    score->values_len = 3;
    score->logprob = logprob;
    score->logprob_len = 1;
    score->whole_set = METRIC_SQUAD_BEST;
}

/* The same with the probability among the values. */
static void squad_given(uint64_t i, struct store_score *score, struct store_example *example)
{
    static struct store_value_of values[4];

    squad(i, score, example);
    memcpy(values, score->values, 3 * sizeof *values);
    values[3] = (struct store_value_of){ "no_answer_probability", exp(score->logprob[0]) };
    score->values = values;
    score->values_len = 4;
    score->logprob_len = 0;
}

static void squad_takes_the_probability_that_is_given(void **state)
{
    struct fixture *f = *state;
    struct eval e;

    submit(f->s, "e", 4, 4, &e);
    run_scores(f->s, e.job[0], 0, 4, squad_given);
    assert_near(summary(f->path, 4, "best_exact", "value"), 0.75);
    assert_int_equal(
        number(f->path, "SELECT count(*) FROM summary WHERE metric = 'no_answer_probability'"), 0);
}

static void squad_has_its_best_over_thresholds(void **state)
{
    struct fixture *f = *state;
    struct eval e;

    submit(f->s, "e", 4, 4, &e);
    run_scores(f->s, e.job[0], 0, 4, squad);
    /* Those up to .2 answered, the others called unanswerable: three of four are right. */
    assert_near(summary(f->path, 4, "exact", "value"), 0.5);
    assert_near(summary(f->path, 4, "best_exact", "value"), 0.75);
    assert_near(summary(f->path, 4, "best_f1", "value"), 0.75);
    assert_true(isnan(summary(f->path, 4, "best_f1", "stderr")));
}

/* Subsets a (3 of 4 right) and b (1 of 2). */
static void subsets(uint64_t i, struct store_score *score, struct store_example *example)
{
    score->correct = score->correct_norm = i != 3 && i != 5;
    score->logprob = two_choices;
    score->logprob_len = 2;
    example->subset = i < 4 ? "a" : "b";
}

static void errors_are_pooled_over_subsets(void **state)
{
    struct fixture *f = *state;
    double a = 0.75 * 0.25 / 3.0, b = 0.5 * 0.5 / 1.0; /* squared standard errors */
    struct eval e;

    submit(f->s, "e", 6, 6, &e);
    run_scores(f->s, e.job[0], 0, 6, subsets);
    assert_near(summary(f->path, 6, "acc", "value"), 4.0 / 6.0);
    assert_near(summary(f->path, 6, "acc", "stderr"), sqrt(4.0 / 6.0 * 2.0 / 6.0 / 5.0));
    assert_near(summary(f->path, 6, "acc", "stderr_pooled"),
                sqrt((3 * a * 4 + 1 * b * 2) / (6 - 2) / 6));
    assert_int_equal(number(f->path, "SELECT n FROM subset_accuracy WHERE subset = 'a'"), 4);
    assert_int_equal(number(f->path, "SELECT 1000 * accuracy FROM subset_accuracy "
                                     "WHERE subset = 'a' AND step = 'score'"),
                     750);
    assert_int_equal(number(f->path, "SELECT 1000000 * stderr FROM subset_accuracy "
                                     "WHERE subset = 'b'"),
                     500000);
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(answer_tasks_have_metrics_of_their_own),
        T(an_accuracy_that_is_a_mass_comes_among_the_metrics),
        T(tasks_without_metrics_have_their_accuracy),
        T(metrics_of_the_whole_set_come_from_the_classes),
        T(a_lone_macro_average_is_called_f1),
        T(squad_takes_the_probability_that_is_given),
        T(squad_has_its_best_over_thresholds),
        T(errors_are_pooled_over_subsets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
