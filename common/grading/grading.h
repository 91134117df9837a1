/* SPDX-License-Identifier: Apache-2.0 */
/* grading.h - from a model's text to its answer, and whether that is right. Text in, verdict out:
 * pure, no tokenizer, no files. Texts are NUL-terminated UTF-8 (anything else is compared as
 * bytes); all functions take texts of any length up to 1 MiB in near linear time and never crash.
 * Rules and their sources: docs/benchmarks.md. */
#ifndef COMMON_GRADING_GRADING_H
#define COMMON_GRADING_GRADING_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"

/* Extraction. Each appends what was found to OUT and returns true, or returns false and leaves OUT
 * as it was. */

/* Inside of the last \boxed{..}, else of the last \fbox{..}, braces matched, stripped; "\boxed 7"
 * goes to the next '$' or the end. False when the last one is not closed. */
bool extract_boxed(const char *text, struct buf *out);
/* Between the first and the last '$'. */
bool extract_dollars(const char *text, struct buf *out);
/* The first "#### (\-?[0-9\.\,]+)". */
bool extract_gsm8k_strict(const char *text, struct buf *out);
/* The last "(-?[$0-9.,]{2,})|(-?[0-9]+)". */
bool extract_gsm8k_flexible(const char *text, struct buf *out);
/* The last decimal, commas inside kept; a minus counts unless a word or ')' is before it. */
bool extract_last_number(const char *text, struct buf *out);
/* The whole text, stripped, is "^(?:Answer:\s*)?([A-Da-d])\.?$": the letter, upper case. */
bool extract_letter_arc(const char *text, struct buf *out);
/* AGIEval zero-shot: the first of A..LAST that stands alone, else the first at all. */
bool extract_first_capital(const char *text, char last, struct buf *out);
/* The letter of the last "(A)".."(D)". */
bool extract_last_bracketed(const char *text, struct buf *out);

/* Normal forms, appended to OUT. */
void normalise_gsm8k(const char *s, struct buf *out); /* the harness's regexes_to_ignore, then lower
                                                         case: "," "\$" "(?s).*#### " "\.$" */
/* MATH's strip_string; where that fails (two "\text{ ", nothing after \sqrt or \frac), S as it is.
 */
void normalise_hendrycks(const char *s, struct buf *out);
void normalise_prm800k(const char *s, struct buf *out);
void normalise_squad(const char *s, struct buf *out); /* lower, punctuation, articles, blanks */

/* How a verdict on mathematics was reached; counted in results. */
enum math_rule {
    MATH_STRING,   /* equal as strings after normalisation (Hendrycks or PRM800K) */
    MATH_NUMBER,   /* exact arithmetic; a whole number against none */
    MATH_FUNCTION, /* polynomials and rational functions, exactly, at several points */
    MATH_REAL,     /* radicals, pi, e, elementary functions: long double at fixed points, 1e-12 */
    MATH_NO_RULE,  /* outside the grammar and not equal as strings */
    MATH_RULES
};
const char *math_rule_name(enum math_rule r);
/* Are GIVEN and GOLD the same answer? Hendrycks equality, then PRM800K's: normalisation, tuples and
 * intervals element by element with the same brackets, plain fractions literally when both are, an
 * integer never equal to a non-integer, else the difference of the two expressions is zero. *RULE
 * (may be NULL): which rule decided. Differences to sympy: docs/benchmarks.md. */
bool math_equal(const char *given, const char *gold, enum math_rule *rule);

/* Equal numbers: both read as decimals (commas, a currency sign, a percent sign and blanks aside),
 * within TOLERANCE absolute. False when one is no number. */
bool number_equal(const char *given, const char *gold, double tolerance);

/* SQuAD 2.0 for one gold ("" = unanswerable): 0 or 1, and token F1. */
double squad_exact(const char *given, const char *gold);
double squad_f1(const char *given, const char *gold);

#endif
