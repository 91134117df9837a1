/* SPDX-License-Identifier: Apache-2.0 */
/* think.h - answers with visible reasoning: "<think>TRACE</think><answer>4</answer>". How they are
 * asked for, with or without a budget of tokens, and what a response is made of. Pure functions of
 * text; knows no tokenizer (worker/jobs/thought.h counts tokens). */
#ifndef COMMON_TASKS_THINK_H
#define COMMON_TASKS_THINK_H

#include <stdbool.h>
#include <stddef.h>

#include "common/tasks/task.h"

#define THINK_OPEN   "<think>"
#define THINK_CLOSE  "</think>"
#define ANSWER_OPEN  "<answer>"
#define ANSWER_CLOSE "</answer>"

enum {
    THINK_TAGS = 4,
    THINK_BUDGET_MAX = 65536,
    THINK_TOKENS = 128,       /* decoding limit of a synthetic task's response */
    THINK_TOKENS_TEXT = 1024, /* of a text task's, where the task's own is not larger */
};
/* The four tags in the order of a response. An embedded thinking model has a token for each. */
extern const char *const think_tag[THINK_TAGS];
/* Every character of its prompts, traces and answers, each once: task_alphabet()'s, '#', ':', ';'.
 */
const char *think_alphabet(void);

/* Bytes [begin, end) of a response. */
struct think_span {
    size_t begin, end;
};
/* What a response is made of. */
struct think_parts {
    bool has_think;   /* it opens a think span; without a closing tag the span goes to the end */
    bool has_answer;  /* it has a closed answer span */
    bool think_ok;    /* exactly one think span, opened, then closed, no other tag inside */
    bool answer_ok;   /* exactly one answer span, the same */
    bool well_formed; /* both, the answer behind the thinking, and nothing else but blanks */
    /* What is between the tags of the first think span and the first answer span; empty ranges when
     * there is none. */
    struct think_span think, answer;
};
void think_parse(const char *text, size_t len, struct think_parts *ret);

/* The problem as the embedded model is asked: "3+5>2-4=" or, BUDGET > 0, "#15:3+5>2-4="; appended
 * to OUT. */
void think_compact(const char *problem, size_t budget, struct buf *out);
/* For text models: a preamble (think first, between tags; then answer between tags) and, BUDGET >
 * 0, a sentence that asks for exactly so many tokens. think_prompt() has the question and
 * "Assistant:" behind it; of a chat the preamble is the system message, the question the user's. */
void think_preamble(size_t budget, struct buf *out);
void think_prompt(const char *question, size_t budget, struct buf *out);

/* Ask E, an ANSWER example of TASK made with any prompts (also task_draw's), with PROMPTS
 * (PROMPTS_THINK or PROMPTS_THINK_CHAT, asserted) and BUDGET (0: none stated) instead: its prompt,
 * system message, stops, choices and decoding limit change; id, question and gold do not. May be
 * called again with another budget. */
void think_ask(const struct task_spec *task, struct example *e, enum task_prompts prompts,
               size_t budget);

/* True for PROMPTS_THINK and PROMPTS_THINK_CHAT. */
bool think_prompts(enum task_prompts p);
/* True when TASK can be asked so: math, logic, and benchmarks whose answer is generated. */
bool think_task(const struct task_spec *task);

#endif
