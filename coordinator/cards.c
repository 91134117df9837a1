/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/cards.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/wire/pack.h"

/* Numbers of Lease's fields. */
enum { JOB = 1, KIND = 4, KIND_VERSION = 5, NUMERIC_CLASS = 6, SEED = 12, KEY = 13 };

struct card {
    uint64_t job; /* 0: none */
    uint32_t len, cap;
    char *bytes;
};

struct cards {
    struct card card[CARDS];
    struct buf work;
};

struct cards *cards_new(void)
{
    return mem_calloc(1, sizeof(struct cards));
}

void cards_free(struct cards *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < CARDS; i++)
        free(c->card[i].bytes);
    buf_release(&c->work);
    free(c);
}

void cards_put(struct cards *c, const struct store_ready *r)
{
    struct card *card = &c->card[r->job % CARDS];
    struct buf *b = &c->work;

    if (!r->simple)
        return;
    buf_clear(b);
    pack_u64(b, JOB, r->job);
    pack_bytes(b, KIND, r->kind, strlen(r->kind));
    pack_u64(b, KIND_VERSION, r->kind_version);
    pack_bytes(b, NUMERIC_CLASS, r->numeric_class, strlen(r->numeric_class));
    buf_add(b, r->params, r->params_len); /* stored as a Lease that holds nothing else */
    pack_u64(b, SEED, r->seed);
    pack_bytes(b, KEY, r->key.b, sizeof(r->key.b));
    if (b->len > CARD_BYTES_MAX)
        return;
    if (b->len > card->cap) {
        card->bytes = mem_realloc(card->bytes, b->len, 1);
        card->cap = (uint32_t)b->len;
    }
    memcpy(card->bytes, b->data, b->len);
    card->len = (uint32_t)b->len;
    card->job = r->job;
}

const void *cards_get(const struct cards *c, uint64_t job, size_t *ret_len)
{
    const struct card *card = &c->card[job % CARDS];

    if (card->job != job)
        return NULL;
    *ret_len = card->len;
    return card->bytes;
}

void cards_drop(struct cards *c, uint64_t job)
{
    struct card *card = &c->card[job % CARDS];

    if (card->job == job)
        card->job = 0;
}
