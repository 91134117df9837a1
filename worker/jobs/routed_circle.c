/* SPDX-License-Identifier: Apache-2.0 */
/* routed_circle.c - other examples' labels, and random paths like them. */
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/rng.h"
#include "worker/jobs/implement.h"
#include "worker/jobs/routed_private.h"
#include "worker/search/routing.h"

enum { FAMILIES_SHOWN = 8 };

static uint64_t hash_of(const struct circle *c, uint64_t id)
{
    struct rng r = rng_stream("label circle", c->seed, id);

    return rng_u64(&r);
}

static int by_hash(const void *a, const void *b)
{
    const struct circle_place *x = a, *y = b;

    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return (x->row->id > y->row->id) - (x->row->id < y->row->id);
}

/* "math level 1, math level 2" */
static void print_families(const struct label_set *s, struct buf *out)
{
    size_t shown = 0;

    for (size_t i = 0; i < s->families_len; i++) {
        const struct label_family *f = &s->family[i];
        bool again = false;

        for (size_t k = 0; k < i; k++)
            again = again ||
                    (strcmp(s->family[k].task, f->task) == 0 && s->family[k].level == f->level);
        if (again)
            continue;
        if (++shown > FAMILIES_SHOWN) {
            buf_adds(out, "...");
            return;
        }
        buf_printf(out, "%s%s level %lld", shown > 1 ? ", " : "", f->task, (long long)f->level);
    }
}

static int nobody(const struct label_set *s, const struct job *j, const char *task, int64_t level,
                  struct err *err)
{
    struct buf families CLEANUP(buf_release) = { 0 };

    print_families(s, &families);
    return err_set(err, ERR_INVALID,
                   "%s: the label set has no example of %s level %lld, which this step evaluates; "
                   "it has %s",
                   job_input_name(j, "labels"), task, (long long)level,
                   families.len ? buf_str(&families) : "none at all");
}

int circle_make(struct circle *c, const struct label_set *set, const struct job *j, struct err *err)
{
    const char *task = kind_text(j->kind, &j->params, "task");
    int64_t level = kind_int(j->kind, &j->params, "level");

    *c = (struct circle){ .set = set,
                          .seed = (uint64_t)kind_int(j->kind, &j->params, "routing_seed"),
                          .place = mem_calloc(set->len + 1, sizeof(*c->place)) };
    for (size_t i = 0; i < set->len; i++) {
        const struct label_row *row = &set->row[i];
        const struct label_family *f = &set->family[row->family];

        if (strcmp(f->task, task) == 0 && f->level == level)
            c->place[c->len++] = (struct circle_place){ hash_of(c, row->id), row };
    }
    if (c->len == 0)
        return nobody(set, j, task, level, err);
    qsort(c->place, c->len, sizeof(*c->place), by_hash);
    return 0;
}

void circle_release(struct circle *c)
{
    free(c->place);
    *c = (struct circle){ 0 };
}

/* Where example ID stands; the circle's length when it is not there. */
static size_t place_of(const struct circle *c, uint64_t id)
{
    const struct label_row row = { .id = id };
    const struct circle_place key = { hash_of(c, id), &row };
    const struct circle_place *at = bsearch(&key, c->place, c->len, sizeof(*c->place), by_hash);

    return at ? (size_t)(at - c->place) : c->len;
}

const struct label_row *circle_find(const struct circle *c, uint64_t id)
{
    size_t at = place_of(c, id);

    if (at == c->len) {
        struct rng r = rng_stream("label stand-in", c->seed, id);

        at = rng_below(&r, (uint32_t)c->len);
    }
    return c->place[at].row;
}

int circle_next(const struct circle *c, uint64_t id, const struct label_row **ret, struct err *err)
{
    size_t at = place_of(c, id);

    *ret = at == c->len ? circle_find(c, id) : c->place[(at + 1) % c->len].row;
    if ((*ret)->id == id)
        return err_set(err, ERR_INVALID,
                       "routing = \"shuffled\" gives each example another one's label, and the "
                       "label set has a single example of this task and level");
    return 0;
}

int circle_random(const struct circle *c, const struct label_row *row, uint64_t id, uint8_t *ret,
                  struct err *err)
{
    const uint8_t *label = label_routing(c->set, row);
    struct rng r = rng_stream("random routing", c->seed, id);
    size_t skips = 0, repeats = 0;

    for (size_t l = 0; label && l < c->set->layers; l++) {
        skips += label[l] == 0;
        repeats += label[l] == 2;
    }
    return routing_random(&r, c->set->layers, skips, repeats, ret, err);
}
