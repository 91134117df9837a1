/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/lesson.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static int apply(char op, int value, int digit)
{
    switch (op) {
    case '+':
        return (value + digit) % 10;
    case '-':
        return (value + 10 - digit) % 10;
    case '>':
        return MAX(value, digit);
    default:
        return MIN(value, digit);
    }
}

/* "3+5>2=": values 8 at the 5 and 8 at the 2. */
static void math_lesson(struct lesson *l)
{
    int value = l->text[0] - '0';

    for (size_t i = 1; i + 2 < l->len; i += 2) {
        value = apply(l->text[i], value, l->text[i + 1] - '0');
        l->say[i + 1] = (char)('0' + value);
    }
    assert(l->say[l->len - 1] == '0' + value);
}

/* What a logic prompt says: "ab,bc,de,cAeBbCdD?a=". */
struct facts {
    char next[128];   /* entity -> the one that follows it, 0 at an end */
    char letter[128]; /* entity -> its choice, 0 for none */
    char entity[64];
    size_t entities_len;
    size_t question; /* place of the entity asked about */
};

static void add_entity(struct facts *f, char c)
{
    if (!memchr(f->entity, c, f->entities_len) && f->entities_len < sizeof(f->entity))
        f->entity[f->entities_len++] = c;
}

static void read_facts(struct facts *f, struct lesson *l)
{
    size_t i = 0;

    for (; l->text[i + 2] == ','; i += 3) {
        f->next[l->text[i] & 127] = l->text[i + 1];
        add_entity(f, l->text[i]);
        add_entity(f, l->text[i + 1]);
        l->say[i + 1] = l->text[i];
    }
    for (; l->text[i] != '?'; i += 2) {
        assert(i + 3 < l->len);
        f->letter[l->text[i] & 127] = l->text[i + 1];
        l->say[i + 1] = l->text[i];
    }
    f->question = i + 1;
    assert(l->text[i + 2] == '=');
}

static char end_of(const struct facts *f, char entity)
{
    while (f->next[entity & 127])
        entity = f->next[entity & 127];
    return entity;
}

/* More of them teach more per token, but a step should not be made of the longest problems alone.
 */
enum { FURTHER_MAX = 5 };

static void logic_lesson(struct lesson *l, struct rng *r, size_t max_len)
{
    struct facts f = { 0 };
    char answer = l->say[l->len - 1], asked;
    size_t further = 0;

    read_facts(&f, l);
    asked = l->text[f.question];
    l->say[f.question] = end_of(&f, asked);
    assert(f.letter[end_of(&f, asked) & 127] == answer);
    rng_shuffle(r, f.entity, f.entities_len, 1);
    for (size_t i = 0; i < f.entities_len && further < FURTHER_MAX && l->len + 4 <= max_len; i++) {
        char end = end_of(&f, f.entity[i]);

        if (f.entity[i] == asked)
            continue;
        further++;
        l->text[l->len++] = answer;
        l->text[l->len++] = '?';
        answer = f.letter[end & 127];
        l->say[l->len] = end;
        l->text[l->len++] = f.entity[i];
        l->say[l->len] = answer;
        l->text[l->len++] = '=';
    }
}

/* Places are digits: 1 to 9, and 0 for the tenth. */
static char place_digit(size_t place)
{
    return (char)('0' + place % 10);
}

/* What is taught about the question whose operation is at OPERATION: behind an argument of "-" the
 * place from the front; at "=" the answer. */
static void list_question(struct lesson *l, size_t n, size_t operation)
{
    char argument = l->text[operation + 1];

    if (l->text[operation] == '-')
        l->say[operation + 1] = place_digit(n - (size_t)(argument - '1'));
    l->say[operation + 2] = lists_answer(l->text, n, l->text[operation], argument);
}

/* "cabba<3=" */
static void lists_lesson(struct lesson *l, struct rng *r, size_t max_len)
{
    static const char operations[] = "<>-?";
    size_t n = l->len - 3;
    char answer = l->say[l->len - 1];

    for (size_t i = 0; i < n; i++)
        l->say[i] = lists_answer(l->text, i + 1, '<', '1');
    list_question(l, n, n);
    assert(l->say[l->len - 1] == answer);
    for (size_t i = 0; i < FURTHER_MAX && l->len + 4 <= max_len; i++) {
        char operation = operations[rng_below(r, 4)];

        l->text[l->len] = l->say[l->len - 1];
        l->len++;
        l->text[l->len++] = operation;
        l->text[l->len++] = operation == '?'
                                ? l->text[rng_below(r, (uint32_t)n)]
                                : (char)('1' + rng_below(r, (uint32_t)MIN(n, (size_t)9)));
        l->text[l->len++] = '=';
        list_question(l, n, l->len - 3);
    }
}

int lesson_make(struct lesson *ret, const char *task, const struct example *e, struct rng *r,
                size_t max_len, struct err *err)
{
    size_t len = strlen(e->prompt);

    max_len = MIN(max_len, (size_t)LESSON_MAX);
    if (len == 0 || len > max_len)
        return err_set(err, ERR_LIMIT, "a %s problem of %zu characters; at most %zu fit", task, len,
                       max_len);
    *ret = (struct lesson){ .len = len };
    memcpy(ret->text, e->prompt, len);
    ret->say[len - 1] = e->gold[0];
    if (strcmp(task, "math") == 0)
        math_lesson(ret);
    else if (strcmp(task, "logic") == 0)
        logic_lesson(ret, r, max_len);
    else if (strcmp(task, "lists") == 0)
        lists_lesson(ret, r, max_len);
    return 0;
}
