/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "common/tasks/generate.h"
#include "common/tasks/task.h"

enum { LENGTH_MAX = 10, PLACE_MAX = 9 };

static const char operations[] = "<>-?";

/* How many elements of LIST come before element I in ascending order; equals keep their order. */
static size_t rank_of(const char *list, size_t n, size_t i)
{
    size_t rank = 0;

    for (size_t j = 0; j < n; j++)
        rank += list[j] < list[i] || (list[j] == list[i] && j < i);
    return rank;
}

static char sorted_at(const char *list, size_t n, size_t place)
{
    for (size_t i = 0; i < n; i++)
        if (rank_of(list, n, i) == place)
            return list[i];
    return '\0';
}

static char occurrences(const char *list, size_t n, char element)
{
    size_t found = 0;

    for (size_t i = 0; i < n; i++)
        found += list[i] == element;
    return (char)('0' + found);
}

char lists_answer(const char *list, size_t n, char operation, char argument)
{
    size_t place = (size_t)(argument - '1');

    if (operation == '?')
        return occurrences(list, n, argument);
    if (argument < '1' || place >= n)
        return '\0';
    switch (operation) {
    case '<':
        return sorted_at(list, n, place);
    case '>':
        return sorted_at(list, n, n - 1 - place);
    case '-':
        return list[n - 1 - place];
    default:
        return '\0';
    }
}

const char *lists_subset(const char *prompt)
{
    switch (prompt[strcspn(prompt, operations)]) {
    case '<':
    case '>':
        return "sort";
    case '-':
        return "reverse";
    default:
        return "count";
    }
}

/* An element half of the time, else a symbol that may be one, so that 0 is an answer, too. */
static char draw_counted(const char *list, const char *symbol, size_t n, struct rng *r)
{
    const char *from = rng_below(r, 2) ? list : symbol;

    return from[rng_below(r, (uint32_t)n)];
}

void lists_draw(int level, struct rng *r, struct problem *ret)
{
    char symbol[26], *list = ret->prompt, operation, argument;
    size_t n = (size_t)level + 4, symbols = rng_below(r, 2) ? 26 : 10;

    assert(level >= 1 && n <= LENGTH_MAX);
    for (size_t i = 0; i < symbols; i++)
        symbol[i] = (char)((symbols == 26 ? 'a' : '0') + i);
    rng_shuffle(r, symbol, symbols, 1);
    do /* ten equal elements would be counted with two digits */
        for (size_t i = 0; i < n; i++)
            list[i] = symbol[rng_below(r, (uint32_t)n)];
    while (occurrences(list, n, list[0]) > '9');
    operation = operations[rng_below(r, 4)];
    argument = operation == '?' ? draw_counted(list, symbol, n, r)
                                : (char)('1' + rng_below(r, (uint32_t)MIN(n, (size_t)PLACE_MAX)));
    ret->answer[0] = lists_answer(list, n, operation, argument);
    ret->answer[1] = '\0';
    list[n] = operation;
    list[n + 1] = argument;
    list[n + 2] = '=';
    list[n + 3] = '\0';
}
