/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/train/reward.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "common/base/nearest.h"

static const char *const shape_words[REWARD_SHAPES + 1] = { "triangle", "band", NULL };

const char *reward_shape_name(enum reward_shape s)
{
    assert((int)s < REWARD_SHAPES);
    return shape_words[s];
}

int reward_shape_of(const char *name, enum reward_shape *ret, struct err *err)
{
    const char *near = nearest_find(name, shape_words);

    for (int s = 0; s < REWARD_SHAPES; s++)
        if (strcmp(name, shape_words[s]) == 0) {
            *ret = (enum reward_shape)s;
            return 0;
        }
    return err_set(err, ERR_INVALID, "length reward \"%s\" is neither triangle nor band%s%s%s",
                   name, near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

struct reward_conf reward_conf_default(void)
{
    return (struct reward_conf){ .correct_weight = 0.6,
                                 .length_weight = 0.3,
                                 .format_weight = 0.1,
                                 .shape = REWARD_TRIANGLE,
                                 .gate = true,
                                 .think_weight = 0.5,
                                 .answer_weight = 0.5 };
}

int reward_conf_check(const struct reward_conf *c, struct err *err)
{
    const struct {
        const char *name;
        double value, max;
    } range[] = {
        { "correct_weight", c->correct_weight, 1000 }, { "length_weight", c->length_weight, 1000 },
        { "format_weight", c->format_weight, 1000 },   { "think_weight", c->think_weight, 1 },
        { "answer_weight", c->answer_weight, 1 },
    };

    for (size_t i = 0; i < ARRAY_LEN(range); i++)
        if (!(range[i].value >= 0 && range[i].value <= range[i].max))
            return err_set(err, ERR_INVALID, "reward: %s = %g is outside 0 to %g", range[i].name,
                           range[i].value, range[i].max);
    if (c->correct_weight + c->length_weight + c->format_weight == 0)
        return err_set(err, ERR_INVALID,
                       "reward: correct_weight, length_weight and format_weight are all 0; "
                       "give one of them a weight");
    if (c->think_weight + c->answer_weight > 1)
        return err_set(err, ERR_INVALID, "reward: think_weight + answer_weight = %g is above 1",
                       c->think_weight + c->answer_weight);
    if ((int)c->shape >= REWARD_SHAPES)
        return err_set(err, ERR_INVALID, "reward: shape %d is unknown", (int)c->shape);
    return 0;
}

double reward_length(enum reward_shape s, double length, double budget)
{
    double over;

    assert(budget > 0 && length >= 0 && isfinite(budget));
    if (length >= 2 * budget)
        return 0.0;
    if (length > budget) {
        over = (length - budget) / budget;
        return 1.0 - over;
    }
    switch (s) {
    case REWARD_TRIANGLE:
        return length / budget;
    case REWARD_BAND:
        return 1.0;
    }
    assert(0);
    return 0.0;
}

struct reward_parts reward_of(const struct reward_conf *c, const struct reward_facts *f)
{
    struct reward_parts p = { .correct = f->correct };

    assert(f->correct >= 0 && f->correct <= 1 && f->budget >= 0);
    if (f->budget > 0)
        p.length = reward_length(c->shape, f->length, f->budget);
    if (c->gate)
        p.length *= f->correct;
    p.format = (f->think_ok ? c->think_weight : 0.0) + (f->answer_ok ? c->answer_weight : 0.0);
    p.total =
        c->correct_weight * p.correct + c->length_weight * p.length + c->format_weight * p.format;
    return p;
}
