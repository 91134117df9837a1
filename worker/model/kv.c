/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/model/kv.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

/* In front of a page's keys; 64 bytes, so that they are aligned. */
struct page_head {
    _Alignas(64) atomic_size_t owners;
};

static struct page_head *head_of(float *keys)
{
    return (struct page_head *)(void *)keys - 1;
}

static size_t page_bytes(const struct kv *kv)
{
    return sizeof(struct page_head) + (size_t)2 * KV_PAGE * kv->width * sizeof(float);
}

/* Keys of a page of our own, or NULL. */
static float *page_new(const struct kv *kv)
{
    struct page_head *head = mem_try_aligned(page_bytes(kv), 1);

    if (!head)
        return NULL;
    atomic_init(&head->owners, 1);
    memset(head + 1, 0, KV_PAGE * kv->width * sizeof(float)); /* keys are read beyond the last */
    return (float *)(void *)(head + 1);
}

static void page_drop(float *keys)
{
    if (atomic_fetch_sub(&head_of(keys)->owners, 1) == 1)
        free(head_of(keys));
}

static void set_page(struct kv *kv, size_t slot, size_t page, float *keys)
{
    kv->k[slot * kv->room + page] = keys;
    kv->v[slot * kv->room + page] = keys + KV_PAGE * kv->width;
}

int kv_new(struct kv **ret, const struct model_conf *c, const uint8_t *routing, size_t capacity,
           struct err *err)
{
    struct kv *kv;

    if (capacity > c->positions)
        return err_set(err, ERR_LIMIT, "a cache of %zu positions; the model has %zu", capacity,
                       c->positions);
    kv = mem_calloc(1, sizeof(*kv));
    kv->layers = c->layers;
    kv->width = c->kv_heads * c->head_dim;
    kv->capacity = capacity;
    kv->open = !routing;
    kv->routing = routing ? mem_dup(routing, c->layers) : mem_calloc(c->layers, 1);
    for (size_t l = 0; l < c->layers && routing; l++) {
        assert(routing[l] <= ROUTING_REPEAT);
        kv->slots += routing[l];
    }
    *ret = kv;
    return 0;
}

/* Give back the pages from page FROM on. */
static void drop_pages(struct kv *kv, size_t from)
{
    for (size_t s = 0; s < kv->slots; s++)
        for (size_t p = from; p < kv->pages; p++)
            page_drop(kv->k[s * kv->room + p]);
    kv->pages = MIN(kv->pages, from);
}

void kv_free(struct kv *kv)
{
    if (!kv)
        return;
    drop_pages(kv, 0);
    free(kv->routing);
    free(kv->k);
    free(kv->v);
    free(kv);
}

size_t kv_len(const struct kv *kv)
{
    return kv->len;
}

static size_t pages_of(size_t positions)
{
    return (positions + KV_PAGE - 1) / KV_PAGE;
}

void kv_truncate(struct kv *kv, size_t len)
{
    assert(len <= kv->len);
    kv->len = len;
    drop_pages(kv, pages_of(len));
}

size_t kv_bytes(const struct kv *kv)
{
    return kv->slots * kv->pages * page_bytes(kv);
}

/* Room for PAGES pages per slot in the tables. */
static void widen_tables(struct kv *kv, size_t pages)
{
    struct kv old = *kv;

    if (pages <= kv->room)
        return;
    kv->room = MAX(2 * kv->room, pages);
    kv->k = mem_calloc(MAX(kv->slots, 1) * kv->room, sizeof(*kv->k));
    kv->v = mem_calloc(MAX(kv->slots, 1) * kv->room, sizeof(*kv->v));
    for (size_t s = 0; s < kv->slots && old.pages; s++) {
        memcpy(kv->k + s * kv->room, old.k + s * old.room, old.pages * sizeof(*kv->k));
        memcpy(kv->v + s * kv->room, old.v + s * old.room, old.pages * sizeof(*kv->v));
    }
    free(old.k);
    free(old.v);
}

/* Page P of slot S is about to be written behind the positions held: take it out of other hands.
 * ERR_NOMEM. */
static int own_page(struct kv *kv, size_t s, size_t p, struct err *err)
{
    float *shared = kv->k[s * kv->room + p], *own;
    size_t floats = kv->len % KV_PAGE * kv->width;

    if (atomic_load(&head_of(shared)->owners) == 1)
        return 0;
    own = page_new(kv);
    if (!own)
        return err_set(err, ERR_NOMEM, "a page of %zu bytes for a cache", page_bytes(kv));
    memcpy(own, shared, KV_PAGE * kv->width * sizeof(float)); /* held keys are in all of it */
    memcpy(own + KV_PAGE * kv->width, shared + KV_PAGE * kv->width, floats * sizeof(float));
    set_page(kv, s, p, own);
    page_drop(shared);
    return 0;
}

int kv_reserve(struct kv *kv, size_t rows, struct err *err)
{
    size_t need = kv->len + rows, pages = pages_of(need);

    if (need > kv->capacity)
        return err_set(err, ERR_LIMIT, "%zu positions; the cache was made for %zu", need,
                       kv->capacity);
    for (size_t s = 0; s < kv->slots && kv->len % KV_PAGE && rows; s++) {
        int rc = own_page(kv, s, kv->len / KV_PAGE, err);

        if (rc)
            return rc;
    }
    widen_tables(kv, pages);
    for (; kv->pages < pages; kv->pages++) {
        for (size_t s = 0; s < kv->slots; s++) {
            float *keys = page_new(kv);

            if (!keys) {
                while (s-- > 0)
                    page_drop(kv->k[s * kv->room + kv->pages]);
                return err_set(err, ERR_NOMEM, "a page of %zu bytes for a cache of %zu positions",
                               page_bytes(kv), need);
            }
            set_page(kv, s, kv->pages, keys);
        }
    }
    return 0;
}

/* Pages [0, kv->pages) of slot S, which has none. ERR_NOMEM. */
static int fill_slot(struct kv *kv, size_t s, struct err *err)
{
    for (size_t p = 0; p < kv->pages; p++) {
        float *keys = page_new(kv);

        if (!keys) {
            while (p-- > 0)
                page_drop(kv->k[s * kv->room + p]);
            return err_set(err, ERR_NOMEM, "a page of %zu bytes for a cache", page_bytes(kv));
        }
        set_page(kv, s, p, keys);
    }
    return 0;
}

int kv_decide(struct kv *kv, size_t layer, uint8_t times, struct err *err)
{
    assert(kv->open && kv->len == 0 && layer < kv->layers && times <= ROUTING_REPEAT);
    if (times > 0) {
        size_t entries = MAX((kv->slots + times) * kv->room, (size_t)1);

        kv->k = mem_realloc(kv->k, entries, sizeof(*kv->k));
        kv->v = mem_realloc(kv->v, entries, sizeof(*kv->v));
    }
    for (uint8_t i = 0; i < times; i++) {
        int rc = fill_slot(kv, kv->slots, err);

        if (rc)
            return rc;
        kv->slots++;
    }
    kv->routing[layer] = times;
    return 0;
}

void kv_forget(struct kv *kv)
{
    assert(kv->open && kv->len == 0);
    drop_pages(kv, 0);
    kv->slots = 0;
    memset(kv->routing, 0, kv->layers);
}

int kv_copy(struct kv **ret, const struct kv *from, struct err *err)
{
    struct kv *kv = mem_calloc(1, sizeof(*kv));

    (void)err; /* nothing that a user's sizes decide is allocated */
    *kv = *from;
    kv->k = kv->v = NULL;
    kv->pages = kv->room = 0;
    kv->routing = mem_dup(from->routing, from->layers);
    widen_tables(kv, pages_of(from->len));
    kv->pages = pages_of(from->len);
    for (size_t s = 0; s < kv->slots; s++) {
        for (size_t p = 0; p < kv->pages; p++) {
            float *keys = from->k[s * from->room + p];

            set_page(kv, s, p, keys);
            atomic_fetch_add(&head_of(keys)->owners, 1);
        }
    }
    *ret = kv;
    return 0;
}
