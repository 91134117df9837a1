/* SPDX-License-Identifier: Apache-2.0 */
#include "store/words.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/base/mem.h"

struct word {
    UT_hash_handle hh;
    char text[];
};

struct words {
    struct word *all;
};

const char *words_get(struct words **w, const char *text, size_t len, const char *last)
{
    struct word *x;

    if (last && strlen(last) == len && memcmp(last, text, len) == 0)
        return last;
    if (!*w)
        *w = mem_calloc(1, sizeof(**w));
    HASH_FIND(hh, (*w)->all, text, len, x);
    if (x)
        return x->text;
    x = mem_calloc(1, sizeof(*x) + len + 1);
    memcpy(x->text, text, len);
    HASH_ADD_KEYPTR(hh, (*w)->all, x->text, len, x);
    return x->text;
}

void words_free(struct words *w)
{
    struct word *x, *next;

    if (!w)
        return;
    HASH_ITER(hh, w->all, x, next)
    {
        HASH_DEL(w->all, x);
        free(x);
    }
    free(w);
}
