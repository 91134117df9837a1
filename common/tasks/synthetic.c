/* SPDX-License-Identifier: Apache-2.0 */
/* Draw number d of (task, level) is one problem, from a stream of its own. The ordered list of a
 * split is the draws that fall into it, duplicates dropped; the source keeps the draw numbers and
 * makes the text again when asked. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "common/base/mem.h"
#include "common/tasks/generate.h"
#include "common/tasks/source.h"

/* Counting further is of no use: nobody asks for more, and only level 1 of math has fewer. */
enum { COUNT_CAP = 1000000, SMALL_ASK = 10000 };

struct seen {
    uint64_t id;
    UT_hash_handle hh;
};

struct synthetic {
    const struct task_spec *task;
    int level;
    enum split split;
    uint64_t *draw; /* draw number of each example found so far */
    size_t len, cap;
    uint64_t next_draw;
    uint64_t count; /* 0: not counted yet */
    struct seen *seen;
};

static void draw_problem(const struct task_spec *t, int level, struct rng *r, struct problem *ret)
{
    if (strcmp(t->name, "math") == 0)
        math_draw(level, r, ret);
    else if (strcmp(t->name, "logic") == 0)
        logic_draw(level, r, ret);
    else
        lists_draw(level, r, ret);
}

static struct rng stream_of(const struct task_spec *t, int level, uint64_t draw)
{
    char purpose[64];

    snprintf(purpose, sizeof(purpose), "task %s", t->name);
    return rng_stream(purpose, (uint64_t)level, draw);
}

static void fill(const struct task_spec *t, int level, const struct problem *p, struct example *ret)
{
    *ret = (struct example){ .id = example_id(t, p->prompt), .level = level, .gold_choice = -1 };
    ret->source_id = mem_strdup(p->prompt);
    ret->question = mem_strdup(p->prompt);
    ret->prompt = mem_strdup(p->prompt);
    ret->gold = mem_strdup(p->answer);
    ret->subset = mem_strdup(strcmp(t->name, "lists") == 0 ? lists_subset(p->prompt) : "");
    ret->answer_tokens_max = t->answer_tokens_max;
}

struct synthetic *synthetic_new(const struct task_spec *t, int level, enum split split)
{
    struct synthetic *s = mem_calloc(1, sizeof(*s));

    s->task = t;
    s->level = level;
    s->split = split;
    return s;
}

void synthetic_free(struct synthetic *s)
{
    struct seen *item, *next;

    if (!s)
        return;
    HASH_ITER(hh, s->seen, item, next)
    {
        HASH_DEL(s->seen, item);
        free(item);
    }
    free(s->draw);
    free(s);
}

struct counting {
    const struct synthetic *source;
    uint64_t n;
};

static void count_one(const struct problem *p, void *arg)
{
    struct counting *c = arg;

    c->n += example_split(example_id(c->source->task, p->prompt)) == c->source->split;
}

uint64_t synthetic_count(struct synthetic *s)
{
    if (s->count == 0 && strcmp(s->task->name, "math") == 0 && s->level == 1) {
        struct counting c = { .source = s };
        math_each(s->level, count_one, &c);
        s->count = c.n;
    }
    if (s->count == 0)
        s->count = COUNT_CAP;
    return s->count;
}

static bool remember(struct synthetic *s, uint64_t id)
{
    struct seen *item = NULL;

    HASH_FIND(hh, s->seen, &id, sizeof(id), item);
    if (item)
        return false;
    item = mem_calloc(1, sizeof(*item));
    item->id = id;
    HASH_ADD(hh, s->seen, id, sizeof(item->id), item);
    return true;
}

static void find_next(struct synthetic *s)
{
    for (;;) {
        struct problem p;
        uint64_t draw = s->next_draw++;
        struct rng r = stream_of(s->task, s->level, draw);
        draw_problem(s->task, s->level, &r, &p);
        uint64_t id = example_id(s->task, p.prompt);
        if (example_split(id) != s->split || !remember(s, id))
            continue;
        if (s->len == s->cap) {
            s->cap = s->cap ? s->cap * 2 : 256;
            s->draw = mem_realloc(s->draw, s->cap, sizeof(*s->draw));
        }
        s->draw[s->len++] = draw;
        return;
    }
}

int synthetic_get(struct synthetic *s, uint64_t index, struct example *ret, struct err *err)
{
    struct problem p;

    if (index >= SMALL_ASK && index >= synthetic_count(s))
        return err_set(err, ERR_LIMIT, "%s level %d has %llu distinct %s examples, asked for %llu",
                       s->task->name, s->level, (unsigned long long)synthetic_count(s),
                       split_name(s->split), (unsigned long long)index + 1);
    while (s->len <= index)
        find_next(s);
    struct rng r = stream_of(s->task, s->level, s->draw[index]);
    draw_problem(s->task, s->level, &r, &p);
    fill(s->task, s->level, &p, ret);
    return 0;
}

int task_draw(const char *task, int level, struct rng *r, struct example *ret, struct err *err)
{
    const struct task_spec *t = task_find(task);
    struct problem p;

    if (!t || !t->synthetic)
        return err_set(err, ERR_INVALID, "%s: not a synthetic task", task);
    if (level < 1 || level > t->levels)
        return err_set(err, ERR_INVALID, "%s: level %d is out of range 1 to %d", task, level,
                       t->levels);
    do
        draw_problem(t, level, r, &p);
    while (example_split(example_id(t, p.prompt)) != SPLIT_TRAIN);
    fill(t, level, &p, ret);
    return 0;
}

const char *task_alphabet(void)
{
    return "0123456789+-><=,?ABCDabcdefghijklmnopqrstuvwxyz";
}
