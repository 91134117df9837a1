/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.h - from the outcomes of examples to one number with its standard error, as
 * lm-evaluation-harness computes them. Pure. */
#ifndef COMMON_METRICS_METRICS_H
#define COMMON_METRICS_METRICS_H

#include <stddef.h>
#include <stdint.h>

/* Metrics that need the whole set, as bits: of what the model chose against the gold class. */
enum {
    METRIC_MCC = 1, /* Matthews correlation (any number of classes) */
    METRIC_F1 = 2,  /* of class 1 against class 0 */
    METRIC_MACRO_F1 =
        4, /* unweighted mean of the classes' F1 (classes that occur in either list) */
    METRIC_SQUAD_BEST = 8, /* best_exact, best_f1 over thresholds on no_answer_probability */
};

struct metric_value {
    double value, stderr_; /* stderr_: NaN when it cannot be told (n < 2) */
    uint64_t n;
};

/* Mean; standard error = sample standard deviation (n - 1) / sqrt(n). */
struct metric_value metric_mean(const double *x, size_t n);
/* The same from a sum and a sum of squares of 0/1 values or small integers. */
struct metric_value metric_mean_sums(uint64_t n, double sum, double sum_squares);
/* The same over groups weighted by size (MMLU, AGIEval): pooled mean; standard error as the
 * harness pools it: sqrt(sum((n_g - 1) * se_g^2 * n_g) / (N - G) / N). */
struct metric_value metric_pooled(const struct metric_value *group, size_t groups);

/* One of METRIC_MCC, METRIC_F1, METRIC_MACRO_F1 over N examples: classes 0..63. The standard error
 * is the sample standard deviation over bootstrap resamples (the harness's rule), drawn by Philox
 * keyed by ("bootstrap", SEED): 100,000 resamples while n * resamples <= 2e8, else fewer, at least
 * 1,000. */
struct metric_value metric_classes(int which, const uint8_t *chosen, const uint8_t *gold, size_t n,
                                   uint64_t seed);

/* SQuAD 2.0's best score over thresholds: SCORE (exact or F1 of the given answer, 0..1), P_NONE
 * (no_answer_probability), HAS_ANSWER 0/1. *RET_THRESHOLD may be NULL. */
double metric_squad_best(const double *score, const double *p_none, const uint8_t *has_answer,
                         size_t n, double *ret_threshold);

#endif
