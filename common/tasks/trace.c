/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tasks/trace.h"

#include <assert.h>
#include <string.h>

#include "common/tasks/generate.h"
#include "common/tasks/think.h"

/* A mixed trace shortens each step with a probability drawn from 0 to this. */
#define MIXED_MOST 0.4

static const char *const style_names[] = { "verbose", "mixed", "merged", "sparse", "direct" };

const char *trace_style_name(enum trace_style s)
{
    assert((unsigned)s < TRACE_STYLES);
    return style_names[s];
}

bool trace_task(const char *task)
{
    return strcmp(task, "math") == 0 || strcmp(task, "logic") == 0;
}

/* What a problem's steps are: of math the operations, of logic the hops and the choice. */
struct steps {
    size_t len;
    struct step {
        char from, op, with; /* math: 3 + 5; logic: the entity asked about, in from */
        char to;             /* 8; the entity behind it or, at last, the letter */
    } step[PROBLEM_TEXT];
    bool choice; /* logic: the last step is the choice */
};

static char apply(char op, char a, char b)
{
    int x = a - '0', y = b - '0';

    switch (op) {
    case '+':
        return (char)('0' + (x + y) % 10);
    case '-':
        return (char)('0' + (x - y + 10) % 10);
    case '>':
        return MAX(a, b);
    default:
        return MIN(a, b);
    }
}

static void math_steps(const char *problem, struct steps *ret)
{
    char value = problem[0];

    assert(math_value(problem) >= 0 && strlen(problem) < PROBLEM_TEXT);
    for (const char *p = problem + 1; *p != '='; p += 2) {
        char next = apply(p[0], value, p[1]);

        ret->step[ret->len++] = (struct step){ value, p[0], p[1], next };
        value = next;
    }
}

/* The letter that stands behind ENTITY where a fact or choice begins with it; 0: none does. Facts
 * take three characters, "ab,", choices two, "bC". */
static char behind(const char *problem, char entity)
{
    const char *p = problem;

    for (; p[0] && p[0] != '?' && p[1] && p[2] == ','; p += 3)
        if (p[0] == entity)
            return p[1];
    for (; p[0] && p[0] != '?' && p[1]; p += 2)
        if (p[0] == entity)
            return p[1];
    return '\0';
}

static bool is_letter(char c)
{
    return c >= 'A' && c <= 'D';
}

static void logic_steps(const char *problem, struct steps *ret)
{
    const char *question = strchr(problem, '?');

    assert(question && question[1] && question[2] == '=' && strlen(problem) < PROBLEM_TEXT);
    ret->choice = true;
    for (char at = question[1]; !is_letter(at);) {
        char next = behind(problem, at);

        assert(next && ret->len < ARRAY_LEN(ret->step));
        ret->step[ret->len++] = (struct step){ .from = at, .to = next };
        at = next;
    }
}

static void steps_of(const char *task, const char *problem, struct steps *ret)
{
    *ret = (struct steps){ 0 };
    assert(trace_task(task));
    if (strcmp(task, "math") == 0)
        math_steps(problem, ret);
    else
        logic_steps(problem, ret);
}

/* Those of BRIEF, a bit each, by their value alone; the last one is then left to the answer. */
static void whole_steps(const struct steps *s, uint64_t brief, struct buf *out)
{
    for (size_t i = 0; i < s->len; i++) {
        const struct step *t = &s->step[i];
        bool value = i < 64 && (brief >> i & 1);

        if (value && i + 1 == s->len)
            continue;
        buf_adds(out, i ? ";" : "");
        if (value)
            buf_addc(out, t->to);
        else if (s->choice)
            buf_printf(out, "?%c:%c%c", t->from, t->from, t->to);
        else
            buf_printf(out, "%zu:%c%c%c=%c", i + 1, t->from, t->op, t->with, t->to);
    }
}

/* The values in front of the answer. SPARSE: every second, the last of them always, numbered. */
static void values(const struct steps *s, bool sparse, struct buf *out)
{
    size_t len = s->len - 1;
    bool first = true;

    for (size_t i = 0; i < len; i++) {
        if (sparse && (len - 1 - i) % 2 != 0)
            continue;
        buf_adds(out, first ? "" : ";");
        if (sparse)
            buf_printf(out, "%zu:", i + 1);
        buf_addc(out, s->step[i].to);
        first = false;
    }
}

static void think(const struct steps *s, enum trace_style style, struct buf *out)
{
    assert((unsigned)style < TRACE_STYLES && style != TRACE_MIXED);
    if (style == TRACE_VERBOSE)
        whole_steps(s, 0, out);
    else if (style != TRACE_DIRECT)
        values(s, style == TRACE_SPARSE, out);
}

void trace_think(const char *task, const char *problem, enum trace_style s, struct buf *out)
{
    struct steps steps;

    steps_of(task, problem, &steps);
    think(&steps, s, out);
}

void trace_completion(const char *task, const char *problem, enum trace_style s, struct buf *out)
{
    struct steps steps;

    steps_of(task, problem, &steps);
    buf_adds(out, THINK_OPEN);
    think(&steps, s, out);
    buf_printf(out, THINK_CLOSE ANSWER_OPEN "%c" ANSWER_CLOSE, steps.step[steps.len - 1].to);
}

uint64_t trace_draw_brief(struct rng *r)
{
    double rate = MIXED_MOST * rng_double(r);
    uint64_t brief = 0;

    for (size_t i = 0; i < 64; i++)
        brief |= (uint64_t)(rng_double(r) < rate) << i;
    return brief;
}

void trace_mixed(const char *task, const char *problem, uint64_t brief, struct buf *out)
{
    struct steps steps;

    steps_of(task, problem, &steps);
    buf_adds(out, THINK_OPEN);
    whole_steps(&steps, brief, out);
    buf_printf(out, THINK_CLOSE ANSWER_OPEN "%c" ANSWER_CLOSE, steps.step[steps.len - 1].to);
}

/* ---- lengths -------------------------------------------------------------------------------- */

size_t trace_completion_tokens(const char *task, int level, enum trace_style s)
{
    bool logic = strcmp(task, "logic") == 0;
    size_t inner = logic ? (size_t)level : (size_t)level + 1, written; /* steps but the last */

    assert(trace_task(task) && level >= 1 && (unsigned)s < TRACE_STYLES);
    if (s == TRACE_VERBOSE || s == TRACE_MIXED)
        written = (logic ? 6 : 8) * (inner + 1) - 1;
    else if (s == TRACE_DIRECT)
        written = 0;
    else
        written = (s == TRACE_MERGED ? 2 * inner : 4 * ((inner + 1) / 2)) - 1;
    return written + THINK_TAGS + 1;
}

size_t trace_prompt_tokens(const char *task, int level, size_t budget)
{
    size_t chains = level == 1 ? 4 : level == 2 ? 3 : 2, head = budget > 0 ? 2 : 0;

    assert(trace_task(task) && level >= 1);
    for (; budget > 0; budget /= 10)
        head++;
    if (strcmp(task, "math") == 0)
        return head + 2 * (size_t)level + 6;
    return head + 3 * chains * (size_t)level + 11; /* four choices, "?a=" */
}

enum trace_style trace_longest(const double weight[TRACE_STYLES])
{
    for (size_t i = 0; i < TRACE_STYLES; i++)
        if (weight[i] > 0)
            return (enum trace_style)i;
    assert(false);
    return TRACE_VERBOSE;
}

size_t trace_positions(const char *task, int level, enum trace_style s, size_t budget)
{
    size_t stated = budget ? budget : trace_completion_tokens(task, level, TRACE_VERBOSE);

    return 1 + trace_prompt_tokens(task, level, stated) + trace_completion_tokens(task, level, s);
}
