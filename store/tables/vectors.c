/* SPDX-License-Identifier: Apache-2.0 */
/* vectors.c - vectors of families, each read once per table (pivot.h). */
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/base/mem.h"
#include "store/tables/pivot.h"
#include "store/vector.h"

struct vectors {
    UT_hash_handle hh;
    double *x; /* NULL: there is none */
    size_t key_len;
    char key[]; /* family, examples, metric */
};

const double *vectors_get(struct vectors **cache, struct store *s, const struct sums *x,
                          const char *metric)
{
    char key[2 * sizeof(uint64_t) + TABLE_WORD_MAX] = { 0 };
    size_t name = strlen(metric), len = 2 * sizeof(uint64_t) + MIN(name, TABLE_WORD_MAX - 1);
    struct err ignored = { 0 }; /* without vectors there is no comparison: the cell says so */
    struct vectors *one;

    memcpy(key, &x->family_id, sizeof x->family_id);
    memcpy(key + sizeof(uint64_t), &x->promised, sizeof x->promised);
    memcpy(key + 2 * sizeof(uint64_t), metric, len - 2 * sizeof(uint64_t));
    HASH_FIND(hh, *cache, key, len, one);
    if (one)
        return one->x;
    one = mem_calloc(1, sizeof *one + len);
    memcpy(one->key, key, len);
    one->key_len = len;
    one->x = mem_calloc(MAX(x->promised, 1), sizeof *one->x);
    if (x->promised == 0 ||
        store_vector(s, x->family_id, x->promised, metric, one->x, NULL, &ignored) < 0) {
        free(one->x);
        one->x = NULL;
    }
    HASH_ADD_KEYPTR(hh, *cache, one->key, len, one);
    return one->x;
}

void vectors_free(struct vectors *cache)
{
    struct vectors *one, *next;

    HASH_ITER(hh, cache, one, next)
    {
        HASH_DEL(cache, one);
        free(one->x);
        free(one);
    }
}
