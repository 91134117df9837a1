/* SPDX-License-Identifier: Apache-2.0 */
/* tally.h - what many strangers do, counted, so that telling it costs little: the first of a kind
 * is told at once, those that follow every so often. Pure: times come from the caller. */
#ifndef COMMON_NET_TALLY_H
#define COMMON_NET_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/net/key.h"

enum {
    TALLY_ROWS = 32, /* kinds at a time: (why, address, key); more become "several" */
    TALLY_TEXT_MAX = 160,
};

struct tally_row {
    char why[TALLY_TEXT_MAX];
    uint32_t address; /* IPv4; 0: not known, or several */
    char key[KEY_TEXT];
    unsigned count;
    uint64_t next_ms; /* when it may be told again */
    bool used;
};

/* Start it with { .every_ms = ... }. */
struct tally {
    uint32_t every_ms;
    struct tally_row row[TALLY_ROWS]; /* the last one is for what fits no other */
};

void tally_add(struct tally *t, const char *why, uint32_t address, const char *key, unsigned count,
               uint64_t now_ms);
/* Something to tell now; false: nothing. */
bool tally_take(struct tally *t, uint64_t now_ms, struct tally_row *ret);
/* When there is something to tell; UINT64_MAX: nothing waits. */
uint64_t tally_due_ms(const struct tally *t);

#endif
