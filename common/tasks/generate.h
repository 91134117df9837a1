/* SPDX-License-Identifier: Apache-2.0 */
/* generate.h - the synthetic tasks: inside common/tasks only.
 *
 * A generator draws one problem of LEVEL from R. The problem's text is prompt and canonical record
 * at once; ids and splits are hashes of it, so the same problem is always in the same split. */
#ifndef COMMON_TASKS_GENERATE_H
#define COMMON_TASKS_GENERATE_H

#include <stdint.h>

#include "common/base/macros.h"
#include "common/base/rng.h"

enum { PROBLEM_TEXT = 96, PROBLEM_ANSWER = 4 };

struct problem {
    char prompt[PROBLEM_TEXT];
    char answer[PROBLEM_ANSWER];
};

/* math: level + 2 operators over level + 3 digits, combined from left to right: + and - modulo 10,
 * > the larger, < the smaller. "3+5>2-4=" asks for ((3+5) > 2) - 4 = 4. */
void math_draw(int level, struct rng *r, struct problem *ret);
/* Value of a well-formed math prompt; -1 when TEXT is not one. The judge of the tests. */
int math_value(const char *text);
/* Calls FN for every problem of LEVEL in a fixed order; only sensible at level 1 (640,000
 * problems). */
typedef void (*math_each_fn)(const struct problem *p, void *arg);
void math_each(int level, math_each_fn fn, void *arg);

/* logic: "ab," says that b follows a; facts form chains of LEVEL hops. Then four choices, each an
 * entity and its letter; then "?a=" asks where the chain that starts at a ends. The answer is the
 * letter behind that entity. "ab,cd,ef,gh,dAhBbCfD?a=" is answered C: every hop, and the choice at
 * last, is the same lookup of what stands behind a letter. All entities are distinct. One hop: four
 * chains; two: three; more: two. The ends of all chains are choices, filled up with inner entities.
 */
void logic_draw(int level, struct rng *r, struct problem *ret);

/* lists: level + 4 digits or letters, an operation, its argument. "cabba<3=" asks for the third
 * smallest element (b), "cabba>3=" for the third largest (b), "cabba-2=" for the second of the
 * reversed list (b), "cabba?a=" how often a occurs (2). Elements are drawn with repetition from as
 * many symbols as the list is long; the four operations are equally likely; places are 1 to 9. */
void lists_draw(int level, struct rng *r, struct problem *ret);
/* What a list problem is of: "sort", "reverse" or "count". */
const char *lists_subset(const char *prompt);

#endif
