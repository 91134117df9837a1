/* SPDX-License-Identifier: Apache-2.0 */
/* Dr.LLM's own prompts: a letter for multiple choice, a number inside \boxed{} for mathematics,
 * answered at once. Base models continue a text, chat models get a user's turn. */
#include <assert.h>
#include <stdlib.h>

#include "common/tasks/fields.h"
#include "common/tasks/reader.h"

enum { LETTER_TOKENS = 2, LETTER_TOKENS_CHAT = 10, BOXED_TOKENS = 15 };

static int letter(const struct adapter *a, const struct json *root, bool chat, struct example *e,
                  struct err *err)
{
    struct buf b = { 0 };
    int rc;

    buf_adds(&b, "Question: ");
    rc = field_expand(root, a->people, &b, err);
    buf_adds(&b, chat ? "\n" : "\n\n");
    for (size_t i = 0; i < e->choices_len; i++)
        buf_printf(&b, chat ? "%c. %s\n" : "(%c) %s\n", (char)('A' + i), e->choice[i] + 1);
    buf_adds(&b, chat ? "Answer with a single letter. Start your answer with \"Answer: \"."
                      : "\nAnswer: The correct answer is ");
    e->prompt = buf_detach(&b);
    e->answer_tokens_max = chat ? LETTER_TOKENS_CHAT : LETTER_TOKENS;
    buf_addc(&b, (char)('A' + e->gold_choice));
    free(e->gold);
    e->gold = buf_detach(&b);
    for (size_t i = 0; i < e->choices_len; i++)
        free(e->choice[i]);
    e->choices_len = 0;
    e->gold_choice = -1;
    e->gold_mask = 0;
    e->form = TASK_ANSWER;
    return rc;
}

static int boxed(const struct adapter *a, const struct json *root, bool chat, struct example *e,
                 struct err *err)
{
    struct buf b = { 0 };
    int rc;

    if (!chat)
        buf_adds(&b, "Question: What is 2+3?\nAnswer: \\boxed{5}\n"
                     "Question: What is 10/2?\nAnswer: \\boxed{5}\n");
    buf_adds(&b, "Question: ");
    rc = field_expand(root, a->boxed, &b, err);
    buf_adds(&b, chat ? "\nThe final answer MUST BE put in \\boxed{} and no explanation."
                      : "\nAnswer: \\boxed{");
    e->prompt = buf_detach(&b);
    e->answer_tokens_max = BOXED_TOKENS;
    return rc;
}

int build_dr_llm(const struct adapter *a, const struct json *root, enum task_prompts prompts,
                 struct example *e, struct err *err)
{
    bool chat = prompts == PROMPTS_DR_LLM_CHAT;

    assert(a->spec.dr_llm);
    e->prompts = prompts;
    e->chat = chat;
    return a->boxed ? boxed(a, root, chat, e, err) : letter(a, root, chat, e, err);
}
