/* SPDX-License-Identifier: Apache-2.0 */
#include "store/cache.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

enum {
    ATTEMPTS = 256,     /* slots of workers that send at the same time; 40 KiB */
    EXAMPLES = 1 << 17, /* the largest benchmarks have some 15,000; 32 bytes each: 4 MiB */
    GROUPS = 256,       /* distinct (task, split, level); examples of more are not remembered */
    TEXT_MAX = 64,
};

struct example_slot {
    uint64_t number, row;
    uint32_t group, generation; /* generation 0: empty */
};

struct group {
    char task[TEXT_MAX], split[TEXT_MAX];
    int level;
};

/* A row's place is given by its number: who comes later takes it. */
struct cache {
    uint32_t generation; /* of what is valid */
    struct {
        struct attempt_row row;
        uint32_t generation;
    } attempt[ATTEMPTS];
    struct example_slot *example;
    struct group group[GROUPS];
    uint32_t groups_len, last_group;
};

void cache_free(struct cache *c)
{
    if (c)
        free(c->example);
    free(c);
}

void cache_forget(struct cache *c)
{
    if (c && ++c->generation == 0) { /* once in 4 billion times */
        memset(c->attempt, 0, sizeof c->attempt);
        memset(c->example, 0, EXAMPLES * sizeof *c->example);
        c->generation = 1;
    }
}

static struct cache *cache_of(struct store *s)
{
    if (!s->cache) {
        s->cache = mem_calloc(1, sizeof *s->cache);
        s->cache->example = mem_calloc(EXAMPLES, sizeof *s->cache->example);
        s->cache->generation = 1;
    }
    return s->cache;
}

int cache_attempt(struct store *s, uint64_t attempt, uint32_t epoch, const struct attempt_row **ret,
                  struct err *err)
{
    struct cache *c = cache_of(s);
    size_t at = attempt % ATTEMPTS;
    struct attempt_row row;
    int rc;

    *ret = &c->attempt[at].row;
    if (c->attempt[at].generation == c->generation && (*ret)->id == attempt &&
        (*ret)->epoch == epoch)
        return 0;
    rc = attempt_load_live(s, attempt, epoch, &row, err);
    if (rc < 0)
        return rc;
    c->attempt[at].row = row;
    c->attempt[at].generation = c->generation;
    return 0;
}

static bool is_group(const struct group *g, const struct store_example *e)
{
    return g->level == e->level && strcmp(g->task, e->task) == 0 && strcmp(g->split, e->split) == 0;
}

/* GROUPS: no more are remembered. */
static uint32_t group_of(struct cache *c, const struct store_example *e)
{
    struct group *g;

    if (c->last_group < c->groups_len && is_group(&c->group[c->last_group], e))
        return c->last_group;
    for (uint32_t i = 0; i < c->groups_len; i++) {
        if (is_group(&c->group[i], e))
            return c->last_group = i;
    }
    if (c->groups_len == GROUPS || strlen(e->task) >= TEXT_MAX || strlen(e->split) >= TEXT_MAX)
        return GROUPS;
    g = &c->group[c->groups_len];
    memcpy(g->task, e->task, strlen(e->task) + 1);
    memcpy(g->split, e->split, strlen(e->split) + 1);
    g->level = e->level;
    return c->groups_len++;
}

static int example_row(struct store *s, const struct store_example *e, uint64_t *ret,
                       struct err *err)
{
    struct stmt *st = USE(s, EXAMPLE_FIND);
    int64_t id = 0;
    int rc;

    stmt_u64(st, ":number", e->id);
    stmt_text(st, ":task", e->task);
    stmt_text(st, ":split", e->split);
    stmt_int(st, ":level", e->level);
    rc = stmt_step(st, err);
    if (rc < 0)
        return rc;
    if (rc > 0) {
        *ret = stmt_col_u64(st, 0);
        stmt_reset(st);
        return 0;
    }
    st = USE(s, EXAMPLE_PUT);
    stmt_text(st, ":task", e->task);
    stmt_int(st, ":level", e->level);
    stmt_text(st, ":split", e->split);
    stmt_u64(st, ":number", e->id);
    stmt_text(st, ":source_id", e->source_id ? e->source_id : "");
    stmt_text(st, ":question", e->question ? e->question : "");
    stmt_text(st, ":gold", e->gold ? e->gold : "");
    stmt_text(st, ":subset", e->subset ? e->subset : "");
    rc = stmt_get(st, &id, err);
    *ret = (uint64_t)id;
    return rc;
}

/* Where E is or would be remembered. */
static struct example_slot *slot_of(struct cache *c, const struct store_example *e, uint32_t group)
{
    return &c->example[((e->id ^ group) * 0x9E3779B97F4A7C15u) >> 47];
}

static bool is_slot(const struct cache *c, const struct example_slot *slot,
                    const struct store_example *e, uint32_t group)
{
    return group < GROUPS && slot->generation == c->generation && slot->number == e->id &&
           slot->group == group;
}

bool cache_has_example(struct store *s, const struct store_example *e)
{
    struct cache *c = cache_of(s);
    uint32_t group = group_of(c, e);

    return is_slot(c, slot_of(c, e, group), e, group);
}

int cache_example(struct store *s, const struct store_example *e, uint64_t *ret, struct err *err)
{
    struct cache *c = cache_of(s);
    uint32_t group = group_of(c, e);
    struct example_slot *slot = slot_of(c, e, group);
    int rc;

    if (is_slot(c, slot, e, group)) {
        *ret = slot->row;
        return 0;
    }
    rc = example_row(s, e, ret, err);
    if (rc == 0 && group < GROUPS)
        *slot = (struct example_slot){ e->id, *ret, group, c->generation };
    return rc;
}
