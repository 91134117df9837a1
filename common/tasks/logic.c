/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "common/tasks/generate.h"

enum { CHOICES = 4, HOPS_MAX = 6, CHAINS_MAX = 4, FACTS_MAX = 12 };

/* Fewer chains for longer ones, so that prompts of up to three hops stay within 32 tokens. */
static int chains_of(int level)
{
    return level == 1 ? 4 : level == 2 ? 3 : 2;
}

/* The ends of all chains, then inner entities in random order until there are four. */
static void pick_choices(char entity[CHAINS_MAX][HOPS_MAX + 1], int chains, int level,
                         struct rng *r, char choice[CHOICES])
{
    char inner[CHAINS_MAX * HOPS_MAX];
    size_t inner_len = 0, n = 0;

    for (int c = 0; c < chains; c++) {
        choice[n++] = entity[c][level];
        for (int h = 1; h < level; h++)
            inner[inner_len++] = entity[c][h];
    }
    rng_shuffle(r, inner, inner_len, 1);
    for (size_t i = 0; n < CHOICES; i++) {
        assert(i < inner_len);
        choice[n++] = inner[i];
    }
    rng_shuffle(r, choice, CHOICES, 1);
}

void logic_draw(int level, struct rng *r, struct problem *ret)
{
    char letter[26], entity[CHAINS_MAX][HOPS_MAX + 1], fact[FACTS_MAX][2], choice[CHOICES];
    int chains = chains_of(level);
    size_t facts = 0, len = 0, next = 0;

    assert(level >= 1 && level <= HOPS_MAX);
    for (int i = 0; i < 26; i++)
        letter[i] = (char)('a' + i);
    rng_shuffle(r, letter, 26, 1);
    for (int c = 0; c < chains; c++)
        for (int h = 0; h <= level; h++)
            entity[c][h] = letter[next++];
    for (int c = 0; c < chains; c++)
        for (int h = 0; h < level; h++, facts++) {
            fact[facts][0] = entity[c][h];
            fact[facts][1] = entity[c][h + 1];
        }
    rng_shuffle(r, fact, facts, 2);
    pick_choices(entity, chains, level, r, choice);

    assert(facts * 3 + 2 + CHOICES * 2 + 2 <= PROBLEM_TEXT);
    for (size_t i = 0; i < facts; i++) {
        ret->prompt[len++] = fact[i][0];
        ret->prompt[len++] = fact[i][1];
        ret->prompt[len++] = ',';
    }
    for (int i = 0; i < CHOICES; i++) {
        ret->prompt[len++] = choice[i];
        ret->prompt[len++] = (char)('A' + i);
        if (choice[i] == entity[0][level])
            ret->answer[0] = (char)('A' + i);
    }
    ret->prompt[len++] = '?';
    ret->prompt[len++] = entity[0][0];
    ret->prompt[len++] = '=';
    ret->prompt[len] = '\0';
    ret->answer[1] = '\0';
}
