/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/grading/grading.h"
#include "common/tasks/adapters.h"
#include "common/tasks/fields.h"
#include "common/tasks/think.h"

static const char invalid[] = "[invalid]";

void marks_release(struct marks *m)
{
    buf_release(&m->answer);
    *m = (struct marks){ .pick = -1 };
}

size_t task_pick(const double *logprob, size_t choices_len)
{
    size_t best = 0;

    assert(choices_len > 0);
    for (size_t i = 1; i < choices_len; i++)
        if (logprob[i] > logprob[best])
            best = i;
    return best;
}

size_t task_pick_norm(const struct example *e, const double *logprob)
{
    double mean[TASK_CHOICES_MAX];

    for (size_t i = 0; i < e->choices_len; i++)
        mean[i] = logprob[i] / (double)(e->choice_chars[i] ? e->choice_chars[i] : 1);
    return task_pick(mean, e->choices_len);
}

/* exp(x) for x <= 0 by additions and multiplications alone: the C library's has other last bits on
 * other CPUs. x = n ln 2 + r, |r| <= 0.35: fourteen terms are below 1e-17. */
static double exponential(double x)
{
    static const double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
    double sum = 1;

    if (!(x > -700))
        return 0;
    int n = (int)(x * 1.4426950408889634 - 0.5);
    double r = x - n * ln2_high - n * ln2_low;
    for (int k = 14; k > 0; k--)
        sum = 1 + sum * r / k;
    return ldexp(sum, n);
}

/* Probability of the right choices over that of all, relative to the largest. */
static double mass(const struct example *e, const double *logprob)
{
    double top = logprob[task_pick(logprob, e->choices_len)], right = 0, all = 0;

    for (size_t i = 0; i < e->choices_len; i++) {
        double p = exponential(logprob[i] - top);
        all += p;
        right += (e->gold_mask >> i & 1) ? p : 0;
    }
    return right / all;
}

static void grade_choice(const struct task_spec *t, const struct adapter *a,
                         const struct example *e, const struct response *r, struct marks *m)
{
    size_t pick = task_pick(r->logprob, e->choices_len);
    size_t norm = task_pick_norm(e, r->logprob);

    m->pick = (int)pick;
    m->correct = e->gold_mask >> pick & 1;
    m->correct_norm = e->gold_mask >> norm & 1;
    buf_adds(&m->answer, e->choice[pick] + (e->choice[pick][0] == ' '));
    for (size_t i = 0; i < t->metrics_len; i++) {
        if (t->metric[i].whole_set)
            continue;
        enum choose choose = a ? a->rule[i].choose : CHOOSE_ACC;
        m->value[i] = choose == CHOOSE_MASS       ? mass(e, r->logprob)
                      : choose == CHOOSE_ACC_NORM ? m->correct_norm
                                                  : m->correct;
    }
}

static bool behind(const char *text, char mark, struct buf *out)
{
    const char *p = strrchr(text, mark);

    if (!p)
        return false;
    p += 1 + strspn(p + 1, " ");
    size_t len = strlen(p);
    while (len > 0 && p[len - 1] == '.')
        len--;
    buf_add(out, p, len);
    return true;
}

/* AGIEval's order: a box, what the last line with two dollars has between them, what is behind the
 * last '=', the last number. */
static bool extract_agieval(const char *text, struct buf *out)
{
    struct buf line CLEANUP(buf_release) = { 0 }, inner CLEANUP(buf_release) = { 0 };
    bool found = false;

    if (strstr(text, "\\boxed")) {
        if (!extract_boxed(text, &inner))
            return false;
        if (!behind(buf_str(&inner), '=', out))
            buf_adds(out, buf_str(&inner));
        return true;
    }
    for (const char *p = text; *p;) {
        size_t len = strcspn(p, "\n");
        buf_clear(&line);
        buf_add(&line, p, len);
        const char *first = strchr(buf_str(&line), '$');
        if (first && strrchr(first, '$') > first) {
            buf_clear(&inner);
            found = extract_dollars(buf_str(&line), &inner);
        }
        p += len + (p[len] == '\n');
    }
    if (found && inner.len > 0) {
        if (!behind(buf_str(&inner), '=', out))
            buf_adds(out, buf_str(&inner));
        return true;
    }
    return behind(text, '=', out) || extract_last_number(text, out);
}

static bool extract(enum extract how, const char *text, struct buf *out)
{
    switch (how) {
    case EXTRACT_GSM8K_STRICT:
        return extract_gsm8k_strict(text, out);
    case EXTRACT_GSM8K_FLEXIBLE:
        return extract_gsm8k_flexible(text, out);
    case EXTRACT_NUMBER:
        return extract_last_number(text, out);
    case EXTRACT_AGIEVAL:
        return extract_agieval(text, out);
    case EXTRACT_LETTER:
        return extract_letter_arc(text, out);
    case EXTRACT_BOXED:
        if (!extract_boxed(text, out))
            buf_adds(out, "None");
        return true;
    case EXTRACT_MATH:
        if (extract_boxed(text, out))
            return true;
        break;
    case EXTRACT_BOX_OR_TEXT:
        if (extract_boxed(text, out))
            return true;
        text_strip(text, strlen(text), out);
        return true;
    case EXTRACT_DOLLARS:
        break;
    case EXTRACT_TEXT:
    default:
        text_strip(text, strlen(text), out);
        return true;
    }
    if (!extract_dollars(text, out))
        text_strip(text, strlen(text), out);
    return true;
}

static bool equal_after(void (*normalise)(const char *, struct buf *), const char *given,
                        const char *gold)
{
    struct buf a CLEANUP(buf_release) = { 0 }, b CLEANUP(buf_release) = { 0 };

    normalise(given, &a);
    normalise(gold, &b);
    return strcmp(buf_str(&a), buf_str(&b)) == 0;
}

/* An integer's leading zeros mean nothing in AIME's three-digit form. */
static const char *without_zeros(const char *s)
{
    while (s[0] == '0' && s[1] >= '0' && s[1] <= '9')
        s++;
    return s;
}

static bool close_numbers(const char *given, const char *gold)
{
    double value = fabs(strtod(gold, NULL));

    return number_equal(given, gold, 1e-4 * value);
}

/* "$x$" without its dollars. */
static void bare(const char *s, struct buf *out)
{
    size_t len = strlen(s);

    if (len >= 2 && s[0] == '$' && s[len - 1] == '$' && !memchr(s + 1, '$', len - 2))
        buf_add(out, s + 1, len - 2);
    else
        buf_add(out, s, len);
}

static bool college_equal(const char *given, const char *gold)
{
    struct buf a CLEANUP(buf_release) = { 0 }, b CLEANUP(buf_release) = { 0 };

    bare(given, &a);
    bare(gold, &b);
    return close_numbers(buf_str(&a), buf_str(&b)) || math_equal(buf_str(&a), buf_str(&b), NULL);
}

static double squad(const struct example *e, const char *given,
                    double (*score)(const char *, const char *))
{
    double best = 0;

    if (e->golds_len == 0)
        return score(given, e->gold);
    for (size_t i = 0; i < e->golds_len; i++)
        best = fmax(best, score(given, e->golds[i]));
    return best;
}

static double compare(enum compare how, const struct example *e, const char *given)
{
    switch (how) {
    case COMPARE_GSM8K:
        return equal_after(normalise_gsm8k, given, e->gold);
    case COMPARE_HENDRYCKS:
        return equal_after(normalise_hendrycks, given, e->gold);
    case COMPARE_AIME:
        return equal_after(normalise_hendrycks, without_zeros(given), e->gold);
    case COMPARE_MATH:
        return math_equal(given, e->gold, NULL);
    case COMPARE_NUMBER:
        return number_equal(given, e->gold, 1e-3);
    case COMPARE_COLLEGE:
        return college_equal(given, e->gold);
    case COMPARE_SQUAD_EXACT:
        return squad(e, given, squad_exact);
    case COMPARE_SQUAD_F1:
        return squad(e, given, squad_f1);
    case COMPARE_TEXT:
    default:
        return strcmp(given, e->gold) == 0;
    }
}

/* Dr.LLM's prompts: every metric has the one verdict. */
static void grade_dr_llm(const struct task_spec *t, const struct adapter *a,
                         const struct example *e, const struct response *r, struct marks *m)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    bool found, right;

    if (a->boxed) {
        if (e->prompts == PROMPTS_DR_LLM)
            buf_adds(&text, "\\boxed{");
        buf_adds(&text, r->text);
        found = extract(EXTRACT_BOXED, buf_str(&text), &m->answer);
        right = found && math_equal(buf_str(&m->answer), e->gold, NULL);
    } else {
        found = extract(EXTRACT_LETTER, r->text, &m->answer);
        right = found && strcmp(buf_str(&m->answer), e->gold) == 0;
    }
    if (!found)
        buf_adds(&m->answer, invalid);
    for (size_t i = 0; i < t->metrics_len; i++)
        if (!t->metric[i].whole_set)
            m->value[i] = right;
    m->correct = m->correct_norm = right;
}

static void grade_answer(const struct task_spec *t, const struct adapter *a,
                         const struct example *e, const struct response *r, struct marks *m)
{
    static const struct rule plain = { .extract = EXTRACT_TEXT, .compare = COMPARE_TEXT };

    for (size_t i = 0; i < t->metrics_len; i++) {
        struct buf answer CLEANUP(buf_release) = { 0 };
        const struct rule *rule = a ? &a->rule[i] : &plain;
        bool found = extract(rule->extract, r->text, &answer);
        if (!found)
            buf_adds(&answer, invalid);
        if (i == 0)
            buf_adds(&m->answer, buf_str(&answer));
        if (t->metric[i].whole_set || (rule->only == 1 && e->golds_len == 0) ||
            (rule->only == 2 && e->golds_len > 0))
            continue;
        m->value[i] = found ? compare(rule->compare, e, buf_str(&answer)) : 0;
    }
    m->correct = m->value[0] == 1;
    bool lenient = t->metrics_len > 1 && a && a->rule[1].compare < COMPARE_SQUAD_EXACT;
    m->correct_norm = lenient ? m->value[1] == 1 : m->correct;
}

/* Between answer tags there is the answer alone: no marks in front of it, no box needed. */
static enum extract extract_tagged(enum extract how)
{
    return how == EXTRACT_GSM8K_STRICT ? EXTRACT_GSM8K_FLEXIBLE
           : how == EXTRACT_BOXED      ? EXTRACT_BOX_OR_TEXT
                                       : how;
}

static bool equal_tagged(const struct rule *rule, const struct example *e, const char *answer)
{
    return compare(rule->compare, e, answer) == 1 ||
           (rule->compare == COMPARE_GSM8K && math_equal(answer, e->gold, NULL));
}

/* What the first answer span says, by the task's own comparison. */
static void grade_think(const struct task_spec *t, const struct adapter *a, const struct example *e,
                        const struct response *r, struct marks *m)
{
    static const struct rule plain = { .extract = EXTRACT_TEXT, .compare = COMPARE_TEXT };
    struct buf text CLEANUP(buf_release) = { 0 };
    struct think_parts parts;

    think_parse(r->text, strlen(r->text), &parts);
    buf_add(&text, r->text + parts.answer.begin, parts.answer.end - parts.answer.begin);
    for (size_t i = 0; i < t->metrics_len; i++) {
        const struct rule *rule = a ? &a->rule[i] : &plain;
        struct buf answer CLEANUP(buf_release) = { 0 };
        bool found =
            parts.has_answer && extract(extract_tagged(rule->extract), buf_str(&text), &answer);

        if (i == 0)
            buf_adds(&m->answer, found ? buf_str(&answer) : invalid);
        m->value[i] = found && equal_tagged(rule, e, buf_str(&answer));
    }
    m->correct = m->value[0] == 1;
    m->correct_norm = t->metrics_len > 1 ? m->value[1] == 1 : m->correct;
}

void task_grade(const struct task_spec *t, const struct example *e, const struct response *r,
                struct marks *ret)
{
    const struct adapter *a = t->synthetic ? NULL : adapter_find(t->name);

    *ret = (struct marks){ .pick = -1 };
    for (size_t i = 0; i < TASK_METRICS_MAX; i++)
        ret->value[i] = (double)NAN;
    if (e->form == TASK_CHOICE)
        grade_choice(t, a, e, r, ret);
    else if (think_prompts(e->prompts))
        grade_think(t, a, e, r, ret);
    else if (e->prompts != PROMPTS_HARNESS)
        grade_dr_llm(t, a, e, r, ret);
    else
        grade_answer(t, a, e, r, ret);
}
