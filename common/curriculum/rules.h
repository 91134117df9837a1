/* SPDX-License-Identifier: Apache-2.0 */
/* rules.h - the table of difficulty rules. Internal to common/curriculum. */
#ifndef COMMON_CURRICULUM_RULES_H
#define COMMON_CURRICULUM_RULES_H

#include "common/curriculum/difficulty.h"

struct difficulty_row {
    const char *name, *help;
    bool needs_total;
    /* Weights of the levels, of any positive sum. */
    void (*weights)(const struct difficulty_conf *c, const struct difficulty_state *s,
                    uint64_t update, double *weight);
    /* NULL: learns nothing. */
    void (*tell)(const struct difficulty_conf *c, struct difficulty_state *s,
                 const struct difficulty_count *count);
};

const struct difficulty_row *difficulty_row(enum difficulty_rule rule);

/* What 0 stands for. */
double difficulty_up(const struct difficulty_conf *c);
uint64_t difficulty_window(const struct difficulty_conf *c);

#endif
