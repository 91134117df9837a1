/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/throttle.h"

#include <stdlib.h>
#include <uthash.h>

#include "common/base/mem.h"

/* Tokens are counted in thousandths: a millisecond brings THROTTLE_PER_S of them. */
enum { MILLI = 1000, TIDY_MS = 10000 };
/* After so long every bucket is full, however much it owed. */
enum { FULL_MS = (THROTTLE_MOST + THROTTLE_DEBT) * MILLI / THROTTLE_PER_S };

struct bucket {
    uint32_t address;
    bool shut;
    int64_t tokens, most; /* thousandths, at AT_MS */
    uint64_t at_ms;
    UT_hash_handle hh;
};

struct throttle {
    struct bucket *buckets;
    size_t shut;
    bool grown; /* since the last throttle_refill(), while somebody was shut out */
    uint64_t tidied_ms;
};

struct throttle *throttle_new(void)
{
    return mem_calloc(1, sizeof(struct throttle));
}

void throttle_free(struct throttle *t)
{
    struct bucket *b, *tmp;

    if (!t)
        return;
    HASH_ITER(hh, t->buckets, b, tmp)
    {
        HASH_DEL(t->buckets, b);
        free(b);
    }
    free(t);
}

static int64_t tokens_at(const struct bucket *b, uint64_t now_ms)
{
    uint64_t passed_ms = now_ms > b->at_ms ? MIN(now_ms - b->at_ms, (uint64_t)FULL_MS) : 0;

    return MIN(b->tokens + (int64_t)passed_ms * THROTTLE_PER_S, b->most);
}

static void change(struct bucket *b, int64_t by, uint64_t now_ms)
{
    b->tokens = MAX(MIN(tokens_at(b, now_ms) + by, b->most), (int64_t)-THROTTLE_DEBT * MILLI);
    b->at_ms = now_ms;
}

static struct bucket *bucket_of(struct throttle *t, uint32_t address)
{
    struct bucket *b;

    HASH_FIND(hh, t->buckets, &address, sizeof(address), b);
    return b;
}

/* Who left before it could be asked where it came from: the poorest address, which does most of
 * this, if it is poor indeed. */
static struct bucket *suspect(struct throttle *t, uint64_t now_ms)
{
    struct bucket *ret = bucket_of(t, 0);
    int64_t least = THROTTLE_START / 4 * 3 * MILLI;

    for (struct bucket *b = t->buckets; b; b = b->hh.next)
        if (tokens_at(b, now_ms) < least) {
            least = tokens_at(b, now_ms);
            ret = b;
        }
    return ret;
}

bool throttle_accept(struct throttle *t, uint32_t address, uint64_t now_ms)
{
    struct bucket *b = address ? bucket_of(t, address) : suspect(t, now_ms);

    if (!b) {
        b = mem_calloc(1, sizeof(*b));
        b->address = address;
        b->tokens = b->most = THROTTLE_START * MILLI;
        b->at_ms = now_ms;
        HASH_ADD(hh, t->buckets, address, sizeof(b->address), b);
    }
    change(b, -MILLI, now_ms);
    if (b->shut || b->tokens >= 0)
        return false;
    b->shut = true;
    t->shut++;
    return true;
}

void throttle_proved(struct throttle *t, uint32_t address, uint64_t now_ms)
{
    struct bucket *b = bucket_of(t, address);

    if (!b)
        return;
    b->most = MIN(b->most + THROTTLE_GROWTH * MILLI, (int64_t)THROTTLE_MOST * MILLI);
    change(b, (1 + THROTTLE_GROWTH) * MILLI, now_ms);
    t->grown = t->shut > 0;
}

bool throttle_refill(struct throttle *t, uint64_t now_ms)
{
    struct bucket *b, *tmp;
    size_t before = t->shut;

    if (!t->grown && throttle_due_ms(t) > now_ms && now_ms < t->tidied_ms + TIDY_MS)
        return false;
    t->grown = false;
    t->tidied_ms = now_ms;
    HASH_ITER(hh, t->buckets, b, tmp)
    {
        int64_t tokens = tokens_at(b, now_ms);

        if (b->shut && tokens >= THROTTLE_OPEN * MILLI) {
            b->shut = false;
            t->shut--;
        }
        if (tokens == b->most && now_ms > b->at_ms + THROTTLE_FORGET_MS) {
            HASH_DEL(t->buckets, b);
            free(b);
        }
    }
    return t->shut < before;
}

uint64_t throttle_due_ms(const struct throttle *t)
{
    uint64_t due_ms = UINT64_MAX;

    if (t->shut == 0)
        return due_ms;
    for (const struct bucket *b = t->buckets; b; b = b->hh.next)
        if (b->shut) {
            int64_t missing = MAX((int64_t)THROTTLE_OPEN * MILLI - b->tokens, (int64_t)0);

            due_ms =
                MIN(due_ms, b->at_ms + ((uint64_t)missing + THROTTLE_PER_S - 1) / THROTTLE_PER_S);
        }
    return due_ms;
}

size_t throttle_shut(const struct throttle *t, uint32_t ret[THROTTLE_SHUT_MAX])
{
    size_t n = 0;

    if (t->shut > THROTTLE_SHUT_MAX)
        return SIZE_MAX;
    for (const struct bucket *b = t->buckets; b; b = b->hh.next)
        if (b->shut && b->address == 0)
            return SIZE_MAX;
        else if (b->shut)
            ret[n++] = b->address;
    return n;
}
