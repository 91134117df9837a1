/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/score.h"

#include <math.h>
#include <string.h>

#include "worker/search/routing.h"

/* e^X for X <= 0 by plain arithmetic, so that it does not depend on the C library: 2^k e^r with
 * |r| <= ln 2 / 2, and Taylor's series up to r^13 / 13! (next term below 1e-17). */
static double likelihood(double x)
{
    static const double ln2_high = 0x1.62e42feep-1, ln2_low = 0x1.a39ef35793c76p-33;
    double k, r, term = 1, sum = 1;

    if (x < -700)
        return 0;
    k = (double)(long)(x / (ln2_high + ln2_low) - 0.5);
    r = (x - k * ln2_high) - k * ln2_low;
    for (int i = 1; i <= 13; i++) {
        term = term * r / i;
        sum += term;
    }
    return ldexp(sum, (int)k);
}

static void add_value(struct score *s, const char *name, double value)
{
    size_t i = s->message.n_values++;

    drover__value__init(&s->value[i]);
    s->value[i].name = (char *)name;
    s->value[i].value = value;
    s->value_at[i] = &s->value[i];
}

/* Said by a field of the score already: right or wrong as such. TruthfulQA's mc2 has an acc between
 * the two. */
static bool is_field(const char *name, double value, const struct outcome *o)
{
    if (strcmp(name, "acc") == 0)
        return value == (o->correct ? 1.0 : 0.0);
    return strcmp(name, "acc_norm") == 0 && value == (o->correct_norm ? 1.0 : 0.0);
}

/* What does not apply to the example is left out. */
static void add_values(struct score *s, const struct task_spec *task, const struct outcome *o)
{
    for (size_t i = 0; i < task->metrics_len; i++) {
        const struct task_metric *m = &task->metric[i];

        if (m->whole_set)
            s->message.whole_set |= (uint32_t)m->whole_set;
        else if (!isnan(o->value[i]) && !is_field(m->name, o->value[i], o))
            add_value(s, m->name, o->value[i]);
    }
}

void score_compare(struct score *s, const uint8_t *label)
{
    static const char *const names[3][3] = { { "skip_tp", "skip_fp", "skip_fn" },
                                             { "execute_tp", "execute_fp", "execute_fn" },
                                             { "repeat_tp", "repeat_fp", "repeat_fn" } };
    const uint8_t *routing = s->message.routing.data;
    double count[3][3] = { 0 };
    bool exact = true;

    for (size_t l = 0; l < s->message.routing.len; l++) {
        bool same = routing[l] == label[l];

        exact = exact && same;
        count[routing[l]][same ? 0 : 1]++;
        if (!same)
            count[label[l]][2]++;
    }
    add_value(s, "exact_path", exact ? 1.0 : 0.0);
    for (size_t c = 0; c < 3; c++)
        for (size_t i = 0; i < 3; i++)
            add_value(s, names[c][i], count[c][i]);
}

static void add_thought(struct score *s, const struct outcome *o)
{
    add_value(s, "response_tokens", (double)o->response_tokens);
    add_value(s, "think_tokens", (double)o->think_tokens);
    add_value(s, "truncated", o->cut ? 1.0 : 0.0);
    add_value(s, "well_formed", o->well_formed ? 1.0 : 0.0);
    if (!o->cut)
        add_value(s, "untruncated_tokens", (double)o->response_tokens);
}

void score_fill(struct score *s, const struct task_spec *task, const struct example *e,
                struct outcome *outcome, uint8_t *routing, size_t layers)
{
    Drover__Score *m = &s->message;

    drover__score__init(m);
    m->correct = outcome->correct;
    m->correct_norm = outcome->correct_norm;
    m->answer = outcome->answer;
    m->layer_rows = routing_length(routing, layers) * outcome->rows;
    m->tokens = outcome->rows;
    m->layers = (double)m->layer_rows / (double)m->tokens;
    m->routing.data = routing;
    m->routing.len = layers;
    m->logprob = outcome->logprob;
    m->n_logprob = outcome->logprobs_len;
    m->pick = outcome->pick;
    m->gold = e->form == TASK_CHOICE ? e->gold_choice : -1;
    m->generated = outcome->generated;
    m->values = s->value_at;
    add_values(s, task, outcome);
    if (outcome->thinks)
        add_thought(s, outcome);
    /* SQuAD: what its best scores over thresholds are taken from. */
    if (e->form == TASK_ANSWER && outcome->logprobs_len == 1)
        add_value(s, "no_answer_probability", likelihood(outcome->logprob[0]));
}
