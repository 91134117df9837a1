/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tasks/think.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

const char *const think_tag[THINK_TAGS] = { THINK_OPEN, THINK_CLOSE, ANSWER_OPEN, ANSWER_CLOSE };

enum tag { OPENS_THINK, CLOSES_THINK, OPENS_ANSWER, CLOSES_ANSWER, NO_TAG };

/* ---- responses ------------------------------------------------------------------------------ */

static enum tag tag_at(const char *text, size_t len)
{
    for (int i = 0; i < THINK_TAGS; i++) {
        size_t n = strlen(think_tag[i]);

        if (n <= len && memcmp(text, think_tag[i], n) == 0)
            return (enum tag)i;
    }
    return NO_TAG;
}

/* One pass over the tags. */
struct scan {
    size_t seen[THINK_TAGS];
    enum tag before;  /* the tag in front of this one */
    bool together[2]; /* an opening tag and its closing one stood with none between them */
    struct think_span span[2];
    bool closed[2];
    bool other; /* something that is no blank stands outside of both */
};

static void take_tag(struct scan *s, enum tag t, size_t at)
{
    size_t which = t >= OPENS_ANSWER;
    bool opens = t == OPENS_THINK || t == OPENS_ANSWER;
    enum tag opening = which ? OPENS_ANSWER : OPENS_THINK;

    if (opens && s->seen[t] == 0)
        s->span[which].begin = at + strlen(think_tag[t]);
    if (!opens && s->seen[opening] > 0 && !s->closed[which]) {
        s->span[which].end = at;
        s->closed[which] = true;
        s->together[which] = s->before == opening;
    }
    s->seen[t]++;
    s->before = t;
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

void think_parse(const char *text, size_t len, struct think_parts *ret)
{
    struct scan s = { .before = NO_TAG };

    *ret = (struct think_parts){ 0 };
    for (size_t i = 0; i < len;) {
        enum tag t = text[i] == '<' ? tag_at(text + i, len - i) : NO_TAG;

        if (t == NO_TAG) {
            bool outside = s.before != OPENS_THINK && s.before != OPENS_ANSWER;

            s.other = s.other || (outside && !is_blank(text[i]));
            i++;
            continue;
        }
        take_tag(&s, t, i);
        i += strlen(think_tag[t]);
    }
    ret->has_think = s.seen[OPENS_THINK] > 0;
    ret->has_answer = s.closed[1];
    ret->think_ok = s.together[0] && s.seen[OPENS_THINK] == 1 && s.seen[CLOSES_THINK] == 1;
    ret->answer_ok = s.together[1] && s.seen[OPENS_ANSWER] == 1 && s.seen[CLOSES_ANSWER] == 1;
    if (ret->has_think)
        ret->think = (struct think_span){ s.span[0].begin, s.closed[0] ? s.span[0].end : len };
    if (ret->has_answer)
        ret->answer = s.span[1];
    ret->well_formed =
        ret->think_ok && ret->answer_ok && s.span[0].end < s.span[1].begin && !s.other;
}

const char *think_alphabet(void)
{
    return "0123456789+-><=,?ABCDabcdefghijklmnopqrstuvwxyz#:;";
}

/* ---- prompts -------------------------------------------------------------------------------- */

void think_compact(const char *problem, size_t budget, struct buf *out)
{
    if (budget > 0)
        buf_printf(out, "#%zu:", budget);
    buf_adds(out, problem);
}

void think_preamble(size_t budget, struct buf *out)
{
    buf_adds(out, "What follows is a conversation between a user and an assistant. The user asks a "
                  "question and the assistant solves it: it first thinks the problem through and "
                  "then gives the user the answer. The thinking is written between " THINK_OPEN
                  " and " THINK_CLOSE " and the answer alone between " ANSWER_OPEN
                  " and " ANSWER_CLOSE ", that is: " THINK_OPEN
                  "thinking goes here" THINK_CLOSE ANSWER_OPEN "answer goes here" ANSWER_CLOSE ".");
    if (budget > 0)
        buf_printf(out, " IMPORTANT: the assistant must use exactly %zu tokens.", budget);
}

void think_prompt(const char *question, size_t budget, struct buf *out)
{
    think_preamble(budget, out);
    buf_printf(out, "\nUser: %s\nAssistant:", question);
}

bool think_prompts(enum task_prompts p)
{
    return p == PROMPTS_THINK || p == PROMPTS_THINK_CHAT;
}

bool think_task(const struct task_spec *task)
{
    if (task->synthetic)
        return strcmp(task->name, "lists") != 0;
    for (size_t i = 0; i < task->metrics_len; i++)
        if (task->metric[i].whole_set) /* log-likelihoods of choices belong to them */
            return false;
    return task->form == TASK_ANSWER;
}

static void forget_asking(struct example *e)
{
    char **text[] = { &e->system, &e->prompt, &e->begin };

    for (size_t i = 0; i < ARRAY_LEN(text); i++) {
        free(*text[i]);
        *text[i] = NULL;
    }
    for (size_t i = 0; i < e->choices_len; i++)
        free(e->choice[i]);
    for (size_t i = 0; i < e->stops_len; i++)
        free(e->stop[i]);
    e->choices_len = e->stops_len = 0;
}

void think_ask(const struct task_spec *task, struct example *e, enum task_prompts prompts,
               size_t budget)
{
    struct buf prompt = { 0 }, system = { 0 };

    assert(think_prompts(prompts) && think_task(task) && e->form == TASK_ANSWER);
    forget_asking(e);
    e->prompts = prompts;
    e->chat = prompts == PROMPTS_THINK_CHAT;
    if (e->chat) {
        think_preamble(budget, &system);
        e->system = buf_detach(&system);
        buf_adds(&prompt, e->question);
    } else if (task->synthetic) {
        think_compact(e->question, budget, &prompt);
    } else {
        think_prompt(e->question, budget, &prompt);
        e->stop[e->stops_len++] = mem_strdup("\nUser:");
    }
    e->prompt = buf_detach(&prompt);
    e->answer_tokens_max = task->synthetic && !e->chat
                               ? (size_t)THINK_TOKENS
                               : MAX(task->answer_tokens_max, (size_t)THINK_TOKENS_TEXT);
}
