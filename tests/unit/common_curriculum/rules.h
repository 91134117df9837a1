/* SPDX-License-Identifier: Apache-2.0 */
/* rules.h - difficulty rules with usual numbers, and updates to tell them. */
#ifndef TESTS_UNIT_COMMON_CURRICULUM_RULES_H
#define TESTS_UNIT_COMMON_CURRICULUM_RULES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/curriculum/difficulty.h"

enum { GROUP = 8 };

static inline struct difficulty_conf usual(enum difficulty_rule rule, size_t levels)
{
    struct difficulty_conf c = { .rule = rule,
                                 .levels = levels,
                                 .total = 100,
                                 .rate = 0.5,
                                 .target = 0.5,
                                 .sharpness = 2,
                                 .width = 0.5,
                                 .down = 0.3,
                                 .temperature = 0.1 };

    for (size_t i = 0; i < DIFFICULTY_LEVELS_MAX; i++)
        c.mixture[i] = 1;
    return c;
}

/* An update in which level I has SAMPLES[i] problems of GROUP completions, a share RIGHT[i] right.
 */
static inline void tell(const struct difficulty_conf *c, struct difficulty_state *s,
                        const uint64_t *problems, const double *right)
{
    struct difficulty_count count[DIFFICULTY_LEVELS_MAX] = { { 0 } };

    for (size_t i = 0; i < c->levels; i++)
        for (uint64_t k = 0; k < problems[i]; k++)
            difficulty_count_group(&count[i], GROUP, (uint64_t)(right[i] * GROUP + 0.5));
    difficulty_tell(c, s, count);
}

#endif
