/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/tally.h"

#include <stdio.h>
#include <string.h>

#include "common/base/macros.h"

static bool same(const struct tally_row *r, const char *why, uint32_t address, const char *key)
{
    return r->used && r->address == address && strcmp(r->why, why) == 0 && strcmp(r->key, key) == 0;
}

static struct tally_row *place_for(struct tally *t, const char *why, uint32_t address,
                                   const char *key, uint64_t now_ms)
{
    struct tally_row *spare = NULL;

    for (size_t i = 0; i < TALLY_ROWS - 1; i++) {
        struct tally_row *r = &t->row[i];

        if (same(r, why, address, key))
            return r;
        if (!spare && (!r->used || (r->count == 0 && r->next_ms <= now_ms)))
            spare = r;
    }
    if (spare) {
        *spare = (struct tally_row){ .used = true, .address = address };
        (void)snprintf(spare->why, sizeof(spare->why), "%s", why);
        (void)snprintf(spare->key, sizeof(spare->key), "%s", key);
        return spare;
    }
    spare = &t->row[TALLY_ROWS - 1];
    if (!spare->used)
        *spare = (struct tally_row){ .used = true, .why = "of several kinds" };
    return spare;
}

void tally_add(struct tally *t, const char *why, uint32_t address, const char *key, unsigned count,
               uint64_t now_ms)
{
    place_for(t, why, address, key, now_ms)->count += count;
}

bool tally_take(struct tally *t, uint64_t now_ms, struct tally_row *ret)
{
    for (size_t i = 0; i < TALLY_ROWS; i++) {
        struct tally_row *r = &t->row[i];

        if (r->count == 0 || r->next_ms > now_ms)
            continue;
        *ret = *r;
        r->count = 0;
        r->next_ms = now_ms + t->every_ms;
        return true;
    }
    return false;
}

uint64_t tally_due_ms(const struct tally *t)
{
    uint64_t due = UINT64_MAX;

    for (size_t i = 0; i < TALLY_ROWS; i++)
        if (t->row[i].count > 0)
            due = MIN(due, t->row[i].next_ms);
    return due;
}
