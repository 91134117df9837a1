/* SPDX-License-Identifier: Apache-2.0 */
/* difficulty.h - which level the problems of an update come from: rules that give a weight to each
 * level and, if they adapt, are told how the update went.
 *
 * Levels are indices 0..levels-1, from easy to hard. All rules are driven by correctness only: an
 * additive length reward would keep advantages alive where every answer is right (or wrong).
 * Formulas, sources and choices of ours: docs/curricula.md. All arithmetic is our own. */
#ifndef COMMON_CURRICULUM_DIFFICULTY_H
#define COMMON_CURRICULUM_DIFFICULTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"

/* The words of the parameter "difficulty", in the order of the table of job kinds. */
enum difficulty_rule {
    DIFFICULTY_MIXTURE,      /* fixed weights */
    DIFFICULTY_LEVELS,       /* one after the other, equal parts of TOTAL */
    DIFFICULTY_E2H_COSINE,   /* easy weights fade into hard ones along half a wave */
    DIFFICULTY_E2H_GAUSSIAN, /* a bell that moves from the easiest to the hardest level */
    DIFFICULTY_ADARFT,       /* a target level that follows accuracy - difficulty_target */
    DIFFICULTY_WINDOW,       /* levels 0..high; high moves at two thresholds (reasoning-gym) */
    DIFFICULTY_RLVE,         /* a window of levels that moves up at one threshold */
    DIFFICULTY_SEC,          /* a bandit on the mean |advantage| */
    DIFFICULTY_DUMP,         /* the same with a bonus for what was drawn little (UCB) */
    DIFFICULTY_RULES
};

/* Levels of a curriculum; updates that DUMP remembers. */
enum { DIFFICULTY_LEVELS_MAX = 8, DIFFICULTY_MEMORY_MAX = 256 };

struct difficulty_conf {
    enum difficulty_rule rule;
    size_t levels;  /* 1..DIFFICULTY_LEVELS_MAX */
    uint64_t total; /* all updates of the curriculum: rules with difficulty_needs_total */
    double mixture[DIFFICULTY_LEVELS_MAX]; /* MIXTURE: weights, not all 0 */
    double rate;        /* ADARFT: eta, in levels; SEC: alpha; E2H_GAUSSIAN: beta */
    double target;      /* ADARFT: beta, an accuracy */
    double sharpness;   /* ADARFT: alpha */
    double width;       /* E2H_GAUSSIAN: sigma; ADARFT: of the levels drawn */
    double up;          /* WINDOW, RLVE: threshold; 0: the rule's own, 0.7 and 0.9 */
    double down;        /* WINDOW */
    uint64_t window;    /* RLVE: levels; WINDOW, DUMP: updates; 0: the rule's own, 4, 4 and 12 */
    double temperature; /* SEC, DUMP */
};

/* What one update saw of one level: fill it with difficulty_count_group, once per problem. */
struct difficulty_count {
    uint64_t problems;
    uint64_t samples, correct; /* completions */
    double
        advantage; /* sum over problems of the mean |advantage| by correctness: 2 sqrt(p (1-p)) */
};

struct difficulty_state {
    uint64_t told;                       /* updates so far */
    double target;                       /* ADARFT: the target level */
    uint64_t low, high;                  /* WINDOW, RLVE: the levels drawn */
    uint64_t updates, samples, correct;  /* WINDOW, RLVE: at level HIGH since it last was judged */
    uint64_t problems;                   /* RLVE: as these */
    double value[DIFFICULTY_LEVELS_MAX]; /* SEC: Q; DUMP: mean of what is remembered */
    uint64_t drawn[DIFFICULTY_LEVELS_MAX]; /* SEC, DUMP: problems so far */
    /* DUMP: the last mean |advantage| of each level, oldest first. */
    double memory[DIFFICULTY_LEVELS_MAX][DIFFICULTY_MEMORY_MAX];
    uint64_t remembered[DIFFICULTY_LEVELS_MAX];
};

const char *difficulty_name(enum difficulty_rule rule); /* "mixture", "levels"... */
const char *difficulty_help(enum difficulty_rule rule); /* one sentence */
enum difficulty_rule difficulty_find(const char *name); /* DIFFICULTY_RULES when unknown */
/* Does the rule depend on the number of all updates ("levels", E2H)? */
bool difficulty_needs_total(enum difficulty_rule rule);
/* Does it learn from difficulty_tell? */
bool difficulty_adapts(enum difficulty_rule rule);

/* ERR_INVALID with a sentence and the parameter at fault ("mixture", "difficulty_up", "levels"...)
 * in RET_FIELD (may be NULL). */
int difficulty_check(const struct difficulty_conf *c, const char **ret_field,
                     struct err *err) MUST_CHECK;
/* C must have passed difficulty_check, here and below. The state is large (16 KiB). */
void difficulty_start(const struct difficulty_conf *c, struct difficulty_state *ret);
/* Weights of the levels at UPDATE (from 0, of the whole curriculum), sum 1, into WEIGHT[levels]. */
void difficulty_weights(const struct difficulty_conf *c, const struct difficulty_state *s,
                        uint64_t update, double *weight);
/* The level that U, uniform in [0, 1), picks. Never one of weight 0. */
size_t difficulty_pick(const double *weight, size_t levels, double u);

/* Add one problem's group of SAMPLES completions, CORRECT of them right. Groups that are dropped
 * from the loss for want of variance count too. */
void difficulty_count_group(struct difficulty_count *c, uint64_t samples, uint64_t correct);
/* The update is over: COUNT[levels]. */
void difficulty_tell(const struct difficulty_conf *c, struct difficulty_state *s,
                     const struct difficulty_count *count);

/* As adaptive_save and adaptive_load (adaptive.h). */
void difficulty_save(const struct difficulty_conf *c, const struct difficulty_state *s,
                     struct buf *out);
int difficulty_load(const struct difficulty_conf *c, const char *text, struct difficulty_state *ret,
                    struct err *err) MUST_CHECK;

/* The rule in words with its numbers, appended to OUT. */
void difficulty_describe(const struct difficulty_conf *c, struct buf *out);

#endif
