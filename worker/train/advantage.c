/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/train/advantage.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "common/base/nearest.h"

static const char *const rule_words[GROUP_RULES + 1] = { "keep", "drop", "resample", NULL };
static const char *const norm_words[LOSS_NORMS + 1] = { "sequence", "token", "constant", NULL };

/* The place of NAME in WORDS (ended by NULL). */
static int word_of(const char *what, const char *name, const char *const *words, struct err *err)
{
    const char *near = nearest_find(name, words);

    for (int i = 0; words[i]; i++)
        if (strcmp(name, words[i]) == 0)
            return i;
    return err_set(err, ERR_INVALID, "%s \"%s\" is none of %s, %s and %s%s%s%s", what, name,
                   words[0], words[1], words[2], near ? "; did you mean \"" : "", near ? near : "",
                   near ? "\"?" : "");
}

bool advantage_flat(const double *reward, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (reward[i] != reward[0])
            return false;
    return true;
}

void advantage_group(double *advantage, const double *reward, size_t n, bool scale,
                     double stabiliser)
{
    double mean = 0, variance = 0, root;

    assert(n > 0 && stabiliser > 0);
    if (advantage_flat(reward, n)) { /* the mean of equal numbers may be rounded */
        memset(advantage, 0, n * sizeof(*advantage));
        return;
    }
    for (size_t i = 0; i < n; i++)
        mean += reward[i];
    mean /= (double)n;
    for (size_t i = 0; i < n; i++)
        variance += (reward[i] - mean) * (reward[i] - mean);
    variance /= (double)n;
    root = scale ? sqrt(variance + stabiliser) : 1.0;
    for (size_t i = 0; i < n; i++)
        advantage[i] = (reward[i] - mean) / root;
}

double advantage_size(const double *advantage, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += fabs(advantage[i]);
    return n ? sum / (double)n : 0.0;
}

const char *group_rule_name(enum group_rule r)
{
    assert((int)r < GROUP_RULES);
    return rule_words[r];
}

int group_rule_of(const char *name, enum group_rule *ret, struct err *err)
{
    int i = word_of("rule for groups without variance", name, rule_words, err);

    if (i < 0)
        return i;
    *ret = (enum group_rule)i;
    return 0;
}

enum group_fate group_decide(enum group_rule rule, const double *reward, size_t n, size_t attempt,
                             size_t most)
{
    if (rule == GROUP_KEEP || !advantage_flat(reward, n))
        return GROUP_USE;
    return rule == GROUP_RESAMPLE && attempt < most ? GROUP_AGAIN : GROUP_DROPPED;
}

const char *loss_norm_name(enum loss_norm n)
{
    assert((int)n < LOSS_NORMS);
    return norm_words[n];
}

int loss_norm_of(const char *name, enum loss_norm *ret, struct err *err)
{
    int i = word_of("normalisation", name, norm_words, err);

    if (i < 0)
        return i;
    *ret = (enum loss_norm)i;
    return 0;
}

static double weight_of(enum loss_norm norm, double n, double all, double own, double constant)
{
    switch (norm) {
    case LOSS_SEQUENCE:
        return 1.0 / (n * own);
    case LOSS_TOKEN:
        return 1.0 / all;
    case LOSS_CONSTANT:
        return 1.0 / (n * constant);
    }
    assert(0);
    return 0.0;
}

void loss_weights(double *weight, const size_t *tokens, size_t n, enum loss_norm norm,
                  double constant)
{
    double all = 0;

    assert(norm != LOSS_CONSTANT || constant > 0);
    for (size_t i = 0; i < n; i++)
        all += (double)tokens[i];
    for (size_t i = 0; i < n; i++)
        weight[i] = tokens[i] ? weight_of(norm, (double)n, all, (double)tokens[i], constant) : 0.0;
}
