/* SPDX-License-Identifier: Apache-2.0 */
/* trace.h - written reasoning for problems of the tasks math and logic, in several valid lengths.
 *
 *            "3+5>2-4="                                "bc,de,ab,cAeBbCdD?a="
 *   verbose  1:3+5=8;2:8>2=8;3:8-4=4   8 per operator  ?a:ab;?b:bc;?c:cA   6 per hop and choice
 *   mixed    1:3+5=8;8;3:8-4=4         8 or 2          ?a:ab;c;?c:cA       6 or 2
 *   merged   8;8                       2 per operator  b;c                 2 per hop
 *   sparse   2:8                       4 per second    2:c                 4 per second
 *   direct   (nothing)
 *
 * A mixed trace writes each step as verbose or as merged ones do, drawn one by one: so there is a
 * trace of any length between these. Merged and sparse traces, and mixed ones whose last step is
 * short, leave the last value to the answer. Sparse ones end with the value in front of it, so the
 * first step may be left out; at level 5 of math they have as many tokens as merged ones. A trace
 * with its tags and answer is a completion: "<think>8;8</think><answer>4</answer>". */
#ifndef COMMON_TASKS_TRACE_H
#define COMMON_TASKS_TRACE_H

#include "common/base/rng.h"
#include "common/tasks/task.h"

enum trace_style {
    TRACE_VERBOSE,
    TRACE_MIXED,
    TRACE_MERGED,
    TRACE_SPARSE,
    TRACE_DIRECT,
    TRACE_STYLES
};
const char *trace_style_name(enum trace_style s); /* "verbose", "mixed"... */

/* True for the tasks that have traces: math and logic. */
bool trace_task(const char *task);
/* The reasoning for the well-formed PROBLEM of TASK (an example's question; both asserted),
 * appended to OUT; and the whole completion, answer included. */
void trace_think(const char *task, const char *problem, enum trace_style s, struct buf *out);
void trace_completion(const char *task, const char *problem, enum trace_style s, struct buf *out);
/* The completion of a mixed trace: step i, from 0, by its value alone where bit i of BRIEF is set.
 */
void trace_mixed(const char *task, const char *problem, uint64_t brief, struct buf *out);
/* Draw such bits: each set with one probability, which is drawn for the trace. */
uint64_t trace_draw_brief(struct rng *r);
/* Tokens of the completion (a tag is one, else a character), without the one that ends texts: a
 * function of task, level and style. And of the prompt that states BUDGET (0: none), without the
 * one that begins texts. */
size_t trace_completion_tokens(const char *task, int level, enum trace_style s);
size_t trace_prompt_tokens(const char *task, int level, size_t budget);
/* The longest style among those whose WEIGHT is above 0 (one must be, asserted). */
enum trace_style trace_longest(const double weight[TRACE_STYLES]);
/* Positions that a training text of that style takes: a token that begins it, a prompt that states
 * BUDGET (0: one as large as the verbose completion), the completion. */
size_t trace_positions(const char *task, int level, enum trace_style s, size_t budget);

#endif
