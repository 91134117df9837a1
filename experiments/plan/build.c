/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/plan/build.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/base/mem.h"
#include "experiments/plan/halving.h"
#include "experiments/plan/memory.h"

struct key_index {
    struct digest key;
    uint32_t index;
    UT_hash_handle hh;
};

static void free_index(struct key_index **map)
{
    struct key_index *k, *next;

    HASH_ITER(hh, *map, k, next)
    {
        HASH_DEL(*map, k);
        free(k);
    }
}

void build_release(struct build *b)
{
    free_index(&b->families);
    free_index(&b->jobs);
    free_index(&b->files);
    memo_release(b);
    halving_free(b->halving);
    b->halving = NULL;
    outside_free(b->outside);
    b->outside = NULL;
}

const char *build_text(struct build *b, const char *s)
{
    struct plan_text *t = NULL;
    size_t len = strlen(s);

    HASH_FIND(hh, b->plan->memory->texts, s, len, t);
    if (t)
        return t->s;
    t = mem_calloc(1, sizeof(*t));
    t->s = mem_strdup(s);
    HASH_ADD_KEYPTR(hh, b->plan->memory->texts, t->s, len, t);
    return t->s;
}

const struct params *build_params(struct build *b, const struct params *p, struct err *err)
{
    struct plan_params *node = mem_calloc(1, sizeof(*node));

    node->next = b->plan->memory->params;
    b->plan->memory->params = node;
    for (size_t i = 0; i < p->len; i++)
        if (params_set(&node->p, p->entry[i].name, &p->entry[i].value, err) != 0)
            return NULL;
    return &node->p;
}

void build_list_add(struct plan_list *l, uint32_t v)
{
    size_t at = l->len;

    while (at > 0 && l->v[at - 1] > v)
        at--;
    if (at > 0 && l->v[at - 1] == v)
        return;
    if (l->len == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 2;
        l->v = mem_realloc(l->v, l->cap, sizeof(*l->v));
    }
    memmove(&l->v[at + 1], &l->v[at], (l->len - at) * sizeof(*l->v));
    l->v[at] = v;
    l->len++;
}

/* Find or append: *ARRAY has *LEN elements of SIZE bytes, room for *CAP. */
static int find_or_add(struct key_index **map, const struct digest *key, void **array, size_t *len,
                       size_t *cap, size_t size, size_t max, uint32_t *ret, bool *ret_new)
{
    struct key_index *k = NULL;

    HASH_FIND(hh, *map, key, sizeof(*key), k);
    *ret_new = k == NULL;
    if (k) {
        *ret = k->index;
        return 0;
    }
    if (*len == max)
        return ERR_LIMIT;
    if (*len == *cap) {
        *cap = *cap ? 2 * *cap : 64;
        *array = mem_realloc(*array, *cap, size);
    }
    memset((char *)*array + *len * size, 0, size);
    k = mem_calloc(1, sizeof(*k));
    k->key = *key;
    k->index = (uint32_t)*len;
    HASH_ADD(hh, *map, key, sizeof(k->key), k);
    *ret = (uint32_t)(*len)++;
    return 0;
}

int build_family(struct build *b, const struct digest *key, uint32_t *ret, bool *ret_new,
                 struct err *err)
{
    struct plan *p = b->plan;

    if (find_or_add(&b->families, key, (void **)&p->family, &p->families_len, &b->family_cap,
                    sizeof(*p->family), PLAN_FAMILIES_MAX, ret, ret_new) != 0)
        return err_set(err, ERR_LIMIT, "more than %d families of results", PLAN_FAMILIES_MAX);
    p->family[*ret].key = *key;
    return 0;
}

int build_job(struct build *b, const struct digest *key, uint32_t *ret, bool *ret_new,
              struct err *err)
{
    struct plan *p = b->plan;

    if (find_or_add(&b->jobs, key, (void **)&p->job, &p->jobs_len, &b->job_cap, sizeof(*p->job),
                    PLAN_JOBS_MAX, ret, ret_new) != 0)
        return err_set(err, ERR_LIMIT, "more than %d jobs; use larger shards or fewer runs",
                       PLAN_JOBS_MAX);
    p->job[*ret].key = *key;
    return 0;
}

int build_file(struct build *b, const struct digest *key, uint32_t *ret, bool *ret_new,
               struct err *err)
{
    struct plan *p = b->plan;

    if (find_or_add(&b->files, key, (void **)&p->file, &p->files_len, &b->file_cap,
                    sizeof(*p->file), PLAN_FILES_MAX, ret, ret_new) != 0)
        return err_set(err, ERR_LIMIT, "more than %d outside files", PLAN_FILES_MAX);
    p->file[*ret].digest = *key;
    return 0;
}

void build_digest_params(const struct plan_run *run, struct digester *d)
{
    const char *last = NULL;

    for (;;) {
        size_t next = run->params_len;

        for (size_t i = 0; i < run->params_len; i++)
            if (*run->value[i] && (!last || strcmp(run->name[i], last) > 0) &&
                (next == run->params_len || strcmp(run->name[i], run->name[next]) < 0))
                next = i;
        if (next == run->params_len)
            return;
        last = run->name[next];
        digest_add_text(d, last);
        digest_add_text(d, run->value[next]);
    }
}
