/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "common/tasks/generate.h"

static const char operators[] = "+-><";

static int apply(char op, int a, int b)
{
    switch (op) {
    case '+':
        return (a + b) % 10;
    case '-':
        return (a - b + 10) % 10;
    case '>':
        return a > b ? a : b;
    case '<':
        return a < b ? a : b;
    default:
        return -1;
    }
}

int math_value(const char *text)
{
    if (text[0] < '0' || text[0] > '9')
        return -1;
    int value = text[0] - '0';
    for (text++; *text != '='; text += 2) {
        if (text[0] == '\0' || text[1] < '0' || text[1] > '9')
            return -1;
        value = apply(text[0], value, text[1] - '0');
        if (value < 0)
            return -1;
    }
    return text[1] == '\0' ? value : -1;
}

static void finish(struct problem *p, size_t len)
{
    assert(len + 2 <= sizeof(p->prompt));
    p->prompt[len] = '=';
    p->prompt[len + 1] = '\0';
    p->answer[0] = (char)('0' + math_value(p->prompt));
    p->answer[1] = '\0';
}

void math_draw(int level, struct rng *r, struct problem *ret)
{
    size_t len = 0;

    ret->prompt[len++] = (char)('0' + rng_below(r, 10));
    for (int i = 0; i < level + 2; i++) {
        ret->prompt[len++] = operators[rng_below(r, 4)];
        ret->prompt[len++] = (char)('0' + rng_below(r, 10));
    }
    finish(ret, len);
}

void math_each(int level, math_each_fn fn, void *arg)
{
    uint64_t total = 10;

    for (int i = 0; i < level + 2; i++)
        total *= 40;
    for (uint64_t n = 0; n < total; n++) {
        struct problem p;
        uint64_t rest = n / 10;
        size_t len = 0;
        p.prompt[len++] = (char)('0' + n % 10);
        for (int i = 0; i < level + 2; i++, rest /= 40) {
            p.prompt[len++] = operators[rest % 4];
            p.prompt[len++] = (char)('0' + rest / 4 % 10);
        }
        finish(&p, len);
        fn(&p, arg);
    }
}
