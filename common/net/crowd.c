/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/crowd.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#include "common/base/mem.h"

struct place {
    uint32_t address;
    unsigned total, silent;
    unsigned guests;     /* that point here: total and the GOING ones */
    struct guest *first; /* silent ones of this address, the oldest first */
    UT_hash_handle hh;
};

struct guest {
    int fd;
    struct place *place;
    enum { SILENT, HEARD, GOING } state;
    char key[KEY_TEXT];
    struct guest *prev, *next;             /* all silent ones */
    struct guest *place_prev, *place_next; /* silent ones of the place */
};

struct crowd {
    struct crowd_limits limits;
    struct guest **guests; /* by descriptor */
    int guests_cap;
    struct guest *silent; /* the oldest first */
    struct place *places;
    struct place *crowded; /* where the last one came in: it may be too many */
    unsigned count, silent_count;
};

struct crowd *crowd_new(const struct crowd_limits *limits)
{
    struct crowd *c = mem_calloc(1, sizeof(*c));

    c->limits = *limits;
    return c;
}

void crowd_free(struct crowd *c)
{
    struct place *p, *tmp;

    if (!c)
        return;
    for (int i = 0; i < c->guests_cap; i++)
        free(c->guests[i]);
    HASH_ITER(hh, c->places, p, tmp)
    {
        HASH_DEL(c->places, p);
        free(p);
    }
    free(c->guests);
    free(c);
}

static struct guest *guest_of(const struct crowd *c, int fd)
{
    return fd >= 0 && fd < c->guests_cap ? c->guests[fd] : NULL;
}

static struct place *place_of(struct crowd *c, uint32_t address)
{
    struct place *p;

    HASH_FIND(hh, c->places, &address, sizeof(address), p);
    if (!p) {
        p = mem_calloc(1, sizeof(*p));
        p->address = address;
        HASH_ADD(hh, c->places, address, sizeof(p->address), p);
    }
    return p;
}

static void end_silence(struct crowd *c, struct guest *g)
{
    assert(g->state == SILENT);
    DL_DELETE(c->silent, g);
    DL_DELETE2(g->place->first, g, place_prev, place_next);
    c->silent_count--;
    g->place->silent--;
}

/* The guest is gone; so is its place with the last one. */
static void remove_guest(struct crowd *c, struct guest *g)
{
    struct place *p = g->place;

    if (g->state == SILENT)
        end_silence(c, g);
    if (g->state != GOING) {
        p->total--;
        c->count--;
    }
    c->guests[g->fd] = NULL;
    free(g);
    if (--p->guests > 0)
        return;
    if (c->crowded == p)
        c->crowded = NULL;
    HASH_DEL(c->places, p);
    free(p);
}

void crowd_accept(struct crowd *c, int fd, uint32_t address)
{
    struct guest *g = guest_of(c, fd);

    assert(fd >= 0);
    if (g) /* its end was not told */
        remove_guest(c, g);
    if (fd >= c->guests_cap) {
        int cap = c->guests_cap ? c->guests_cap : 64;

        while (cap <= fd)
            cap *= 2;
        c->guests = mem_realloc(c->guests, (size_t)cap, sizeof(struct guest *));
        memset(c->guests + c->guests_cap, 0,
               (size_t)(cap - c->guests_cap) * sizeof(struct guest *));
        c->guests_cap = cap;
    }
    g = mem_calloc(1, sizeof(*g));
    g->fd = fd;
    g->place = place_of(c, address);
    c->guests[fd] = g;
    DL_APPEND(c->silent, g);
    DL_APPEND2(g->place->first, g, place_prev, place_next);
    c->count++;
    c->silent_count++;
    g->place->guests++;
    g->place->total++;
    g->place->silent++;
    c->crowded = g->place;
}

bool crowd_speak(struct crowd *c, int fd, const char *key, uint32_t *ret_address)
{
    struct guest *g = guest_of(c, fd);

    if (!g || g->state != SILENT)
        return false;
    end_silence(c, g);
    g->state = HEARD;
    (void)snprintf(g->key, sizeof(g->key), "%s", key);
    *ret_address = g->place->address;
    return true;
}

bool crowd_leave(struct crowd *c, int fd, uint32_t *ret_address, bool *ret_silent)
{
    struct guest *g = guest_of(c, fd);

    if (!g)
        return false;
    *ret_address = g->place->address;
    *ret_silent = g->state == SILENT;
    remove_guest(c, g);
    return true;
}

static void send_away(struct crowd *c, struct guest *g)
{
    if (g->state == SILENT)
        end_silence(c, g);
    g->state = GOING;
    g->place->total--;
    c->count--;
}

/* The last one in of PLACE is not known any more: the oldest silent one makes room, else nobody. */
bool crowd_excess(struct crowd *c, int *ret_fd, uint32_t *ret_address)
{
    struct place *p = c->crowded;
    struct guest *g = NULL;

    if (p && p->address != 0 &&
        (p->silent > c->limits.address_silent || p->total > c->limits.address_total))
        g = p->first;
    if (!g && (c->silent_count > c->limits.silent || c->count > c->limits.total))
        g = c->silent;
    if (!g)
        return false;
    *ret_fd = g->fd;
    *ret_address = g->place->address;
    send_away(c, g);
    return true;
}

bool crowd_send_away(struct crowd *c, bool (*keep)(void *arg, const char *key), void *arg, int *at,
                     int *ret_fd)
{
    while (*at < c->guests_cap) {
        struct guest *g = c->guests[(*at)++];

        if (!g || g->state != HEARD || !*g->key || keep(arg, g->key))
            continue;
        *ret_fd = g->fd;
        send_away(c, g);
        return true;
    }
    return false;
}

unsigned crowd_count(const struct crowd *c)
{
    return c->count;
}
