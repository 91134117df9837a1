/* SPDX-License-Identifier: Apache-2.0 */
/* The rules, a row each. */
#include <math.h>

#include "common/base/dmath.h"
#include "common/base/macros.h"
#include "common/curriculum/rules.h"

/* RLVE judges a level after 8 problems. */
enum { RLVE_PROBLEMS = 8 };

double difficulty_up(const struct difficulty_conf *c)
{
    if (c->up > 0)
        return c->up;
    return c->rule == DIFFICULTY_RLVE ? 0.9 : 0.7;
}

uint64_t difficulty_window(const struct difficulty_conf *c)
{
    if (c->window > 0)
        return c->window;
    return c->rule == DIFFICULTY_DUMP ? 12 : 4;
}

/* ---- fixed ---- */

static void mixture(const struct difficulty_conf *c, const struct difficulty_state *s,
                    uint64_t update, double *weight)
{
    (void)s;
    (void)update;
    for (size_t i = 0; i < c->levels; i++)
        weight[i] = c->mixture[i];
}

/* Share of the curriculum that is over, 0..1. */
static double progress(const struct difficulty_conf *c, uint64_t update)
{
    return update >= c->total ? 1 : (double)update / (double)c->total;
}

static void one_by_one(const struct difficulty_conf *c, const struct difficulty_state *s,
                       uint64_t update, double *weight)
{
    const uint64_t at = MIN(update, c->total - 1) * c->levels / c->total;

    (void)s;
    for (size_t i = 0; i < c->levels; i++)
        weight[i] = i == at;
}

/* E2H: w_i = a (K - i) + (1 - a) (i + 1), a = (1 + cos(pi t / T)) / 2. */
static void e2h_cosine(const struct difficulty_conf *c, const struct difficulty_state *s,
                       uint64_t update, double *weight)
{
    const double a = 0.5 * (1 + dmath_cos_pi(progress(c, update)));

    (void)s;
    for (size_t i = 0; i < c->levels; i++)
        weight[i] = a * (double)(c->levels - i) + (1 - a) * (double)(i + 1);
}

/* exp(-(i - at)^2 / (2 width^2)), 0 where nobody would notice. */
static void bell(const struct difficulty_conf *c, double at, double *weight)
{
    size_t nearest = (size_t)(at + 0.5);

    nearest = MIN(nearest, c->levels - 1);
    for (size_t i = 0; i < c->levels; i++) {
        const double away = ((double)i - at) / c->width;
        weight[i] = away * away < 200 ? dmath_exp(-0.5 * away * away) : 0;
    }
    /* A very narrow bell between two levels is the nearer one. */
    weight[nearest] = MAX(weight[nearest], 1e-40);
}

/* E2H: a bell around (t/T)^beta (K - 1), and a floor of 1 % for each level. */
static void e2h_gaussian(const struct difficulty_conf *c, const struct difficulty_state *s,
                         uint64_t update, double *weight)
{
    const double floor = 0.01, t = progress(c, update);
    double sum = 0;

    (void)s;
    bell(c,
         (t > 0         ? dmath_exp(c->rate * dmath_log(t))
          : c->rate > 0 ? 0
                        : 1) *
             (double)(c->levels - 1),
         weight);
    for (size_t i = 0; i < c->levels; i++)
        sum += weight[i];
    for (size_t i = 0; i < c->levels; i++)
        weight[i] = floor + (1 - floor * (double)c->levels) * weight[i] / sum;
}

/* ---- AdaRFT ---- */

static void adarft(const struct difficulty_conf *c, const struct difficulty_state *s,
                   uint64_t update, double *weight)
{
    (void)update;
    bell(c, s->target, weight);
}

/* D <- clip(D + eta tanh(alpha (accuracy - beta)), 0, K - 1). */
static void tell_adarft(const struct difficulty_conf *c, struct difficulty_state *s,
                        const struct difficulty_count *count)
{
    uint64_t samples = 0, correct = 0;

    for (size_t i = 0; i < c->levels; i++) {
        samples += count[i].samples;
        correct += count[i].correct;
    }
    if (!samples)
        return;
    const double accuracy = (double)correct / (double)samples;
    s->target += c->rate * dmath_tanh(c->sharpness * (accuracy - c->target));
    s->target = MAX(0.0, MIN((double)(c->levels - 1), s->target));
}

/* ---- windows ---- */

static void window(const struct difficulty_conf *c, const struct difficulty_state *s,
                   uint64_t update, double *weight)
{
    (void)update;
    for (size_t i = 0; i < c->levels; i++)
        weight[i] = i >= s->low && i <= s->high;
}

static void judged(struct difficulty_state *s)
{
    s->updates = s->problems = s->samples = s->correct = 0;
}

static void note_hardest(struct difficulty_state *s, const struct difficulty_count *count)
{
    s->updates++;
    s->problems += count[s->high].problems;
    s->samples += count[s->high].samples;
    s->correct += count[s->high].correct;
}

/* reasoning-gym: every WINDOW updates, by the accuracy at the hardest level. */
static void tell_window(const struct difficulty_conf *c, struct difficulty_state *s,
                        const struct difficulty_count *count)
{
    note_hardest(s, count);
    if (s->updates < difficulty_window(c) || s->samples == 0)
        return;
    const double accuracy = (double)s->correct / (double)s->samples;
    if (accuracy > difficulty_up(c) && s->high + 1 < c->levels)
        s->high++;
    else if (accuracy < c->down && s->high > 0)
        s->high--;
    judged(s);
}

/* RLVE: after 8 problems at the hardest level, by the accuracy there; never down. */
static void tell_rlve(const struct difficulty_conf *c, struct difficulty_state *s,
                      const struct difficulty_count *count)
{
    note_hardest(s, count);
    if (s->problems < RLVE_PROBLEMS)
        return;
    if ((double)s->correct >= difficulty_up(c) * (double)s->samples && s->high + 1 < c->levels)
        s->high++;
    const uint64_t wide = difficulty_window(c);
    s->low = s->high + 1 > wide ? s->high + 1 - wide : 0;
    judged(s);
}

/* ---- bandits ---- */

/* softmax(score / temperature) */
static void softmax(const struct difficulty_conf *c, const double *score, double *weight)
{
    double most = score[0];

    for (size_t i = 1; i < c->levels; i++)
        most = MAX(most, score[i]);
    for (size_t i = 0; i < c->levels; i++) {
        const double below = (score[i] - most) / c->temperature;
        weight[i] = below > -600 ? dmath_exp(below) : 0;
    }
}

static void sec(const struct difficulty_conf *c, const struct difficulty_state *s, uint64_t update,
                double *weight)
{
    (void)update;
    softmax(c, s->value, weight);
}

/* Q <- alpha r + (1 - alpha) Q for the levels that were drawn, r their mean |advantage|. */
static void tell_sec(const struct difficulty_conf *c, struct difficulty_state *s,
                     const struct difficulty_count *count)
{
    for (size_t i = 0; i < c->levels; i++) {
        if (!count[i].problems)
            continue;
        const double r = count[i].advantage / (double)count[i].problems;
        s->value[i] = c->rate * r + (1 - c->rate) * s->value[i];
        s->drawn[i] += count[i].problems;
    }
}

/* mean |A| + sqrt(2 ln(n + 1) / (n_i + 1)) */
static void dump(const struct difficulty_conf *c, const struct difficulty_state *s, uint64_t update,
                 double *weight)
{
    double score[DIFFICULTY_LEVELS_MAX];
    uint64_t all = 0;

    (void)update;
    for (size_t i = 0; i < c->levels; i++)
        all += s->drawn[i];
    for (size_t i = 0; i < c->levels; i++)
        score[i] = s->value[i] + sqrt(2 * dmath_log((double)all + 1) / ((double)s->drawn[i] + 1));
    softmax(c, score, weight);
}

static void tell_dump(const struct difficulty_conf *c, struct difficulty_state *s,
                      const struct difficulty_count *count)
{
    const uint64_t most = difficulty_window(c);

    for (size_t i = 0; i < c->levels; i++) {
        double sum = 0;
        if (!count[i].problems)
            continue;
        s->drawn[i] += count[i].problems;
        if (s->remembered[i] == most) {
            for (size_t k = 1; k < most; k++)
                s->memory[i][k - 1] = s->memory[i][k];
            s->remembered[i]--;
        }
        s->memory[i][s->remembered[i]++] = count[i].advantage / (double)count[i].problems;
        for (size_t k = 0; k < s->remembered[i]; k++)
            sum += s->memory[i][k];
        s->value[i] = sum / (double)s->remembered[i];
    }
}

static const struct difficulty_row rows[DIFFICULTY_RULES] = {
    [DIFFICULTY_MIXTURE] = { "mixture", "fixed weights", false, mixture, NULL },
    [DIFFICULTY_LEVELS] = { "levels", "one level after the other, in equal parts", true, one_by_one,
                            NULL },
    [DIFFICULTY_E2H_COSINE] = { "e2h_cosine", "easy weights fade into hard ones along half a wave",
                                true, e2h_cosine, NULL },
    [DIFFICULTY_E2H_GAUSSIAN] = { "e2h_gaussian",
                                  "a bell that moves from the easiest to the hardest level", true,
                                  e2h_gaussian, NULL },
    [DIFFICULTY_ADARFT] = { "adarft", "a target level that follows the accuracy", false, adarft,
                            tell_adarft },
    [DIFFICULTY_WINDOW] = { "window", "levels up to a hardest one, which moves at two thresholds",
                            false, window, tell_window },
    [DIFFICULTY_RLVE] = { "rlve", "a window of levels that moves up at a threshold", false, window,
                          tell_rlve },
    [DIFFICULTY_SEC] = { "sec", "a bandit that prefers levels with large advantages", false, sec,
                         tell_sec },
    [DIFFICULTY_DUMP] = { "dump", "a bandit with a bonus for levels that were drawn little", false,
                          dump, tell_dump },
};

const struct difficulty_row *difficulty_row(enum difficulty_rule rule)
{
    return &rows[rule];
}
